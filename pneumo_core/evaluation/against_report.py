"""Our figures beside those of the report of 2020, as far as the two can be set side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pneumo_core.config.classifier import Balance, TrainConfig
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
"""What the report's classification table calls our metrics; class 0 is NORMAL."""

_OFFICIAL_N: Final = sum(OFFICIAL_COUNTS[Split.TEST, label] for label in Label)


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of the report beside ours.

    Attributes:
        metric: Which one.
        name: What the report calls it.
        place: Where it stands there.
        report: Its value there, right to half a unit of the last of `decimals`.
        decimals: Decimals that are printed there.
        ours: Ours, with its interval.
        difference: Ours minus the report's, as printed.
        inside: Whether some value that rounds to the report's lies in our interval.
        words: The same for people, of the report's value: ``inside``, ``below`` or ``above our interval``.
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
    """A count of parameters in the report and in a run's manifest.

    Attributes:
        name: Which parameters.
        place: Where the report has them.
        report: How many there.
        ours: How many here.
        equal: Whether they are the same.
    """

    name: str
    place: str
    report: int
    ours: int | NotApplicable
    equal: bool | NotApplicable


def metric_of(figure: ReportFigure) -> Metric | None:
    """Our metric that a figure of the report is; None where it is none of test images."""
    return _METRICS.get(figure.name)


def counterpart(config: TrainConfig, *, is_phantom: bool = False) -> ReportRun | NotApplicable:
    """The training of the report that a run repeats, whatever its protocol, or why there is none."""
    if is_phantom:
        return NotApplicable("it was trained and tested on phantoms, and the report on X-rays")
    if config.balance not in {Balance.NONE, Balance.GAN}:
        return NotApplicable(f"the report has no training with the balancing arm '{config.balance.value}'")
    if config.balance is Balance.GAN and config.gap_percent != 100:
        return NotApplicable(
            f"the report closed the gap between the classes, and this run {config.gap_percent} % of it"
        )
    if config.fine_tune is not None:
        return NotApplicable("the report trained no layer of VGG16 itself, and this run does")
    return ReportRun(config.architecture, balanced=config.balance is Balance.GAN)


def against_report(figures: Mapping[Metric, Estimate | NotApplicable], run: ReportRun) -> tuple[Row, ...]:
    """Every figure of a training of the report that has its like among ours.

    Args:
        figures: Ours, on test.
        run: The training of the report.

    Returns:
        Rows in the report's order; ours is not applicable where it is missing.
    """
    missing = NotApplicable("this figure was not computed")
    return tuple(
        _row(figure, metric, figures.get(metric, missing))
        for figure in REPORT_FIGURES
        if figure.run == run and (metric := metric_of(figure))
    )


def against_parameters(manifest: Mapping[str, Any], architecture: Architecture) -> tuple[ParameterRow, ...]:
    """A run's parameters against the report's, to the last one.

    Args:
        manifest: The run's manifest, with `parameters` and `trainable_parameters`.
        architecture: Its network.
    """
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
    """What the two protocols do to the figures, in sentences.

    Args:
        selected_on_test: Whether ours chose its epoch and rates on test images, as the report did.
        n: Our test images.
    """
    report = (
        f"The report chose its weights, learning rates and last epoch on the {_OFFICIAL_N} test images (section 3.3): its "
        "figures are the best of several looks at them, and flatter."
    )
    ours = (
        "Ours did the same, so the two flatter alike: this is a reproduction, not an estimate for new patients."
        if selected_on_test
        else "Ours chose everything on patients held out of training and nothing on test. Such a protocol is expected to "
        "score below one that is selected on test, with the same model: a lower figure here is not a worse model."
    )
    images = (
        f"Ours are of {n:,} test images and the report's of {_OFFICIAL_N}, so that the two differ by which images they are of "
        "too."
        if n != _OFFICIAL_N
        else f"Both are of {_OFFICIAL_N} test images. Whether they are the same files cannot be known."
    )
    interval = (
        "Our interval says what other patients would change. The report gives none and its figures vary as much, so 'inside' "
        "does not prove that two figures are equal, nor does 'outside' that they differ."
    )
    return report, ours, images, interval


def _row(figure: ReportFigure, metric: Metric, ours: Estimate | NotApplicable) -> Row:
    theirs = (metric, figure.name, figure.place, figure.value, figure.decimals)
    if isinstance(ours, NotApplicable):
        return Row(*theirs, ours, ours, ours, f"not applicable: {ours.reason}")
    # A hair more, so that binary fractions do not decide a tie.
    half = 0.5 * 10**-figure.decimals + 1e-12
    inside = ours.low <= figure.value + half and figure.value - half <= ours.high
    words = f"{'inside' if inside else 'below' if figure.value < ours.low else 'above'} our interval"
    return Row(*theirs, ours, ours.value - figure.value, inside, words)


def _parameters(name: str, place: str, report: int, ours: Any) -> ParameterRow:
    if not isinstance(ours, int):
        missing = NotApplicable("the run's manifest does not record it")
        return ParameterRow(name, place, report, missing, missing)
    return ParameterRow(name, place, report, ours, ours == report)
