"""Charts of a comparison say what its numbers say, each counted again slowly or by scikit-learn."""

from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, classification_report, log_loss, roc_auc_score

from pages.ui import charts
from pages.ui.compare.charts import pr_overlay, roc_overlay
from pages.ui.compare.forest import FOREST, forest, seed_dots
from pages.ui.compare.histories import histories, histories_caption
from pages.ui.compare.reliability import reliability_overlay
from pneumo_core.evaluation.compare import compare
from pneumo_core.evaluation.comparison import Comparison, Evidence
from pneumo_core.evaluation.curves import (
    forest_points,
    history_points,
    pr_points,
    reliability_points,
    roc_points,
    seed_points,
)
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.verdict import figure_p
from pneumo_core.evaluation.wording import NAMES
from pneumo_core.records import Estimate, Metric, NotApplicable, Split

N = 80


def evidence(run_id: str, seed: int, shift: float, labels: list[int] | None = None) -> Evidence:
    rng = np.random.default_rng(10 * seed + int(10 * shift))
    y_true = np.resize([0, 1, 1], N) if labels is None else np.array(labels)
    ids = [f"test/{number:03}.jpeg" for number in range(len(y_true))]
    frame = pd.DataFrame(
        {
            "image_id": ids,
            "patient_id": [f"p{number // 2}" for number in range(len(y_true))],
            "label": y_true,
            "subtype": "none",
            # Rounded, so that some are equal.
            "logit": (rng.normal(size=len(y_true)) + (1 + shift) * (2 * y_true - 1)).round(1),
        }
    )
    return Evidence(run_id, seed, 0.4, False, frame)


A, B = [evidence(f"a{seed}", seed, 0.0) for seed in range(3)], [evidence(f"b{seed}", seed, 0.5) for seed in range(2)]


def compared(a: list[Evidence], b: list[Evidence]) -> Comparison:
    return compare(a, b, split=Split.TEST, names=("left", "right"), replicates=200)


@pytest.fixture(scope="module")
def groups() -> Comparison:
    return compared(A, B)


@pytest.fixture(scope="module")
def single() -> Comparison:
    return compared(A[:1], B[:1])


def lines(figure: go.Figure, letter: str) -> list[go.Scatter]:
    return [trace for trace in figure.data if trace.mode == "lines" and trace.legendgroup == letter]


def truth(run: Evidence) -> tuple[np.ndarray, np.ndarray]:
    return run.predictions["label"].to_numpy(), run.predictions["logit"].to_numpy()


@pytest.mark.parametrize("metric", list(Metric))
def test_values_of_the_runs_are_scikit_learns(groups: Comparison, metric: Metric) -> None:
    for run, value in zip(A, groups.a.values[metric], strict=True):
        labels, logits = truth(run)
        values = probability(logits)
        report = classification_report(
            labels, (values >= 0.4).astype(int), target_names=["normal", "pneumonia"], output_dict=True
        )
        column = {"precision": "precision", "recall": "recall", "f1": "f1-score"}
        theirs = {
            "accuracy": report["accuracy"],
            "sensitivity": report["pneumonia"]["recall"],
            "specificity": report["normal"]["recall"],
            "ppv": report["pneumonia"]["precision"],
            "npv": report["normal"]["precision"],
            "f1_normal": report["normal"]["f1-score"],
            "f1_pneumonia": report["pneumonia"]["f1-score"],
            "auroc": roc_auc_score(labels, logits),
            "auprc": average_precision_score(labels, logits),
            "brier": brier_score_loss(labels, values),
            "log_loss": log_loss(labels, values),
        } | {f"{kind}_{name}": report[f"{kind} avg"][column[name]] for kind in ("macro", "weighted") for name in column}
        assert value == pytest.approx(theirs[metric.value])


def test_their_mean_is_the_sides_figure(groups: Comparison) -> None:
    for metric in Metric:
        assert np.mean(groups.b.values[metric]) == pytest.approx(groups.b.figures[metric].value)


def test_every_run_has_its_curve_and_each_side_one_legend_entry(groups: Comparison) -> None:
    for figure in (roc_overlay(groups), pr_overlay(groups)):
        assert [len(lines(figure, letter)) for letter in "AB"] == [3, 2]
        for letter, color in (("A", charts.SIDE_A), ("B", charts.SIDE_B)):
            mine = lines(figure, letter)
            assert [trace.showlegend for trace in mine] == [True] + [False] * (len(mine) - 1)
            assert {trace.line.color for trace in mine} == {color}
        assert {trace.line.dash for trace in lines(figure, "A")} != {trace.line.dash for trace in lines(figure, "B")}
    areas = [np.trapezoid(trace.y, trace.x) for trace in lines(roc_overlay(groups), "B")]
    assert areas == pytest.approx([roc_auc_score(*truth(run)) for run in B])


