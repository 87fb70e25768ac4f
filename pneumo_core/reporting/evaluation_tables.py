"""One run's evaluation as tables of a document."""

from collections.abc import Iterable, Mapping, Sequence

from pneumo_core.evaluation.comparison import Side
from pneumo_core.evaluation.curves import complement, estimate_numbers
from pneumo_core.evaluation.metrics import ClassificationRow, Confusion
from pneumo_core.evaluation.report import EvaluationReport, OperatingPoint, SplitReport
from pneumo_core.evaluation.softer import SOFTER
from pneumo_core.evaluation.wording import (
    NAMES,
    classification_cells,
    estimate_text,
    interval_text,
    of_100,
    or_reason,
    percent,
    value_text,
)
from pneumo_core.records import Architecture, Estimate, Label, Metric, NotApplicable, Split
from pneumo_core.reporting.document import Cell, Table, estimate_cells, numbered

OPERATING = (Metric.SENSITIVITY, Metric.SPECIFICITY, Metric.PPV, Metric.NPV)
"""The rates of an operating point."""

_HELD_OUT = {Split.VAL, Split.STRESS}


def place(report: EvaluationReport, split: Split) -> str:
    """The split as shown with each figure: ``test``, ``val (epoch chosen on it)`` or ``stress (epoch chosen on val)``.

    An ensemble, which trains nothing, chooses its threshold alone.
    """
    own = report.operating_point.split
    selected = Split.TEST if report.selected_on_test else own if own in _HELD_OUT else Split.VAL
    if split is not selected and {split, selected} != _HELD_OUT:
        return split.value
    what = "threshold" if report.run_id.startswith(Architecture.ENSEMBLE.value) else "epoch"
    return f"{split.value} ({what} chosen on {'it' if split is selected else selected.value})"


def copies_words(report: EvaluationReport) -> str:
    """What the images of stress are: ``4 degraded copies of each of 761 validation images``; "" without them."""
    if Split.STRESS not in report.splits:
        return ""
    copies = report.splits[Split.STRESS].n
    if Split.VAL not in report.splits or copies % (images := report.splits[Split.VAL].n):
        return "degraded copies of the validation images"
    each = copies // images
    return f"{each} degraded cop{'y' if each == 1 else 'ies'} of each of {images:,} validation images"


def without_stress(report: EvaluationReport) -> str:
    """The reason why a run that held out patients has no figures on stress, in a sentence; "" where there are some."""
    if report.selected_on_test or Split.STRESS in report.splits or Split.VAL not in report.splits:
        return ""
    return (
        "This run, of an earlier version, has no figures on stress, degraded copies of its validation images; the command "
        f"'runs refresh {report.run_id}' makes them where its model and data set are at hand."
    )


def softer_figures(report: EvaluationReport) -> Table:
    """Figures of validation, weighted to softer images, beside those of validation and test."""
    found = report.softer
    columns = {} if isinstance(found, NotApplicable) else {SOFTER: found.figures}
    shown: dict[str, Mapping[Metric, Estimate | NotApplicable]] = {}
    for split in (Split.VAL, Split.STRESS, Split.TEST):
        if split in report.splits:
            shown[place(report, split)] = report.splits[split].figures
        if split is Split.VAL:
            shown |= columns
    metrics = next(iter(columns.values()), {})
    rows = tuple(
        (NAMES[metric], *(estimate_text(metric, part[metric], with_n=True) for part in shown.values()))
        for metric in metrics
    )
    return Table("softer", f"Figures on {SOFTER}, with 95 % intervals", ("", *shown), rows, (softer_words(report),))


def softer_words(report: EvaluationReport) -> str:
    """What the weights of the softer images do, or why there are none, in a sentence."""
    found = report.softer
    if isinstance(found, NotApplicable):
        return f"Not weighted to softer images: {found.reason}."
    return (
        f"Weighted, {found.n_normal:,} NORMAL images count as {found.effective_normal:,.0f} (effective number), the "
        f"heaviest as {found.largest:.3g}; their mean sharpness falls from {found.sharpness:,.0f} to "
        f"{found.sharpness_weighted:,.0f}, where the PNEUMONIA images have {found.sharpness_pneumonia:,.0f}."
    )


