"""One side of a comparison: its runs' figures, on their images and on every bootstrap draw, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pneumo_core.evaluation import intervals, metrics
from pneumo_core.evaluation.comparison import Evidence, Side
from pneumo_core.evaluation.histogram import histogram
from pneumo_core.evaluation.metrics import FloatArray, IntArray
from pneumo_core.evaluation.operating import rates
from pneumo_core.evaluation.reliability import reliability
from pneumo_core.evaluation.resampling import Resampled, bca_estimates, resample
from pneumo_core.evaluation.significance import spread
from pneumo_core.evaluation.weighted_metrics import influence, measured, missing_reason, runs_of
from pneumo_core.records import Estimate, Label, Metric, NotApplicable

_Interval = tuple[Estimate | NotApplicable, float | NotApplicable]


@dataclass(frozen=True, slots=True)
class DrawnFigures:
    """Figures of the runs of one side, in the order of `Metric`.

    Attributes:
        of_runs: On the images themselves, (runs, metrics); NaN where one is undefined.
        over_patients: Their mean over the runs: on the images and on draws of the patients, and each patient's influence.
    """

    of_runs: FloatArray
    over_patients: Resampled


def drawn_figures(evidence: Sequence[Evidence], replicates: int) -> DrawnFigures:
    """Figures of runs on the same images; equal patients have equal draws on both sides.

    Raises:
        DataError: There is no run or no image, or the runs were tested on different images.
    """
    runs = runs_of(evidence)
    patients = evidence[0].patients
    return DrawnFigures(
        of_runs=measured(runs, np.ones((1, len(patients))))[0],
        over_patients=resample(
            lambda weights: np.asarray(measured(runs, weights).mean(axis=1)),
            influence(runs).mean(axis=1),
            patients,
            replicates=replicates,
        ),
    )


def drawn_side(name: str, evidence: Sequence[Evidence], drawn: DrawnFigures) -> Side:
    """A side: figures with intervals over patients, their spread over runs, counts and curves."""
    y_true, patients = evidence[0].y_true, evidence[0].patients
    figures = {metric: estimate for metric, (estimate, _) in estimates(drawn.over_patients, y_true, patients).items()}
    value = dict(zip(Metric, drawn.over_patients.value.tolist(), strict=True))
    for metric in (Metric.AUROC, Metric.AUPRC):
        figures[metric] = intervals.certain_area(value[metric], y_true, patients) or figures[metric]
    if len(evidence) == 1:
        figures |= _proportions(evidence[0])
    values = {
        metric: tuple(NotApplicable(missing_reason(metric, y_true)) if np.isnan(one) else float(one) for one in of_runs)
        for metric, of_runs in zip(Metric, drawn.of_runs.T, strict=True)
    }
    return Side(
        name=name,
        run_ids=tuple(run.run_id for run in evidence),
        seeds=tuple(run.seed for run in evidence),
        thresholds=tuple(run.threshold for run in evidence),
        selected_on_test=any(run.selected_on_test for run in evidence),
        n=len(y_true),
        n_patients=len(np.unique(patients)),
        n_pneumonia=int((y_true == Label.PNEUMONIA).sum()),
        values=values,
        figures=figures,
        spread={
            metric: found if isinstance(found := known(of_runs), NotApplicable) else spread(found)
            for metric, of_runs in values.items()
        },
        confusions=tuple(metrics.confusion(y_true, run.probability, run.threshold) for run in evidence),
        roc=tuple(metrics.in_probabilities(metrics.roc_curve(y_true, run.logit)) for run in evidence),
        pr=tuple(metrics.in_probabilities(metrics.pr_curve(y_true, run.logit)) for run in evidence),
        reliability=tuple(reliability(y_true, run.logit, patients) for run in evidence),
        histograms=tuple(histogram(y_true, run.probability) for run in evidence),
    )


_OF_ALL: Final = frozenset({Metric.ACCURACY, Metric.WEIGHTED_RECALL, Metric.BRIER, Metric.LOG_LOSS})
"""Figures of all images alike, where it does not matter how many patients each class has."""

_OF_CLASS: Final = {Metric.SENSITIVITY: Label.PNEUMONIA, Metric.SPECIFICITY: Label.NORMAL}
"""Figures of the images of one class."""


def estimates(drawn: Resampled, y_true: IntArray, patients: NDArray[Any]) -> dict[Metric, _Interval]:
    """Each figure with its interval over patients, and the level at which that interval touches 0.

    Args:
        drawn: Figures or their differences, in the order of `Metric`.
        y_true: Classes of the images, (n,).
        patients: Patient of each image, (n,).
    """
    n = {metric: int((y_true == label).sum()) for metric, label in _OF_CLASS.items()}
    found: dict[Metric, _Interval] = {}
    for metric, value, (estimate, p) in zip(
        Metric, drawn.value.tolist(), bca_estimates(drawn, len(y_true)), strict=True
    ):
        if np.isnan(value):
            missing = NotApplicable(missing_reason(metric, y_true))
            found[metric] = missing, missing
        elif few := _few(metric, value, y_true, patients):
            found[metric] = few, few
        elif isinstance(estimate, Estimate):
            found[metric] = replace(estimate, n=n.get(metric, len(y_true))), p
        else:
            found[metric] = estimate, p
    return found


def _few(metric: Metric, value: float, y_true: IntArray, patients: NDArray[Any]) -> NotApplicable | None:
    if metric in _OF_ALL:
        return None
    among = y_true == _OF_CLASS[metric] if metric in _OF_CLASS else np.ones_like(y_true, dtype=bool)
    return intervals.few_for_area(value, y_true[among], patients[among])


def known(values: Sequence[float | NotApplicable]) -> list[float] | NotApplicable:
    """A figure of each run, or the reason why one of them has none."""
    missing = next((value for value in values if isinstance(value, NotApplicable)), None)
    return missing or [value for value in values if not isinstance(value, NotApplicable)]


def _proportions(run: Evidence) -> dict[Metric, Estimate | NotApplicable]:
    """A single run's proportions, with the interval that its own report gives."""
    found = rates(run.y_true, run.probability, run.patients, run.threshold)
    accuracy = intervals.clustered_wilson(run.correct, run.patients)
    # Accuracy and weighted recall are one figure: see `weighted_metrics`.
    return {
        Metric.ACCURACY: accuracy,
        Metric.WEIGHTED_RECALL: accuracy,
        Metric.SENSITIVITY: found.sensitivity,
        Metric.SPECIFICITY: found.specificity,
        Metric.PPV: found.ppv,
        Metric.NPV: found.npv,
    }