def test_operating_points_are_the_counted_rates(groups: Comparison, single: Comparison) -> None:
    for comparison, runs in ((groups, A), (single, A[:1])):
        roc, pr = (
            next(trace for trace in figure.data if trace.name.startswith("A: operating"))
            for figure in (roc_overlay(comparison), pr_overlay(comparison))
        )
        for place, run in enumerate(runs):
            labels, logits = truth(run)
            called = probability(logits) >= 0.4
            assert roc.x[place] == pytest.approx(called[labels == 0].mean())
            assert roc.y[place] == pr.x[place] == pytest.approx(called[labels == 1].mean())
            assert pr.y[place] == pytest.approx(labels[called].mean())
        assert (roc.error_x.array is None) == (len(runs) > 1), "an interval is one run's"
    rate = single.a.figures[Metric.SPECIFICITY]
    roc = next(trace for trace in roc_overlay(single).data if trace.name.startswith("A: operating"))
    assert roc.x[0] + roc.error_x.array[0] == pytest.approx(1 - rate.low)
    assert roc.x[0] - roc.error_x.arrayminus[0] == pytest.approx(1 - rate.high)


def test_tables_of_curves_hold_every_point(groups: Comparison) -> None:
    roc, pr = roc_points(groups), pr_points(groups)
    assert list(roc["run"].unique()) == list(pr["run"].unique()) == ["a0", "a1", "a2", "b0", "b1"]
    mine = roc[roc["run"] == "b1"]
    assert np.trapezoid(mine["sensitivity"], mine["1 - specificity"]) == pytest.approx(roc_auc_score(*truth(B[1])))


def test_reliability_counts_every_image_once(groups: Comparison) -> None:
    table = reliability_points(groups)
    assert table.groupby("run")["images"].sum().to_dict() == dict.fromkeys(["a0", "a1", "a2", "b0", "b1"], N)
    for _, row in table[table["run"] == "a1"].iterrows():
        labels, logits = truth(A[1])
        values = probability(logits)
        inside = [n for n, v in enumerate(values) if row["from"] <= v < row["to"] or (row["to"] == 1 and v == 1)]
        assert row["images"] == len(inside)
        if inside:
            assert row["share PNEUMONIA"] == pytest.approx(np.mean(labels[inside]))
            assert row["mean probability"] == pytest.approx(np.mean(values[inside]))
        else:
            assert row[["share PNEUMONIA", "low", "high"]].isna().all()
    bars = [trace for trace in reliability_overlay(groups).data if trace.type == "bar"]
    assert [sum(trace.y) for trace in bars] == pytest.approx([N, N]), "a mean over the runs"


def test_the_forest_holds_the_differences_in_points_and_as_they_are(groups: Comparison, single: Comparison) -> None:
    figure = forest(groups)
    patients = [trace for trace in figure.data if trace.name == "over patients (95 %)"]
    shown = dict(zip(FOREST, [value for trace in patients for value in trace.x], strict=True))
    for metric, value in shown.items():
        scale = 1 if metric in {Metric.AUROC, Metric.AUPRC, Metric.BRIER} else 100
        assert value == pytest.approx(scale * groups.differences[metric].estimate.value)
    estimate = groups.differences[Metric.ACCURACY].estimate
    assert patients[0].x[0] + patients[0].error_x.array[0] == pytest.approx(100 * estimate.high)
    assert patients[0].x[0] - patients[0].error_x.arrayminus[0] == pytest.approx(100 * estimate.low)
    assert {trace.name for trace in figure.data} == {"over patients (95 %)", "over seeds (95 %)"}
    assert {trace.name for trace in forest(single).data} == {"over patients (95 %)"}
    assert [shape.x0 for shape in figure.layout.shapes] == [0, 0]


def test_an_interval_over_seeds_cannot_squeeze_those_over_patients(groups: Comparison) -> None:
    wide = replace(groups.seeds[Metric.ACCURACY], low=-0.99, high=0.99)
    axis = forest(replace(groups, seeds={**groups.seeds, Metric.ACCURACY: wide})).layout.xaxis
    shares = [groups.differences[metric].estimate for metric in FOREST[:6]]
    widest = 100 * max(max(abs(share.low), abs(share.high)) for share in shares)
    assert axis.range == pytest.approx((-3.15 * widest, 3.15 * widest))
    assert axis.range[1] < 99
    assert "continue beyond it" in axis.title.text


