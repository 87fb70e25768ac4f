"""Two runs, or two groups of runs over seeds, on the images of one split: what differs, and how surely.

Two kinds of chance are kept apart. Which patients happen to be in the split is met by drawing patients again
(`resampling`); which seed a training happened to have, by the spread over runs. A claim needs both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr

from pneumo_core.evaluation import intervals, metrics
from pneumo_core.evaluation.comparison import SCHEMA, Comparison, Difference, Side
from pneumo_core.evaluation.figures import METRICS, Evidence, Metric, Runs, labels_of, measured, missing_reason, runs_of
from pneumo_core.evaluation.metrics import FloatArray, IntArray
from pneumo_core.evaluation.paired import DeLong, McNemar, SeedDifference, mcnemar, seed_difference, spread
from pneumo_core.evaluation.pairs import arrays, pairs_of
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.reliability import reliability
from pneumo_core.evaluation.resampling import Resampled, Z, bca_estimates, resample
from pneumo_core.evaluation.verdict import judge
from pneumo_core.records import Estimate, Label, NotApplicable, Split

__all__ = ["compare"]

_METHODS: Final = (
    "Every difference is B minus A. Intervals are 95 %. Over patients: a bootstrap that draws patients with all their "
    f"images, {intervals.REPLICATES:,} replicates, seed {intervals.SEED}, bias-corrected and accelerated (BCa; DiCiccio and "
    "Efron 1996), the same draw for both sides. p: of two runs on the same images McNemar's for accuracy, sensitivity and "
    "specificity and DeLong's for AUROC, the larger of the plain and the clustered one; else the level at which the interval "
    "touches 0. On different images the interval of a difference is made from those of both sides (Zou and Donner 2008; of "
    "proportions Newcombe's method 10), as if no patient were in both. A single run's "
    "accuracy, sensitivity, specificity, PPV and NPV have Wilson's interval with the patients' design effect, as in its own "
    "report. Over seeds, kept apart: Welch's t test of the runs' figures. McNemar: exact, two-sided; its clustered p allows "
    "for several images of a patient. DeLong: AUROC on the same images, likewise with a clustered p. Several pairs of runs: "
    f"Holm's adjustment. A difference is claimed only where the interval over patients leaves out 0 and every other test "
    f"that applies has p < .05. Comparison schema {SCHEMA}."
)


def compare(
    a: Sequence[Evidence],
    b: Sequence[Evidence],
    *,
    split: Split,
    names: tuple[str, str] = ("A", "B"),
    same_patients: bool = True,
    replicates: int = intervals.REPLICATES,
) -> Comparison:
    """Compare two runs or two groups of runs.

    Args:
        a: Runs of the one side, all on the same images.
        b: Runs of the other.
        split: Split that the evidence is of.
        names: What the sides are called.
        same_patients: Whether equal patient and image ids mean the same patient and image on both sides; phantoms and
            X-rays may use the same names.
        replicates: Draws of the patients.

    Raises:
        DataError: A side has no run or no image, or its runs were asked about different images.
    """
    runs = (runs_of(a), runs_of(b))
    tables = (a[0].predictions, b[0].predictions)
    paired, pairing, n_both = _pairing(*tables, same_patients=same_patients)
    patients = tuple(table["patient_id"].to_numpy(dtype=str) for table in tables)
    if paired:
        drawn = resample(lambda weights: _both(runs, weights), patients[:1], replicates=replicates)
        of_a, of_b, of_difference = (_part(drawn, place) for place in range(3))
    else:
        of_a, of_b = (
            resample(partial(_mean, side), [ids], replicates=replicates)
            for side, ids in zip(runs, patients, strict=True)
        )
    labels = (labels_of(tables[0]), labels_of(tables[1]))
    values = tuple(measured(side, np.ones((1, len(table))))[0] for side, table in zip(runs, tables, strict=True))
    pairs = pairs_of(a, b, paired=paired, pairing=pairing)
    single = len(a) == len(b) == 1
    several = NotApplicable("a side has several runs, and each pair of runs has its own")
    sides = (_side(names[0], a, of_a, values[0]), _side(names[1], b, of_b, values[1]))
    if paired:
        estimates = _estimates(of_difference, labels[0], n_both)
        differences = {metric: Difference(*found) for metric, found in estimates.items()}
        if single:
            differences |= _tested(differences, a[0], b[0], pairs[0].delong)
    else:
        differences = {metric: _unpaired(sides[0].figures[metric], sides[1].figures[metric]) for metric in METRICS}
    compared = Comparison(
        split=split,
        a=sides[0],
        b=sides[1],
        paired=paired,
        pairing=pairing,
        n_both=n_both,
        differences=differences,
        seeds={metric: _seeds(metric, values, labels) for metric in METRICS},
        pairs=pairs,
        mcnemar=pairs[0].mcnemar if single else several,
        delong=pairs[0].delong if single else several,
        methods=_METHODS,
    )
    return replace(compared, verdict=judge(compared))


def _pairing(a: pd.DataFrame, b: pd.DataFrame, *, same_patients: bool) -> tuple[bool, str, int]:
    """Whether each image is its own control, why or why not, and how many images both were asked about."""
    if not same_patients:
        return False, "one side was tested on phantoms and the other on X-rays, so no image is in both", 0
    both = a.merge(b, on="image_id", suffixes=("_a", "_b"))
    if len(both) == len(a) == len(b):
        changed = (both["label_a"] != both["label_b"]) | (both["patient_id_a"] != both["patient_id_b"])
        if not changed.any():
            return True, f"both were asked about the same {len(both):,} images", len(both)
        return (
            False,
            f"{int(changed.sum()):,} of their {len(both):,} images have another class or patient on each side",
            len(both),
        )
    return (
        False,
        f"they were tested on different images: {len(a):,} of A, {len(b):,} of B, {len(both):,} of them in both",
        len(both),
    )


def _mean(runs: Runs, weights: FloatArray) -> FloatArray:
    """Mean over the runs of each figure, (k, metrics)."""
    return np.asarray(measured(runs, weights).mean(axis=1))


def _both(runs: tuple[Runs, Runs], weights: FloatArray) -> FloatArray:
    """Figures of A, of B, and B minus A, side by side, (k, 3 * metrics)."""
    a, b = _mean(runs[0], weights), _mean(runs[1], weights)
    return np.hstack([a, b, b - a])


def _tested(
    differences: Mapping[Metric, Difference], a: Evidence, b: Evidence, ranks: DeLong | NotApplicable
) -> dict[Metric, Difference]:
    """Differences of two runs on the same images with the p of the test that is made for them, the larger of its two."""
    y_true, _, patients = arrays(a)
    right = [(probability(arrays(run)[1]) >= run.threshold) == (y_true == Label.PNEUMONIA) for run in (a, b)]
    among = {
        Metric.ACCURACY: np.ones_like(right[0]),
        Metric.SENSITIVITY: y_true == Label.PNEUMONIA,
        Metric.SPECIFICITY: y_true == Label.NORMAL,
    }
    tests: dict[Metric, McNemar | DeLong | NotApplicable] = {
        metric: mcnemar(right[0][rows], right[1][rows], patients[rows]) for metric, rows in among.items() if rows.any()
    }
    tests[Metric.AUROC] = ranks
    found = {}
    for metric, test in tests.items():
        if not isinstance(test, NotApplicable) and isinstance(differences[metric].estimate, Estimate):
            clustered = test.p if isinstance(test.p_clustered, NotApplicable) else test.p_clustered
            found[metric] = Difference(differences[metric].estimate, max(test.p, clustered))
    return found


def _unpaired(a: Estimate | NotApplicable, b: Estimate | NotApplicable) -> Difference:
    """A difference from the intervals of both sides, as if no patient were in both (Zou and Donner 2008, Stat Med 27:1693).

    Of proportions this is Newcombe's method 10 (1998, Stat Med 17:873), which a side that is right about every image, or has
    one image, does not mislead. The p is that of the half of the interval that points to 0, so that both agree.
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


