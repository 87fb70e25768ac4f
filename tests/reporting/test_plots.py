"""What figures show, read back from Matplotlib's own objects, against numbers computed anew."""

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pages.ui import charts
from pneumo_core.evaluation.comparison import Comparison
from pneumo_core.evaluation.curves import probability_bins
from pneumo_core.evaluation.metrics import RocCurve
from pneumo_core.evaluation.operating import DecisionCurve
from pneumo_core.evaluation.significance import SeedDifference
from pneumo_core.records import Estimate, Label, Metric, NotApplicable
from pneumo_core.reporting import plots
from pneumo_core.reporting.drawing import svg
from pneumo_core.reporting.study_document import Compared
from tests.reporting.conftest import HOSTILE

DRAWN: list[Callable[[Comparison], Figure]] = [
    plots.roc,
    plots.pr,
    plots.reliability,
    plots.confusions,
    plots.forest,
    plots.seeds,
    plots.probabilities,
]


def measured_curves(compared: Compared) -> tuple[list[DecisionCurve | NotApplicable], ...]:
    sides = (compared.facts_a, compared.facts_b)
    return tuple([run.on_split.decision_curve for run in facts if run.on_split] for facts in sides)


def texts(figure: Figure) -> set[str]:
    return {text.get_text() for axes in figure.axes for text in axes.texts}


def test_colors_are_those_of_the_pages() -> None:
    assert plots.COLORS == charts.COLORS


@pytest.mark.parametrize("draw", DRAWN)
def test_every_figure_is_drawn_of_any_comparison(
    draw: Callable[[Comparison], Figure], make_compared: Callable[..., Compared], three_runs: Compared
) -> None:
    one_class = make_compared(1, (HOSTILE, "$"), n=6, pneumonia=1.0).comparison
    assert isinstance(one_class.a.roc[0], NotApplicable)
    for comparison in (three_runs.comparison, one_class):
        assert b"<svg" in svg(lambda comparison=comparison: draw(comparison))  # type: ignore[misc]
    assert b"<svg" in svg(lambda: plots.decision_curve(three_runs.comparison, measured_curves(three_runs)))


def test_roc_is_the_curve_with_its_operating_points(three_runs: Compared) -> None:
    comparison = three_runs.comparison
    lines = plots.roc(comparison).axes[0].lines
    curves = [curve for side in (comparison.a, comparison.b) for curve in side.roc if isinstance(curve, RocCurve)]
    counts = [one for side in (comparison.a, comparison.b) for one in side.confusions]
    assert len(lines) == 1 + 2 * len(curves) == 13
    colors, styles = [[of(line) for line in lines[1:]] for of in (Line2D.get_color, Line2D.get_linestyle)]
    assert [*map(len, map(set, (colors[:6], colors[6:])))] == [1, 1]
    assert colors[0] != colors[6]
    assert (styles[0], styles[6]) == ("--", "-")
    for curve, one, line, point in zip(curves, counts, lines[1::2], lines[2::2], strict=True):
        assert line.get_xydata().tolist() == list(map(list, zip(curve.fpr, curve.tpr, strict=True)))
        assert point.get_xydata().tolist() == [[one.fp / (one.fp + one.tn), one.tp / (one.fn + one.tp)]]


def test_legends_name_each_side_once_with_its_mean(three_runs: Compared) -> None:
    a, b = three_runs.comparison.a, three_runs.comparison.b
    means = [side.figures[Metric.AUROC] for side in (a, b)]
    shown = [f"{side.name}, 3 runs, AUROC {mean.value:.3f}" for side, mean in zip((a, b), means, strict=True)]  # type: ignore[union-attr]
    assert plots.roc(three_runs.comparison).axes[0].get_legend_handles_labels()[1] == ["chance", *shown]
    figure = plots.decision_curve(three_runs.comparison, measured_curves(three_runs))
    sides = [f"{side.name}, 3 runs" for side in (a, b)]
    assert figure.axes[0].get_legend_handles_labels()[1] == ["treat all", "treat none", *sides]


