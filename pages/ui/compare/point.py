"""Compare's operating point: a threshold rule, live thresholds, and predictive values at a chosen prevalence."""

from typing import Final

import pandas as pd
import streamlit as st

from pages.ui import charts
from pages.ui.compare.file_words import compared_words
from pages.ui.compare.point_charts import Points, decision, decision_frame, roc_frame, roc_points
from pages.ui.compare.point_pick import (
    OWN,
    RULES,
    pick_prevalence,
    pick_rule,
    pick_stake,
    pick_thresholds,
    threshold_by,
)
from pages.ui.compare.sides import Shown, choosing_split, chosen_on, name_sides, shown_sides
from pages.ui.components import chart, picture_name
from pages.ui.places import beside
from pages.ui.table import show_rows
from pneumo_core.evaluation.comparison import Comparison, Evidence, Pair
from pneumo_core.evaluation.operating import DecisionCurve, RuleKind, decision_curve
from pneumo_core.evaluation.prevalence import AtThreshold, at_threshold
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.wording import percent, score_text
from pneumo_core.records import NotApplicable, split_name
from pneumo_core.reporting.point_tables import rates_table

_EXPLORATION: Final = (
    "A threshold moved by hand while looking at {split} figures is exploration, not evaluation: report figures at a "
    "threshold that was chosen on held-out patients of train or fixed beforehand."
)


def operating_point(comparison: Comparison, pair: Pair) -> None:
    """Choice of a rule, thresholds and a prevalence, with the resulting figures on the split."""
    a, b = shown_sides(comparison, pair)
    name_sides(a, b)
    _panel(a, b, chosen_on(a), chosen_on(b))


# A fragment, so that moving a slider reruns only this panel.
@st.fragment
def _panel(a: Shown, b: Shown, val_a: Evidence | NotApplicable, val_b: Evidence | NotApplicable) -> None:
    sides, vals = (a, b), (val_a, val_b)
    missing = {side.letter: val.reason for side, val in zip(sides, vals, strict=True) if isinstance(val, NotApplicable)}
    homes = dict.fromkeys(split_name(choosing_split(side)) for side in sides)
    rule, value = pick_rule([OWN, RuleKind.FIXED.value] if missing else list(RULES), " or ".join(homes))
    if missing:
        reasons = "; ".join(f"of {letter}, {reason}" for letter, reason in missing.items())
        st.info(
            f"No rule can be applied on held-out images here: {reasons}. Only the runs' own thresholds and a fixed one remain. "
            "Runs of the preset 'sound' hold out validation patients and offer every rule."
        )
    prevalence = pick_prevalence(a)
    start = tuple(threshold_by(rule, value, prevalence, side, val) for side, val in zip(sides, vals, strict=True))
    thresholds = pick_thresholds(sides, start, f"{rule} {value} {prevalence if rule == RuleKind.COST else ''}")
    words = _EXPLORATION.format(split=a.split.value)
    if thresholds == start:
        st.caption(words)
    else:
        st.warning(words)
    stake = pick_stake()
    points = [
        (side, _point(side, threshold, prevalence, stake)) for side, threshold in zip(sides, thresholds, strict=True)
    ]
    _results(points, prevalence, stake)


def _point(side: Shown, threshold: float, prevalence: float, stake: float) -> AtThreshold:
    curve = _decision_curve(side.predictions[["label", "logit", "patient_id"]], prevalence)
    return at_threshold(side.evidence, threshold, prevalence, stake, curve)


@st.cache_data(max_entries=64, show_spinner=False)
def _decision_curve(rows: pd.DataFrame, prevalence: float) -> DecisionCurve | NotApplicable:
    """The only slow part, independent of the thresholds; the cache's key is the predictions themselves."""
    values = probability(rows["logit"].to_numpy())
    return decision_curve(
        rows["label"].to_numpy(dtype="int64"), values, rows["patient_id"].to_numpy(dtype=str), prevalence
    )


def _results(points: Points, prevalence: float, stake: float) -> None:
    (a, _), (b, _) = points
    of = compared_words((a.evidence.run_id,), (b.evidence.run_id,), a.split)
    for place, (side, point) in zip(beside(gap="large"), points, strict=True):
        counts, letter = point.confusion, side.letter
        words = f"Confusion matrix of {letter} at a threshold of {score_text(point.rates.threshold)}"
        with place:
            st.markdown(f"**{words}** · {side.where}, n = {point.rates.n:,}")
            st.plotly_chart(charts.confusion(counts), config=picture_name(*of, words), key=f"point {letter}", alt=words)
            st.caption(f"{counts.fn:,} PNEUMONIA images missed, {counts.fp:,} false alarms.")
    show_rows(rates_table({f"{side.letter}, {side.where}": point for side, point in points}, prevalence, stake))
    left, right = beside(gap="large")
    where = " and ".join(dict.fromkeys(f"{side.where}, n = {point.rates.n:,}" for side, point in points))
    with left:
        words = "Moving a threshold moves its point along its curve: higher sensitivity means lower specificity."
        title = "Operating points on the ROC curves"
        chart(roc_points(points), roc_frame(points), title=title, where=where, caption=words, of=of)
    with right:
        words = (
            f"Net benefit at a prevalence of {percent(prevalence)}: true positives minus false positives, as fractions of all "
            "images, where a false positive has the weight threshold / (1 - threshold). The dashed line is the threshold "
            "probability chosen above. A run is useful where it lies above both gray lines. The "
            "probabilities are raw, so the curve is valid only as far as they are calibrated; see Calibration."
        )
        figure, title = decision(points, stake), "Decision curves"
        chart(figure, decision_frame(points), title=title, where=where, caption=words, of=of)