def _part(drawn: Resampled, place: int) -> Resampled:
    columns = slice(place * len(METRICS), (place + 1) * len(METRICS))
    return Resampled(drawn.value[columns], drawn.replicates[:, columns], drawn.jackknife[:, columns])


def _estimates(
    drawn: Resampled, y_true: IntArray, n: int
) -> dict[Metric, tuple[Estimate | NotApplicable, float | NotApplicable]]:
    """Each figure with its interval, and the level at which that interval touches 0."""
    classes = {Metric.SENSITIVITY: Label.PNEUMONIA, Metric.SPECIFICITY: Label.NORMAL}
    among = {metric: int((y_true == label).sum()) for metric, label in classes.items()}
    found: dict[Metric, tuple[Estimate | NotApplicable, float | NotApplicable]] = {}
    for metric, value, (estimate, p) in zip(METRICS, drawn.value, bca_estimates(drawn, n), strict=True):
        if np.isnan(value):
            missing = NotApplicable(missing_reason(metric, y_true))
            found[metric] = missing, missing
        elif isinstance(estimate, Estimate):
            found[metric] = replace(estimate, n=among.get(metric, n)), p
        else:
            found[metric] = estimate, p
    return found


def _defined(metric: Metric, values: FloatArray, y_true: IntArray) -> list[float] | NotApplicable:
    """A figure of each run, or why one of them has none."""
    column = values[:, METRICS.index(metric)]
    return NotApplicable(missing_reason(metric, y_true)) if np.isnan(column).any() else column.tolist()


