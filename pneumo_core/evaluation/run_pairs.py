"""Pairs of runs of two sides: McNemar's and DeLong's test of each pair, adjusted for their number."""

from collections.abc import Sequence

from pneumo_core.evaluation.comparison import Evidence, Pair
from pneumo_core.evaluation.significance import (
    DeLong,
    McNemar,
    delong,
    delong_unpaired,
    holm_of_known,
    larger_p,
    mcnemar,
)
from pneumo_core.records import NotApplicable


def pairs_of(a: Sequence[Evidence], b: Sequence[Evidence], *, paired: bool, pairing: str) -> tuple[Pair, ...]:
    """Pairs of runs with equal seeds; without common seeds, in the order of the seeds.

    Args:
        a: Runs of A.
        b: Runs of B.
        paired: Whether both sides were tested on the same images, in the same order.
        pairing: The reason, for people.
    """
    by_seed = {run.seed: run for run in b}
    couples = [(run, by_seed[run.seed]) for run in a if run.seed in by_seed] or list(zip(a, b, strict=False))
    if paired:
        calls: list[McNemar | NotApplicable] = [mcnemar(one.correct, two.correct, one.patients) for one, two in couples]
        ranks = [delong(one.y_true, one.logit, two.logit, one.patients) for one, two in couples]
    else:
        calls = [NotApplicable(f"McNemar's test needs the same images: {pairing}")] * len(couples)
        ranks = [
            delong_unpaired(one.y_true, one.logit, one.patients, two.y_true, two.logit, two.patients)
            for one, two in couples
        ]
    adjusted = zip(_adjusted(calls), _adjusted(ranks), strict=True)
    return tuple(
        Pair(one.run_id, two.run_id, *tests, *holms)
        for (one, two), tests, holms in zip(couples, zip(calls, ranks, strict=True), adjusted, strict=True)
    )


def _adjusted(tests: Sequence[McNemar | DeLong | NotApplicable]) -> list[float | NotApplicable]:
    return holm_of_known([test if isinstance(test, NotApplicable) else larger_p(test) for test in tests])
