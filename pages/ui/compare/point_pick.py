"""Controls of two operating points: rule, prevalence, thresholds and threshold probability, all kept in the address."""

from typing import Final

import streamlit as st

from pages.ui.address import check_number, check_words
from pages.ui.compare.sides import Shown
from pages.ui.components import choice, show_error
from pages.ui.places import beside
from pneumo_core.errors import DataError
from pneumo_core.evaluation.comparison import Evidence
from pneumo_core.evaluation.operating import GRID, RuleKind, ThresholdRule, choose
from pneumo_core.evaluation.wording import percent
from pneumo_core.records import NotApplicable
from pneumo_core.reporting.glossary import TERMS

OWN: Final = "own"
RULES: Final = {
    OWN: "each run's own",
    RuleKind.YOUDEN.value: "Youden",
    RuleKind.SENSITIVITY.value: "sensitivity at least",
    RuleKind.SPECIFICITY.value: "specificity at least",
    RuleKind.COST.value: "cost",
    RuleKind.FIXED.value: "fixed",
}
_MEANING: Final = {
    OWN: "The threshold stored with each run; all other figures of this page use it.",
    RuleKind.YOUDEN.value: "The threshold with the highest sensitivity + specificity on {split}.",
    RuleKind.SENSITIVITY.value: "The highest threshold that reaches this sensitivity on {split}.",
    RuleKind.SPECIFICITY.value: "The lowest threshold that reaches this specificity on {split}.",
    RuleKind.COST.value: "The threshold with the lowest expected cost on {split}, at the prevalence set here.",
    RuleKind.FIXED.value: "The same fixed threshold for both runs, not fitted to any images.",
}
_VALUES: Final = {  # Label, least, most, usual, step.
    RuleKind.SENSITIVITY.value: ("Sensitivity", 0.5, 1.0, 0.95, 0.01),
    RuleKind.SPECIFICITY.value: ("Specificity", 0.5, 1.0, 0.95, 0.01),
    RuleKind.COST.value: ("Cost of a missed PNEUMONIA, in false alarms", 0.1, 100.0, 5.0, 0.5),
    RuleKind.FIXED.value: ("Threshold", 0.0, 1.0, 0.5, 0.01),
}
_PREVALENCE: Final = (0.5, 90.0)
_STAKE: Final = 0.5
_NUMBER: Final = 360  # Pixels, as of the next: room for their labels.
_SLIDER: Final = 260


def pick_rule(offered: list[str], split: str) -> tuple[str, float | None]:
    """The rule and its value; `split` names the images that it chooses on."""
    check_words("rule", offered, "rule")
    if st.session_state.get("point_rule") not in offered:
        requested = st.query_params.get("rule")
        st.session_state["point_rule"] = requested if requested in offered else OWN
    rule = choice("Rule", offered, format_func=RULES.__getitem__, key="point_rule")
    rule = rule or OWN
    st.caption(_MEANING[rule].format(split=split))
    value = None
    if rule in _VALUES:
        label, low, high, usual, step = _VALUES[rule]
        key = f"point_value_{rule}"
        check_number("value", low, high, label.lower())
        _unless_set(key, _requested("value", low, high) if st.query_params.get("rule") == rule else None, usual)
        value = st.number_input(label, low, high, step=step, key=key, width=_NUMBER)
    _keep("rule", None if rule == OWN else rule)
    _keep("value", None if value is None else f"{value:g}")
    return rule, value


def pick_prevalence(side: Shown) -> float:
    own = float(side.evidence.y_true.mean())
    low, high = _PREVALENCE
    usual = min(high, max(low, 100 * own))
    check_number("prevalence", low, high, "prevalence")
    _unless_set("point_prevalence", _requested("prevalence", low, high), usual)
    chosen = st.slider(
        "Prevalence of PNEUMONIA where the model would be used",
        low,
        high,
        step=0.5,
        format="%.1f %%",
        key="point_prevalence",
        help=f"{TERMS['prevalence']} In these images it is {percent(own)}, far above most hospitals'.",
    )
    _keep("prevalence", None if chosen == usual else f"{chosen:g}")
    return chosen / 100


def pick_stake() -> float:
    """The threshold probability of the net benefit of both runs, one of `operating.GRID`; it does not change the thresholds."""
    check_number("stake", GRID[0], GRID[-1], "threshold probability")
    requested = _requested("stake", GRID[0], GRID[-1])
    _unless_set("point_stake", None if requested is None else round(requested, 2), _STAKE)
    stake = st.select_slider(
        "Threshold probability for net benefit", GRID, format_func="{:.2f}".format, key="point_stake"
    )
    _keep("stake", None if stake == _STAKE else f"{stake:g}")
    st.caption(
        f"At {stake:.2f} a false alarm has {stake / (1 - stake):.2g} times the weight of a detected PNEUMONIA. Net benefit is "
        "detected PNEUMONIA minus weighted false alarms, as fractions of all images, with this probability as the threshold "
        "of both runs, whatever their thresholds above."
    )
    return stake


def threshold_by(
    rule: str, value: float | None, prevalence: float, side: Shown, val: Evidence | NotApplicable
) -> float:
    """The threshold that the rule chooses for a run."""
    if rule == OWN:
        return side.evidence.threshold
    if rule == RuleKind.FIXED and value is not None:
        return value
    if isinstance(val, NotApplicable):
        return side.evidence.threshold
    kind = RuleKind(rule)
    requested = ThresholdRule(kind, value, prevalence if kind is RuleKind.COST else None)
    try:
        return choose(requested, val.y_true, val.probability)
    except DataError as error:
        show_error(f"Run {side.letter}: {error}. Its own threshold is used.")
        return side.evidence.threshold


def pick_thresholds(sides: tuple[Shown, Shown], start: tuple[float, ...], rule: str) -> tuple[float, ...]:
    """A slider for each run, reset to its rule's threshold whenever the rule or the run changes."""
    requested_for = (rule, *(side.evidence.run_id for side in sides))
    changed = st.session_state.get("point_start", requested_for) != requested_for
    st.session_state["point_start"] = requested_for
    keys = [f"threshold_{side.letter.lower()}" for side in sides]

    def reset() -> None:
        for key, first in zip(keys, start, strict=True):
            st.session_state[key] = first

    if changed:
        reset()
    places = beside(2, _SLIDER)
    found = []
    for place, side, key, first in zip(places, sides, keys, start, strict=True):
        with place:
            check_number(key, 0.0, 1.0, f"threshold of {side.letter}")
        _unless_set(key, _requested(key, 0.0, 1.0), first)
        words = f"Threshold of {side.letter} (the rule's: {first:.3f})"
        threshold = place.slider(words, 0.0, 1.0, step=0.001, format="%.3f", key=key)
        _keep(key, None if threshold == first else f"{threshold:g}")
        found.append(threshold)
    st.button("Reset thresholds", on_click=reset, disabled=tuple(found) == start, key="point_reset")
    return tuple(found)


def _requested(name: str, low: float, high: float) -> float | None:
    """A number in the address, or None if it is invalid or out of its range."""
    try:
        value = float(st.query_params.get(name, ""))
    except ValueError:
        return None
    return value if low <= value <= high else None


def _unless_set(key: str, requested: float | None, usual: float) -> None:
    st.session_state.setdefault(key, usual if requested is None else requested)


def _keep(name: str, value: str | None) -> None:
    """Write a choice into the address; None removes it."""
    if value is None:
        st.query_params.pop(name, None)
    elif st.query_params.get(name) != value:
        st.query_params[name] = value