def _seeds(metric: Metric, values: Sequence[FloatArray], labels: Sequence[IntArray]) -> SeedDifference | NotApplicable:
    a, b = (_defined(metric, of_side, y_true) for of_side, y_true in zip(values, labels, strict=True))
    if isinstance(a, NotApplicable):
        return a
    return b if isinstance(b, NotApplicable) else seed_difference(a, b)


def _side(name: str, evidence: Sequence[Evidence], drawn: Resampled, values: FloatArray) -> Side:
    table = evidence[0].predictions
    y_true, patients = labels_of(table), table["patient_id"].to_numpy(dtype=str)
    logits = [run.predictions["logit"].to_numpy(dtype=np.float64) for run in evidence]
    figures = {metric: estimate for metric, (estimate, _) in _estimates(drawn, y_true, len(table)).items()}
    for metric in (Metric.AUROC, Metric.AUPRC):
        if isinstance(figures[metric], NotApplicable):
            value = drawn.value[METRICS.index(metric)]
            figures[metric] = intervals.certain_area(value, y_true, patients) or figures[metric]
    if len(evidence) == 1:
        figures |= _proportions(y_true, probability(logits[0]) >= evidence[0].threshold, patients)
    return Side(
        name=name,
        run_ids=tuple(run.run_id for run in evidence),
        seeds=tuple(run.seed for run in evidence),
        thresholds=tuple(run.threshold for run in evidence),
        selected_on_test=any(run.selected_on_test for run in evidence),
        n=len(table),
        n_patients=len(np.unique(patients)),
        n_pneumonia=int((y_true == Label.PNEUMONIA).sum()),
        values={
            metric: tuple(
                NotApplicable(missing_reason(metric, y_true)) if np.isnan(value) else float(value)
                for value in values[:, place]
            )
            for place, metric in enumerate(METRICS)
        },
        figures=figures,
        spread={
            metric: spread(known) if isinstance(known := _defined(metric, values, y_true), list) else known
            for metric in METRICS
        },
        confusions=tuple(
            metrics.confusion(y_true, probability(logit), run.threshold)
            for logit, run in zip(logits, evidence, strict=True)
        ),
        roc=tuple(metrics.roc_curve(y_true, probability(logit)) for logit in logits),
        pr=tuple(metrics.pr_curve(y_true, probability(logit)) for logit in logits),
        reliability=tuple(reliability(y_true, logit, patients) for logit in logits),
    )


def _proportions(
    y_true: IntArray, called: NDArray[np.bool_], patients: NDArray[np.str_]
) -> dict[Metric, Estimate | NotApplicable]:
    """A single run's proportions, with the interval that its own report gives."""
    sick = y_true == Label.PNEUMONIA
    parts = {
        Metric.ACCURACY: (called == sick, np.ones_like(sick)),
        Metric.SENSITIVITY: (called, sick),
        Metric.SPECIFICITY: (~called, ~sick),
        Metric.PPV: (sick, called),
        Metric.NPV: (~sick, ~called),
    }
    found = {
        metric: intervals.clustered_wilson(correct[among], patients[among])
        if among.any()
        else NotApplicable(missing_reason(metric, y_true))
        for metric, (correct, among) in parts.items()
    }
    # The mean recall, each class weighed by its images, is the accuracy by another name.
    return found | {Metric.WEIGHTED_RECALL: found[Metric.ACCURACY]}
