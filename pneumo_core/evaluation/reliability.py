"""Calibration of probabilities: whether 70 % of the images with a probability of 70 % are PNEUMONIA."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pneumo_core.errors import DataError
from pneumo_core.evaluation import metrics
from pneumo_core.evaluation.intervals import clustered_wilson, few_of_a_class, mean_estimates
from pneumo_core.evaluation.logistic import shift_estimate, slope_estimate
from pneumo_core.evaluation.metrics import FloatArray, IntArray
from pneumo_core.evaluation.probability import probability
from pneumo_core.records import Estimate, Label, NotApplicable

BINS: Final = 10
"""Number of bins of a reliability diagram, each a tenth wide."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Images whose probability lies in one interval of [0, 1].

    Attributes:
        low: Lower end, included.
        high: Upper end; it belongs to the next bin, and in the last bin to this one.
        n: Images.
        mean_probability: Their mean probability of PNEUMONIA.
        observed: Fraction of them that is PNEUMONIA.
    """

    low: float
    high: float
    n: int
    mean_probability: float | NotApplicable
    observed: Estimate | NotApplicable


@dataclass(frozen=True, slots=True)
class Reliability:
    """Agreement of a model's probabilities with the observed frequencies.

    Attributes:
        n: Images.
        n_patients: Patients.
        n_pneumonia: Images of PNEUMONIA.
        bins: Bins of equal width over [0, 1], including empty ones.
        ece: Expected calibration error: the mean over images of the distance of their bin's mean probability and observed
            share (Naeini et al. 2015, AAAI, 2901-2907); it depends on the bins and is not 0 for a perfect model.
        brier: Mean squared error of the probability.
        log_loss: Mean binary cross-entropy, in nats.
        slope: Slope of the logistic regression of the class on the logit (Cox 1958, Biometrika 45:562-565): 1 is ideal, below
            1 the probabilities are too extreme, above 1 not extreme enough.
        intercept: Calibration in the large, from a separate regression with the logit as offset, that is, a slope fixed at
            1 (Van Calster et al. 2019, BMC Medicine 17:230, doi:10.1186/s12916-019-1466-7). 0 is ideal, below 0 the
            probabilities are too high on average, above 0 too low. The intercept fitted with `slope` has no such meaning
            if the slope is not 1.
    """

    n: int
    n_patients: int
    n_pneumonia: int
    bins: tuple[Bin, ...]
    ece: float
    brier: float
    log_loss: float
    slope: Estimate | NotApplicable
    intercept: Estimate | NotApplicable


@dataclass(frozen=True, slots=True)
class ProbabilityScores:
    """Quality of probabilities; the Brier score and the log loss, in nats, with intervals over patients."""

    reliability: Reliability | NotApplicable
    brier: Estimate | NotApplicable
    log_loss: Estimate | NotApplicable


def reliability(y_true: NDArray[Any], logit: NDArray[Any], patients: NDArray[Any]) -> Reliability | NotApplicable:
    """Agreement of the probabilities of these logits, (n,), with the classes, (n,).

    Slope and intercept have normal intervals from the sandwich variance over patients, (n,), the bins Wilson's, clustered
    by patient.

    Raises:
        DataError: The arrays do not match or hold other values.
    """
    labels, values, codes = checked(y_true, logit, patients)
    return measure(labels, values, codes) if labels.size else NotApplicable("there are no images")


def probability_scores(y_true: NDArray[Any], logit: NDArray[Any], patients: NDArray[Any]) -> ProbabilityScores:
    """Quality of the probabilities of these logits; see `reliability` for the arrays and errors."""
    terms = metrics.brier_terms(y_true, probability(logit)), metrics.log_loss_terms(y_true, logit)
    brier, log_loss = mean_estimates(np.column_stack(terms), patients)
    return ProbabilityScores(reliability(y_true, logit, patients), brier, log_loss)


def measure(labels: IntArray, values: FloatArray, codes: NDArray[np.intp]) -> Reliability:
    """`reliability` of at least one image, from the results of `checked`."""
    chance = probability(values)
    edges = np.linspace(0.0, 1.0, BINS + 1)
    places = np.minimum(np.searchsorted(edges, chance, side="right") - 1, BINS - 1)
    # The difference of sums, which are n times the means.
    gap = np.bincount(places, weights=chance - labels, minlength=BINS)
    slope, intercept = _cox(labels, values, codes)
    return Reliability(
        n=labels.size,
        n_patients=int(codes.max()) + 1,
        n_pneumonia=int(labels.sum()),
        bins=tuple(
            _bin(float(edges[place]), float(edges[place + 1]), chance[inside], labels[inside], codes[inside])
            for place in range(BINS)
            for inside in [places == place]
        ),
        ece=float(np.abs(gap).sum()) / labels.size,
        brier=float(metrics.brier_terms(labels, chance).mean()),
        log_loss=float(metrics.log_loss_terms(labels, values).mean()),
        slope=slope,
        intercept=intercept,
    )


def _bin(low: float, high: float, chance: FloatArray, labels: IntArray, codes: NDArray[np.intp]) -> Bin:
    return Bin(
        low=low,
        high=high,
        n=labels.size,
        mean_probability=float(chance.mean()) if labels.size else NotApplicable("there are no images"),
        observed=clustered_wilson(labels == Label.PNEUMONIA, codes),
    )


def _cox(
    labels: IntArray, values: FloatArray, codes: NDArray[np.intp]
) -> tuple[Estimate | NotApplicable, Estimate | NotApplicable]:
    """Slope of the logistic regression of the class on the logit, and intercept of the one with the slope fixed at 1."""
    if missing := metrics.missing_class(labels):
        return missing, missing
    if few := few_of_a_class(labels, codes):
        missing = NotApplicable(f"an interval needs {few}")
        return missing, missing
    return slope_estimate(labels, values, codes), shift_estimate(labels, values, codes)


def checked(
    y_true: NDArray[Any], logit: NDArray[Any], patients: NDArray[Any]
) -> tuple[IntArray, FloatArray, NDArray[np.intp]]:
    """Classes, logits, and patients numbered from 0, each (n,).

    Raises:
        DataError: The arrays do not match or hold other values.
    """
    labels, values = metrics.checked_pair(y_true, logit)
    names = np.asarray(patients)
    if names.shape != labels.shape:
        raise DataError(f"patients must be (n,), one for each image. Received: {names.shape}, images={labels.shape}")
    return labels, values, np.unique(names, return_inverse=True)[1]
