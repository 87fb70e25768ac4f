"""Comparison of two runs, or two groups of runs over seeds, on the images of one split.

Three steps, top to bottom: evidence gives both sides with their bootstrap draws (`sides`); the sides give tests, differences
and intervals; all of it gives the comparison with its verdict. Two sources of variation are treated separately: the choice of
patients in the split by a bootstrap over patients (`resampling`), and the seed of a training by the spread over runs. A claim
needs both.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
from scipy.special import ndtr

from pneumo_core.evaluation.comparison import SCHEMA, Comparison, Difference, Evidence, Pair, Side
from pneumo_core.evaluation.resampling import LEAST_PATIENTS, REPLICATES, SEED, Resampled, Z
from pneumo_core.evaluation.sides import drawn_figures, drawn_side, estimates, known
from pneumo_core.evaluation.significance import (
    DeLong,
    McNemar,
    SeedDifference,
    delong,
    delong_unpaired,
    holm_of_known,
    larger_p,
    mcnemar,
    seed_difference,
)
from pneumo_core.evaluation.verdict import judge
from pneumo_core.records import Estimate, Label, Metric, NotApplicable, Split

_METHODS: Final = (
    "Every difference is B minus A. Intervals are 95 %. Over patients: a bootstrap that draws patients with all their "
    f"images, {REPLICATES:,} replicates, seed {SEED}, bias-corrected and accelerated (BCa; DiCiccio and "
    f"Efron 1996), the same draw for both sides; with fewer than {LEAST_PATIENTS} patients, of each class where both matter, "
    "there is none. p: of two runs on the same images McNemar's for accuracy, sensitivity and "
    "specificity and DeLong's for AUROC, the larger of the plain and the clustered one; else the level at which the interval "
    "touches 0. On different images the interval of a difference is made from those of both sides (Zou and Donner 2008; of "
    "proportions Newcombe's method 10), as if no patient were in both. A single run's "
    "accuracy, sensitivity, specificity, PPV and NPV have Wilson's interval with the patients' design effect, as in its own "
    "report. Over seeds, kept apart: Welch's t test of the runs' figures. McNemar: exact, two-sided; its clustered p allows "
    "for several images of a patient. DeLong: AUROC on the same images, likewise with a clustered p; its intervals have the "
    "larger of both variances. Several pairs of runs: Holm's adjustment of the larger p. The p value shown "
    "with a figure is the largest of these, over patients or over seeds. A difference is claimed only where the interval over "
    f"patients leaves out 0 and every other test that applies has p < .05. Comparison schema {SCHEMA}."
)


def compare(
    a: Sequence[Evidence],
    b: Sequence[Evidence],
    *,
    split: Split,
    names: tuple[str, str] = ("A", "B"),
    same_patients: bool = True,
    replicates: int = REPLICATES,
) -> Comparison:
    """Compare two runs or two groups of runs.

    Args:
        a: Runs of side A, all on the same images.
        b: Runs of side B.
        split: Split of the evidence.
        names: Names of the sides.
        same_patients: Whether equal patient and image ids mean the same patient and image on both sides; phantoms and
            X-rays may use the same names.
        replicates: Bootstrap replicates.

    Raises:
        DataError: A side has no run or no image, or its runs were tested on different images.
    """
    # Evidence -> both sides and their draws. Equal patients get equal draws, so that sides with the same images are paired.
    drawn_a, drawn_b = (drawn_figures(side, replicates) for side in (a, b))
    side_a, side_b = drawn_side(names[0], a, drawn_a), drawn_side(names[1], b, drawn_b)
    # -> Tests, differences and intervals.
    paired, pairing, n_both = _pairing(a[0].predictions, b[0].predictions, same_patients=same_patients)
    pairs = _pairs(a, b, paired=paired, pairing=pairing)
    single = len(a) == len(b) == 1
    if paired:
        between = estimates(_between(drawn_a.over_patients, drawn_b.over_patients), a[0].y_true, a[0].patients)
        differences = {metric: Difference(*found) for metric, found in between.items()}
        if single:
            differences |= _tested(differences, a[0], b[0], pairs[0].delong)
    else:
        differences = {metric: _unpaired(side_a.figures[metric], side_b.figures[metric]) for metric in Metric}
    # -> The comparison.
    several = NotApplicable("a side has several runs, and each pair of runs has its own")
    compared = Comparison(
        split=split,
        a=side_a,
        b=side_b,
        paired=paired,
        pairing=pairing,
        n_both=n_both,
        differences=differences,
        seeds={metric: _over_seeds(metric, side_a, side_b) for metric in Metric},
        pairs=pairs,
        mcnemar=pairs[0].mcnemar if single else several,
        delong=pairs[0].delong if single else several,
        methods=_METHODS,
    )
    return replace(compared, verdict=judge(compared))


def _pairing(a: pd.DataFrame, b: pd.DataFrame, *, same_patients: bool) -> tuple[bool, str, int]:
    """Whether the sides are paired by image, the reason, and the number of common images."""
    if not same_patients:
        return False, "one side was tested on phantoms and the other on X-rays, so they have no image in common", 0
    both = a.merge(b, on="image_id", suffixes=("_a", "_b"))
    n = len(both)
    if not n == len(a) == len(b):
        return (
            False,
            f"they were tested on different images: {len(a):,} of A, {len(b):,} of B, {n:,} of them in both",
            n,
        )
    changed = ((both["label_a"] != both["label_b"]) | (both["patient_id_a"] != both["patient_id_b"])).sum()
    if changed:
        return False, f"{changed:,} of their {n:,} images have another class or patient on each side", n
    return True, f"both were tested on the same {n:,} images", n


def _pairs(a: Sequence[Evidence], b: Sequence[Evidence], *, paired: bool, pairing: str) -> tuple[Pair, ...]:
    """Tests of the runs with equal seeds; without common seeds, in the order of the seeds."""
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
    tests = zip(couples, calls, ranks, _adjusted(calls), _adjusted(ranks), strict=True)
    return tuple(
        Pair(one.run_id, two.run_id, call, rank, call_p, rank_p) for (one, two), call, rank, call_p, rank_p in tests
    )


def _adjusted(tests: Sequence[McNemar | DeLong | NotApplicable]) -> list[float | NotApplicable]:
    return holm_of_known([test if isinstance(test, NotApplicable) else larger_p(test) for test in tests])


def _between(a: Resampled, b: Resampled) -> Resampled:
    """B minus A, for figures of the same bootstrap draws."""
    return Resampled(b.value - a.value, b.replicates - a.replicates, b.influence - a.influence)


def _tested(
    differences: dict[Metric, Difference], a: Evidence, b: Evidence, ranks: DeLong | NotApplicable
) -> dict[Metric, Difference]:
    """Differences of two runs on the same images with the p of the matching test, the larger of its two versions."""
    among = {
        Metric.ACCURACY: np.ones_like(a.correct),
        Metric.SENSITIVITY: a.y_true == Label.PNEUMONIA,
        Metric.SPECIFICITY: a.y_true == Label.NORMAL,
    }
    tests: dict[Metric, McNemar | DeLong | NotApplicable] = {
        metric: mcnemar(a.correct[rows], b.correct[rows], a.patients[rows])
        for metric, rows in among.items()
        if rows.any()
    }
    tests |= {Metric.WEIGHTED_RECALL: tests[Metric.ACCURACY], Metric.AUROC: ranks}
    found = {}
    for metric, test in tests.items():
        if not isinstance(test, NotApplicable) and isinstance(differences[metric].estimate, Estimate):
            found[metric] = Difference(differences[metric].estimate, larger_p(test))
    return found


def _unpaired(a: Estimate | NotApplicable, b: Estimate | NotApplicable) -> Difference:
    """A difference from the intervals of both sides, as if no patient were in both (Zou and Donner 2008, Stat Med 27:1693).

    For proportions this is Newcombe's method 10 (1998, Stat Med 17:873), which is valid for a side with all images correct or
    with one image. The p is that of the half of the interval towards 0, so that both agree.
    """
    if isinstance(a, NotApplicable):
        return Difference(a, a)
    if isinstance(b, NotApplicable):
        return Difference(b, b)
    value = b.value - a.value
    down, up = np.hypot(b.value - b.low, a.high - a.value), np.hypot(b.high - b.value, a.value - a.low)
    towards = float(down if value > 0 else up)
    p = 2 * float(ndtr(-abs(value) / towards * Z)) if towards else 1.0
    return Difference(Estimate(value, float(value - down), float(value + up), b.n), p)


def _over_seeds(metric: Metric, a: Side, b: Side) -> SeedDifference | NotApplicable:
    of_a, of_b = known(a.values[metric]), known(b.values[metric])
    if isinstance(of_a, NotApplicable):
        return of_a
    return of_b if isinstance(of_b, NotApplicable) else seed_difference(of_a, of_b)
