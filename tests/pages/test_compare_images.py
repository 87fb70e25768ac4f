"""The agreement table and the images behind it: counted again, with heat maps where there is a model, without where not."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.cached import loaded_classifier
from pages.ui.compare import gallery
from pages.ui.compare.images import Cell, agreement_frame, counts_frame
from pneumo_core.augmentation.stress import degraded
from pneumo_core.config.classifier import TrainConfig
from pneumo_core.config.run import config_from_dict, config_to_dict, run_id
from pneumo_core.data.images import decode_gray
from pneumo_core.data.index import build_index
from pneumo_core.evaluation.compare import compare
from pneumo_core.evaluation.comparison import Evidence
from pneumo_core.evaluation.report import evaluate, report_to_dict
from pneumo_core.inference.heatmap import described, read_scale
from pneumo_core.inference.session import run_session
from pneumo_core.records import Split
from pneumo_core.runs import store
from pneumo_core.runs.files import write_atomic, write_json
from pneumo_core.runs.store import RunDirectory, run_directory, write_manifest
from tests.conftest import FinishedRun
from tests.made_runs import make_maps_positive
from tests.pages.comparing import compared
from tests.pages.opening import texts


def listed(page: AppTest) -> pd.DataFrame:
    (table,) = [frame.value for frame in page.dataframe if "probability A" in frame.value]
    return table


def second_run(first: FinishedRun, *, rows: int | None = None) -> RunDirectory:
    """Evidence of a run of seed 1 without its model: the first's, every third logit turned around."""
    asked = json.loads((first.path / "config.json").read_text())
    config = config_from_dict({**asked["config"], "seed": 1})
    assert isinstance(config, TrainConfig)
    run = run_directory(run_id(config, asked["data"]["data_id"]))
    write_json(run.config, {**asked, "run_id": run.run_id, "config": config_to_dict(config)})
    table = pd.read_parquet(first.path / "predictions.parquet").groupby("split").head(rows or 10**6)
    turned = np.where(np.arange(len(table)) % 3 == 0, -1, 1)
    table = table.assign(logit=(table["logit"] * turned).astype(np.float32))
    write_atomic(run.predictions, table.to_parquet(index=False))
    write_json(
        run.report,
        report_to_dict(evaluate(table, run_id=run.run_id, rule=config.operating_rule, selected_on_test=False)),
    )
    write_manifest(run, {"parameters": 10, "seed": 1})
    return run


def evidence(run: str, logits: list[float], threshold: float) -> Evidence:
    names = [f"test/{number}.jpeg" for number in range(len(logits))]
    labels = np.resize([0, 1], len(logits))
    frame = pd.DataFrame({"image_id": names, "patient_id": names, "label": labels, "subtype": "none", "logit": logits})
    return Evidence(run, 0, threshold, False, frame)


def test_each_image_is_in_the_cell_that_its_calls_say() -> None:
    rng = np.random.default_rng(5)
    a, b = (evidence(name, rng.normal(size=60).tolist(), cut) for name, cut in (("a", 0.3), ("b", 0.6)))
    table = agreement_frame(a, b)
    cells = {(True, True): Cell.BOTH_RIGHT, (True, False): Cell.ONLY_A, (False, True): Cell.ONLY_B}
    for _, row in table.iterrows():
        number = int(row["image"].split("/")[1].split(".")[0])
        right = []
        for run in (a, b):
            chance = 1 / (1 + np.exp(-run.predictions["logit"][number]))
            right.append(("PNEUMONIA" if chance >= run.threshold else "NORMAL") == row["label"])
        assert row["cell"] == cells.get(tuple(right), Cell.BOTH_WRONG)
    calls = compare([a], [b], split=Split.TEST, replicates=50).mcnemar
    found = table["cell"].value_counts()
    assert (found[Cell.BOTH_RIGHT], found[Cell.ONLY_A]) == (calls.both_right, calls.only_a)
    assert (found[Cell.ONLY_B], found[Cell.BOTH_WRONG]) == (calls.only_b, calls.both_wrong)
    assert counts_frame(table).loc["A wrong", "B right"] == f"{calls.only_b} ({100 * calls.only_b / 60:.1f} %)"
    apart = (table["probability A"] - table["probability B"]).abs()
    assert apart.is_monotonic_decreasing