def rates_on_test(report: EvaluationReport) -> str:
    """Sensitivity and specificity on test at the run's threshold, with intervals and n, or that there are none."""
    part = report.splits.get(Split.TEST)
    if part is None:
        return "this run has no test figures"
    rates = (
        f"{NAMES[metric].lower()} {estimate_text(metric, part.figures[metric], with_n=True)}"
        for metric in OPERATING[:2]
    )
    return f"on {place(report, Split.TEST)}: {'; '.join(rates)} (95 % intervals)"


def right_on_test(report: EvaluationReport, label: Label) -> str:
    """How often the run is right on test when it reads an image as this class, in plain words, or that it is unknown."""
    part = report.splits.get(Split.TEST)
    right = None if part is None else part.ppv if label is Label.PNEUMONIA else part.npv
    if part is None or right is None:
        return "This run has no test figures: how often it is right on new images is unknown."
    where = f"on {place(report, Split.TEST)}"
    if isinstance(right, NotApplicable):
        return f"How often it is right when it reads {label.name} is unknown {where}: {right.reason}."
    share = percent(part.n_pneumonia / part.n, 0)
    return f"When it reads {label.name}, it is right in {of_100(right)} {where}, where {share} have pneumonia."


def wrong_on_test(report: EvaluationReport) -> str:
    """How often the run misses PNEUMONIA and reads NORMAL as it on test, in plain words; "" where that is unknown."""
    part = report.splits.get(Split.TEST)
    if part is None:
        return ""
    misses, alarms = complement(part.sensitivity), complement(part.specificity)
    words = [
        f"it misses {of_100(misses)} with pneumonia" if isinstance(misses, Estimate) else "",
        f"it reads {of_100(alarms)} without it as PNEUMONIA" if isinstance(alarms, Estimate) else "",
    ]
    return f"On {place(report, Split.TEST)}, {' and '.join(filter(None, words))}." if any(words) else ""


def figures(report: EvaluationReport, split: Split) -> Table:
    """Every figure of a split: value, interval and n, or the reason why there is none."""

    def row(metric: Metric, estimate: Estimate | NotApplicable) -> tuple[Sequence[str], Sequence[Cell]]:
        if isinstance(estimate, NotApplicable):
            shown = (or_reason(estimate), "", "")
        else:
            shown = (value_text(metric, estimate), interval_text(metric, estimate), f"{estimate.n:,}")
        return (NAMES[metric], *shown), (metric.value, *estimate_cells(estimate))

    part = report.splits[split]
    counts = part.confusion
    return numbered(
        f"figures-{split.value}",
        f"Figures on split {place(report, split)}",
        ("figure", "value", "95 % interval", "n"),
        ("figure", "value", "low", "high", "n"),
        (row(*item) for item in part.figures.items()),
        (f"TN {counts.tn:,}, FP {counts.fp:,}, FN {counts.fn:,}, TP {counts.tp:,}; PNEUMONIA is positive.",),
    )


def some_figures(report: EvaluationReport, split: Split, metrics: Sequence[Metric]) -> Table:
    """Some figures of a split with intervals and n; where they are of held-out patients, beside those of test."""
    shown = {place(report, split): report.splits[split]}
    if split in _HELD_OUT and Split.TEST in report.splits:
        shown[place(report, Split.TEST)] = report.splits[Split.TEST]
    rows = tuple(
        (NAMES[metric], *(estimate_text(metric, part.figures[metric], with_n=True) for part in shown.values()))
        for metric in metrics
    )
    return Table("some-figures", f"Figures on split {place(report, split)} with 95 % intervals", ("", *shown), rows)


