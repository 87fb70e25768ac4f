"""Tables of a comparison's curves as pure functions: the numbers that the charts of both sides draw."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pages.ui.tables import epoch_table
from pneumo_core.evaluation.comparison import Comparison
from pneumo_core.evaluation.wording import NAMES
from pneumo_core.records import Estimate, Metric, NotApplicable


def roc_frame(comparison: Comparison) -> pd.DataFrame:
    """Points of every run's ROC curve."""
    return _curve_frame(comparison, "roc", {"tpr": "sensitivity", "fpr": "1 - specificity"})


def pr_frame(comparison: Comparison) -> pd.DataFrame:
    """Points of every run's precision-recall curve."""
    return _curve_frame(comparison, "pr", {"recall": "recall", "precision": "precision"})


def reliability_frame(comparison: Comparison) -> pd.DataFrame:
    """Bins of every run's reliability diagram, the empty ones too; no number where a bin has none."""
    rows = []
    for letter, side in (("A", comparison.a), ("B", comparison.b)):
        for run_id, seed, found in zip(side.run_ids, side.seeds, side.reliability, strict=True):
            for part in () if isinstance(found, NotApplicable) else found.bins:
                mean, seen = part.mean_probability, part.observed
                given = (seen.value, seen.low, seen.high) if isinstance(seen, Estimate) else (np.nan,) * 3
                rows.append((letter, run_id, seed, part.low, part.high, part.n, mean if part.n else np.nan, *given))
    columns = ["side", "run", "seed", "from", "to", "images", "mean probability", "share PNEUMONIA", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def histories_frame(events_a: Sequence[Mapping[str, Any]], events_b: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Epochs of both runs, one below the other."""
    frames = [epoch_table(events).assign(side=letter) for letter, events in (("A", events_a), ("B", events_b))]
    whole = pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    return whole[["side", *whole.columns.drop("side")]]


def forest_frame(comparison: Comparison) -> pd.DataFrame:
    """Every difference as a row of numbers, over patients and over seeds; shares as fractions, and reasons in words."""
    rows = []
    for metric in Metric:
        found, seeds = comparison.differences[metric], comparison.seeds[metric]
        row: dict[str, Any] = {"figure": NAMES[metric], "not applicable": "", "over seeds not applicable": ""}
        if isinstance(found.estimate, NotApplicable):
            row["not applicable"] = found.estimate.reason
        else:
            one = found.estimate
            p = None if isinstance(found.p, NotApplicable) else found.p
            row |= {"B - A": one.value, "low": one.low, "high": one.high, "p": p, "n": one.n}
        if isinstance(seeds, NotApplicable):
            row["over seeds not applicable"] = seeds.reason
        else:
            row |= {"over seeds": seeds.value, "seeds low": seeds.low, "seeds high": seeds.high, "seeds p": seeds.p}
        rows.append(row)
    numbers = ["B - A", "low", "high", "p", "n", "over seeds", "seeds low", "seeds high", "seeds p"]
    columns = ["figure", *numbers, "not applicable", "over seeds not applicable"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(numbers, float) | {"n": "Int64"})


def seed_frame(comparison: Comparison, metric: Metric) -> pd.DataFrame:
    """A figure of each run."""
    rows = [
        (letter, run_id, seed, np.nan if isinstance(value, NotApplicable) else value)
        for letter, side in (("A", comparison.a), ("B", comparison.b))
        for run_id, seed, value in zip(side.run_ids, side.seeds, side.values[metric], strict=True)
    ]
    return pd.DataFrame(rows, columns=["side", "run", "seed", NAMES[metric]])


def _curve_frame(comparison: Comparison, kind: str, names: Mapping[str, str]) -> pd.DataFrame:
    frames = [pd.DataFrame(columns=["side", "run", "seed", "threshold", *names.values()])]
    for letter, side in (("A", comparison.a), ("B", comparison.b)):
        for run_id, seed, curve in zip(side.run_ids, side.seeds, getattr(side, kind), strict=True):
            if not isinstance(curve, NotApplicable):
                points = {title: getattr(curve, name) for name, title in names.items()}
                points = {"side": letter, "run": run_id, "seed": seed, "threshold": curve.threshold, **points}
                frames.append(pd.DataFrame(points))
    return pd.concat(frames[1:] or frames, ignore_index=True)