def test_images_are_shown_with_the_heat_maps_there_are(with_finished_run: FinishedRun) -> None:
    make_maps_positive(RunDirectory(with_finished_run.path))
    other = second_run(with_finished_run)
    page = compared(with_finished_run.run_id, other.run_id, "Images", cell=Cell.BOTH_RIGHT.value)
    assert page.radio(key="cell").value == Cell.BOTH_RIGHT.value
    rows = listed(page)
    assert len(rows) > 4
    assert (rows["A calls"] == rows["label"]).all()
    assert (rows["B calls"] == rows["label"]).all()
    assert len(page.get("image")) == 4 * 2 + 1, "the X-ray and A's heat map, since B has no model, and the color bar"
    everything = texts(page)
    words = "B has no model on this machine, so its heat maps cannot be drawn here; train it again to have them."
    assert words in [info.value for info in page.info]
    assert "not for diagnosis" in everything
    assert (
        f"Full color, at the right of the bar, is for A, {described(read_scale(RunDirectory(with_finished_run.path)))}."
        in everything
    )
    assert f"A: probability {rows['probability A'].iloc[0]:.3f}, calls {rows['A calls'].iloc[0]}, right" in everything
    assert re.search(r"Strongest spot: \d+ % of full color\.", everything)
    page = page.slider(key="heat").set_value(0.9).run()
    assert not page.exception
    assert len(page.get("image")) == 4 * 2 + 1


def test_a_run_that_ships_as_evidence_is_told_in_a_sentence(with_finished_run: FinishedRun, monkeypatch) -> None:
    other = second_run(with_finished_run)
    shipped = with_finished_run.artifacts / "shipped"
    shipped.mkdir()
    other.path.rename(shipped / other.run_id)
    monkeypatch.setattr(store, "published_root", lambda: shipped)
    page = compared(with_finished_run.run_id, other.run_id, "Images", cell=Cell.BOTH_RIGHT.value)
    assert not page.error
    assert len(page.get("image")) == 4 * 2 + 1
    words = (
        "B ships as evidence, without its model, so its heat maps cannot be drawn here; train it again to have them."
    )
    assert words in [info.value for info in page.info]


def test_a_damaged_model_is_an_error_of_its_own(with_finished_run: FinishedRun) -> None:
    other = second_run(with_finished_run)
    model = with_finished_run.path / "model.onnx"
    model.write_bytes(model.read_bytes() + b" ")
    page = compared(with_finished_run.run_id, other.run_id, "Images", cell=Cell.BOTH_RIGHT.value)
    (error,) = page.error
    assert error.value.replace("\\", "").startswith("The file model.onnx must have the SHA-256 of the manifest")
    assert len(page.get("image")) == 4, "the X-rays alone"


def test_each_cell_lists_as_many_images_as_the_table_counts(with_finished_run: FinishedRun) -> None:
    page = compared(with_finished_run.run_id, second_run(with_finished_run).run_id, "Images")
    (counts,) = [table.value for table in page.table if "B right" in table.value]
    places = {
        Cell.BOTH_RIGHT: ("A right", "B right"),
        Cell.ONLY_A: ("A right", "B wrong"),
        Cell.ONLY_B: ("A wrong", "B right"),
        Cell.BOTH_WRONG: ("A wrong", "B wrong"),
    }
    for cell, (row, column) in places.items():
        page = page.radio(key="cell").set_value(cell.value).run()
        assert not page.exception
        count = int(counts.loc[row, column].split()[0])
        if count == 0:
            assert "No image is in this cell" in texts(page)
            continue
        images = listed(page)
        assert len(images) == count
        assert ((images["A calls"] == images["label"]) == (row == "A right")).all()
        assert ((images["B calls"] == images["label"]) == (column == "B right")).all()


