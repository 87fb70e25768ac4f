"""The conclusion of a comparison in one sentence, no stronger than its statistics allow, and its limitations.

Each figure has one p value, wherever it is shown: `figure_p`.
"""

from collections.abc import Sequence
from typing import Final

from pneumo_core.evaluation.comparison import Comparison, Direction, Finding, Side, Verdict
from pneumo_core.evaluation.significance import McNemar, SeedDifference, holm, larger_p
from pneumo_core.evaluation.wording import SCORES, STRESS_NOTE, difference_parts, p_text, percent
from pneumo_core.records import Estimate, Metric, NotApplicable, Split

LEVEL: Final = 0.05
"""Significance level: a difference is claimed if every applicable test has a smaller p; it matches the 95 % intervals."""

_MIX: Final = 0.05
"""Maximum difference of two test sets' prevalences at which their accuracies are still compared: at a sensitivity of .95 and a
specificity of .75 it changes the accuracy by one point."""

_BESIDES: Final = {Metric.SENSITIVITY: "sensitivity", Metric.SPECIFICITY: "specificity", Metric.AUROC: "AUROC"}
"""Figures considered besides accuracy: the two kinds of error, and the ranking of the images."""

_SHARES_OF_ALL: Final = {Metric.ACCURACY, Metric.WEIGHTED_RECALL}
"""Two names of one figure."""

HEADLINE: Final = (Metric.ACCURACY, *_BESIDES)
"""The main figures of a comparison."""

MULTIPLICITY: Final = (
    "Each figure has one p value, the largest of the tests that apply. Accuracy is the main figure, so its p is as it is; p of "
    f"{', '.join(list(_BESIDES.values())[:-1])} and {list(_BESIDES.values())[-1]} is adjusted for {len(_BESIDES)} figures by "
    "Holm's method. None is adjusted for other comparisons that are looked at; the document of a study adjusts for its own."
)
"""What is to be known of every p value, said once."""


def judge(comparison: Comparison) -> Verdict:
    """The verdict on accuracy.

    A difference is claimed if its interval over patients excludes 0 and every applicable test has p < .05: McNemar's, exact and
    clustered (one run per side, same images); Welch's over seeds (several runs per side; with a single run on one of them,
    nothing is claimed). Between images of different prevalence no difference in accuracy is claimed.
    """
    findings, estimate = _findings(comparison), comparison.differences[Metric.ACCURACY].estimate
    claimed = findings[0].claimed
    value = 0.0 if isinstance(estimate, NotApplicable) else estimate.value
    return Verdict(
        claimed=claimed,
        direction=Direction.HIGHER if value > 0 else Direction.LOWER if value < 0 else Direction.NEITHER,
        sentence=_sentence(comparison, claimed=claimed),
        notes=(_besides(comparison, findings), *_notes(comparison, claimed=claimed), MULTIPLICITY),
        findings=findings,
    )


def figure_p(comparison: Comparison, metric: Metric) -> float | NotApplicable:
    """The one p value of a figure: a main figure's as in the verdict, of others that of `deciding_p`, not adjusted."""
    found = {finding.metric: finding.p for finding in comparison.verdict.findings}
    return found[metric] if metric in found else deciding_p(comparison, metric)[0]


def _sentence(comparison: Comparison, *, claimed: bool) -> str:
    a, b = comparison.a, comparison.b
    where = _where(comparison)
    difference = comparison.differences[Metric.ACCURACY]
    calls = comparison.mcnemar
    if isinstance(calls, McNemar) and calls.only_a == calls.only_b == 0 and calls.both_right + calls.both_wrong:
        return f"No difference in accuracy: {a.name} and {b.name} are correct and wrong on the same images, {where}."
    if isinstance(difference.estimate, NotApplicable) or isinstance(difference.p, NotApplicable):
        reasons = (one.reason for one in (difference.estimate, difference.p) if isinstance(one, NotApplicable))
        what = "the difference in accuracy" if comparison.paired else "an accuracy"
        return f"{a.name} and {b.name} cannot be compared by {what}, {where}: {next(reasons)}."
    estimate = difference.estimate
    figures = f"{'mean ' if _several(comparison) else ''}{_change(comparison, Metric.ACCURACY, estimate)}"
    p, test = deciding_p(comparison, Metric.ACCURACY)
    words = f"{figures}, {p_text(p)} ({test}), {where}."
    if not claimed:
        return f"No difference in accuracy is shown between {a.name} and {b.name}: {words}"
    return f"{b.name} is {'more' if estimate.value > 0 else 'less'} accurate than {a.name}: {words}"


def _change(comparison: Comparison, metric: Metric, estimate: Estimate) -> str:
    """A difference with its interval over patients and, of several runs, over seeds."""
    value, interval = difference_parts(metric, estimate)
    seeds = comparison.seeds[metric]
    over_seeds = (
        f" over patients, {difference_parts(metric, seeds)[1]} over seeds" if isinstance(seeds, SeedDifference) else ""
    )
    return f"{value}{'' if metric in SCORES else ' points'}, 95 % interval {interval}{over_seeds}"


def _where(comparison: Comparison) -> str:
    a, b = comparison.a, comparison.b
    if comparison.paired:
        of = f"{a.n_patients:,} patient{'s' if a.n_patients > 1 else ''}"
        where = f"on {a.n:,} {comparison.split.value} image{'s' if a.n > 1 else ''} of {of}"
    else:
        where = f"on {comparison.split.value} images that are not paired ({a.n:,} of A, {b.n:,} of B)"
    return f"{where}, over {_runs(a)} of A and {_runs(b)} of B" if _several(comparison) else where


def _runs(side: Side) -> str:
    return f"{len(side.run_ids)} run{'s' if len(side.run_ids) > 1 else ''}"


