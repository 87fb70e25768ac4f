"""Evaluate in its states: no run, finished, selected on test, one class, images gone, files damaged."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from pages.ui.pictures import thumbnail
from pneumo_core.augmentation.stress import degraded, original_id
from pneumo_core.config.classifier import Preset
from pneumo_core.config.presets import preset_config
from pneumo_core.config.run import config_to_dict, run_id
from pneumo_core.data.images import decode_gray
from pneumo_core.data.index import build_index
from pneumo_core.evaluation.report import evaluate, report_to_dict
from pneumo_core.evaluation.softer import SOFTER, Softer
from pneumo_core.evaluation.wording import NAMES, STRESS_NOTE, estimate_text, percent
from pneumo_core.inference.evidence import read_report
from pneumo_core.records import Architecture, Estimate, Metric, Split
from pneumo_core.runs.files import write_atomic, write_json
from pneumo_core.runs.status import append_event
from pneumo_core.runs.store import RunDirectory, run_directory, write_manifest
from tests.conftest import FinishedRun
from tests.made_runs import made_predictions, made_run, with_stress
from tests.pages.opening import opened, texts

CARDS = ["Sensitivity", "Specificity", "AUROC"]
OTHERS = ["Accuracy", "AUPRC", "PPV", "NPV", "Brier score", "Log loss"]


def links(page: AppTest) -> list[str]:
    return [link.proto.page for link in page.get("page_link")]


def images(page: AppTest) -> pd.DataFrame:
    """The table of the images, by what no other table has."""
    (table,) = [frame.value for frame in page.dataframe if "verdict" in frame.value]
    return table


def predictions(splits: tuple[str, ...], labels: tuple[int, ...] = (0, 1)) -> pd.DataFrame:
    rng = np.random.default_rng(11)
    frames = []
    for split in splits:
        y_true = np.resize(labels, 50)
        names = [f"{split}/{number:03}.jpeg" for number in range(50)]
        logits = (rng.normal(size=50) + 1.5 * y_true - 0.5).astype(np.float32)
        frame = pd.DataFrame({"image_id": names, "patient_id": names, "label": y_true, "subtype": "none"})
        frames.append(frame.assign(split=split, logit=logits))
    return pd.concat(frames, ignore_index=True)


def finish(
    preset: Preset, rows: pd.DataFrame, epochs: list[tuple[int, float]], *, data_id: str = "0" * 12
) -> RunDirectory:
    """A finished run with these predictions and validation losses, its files written as the worker writes them."""
    config = preset_config(Architecture.BASELINE, preset)
    run = run_directory(run_id(config, data_id))
    data = {"data_id": data_id, "root": "/nowhere", "is_phantom": False}
    asked = {"run_id": run.run_id, "config": config_to_dict(config), "data": data, "submitted_at": 1.7e9}
    write_json(run.config, asked)
    for epoch, loss in epochs:
        logs = {"loss": 1.0, "accuracy": 0.5, "val_loss": loss, "val_accuracy": 0.5, "learning_rate": 1e-3}
        append_event(run, {"kind": "epoch", "epoch": epoch, **logs, "duration_s": 1.0})
    write_atomic(run.predictions, rows.to_parquet(index=False))
    rule = replace(config).operating_rule
    report = evaluate(rows, run_id=run.run_id, rule=rule, selected_on_test=config.selected_on_test)
    write_json(run.report, report_to_dict(report))
    write_manifest(run, {"parameters": 10, "trainable_parameters": 9, "seed": 0})
    return run


@pytest.fixture
def sound_run(no_published: Path) -> RunDirectory:
    return finish(Preset.SOUND, predictions(("val", "test")), [(0, 0.9), (1, 0.2), (1, 0.6), (2, 0.7)])


def test_without_a_run_it_says_what_to_do(no_published: Path) -> None:
    page = opened("evaluate")
    assert "Train one first" in texts(page)
    assert "train" in links(page)


def test_a_finished_run_shows_its_figures_first(with_finished_run) -> None:
    page = opened("evaluate", run=with_finished_run.run_id)
    assert not page.error
    report = json.loads((with_finished_run.path / "report.json").read_text())
    test = report["splits"]["test"]
    assert [card.label for card in page.metric] == CARDS
    shown = dict(zip(CARDS, (card.value for card in page.metric), strict=True))
    assert shown["Specificity"] == f"{100 * test['specificity']['value']:.1f} %"
    others = page.table[0].value
    assert others.index.tolist() == OTHERS
    accuracy, low, high = (100 * test["accuracy"][name] for name in ("value", "low", "high"))
    expected = f"{accuracy:.1f} % ({low:.1f} to {high:.1f}), n = {test['accuracy']['n']:,}"
    assert others.loc["Accuracy"].tolist() == [expected]
    # The small set has fewer than 10 test patients of a class.
    assert shown["AUROC"] == "n/a"
    everything = texts(page)
    assert f"{100 * test['specificity']['low']:.1f} to {100 * test['specificity']['high']:.1f} %" in everything
    assert f"n = {test['specificity']['n']:,}, test" in everything
    assert test["auroc"]["not_applicable"] in everything.replace("\\", "")
    assert "synthetic phantoms" in everything
    assert "predict" in links(page)
    assert not page.get("plotly_chart"), "a chart would keep the figures waiting"


@pytest.mark.parametrize(("tab", "charts"), [("Right and wrong calls", 1), ("Curves", 3), ("Training", 1)])
def test_each_tab_shows_its_charts(sound_run: RunDirectory, tab: str, charts: int) -> None:
    page = opened("evaluate", run=sound_run.run_id, show=tab)
    assert not page.error
    configs = [json.loads(chart.proto.config) for chart in page.get("plotly_chart")]
    assert len(configs) == charts
    pictures = {config["toImageButtonOptions"]["filename"] for config in configs}
    assert len(pictures) == charts
    assert all(name.startswith("pneumo-evaluate-baseline-sound-none-") for name in pictures)
    assert not page.metric


def test_a_run_can_be_taken_away_with_its_facts(with_finished_run) -> None:
    page = opened("evaluate", run=with_finished_run.run_id, show="Take away")
    assert not page.error
    assert json.loads((with_finished_run.path / "report.json").read_text())["methods"] in texts(page)
    assert [button.proto.label for button in page.get("download_button")] == [
        "Predictions of all splits (CSV)",
        "Report (JSON)",
        "Classification table, test (CSV)",
    ]
    facts = page.table[-1].value["value"]
    assert facts["parameters"] == "5,677,329"
    assert facts["parameters not trainable"] == "448"


def test_the_images_that_were_trained_on_are_shown_where_they_still_are(with_finished_run) -> None:
    page = opened("evaluate", run=with_finished_run.run_id, show="Images")
    assert len(page.get("image")) == 8


def test_a_file_that_changed_since_is_not_shown(with_finished_run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(with_finished_run.data, data)
    build_index(data)
    page = opened("evaluate", run=with_finished_run.run_id, show="Images")
    worst = images(page)["image"].iloc[0]
    (data / worst).write_bytes(b"something else")
    # A picture that was read before the change may stay for a while; one that is read now may not.
    thumbnail.clear()
    page.run()
    assert not page.exception
    assert len(page.get("image")) == 7
    assert "changed since" in texts(page)


def test_without_the_images_it_says_so_and_shows_the_rest(sound_run: RunDirectory) -> None:
    page = opened("evaluate", run=sound_run.run_id, show="Images")
    assert "not on this machine" in texts(page)
    assert "dataset" in links(page)
    assert len(page.get("image")) == 0
    assert len(images(page)) == 50


def test_the_table_of_images_has_the_misclassified_first(sound_run: RunDirectory) -> None:
    table = images(opened("evaluate", run=sound_run.run_id, show="Images"))
    counts = json.loads(sound_run.report.read_text())["splits"]["test"]["confusion"]
    wrong = counts["fp"] + counts["fn"]
    assert wrong > 0
    assert len(table) == 50
    assert set(table["verdict"][:wrong]) <= {"missed", "false alarm"}
    assert set(table["verdict"][wrong:]) == {"right"}


def test_the_split_is_in_the_address_and_can_be_changed(sound_run: RunDirectory) -> None:
    page = opened("evaluate", run=sound_run.run_id, split="val", show="Images")
    control = page.radio(key="split_shown")
    assert control.value == Split.VAL
    assert images(page)["image"].str.startswith("val/").all()
    assert any("figures are optimistic" in info.value for info in page.info)
    page = control.set_value(Split.TEST).run()
    assert not any("figures are optimistic" in info.value for info in page.info)
    assert page.query_params["split"] == "test"
    assert images(page)["image"].str.startswith("test/").all()


def test_the_split_survives_a_change_of_page(sound_run: RunDirectory) -> None:
    page = opened("evaluate", run=sound_run.run_id, split="val")
    page.switch_page("pages/predict.py").run()
    page.query_params.clear()
    page.switch_page("pages/evaluate.py").run()
    assert page.radio(key="split_shown").value == Split.VAL


@pytest.mark.parametrize("split", ["train", "../../etc", "", "<b>x</b>" * 50])
def test_an_unknown_split_is_answered_with_what_is_there(sound_run: RunDirectory, split: str) -> None:
    page = opened("evaluate", run=sound_run.run_id, split=split)
    (warning,) = [item.value.replace("\\", "") for item in page.warning if "There is no" in item.value]
    assert f"{split[:60]!r}. There are figures on" in warning
    assert not page.metric
    page.button(key="instead of split").click().run()
    assert page.radio(key="split_shown").value == Split.TEST


def test_another_run_without_the_split_shows_test(sound_run: RunDirectory) -> None:
    other = finish(Preset.REPORT, predictions(("test",)), [(0, 0.5)])
    page = opened("evaluate", run=sound_run.run_id, split="val")
    page.selectbox[0].set_value(other.run_id).run()
    assert not page.exception
    assert page.radio(key="split_shown").value == Split.TEST
    assert page.query_params["split"] == "test"


def test_figures_on_test_stand_beside_their_operating_point_on_val(sound_run: RunDirectory) -> None:
    page = opened("evaluate", run=sound_run.run_id)
    assert page.table[1].value.columns.tolist() == ["val (epoch chosen on it)", "test"]
    assert "the threshold with the highest sensitivity + specificity on val" in texts(page)


def test_each_figure_on_val_says_so_and_has_that_on_test_beside_it(sound_run: RunDirectory) -> None:
    page = opened("evaluate", run=sound_run.run_id, split="val")
    cards = [caption.value for caption in page.caption if "  \nn = " in caption.value]
    assert len(cards) == len(CARDS)
    assert all("val  \n(epoch chosen on it)  \ntest: " in caption for caption in cards)
    found = read_report(sound_run).splits[Split.TEST].specificity
    expected = f"test: {100 * found.value:.1f} % ({100 * found.low:.1f} to {100 * found.high:.1f})"
    assert cards[CARDS.index("Specificity")].endswith(expected)
    others, point = (table.value for table in page.table)
    assert others.columns.tolist() == point.columns.tolist() == ["val (epoch chosen on it)", "test"]
    assert others.loc["Accuracy"].tolist() == [
        estimate_text(Metric.ACCURACY, read_report(sound_run).splits[split].accuracy, with_n=True)
        for split in (Split.VAL, Split.TEST)
    ]


def test_a_run_that_was_selected_on_test_says_so_at_every_figure(no_published: Path) -> None:
    run = finish(Preset.REPORT, predictions(("test",)), [(0, 0.5), (1, 0.4)])
    page = opened("evaluate", run=run.run_id)
    cards = [caption.value for caption in page.caption if "  \nn = " in caption.value]
    assert len(cards) == len(CARDS)
    assert all(caption.endswith("test  \n(epoch chosen on it)") for caption in cards)
    for tab, count in {"Right and wrong calls": 2, "Curves": 3, "Training": 1, "Images": 1}.items():
        page = opened("evaluate", run=run.run_id, show=tab)
        titles = [words.value for words in page.markdown if " · test" in words.value or " · train and" in words.value]
        assert len(titles) == count, tab
        assert all("(epoch chosen on it)" in title for title in titles)
        if tab == "Training":
            assert "best epoch 2, selected on test" in page.get("plotly_chart")[0].proto.spec


def test_of_an_epoch_that_was_run_twice_the_last_is_shown(sound_run: RunDirectory) -> None:
    page = opened("evaluate", run=sound_run.run_id, show="Training")
    assert "The weights of epoch 2 were kept" in texts(page)
    table = next(frame.value for frame in page.dataframe if "val_loss" in frame.value)
    assert table["val_loss"].tolist() == [0.9, 0.6, 0.7]


def test_a_run_without_recorded_epochs_says_so(no_published: Path) -> None:
    run = finish(Preset.SOUND, predictions(("val", "test")), [])
    page = opened("evaluate", run=run.run_id, show="Training")
    assert "epochs were not recorded" in texts(page)
    assert not page.get("plotly_chart")


def test_what_cannot_be_computed_has_its_reason(no_published: Path) -> None:
    run = finish(Preset.REPORT, predictions(("test",), labels=(0,)), [(0, 0.5)])
    page = opened("evaluate", run=run.run_id)
    shown = {card.label: card.value for card in page.metric}
    assert shown["Sensitivity"] == shown["AUROC"] == "n/a"
    assert shown["Specificity"] != "n/a"
    assert "no image is PNEUMONIA" in texts(page)
    assert (
        texts(opened("evaluate", run=run.run_id, show="Curves")).count("Not applicable: both classes are needed") == 2
    )


@pytest.mark.parametrize("name", ["report.json", "predictions.parquet", "manifest.json"])
def test_a_damaged_file_is_told_in_one_line(sound_run: RunDirectory, name: str) -> None:
    path = sound_run.path / name
    path.write_bytes(path.read_bytes()[:-3] + b"xxx")
    page = opened("evaluate", run=sound_run.run_id, show="Take away")
    (error,) = page.error
    assert name in error.value.replace("\\", "")
    assert "Received:" in error.value.replace("\\", "")
    assert "\n" not in error.value
    figures = opened("evaluate", run=sound_run.run_id)
    assert bool(figures.metric) is (name == "predictions.parquet"), "what is whole is still shown"


@pytest.mark.parametrize("run", ["baseline-000000000000", "../../etc"])
def test_an_unknown_run_is_answered_with_what_is_there(sound_run: RunDirectory, run: str) -> None:
    page = opened("evaluate", run=run)
    (warning,) = [item.value.replace("\\", "") for item in page.warning]
    assert f"There is no finished classifier {run!r}. There is one to choose from." in warning
    assert not page.selectbox
    page.button(key="instead of finished classifier").click().run()
    assert page.selectbox[0].value == sound_run.run_id


def test_a_run_published_without_its_model_says_why_it_cannot_predict(
    sound_run: RunDirectory, no_published: Path
) -> None:
    assert "predict" in links(opened("evaluate", run=sound_run.run_id))
    assert "Cannot predict" not in texts(opened("evaluate", run=sound_run.run_id))
    sound_run.path.rename(no_published / sound_run.run_id)
    page = opened("evaluate", run=sound_run.run_id)
    assert "predict" not in links(page)
    assert "Cannot predict: published as evidence, without its model." in texts(page)


def test_stress_is_a_split_with_figures_of_its_own(no_published: Path) -> None:
    run = made_run(with_stress(made_predictions()), choose_on=Split.STRESS)
    part = read_report(run).splits[Split.STRESS]
    page = opened("evaluate", run=run.run_id, split="stress")
    assert not page.error
    everything = texts(page)
    assert "180 images, 2 degraded copies of each of 90 validation images, of 45 patients" in everything
    assert STRESS_NOTE in everything
    assert "highest sensitivity + specificity on stress" in everything
    shown = dict(zip(CARDS, (card.value for card in page.metric), strict=True))
    assert isinstance(part.specificity, Estimate)
    assert shown["Specificity"] == percent(part.specificity.value)
    assert "stress  \n(epoch chosen on it)" in everything
    assert "no figures on stress" not in everything


def test_validation_has_figures_weighted_to_softer_images(no_published: Path) -> None:
    run = made_run(with_stress(made_predictions()))
    report = read_report(run)
    assert isinstance(report.softer, Softer)
    page = opened("evaluate", run=run.run_id, split="val")
    (table,) = [table.value for table in page.table if SOFTER in table.value]
    places = ["val (epoch chosen on it)", SOFTER, "stress (epoch chosen on val)", "test"]
    assert table.columns.tolist() == places
    for metric, estimate in report.softer.figures.items():
        assert table.loc[NAMES[metric], SOFTER] == estimate_text(metric, estimate, with_n=True)
    words = f"count as {report.softer.effective_normal:.0f} (effective number)"
    assert words in texts(page).replace("\\", "")
    (every,) = [frame.value for frame in page.dataframe if "figure" in frame.value]
    assert every["split"].unique().tolist() == [
        "val (epoch chosen on it)",
        "stress (epoch chosen on val)",
        "test",
        SOFTER,
    ]


def test_a_run_of_an_earlier_version_says_how_to_get_stress_figures(sound_run: RunDirectory) -> None:
    page = opened("evaluate", run=sound_run.run_id, split="val")
    assert f"runs refresh {sound_run.run_id}" in texts(page).replace("\\", "")
    assert "Not weighted to softer images: the sharpness" in texts(page).replace("\\", "")
    assert SOFTER not in str([table.value.columns.tolist() for table in page.table])


def test_a_copy_s_picture_is_made_again(with_finished_run: FinishedRun) -> None:
    page = opened("evaluate", run=with_finished_run.run_id, split="stress", show="Images")
    assert not page.error
    shown = images(page)
    assert shown["image"].str.endswith("#1").all()
    assert "1 degraded copy of each of" in texts(page)
    assert len(page.get("image")) == min(8, len(shown))
    index = build_index(with_finished_run.data)
    name = shown["image"].iloc[0]
    original = index.table.set_index("image_id").loc[original_id(name)]
    jpeg = thumbnail(str(index.root), name, original["sha256"], 150)
    pixels = decode_gray((index.root / original.name).read_bytes(), "image", size=150)
    expected = np.asarray(Image.fromarray(degraded(pixels[None], [original.name], 1)[0]).resize((224, 224), 2))
    assert np.abs(np.asarray(Image.open(io.BytesIO(jpeg))).astype(int) - expected).mean() < 3
