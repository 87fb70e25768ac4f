"""Records of a run as one value; documents themselves read no files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pneumo_core.evaluation.calibration import Calibration
from pneumo_core.evaluation.operating import DecisionCurve, ThresholdRates
from pneumo_core.evaluation.prevalence import PredictiveValues
from pneumo_core.evaluation.reliability import Reliability
from pneumo_core.evaluation.slices import Slice
from pneumo_core.evaluation.trust import Trust
from pneumo_core.records import Estimate, NotApplicable, SharedPatients, Split

UNRECORDED: Final = "not recorded"
"""Text for a value that is missing in a run's files."""

_UNTESTED: Final = NotApplicable(UNRECORDED)


@dataclass(frozen=True, slots=True)
class SplitFacts:
    """Results of one run on one split.

    Attributes:
        split: The split.
        rates: Sensitivity, specificity, PPV and NPV at the run's own threshold.
        predictive_values: PPV and NPV at that threshold at several prevalences, the last the split's own.
        brier: Brier score of the raw probabilities.
        log_loss: Log loss of the raw probabilities, in nats.
        calibrated_reliability: Reliability of the calibrated probabilities.
        decision_curve: Net benefit of the raw probabilities, at the split's own prevalence.
        slices: Rates on parts of the split.
        missing_slices: Criteria of slices that could not be applied, with reasons.
    """

    split: Split
    rates: ThresholdRates
    predictive_values: tuple[PredictiveValues, ...]
    brier: Estimate | NotApplicable
    log_loss: Estimate | NotApplicable
    calibrated_reliability: Reliability | NotApplicable
    decision_curve: DecisionCurve | NotApplicable
    slices: tuple[Slice, ...]
    missing_slices: tuple[tuple[str, NotApplicable], ...]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One run's records.

    Attributes:
        run_id: The run.
        config: Submitted config, as plain data (`config.run.config_to_dict`).
        manifest: Content of its manifest: parameters, images, device, versions, durations.
        data: The data set: `data_id`, `name`, `is_phantom`.
        events: Lines of its events.jsonl.
        calibration: Its calibration on validation images.
        shared_patients: Patients that the data set's test split shares with train.
        on_split: Results on the split of a comparison, or None without one.
        trust: Tests of its heat maps.
    """

    run_id: str
    config: Mapping[str, Any]
    manifest: Mapping[str, Any]
    data: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]
    calibration: Calibration | NotApplicable
    shared_patients: SharedPatients | NotApplicable
    on_split: SplitFacts | None = None
    trust: Trust | NotApplicable = _UNTESTED


def fact(record: Mapping[str, Any], *names: str) -> Any:
    """A nested value of a record, or None if it is missing."""
    value: Any = record
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def recorded(value: Any, words: Callable[[float], str]) -> str:
    """A recorded amount in the words of `evaluation.wording`, such as a duration; what is no number is unchanged."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return words(value) if is_number else facts_text(value)


def facts_text(value: Any, shape: str = "") -> str:
    """A recorded value as text: a number in its format, else unchanged."""
    if value is None:
        return UNRECORDED
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:{shape}}" if isinstance(value, int | float) else str(value)
