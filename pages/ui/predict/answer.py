"""Parts of the Predict page: samples, and the probability on a scale."""

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.ui.cached import log_losses_of
from pages.ui.charts import REFERENCE
from pages.ui.pictures import plain
from pneumo_core.config.classifier import OperatingRule
from pneumo_core.evaluation.calibration import CalibrationKind, calibrated_threshold, described
from pneumo_core.evaluation.report import EvaluationReport
from pneumo_core.evaluation.wording import NAMES, interval_text, probability_text, score_text, value_text
from pneumo_core.inference.classify import Classifier, Prediction
from pneumo_core.records import Label, Metric, NotApplicable, Split
from pneumo_core.reporting.drawing import COLORS
from pneumo_core.reporting.evaluation_tables import place, rates_on_test


def show_rates(report: EvaluationReport) -> None:
    """Error rates of the model on its test images."""
    part = report.splits.get(Split.TEST)
    if part is None:
        st.info("This run has no test figures: how often it is right on new images is unknown.")
        return
    rows = [
        {
            "figure": NAMES[metric],
            "value": value_text(metric, part.figures[metric]),
            "95 % interval": interval_text(metric, part.figures[metric]),
        }
        for metric in (Metric.SENSITIVITY, Metric.SPECIFICITY, Metric.ACCURACY, Metric.AUROC)
    ]
    where = f"{place(report, Split.TEST)}, n = {part.n:,} images of {part.n_patients:,} patients"
    st.markdown(f"**Performance of this model** ·  {where}")
    st.table(pd.DataFrame(rows), hide_index=True, width="content", alt="Figures of this model on test")


def show_operating_point(model: Classifier) -> None:
    """How the threshold was chosen, and its rates on test, which was not asked."""
    point = model.operating_point
    how = "fixed" if point.rule is OperatingRule.HALF else f"chosen on {point.split.value}"
    st.caption(plain(f"Threshold by the rule '{point.rule.value}', {how}. At it, {rates_on_test(model.report)}."))


def show_probability(prediction: Prediction, raw: float, model: Classifier) -> tuple[float, str]:
    """The calibrated probability with the raw one beside it, or the raw one alone, with how or why.

    Returns:
        The run's threshold on the scale shown first, and that scale as text for a sentence.
    """
    threshold = model.operating_point.threshold
    how = plain(described(model.calibration))
    if isinstance(prediction.calibrated, NotApplicable) or isinstance(model.calibration, NotApplicable):
        shown, scale = raw, ""
        st.metric("Probability of PNEUMONIA", probability_text(raw))
        st.caption(f"Not calibrated, so it ranks images but is not a frequency: {how}.")
    elif model.calibration.chosen is CalibrationKind.IDENTITY:
        shown, scale = raw, ""
        st.metric("Probability of PNEUMONIA", probability_text(raw))
        st.caption(
            f"The raw probability, with {how}. Log loss is {model.calibration.before.log_loss:.3f} on validation and "
            f"{_losses(model.run_id)}. With another prevalence or other imaging the probability may not be valid."
        )
    else:
        shown, scale = prediction.calibrated, f" after calibration, {threshold:.3f} before"
        threshold = calibrated_threshold(model.calibration.calibrator, threshold)
        before, after = model.calibration.before, model.calibration.after
        st.metric("Probability of PNEUMONIA", probability_text(shown))
        st.markdown(f"{plain(probability_text(raw))} before calibration.")
        st.caption(
            f"Calibrated by {how}. On validation patients that it was not fitted on, log "
            f"loss is {after.log_loss:.3f} with it and {before.log_loss:.3f} without; {_losses(model.run_id)}. With another "
            "prevalence or other imaging it may not be valid."
        )
    alt = f"Probability of PNEUMONIA {probability_text(shown)} on a scale from 0 to 1, threshold {threshold:.3f}"
    st.plotly_chart(probability_figure(shown, threshold), config={"displayModeBar": False}, alt=alt)
    return threshold, scale


def _losses(run_id: str) -> str:
    """Log loss on test, with and without the calibration if there is one, for a sentence."""
    found = log_losses_of(run_id)
    if isinstance(found, NotApplicable):
        return plain(found.reason)
    raw, calibrated = found
    if raw == calibrated:
        return f"{score_text(raw)} on test (n = {raw.n:,}, 95 % interval)"
    return f"on test, {score_text(calibrated)} with it and {score_text(raw)} without (n = {raw.n:,}, 95 % intervals)"


def probability_figure(probability: float, threshold: float) -> go.Figure:
    """The probability on a scale from 0 to 1, with the decision threshold marked."""
    figure = go.Figure()
    color = COLORS[Label.PNEUMONIA]
    figure.add_bar(
        x=[probability], y=[""], orientation="h", marker_color=color, hovertemplate="%{x:.3f}<extra></extra>"
    )
    figure.add_vline(x=threshold, line_dash="dash", line_color=REFERENCE)
    # Above the bar and not on it, where no text color would be readable in both themes.
    figure.add_annotation(
        x=threshold, y=1, yref="paper", yanchor="bottom", text=f"threshold {threshold:.2f}", showarrow=False
    )
    figure.update_layout(
        height=120,
        margin={"l": 8, "r": 8, "t": 32, "b": 8},
        xaxis={"range": [0, 1], "tickvals": [0, 0.25, 0.5, 0.75, 1]},
        yaxis={"visible": False},
        showlegend=False,
    )
    return figure