def test_the_forests_table_tells_why_a_number_is_missing(single: Comparison) -> None:
    table = forest_points(single).set_index("figure")
    assert len(table) == len(Metric)
    assert table.loc["AUROC", "B - A"] == pytest.approx(single.differences[Metric.AUROC].estimate.value)
    assert table["over seeds"].isna().all()
    assert (table["over seeds not applicable"] != "").all()


def test_the_forests_table_has_both_intervals(groups: Comparison) -> None:
    table = forest_points(groups)
    over_seeds = ["over seeds", "seeds low", "seeds high"]
    reasons = ["not applicable", "over seeds not applicable"]
    assert list(table) == ["figure", "B - A", "low", "high", "p", "n", *over_seeds, *reasons]
    seeds = groups.seeds[Metric.ACCURACY]
    row = table.set_index("figure").loc["Accuracy"]
    assert row[over_seeds].tolist() == [seeds.value, seeds.low, seeds.high]
    assert row["p"] == figure_p(groups, Metric.ACCURACY)


def test_dots_are_the_runs_and_the_means_lie_below(groups: Comparison) -> None:
    figure = seed_dots(groups, Metric.ACCURACY)
    dots = {trace.name: trace for trace in figure.data if trace.name.endswith("runs")}
    table = seed_points(groups, Metric.ACCURACY)
    for letter in "AB":
        mine = table[table["side"] == letter][NAMES[Metric.ACCURACY]]
        assert dots[f"{letter}: runs"].x == pytest.approx(100 * mine)
    spread = next(trace for trace in figure.data if trace.name == "B: mean, over seeds (95 %)")
    assert spread.x[0] == pytest.approx(100 * np.mean(groups.b.values[Metric.ACCURACY]))
    assert spread.x[0] + spread.error_x.array[0] == pytest.approx(100 * groups.b.spread[Metric.ACCURACY].high)


def test_one_class_alone_gives_a_reason_and_what_can_be_drawn() -> None:
    healthy = compared([evidence("a", 0, 0.0, [0] * 20)], [evidence("b", 0, 0.5, [0] * 20)])
    for draw in (roc_overlay, pr_overlay, lambda comparison: seed_dots(comparison, Metric.AUROC)):
        found = draw(healthy)
        assert isinstance(found, NotApplicable)
        assert "PNEUMONIA" in found.reason
    assert roc_points(healthy).empty
    assert isinstance(reliability_overlay(healthy), go.Figure)
    names = {name for axis in (forest(healthy).layout.yaxis, forest(healthy).layout.yaxis2) for name in axis.ticktext}
    assert "Specificity" in names
    assert not names & {"Sensitivity", "AUROC"}


def test_a_forest_without_any_interval_gives_its_reason(single: Comparison) -> None:
    gone = {
        metric: replace(found, estimate=NotApplicable("one patient")) for metric, found in single.differences.items()
    }
    assert forest(replace(single, differences=gone)) == NotApplicable("one patient")
    assert isinstance(single.differences[Metric.ACCURACY].estimate, Estimate)


def epochs(*losses: float) -> list[dict[str, object]]:
    row = {"kind": "epoch", "loss": 1.0, "accuracy": 0.5, "val_accuracy": 0.6, "learning_rate": 1e-3}
    return [{**row, "epoch": epoch, "val_loss": loss} for epoch, loss in enumerate(losses)]


def test_histories_mark_where_each_run_kept_its_weights() -> None:
    figure = histories(epochs(0.9, 0.4, 0.7), epochs(0.8, 0.6), ("left", "right"))
    stars = {trace.name: trace for trace in figure.data if trace.marker.symbol == "star" and trace.showlegend}
    assert (stars["A: weights kept"].x[0], stars["A: weights kept"].y[0]) == (2, 0.4)
    assert (stars["B: weights kept"].x[0], stars["B: weights kept"].y[0]) == (2, 0.6)
    validation = next(trace for trace in figure.data if trace.name == "A: left, held-out")
    assert list(validation.y) == [0.9, 0.4, 0.7]
    assert len(history_points(epochs(0.9, 0.4, 0.7), epochs(0.8, 0.6))) == 5


def test_histories_without_an_epoch_give_a_reason_and_with_one_side_that_side() -> None:
    assert isinstance(histories([], [], ("left", "right")), NotApplicable)
    assert isinstance(histories([], epochs(0.5), ("left", "right")), go.Figure)


@pytest.mark.parametrize(
    ("selected", "words"), [((True, True), "In both runs"), ((True, False), "In A"), ((False, True), "In B")]
)
def test_the_caption_says_whose_validation_was_the_test_set(selected: tuple[bool, bool], words: str) -> None:
    assert f"{words} the validation images were the test images" in histories_caption(selected)
    assert "were the test images" not in histories_caption((False, False))
