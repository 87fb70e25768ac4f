"""What a run's calls are worth where another share of the images is PNEUMONIA, or at another threshold probability."""

from dataclasses import dataclass

from pneumo_core.evaluation.operating import DecisionCurve, ThresholdRates, predictive_values
from pneumo_core.records import Estimate, NotApplicable

__all__ = ["PredictiveValues", "at_prevalence", "benefit_at"]


@dataclass(frozen=True, slots=True)
class PredictiveValues:
    """What a run's calls would be worth at a prevalence.

    Attributes:
        prevalence: Share of PNEUMONIA, in [0, 1].
        ppv: Precision of PNEUMONIA: fraction of images called PNEUMONIA that are.
        npv: Precision of NORMAL, likewise.
    """

    prevalence: float
    ppv: Estimate | NotApplicable
    npv: Estimate | NotApplicable


def at_prevalence(rates: ThresholdRates, prevalence: float) -> PredictiveValues:
    """PPV and NPV of a threshold at a prevalence in (0, 1); see `operating.predictive_values`."""
    sensitivity, specificity = rates.sensitivity, rates.specificity
    if isinstance(sensitivity, NotApplicable):
        return PredictiveValues(prevalence, sensitivity, sensitivity)
    if isinstance(specificity, NotApplicable):
        return PredictiveValues(prevalence, specificity, specificity)
    return PredictiveValues(prevalence, *predictive_values(sensitivity, specificity, prevalence))


def benefit_at(curve: DecisionCurve | NotApplicable, stake: float) -> Estimate | NotApplicable:
    """Net benefit of a decision curve at one of its thresholds, with the interval of its band."""
    if isinstance(curve, NotApplicable):
        return curve
    place = curve.threshold.index(stake)
    return Estimate(value=curve.model[place], low=curve.low[place], high=curve.high[place], n=curve.n)
