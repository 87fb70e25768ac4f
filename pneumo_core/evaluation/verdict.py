"""A comparison in one sentence, never stronger than its statistics allow, and what must be read with it."""

from typing import TYPE_CHECKING, Final

from pneumo_core.evaluation.figures import Metric
from pneumo_core.evaluation.paired import McNemar, SeedDifference, holm
from pneumo_core.records import Estimate, NotApplicable

if TYPE_CHECKING:
    from pneumo_core.evaluation.comparison import Comparison, Side

__all__ = ["LEVEL", "in_points", "judge", "p_text"]

LEVEL: Final = 0.05
"""A difference is claimed where every test that applies has a p below this, the level of the 95 % intervals."""

_KINDS: Final = {Metric.SENSITIVITY: "sensitivity", Metric.SPECIFICITY: "specificity", Metric.AUROC: "AUROC"}
"""What is looked at beside accuracy: the two kinds of error, and the order of the images whatever the threshold."""


def judge(comparison: "Comparison") -> tuple[str, tuple[str, ...]]:
    """The verdict on accuracy, and notes.

    A difference is claimed where its interval over patients leaves out 0, and McNemar's test has p < .05 (the exact one
    and the one that allows for several images of a patient; one run a side, same images), or Welch's over seeds (several runs
    a side; with one run on the other, nothing is claimed).

    Returns:
        One sentence, and further ones that limit it.
    """
    return _sentence(comparison), tuple(_notes(comparison))


def p_text(p: float) -> str:
    """A p value in words: ``p = .29``, ``p < .001``."""
    if p < 0.001:
        return "p < .001"
    digits = f"{p:.3f}" if p < 0.1 else f"{p:.2f}"
    return f"p = {digits.removeprefix('0')}"


def in_points(estimate: Estimate, *, metric: Metric = Metric.ACCURACY) -> str:
    """A difference with its interval: in percentage points, or of AUROC as it is."""
    if metric is Metric.AUROC:
        return f"{estimate.value:+.3f}, 95 % interval {estimate.low:+.3f} to {estimate.high:+.3f}"
    value, low, high = (100 * number for number in (estimate.value, estimate.low, estimate.high))
    return f"{value:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}"


def _sentence(comparison: "Comparison") -> str:
    a, b = comparison.a, comparison.b
    where = _where(comparison)
    difference = comparison.differences[Metric.ACCURACY]
    calls = comparison.mcnemar
    if isinstance(calls, McNemar) and calls.only_a == calls.only_b == 0 and calls.both_right + calls.both_wrong:
        return f"{where} {a.name} and {b.name} are right and wrong about the same images: no difference in accuracy."
    if isinstance(difference.estimate, NotApplicable) or isinstance(difference.p, NotApplicable):
        reason = difference.estimate.reason if isinstance(difference.estimate, NotApplicable) else "it has no p"
        return f"{where} nothing can be said of {a.name} against {b.name}: {reason}."
    estimate = difference.estimate
    figures = f"{'mean ' if _several(comparison) else ''}accuracy {in_points(estimate)}"
    seeds = comparison.seeds[Metric.ACCURACY]
    if isinstance(calls, McNemar):
        figures += f", McNemar {p_text(calls.p)}"
    elif isinstance(seeds, SeedDifference):
        ends = f"{100 * seeds.low:+.1f} to {100 * seeds.high:+.1f}"
        figures += f" over patients, {ends} over seeds, Welch {p_text(seeds.p)}"
    else:
        figures += f", {p_text(difference.p)}"
    if not _claimed(comparison, Metric.ACCURACY):
        return f"{where} no difference can be shown between {a.name} and {b.name}: {figures}."
    return f"{where} {b.name} is {'more' if estimate.value > 0 else 'less'} accurate than {a.name}: {figures}."


def _where(comparison: "Comparison") -> str:
    a, b = comparison.a, comparison.b
    if comparison.paired:
        where = f"On {a.n:,} {comparison.split.value} images of {a.n_patients:,} patients"
    else:
        where = f"On different {comparison.split.value} images ({a.n:,} of A, {b.n:,} of B), unpaired,"
    if _several(comparison):
        where = f"{where.rstrip(',')}, over {_runs(a)} of A and {_runs(b)} of B,"
    return where


def _runs(side: "Side") -> str:
    return f"{len(side.run_ids)} run{'s' if len(side.run_ids) > 1 else ''}"


def _several(comparison: "Comparison") -> bool:
    return len(comparison.a.run_ids) > 1 or len(comparison.b.run_ids) > 1


def _claimed(comparison: "Comparison", metric: Metric) -> bool:
    """Whether the interval over patients leaves out 0 and so does every further test that applies."""
    difference, seeds = comparison.differences[metric], comparison.seeds[metric]
    if isinstance(difference.estimate, NotApplicable):
        return False
    claimed = difference.estimate.low > 0 or difference.estimate.high < 0
    if isinstance(seeds, SeedDifference):
        same_way = (seeds.value > 0) == (difference.estimate.value > 0)
        claimed = claimed and same_way and seeds.p < LEVEL
    elif _several(comparison):
        return False  # Several runs were made to tell the seed from the rest, and here they cannot.
    if metric is Metric.ACCURACY and isinstance(calls := comparison.mcnemar, McNemar):
        clustered = calls.p if isinstance(calls.p_clustered, NotApplicable) else calls.p_clustered
        claimed = claimed and calls.p < LEVEL and clustered < LEVEL
    return claimed


def _notes(comparison: "Comparison") -> list[str]:
    a, b = comparison.a, comparison.b
    notes = []
    if moved := _moved(comparison):
        notes.append(
            f"Beside accuracy: {'; '.join(moved)} (p adjusted for looking at {len(_KINDS)} figures by Holm's method)."
        )
    accuracy = comparison.differences[Metric.ACCURACY].estimate
    leaves_out_0 = isinstance(accuracy, Estimate) and (accuracy.low > 0 or accuracy.high < 0)
    if leaves_out_0 and not _claimed(comparison, Metric.ACCURACY):
        notes.append("The interval leaves out 0, but not every test has p < .05: both are asked for.")
    if not comparison.paired:
        notes.append(f"Not paired: {comparison.pairing}. McNemar's test does not apply, and intervals are wider.")
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


def _moved(comparison: "Comparison") -> list[str]:
    """The kinds of error that changed, in words, allowing for looking at several."""
    found = {metric: comparison.differences[metric] for metric in _KINDS}
    tested = [metric for metric, difference in found.items() if not isinstance(difference.p, NotApplicable)]
    adjusted = holm([float(p) for metric in tested if not isinstance(p := found[metric].p, NotApplicable)])
    words = []
    for metric, p in zip(tested, adjusted, strict=True):
        estimate = found[metric].estimate
        if isinstance(estimate, Estimate) and p < LEVEL and _claimed(comparison, metric):
            words.append(f"{_KINDS[metric]} {in_points(estimate, metric=metric)}, {p_text(p)}")
    return words