def test_without_the_images_the_table_stays(with_finished_run: FinishedRun, tmp_path: Path) -> None:
    other = second_run(with_finished_run)
    for stored in (with_finished_run.artifacts / "datasets").rglob("index*"):
        stored.unlink()
    page = compared(with_finished_run.run_id, other.run_id, "Images", cell=Cell.BOTH_RIGHT.value)
    assert len(listed(page)) > 4
    assert not page.get("image")
    assert "not on this machine" in texts(page)
    assert "dataset" in [link.proto.page for link in page.get("page_link")]


def test_a_file_that_changed_since_says_so_in_its_place(with_finished_run: FinishedRun, monkeypatch) -> None:
    from pages.ui.compare import gallery
    from pneumo_core.errors import DataError

    other = second_run(with_finished_run)
    page = compared(with_finished_run.run_id, other.run_id, "Images", cell=Cell.BOTH_RIGHT.value)
    gone = listed(page)["image"].iloc[1]
    read = gallery.read_indexed

    def changed(root: Path, image_id: str, sha256: str) -> bytes:
        if image_id == gone:
            raise DataError("an indexed file must not change. Received: it, changed since; connect the folder again")
        return read(root, image_id, sha256)

    monkeypatch.setattr(gallery, "read_indexed", changed)
    page.run()
    assert not page.exception
    assert len(page.get("image")) == 3 * 2 + 1
    assert "changed since" in texts(page)


def test_different_images_have_no_agreement_but_a_reason(with_finished_run: FinishedRun) -> None:
    other = second_run(with_finished_run, rows=6)
    page = compared(with_finished_run.run_id, other.run_id, "Images")
    assert "Not paired: they were tested on different images" in texts(page)
    assert not [frame for frame in page.dataframe if "probability A" in frame.value]


@pytest.mark.parametrize("cell", ["nonsense", "", "<b>x</b>"])
def test_an_unknown_cell_in_the_address_breaks_nothing(with_finished_run: FinishedRun, cell: str) -> None:
    page = compared(with_finished_run.run_id, second_run(with_finished_run).run_id, "Images", cell=cell)
    assert not page.error


def test_the_heat_map_of_a_copy_is_of_the_degraded_image(with_finished_run: FinishedRun, tiny_data: Path) -> None:
    index = build_index(tiny_data)
    name, sha256 = index.table["image_id"].iloc[0], index.table["sha256"].iloc[0]
    run_id = with_finished_run.run_id
    session = loaded_classifier(run_id).session
    image = decode_gray((index.root / name).read_bytes(), name, size=session.image_size)
    seen = np.stack([image, degraded(image[None], [name], 2)[1]])
    maps = gallery._maps(run_id, str(index.root), [(name, sha256), (f"{name}#2", sha256)])
    expected = run_session(session, seen).cam
    np.testing.assert_allclose(maps, expected, atol=1e-4 * np.abs(expected).max())
    assert not np.allclose(expected[0], expected[1], atol=1e-2 * np.abs(expected).max())


def test_a_copy_is_drawn_as_it_was_predicted(tiny_data: Path) -> None:
    """At the size that its model takes, of which the changes depend; an image itself is shown as it is."""
    index = build_index(tiny_data)
    name, sha256 = index.table["image_id"].iloc[0], index.table["sha256"].iloc[0]
    data = (index.root / name).read_bytes()
    expected = degraded(decode_gray(data, name, size=64)[None], [name], 3)[2]
    np.testing.assert_array_equal(gallery._pixels(index.root, f"{name}#3", sha256, 64), expected)
    np.testing.assert_array_equal(gallery._pixels(index.root, name, sha256, 64), decode_gray(data, name))
