"""Predictive values at another prevalence, and net benefit at a threshold probability."""

from dataclasses import dataclass

from pneumo_core.evaluation import metrics
from pneumo_core.evaluation.comparison import Evidence
from pneumo_core.evaluation.metrics import Confusion, RocCurve
from pneumo_core.evaluation.operating import DecisionCurve, ThresholdRates, predictive_values, rates
from pneumo_core.records import Estimate, NotApplicable


@dataclass(frozen=True, slots=True)
class PredictiveValues:
    """Predictive values of a run (see `operating.ThresholdRates`) at a prevalence of PNEUMONIA in [0, 1]."""

    prevalence: float
    ppv: Estimate | NotApplicable
    npv: Estimate | NotApplicable


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """One run at one threshold.

    Attributes:
        values: Predictive values at the reader's prevalence.
        benefit: Net benefit at the reader's stake and prevalence, the same stake for both runs.
        curve: Its decision curve at the reader's prevalence.
    """

    confusion: Confusion
    rates: ThresholdRates
    values: PredictiveValues
    benefit: Estimate | NotApplicable
    roc: RocCurve | NotApplicable
    curve: DecisionCurve | NotApplicable


def at_threshold(
    run: Evidence, threshold: float, prevalence: float, stake: float, curve: DecisionCurve | NotApplicable
) -> AtThreshold:
    """A run's predictions at a threshold in [0, 1].

    Args:
        run: The predictions.
        threshold: Images with at least this probability are classified as PNEUMONIA.
        prevalence: Share of PNEUMONIA where the model is to serve, in (0, 1).
        stake: Threshold probability of the net benefit, one of `operating.GRID`.
        curve: The run's decision curve at that prevalence, which no threshold changes.
    """
    found = rates(run.y_true, run.probability, run.patients, threshold)
    return AtThreshold(
        confusion=metrics.confusion(run.y_true, run.probability, threshold),
        rates=found,
        values=at_prevalence(found, prevalence),
        benefit=benefit_at(curve, stake),
        roc=metrics.in_probabilities(metrics.roc_curve(run.y_true, run.logit)),
        curve=curve,
    )


def at_prevalence(found: ThresholdRates, prevalence: float) -> PredictiveValues:
    """PPV and NPV of a threshold at a prevalence in (0, 1); see `operating.predictive_values`."""
    sensitivity, specificity = found.sensitivity, found.specificity
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
