"""Runs of two sides beside each other: McNemar's and DeLong's test of each pair, adjusted for looking at several."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pneumo_core.evaluation.comparison import Pair
from pneumo_core.evaluation.figures import Evidence, labels_of
from pneumo_core.evaluation.metrics import FloatArray, IntArray
from pneumo_core.evaluation.paired import DeLong, McNemar, delong, delong_unpaired, holm, mcnemar
from pneumo_core.evaluation.probability import probability
from pneumo_core.records import Label, NotApplicable

__all__ = ["arrays", "pairs_of"]


def pairs_of(a: Sequence[Evidence], b: Sequence[Evidence], *, paired: bool, pairing: str) -> tuple[Pair, ...]:
    """Runs of equal seed side by side; where no seed is on both sides, in the order of their seeds.

    Args:
        a: Runs of A.
        b: Runs of B.
        paired: Whether both sides were asked about the same images, in the same order.
        pairing: Why, or why not, in words.
    """
    by_seed = {run.seed: run for run in b}
    couples = [(run, by_seed[run.seed]) for run in a if run.seed in by_seed]
    pairs = []
    for one, other in couples or zip(a, b, strict=False):
        (y_a, logit_a, patients_a), (y_b, logit_b, patients_b) = arrays(one), arrays(other)
        if paired:
            right = [
                (probability(logit) >= run.threshold) == (y_a == Label.PNEUMONIA)
                for run, logit in ((one, logit_a), (other, logit_b))
            ]
            calls: McNemar | NotApplicable = mcnemar(right[0], right[1], patients_a)
            ranks = delong(y_a, logit_a, logit_b, patients_a)
        else:
            calls = NotApplicable(f"McNemar's test needs the same images: {pairing}")
            ranks = delong_unpaired(y_a, logit_a, patients_a, y_b, logit_b, patients_b)
        waiting = NotApplicable("not adjusted yet")
        pairs.append(Pair(one.run_id, other.run_id, calls, ranks, waiting, waiting))
    return _with_holm(pairs)


def arrays(run: Evidence) -> tuple[IntArray, FloatArray, NDArray[np.str_]]:
    """Classes, logits and patients of a run's images, each (n,)."""
    table = run.predictions
    return labels_of(table), table["logit"].to_numpy(dtype=np.float64), table["patient_id"].to_numpy(dtype=str)


def _with_holm(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    calls, ranks = (_holm([getattr(pair, kind) for pair in pairs]) for kind in ("mcnemar", "delong"))
    return tuple(
        replace(pair, mcnemar_holm=of_calls, delong_holm=of_ranks)
        for pair, of_calls, of_ranks in zip(pairs, calls, ranks, strict=True)
    )


def _holm(tests: Sequence[McNemar | DeLong | NotApplicable]) -> list[float | NotApplicable]:
    adjusted = iter(holm([test.p for test in tests if not isinstance(test, NotApplicable)]))
    return [test if isinstance(test, NotApplicable) else next(adjusted) for test in tests]
