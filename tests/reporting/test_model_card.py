"""The model card of a run."""

from dataclasses import replace

from pneumo_core.config.classifier import OperatingRule
from pneumo_core.evaluation.calibration import Calibration
from pneumo_core.evaluation.report import evaluate
from pneumo_core.records import Estimate, NotApplicable
from pneumo_core.reporting.document import Document, Heading, tables
from pneumo_core.reporting.html import to_html
from pneumo_core.reporting.model_card import model_card
from pneumo_core.reporting.study_document import Compared
from tests.reporting.conftest import predictions

MITCHELL = [
    "Model details",
    "Intended use",
    "Factors",
    "Metrics",
    "Evaluation data",
    "Training data",
    "Quantitative analyses",
    "Ethical considerations",
    "Caveats and recommendations",
]


def card(one_run: Compared, *, selected_on_test: bool = False) -> Document:
    report = evaluate(predictions(0), run_id="r", rule=OperatingRule.YOUDEN, selected_on_test=selected_on_test)
    return model_card(one_run.facts_a[0], report)


def test_sections_are_those_of_the_paper(one_run: Compared) -> None:
    blocks = card(one_run).blocks
    assert [block.text for block in blocks if isinstance(block, Heading) and block.level == 1] == MITCHELL


def test_figures_are_the_reports(one_run: Compared) -> None:
    report = evaluate(predictions(0), run_id="r", rule=OperatingRule.YOUDEN, selected_on_test=False)
    document = model_card(one_run.facts_a[0], report)
    for split, part in report.splits.items():
        table = next(one for one in tables(document) if one.name == f"figures-{split.value}")
        assert table.data is not None
        rows = {row[0]: row[1:] for row in table.data.rows}
        for name in ("accuracy", "auroc", "log_loss"):
            estimate = getattr(part, name)
            assert isinstance(estimate, Estimate)
            assert rows[name] == (estimate.value, estimate.low, estimate.high, estimate.n)


def test_what_flatters_is_told(one_run: Compared) -> None:
    assert "selected on test" not in to_html(card(one_run)).lower()
    assert "Figures on split test, selected on test" in to_html(card(one_run, selected_on_test=True))


def test_calibration_is_told_or_its_absence(one_run: Compared) -> None:
    calibration = one_run.facts_a[0].calibration
    assert isinstance(calibration, Calibration)
    assert f"slope {calibration.calibrator.slope:.3f}" in to_html(card(one_run))
    bare = replace(one_run, facts_a=(replace(one_run.facts_a[0], calibration=NotApplicable("it has <none>")),))
    assert "Not calibrated: it has &lt;none&gt;." in to_html(card(bare))