def every_figure(report: EvaluationReport) -> Table:
    """Every figure of every split, and of validation weighted to softer images.

    Its data are numbers, or the reason why there is none.
    """
    parts = {place(report, split): part.figures for split, part in report.splits.items()}
    if not isinstance(report.softer, NotApplicable):
        parts[SOFTER] = report.softer.figures
    found = [(where, metric, estimate) for where, part in parts.items() for metric, estimate in part.items()]
    return numbered(
        "figures",
        "Figures with 95 % intervals",
        ("split", "figure", "value"),
        ("split", "figure", "value", "low", "high", "n", "not applicable"),
        (
            (
                (where, NAMES[metric], estimate_text(metric, estimate, with_n=True)),
                (where, NAMES[metric], *estimate_numbers(estimate).values()),
            )
            for where, metric, estimate in found
        ),
    )


def classification(rows: Iterable[ClassificationRow], caption: str) -> Table:
    """The classification table in the report's layout, two decimals; the accuracy has only a value under f1-score.

    Its data have full precision; what is not applicable is empty.
    """
    columns = ("precision", "recall", "f1")
    return numbered(
        "classification",
        caption,
        ("", "precision", "recall", "f1-score", "support"),
        ("name", *columns, "support"),
        (
            (
                (row.name, *classification_cells(row)),
                (row.name, *(_number(getattr(row, one)) for one in columns), row.support),
            )
            for row in rows
        ),
    )


def _number(value: float | NotApplicable) -> float | None:
    return None if isinstance(value, NotApplicable) else value


def mean_classification(side: Side) -> tuple[ClassificationRow, ...]:
    """Rows of the classification table of several runs: the mean over them of each figure."""

    def row(name: str, precision: Metric, recall: Metric, f1: Metric, n: int) -> ClassificationRow:
        figures = side.figures
        return ClassificationRow(name, _mean(figures[precision]), _mean(figures[recall]), _mean(figures[f1]), n)

    single = NotApplicable("accuracy has no precision or recall")
    normal, sick, n = side.n - side.n_pneumonia, side.n_pneumonia, side.n
    return (
        row("NORMAL", Metric.NPV, Metric.SPECIFICITY, Metric.F1_NORMAL, normal),
        row("PNEUMONIA", Metric.PPV, Metric.SENSITIVITY, Metric.F1_PNEUMONIA, sick),
        ClassificationRow("accuracy", single, single, _mean(side.figures[Metric.ACCURACY]), n),
        row("macro avg", Metric.MACRO_PRECISION, Metric.MACRO_RECALL, Metric.MACRO_F1, n),
        row("weighted avg", Metric.WEIGHTED_PRECISION, Metric.WEIGHTED_RECALL, Metric.WEIGHTED_F1, n),
    )


def _mean(found: Estimate | NotApplicable) -> float | NotApplicable:
    return found if isinstance(found, NotApplicable) else found.value


def confusion(counts: Confusion, caption: str) -> Table:
    """Counts of a run, a row for each true class, with percentages; its data are counts, with the class's images."""
    rows = {Label.NORMAL: (counts.tn, counts.fp), Label.PNEUMONIA: (counts.fn, counts.tp)}
    called = [f"predicted {label.name}" for label in Label]
    return numbered(
        "confusion",
        caption,
        ("", *called),
        ("labeled", *called, "images"),
        (
            (
                (label.name, *(f"{count:,} ({percent(count / max(1, sum(row)))})" for count in row)),
                (label.name, *row, sum(row)),
            )
            for label, row in rows.items()
        ),
    )


def operating_point(report: EvaluationReport, split: Split) -> Table:
    """Rates of the operating point on the split it was chosen on, on another one and on test, with intervals and n."""
    point = report.operating_point
    rates: dict[str, OperatingPoint | SplitReport] = {place(report, point.split): point}
    for other in (split, Split.TEST):
        if other is not point.split and other in report.splits:
            rates[place(report, other)] = report.splits[other]
    rows = tuple(
        (NAMES[metric], *(estimate_text(metric, getattr(source, metric), with_n=True) for source in rates.values()))
        for metric in OPERATING
    )
    return Table("operating-point", "Rates of the operating point with 95 % intervals", ("", *rates), rows)
