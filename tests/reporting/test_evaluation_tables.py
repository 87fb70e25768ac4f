"""One run's evaluation as tables, each cell against a slow or an independent second way."""

import csv
import io
from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import classification_report

from pages.ui.table import data_frame, text_frame
from pneumo_core.config.classifier import OperatingRule
from pneumo_core.evaluation.comparison import Side
from pneumo_core.evaluation.metrics import Confusion
from pneumo_core.evaluation.report import EvaluationReport, evaluate
from pneumo_core.records import Estimate, Label, Metric, NotApplicable, Split
from pneumo_core.reporting.document import Table, table_csv
from pneumo_core.reporting.evaluation_tables import (
    classification,
    confusion,
    every_figure,
    figures,
    mean_classification,
    operating_point,
    rates_on_test,
    right_on_test,
    wrong_on_test,
)
from tests.reporting.conftest import predictions


@pytest.fixture(scope="module")
def evidence() -> pd.DataFrame:
    return predictions(0, 40)


def report_on(frame: pd.DataFrame, rule: OperatingRule, *, selected_on_test: bool = False) -> EvaluationReport:
    return evaluate(frame, run_id="baseline-0", rule=rule, selected_on_test=selected_on_test)


def rows_frame(table: Table) -> pd.DataFrame:
    return text_frame(table).set_index(table.columns[0])


def estimate(value: float) -> Estimate:
    return Estimate(value, value - 0.01, value + 0.02, round(1000 * value))


def test_the_classification_table_is_scikit_learns(evidence: pd.DataFrame) -> None:
    report = report_on(evidence, OperatingRule.HALF)
    frame = rows_frame(classification(report.splits[Split.TEST].table, "table"))
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
    table = classification(rows, "table")
    frame = rows_frame(table)
    assert frame.loc["NORMAL", "precision"] == frame.loc["macro avg", "precision"] == "n/a"
    assert frame.loc["NORMAL", "recall"] == "0.00"
    assert next(csv.DictReader(io.StringIO(table_csv(table))))["precision"] == ""


def test_the_classification_csv_keeps_every_digit(evidence: pd.DataFrame) -> None:
    rows = report_on(evidence, OperatingRule.HALF).splits[Split.TEST].table
    read = list(csv.DictReader(io.StringIO(table_csv(classification(rows, "table")))))
    assert [(entry["name"], float(entry["f1"]), int(entry["support"])) for entry in read] == [
        (row.name, row.f1, row.support) for row in rows
    ]
    assert read[2]["precision"] == "", "the accuracy has one value"


def test_every_figure_of_every_split_is_there_with_its_interval_and_n(evidence: pd.DataFrame) -> None:
    report = report_on(evidence, OperatingRule.HALF, selected_on_test=True)
    table = every_figure(report)
    assert table.columns == ("split", "figure", "value")
    frame = data_frame(table)
    assert len(frame) == 2 * 9
    row = frame[(frame["split"] == "test (epoch chosen on it)") & (frame["figure"] == "Sensitivity")].iloc[0]
    estimate = report.splits[Split.TEST].sensitivity
    assert (row["value"], row["low"], row["high"], row["n"]) == (
        estimate.value,
        estimate.low,
        estimate.high,
        estimate.n,
    )


def test_what_is_not_applicable_keeps_its_reason(evidence: pd.DataFrame) -> None:
    normal = evidence[(evidence["split"] == "test") & (evidence["label"] == 0)]
    frame = data_frame(every_figure(report_on(normal, OperatingRule.HALF))).set_index("figure")
    assert frame.loc["Sensitivity", "not applicable"] == "no image is PNEUMONIA"
    assert np.isnan(frame.loc["Sensitivity", "value"])
    assert pd.isna(frame.loc["Sensitivity", "n"])


@pytest.mark.parametrize(
    ("rule", "split", "columns"),
    [
        (OperatingRule.YOUDEN, Split.TEST, ["val (epoch chosen on it)", "test"]),
        (OperatingRule.YOUDEN, Split.VAL, ["val (epoch chosen on it)", "test"]),
        (OperatingRule.HALF, Split.TEST, ["val (epoch chosen on it)", "test"]),
    ],
)
def test_the_operating_point_stands_where_it_was_chosen_and_here(
    evidence: pd.DataFrame, rule: OperatingRule, split: Split, columns: list[str]
) -> None:
    report = report_on(evidence, rule)
    frame = rows_frame(operating_point(report, split))
    assert frame.columns.tolist() == columns
    here = report.splits[split].specificity
    assert frame.loc["Specificity", columns[split is Split.TEST]] == (
        f"{100 * here.value:.1f} % ({100 * here.low:.1f} to {100 * here.high:.1f}), n = {here.n}"
    )


def test_the_confusion_matrix_has_the_called_class_in_columns() -> None:
    table = confusion(Confusion(tn=8, fp=2, fn=5, tp=15), "counts")
    frame = rows_frame(table)
    assert frame.index.tolist() == ["NORMAL", "PNEUMONIA"]
    assert frame["predicted NORMAL"].tolist() == ["8 (80.0 %)", "5 (25.0 %)"]
    assert frame["predicted PNEUMONIA"].tolist() == ["2 (20.0 %)", "15 (75.0 %)"]
    assert table.data is not None
    assert table.data.rows == (("NORMAL", 8, 2, 10), ("PNEUMONIA", 5, 15, 20))


