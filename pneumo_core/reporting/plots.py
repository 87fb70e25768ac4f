"""Figures of a comparison: values in, a Matplotlib figure out. A is drawn gray and dashed, B in color and solid."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pneumo_core.evaluation.curves import (
    epoch_points,
    forest_panels,
    lettered,
    pr_steps,
    probability_bins,
    reliability_bins,
    roc_point,
)
from pneumo_core.evaluation.metrics import PrCurve, RocCurve
from pneumo_core.evaluation.operating import GRID, DecisionCurve
from pneumo_core.evaluation.reliability import Reliability
from pneumo_core.evaluation.significance import Spread
from pneumo_core.evaluation.wording import NAMES, percent
from pneumo_core.records import Estimate, Label, Metric, NotApplicable
from pneumo_core.reporting.drawing import COLORS, drawable, ink
from pneumo_core.reporting.facts import RunFacts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pneumo_core.evaluation.comparison import Comparison, Side

_SIDES: Final = (("#64748B", "--"), ("#0E857B", "-"))
"""Color and line style of A and B, distinguishable without color too."""

_CHANCE: Final[dict[str, Any]] = {"color": "#9CA3AF", "linewidth": 1, "linestyle": ":"}
_WIDE: Final = 7.0
"""Inches: the width of the text on an A4 page."""
_HALF: Final = 3.5
"""Inches, of a figure with another one beside it."""


def roc(comparison: "Comparison") -> "Figure":
    """ROC curves of every run of both sides, with each run's operating point."""
    figure, axes = _square()
    axes.plot([0, 1], [0, 1], label="chance", **_CHANCE)
    for side, (color, line) in _sides(comparison):
        for curve, counts, label in zip(side.roc, side.confusions, _labels(side, Metric.AUROC), strict=True):
            if isinstance(curve, RocCurve) and (point := roc_point(counts)):
                axes.plot(curve.fpr, curve.tpr, line, color=color, linewidth=1.4, label=label)
                axes.plot(*point, "o" if line == "-" else "s", color=color, markeredgecolor="white", markersize=7)
    return _finished(figure, axes, "1 \N{MINUS SIGN} specificity", "sensitivity")


def pr(comparison: "Comparison") -> "Figure":
    """Precision-recall curves of every run of both sides, in steps, with the prevalence."""
    figure, axes = _square()
    share = comparison.a.n_pneumonia / comparison.a.n
    axes.axhline(share, label=f"chance: prevalence {share:.2f}", **_CHANCE)
    for side, (color, line) in _sides(comparison):
        for curve, label in zip(side.pr, _labels(side, Metric.AUPRC), strict=True):
            if isinstance(curve, PrCurve):
                steps = pr_steps(curve)
                axes.step(steps.recall, steps.precision, line, color=color, linewidth=1.4, label=label, where="pre")
    return _finished(figure, axes, "recall (sensitivity)", "precision (PPV)")


def reliability(comparison: "Comparison") -> "Figure":
    """Observed frequency of PNEUMONIA against the mean probability of each bin, and the number of images in the bins."""
    figure = _figure(_HALF, 3.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    upper.plot([0, 1], [0, 1], label="perfect", **_CHANCE)
    for place, (side, (color, line)) in enumerate(_sides(comparison)):
        found = [part for part in side.reliability if isinstance(part, Reliability)]
        for part, label in zip(found, _labels(side, None), strict=False):
            bins = reliability_bins(part)
            share, alone = bins["observed"], len(found) == 1
            ends = [share - bins["low"], bins["high"] - share] if alone else [0 * share, 0 * share]
            upper.errorbar(
                bins["mean probability"],
                share,
                ends,
                fmt=f"o{line}",
                color=color,
                markersize=4,
                linewidth=1.2,
                capsize=2,
                label=label,
            )
        if found:
            centers = np.array([(bin_.low + bin_.high) / 2 for bin_ in found[0].bins])
            width = (found[0].bins[0].high - found[0].bins[0].low) * 0.4
            counts = np.mean([[bin_.n for bin_ in part.bins] for part in found], axis=0)
            lower.bar(centers + (place - 0.5) * width, counts, width, color=color)
    upper.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel="observed frequency")
    lower.set(xlabel="probability of PNEUMONIA", ylabel="images")
    _legend_below(figure)
    return figure


