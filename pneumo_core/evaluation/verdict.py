"""The conclusion of a comparison in one sentence, no stronger than its statistics allow, and its limitations."""

from typing import Final

from pneumo_core.evaluation.comparison import Comparison, Direction, Side, Verdict
from pneumo_core.evaluation.significance import McNemar, SeedDifference, holm, larger_p
from pneumo_core.evaluation.wording import SCORES, difference_parts, p_text, percent
from pneumo_core.records import Estimate, Metric, NotApplicable, Split

LEVEL: Final = 0.05
"""Significance level: a difference is claimed if every applicable test has a smaller p; it matches the 95 % intervals."""

_MIX: Final = 0.05
"""Maximum difference of two test sets' prevalences at which their accuracies are still compared: at a sensitivity of .95 and a
specificity of .75 it changes the accuracy by one point."""

_KINDS: Final = {Metric.SENSITIVITY: "sensitivity", Metric.SPECIFICITY: "specificity", Metric.AUROC: "AUROC"}
"""Figures considered besides accuracy: the two kinds of error, and the ranking of the images."""


def judge(comparison: Comparison) -> Verdict:
    """The verdict on accuracy.

    A difference is claimed if its interval over patients excludes 0 and every applicable test has p < .05: McNemar's, exact and
    clustered (one run per side, same images); Welch's over seeds (several runs per side; with a single run on one of them,
    nothing is claimed). Between images of different prevalence no difference in accuracy is claimed.
    """
    claimed, estimate = _claimed(comparison, Metric.ACCURACY), comparison.differences[Metric.ACCURACY].estimate
    value = 0.0 if isinstance(estimate, NotApplicable) else estimate.value
    return Verdict(
        claimed=claimed,
        direction=Direction.HIGHER if value > 0 else Direction.LOWER if value < 0 else Direction.NEITHER,
        sentence=_sentence(comparison, claimed=claimed),
        notes=tuple(_notes(comparison, claimed=claimed)),
    )


def _sentence(comparison: Comparison, *, claimed: bool) -> str:
    a, b = comparison.a, comparison.b
    where = _where(comparison)
    difference = comparison.differences[Metric.ACCURACY]
    calls = comparison.mcnemar
    if isinstance(calls, McNemar) and calls.only_a == calls.only_b == 0 and calls.both_right + calls.both_wrong:
        return f"{where} {a.name} and {b.name} are correct and wrong on the same images: no difference in accuracy."
    if isinstance(difference.estimate, NotApplicable) or isinstance(difference.p, NotApplicable):
        reasons = (one.reason for one in (difference.estimate, difference.p) if isinstance(one, NotApplicable))
        what = "the difference in accuracy" if comparison.paired else "an accuracy"
        return f"{where} {a.name} and {b.name} cannot be compared by {what}: {next(reasons)}."
    estimate = difference.estimate
    figures = f"{'mean ' if _several(comparison) else ''}accuracy {_change(Metric.ACCURACY, estimate)}"
    seeds = comparison.seeds[Metric.ACCURACY]
    if isinstance(calls, McNemar):
        figures += f", McNemar {p_text(larger_p(calls))}"
    elif isinstance(seeds, SeedDifference):
        _, ends = difference_parts(Metric.ACCURACY, seeds)
        figures += f" over patients, {ends} over seeds, Welch {p_text(seeds.p)}"
    else:
        figures += f", {'bootstrap over patients' if comparison.paired else 'unpaired'} {p_text(difference.p)}"
    if not claimed:
        return f"{where} no difference can be shown between {a.name} and {b.name}: {figures}."
    return f"{where} {b.name} is {'more' if estimate.value > 0 else 'less'} accurate than {a.name}: {figures}."


def _change(metric: Metric, estimate: Estimate) -> str:
    value, interval = difference_parts(metric, estimate)
    return f"{value}{'' if metric in SCORES else ' points'}, 95 % interval {interval}"


def _where(comparison: Comparison) -> str:
    a, b = comparison.a, comparison.b
    if comparison.paired:
        of = f"{a.n_patients:,} patient{'s' if a.n_patients > 1 else ''}"
        where = f"On {a.n:,} {comparison.split.value} image{'s' if a.n > 1 else ''} of {of}"
    else:
        where = f"On {comparison.split.value} images that are not paired ({a.n:,} of A, {b.n:,} of B)"
    if _several(comparison):
        where = f"{where}, over {_runs(a)} of A and {_runs(b)} of B,"
    return where


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
    if metric is Metric.ACCURACY and isinstance(calls, McNemar):
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
    if moved := _moved(comparison):
        notes.append(f"Besides accuracy: {'; '.join(moved)} (p adjusted for {len(_KINDS)} figures by Holm's method).")
    accuracy = comparison.differences[Metric.ACCURACY].estimate
    leaves_out_0 = isinstance(accuracy, Estimate) and (accuracy.low > 0 or accuracy.high < 0)
    if leaves_out_0 and not claimed:
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
    if a.selected_on_test and b.selected_on_test:
        notes.append(
            "Both selected their epochs on the test images, as the 2020 report did: both figures are optimistic."
        )
    elif a.selected_on_test or b.selected_on_test:
        name = a.name if a.selected_on_test else b.name
        notes.append(
            f"{name} selected its epochs on the test images, so only its figures are optimistic: not a fair comparison."
        )
    fewest = min(len(a.run_ids), len(b.run_ids))
    if fewest == 1:
        notes.append(
            "One side has a single training run: another seed may differ by as much. The conclusion is about these models, not "
            "about their training data."
        )
    elif fewest == 2:
        notes.append(
            "One side has only two seeds, which say little about their spread; the interval over seeds is therefore wide."
        )
    return notes


def _moved(comparison: Comparison) -> list[str]:
    """The kinds of error that changed, for people, adjusted for their number."""
    adjusted = holm([_decides(comparison, metric) for metric in _KINDS])
    words = []
    for metric, p in zip(_KINDS, adjusted, strict=True):
        estimate = comparison.differences[metric].estimate
        if isinstance(estimate, Estimate) and p < LEVEL and _claimed(comparison, metric):
            words.append(f"{_KINDS[metric]} {_change(metric, estimate)}, {p_text(p)}")
    return words
