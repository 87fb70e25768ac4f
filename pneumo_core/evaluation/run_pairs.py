"""Pairs of runs of two sides: McNemar's and DeLong's test of each pair, adjusted for their number."""

from collections.abc import Sequence
from dataclasses import replace

from pneumo_core.evaluation.comparison import Evidence, Pair
from pneumo_core.evaluation.significance import DeLong, McNemar, delong, delong_unpaired, holm, mcnemar
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
    couples = [(run, by_seed[run.seed]) for run in a if run.seed in by_seed]
    pairs = []
    for one, other in couples or zip(a, b, strict=False):
        if paired:
            calls: McNemar | NotApplicable = mcnemar(one.correct, other.correct, one.patients)
            ranks = delong(one.y_true, one.logit, other.logit, one.patients)
        else:
            calls = NotApplicable(f"McNemar's test needs the same images: {pairing}")
            ranks = delong_unpaired(
                *(one.y_true, one.logit, one.patients),
                *(other.y_true, other.logit, other.patients),
            )
        waiting = NotApplicable("not adjusted yet")
        pairs.append(Pair(one.run_id, other.run_id, calls, ranks, waiting, waiting))
    return _with_holm(pairs)


def _with_holm(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    calls, ranks = (_holm([getattr(pair, kind) for pair in pairs]) for kind in ("mcnemar", "delong"))
    return tuple(
        replace(pair, mcnemar_holm=of_calls, delong_holm=of_ranks)
        for pair, of_calls, of_ranks in zip(pairs, calls, ranks, strict=True)
    )


def _holm(tests: Sequence[McNemar | DeLong | NotApplicable]) -> list[float | NotApplicable]:
    adjusted = iter(holm([test.p for test in tests if not isinstance(test, NotApplicable)]))
    return [test if isinstance(test, NotApplicable) else next(adjusted) for test in tests]
