"""The claims of the report of 2020, each with our verdict on it, from the published runs."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pneumo_core.config.architecture import baseline_layers, vgg16_layers
from pneumo_core.config.classifier import Balance, Preset
from pneumo_core.config.naming import NETWORKS
from pneumo_core.evaluation.comparison import Direction
from pneumo_core.evaluation.findings import Arm, Contrast, Findings
from pneumo_core.evaluation.wording import difference_text, percent_text
from pneumo_core.records import Architecture, Estimate, Label, Metric, NotApplicable, Split
from pneumo_core.reference import FINDINGS, OFFICIAL_COUNTS, REPORT_PARAMETERS
from pneumo_core.reporting.document import Table
from pneumo_core.reporting.story import is_inside, reported, transfer, undecided


class Standing(StrEnum):
    """Our verdict on a claim."""

    HOLDS = "holds"
    PARTLY = "holds in part"
    FAILS = "does not hold"
    OPEN = "not shown"
    """The evidence does not decide it."""
    UNKNOWN = "cannot be checked"
    """There is no evidence for or against it."""


class Evidence(StrEnum):
    """Where the evidence of a verdict is shown."""

    FIGURES = "its figures beside ours"
    BALANCING = "original against balanced"
    NETWORKS = "Baseline CNN against VGG16"
    DATA = "the data set"
    MODEL = "the recommended model"
    NETWORK = "the networks, layer by layer"
    CONTRADICTIONS = "the contradictions"


@dataclass(frozen=True, slots=True)
class ReportClaim:
    """A claim of the report.

    Attributes:
        claim: The claim, close to its words.
        place: Section or figure of the report.
        standing: Our verdict.
        reason: The verdict's reason in figures.
        evidence: Where the evidence is shown.
    """

    claim: str
    place: str
    standing: Standing
    reason: str
    evidence: Evidence


_NONE: Final = "no published run examines it"


def report_claims(findings: Findings) -> tuple[ReportClaim, ...]:
    """The report's claims, in its order of importance."""
    makers: tuple[Callable[[Findings], ReportClaim], ...] = (
        _all_around_90,
        _no_improvement,
        _same_result,
        _baseline_reaches_90,
        _vgg16_better,
        _better_at_pneumonia,
        _balanced,
        _loss,
        _parameters,
        _support,
    )
    return tuple(make(findings) for make in makers)


def claims_table(findings: Findings) -> Table:
    """The claims as a table."""
    rows = ((one.claim, one.place, one.standing.value, one.reason) for one in report_claims(findings))
    return Table("report-claims", "Claims of the report of 2020", ("claim", "place", "verdict", "why"), tuple(rows))


def _all_around_90(findings: Findings) -> ReportClaim:
    ours = "; ".join(f"{_name(arm)} {_accuracy(arm)}" for arm in _repeated(findings))
    inside = [is_inside(arm) for arm in _repeated(findings)]
    own = ", ".join(
        f"{reported(network, balanced=balanced):.2f}".removeprefix("0")
        for balanced in (False, True)
        for network in REPORT_PARAMETERS
    )
    return ReportClaim(
        "All four trainings achieved around 90 % accuracy on the test set.",
        "sections 5 and 6",
        _standing(inside, of_all=Standing.PARTLY),
        f"Its own tables say {own}. By its procedure, which picks the epoch on test: {ours or _NONE}.",
        Evidence.FIGURES,
    )


def _no_improvement(findings: Findings) -> ReportClaim:
    higher = [one for one in findings.balancing if one.claimed and one.direction is Direction.HIGHER]
    standing = Standing.UNKNOWN if not findings.balancing else Standing.FAILS if higher else Standing.HOLDS
    return ReportClaim(
        "Adding generated images did not improve the models significantly.",
        "sections 5 and 6",
        standing,
        f"With DCGAN images minus without, in points: {_contrasts(findings.balancing)}.",
        Evidence.BALANCING,
    )


def _same_result(findings: Findings) -> ReportClaim:
    claimed = [one for one in findings.balancing if one.claimed]
    widths = [
        max(abs(one.accuracy.low), abs(one.accuracy.high))
        for one in findings.balancing
        if isinstance(one.accuracy, Estimate)
    ]
    reason = _NONE
    if widths:
        parts = (
            f"With DCGAN images minus without, in points: {_contrasts(findings.balancing)}.",
            undecided(findings),
        )
        reason = " ".join(filter(None, parts)) + (
            f" No difference shown is not equality: the intervals allow changes of up to {100 * max(widths):.1f} points, "
            "and its own tables fall by .02 and .03."
        )
    standing = Standing.FAILS if claimed else Standing.OPEN if widths else Standing.UNKNOWN
    return ReportClaim(
        "The accuracy with generated images was the same as with the original images.",
        "section 5",
        standing,
        reason,
        Evidence.BALANCING,
    )


def _baseline_reaches_90(findings: Findings) -> ReportClaim:
    by_procedure = _arm(findings, Architecture.BASELINE, Preset.REPORT)
    held_out = _arm(findings, Architecture.BASELINE, Preset.SOUND)
    standing, reason = Standing.UNKNOWN, _NONE
    if by_procedure is not None:
        reason = f"By its procedure, whose epoch is picked on test, {_accuracy(by_procedure)}"
        standing = Standing.HOLDS if is_inside(by_procedure) is True else Standing.FAILS
        if held_out is not None:
            reason += f"; with the epoch picked on held-out patients ('sound'), {_accuracy(held_out)}"
            if standing is Standing.HOLDS and is_inside(held_out) is not True:
                standing = Standing.PARTLY
    return ReportClaim(
        "The baseline CNN predicted the test images with 90 % accuracy.",
        "section 3.5",
        standing,
        f"{reason}.",
        Evidence.FIGURES,
    )