def _several(comparison: Comparison) -> bool:
    return len(comparison.a.run_ids) > 1 or len(comparison.b.run_ids) > 1


def _claimed(comparison: Comparison, metric: Metric) -> bool:
    """Whether the intervals over patients and over seeds exclude 0, and every applicable test is significant."""
    estimate, seeds = comparison.differences[metric].estimate, comparison.seeds[metric]
    if isinstance(estimate, NotApplicable) or estimate.low <= 0 <= estimate.high:
        return False
    # Several runs separate the effect of the seed; with a single run on one side, they cannot.
    agree = not isinstance(seeds, NotApplicable) and (seeds.value > 0) == (estimate.value > 0)
    if _several(comparison) and not agree:
        return False
    if metric is Metric.ACCURACY and _mix_differs(comparison):
        return False
    return _decides(comparison, metric) < LEVEL


def deciding_p(comparison: Comparison, metric: Metric) -> tuple[float | NotApplicable, str]:
    """The p value that the conclusion on a metric is based on, the largest of those that apply, and its test's name."""
    p, seeds, calls = comparison.differences[metric].p, comparison.seeds[metric], comparison.mcnemar
    if isinstance(seeds, SeedDifference) and _several(comparison) and (isinstance(p, NotApplicable) or seeds.p >= p):
        return (p if isinstance(p, NotApplicable) else seeds.p), "Welch over seeds"
    if metric in _SHARES_OF_ALL and isinstance(calls, McNemar):
        return p, "McNemar, exact" if larger_p(calls) == calls.p else "McNemar, clustered"
    return p, "bootstrap over patients" if comparison.paired else "unpaired intervals"


def _decides(comparison: Comparison, metric: Metric) -> float:
    p, _ = deciding_p(comparison, metric)
    return 1.0 if isinstance(p, NotApplicable) else p


def _mix_differs(comparison: Comparison) -> bool:
    """Whether the prevalences of the sides differ so much that accuracy would differ for that reason alone."""
    a, b = (side.n_pneumonia / side.n for side in (comparison.a, comparison.b))
    return not comparison.paired and abs(a - b) > _MIX


def _notes(comparison: Comparison, *, claimed: bool) -> list[str]:
    a, b = comparison.a, comparison.b
    notes = []
    accuracy = comparison.differences[Metric.ACCURACY].estimate
    leaves_out_0 = isinstance(accuracy, Estimate) and (accuracy.low > 0 or accuracy.high < 0)
    lone = [letter for letter, side in (("A", a), ("B", b)) if len(side.run_ids) == 1]
    if leaves_out_0 and not claimed and len(lone) == 1:
        notes.append(
            f"{lone[0]} is a single run and the other side several: how far the seed alone moves it cannot be measured, so "
            "no difference is claimed, whatever the interval over patients."
        )
    elif leaves_out_0 and not claimed:
        notes.append("The interval excludes 0, but not every test has p < .05; a claim needs both.")
    if not comparison.paired:
        notes.append(f"Not paired: {comparison.pairing}. McNemar's test does not apply, and intervals are wider.")
    if _mix_differs(comparison):
        shares = " and ".join(percent(side.n_pneumonia / side.n, 0) for side in (a, b))
        notes.append(
            f"The images of A and B differ in prevalence: {shares} are PNEUMONIA. Accuracy, PPV, NPV, F1 and means differ "
            "for that reason alone; read sensitivity, specificity and AUROC."
        )
    if comparison.split is Split.VAL:
        notes.append(
            "Epochs and thresholds were selected on validation: these figures are optimistic; report the test figures."
        )
    if comparison.split is Split.STRESS:
        notes.append(STRESS_NOTE)
    if a.selected_on_test and b.selected_on_test:
        notes.append(
            "Both selected their epochs on the test images, as the 2020 report did: both figures are optimistic."
        )
    elif a.selected_on_test or b.selected_on_test:
        name = a.name if a.selected_on_test else b.name
        notes.append(
            f"{name} selected its epochs on the test images, so only its figures are optimistic: not a fair comparison."
        )
    sizes = len(a.run_ids), len(b.run_ids)
    who = "Each side" if sizes[0] == sizes[1] else "One side"
    if min(sizes) == 1:
        notes.append(
            f"{who} has a single training run: another seed may differ by as much. The conclusion is about these models, not "
            "about their training data."
        )
    elif min(sizes) == 2:
        notes.append(
            f"{who} has only two seeds, which say little about their spread; the interval over seeds is therefore wide."
        )
    return notes


def _findings(comparison: Comparison) -> tuple[Finding, ...]:
    """Conclusions on the main figures; those besides accuracy are adjusted for their number."""
    adjusted = holm([_decides(comparison, metric) for metric in _BESIDES])
    found = []
    for metric, p in zip(HEADLINE, (_decides(comparison, Metric.ACCURACY), *adjusted), strict=True):
        own, test = deciding_p(comparison, metric)
        claimed = p < LEVEL and _claimed(comparison, metric)
        found.append(Finding(metric, claimed, own if isinstance(own, NotApplicable) else p, test))
    return tuple(found)


def _besides(comparison: Comparison, findings: Sequence[Finding]) -> str:
    """The differences that are shown besides accuracy."""
    words = []
    for finding in findings[1:]:
        estimate = comparison.differences[finding.metric].estimate
        if finding.claimed and isinstance(estimate, Estimate):
            change = _change(comparison, finding.metric, estimate)
            words.append(f"{_BESIDES[finding.metric]} {change}, {p_text(finding.p)} ({finding.test})")
    if words:
        return f"Besides accuracy a difference is shown in {'; in '.join(words)}."
    *first, last = _BESIDES.values()
    return f"Besides accuracy no difference is shown in {', '.join(first)} or {last}."
