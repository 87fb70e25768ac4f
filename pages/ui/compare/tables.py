"""Both sides of a comparison in the layout of the report of 2020, as pure functions."""

import pandas as pd

from pneumo_core.evaluation.comparison import Side
from pneumo_core.evaluation.metrics import ClassificationRow, Confusion
from pneumo_core.evaluation.wording import percent
from pneumo_core.records import Label, Metric, NotApplicable


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
        [[f"{count:,} ({percent(count / max(1, sum(row)))})" for count in row] for row in rows.values()],
        index=[label.name for label in rows],
        columns=[f"called {label.name}" for label in Label],
    )
