"""Our runs beside the report's: each training, a group of seeds, runs without a counterpart, phantoms."""

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
from pneumo_core.reference import REPORT_RUNS
from pneumo_core.reporting.document import table_csv
from pneumo_core.reporting.reference_blocks import parameters_table, report_table
from tests.pages.opening import texts
from tests.pages.ui.finished_runs import finish
from tests.waiting import app_test

ROOT = Path(__file__).resolve().parents[4]
GAN_RUN = "dcgan-0123456789ab"


def opened(*runs: str) -> AppTest:
    """The panel with these runs in the address."""

    def section() -> None:
        from pages.ui.report.figures import figures_panel

        figures_panel()

    page = app_test(section)
    if runs:
        page.query_params["ours"] = ",".join(runs)
    page.run()
    assert not page.exception
    return page


@pytest.fixture
def original(no_published: Path) -> str:
    return finish(preset_config(Architecture.BASELINE, Preset.REPORT))


def test_a_run_stands_beside_its_training_of_the_report(original: str) -> None:
    page = opened(original)
    figures, others = (frame.value for frame in page.dataframe)
    assert figures["figure"].tolist()[:2] == ["accuracy", "precision 0"]
    assert figures["report"].tolist()[:2] == ["0.90", "0.95"]
    assert figures["figure"].iloc[-1] == "loss"
    ours = dict(zip(others["number"], others["ours"], strict=True))
    assert (ours["support 0"], ours["support 1"], ours["support"]) == ("20", "40", "60")
    assert int(ours["true 0"]) + int(ours["false 1"]) == 20
    said = texts(page)
    assert "Baseline CNN, original images" in said
    assert "test (epoch chosen on it)" in said
    assert "n = 60 test images" in said
    assert "Ours did the same, so both are optimistic" in said
    assert [table.value["equal"].tolist() for table in page.table] == [["yes"] * 3]
    assert len(page.get("download_button")) == 1


def test_a_balanced_run_stands_beside_the_balanced_training(no_published: Path) -> None:
    page = opened(finish(preset_config(Architecture.BASELINE, Preset.SOUND, balance=Balance.GAN, gan_run=GAN_RUN)))
    figures = page.dataframe[0].value
    assert figures["report"].iloc[0] == "0.88"
    assert set(figures["place"]) == {"section 5, Figure 9"}
    said = texts(page)
    assert "original and generated images" in said
    assert "Ours selected everything on patients held out of training" in said


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


def test_original_baseline_runs_of_the_reports_procedure_come_first(original: str) -> None:
    finish(preset_config(Architecture.VGG16, Preset.REPORT))
    finish(preset_config(Architecture.BASELINE, Preset.SOUND))
    page = opened()
    assert page.selectbox[0].value == (original,)
    assert len(page.selectbox[0].options) == 3


@pytest.mark.parametrize("arm", [Balance.CLASS_WEIGHT, Balance.OVERSAMPLE])
def test_an_arm_that_the_report_has_not_is_not_offered(original: str, arm: Balance) -> None:
    finish(preset_config(Architecture.BASELINE, Preset.REPORT, balance=arm))
    assert len(opened().selectbox[0].options) == 1


def test_phantoms_have_no_counterpart(no_published: Path) -> None:
    finish(preset_config(Architecture.BASELINE, Preset.REPORT), is_phantom=True)
    page = app_test(ROOT / "app.py")
    page.query_params["show"] = "Its figures beside ours"
    page.switch_page("pages/report.py").run()
    (info,) = page.info
    assert "Train one on X-rays" in info.value
    assert not page.dataframe


def test_a_group_of_seeds_is_a_mean_and_has_no_one_confusion_matrix(original: str) -> None:
    page = opened(original, finish(preset_config(Architecture.BASELINE, Preset.REPORT, seed=1)))
    assert "n = 60 test images, mean of 2 runs" in texts(page)
    others = page.dataframe[1].value
    assert others.loc[others["number"] == "true 0", "ours"].tolist() == [""]