def confusions(comparison: "Comparison") -> "Figure":
    """The confusion matrix of each side, for several runs their mean; the color shows the fraction of the true class."""
    from matplotlib.colors import LinearSegmentedColormap  # noqa: PLC0415  Only where a figure is drawn.
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    figure = _figure(_WIDE, 2.2)
    for axes, (letter, side) in zip(figure.subplots(1, 2), lettered(comparison), strict=True):
        tn, fp, fn, tp = np.mean([(one.tn, one.fp, one.fn, one.tp) for one in side.confusions], axis=0)
        rows = {Label.NORMAL: (tn, fp), Label.PNEUMONIA: (fn, tp)}
        for place, (label, counts) in enumerate(rows.items()):
            fade = LinearSegmentedColormap.from_list(label.name, ["#F1F5F9", COLORS[label]])
            for column, count in enumerate(counts):
                share = count / sum(counts) if sum(counts) else 0.0
                axes.add_patch(Rectangle((column - 0.48, place - 0.48), 0.96, 0.96, facecolor=fade(share)))
                of_row = percent(share) if sum(counts) else "no image"
                text = f"{count:,.0f}" if len(side.confusions) == 1 else f"{count:,.1f}"
                axes.text(column, place, f"{text}\n{of_row}", ha="center", va="center", color=ink(fade(share)[:3]))
        axes.set(xlim=(-0.5, 1.5), ylim=(1.5, -0.5), xticks=[0, 1], yticks=[0, 1], ylabel="labeled")
        axes.set_xticklabels([f"called\n{label.name}" for label in Label])
        axes.set_yticklabels([label.name for label in Label], rotation=90, va="center")
        runs = len(side.confusions)
        axes.set_title(
            _short(f"{letter}: {side.name}", 50) + (f"\nmean of {runs} runs" if runs > 1 else ""), fontsize=8
        )
        axes.grid(visible=False)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
    return figure


def forest(comparison: "Comparison") -> "Figure":
    """Difference of each figure with its interval over patients, and below it a thin bar, that over seeds where there is one.

    All have one color: an interval over patients that excludes 0 is not a claim by itself. Fractions left, scores right.
    """
    figure = _figure(_WIDE, 3.3)
    panels = zip(figure.subplots(1, 2, width_ratios=[3, 2]), forest_panels(comparison), (", points", ""), strict=True)
    style: dict[str, Any] = {"fmt": "o", "color": _SIDES[0][0], "capsize": 3, "markersize": 5}
    for axes, table, unit in panels:
        axes.axvline(0, color="#111827", linewidth=0.8)
        for place, row in enumerate(table.to_dict("records")):
            if np.isnan(value := row["B - A"]):
                axes.text(0, place, "n/a", va="center", ha="center", fontsize=8)
                continue
            axes.errorbar(value, place, xerr=[[value - row["low"]], [row["high"] - value]], **style)
            if not np.isnan(row["over seeds"]):
                axes.hlines(place + 0.28, row["seeds low"], row["seeds high"], color="#111827", linewidth=0.8)
        axes.set_yticks(range(len(table)), table["figure"])
        axes.set(ylim=(len(table) - 0.5, -0.5), xlabel=f"B \N{MINUS SIGN} A{unit}")
        axes.locator_params(axis="x", nbins=5 if unit else 3)
    return figure


def seeds(comparison: "Comparison") -> "Figure":
    """Accuracy of every run as a dot, with the mean over seeds and, for two or more, its t interval."""
    figure = _figure(_WIDE, 2.2)
    axes = figure.subplots()
    for place, (side, (color, _)) in enumerate(_sides(comparison)):
        values = [100 * (counts.tn + counts.tp) / counts.n for counts in side.confusions]
        spread = side.spread[Metric.ACCURACY]
        if isinstance(spread, Spread):
            ends = [[100 * (spread.mean - spread.low)], [100 * (spread.high - spread.mean)]]
            style: dict[str, Any] = {"fmt": "D", "color": color, "capsize": 4, "markersize": 6, "linewidth": 1.2}
            axes.errorbar(100 * spread.mean, place + 0.16, xerr=ends, **style)
        axes.plot(values, [place - 0.12] * len(values), "o", color=color, alpha=0.75, markersize=7)
    axes.set_yticks([0, 1], [_short(f"{letter}: {side.name}", 34) for letter, side in lettered(comparison)])
    axes.set(ylim=(1.5, -0.5), xlabel="accuracy, %: dots are runs, diamonds their mean over seeds")
    return figure


