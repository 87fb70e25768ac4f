"""Results on another hospital's X-rays: stored, read and tied to the model that was measured; the command that makes them."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from benchmarks import external as command
from pneumo_core.data.images import decode_gray
from pneumo_core.errors import CorruptError, DataError
from pneumo_core.evaluation.metrics import auroc
from pneumo_core.inference.external import (
    Collection,
    ExternalResult,
    described,
    external_result,
    read_external,
    store_external,
)
from pneumo_core.records import Estimate, Label, NotApplicable
from pneumo_core.runs.files import write_json
from pneumo_core.runs.store import RunDirectory, find_run, published_root, read_manifest
from tests.conftest import FinishedRun

RUN, MODEL = "baseline-0123456789ab", "a" * 64
COLLECTION = Collection(
    "a collection", "a hospital", "opacity", "owner/name", "2026-01-01", "https://a", "https://b", "CC BY", ("A note.",)
)


def a_result(run_id: str = RUN) -> ExternalResult:
    share = Estimate(0.75, 0.7, 0.8, 40)
    return ExternalResult(
        run_id, MODEL, "2026-11-30", 0.5, 20, 30, 4, 5, 6, Estimate(0.876, 0.861, 0.889, 50), share, share, share
    )


@pytest.fixture
def shipped(no_published: Path) -> RunDirectory:
    """A published run whose manifest lists the measured model."""
    run = RunDirectory(no_published / RUN)
    run.path.mkdir()
    write_json(run.manifest, {"run_id": RUN, "files": {"model.onnx": MODEL}})
    return run


def test_a_stored_result_is_read_for_its_model_alone(shipped: RunDirectory) -> None:
    assert isinstance(read_external(), NotApplicable)
    assert isinstance(external_result(RUN), NotApplicable)
    store_external(COLLECTION, a_result())
    assert external_result(RUN) == (COLLECTION, a_result())
    assert isinstance(external_result("baseline-ffffffffffff"), NotApplicable)
    write_json(shipped.manifest, {"run_id": RUN, "files": {"model.onnx": "b" * 64}})
    assert isinstance(external_result(RUN), NotApplicable)
    write_json(shipped.manifest, {"run_id": RUN, "files": {}})
    assert isinstance(external_result(RUN), NotApplicable)


def test_a_result_replaces_that_of_its_run_and_those_of_another_collection(no_published: Path) -> None:
    other = "vgg16-0123456789ab"
    for result in (a_result(other), a_result(), replace(a_result(), n_normal=21)):
        store_external(COLLECTION, result)
    stored = read_external()
    assert not isinstance(stored, NotApplicable)
    assert [(one.run_id, one.n_normal) for one in stored.results] == [(RUN, 21), (other, 20)]
    store_external(replace(COLLECTION, date="2026-02-02"), a_result())
    stored = read_external()
    assert not isinstance(stored, NotApplicable)
    assert [one.run_id for one in stored.results] == [RUN]


@pytest.mark.parametrize("content", ["{}", "[]", "{", '{"schema": 1, "collection": 1, "results": []}'])
def test_a_damaged_file_is_reported(no_published: Path, content: str) -> None:
    (no_published / "external.json").write_text(content)
    with pytest.raises(CorruptError, match=r"external\.json"):
        read_external()


def test_the_sentence_gives_n_source_interval_and_date() -> None:
    assert described(COLLECTION, a_result()) == (
        "On 50 X-rays of another hospital (a collection: a hospital), 30 of them with opacity, this model has an AUROC of "
        "0.876 (0.861 to 0.889), and at its threshold a sensitivity of 75.0 % (70.0 to 80.0) and a specificity of 75.0 % "
        "(70.0 to 80.0) (measured 2026-11-30)."
    )


def test_what_ships_is_of_the_models_that_ship() -> None:
    stored = read_external()
    assert not isinstance(stored, NotApplicable)
    askable = {path.parent.name for path in published_root().glob("*/model.onnx")}
    # An ensemble stands for its members.
    classifiers = {name for name in askable if name.startswith(("baseline-", "vgg16-", "ensemble-"))}
    assert {one.run_id for one in stored.results} == classifiers
    for one in stored.results:
        assert external_result(one.run_id) == (stored.collection, one)
        assert isinstance(one.auroc, Estimate)
        assert one.auroc.n == one.n_normal + one.n_pneumonia
        assert one.n_normal + one.n_pneumonia + one.refused + one.copies == 2375


# --- The command --------------------------------------------------------------------------------------------------------


def test_images_are_found_by_folder_or_by_table_and_others_are_passed_over(tmp_path: Path) -> None:
    for name in ("Normal/1.png", "Lung_Opacity/1.png", "Lung_Opacity/2.png", "Viral Pneumonia/1.png", "Normal/a.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    folders = [
        (tmp_path / "Lung_Opacity" / "1.png", Label.PNEUMONIA),
        (tmp_path / "Lung_Opacity" / "2.png", Label.PNEUMONIA),
        (tmp_path / "Normal" / "1.png", Label.NORMAL),
    ]
    assert command.labeled(tmp_path) == folders
    table = tmp_path / "labels.csv"
    table.write_text("path,label\nNormal/1.png,No Finding\nLung_Opacity/1.png,pneumonia\nLung_Opacity/2.png,Edema\n")
    assert command.labeled(table) == [folders[0], folders[2]]
    table.write_text("path,label\nNormal/1.png,normal\n")
    with pytest.raises(DataError, match="images of both classes"):
        command.labeled(table)


def test_gray_levels_are_read_back_from_false_colors(tmp_path: Path) -> None:
    gray = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    path = tmp_path / "colored.png"
    Image.fromarray((255 * colormaps["viridis"](gray)[..., :3]).astype(np.uint8)).save(path)
    with Image.open(io.BytesIO(command.contents(path, command.grays_of("viridis")))) as image:
        assert image.mode == "L"
        assert np.abs(np.asarray(image).astype(int) - gray).max() <= 3
    assert command.contents(path, None) == path.read_bytes()


def test_copies_of_the_data_set_s_images_are_known_also_at_another_size(tiny_data: Path) -> None:
    original = min(tiny_data.rglob("*.jpeg"))
    buffer = io.BytesIO()
    with Image.open(original) as image:
        image.resize((180, 150)).save(buffer, "PNG")
    gray = decode_gray(original.read_bytes(), original.name, size=128)
    upside_down = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(gray[::-1])).save(upside_down, "PNG")
    found = command.copies([buffer.getvalue(), upside_down.getvalue()], tiny_data)
    assert found.tolist() == [True, False]


def test_figures_are_those_of_the_answered_images(with_finished_run: FinishedRun, tiny_data: Path) -> None:
    run = find_run(with_finished_run.path.name)
    classifier = command.load_classifier(run)
    images = [(path.read_bytes(), label) for path, label in command.labeled(tiny_data / "test")]
    blank = io.BytesIO()
    Image.new("L", (150, 150), 90).save(blank, "PNG")
    result = command.measured(classifier, [*images, (blank.getvalue(), Label.NORMAL)], 3, MODEL)
    assert (result.refused, result.copies, result.threshold) == (1, 3, classifier.operating_point.threshold)
    assert result.n_normal + result.n_pneumonia == len(images)
    answers = [command.classify(classifier, file, "an image") for file, _ in images]
    y_true = np.array([label for _, label in images])
    expected = auroc(y_true, np.array([one.logit for one in answers]))
    value = result.auroc.value if isinstance(result.auroc, Estimate) else None
    assert value is None or value == pytest.approx(expected)
    assert isinstance(result.accuracy, Estimate)
    assert result.accuracy.value == pytest.approx(
        np.mean([one.label == label for one, label in zip(answers, y_true, strict=True)])
    )
    assert read_manifest(run)["files"]["model.onnx"]