def test_confusion_matrices_show_the_counts(one_run: Compared) -> None:
    comparison = one_run.comparison
    figure = plots.confusions(comparison)
    for axes, side in zip(figure.axes, (comparison.a, comparison.b), strict=True):
        counts = side.confusions[0]
        shown = {
            (int(x), int(y)): int(text.get_text().split("\n")[0])
            for text in axes.texts
            for x, y in [text.get_position()]
        }
        assert shown == {(0, 0): counts.tn, (1, 0): counts.fp, (0, 1): counts.fn, (1, 1): counts.tp}


def test_forest_shows_each_difference_with_its_interval(three_runs: Compared) -> None:
    differences = three_runs.comparison.differences
    shares, others = plots.forest(three_runs.comparison).axes
    shown = []
    for axes, scale in ((shares, 100), (others, 1)):
        for bars in axes.containers:
            ((low, _), (high, _)) = bars.lines[2][0].get_segments()[0].tolist()
            shown.append((low / scale, bars.lines[0].get_xdata()[0] / scale, high / scale))
    expected = [differences[metric].estimate for metric in Metric]
    assert len(shown) == len(expected)
    for (low, value, high), estimate in zip(shown, expected, strict=True):
        assert isinstance(estimate, Estimate)
        assert (low, value, high) == pytest.approx((estimate.low, estimate.value, estimate.high))
    assert {bars.lines[0].get_color() for axes in (shares, others) for bars in axes.containers} == {"#64748B"}
    thin = [
        (line.get_segments()[0][0][0] / scale, line.get_segments()[0][1][0] / scale)
        for axes, scale in ((shares, 100), (others, 1))
        for line in axes.collections
        if line.get_linewidth()[0] == 0.8
    ]
    over = [three_runs.comparison.seeds[metric] for metric in Metric]
    assert thin == [pytest.approx((one.low, one.high)) for one in over if isinstance(one, SeedDifference)]
    assert len(thin) == len(Metric)


def test_histogram_holds_each_image_once(one_run: Compared) -> None:
    side = one_run.comparison.a
    bars = [bar.get_height() for bar in plots.probabilities(one_run.comparison).axes[0].patches]
    assert sum(bars) == pytest.approx(side.n)
    assert sum(bars[len(bars) // 2 :]) == pytest.approx(side.n_pneumonia)


def test_histogram_has_the_bins_of_the_page(three_runs: Compared) -> None:
    for axes, side in zip(
        plots.probabilities(three_runs.comparison).axes, (three_runs.comparison.a, three_runs.comparison.b), strict=True
    ):
        bins = probability_bins(side.histograms)
        for label, bars in zip(Label, axes.containers, strict=True):
            assert [bar.get_height() for bar in bars] == pytest.approx(bins[label.name].tolist())
            assert all(low < bar.get_x() < high for bar, low, high in zip(bars, bins["from"], bins["to"], strict=True))


def test_dots_are_the_accuracies_of_the_runs(three_runs: Compared) -> None:
    comparison = three_runs.comparison
    lines = [line for line in plots.seeds(comparison).axes[0].lines if len(line.get_xdata()) == 3]
    for line, side in zip(lines, (comparison.a, comparison.b), strict=True):
        assert np.mean(line.get_xdata()) == pytest.approx(100 * side.figures[Metric.ACCURACY].value)  # type: ignore[union-attr]


def test_decision_curves_are_those_that_were_measured(three_runs: Compared) -> None:
    curves = measured_curves(three_runs)
    lines = list(plots.decision_curve(three_runs.comparison, curves).axes[0].lines)[2:]
    for line, curve in zip(lines, (curve for of_side in curves for curve in of_side), strict=True):
        assert isinstance(curve, DecisionCurve)
        assert line.get_xydata().tolist() == list(map(list, zip(curve.threshold, curve.model, strict=True)))  # type: ignore[union-attr]


def test_history_shows_each_epoch_of_each_run(three_runs: Compared) -> None:
    figure = plots.history("A", three_runs.facts_a)
    assert all(len(axes.lines) == 2 * 3 for axes in figure.axes)
    assert all(axes.get_legend_handles_labels()[1] == ["training", "held-out"] for axes in figure.axes)
    assert figure.axes[0].lines[0].get_xydata().tolist() == [[1, 1.0], [2, 0.5], [3, pytest.approx(1 / 3)]]
