"""Points of the curves, bars and intervals that pages and documents draw and pages show as tables."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np
import pandas as pd

from pneumo_core.evaluation.comparison import Comparison, Side
from pneumo_core.evaluation.histogram import EDGES, Histogram
from pneumo_core.evaluation.metrics import Confusion, PrCurve, RocCurve
from pneumo_core.evaluation.operating import DecisionCurve
from pneumo_core.evaluation.reliability import Reliability
from pneumo_core.evaluation.verdict import figure_p
from pneumo_core.evaluation.wording import NAMES, SCORES
from pneumo_core.records import Estimate, Metric, NotApplicable

_MEASURES: Final = ("loss", "val_loss", "accuracy", "val_accuracy", "learning_rate", "duration_s")
_GAN_MEASURES: Final = ("loss_generator", "loss_discriminator", "score_real", "score_generated", "spread", "duration_s")


def lettered(comparison: Comparison) -> tuple[tuple[str, Side], tuple[str, Side]]:
    """Both sides with their letters."""
    return ("A", comparison.a), ("B", comparison.b)


def complement(rate: Estimate | NotApplicable) -> Estimate | NotApplicable:
    """One minus a rate, with its interval reversed."""
    return rate if isinstance(rate, NotApplicable) else Estimate(1 - rate.value, 1 - rate.high, 1 - rate.low, rate.n)


def roc_point(counts: Confusion) -> tuple[float, float] | None:
    """1 - specificity and sensitivity of a run's predictions; None if a class is missing."""
    normal, sick = counts.fp + counts.tn, counts.tp + counts.fn
    return (counts.fp / normal, counts.tp / sick) if normal and sick else None


def pr_point(counts: Confusion) -> tuple[float, float] | None:
    """Recall and precision of a run's predictions; None if one of them is not defined."""
    sick, called = counts.tp + counts.fn, counts.tp + counts.fp
    return (counts.tp / sick, counts.tp / called) if sick and called else None


def pr_steps(curve: PrCurve) -> PrCurve:
    """A precision-recall curve to draw in steps: the first starts at recall 0, with the precision of its end."""
    return PrCurve((0.0, *curve.recall), (curve.precision[0], *curve.precision), (curve.threshold[0], *curve.threshold))


def curve_points(curve: RocCurve | PrCurve | NotApplicable) -> pd.DataFrame:
    """Points of one curve: threshold with sensitivity and specificity, or recall and precision; empty if there is none."""
    if isinstance(curve, NotApplicable):
        return pd.DataFrame()
    if isinstance(curve, RocCurve):
        rates = {"sensitivity": curve.tpr, "specificity": 1 - np.array(curve.fpr)}
        return pd.DataFrame({"threshold": curve.threshold, **rates})
    return pd.DataFrame({"threshold": curve.threshold, "recall": curve.recall, "precision": curve.precision})


def roc_points(comparison: Comparison) -> pd.DataFrame:
    """Points of every run's ROC curve."""
    return _of_every_run(comparison, "roc", {"tpr": "sensitivity", "fpr": "1 - specificity"})


def pr_points(comparison: Comparison) -> pd.DataFrame:
    """Points of every run's precision-recall curve."""
    return _of_every_run(comparison, "pr", {"recall": "recall", "precision": "precision"})


def _of_every_run(comparison: Comparison, kind: str, names: Mapping[str, str]) -> pd.DataFrame:
    frames = [pd.DataFrame(columns=["side", "run", "seed", "threshold", *names.values()])]
    for letter, run_id, seed, curve in each_run(comparison, kind):
        if not isinstance(curve, NotApplicable):
            points = {title: getattr(curve, name) for name, title in names.items()}
            points = {"side": letter, "run": run_id, "seed": seed, "threshold": curve.threshold, **points}
            frames.append(pd.DataFrame(points))
    return pd.concat(frames[1:] or frames, ignore_index=True)


def each_run(comparison: Comparison, kind: str) -> Iterator[tuple[str, str, int, Any]]:
    """Every run: its side's letter, its id, its seed, and its part of a field of `Side` that has one for each run."""
    for letter, side in lettered(comparison):
        for run_id, seed, found in zip(side.run_ids, side.seeds, getattr(side, kind), strict=True):
            yield letter, run_id, seed, found


