"""A comparison in one sentence, never stronger than its statistics allow, and what must be read with it."""

from typing import Final

from pneumo_core.evaluation.comparison import Comparison, Direction, Side, Verdict
from pneumo_core.evaluation.significance import McNemar, SeedDifference, holm
from pneumo_core.evaluation.wording import SCORES, difference_parts, p_text, percent
from pneumo_core.records import Estimate, Metric, NotApplicable, Split

LEVEL: Final = 0.05
"""A difference is claimed where every test that applies has a p below this, the level of the 95 % intervals."""

_MIX: Final = 0.05
"""Largest difference of two test sets' shares of PNEUMONIA at which their accuracies are still held against each other: at a
sensitivity of .95 and a specificity of .75 it moves the accuracy by one point."""

_KINDS: Final = {Metric.SENSITIVITY: "sensitivity", Metric.SPECIFICITY: "specificity", Metric.AUROC: "AUROC"}
"""What is looked at beside accuracy: the two kinds of error, and the order of the images whatever the threshold."""


def judge(comparison: Comparison) -> Verdict:
    """The verdict on accuracy.

    A difference is claimed where its interval over patients leaves out 0 and every test that applies has p < .05: McNemar's,
    exact and clustered (one run a side, same images); Welch's over seeds (several runs a side; with one run on the other,
    nothing is claimed). On images of another mix of classes nothing is claimed of accuracy.
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
        return f"{where} {a.name} and {b.name} are right and wrong about the same images: no difference in accuracy."
    if min(a.n_patients, b.n_patients) < 2:
        return f"{where} nothing can be said of {a.name} against {b.name}: one patient tells nothing of others."
    if isinstance(difference.estimate, NotApplicable) or isinstance(difference.p, NotApplicable):
        return f"{where} nothing can be said of {a.name} against {b.name}: redrawing the patients changes nothing."
    estimate = difference.estimate
    figures = f"{'mean ' if _several(comparison) else ''}accuracy {_change(Metric.ACCURACY, estimate)}"
    seeds = comparison.seeds[Metric.ACCURACY]
    if isinstance(calls, McNemar):
        figures += f", McNemar {p_text(calls.p)}"
    elif isinstance(seeds, SeedDifference):
        _, ends = difference_parts(Metric.ACCURACY, seeds)
        figures += f" over patients, {ends} over seeds, Welch {p_text(seeds.p)}"
    else:
        figures += f", unpaired {p_text(difference.p)}"
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
        where = f"On {comparison.split.value} images that make no pairs ({a.n:,} of A, {b.n:,} of B)"
    if _several(comparison):
        where = f"{where}, over {_runs(a)} of A and {_runs(b)} of B,"
    return where


def _runs(side: Side) -> str:
    return f"{len(side.run_ids)} run{'s' if len(side.run_ids) > 1 else ''}"


def _several(comparison: Comparison) -> bool:
    return len(comparison.a.run_ids) > 1 or len(comparison.b.run_ids) > 1


def _claimed(comparison: Comparison, metric: Metric) -> bool:
    """Whether the intervals leave out 0, over patients and over seeds alike, and no test that applies speaks against it."""
    estimate, seeds = comparison.differences[metric].estimate, comparison.seeds[metric]
    if isinstance(estimate, NotApplicable) or estimate.low <= 0 <= estimate.high:
        return False
    # Several runs were made to tell the seed from the rest; where one side has but one, they cannot.
    agree = not isinstance(seeds, NotApplicable) and (seeds.value > 0) == (estimate.value > 0)
    if _several(comparison) and not agree:
        return False
    if metric is Metric.ACCURACY and _mix_differs(comparison):
        return False
    return _largest_p(comparison, metric) < LEVEL


def _largest_p(comparison: Comparison, metric: Metric) -> float:
    """The p of a difference: over patients or over seeds, whichever is larger; 1 where there is none."""
    p, seeds = comparison.differences[metric].p, comparison.seeds[metric]
    over_patients = 1.0 if isinstance(p, NotApplicable) else p
    return max(over_patients, seeds.p) if isinstance(seeds, SeedDifference) and _several(comparison) else over_patients


def _mix_differs(comparison: Comparison) -> bool:
    """Whether the sides' images hold so different shares of PNEUMONIA that accuracy would differ for that alone."""
    a, b = (side.n_pneumonia / side.n for side in (comparison.a, comparison.b))
    return not comparison.paired and abs(a - b) > _MIX


def _notes(comparison: Comparison, *, claimed: bool) -> list[str]:
    a, b = comparison.a, comparison.b
    notes = []
    if moved := _moved(comparison):
        notes.append(
            f"Beside accuracy: {'; '.join(moved)} (p adjusted for looking at {len(_KINDS)} figures by Holm's method)."
        )
    accuracy = comparison.differences[Metric.ACCURACY].estimate
    leaves_out_0 = isinstance(accuracy, Estimate) and (accuracy.low > 0 or accuracy.high < 0)
    if leaves_out_0 and not claimed:
        notes.append("The interval leaves out 0, but not every test has p < .05: both are asked for.")
    if not comparison.paired:
        notes.append(f"Not paired: {comparison.pairing}. McNemar's test does not apply, and intervals are wider.")
    if _mix_differs(comparison):
        shares = " and ".join(percent(side.n_pneumonia / side.n, 0) for side in (a, b))
        notes.append(
            f"The images of A and B are not of one mix: {shares} are PNEUMONIA. Accuracy, PPV, NPV, F1 and their means differ "
            "for that alone; read sensitivity, specificity and AUROC."
        )
    if comparison.split is Split.VAL:
        notes.append("Validation images chose epochs and thresholds, so these figures flatter: quote test.")
    if a.selected_on_test and b.selected_on_test:
        notes.append("Both chose their epochs on the test images, as the report of 2020 did: both figures flatter.")
    elif a.selected_on_test or b.selected_on_test:
        name = a.name if a.selected_on_test else b.name
        notes.append(
            f"{name} chose its epochs on the test images, which flatters it and it alone: not a fair comparison."
        )
    fewest = min(len(a.run_ids), len(b.run_ids))
    if fewest == 1:
        notes.append(
            "One training run on a side: another seed may differ by as much. This is about these models, not about what "
            "they were trained on."
        )
    elif fewest == 2:
        notes.append(
            "Two seeds on a side say little about their spread: the interval over seeds is wide for that reason."
        )
    return notes


def _moved(comparison: Comparison) -> list[str]:
    """The kinds of error that changed, in words, allowing for looking at several."""
    adjusted = holm([_largest_p(comparison, metric) for metric in _KINDS])
    words = []
    for metric, p in zip(_KINDS, adjusted, strict=True):
        estimate = comparison.differences[metric].estimate
        if isinstance(estimate, Estimate) and p < LEVEL and _claimed(comparison, metric):
            words.append(f"{_KINDS[metric]} {_change(metric, estimate)}, {p_text(p)}")
    return words