def test_the_mean_of_several_runs_is_each_figure_in_its_place() -> None:
    figures: dict[Metric, Estimate | NotApplicable] = {
        metric: estimate(0.5 + place / 100) for place, metric in enumerate(Metric)
    }
    rows = {
        row.name: row
        for row in mean_classification(cast("Side", SimpleNamespace(figures=figures, n=30, n_pneumonia=19)))
    }

    def value(metric: Metric) -> float:
        return 0.5 + list(Metric).index(metric) / 100

    for name, precision, recall, f1, support in (
        ("NORMAL", Metric.NPV, Metric.SPECIFICITY, Metric.F1_NORMAL, 11),
        ("PNEUMONIA", Metric.PPV, Metric.SENSITIVITY, Metric.F1_PNEUMONIA, 19),
        ("macro avg", Metric.MACRO_PRECISION, Metric.MACRO_RECALL, Metric.MACRO_F1, 30),
        ("weighted avg", Metric.WEIGHTED_PRECISION, Metric.WEIGHTED_RECALL, Metric.WEIGHTED_F1, 30),
    ):
        row = rows[name]
        assert (row.precision, row.recall, row.f1, row.support) == (*map(value, (precision, recall, f1)), support)
    assert (rows["accuracy"].f1, rows["accuracy"].support) == (value(Metric.ACCURACY), 30)


def test_a_splits_figures_have_value_interval_and_n(evidence: pd.DataFrame) -> None:
    report = report_on(evidence, OperatingRule.HALF, selected_on_test=True)
    table, part = figures(report, Split.TEST), report.splits[Split.TEST]
    assert table.caption == "Figures on split test (epoch chosen on it)"
    assert table.columns == ("figure", "value", "95 % interval", "n")
    npv, counts = part.npv, part.confusion
    assert isinstance(npv, Estimate)
    ends = f"{100 * npv.low:.1f} to {100 * npv.high:.1f} %"
    assert table.rows[4] == ("NPV", f"{100 * npv.value:.1f} %", ends, f"{npv.n}")
    assert table.data is not None
    assert table.data.rows[4] == ("npv", npv.value, npv.low, npv.high, npv.n)
    assert table.notes[0].startswith(f"TN {counts.tn}, FP {counts.fp}, FN {counts.fn}, TP {counts.tp};")


@pytest.mark.parametrize("selected_on_test", [False, True])
def test_the_rates_on_test_are_told_with_interval_and_n(evidence: pd.DataFrame, selected_on_test: bool) -> None:
    report = report_on(evidence, OperatingRule.HALF, selected_on_test=selected_on_test)
    rows = evidence[evidence["split"] == "test"]
    called = 1 / (1 + np.exp(-rows["logit"].astype(float))) >= 0.5
    sick = rows["label"] == 1
    words = rates_on_test(report)
    assert words.startswith("on test (epoch chosen on it): " if selected_on_test else "on test: ")
    for name, right, of in (("sensitivity", called, sick), ("specificity", ~called, ~sick)):
        assert f"{name} {100 * right[of].mean():.1f} % (" in words
        assert f", n = {of.sum()}" in words
    part = report.splits[Split.TEST]
    assert f"({100 * part.specificity.low:.1f} to {100 * part.specificity.high:.1f})" in words


def test_right_and_wrong_on_test_are_counted_of_a_hundred(evidence: pd.DataFrame) -> None:
    report = report_on(evidence, OperatingRule.HALF)
    rows = evidence[evidence["split"] == "test"]
    called = 1 / (1 + np.exp(-rows["logit"].astype(float))) >= 0.5
    sick = rows["label"] == 1
    for label, answered, right in ((Label.PNEUMONIA, called, sick), (Label.NORMAL, ~called, ~sick)):
        words = right_on_test(report, label)
        assert words.startswith(
            f"When it reads {label.name}, it is right in {100 * right[answered].mean():.0f} of 100 ("
        )
        assert f"; n = {answered.sum()}) on test, where {100 * sick.mean():.0f} % have pneumonia." in words
    words = wrong_on_test(report)
    assert f"it misses {100 * (~called)[sick].mean():.0f} of 100 (" in words
    assert f"; n = {sick.sum()}) with pneumonia and it reads {100 * called[~sick].mean():.0f} of 100 (" in words
    none = report_on(
        evidence.assign(logit=np.where(evidence["split"] == "test", -9.0, evidence["logit"])), OperatingRule.HALF
    )
    assert "is unknown on test: no image" in right_on_test(none, Label.PNEUMONIA)


def test_a_run_without_test_images_says_so(evidence: pd.DataFrame) -> None:
    report = report_on(evidence[evidence["split"] == "val"], OperatingRule.HALF)
    assert rates_on_test(report) == "this run has no test figures"
    assert right_on_test(report, Label.NORMAL).startswith("This run has no test figures: ")
    assert wrong_on_test(report) == ""
