"""The answer for a case: the verdict, the probability beside the threshold, and how often the model is right."""

import streamlit as st

from pages.ui.cached import near_of, report_of
from pages.ui.components import show_error
from pages.ui.pictures import plain
from pages.ui.predict.kept import Case, kept, mend, undo
from pneumo_core.evaluation.calibration import CalibrationKind, calibrated_threshold
from pneumo_core.evaluation.near import Near, is_near, verdict
from pneumo_core.evaluation.wording import of_100, percent, probability_text, unbroken
from pneumo_core.inference.classify import Classifier, Prediction
from pneumo_core.inference.gate import WORDS, Answer
from pneumo_core.inference.mend import MENDABLE
from pneumo_core.records import Estimate, Label, NotApplicable
from pneumo_core.reporting.drawing import COLORS
from pneumo_core.reporting.evaluation_tables import right_on_test, wrong_on_test


def show_caution(case: Case, prediction: Prediction) -> None:
    """What must be read before the number, or instead of it, with a button that follows the advice where one can."""
    if prediction.answer is Answer.REFUSED:
        show_error(f"Refused: {prediction.reason}. What to do: {prediction.advice}.")
    elif prediction.answer is Answer.WARNED:
        st.warning(plain(f"Be careful: {prediction.reason}. What to do: {prediction.advice}."))
    if prediction.facts:
        st.caption(
            plain("From the file: " + ", ".join(f"{name.lower()} {value}" for name, value in prediction.facts) + ".")
        )
    is_open = any(case.key == one.key for one in kept().cases)
    with st.container(horizontal=True):
        finding = next((finding for finding in MENDABLE if finding.value == prediction.code), None)
        if is_open and finding is not None:
            advice = WORDS[finding].advice
            label = advice[:1].upper() + advice[1:]
            st.button(label, type="primary", on_click=mend, args=(case, finding), key="mend")
        if case.mends:
            st.button("As uploaded", icon=":material/undo:", on_click=undo, args=(case,), key="undo")


def show_verdict(case: Case, prediction: Prediction, model: Classifier) -> None:
    """The verdict in one line, the probability on a bar with the threshold, and what the verdict is worth on test."""
    if prediction.probability is None or prediction.label is None:
        return
    band = near_of(model.run_id)
    st.metric("Verdict", verdict(prediction.probability, prediction.label, band))
    _show_bar(prediction, prediction.probability, model, band)
    if case.truth is not None:
        st.markdown(f"The data set labels it **{case.truth.name}**.")
    report = report_of(model.run_id)
    words = [right_on_test(report, prediction.label), wrong_on_test(report)]
    if isinstance(band, Near) and is_near(prediction.probability, band):
        words.insert(0, _near_words(band, prediction.label))
    st.markdown("\n".join(f"- {unbroken(plain(line))}" for line in words if line))


def on_scale(model: Classifier, prediction: Prediction) -> tuple[float | None, float, str]:
    """The probability as it is shown, the threshold on the same scale, and what that scale is called.

    The calibrated probability comes first where there is one. The calibration is an increasing map, so the verdict is the same.
    """
    threshold = model.operating_point.threshold
    if isinstance(model.calibration, NotApplicable) or isinstance(prediction.calibrated, NotApplicable):
        return prediction.probability, threshold, ", not calibrated"
    if model.calibration.chosen is CalibrationKind.IDENTITY:
        return prediction.probability, threshold, ""
    return prediction.calibrated, calibrated_threshold(model.calibration.calibrator, threshold), ", calibrated"


def _show_bar(prediction: Prediction, raw: float, model: Classifier, band: Near | NotApplicable) -> None:
    shown, threshold, scale = on_scale(model, prediction)
    if shown is None:
        return
    ends = [band.low, band.high] if isinstance(band, Near) else [threshold, threshold]
    if shown != raw and not isinstance(model.calibration, NotApplicable):
        ends = [calibrated_threshold(model.calibration.calibrator, end) for end in ends]
    found, limit = probability_text(shown), probability_text(threshold)
    st.markdown(unbroken(f"Probability of PNEUMONIA{scale}: **{plain(found)}**; threshold {plain(limit)}"))
    alt = f"Probability of PNEUMONIA {found} on a bar from 0 to 1, threshold {limit}"
    st.image(bar(shown, threshold, ends[0], ends[1]), width="stretch", alt=alt)
    if isinstance(band, Near):
        st.caption(
            plain(f"Close to the threshold, marked below the bar: {percent(ends[0], 0)} to {percent(ends[1], 0)}.")
        )


def bar(probability: float, threshold: float, low: float, high: float) -> str:
    """An SVG picture of the probability from 0 to 1: filled up to it, a line at the threshold, the near band below."""
    at = {name: f"{1000 * value:.1f}" for name, value in (("to", probability), ("low", low), ("width", high - low))}
    return (
        '<svg width="1000" height="90" viewBox="0 0 1000 90">'
        '<rect y="12" width="1000" height="48" rx="8" fill="#808080" fill-opacity="0.25"/>'
        f'<rect y="12" width="{at["to"]}" height="48" rx="8" fill="{COLORS[Label.PNEUMONIA]}"/>'
        f'<rect x="{at["low"]}" y="72" width="{at["width"]}" height="10" rx="5" fill="#808080"/>'
        f'<rect x="{min(994.0, max(0.0, 1000 * threshold - 3)):.1f}" width="6" height="90" fill="#808080"/></svg>'
    )


def _near_words(band: Near, label: Label) -> str:
    reads = (
        f"It is on the side of {label.name}, but 19 of 20 images of {band.split.value} are farther from the threshold."
    )
    if not isinstance(band.inside, Estimate):
        return reads
    others = f"; of the others, {of_100(band.outside)}" if isinstance(band.outside, Estimate) else ""
    return f"{reads} Of test images so near, it reads {of_100(band.inside)} wrongly{others}."
