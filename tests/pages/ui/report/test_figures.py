"""Ours against the report: both sides, one side without a counterpart, phantoms, validation images, a group of seeds."""

import io
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from pneumo_core.config.classifier import Balance, Preset
from pneumo_core.config.presets import preset_config
from pneumo_core.evaluation.against_report import against_report
from pneumo_core.inference.compared import compare_runs
from pneumo_core.records import Architecture, Estimate
from pneumo_core.reference import INCONSISTENCIES, REPORT_RUNS
from pneumo_core.reporting.document import table_csv
from pneumo_core.reporting.reference_blocks import parameters_table, report_table
from tests.pages.ui.finished_runs import finish
from tests.waiting import app_test

GAN_RUN = "dcgan-0123456789ab"


def opened(a: list[str], b: list[str], split: str = "test") -> AppTest:
    def section(a: list[str], b: list[str], split: str) -> None:
        from pages.ui.compare.report import ours_against_report

        from pneumo_core.inference.compared import compare_runs
        from pneumo_core.records import Split

        ours_against_report(compare_runs(a, b, split=Split(split)))

    return app_test(section, args=(a, b, split)).run()


def texts(page: AppTest) -> str:
    kinds = ("markdown", "caption", "info", "subheader")
    return "\n".join(item.value.replace("\\", "") for kind in kinds for item in getattr(page, kind))


@pytest.fixture
def original(no_published: Path) -> str:
    return finish(preset_config(Architecture.BASELINE, Preset.REPORT))


def test_both_sides_stand_beside_their_training_of_the_report(original: str) -> None:
    balanced = finish(preset_config(Architecture.BASELINE, Preset.SOUND, balance=Balance.GAN, gan_run=GAN_RUN))
    page = opened([original], [balanced])
    assert not page.exception
    first, others, second, _ = (frame.value for frame in page.dataframe)
    assert first["figure"].tolist()[:2] == ["accuracy", "precision 0"]
    assert first["report"].tolist()[:2] == ["0.90", "0.95"]
    assert first["figure"].iloc[-1] == "loss"
    assert second["report"].iloc[0] == "0.88"
    assert set(second["place"]) == {"section 5, Figure 9"}
    ours = dict(zip(others["number"], others["ours"], strict=True))
    assert (ours["support 0"], ours["support 1"], ours["support"]) == ("20", "40", "60")
    assert int(ours["true 0"]) + int(ours["false 1"]) == 20
    said = texts(page)
    assert "baseline CNN, original images" in said
    assert "original and generated images" in said
    assert "test, selected on test" in said
    assert "n = 60 test images" in said
    assert "Notes on A" in said, "one was selected on test and the other was not"
    assert "Notes on B" in said
    for item in INCONSISTENCIES:
        assert item.title in said
    assert [table.value["equal"].tolist() for table in page.table] == [["yes"] * 3] * 2


def test_the_file_holds_the_numbers_of_the_table(original: str) -> None:
    other = finish(preset_config(Architecture.BASELINE, Preset.REPORT, seed=1))
    side = compare_runs([original], [other]).a
    table = report_table("A", side, REPORT_RUNS[0])
    frame = pd.read_csv(io.StringIO(table_csv(table)))
    for row, kept, shown in zip(
        against_report(side.figures, REPORT_RUNS[0]), frame.itertuples(), table.rows, strict=True
    ):
        assert row.ours == Estimate(kept.ours, kept.ours_low, kept.ours_high, kept.n)
        assert row.difference == kept.difference == pytest.approx(kept.ours - kept.report)
        assert shown[:3] == (row.name, row.place, f"{row.report:.2f}")
        assert shown[3] == f"{kept.ours:.3f} ({kept.ours_low:.3f} to {kept.ours_high:.3f})"
        assert shown[4] == f"{kept.difference:+z.3f}".replace("-", "\N{MINUS SIGN}")
        assert kept.inside == (shown[5] == "inside our interval")


def test_parameters_are_told_apart() -> None:
    manifest = {"parameters": 5_677_329, "trainable_parameters": 5_000_000}
    rows = {row[0]: row[2:] for row in parameters_table("A", manifest, REPORT_RUNS[0]).rows}
    assert rows["parameters"] == ("5,677,329", "5,677,329", "yes")
    assert rows["trainable"] == ("5,676,881", "5,000,000", "no")
    assert rows["not trainable"] == ("448", "677,329", "no")


def test_notes_that_hold_for_both_sides_stand_once(original: str) -> None:
    page = opened([original], [finish(preset_config(Architecture.BASELINE, Preset.REPORT, seed=1))])
    assert "Notes on A and B" in texts(page)
    assert len(page.get("download_button")) == 2


@pytest.mark.parametrize("arm", [Balance.CLASS_WEIGHT, Balance.OVERSAMPLE])
def test_an_arm_that_the_report_has_not_says_so(original: str, arm: Balance) -> None:
    page = opened([original], [finish(preset_config(Architecture.BASELINE, Preset.REPORT, balance=arm))])
    assert not page.exception
    (words,) = [info.value for info in page.info]
    assert "B has no counterpart" in words
    assert arm.value.split("-")[0] in words
    assert len(page.dataframe) == 2
    assert len(page.table) == 1


def test_phantoms_have_no_counterpart(no_published: Path) -> None:
    runs = [finish(preset_config(Architecture.BASELINE, Preset.REPORT, seed=seed), is_phantom=True) for seed in (0, 1)]
    page = opened(runs[:1], runs[1:])
    assert not page.exception
    assert len(page.info) == 2
    assert all("phantoms" in info.value for info in page.info)
    assert not page.dataframe
    assert not page.get("download_button")
    assert INCONSISTENCIES[0].title in texts(page)


def test_on_validation_images_no_figure_is_set_beside_the_reports(no_published: Path) -> None:
    runs = [finish(preset_config(Architecture.BASELINE, Preset.SOUND, seed=seed)) for seed in (0, 1)]
    page = opened(runs[:1], runs[1:], "val")
    assert not page.exception
    assert any("are from test images" in info.value for info in page.info)
    assert not page.dataframe
    assert len(page.table) == 2, "parameters do not depend on the images"


def test_a_group_of_seeds_is_a_mean_and_has_no_one_confusion_matrix(original: str) -> None:
    seeds = [original, finish(preset_config(Architecture.BASELINE, Preset.REPORT, seed=1))]
    page = opened(seeds, [finish(preset_config(Architecture.BASELINE, Preset.SOUND))])
    assert not page.exception
    assert "n = 60 test images, mean of 2 runs" in texts(page)
    others = page.dataframe[1].value
    assert others.loc[others["number"] == "true 0", "ours"].tolist() == [""]
