"""Figures of this project beside those of the 2020 report, as far as they are comparable."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pneumo_core.config.classifier import Balance
from pneumo_core.config.ensemble import ClassifierConfig, EnsembleConfig
from pneumo_core.records import Architecture, Estimate, Label, Metric, NotApplicable, Split
from pneumo_core.reference import OFFICIAL_COUNTS, REPORT_FIGURES, REPORT_PARAMETERS, ReportFigure, ReportRun

_METRICS: Final = {
    "accuracy": Metric.ACCURACY,
    "precision 0": Metric.NPV,
    "recall 0": Metric.SPECIFICITY,
    "f1 0": Metric.F1_NORMAL,
    "precision 1": Metric.PPV,
    "recall 1": Metric.SENSITIVITY,
    "f1 1": Metric.F1_PNEUMONIA,
    "macro precision": Metric.MACRO_PRECISION,
    "macro recall": Metric.MACRO_RECALL,
    "macro f1": Metric.MACRO_F1,
    "weighted precision": Metric.WEIGHTED_PRECISION,
    "weighted recall": Metric.WEIGHTED_RECALL,
    "weighted f1": Metric.WEIGHTED_F1,
    "loss": Metric.LOG_LOSS,
}
"""Metrics by their names in the report's classification table; class 0 is NORMAL."""

_OFFICIAL_N: Final = sum(OFFICIAL_COUNTS[Split.TEST, label] for label in Label)


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of the report beside this project's.

    Attributes:
        name: Name of the metric in the report.
        place: Section or figure of the report.
        report: The report's value, exact to half a unit of the last of the `decimals` that it prints.
        difference: Ours minus the report's, as printed.
        inside: Whether a value that rounds to the report's lies in the interval of `ours`.
        words: The same for people: the report's value is ``inside``, ``below`` or ``above our interval``.
    """

    metric: Metric
    name: str
    place: str
    report: float
    decimals: int
    ours: Estimate | NotApplicable
    difference: float | NotApplicable
    inside: bool | NotApplicable
    words: str


@dataclass(frozen=True, slots=True)
class ParameterRow:
    """A count of one kind of parameters in the report, with the section, and in a run's manifest."""

    name: str
    place: str
    report: int
    ours: int | NotApplicable
    equal: bool | NotApplicable


def metric_of(figure: ReportFigure) -> Metric | None:
    """Metric of a figure of the report; None if it is not a test metric."""
    return _METRICS.get(figure.name)


def counterpart(config: ClassifierConfig, *, is_phantom: bool = False) -> ReportRun | NotApplicable:
    """The training of the report that a run reproduces, whatever its protocol, or why there is none."""
    if is_phantom:
        return NotApplicable("it was trained and tested on phantoms, and the report on X-rays")
    if isinstance(config, EnsembleConfig):
        return NotApplicable("the report combined no models")
    if config.balance not in {Balance.NONE, Balance.GAN}:
        return NotApplicable(f"the report has no training with the balancing arm '{config.balance.value}'")
    if config.balance is Balance.GAN and config.gap_percent != 100:
        return NotApplicable(
            f"the report closed the gap between the classes, and this run {config.gap_percent} % of it"
        )
    if config.architecture is Architecture.COMPACT:
        return NotApplicable("the report has no network like it")
    if config.trained_blocks or config.fine_tune is not None:
        return NotApplicable("the report trained no layer of VGG16's base, and this run does")
    return ReportRun(config.architecture, balanced=config.balance is Balance.GAN)


def against_report(figures: Mapping[Metric, Estimate | NotApplicable], run: ReportRun) -> tuple[Row, ...]:
    """Every figure of a training of the report that has a counterpart among this project's, which are on test.

    Returns:
        Rows in the report's order; `ours` is not applicable if it is missing.
    """
    missing = NotApplicable("this figure was not computed")
    return tuple(
        _row(figure, metric, figures.get(metric, missing))
        for figure in REPORT_FIGURES
        if figure.run == run and (metric := metric_of(figure))
    )


def against_parameters(manifest: Mapping[str, Any], architecture: Architecture) -> tuple[ParameterRow, ...]:
    """A run's parameter counts, `parameters` and `trainable_parameters` of its manifest, beside the report's."""
    known = REPORT_PARAMETERS[architecture]
    total, trainable = manifest.get("parameters"), manifest.get("trainable_parameters")
    fixed = total - trainable if isinstance(total, int) and isinstance(trainable, int) else None
    place = known.place if architecture is Architecture.BASELINE else f"{known.place}, by subtraction"
    return (
        _parameters("parameters", known.place, known.total, total),
        _parameters("trainable", known.place, known.trainable, trainable),
        _parameters("not trainable", place, known.fixed, fixed),
    )


def protocol_notes(*, selected_on_test: bool, n: int) -> tuple[str, ...]:
    """Effects of the two protocols on the figures, in sentences.

    Args:
        selected_on_test: Whether epoch and learning rate were selected on test images, as in the report.
        n: Number of test images.
    """
    report = (
        f"The report selected its weights, learning rates and last epoch on the {_OFFICIAL_N} test images (section 3.3): its "
        "figures are the best of several evaluations on them, and therefore optimistic."
    )
    ours = (
        "Ours did the same, so both are optimistic: this is a reproduction, not an estimate for new patients."
        if selected_on_test
        else "Ours selected everything on patients held out of training and nothing on test. Such a protocol is expected to "
        "score below one that is selected on test, with the same model: a lower figure here is not a worse model."
    )
    images = (
        f"Ours are from {n:,} test images and the report's from {_OFFICIAL_N}, so the two differ by their images too."
        if n != _OFFICIAL_N
        else f"Both are from {_OFFICIAL_N} test images. It is not known whether they are the same files."
    )
    interval = (
        "Our interval covers the variation between patients. The report gives none and its figures vary as much, so 'inside' "
        "does not prove that two figures are equal, nor does 'outside' that they differ."
    )
    return report, ours, images, interval


def _row(figure: ReportFigure, metric: Metric, ours: Estimate | NotApplicable) -> Row:
    theirs = (metric, figure.name, figure.place, figure.value, figure.decimals)
    if isinstance(ours, NotApplicable):
        return Row(*theirs, ours, ours, ours, f"not applicable: {ours.reason}")
    # A small margin, so that rounding of binary fractions does not decide a tie.
    half = 0.5 * 10**-figure.decimals + 1e-12
    inside = ours.low <= figure.value + half and figure.value - half <= ours.high
    words = f"{'inside' if inside else 'below' if figure.value < ours.low else 'above'} our interval"
    return Row(*theirs, ours, ours.value - figure.value, inside, words)


def _parameters(name: str, place: str, report: int, ours: Any) -> ParameterRow:
    if not isinstance(ours, int):
        missing = NotApplicable("the run's manifest does not record it")
        return ParameterRow(name, place, report, missing, missing)
    return ParameterRow(name, place, report, ours, ours == report)
