"""Tables of a comparison as pure functions: what the Compare page shows of figures and tests."""

from typing import Any

import pandas as pd

from pneumo_core.evaluation.comparison import Comparison, Side
from pneumo_core.evaluation.figures import Metric
from pneumo_core.evaluation.metrics import ClassificationRow, Confusion
from pneumo_core.evaluation.paired import DeLong, McNemar, SeedDifference, Spread
from pneumo_core.records import Estimate, Label, NotApplicable
from pneumo_core.reporting.wording import AS_THEY_ARE, NAMES, difference_text, estimate_text, p_cell


def mean_table(side: Side) -> tuple[ClassificationRow, ...]:
    """The classification table of several runs: the mean over them of each figure."""

    def value(metric: Metric) -> float | NotApplicable:
        found = side.figures[metric]
        return found if isinstance(found, NotApplicable) else found.value

    normal = side.n - side.n_pneumonia
    named = (
        ("NORMAL", Metric.NPV, Metric.SPECIFICITY, Metric.F1_NORMAL, normal),
        ("PNEUMONIA", Metric.PPV, Metric.SENSITIVITY, Metric.F1_PNEUMONIA, side.n_pneumonia),
    )
    averages = (
        ("macro avg", Metric.MACRO_PRECISION, Metric.MACRO_RECALL, Metric.MACRO_F1, side.n),
        ("weighted avg", Metric.WEIGHTED_PRECISION, Metric.WEIGHTED_RECALL, Metric.WEIGHTED_F1, side.n),
    )
    rows = [
        ClassificationRow(name, value(precision), value(recall), value(f1), n)
        for name, precision, recall, f1, n in named
    ]
    blank = NotApplicable("accuracy has no precision or recall")
    rows.append(ClassificationRow("accuracy", blank, blank, value(Metric.ACCURACY), side.n))
    rows += [
        ClassificationRow(name, value(precision), value(recall), value(f1), n)
        for name, precision, recall, f1, n in averages
    ]
    return tuple(rows)


def confusion_table(counts: Confusion) -> pd.DataFrame:
    """Counts of a run, a row for each true class, with their share of it."""
    rows = {Label.NORMAL: (counts.tn, counts.fp), Label.PNEUMONIA: (counts.fn, counts.tp)}
    return pd.DataFrame(
        [[f"{count:,} ({count / max(1, sum(row)):.1%})" for count in row] for row in rows.values()],
        index=[label.name for label in rows],
        columns=[f"called {label.name}" for label in Label],
    )


def counts_frame(side: Side) -> pd.DataFrame:
    """Counts of each run of a side."""
    rows = [
        {"seed": seed, "threshold": f"{threshold:.3f}", "TN": c.tn, "FP": c.fp, "FN": c.fn, "TP": c.tp}
        for seed, threshold, c in zip(side.seeds, side.thresholds, side.confusions, strict=True)
    ]
    return pd.DataFrame(rows)


def figures_frame(comparison: Comparison) -> pd.DataFrame:
    """Every figure as a row of text: A, B, their difference over patients and over seeds."""
    sides = (comparison.a, comparison.b)
    rows = []
    for metric in Metric:
        found = comparison.differences[metric]
        row = {
            "figure": NAMES[metric],
            "A": short(metric, comparison.a.figures[metric]),
            "B": short(metric, comparison.b.figures[metric]),
            "B - A": change(metric, found.estimate),
            "p": p_short(found.p),
        }
        if any(len(side.run_ids) > 1 for side in sides):
            row["SD over seeds, A and B"] = " and ".join(_sd(metric, side.spread[metric]) for side in sides)
            row["B - A over seeds"] = _over_seeds(metric, comparison.seeds[metric])
        rows.append(row)
    return pd.DataFrame(rows)


def pairs_frame(comparison: Comparison) -> pd.DataFrame:
    """The tests of each pair of runs."""
    rows = []
    for pair in comparison.pairs:
        calls, ranks = pair.mcnemar, pair.delong
        row: dict[str, Any] = {"A": pair.a, "B": pair.b}
        if isinstance(calls, McNemar):
            row |= {"both right": calls.both_right, "only A": calls.only_a, "only B": calls.only_b}
            row |= {"both wrong": calls.both_wrong}
            row |= {"McNemar p": p_short(calls.p), "McNemar p, clustered": p_short(calls.p_clustered)}
        if isinstance(ranks, DeLong):
            row |= {"AUROC, B - A": change(Metric.AUROC, ranks.difference)}
            row |= {"DeLong p": p_short(ranks.p), "DeLong p, clustered": p_short(ranks.p_clustered)}
        if len(comparison.pairs) > 1:
            row |= {"McNemar p, Holm": p_short(pair.mcnemar_holm), "DeLong p, Holm": p_short(pair.delong_holm)}
        rows.append(row)
    return pd.DataFrame(rows)


def reasons(comparison: Comparison) -> list[str]:
    """Why something is not applicable, each reason once."""
    found = [
        *(value for side in (comparison.a, comparison.b) for value in side.figures.values()),
        *(difference.estimate for difference in comparison.differences.values()),
        *(test for pair in comparison.pairs for test in (pair.mcnemar, pair.delong)),
        *comparison.seeds.values(),
    ]
    return list(dict.fromkeys(value.reason for value in found if isinstance(value, NotApplicable)))


def short(metric: Metric, estimate: Estimate | NotApplicable) -> str:
    """A figure with its interval; its reason stands below the table where there is none."""
    return "n/a" if isinstance(estimate, NotApplicable) else estimate_text(metric, estimate)


def change(metric: Metric, estimate: Estimate | NotApplicable) -> str:
    """A difference with its interval."""
    if isinstance(estimate, NotApplicable):
        return "n/a"
    return difference_text(metric, estimate.value, estimate.low, estimate.high)


def p_short(p: float | NotApplicable) -> str:
    """A p value as it stands in a cell."""
    return "n/a" if isinstance(p, NotApplicable) else p_cell(p)


def _sd(metric: Metric, found: Spread | NotApplicable) -> str:
    if isinstance(found, NotApplicable):
        return "n/a"
    return f"{found.sd:.3f}" if metric in AS_THEY_ARE else f"{100 * found.sd:.1f}"


def _over_seeds(metric: Metric, found: SeedDifference | NotApplicable) -> str:
    if isinstance(found, NotApplicable):
        return "n/a"
    return f"{difference_text(metric, found.value, found.low, found.high)}, Welch p {p_cell(found.p)}"
