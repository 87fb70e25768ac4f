"""The model card of a run."""

import html
from dataclasses import replace

import pytest

from pneumo_core.config.classifier import OperatingRule
from pneumo_core.data.patients import shared_words
from pneumo_core.evaluation.calibration import Calibration
from pneumo_core.evaluation.report import evaluate
from pneumo_core.evaluation.wording import line_text
from pneumo_core.records import Estimate, NotApplicable, SharedPatients
from pneumo_core.reporting.document import Document, Heading, Paragraph, tables
from pneumo_core.reporting.html import to_html
from pneumo_core.reporting.model_card import model_card
from pneumo_core.reporting.study_document import Compared
from pneumo_core.reporting.trust_tables import summary, trust_table
from tests.evaluation.test_trust import TRUST
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


@pytest.mark.parametrize(
    ("is_phantom", "images"), [(True, "phantoms, drawn by a program"), (False, "chest X-rays of children")]
)
def test_subtitle_tells_what_it_was_trained_on(one_run: Compared, is_phantom: bool, images: str) -> None:
    run = replace(one_run.facts_a[0], data={"is_phantom": is_phantom})
    report = evaluate(predictions(0), run_id="r", rule=OperatingRule.YOUDEN, selected_on_test=False)
    assert model_card(run, report).subtitle == f"VGG16, preset sound, trained on {images}"


def test_sections_are_those_of_the_paper(one_run: Compared) -> None:
    blocks = card(one_run).blocks
    assert [block.text for block in blocks if isinstance(block, Heading) and block.level == 1] == MITCHELL
    below = [Heading("Calibration", 2), Heading("Heat maps", 2)]
    assert [block for block in blocks if isinstance(block, Heading) and block.level > 1] == below


def test_heat_maps_are_named_with_their_tests_or_the_reason_why_not(one_run: Compared) -> None:
    report = evaluate(predictions(0), run_id="r", rule=OperatingRule.YOUDEN, selected_on_test=False)
    tested = model_card(replace(one_run.facts_a[0], trust=TRUST), report).blocks
    assert Paragraph(summary(TRUST)) in tested
    assert trust_table(TRUST) in tested
    without = model_card(replace(one_run.facts_a[0], trust=NotApplicable("it draws none")), report).blocks
    assert Paragraph("The heat maps are not tested: it draws none.") in without


@pytest.mark.parametrize(
    "found",
    [
        SharedPatients(patients=0, of_patients=208, pooled=159, of_pooled=177),
        SharedPatients(patients=3, of_patients=208, pooled=0, of_pooled=177),
        NotApplicable("its index is not here"),
    ],
)
def test_patients_of_test_that_train_has_too_are_told_as_on_the_dataset_page(
    one_run: Compared, found: SharedPatients | NotApplicable
) -> None:
    report = evaluate(predictions(0), run_id="r", rule=OperatingRule.YOUDEN, selected_on_test=False)
    document = model_card(replace(one_run.facts_a[0], shared_patients=found), report)
    assert Paragraph(shared_words(found)) in document.blocks


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


def test_every_figure_is_written_in_its_row(one_run: Compared) -> None:
    report = evaluate(predictions(0), run_id="r", rule=OperatingRule.YOUDEN, selected_on_test=False)
    for split, part in report.splits.items():
        (table,) = (one for one in tables(card(one_run)) if one.name == f"figures-{split.value}")
        counts = part.confusion
        assert len({counts.tn, counts.fp, counts.fn, counts.tp}) == 4
        assert f"TN {counts.tn}, FP {counts.fp}, FN {counts.fn}, TP {counts.tp};" in table.notes[0]
        shares = {"Accuracy": part.accuracy, "Sensitivity": part.sensitivity, "Specificity": part.specificity}
        shares |= {"PPV": part.ppv, "NPV": part.npv}
        scores = {"AUROC": part.auroc, "AUPRC": part.auprc, "Brier score": part.brier, "Log loss": part.log_loss}
        expected = []
        for name, one in {**shares, **scores}.items():
            assert isinstance(one, Estimate)
            value, interval = (
                (f"{100 * one.value:.1f} %", f"{100 * one.low:.1f} to {100 * one.high:.1f} %")
                if name in shares
                else (f"{one.value:.3f}", f"{one.low:.3f} to {one.high:.3f}")
            )
            expected.append((name, value, interval, str(one.n)))
        assert list(table.rows) == expected


def test_details_and_training_data_are_the_manifests(one_run: Compared) -> None:
    manifest = {
        "parameters": 4321,
        "trainable_parameters": 1234,
        "training_duration_s": 567.0,
        "export_duration_s": 89.0,
        "images": {"train": 11, "val": 22, "test": 33},
        "images_added": 44,
        "images_added_by": "dcgan-1",
        "device": {"kind": "cpu", "name": "processor", "precision": "float32", "versions": {"keras": "3.15.1"}},
        "files": {"model.onnx": "abc"},
    }
    run = replace(one_run.facts_a[0], manifest=manifest)
    report = evaluate(predictions(0), run_id="r", rule=OperatingRule.YOUDEN, selected_on_test=False)
    found = {table.name: dict(table.rows) for table in tables(model_card(run, report)) if len(table.columns) == 2}
    details, training = found["details"], found["training-data"]
    names = ("parameters", "trainable", "training", "device", "precision", "versions", "SHA-256 of model.onnx")
    told = ["4,321", "1,234", "9 min", "cpu: processor", "float32", "keras 3.15.1", "abc"]
    assert [details[name] for name in names] == told
    assert [training[f"images in {split}"] for split in ("train", "val", "test")] == ["11", "22", "33"]
    assert training["images added"] == "44, by dcgan-1"


def test_what_flatters_is_told(one_run: Compared) -> None:
    assert "selected on test" not in to_html(card(one_run)).lower()
    assert "Figures on split test (epoch chosen on it)" in to_html(card(one_run, selected_on_test=True))


def test_calibration_is_told_or_its_absence(one_run: Compared) -> None:
    calibration = one_run.facts_a[0].calibration
    assert isinstance(calibration, Calibration)
    assert html.escape(line_text(calibration.calibrator)) in to_html(card(one_run))
    bare = replace(one_run, facts_a=(replace(one_run.facts_a[0], calibration=NotApplicable("it has <none>")),))
    assert "Not calibrated: it has &lt;none&gt;." in to_html(card(bare))
