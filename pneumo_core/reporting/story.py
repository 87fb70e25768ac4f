"""The study's findings in words: what the Overview says, from the same values as the pages that it links to."""

from dataclasses import dataclass, replace
from typing import Final

from pneumo_core.config.classifier import Balance, Preset
from pneumo_core.config.naming import ARMS, NETWORKS
from pneumo_core.evaluation.against_report import against_report
from pneumo_core.evaluation.comparison import Direction
from pneumo_core.evaluation.findings import Arm, Findings, Transfer
from pneumo_core.evaluation.wording import (
    difference_parts,
    interval_text,
    percent,
    percent_text,
    score_text,
    value_text,
)
from pneumo_core.records import Architecture, Estimate, Metric, NotApplicable, Split, split_words
from pneumo_core.reference import REPORT_FIGURES, REPORT_PARAMETERS, ReportRun


@dataclass(frozen=True, slots=True)
class Mark:
    """One point of a forest plot.

    Attributes:
        row: The line that it is on.
        series: What it is of on that line; equal series look alike.
        estimate: An estimate, or a number that its source gives without an interval.
    """

    row: str
    series: str
    estimate: Estimate | float


REPORT: Final = "the report"
PICKED_ON_TEST: Final = "ours, epoch picked on test"
HELD_OUT: Final = "ours, picked on held-out patients"
VALIDATION: Final = "validation"
TEST: Final = "test"
DIFFERENCE: Final = "with DCGAN images, difference in points"


@dataclass(frozen=True, slots=True)
class Card:
    """One finding.

    Attributes:
        title: The finding in one sentence.
        value: Its main number.
        interval: The number's 95 % interval, or the reason why it has none.
        words: What the number is of: runs, split and n.
        marks: Its picture.
        note: What else must be known.
    """

    title: str
    value: str
    interval: str
    words: str
    marks: tuple[Mark, ...]
    note: str = ""


def reported(network: Architecture, *, balanced: bool) -> float:
    """Accuracy of a training of the report, as printed."""
    run = ReportRun(network, balanced)
    return next(figure.value for figure in REPORT_FIGURES if (figure.run, figure.name) == (run, "accuracy"))


def is_inside(arm: Arm) -> bool | NotApplicable:
    """Whether the report's accuracy lies in the interval of an arm that trains as its network did."""
    run = ReportRun(arm.architecture, balanced=arm.balance is Balance.GAN)
    return next(row.inside for row in against_report(arm.figures, run) if row.metric is Metric.ACCURACY)


def reproduction(findings: Findings) -> Card | NotApplicable:
    """Whether the report's accuracies are reached by its procedure, and by one that selects nothing on test."""
    originals = [arm for arm in findings.arms if arm.balance is Balance.NONE]
    repeated = [arm for arm in originals if arm.preset is Preset.REPORT]
    held_out = [arm for arm in originals if arm.preset is Preset.SOUND and arm.architecture in REPORT_PARAMETERS]
    if not repeated:
        return NotApplicable("no run by the report's procedure is published")
    title, reach = "The report's 90 % is not reproduced", ""
    if all(is_inside(arm) is True for arm in repeated):
        title = "The report's 90 % is reproduced"
        if held_out and not any(is_inside(arm) is True for arm in held_out):
            title += " where the epoch is picked on test images"
            networks = {arm.architecture for arm in held_out}
            values = " and ".join(_reported(arm) for arm in repeated if arm.architecture in networks)
            ours = [value_text(Metric.ACCURACY, arm.figures[Metric.ACCURACY]) for arm in held_out]
            reach = (
                f"With the epoch picked on held-out patients ours is {' and '.join(ours)}; the report's {values} "
                f"{'is' if len(networks) == 1 else 'are'} outside the intervals of these."
            )
    marks: list[Mark] = []
    for arm in repeated:
        row = NETWORKS[arm.architecture]
        marks.append(Mark(row, REPORT, reported(arm.architecture, balanced=False)))
        marks += _marks(arm, row, PICKED_ON_TEST)
        for other in held_out:
            marks += _marks(other, row, HELD_OUT) if other.architecture is arm.architecture else []
    first = repeated[0]
    found = first.figures[Metric.ACCURACY]
    return Card(
        title,
        value_text(Metric.ACCURACY, found),
        interval_text(Metric.ACCURACY, found),
        f"accuracy of the {_runs(first)} by the report's procedure; {_where(first)}",
        tuple(marks),
        reach,
    )


def balancing(findings: Findings) -> Card | NotApplicable:
    """Whether generated images change the accuracy: the contrast that selects nothing on test, and the others."""
    if not findings.balancing:
        return NotApplicable("no pair of runs without and with generated images is published")
    first = findings.balancing[0]
    claimed = [contrast for contrast in findings.balancing if contrast.claimed]
    some = " in some runs" if len(claimed) < len(findings.balancing) else ""
    title = "Generated images: no improvement in accuracy is shown"
    if any(contrast.direction is Direction.HIGHER for contrast in claimed):
        title = f"Generated images improve accuracy{some}"
    elif claimed:
        title = f"Generated images lower accuracy{some}"
    marks = [
        Mark(_row(one.a), DIFFERENCE, replace(one.accuracy, **{end: 100 * getattr(one.accuracy, end) for end in _ENDS}))
        for one in findings.balancing
        if isinstance(one.accuracy, Estimate)
    ]
    words = (
        f"accuracy of the {NETWORKS[first.a.architecture]}, {len(first.b.run_ids)} runs with DCGAN images against "
        f"{len(first.a.run_ids)} without; {_where(first.b)}"
    )
    value, interval = "n/a", ""
    if isinstance(first.accuracy, Estimate):
        value, interval = difference_parts(Metric.ACCURACY, first.accuracy)
    return Card(title, f"{value} points", interval, words, tuple(marks), undecided(findings))