def history(name: str, facts: Sequence[RunFacts]) -> "Figure":
    """Loss and accuracy by epoch of each run of a side: training dotted, held-out images solid."""
    figure = _figure(_HALF, 3.2)
    for axes, value in zip(figure.subplots(2, 1, sharex=True), ("loss", "accuracy"), strict=True):
        for run in facts:
            points = epoch_points(run.events)
            for key, line, color, label in (
                (value, ":", "#64748B", "training"),
                (f"val_{value}", "-", "#0E857B", "held-out"),
            ):
                style = {"marker": ".", "markersize": 3, "color": color, "linewidth": 1.1}
                axes.plot(points["epoch"], points[key], line, label=label if run is facts[0] else "_", **style)
        axes.set_ylabel(value)
        axes.xaxis.get_major_locator().set_params(integer=True)
    figure.axes[-1].set_xlabel("epoch")
    figure.axes[0].legend()
    figure.suptitle(_short(name, 50), fontsize=8)
    return figure


def probabilities(comparison: "Comparison") -> "Figure":
    """Images of each class by probability; for several runs their mean."""
    figure = _figure(_HALF, 3.4)
    for axes, (letter, side) in zip(figure.subplots(2, 1, sharex=True), lettered(comparison), strict=True):
        bins = probability_bins(side.histograms)
        width = bins["to"] - bins["from"]
        for place, label in enumerate(Label):
            left = bins["from"] + width * (0.08 + 0.42 * place)
            axes.bar(left, bins[label.name], width * 0.42, align="edge", color=COLORS[label], label=label.name)
        for place, threshold in enumerate(side.thresholds):
            axes.axvline(threshold, color="#111827", linewidth=1, linestyle="--", label="_" if place else "threshold")
        axes.set(xlim=(0, 1), ylabel="images")
        axes.set_title(_short(f"{letter}: {side.name}", 50), fontsize=8)
    figure.axes[-1].set_xlabel("probability of PNEUMONIA")
    _legend_below(figure, columns=3)
    return figure


def decision_curve(comparison: "Comparison", curves: tuple[Sequence[DecisionCurve | NotApplicable], ...]) -> "Figure":
    """Net benefit of each run, of treating all and of treating none, by threshold probability.

    Args:
        comparison: The comparison.
        curves: Decision curves of A's runs and of B's, in the order of their run ids.
    """
    figure = _figure(_WIDE, 2.6)
    axes = figure.subplots()
    share = comparison.a.n_pneumonia / comparison.a.n
    grid = np.array(GRID)
    axes.plot(grid, share - (1 - share) * grid / (1 - grid), color="#9CA3AF", linewidth=1.2, label="treat all")
    axes.axhline(0, color="#111827", linewidth=1, label="treat none")
    for (side, (color, line)), of_side in zip(_sides(comparison), curves, strict=True):
        for curve, label in zip(of_side, _labels(side, None), strict=True):
            if isinstance(curve, DecisionCurve):
                axes.plot(curve.threshold, curve.model, line, color=color, linewidth=1.4, label=label)
    axes.set(xlim=(0, 1), ylim=(-0.1, min(1.0, share * 1.15)), xlabel="threshold probability", ylabel="net benefit")
    _legend_below(figure, columns=2)
    return figure


def _sides(comparison: "Comparison") -> "Iterator[tuple[Side, tuple[str, str]]]":
    """Both sides with their color and line."""
    return zip((comparison.a, comparison.b), _SIDES, strict=True)


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure  # noqa: PLC0415  Only where a figure is drawn.

    return Figure(figsize=(width, height), layout="constrained")


def _square() -> "tuple[Figure, Axes]":
    figure = _figure(_HALF, 3.0)
    return figure, figure.subplots()


def _finished(figure: "Figure", axes: "Axes", x: str, y: str) -> "Figure":
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel=x, ylabel=y)
    _legend_below(figure)
    return figure


def _legend_below(figure: "Figure", columns: int = 1) -> None:
    """What the first panel's lines are, where they hide none of them."""
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=columns, fontsize=6.5)


def _labels(side: "Side", metric: Metric | None) -> list[str]:
    """A legend entry for a side's first run, none for the others; with the mean of the metric, if given."""
    estimate = None if metric is None else side.figures[metric]
    figure = f", {NAMES[metric]} {estimate.value:.3f}" if metric and isinstance(estimate, Estimate) else ""
    runs = f", {len(side.run_ids)} runs" if len(side.run_ids) > 1 else ""
    return [_short(side.name, 44) + runs + figure, *["_"] * (len(side.run_ids) - 1)]


def _short(name: str, most: int = 36) -> str:
    text = drawable(name)
    return text if len(text) <= most else f"{text[: most - 1]}…"