def _vgg16_better(findings: Findings) -> ReportClaim:
    found = findings.networks
    standing = Standing.UNKNOWN
    if found:
        shown = found[0].claimed and found[0].direction is Direction.HIGHER
        standing = Standing.HOLDS if shown else Standing.FAILS if found[0].claimed else Standing.OPEN
    return ReportClaim(
        "VGG16 performs slightly better than the baseline CNN.",
        "section 4",
        standing,
        f"VGG16 minus Baseline CNN, in points: {_contrasts(found)}.",
        Evidence.NETWORKS,
    )


def _better_at_pneumonia(findings: Findings) -> ReportClaim:
    arm = _arm(findings, Architecture.BASELINE, Preset.REPORT)
    if arm is None:
        standing, reason = Standing.UNKNOWN, _NONE
    else:
        finds, spares = arm.figures[Metric.SENSITIVITY], arm.figures[Metric.SPECIFICITY]
        both = isinstance(finds, Estimate) and isinstance(spares, Estimate)
        apart = both and finds.low > spares.high  # type: ignore[union-attr]
        standing = Standing.HOLDS if apart else Standing.OPEN
        reason = (
            f"Recall of PNEUMONIA {_on_test(finds)}, of NORMAL {_on_test(spares)} by its procedure; a threshold chooses "
            "between the two"
        )
    return ReportClaim(
        "The model is better at identifying pneumonia (recall 97 %) than normal images (77 %).",
        "section 3.5",
        standing,
        f"{reason}.",
        Evidence.FIGURES,
    )


def _balanced(_: Findings) -> ReportClaim:
    normal, sick = (OFFICIAL_COUNTS[Split.TRAIN, label] for label in Label)
    return ReportClaim(
        "About 2,500 generated NORMAL images balance the classes at around 4,000 each.",
        "section 5",
        Standing.HOLDS,
        f"{normal:,} NORMAL and {sick:,} PNEUMONIA training images: {sick - normal:,} close the gap, at {sick:,} each.",
        Evidence.DATA,
    )


def _loss(_: Findings) -> ReportClaim:
    return ReportClaim(
        "The loss with generated images was around the same range.",
        "section 5",
        Standing.UNKNOWN,
        "The report gives a single loss, .29, that of the baseline CNN on the original images.",
        Evidence.CONTRADICTIONS,
    )


def _parameters(_: Findings) -> ReportClaim:
    counts = {}
    for network, layers in ((Architecture.BASELINE, baseline_layers()), (Architecture.VGG16, vgg16_layers())):
        trainable = sum(layer.trainable for layer in layers)
        counts[network] = (trainable + sum(layer.fixed for layer in layers), trainable)
    said = {network: (known.total, known.trainable) for network, known in REPORT_PARAMETERS.items()}
    ours = " and ".join(f"{total:,} ({trainable:,} trainable)" for total, trainable in counts.values())
    return ReportClaim(
        "The networks have 5,677,329 and 23,760,705 parameters.",
        "sections 3.1 and 4",
        Standing.HOLDS if counts == said else Standing.FAILS,
        f"Rebuilt from its description, ours have {ours}.",
        Evidence.NETWORK,
    )


def _support(findings: Findings) -> ReportClaim:
    card = transfer(findings, None)
    drop = "" if isinstance(card, NotApplicable) else f"{card.value} {card.words}. "
    elsewhere = next(one for one in FINDINGS if one.source.startswith("Xin"))
    return ReportClaim(
        "Deep learning can support experts in examining chest radiographs for pneumonia.",
        "section 1",
        Standing.OPEN,
        f"Not by these data: {drop}{elsewhere.words} ({elsewhere.source})",
        Evidence.MODEL,
    )


def _standing(inside: list[bool | NotApplicable], *, of_all: Standing) -> Standing:
    if not inside or any(isinstance(one, NotApplicable) for one in inside):
        return Standing.UNKNOWN
    return of_all if any(inside) else Standing.FAILS


def _repeated(findings: Findings) -> list[Arm]:
    return [arm for arm in findings.arms if arm.preset is Preset.REPORT]


def _arm(findings: Findings, network: Architecture, preset: Preset) -> Arm | None:
    wanted = (network, preset, Balance.NONE)
    return next((arm for arm in findings.arms if (arm.architecture, arm.preset, arm.balance) == wanted), None)


def _name(arm: Arm) -> str:
    return NETWORKS[arm.architecture] + (" with DCGAN images" if arm.balance is Balance.GAN else "")


def _accuracy(arm: Arm) -> str:
    return _on_test(arm.figures[Metric.ACCURACY])


def _on_test(found: Estimate | NotApplicable) -> str:
    """A figure with its interval, split and n."""
    return percent_text(found) + (f", test, n = {found.n:,}" if isinstance(found, Estimate) else "")


def _contrasts(contrasts: tuple[Contrast, ...]) -> str:
    said = (
        f"{NETWORKS[one.a.architecture]} ({one.a.preset.value}) " * (one.a.architecture is one.b.architecture)
        + difference_text(Metric.ACCURACY, one.accuracy)
        for one in contrasts
    )
    text = "; ".join(said)
    n = {one.accuracy.n for one in contrasts if isinstance(one.accuracy, Estimate)}
    return f"{text}; test, n = {' and '.join(f'{one:,}' for one in sorted(n))}" if text else _NONE