def reliability_points(comparison: Comparison) -> pd.DataFrame:
    """Bins of every run's reliability diagram, including empty ones, which have no numbers."""
    rows = []
    for letter, run_id, seed, found in each_run(comparison, "reliability"):
        for part in () if isinstance(found, NotApplicable) else found.bins:
            mean, seen = part.mean_probability, part.observed
            given = (seen.value, seen.low, seen.high) if isinstance(seen, Estimate) else (np.nan,) * 3
            rows.append((letter, run_id, seed, part.low, part.high, part.n, mean if part.n else np.nan, *given))
    columns = ["side", "run", "seed", "from", "to", "images", "mean probability", "share PNEUMONIA", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def reliability_bins(found: Reliability) -> pd.DataFrame:
    """The bins of one reliability diagram that hold images."""
    rows = [
        (one.mean_probability, one.observed.value, one.observed.low, one.observed.high, one.n)
        for one in found.bins
        if isinstance(one.observed, Estimate)
    ]
    return pd.DataFrame(rows, columns=["mean probability", "observed", "low", "high", "n"])


def decision_points(curve: DecisionCurve) -> pd.DataFrame:
    """Net benefit of a run at each threshold probability with its interval, of treating all and of treating none."""
    model = {"net benefit": curve.model, "low": curve.low, "high": curve.high}
    return pd.DataFrame({"threshold": curve.threshold, **model, "treat all": curve.treat_all, "treat none": 0.0})


def epochs(events: Sequence[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    """Epochs of a run's events, counted from 1, in order; of an epoch that was repeated after a resume, the last."""
    known = {int(event["epoch"]) + 1: event for event in events if event.get("kind") == "epoch"}
    return dict(sorted(known.items()))


def epoch_points(events: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Losses, accuracies, learning rate and duration of each epoch of a classifier; NaN for missing values."""
    return _points(events, _MEASURES)


def gan_points(events: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Losses, scores, spread and duration of each epoch of a DCGAN; NaN for missing values."""
    return _points(events, _GAN_MEASURES)


def _points(events: Sequence[Mapping[str, Any]], names: Sequence[str]) -> pd.DataFrame:
    rows = [(epoch, *(event_number(event, name) for name in names)) for epoch, event in epochs(events).items()]
    return pd.DataFrame(rows, columns=["epoch", *names]).astype(dict.fromkeys(names, float))


def event_number(event: Mapping[str, Any], name: str) -> float | None:
    """A number of an event that was read from a file, or NaN."""
    value = event.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def history_points(events_a: Sequence[Mapping[str, Any]], events_b: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Epochs of two runs, concatenated."""
    frames = [epoch_points(events).assign(side=letter) for letter, events in (("A", events_a), ("B", events_b))]
    whole = pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    return whole[["side", *whole.columns.drop("side")]]


def best_epoch(points: pd.DataFrame) -> int | None:
    """The epoch whose weights a run keeps: the first with the lowest validation loss."""
    rows = points.dropna(subset=["val_loss"]).sort_values(["val_loss", "epoch"])
    return int(rows["epoch"].iloc[0]) if len(rows) else None


_FOREST_ENDS: Final = ["B - A", "low", "high", "over seeds", "seeds low", "seeds high"]


def forest_points(comparison: Comparison) -> pd.DataFrame:
    """Every difference over patients, with its one p, and over seeds, as a row of numbers; what is missing has its reason."""
    rows = []
    for metric in Metric:
        found, seeds = comparison.differences[metric], comparison.seeds[metric]
        one = estimate_numbers(found.estimate)
        tested = figure_p(comparison, metric)
        p = None if isinstance(found.estimate, NotApplicable) or isinstance(tested, NotApplicable) else tested
        row = {"figure": NAMES[metric], "B - A": one.pop("value"), **one, "p": p}
        if isinstance(seeds, NotApplicable):
            row["over seeds not applicable"] = seeds.reason
        else:
            row |= {"over seeds": seeds.value, "seeds low": seeds.low, "seeds high": seeds.high}
            row["over seeds not applicable"] = ""
        rows.append(row)
    numbers = ["B - A", "low", "high", "p", "n", "over seeds", "seeds low", "seeds high"]
    columns = ["figure", *numbers, "not applicable", "over seeds not applicable"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(numbers, float) | {"n": "Int64"})


def forest_panels(comparison: Comparison, shown: Sequence[Metric] = tuple(Metric)) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of `forest_points` as they are drawn, with their `metric`: fractions in points, and scores as they are."""
    table = forest_points(comparison).assign(metric=list(Metric))
    table = table[table["metric"].isin(shown)]
    fractions = table[~table["metric"].isin(SCORES)].copy()
    fractions[_FOREST_ENDS] *= 100
    return fractions, table[table["metric"].isin(SCORES)]


def estimate_numbers(estimate: Estimate | NotApplicable) -> dict[str, Any]:
    """An estimate as cells of a table of numbers: `value`, `low`, `high`, `n`, or the reason why there is none."""
    if isinstance(estimate, NotApplicable):
        return {**dict.fromkeys(("value", "low", "high", "n")), "not applicable": estimate.reason}
    return {**asdict(estimate), "not applicable": ""}


def seed_points(comparison: Comparison, metric: Metric) -> pd.DataFrame:
    """A figure of each run; NaN if it is missing."""
    rows = [
        (letter, run_id, seed, np.nan if isinstance(value, NotApplicable) else value)
        for letter, side in lettered(comparison)
        for run_id, seed, value in zip(side.run_ids, side.seeds, side.values[metric], strict=True)
    ]
    return pd.DataFrame(rows, columns=["side", "run", "seed", NAMES[metric]])


def probability_bins(found: Sequence[Histogram]) -> pd.DataFrame:
    """Images of each class by probability: the start and the end of each bin, and a column of counts for each class.

    Args:
        found: Histogram of each run; of several, their mean.
    """
    edges = np.array(EDGES)
    counts = {"NORMAL": [one.normal for one in found], "PNEUMONIA": [one.pneumonia for one in found]}
    means = {name: rows[0] if len(rows) == 1 else np.mean(rows, axis=0) for name, rows in counts.items()}
    return pd.DataFrame({"from": edges[:-1], "to": edges[1:], **means})