def undecided(findings: Findings) -> str:
    """Which effects of generated images are not claimed although their interval over patients leaves out 0, or ""."""
    rows = [_row(one.a) for one in findings.balancing if not one.claimed and _leaves_out_0(one.accuracy)]
    if not rows:
        return ""
    return f"{' and '.join(rows)}: the interval over patients leaves out 0, but not every test that applies shows a difference."


def transfer(findings: Findings, recommended: str | None) -> Card | NotApplicable:
    """What a threshold that validation chose does on NORMAL test images: of the recommended run, and of the others."""
    known = [one for one in findings.transfers if isinstance(one.val, Estimate) and isinstance(one.test, Estimate)]
    if not known:
        return NotApplicable("no run with validation patients is published")
    known.sort(key=lambda one: one.run_id != recommended)
    title = "A threshold from validation holds on healthy test children"
    if any(_fails(one) for one in known):
        title = "A threshold from ordinary validation fails on healthy test children"
    marks: list[Mark] = []
    for one in known:
        row = f"{NETWORKS[one.architecture]}, {'recommended' if one.run_id == recommended else f'seed {one.seed}'}"
        pairs = ((VALIDATION, one.val), (TEST, one.test))
        marks += [Mark(row, series, found) for series, found in pairs if isinstance(found, Estimate)]
    better = [arm for arm in findings.arms if arm.preset is Preset.BEST and arm.is_original]
    for arm in better:
        marks += _marks(arm, _row(arm), TEST, Metric.SPECIFICITY)
    first = known[0]
    which = "the recommended model" if first.run_id == recommended else f"the {NETWORKS[first.architecture]}"
    n = f", n = {first.test.n:,}" if isinstance(first.test, Estimate) else ""
    words = f"of normal X-rays are called NORMAL by {which}; test{n}. On validation, {percent_text(first.val)}"
    value, interval = value_text(Metric.SPECIFICITY, first.test), interval_text(Metric.SPECIFICITY, first.test)
    found = " and ".join(f"{_specificity(arm)} by the {_runs(arm).rstrip(',')}" for arm in better)
    note = f"With the recipe 'best', which chooses on degraded copies, {found}." if found else ""
    return Card(title, value, interval, words, tuple(marks), note)


def _specificity(arm: Arm) -> str:
    return percent_text(arm.figures[Metric.SPECIFICITY])


def cards(findings: Findings, recommended: str | None) -> tuple[Card | NotApplicable, ...]:
    """The three findings, most important first."""
    return reproduction(findings), balancing(findings), transfer(findings, recommended)


def forest(findings: Findings) -> tuple[Mark, ...]:
    """Accuracy on test of the report and of each arm, network by network."""
    marks: list[Mark] = []
    for arm in findings.arms:
        # A recipe's class weights are no other images.
        images = ARMS[Balance.NONE if arm.is_original else arm.balance]
        if arm.preset is Preset.REPORT:
            of = reported(arm.architecture, balanced=arm.balance is Balance.GAN)
            marks.append(Mark(_row(arm), f"{REPORT}, {images}", of))
        marks += _marks(arm, _row(arm), f"ours, {images}")
    return tuple(marks)


def mark_text(mark: Mark) -> str:
    """A mark's value with its interval, as the cards have it."""
    if not isinstance(mark.estimate, Estimate):
        return f"{percent(mark.estimate, 0)}, no interval given"
    if mark.series == DIFFERENCE:
        return f"{score_text(mark.estimate, 1)} points"
    return percent_text(mark.estimate)


_ENDS: Final = ("value", "low", "high")


def _fails(one: Transfer) -> bool:
    return isinstance(one.val, Estimate) and isinstance(one.test, Estimate) and one.test.high < one.val.low


def _reported(arm: Arm) -> str:
    return f"{reported(arm.architecture, balanced=False):.2f}".removeprefix("0")


def _runs(arm: Arm) -> str:
    count = len(arm.run_ids)
    return NETWORKS[arm.architecture] + (f", mean of {count} runs," if count > 1 else ", one run,")


def _row(arm: Arm) -> str:
    return f"{NETWORKS[arm.architecture]}, {arm.preset.value}"


def _where(arm: Arm) -> str:
    found = arm.figures[Metric.ACCURACY]
    n = f", n = {found.n:,}" if isinstance(found, Estimate) else ""
    return f"{split_words(Split.TEST, selected=arm.selected_on_test)}{n}"


def _leaves_out_0(found: Estimate | NotApplicable) -> bool:
    return isinstance(found, Estimate) and not found.low <= 0 <= found.high


def _marks(arm: Arm, row: str, series: str, metric: Metric = Metric.ACCURACY) -> list[Mark]:
    found = arm.figures[metric]
    return [Mark(row, series, found)] if isinstance(found, Estimate) else []
