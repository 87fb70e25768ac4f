"""Tables hold what the report and the predictions hold, each against a slow or an independent second way."""

import csv
import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import classification_report

from pages.ui import tables
from pneumo_core.config.classifier import OperatingRule, Preset
from pneumo_core.config.presets import preset_config
from pneumo_core.evaluation.report import EvaluationReport, evaluate
from pneumo_core.jobs.runs import RunView
from pneumo_core.records import Architecture, Label, RunState, Split
from pneumo_core.runs.store import run_directory
from pneumo_core.runs.submission import RunData


def predictions(rng: np.random.Generator, splits: tuple[str, ...] = ("val", "test"), n: int = 40) -> pd.DataFrame:
    frames = []
    for split in splits:
        labels = np.resize([0, 1, 1], n)
        frames.append(
            pd.DataFrame(
                {
                    "image_id": [f"{split}/{number:03}.jpeg" for number in range(n)],
                    "patient_id": [f"{split}-{number // 2}" for number in range(n)],
                    "split": split,
                    "label": labels,
                    "subtype": np.where(labels == 1, "virus", "none"),
                    "logit": rng.normal(size=n) + labels,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def evidence() -> pd.DataFrame:
    return predictions(np.random.default_rng(0))


def report_on(frame: pd.DataFrame, rule: OperatingRule, *, selected_on_test: bool = False) -> EvaluationReport:
    return evaluate(frame, run_id="baseline-0", rule=rule, selected_on_test=selected_on_test)


def test_the_classification_table_is_scikit_learns(evidence: pd.DataFrame) -> None:
    report = report_on(evidence, OperatingRule.HALF)
    frame = tables.table_frame(report.splits[Split.TEST].table)
    test = evidence[evidence["split"] == "test"]
    theirs = classification_report(
        test["label"], (test["logit"] >= 0).astype(int), target_names=[label.name for label in Label], output_dict=True
    )
    assert list(frame.index) == ["NORMAL", "PNEUMONIA", "accuracy", "macro avg", "weighted avg"]
    for name in ("NORMAL", "PNEUMONIA", "macro avg", "weighted avg"):
        for column in ("precision", "recall", "f1-score"):
            assert frame.loc[name, column] == f"{theirs[name][column]:.2f}"
        assert frame.loc[name, "support"] == f"{theirs[name]['support']:.0f}"
    assert frame.loc["accuracy"].tolist() == ["", "", f"{theirs['accuracy']:.2f}", "40"]


def test_a_class_that_is_never_called_has_no_precision_and_no_zero(evidence: pd.DataFrame) -> None:
    report = report_on(evidence.assign(logit=1.0), OperatingRule.HALF)
    rows = report.splits[Split.TEST].table
    frame = tables.table_frame(rows)
    assert frame.loc["NORMAL", "precision"] == frame.loc["macro avg", "precision"] == "n/a"
    assert frame.loc["NORMAL", "recall"] == "0.00"
    assert next(csv.DictReader(io.StringIO(tables.table_csv(rows))))["precision"] == ""


def test_the_classification_csv_keeps_every_digit(evidence: pd.DataFrame) -> None:
    rows = report_on(evidence, OperatingRule.HALF).splits[Split.TEST].table
    read = list(csv.DictReader(io.StringIO(tables.table_csv(rows))))
    assert [(entry["name"], float(entry["f1"]), int(entry["support"])) for entry in read] == [
        (row.name, row.f1, row.support) for row in rows
    ]
    assert read[2]["precision"] == "", "the accuracy has one value"


@given(
    images=st.lists(st.tuples(st.integers(0, 1), st.integers(-3, 3)), min_size=1, max_size=30),
    threshold=st.sampled_from([0.0, 0.05, 0.3, 0.5, 0.9]),
)
def test_images_come_misclassified_first_then_by_error_then_by_name(
    images: list[tuple[int, int]], threshold: float
) -> None:
    labels = [label for label, _ in images]
    # Half a step apart, so that the two classes' errors are never equal but for the last digit.
    logits = [place + 0.5 * label for label, place in images]
    frame = pd.DataFrame(
        {
            "image_id": [f"i{number:02}" for number in range(len(images))],
            "patient_id": "p",
            "split": "test",
            "label": labels,
            "subtype": "none",
            "logit": np.array(logits, dtype=np.float32),
        }
    )
    expected = []
    for image_id, label, logit in zip(frame["image_id"], labels, logits, strict=True):
        value = 1 / (1 + np.exp(-float(logit)))
        called = int(value >= threshold)
        verdict = "right" if called == label else "false alarm" if called else "missed"
        expected.append((verdict == "right", -abs(value - label), image_id, verdict))
    ranked = tables.by_error(tables.with_probability(frame, threshold))
    expected.sort()
    assert ranked["image"].tolist() == [entry[2] for entry in expected]
    assert ranked["verdict"].tolist() == [entry[3] for entry in expected]
    assert ranked["error"].tolist() == pytest.approx([-entry[1] for entry in expected])


def test_misclassified_images_are_those_of_the_confusion_matrix(evidence: pd.DataFrame) -> None:
    report = report_on(evidence, OperatingRule.YOUDEN)
    predicted = tables.with_probability(evidence, report.operating_point.threshold)
    for split, part in report.splits.items():
        verdicts = tables.by_error(predicted[predicted["split"] == split.value])["verdict"].value_counts()
        assert verdicts.get("false alarm", 0) == part.confusion.fp
        assert verdicts.get("missed", 0) == part.confusion.fn


def test_every_figure_of_every_split_is_there_with_its_interval_and_n(evidence: pd.DataFrame) -> None:
    report = report_on(evidence, OperatingRule.HALF, selected_on_test=True)
    frame = tables.figures_frame(report)
    assert len(frame) == 2 * 9
    row = frame[(frame["split"] == "test, selected on test") & (frame["figure"] == "Sensitivity")].iloc[0]
    estimate = report.splits[Split.TEST].sensitivity
    assert (row["value"], row["low"], row["high"], row["n"]) == (
        estimate.value,
        estimate.low,
        estimate.high,
        estimate.n,
    )


def test_what_is_not_applicable_keeps_its_reason(evidence: pd.DataFrame) -> None:
    normal = evidence[(evidence["split"] == "test") & (evidence["label"] == 0)]
    frame = tables.figures_frame(report_on(normal, OperatingRule.HALF)).set_index("figure")
    assert frame.loc["Sensitivity", "not applicable"] == "no image is PNEUMONIA"
    assert np.isnan(frame.loc["Sensitivity", "value"])
    assert pd.isna(frame.loc["Sensitivity", "n"])


@pytest.mark.parametrize(
    ("rule", "split", "columns"),
    [
        (OperatingRule.YOUDEN, Split.TEST, ["val, where it was chosen", "test"]),
        (OperatingRule.YOUDEN, Split.VAL, ["val, where it was chosen"]),
        (OperatingRule.HALF, Split.TEST, ["val", "test"]),
    ],
)
def test_the_operating_point_stands_where_it_was_chosen_and_here(
    evidence: pd.DataFrame, rule: OperatingRule, split: Split, columns: list[str]
) -> None:
    report = report_on(evidence, rule)
    frame = tables.point_frame(report, split)
    assert frame.columns.tolist() == columns
    here = report.splits[split].specificity
    assert frame.loc["Specificity", columns[-1]] == (
        f"{100 * here.value:.1f} % ({100 * here.low:.1f} to {100 * here.high:.1f}), n = {here.n}"
    )


@pytest.mark.parametrize(("kind", "second", "third"), [("roc", "tpr", "fpr"), ("pr", "recall", "precision")])
def test_curve_tables_are_the_curves(evidence: pd.DataFrame, kind: str, second: str, third: str) -> None:
    part = report_on(evidence, OperatingRule.HALF).splits[Split.TEST]
    frame, curve = tables.curve_frame(part, kind), getattr(part, kind)
    assert frame["threshold"].tolist() == list(curve.threshold)
    assert frame.iloc[:, 1].tolist() == list(getattr(curve, second))
    last = list(getattr(curve, third))
    assert frame.iloc[:, 2].tolist() == ([1 - rate for rate in last] if kind == "roc" else last)


def epoch(number: int, **values: Any) -> dict[str, Any]:
    return {"kind": "epoch", "epoch": number, "loss": 1.0, "accuracy": 0.5, **values}


def test_of_an_epoch_that_was_run_twice_the_last_counts() -> None:
    events = [
        epoch(0, val_loss=0.9),
        {"kind": "batch", "epoch": 1, "step": 3, "loss": 9.0},
        epoch(1, val_loss=0.1),
        epoch(1, val_loss=0.7),
        epoch(2, val_loss=0.8),
    ]
    frame = tables.epoch_table(events)
    assert frame["epoch"].tolist() == [1, 2, 3]
    assert frame["val_loss"].tolist() == [0.9, 0.7, 0.8]
    assert tables.best_epoch(frame) == 2


@given(st.lists(st.sampled_from([0.1, 0.2, 0.3, float("nan")]), max_size=8))
def test_the_best_epoch_is_the_first_that_a_loop_finds(losses: list[float]) -> None:
    best, kept = float("inf"), None
    for number, loss in enumerate(losses, start=1):
        if loss < best:
            best, kept = loss, number
    frame = tables.epoch_table([epoch(number, val_loss=loss) for number, loss in enumerate(losses)])
    assert tables.best_epoch(frame) == kept


def view(preset: Preset) -> RunView:
    return RunView(
        run_directory("baseline-0123456789ab"),
        RunState.SUCCEEDED,
        config=preset_config(Architecture.BASELINE, preset),
        data=RunData("abc", is_phantom=True),
    )


def test_facts_are_read_from_the_manifest() -> None:
    manifest = {
        "parameters": 5_677_329,
        "trainable_parameters": 5_676_881,
        "images": {"train": 5216, "val": 621, "test": 624},
        "seed": 0,
        "training_duration_s": 1234.5,
        "export_duration_s": 67.0,
        "first_epoch_of_last_session": 3,
        "peak_memory_bytes": 3 * 2**20,
        "device": {"backend": "tensorflow", "precision": "float32", "versions": {"keras": "3.15.1"}},
    }
    facts = dict(tables.facts_frame(view(Preset.REPORT), manifest).itertuples(index=False))
    assert facts["parameters"] == "5,677,329"
    assert facts["parameters trainable"] == "5,676,881"
    assert facts["parameters not trainable"] == "448"
    assert facts["export and prediction"] == "67 s"
    assert [facts[f"images in {split}"].partition(",")[0] for split in ("val", "test")] == ["621", "624"]
    assert facts["images in val"] == "621, the test images themselves"
    assert facts["data"] == "abc, phantoms"
    assert facts["training"] == "1,234 s (resumed after epoch 3; the last session)"
    assert facts["peak memory"] == "3 MiB"
    assert facts["keras"] == "3.15.1"
    assert facts["python"] == "not recorded"


def test_an_empty_manifest_makes_up_nothing() -> None:
    facts = dict(tables.facts_frame(view(Preset.SOUND), {}).itertuples(index=False))
    known = {"run", "data", "most epochs"}
    assert all("not recorded" in value for name, value in facts.items() if name not in known)
