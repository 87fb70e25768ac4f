"""What is folded below an answer: the model on test, calibration, the reader's own threshold, technical facts."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from pages.ui.cached import evidence_in, log_losses_of, report_of, splits_of
from pages.ui.pictures import plain
from pages.ui.predict.kept import Case, image_of, once
from pages.ui.predict.nearest import show_nearest
from pages.ui.predict.sides import agreement_of
from pages.ui.predict.trust import show_badge, show_heat_tools, show_probes
from pneumo_core.config.classifier import OperatingRule
from pneumo_core.data.images import Decoded
from pneumo_core.evaluation.calibration import CalibrationKind, described
from pneumo_core.evaluation.operating import rates
from pneumo_core.evaluation.report import EvaluationReport
from pneumo_core.evaluation.wording import (
    NAMES,
    estimate_text,
    file_size,
    interval_text,
    probability_text,
    score_text,
    value_text,
)
from pneumo_core.inference import uncertainty
from pneumo_core.inference.agreement import described as described_agreement
from pneumo_core.inference.classify import Classifier, Prediction
from pneumo_core.inference.compared import groups
from pneumo_core.inference.mend import done
from pneumo_core.records import Label, Metric, NotApplicable, Split, split_name
from pneumo_core.reporting.evaluation_tables import place, rates_on_test


def show_folds(case: Case, prediction: Prediction, model: Classifier, pixels: NDArray[np.uint8]) -> None:
    """Each in an expander, and computed when it is opened."""
    image = image_of(model, case)
    if prediction.probability is None or isinstance(image, Prediction):
        return
    likelihood, gray = prediction.probability, image.square
    folds: dict[str, Callable[[], None]] = {
        "How far to trust the heat map": lambda: _show_trust(prediction, model, image, pixels),
        "How stable the answer is": lambda: _show_spread(case, model, gray),
        "Nearest training images": lambda: show_nearest(prediction, model),
        "Calibration": lambda: _show_calibration(prediction, model),
        "Your own threshold": lambda: _show_own_threshold(case, likelihood, model),
        "Technical facts": lambda: _show_facts(case, prediction, model),
    }
    for title, show in folds.items():
        _fold(title, show)


@st.fragment
def _fold(title: str, show: Callable[[], None]) -> None:
    fold = st.expander(title, key=f"fold {title}", on_change="rerun")
    if fold.open:
        with fold:
            show()


def _show_trust(prediction: Prediction, model: Classifier, image: Decoded, pixels: NDArray[np.uint8]) -> None:
    """Tests of the model's heat maps, a second map, and shortcuts."""
    show_badge(model.run_id)
    show_heat_tools(model, prediction, image, pixels)
    show_probes(model, prediction, image.square)


def _show_spread(case: Case, model: Classifier, gray: NDArray[np.uint8]) -> None:
    """The probability under small changes of the image, and by other seeds where they are at hand."""
    found = once(case, "spread", lambda: uncertainty.spread(model, gray), model.run_id)
    st.markdown(plain(uncertainty.described(found)))
    rows = [{"change": one.change, "probability": plain(probability_text(one.probability))} for one in found.changed]
    st.table(pd.DataFrame(rows).set_index("change"), width="content", alt="The probability under small changes")
    seeds = uncertainty.seed_runs(model.run_id, groups())
    if seeds:
        together = agreement_of(case, model, list(seeds[:3]))
        if together is not None:
            chances = " to ".join(
                probability_text(end) for end in (min(together.probabilities), max(together.probabilities))
            )
            st.markdown(f"**Over seeds:** {described_agreement(together)}; {plain(chances)}.")
    else:
        st.caption("No other seed of this model is at hand.")


def show_rates(report: EvaluationReport) -> None:
    """Figures of the model on its test images."""
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


def _show_calibration(prediction: Prediction, model: Classifier) -> None:
    """The calibrated probability and the raw one, with how or why."""
    raw, how = prediction.probability, plain(described(model.calibration))
    if raw is None:
        return
    if isinstance(prediction.calibrated, NotApplicable) or isinstance(model.calibration, NotApplicable):
        st.markdown(f"Not calibrated, so the probability ranks images but is not a frequency: {how}.")
    elif model.calibration.chosen is CalibrationKind.IDENTITY:
        st.markdown(
            f"The raw probability, with {how}. Log loss is {model.calibration.before.log_loss:.3f} on "
            f"{split_name(model.calibration.calibrator.split)} and "
            f"{_losses(model.run_id)}. With another prevalence or other imaging the probability may not be valid."
        )
    else:
        before, after = model.calibration.before, model.calibration.after
        st.markdown(
            f"{plain(probability_text(raw))} before calibration, {plain(probability_text(prediction.calibrated))} after. "
            f"Calibrated by {how}. On {split_name(model.calibration.calibrator.split)} patients that it was not fitted on, log "
            f"loss is {after.log_loss:.3f} with it and {before.log_loss:.3f} without; {_losses(model.run_id)}. With another "
            "prevalence or other imaging it may not be valid."
        )


def _losses(run_id: str) -> str:
    """Log loss on test, with and without the calibration if there is one, for a sentence."""
    found = log_losses_of(run_id)
    if isinstance(found, NotApplicable):
        return plain(found.reason)
    raw, calibrated = found
    if raw == calibrated:
        return f"{score_text(raw)} on test (n = {raw.n:,}, 95 % interval)"
    return f"on test, {score_text(calibrated)} with it and {score_text(raw)} without (n = {raw.n:,}, 95 % intervals)"


def _show_own_threshold(case: Case, likelihood: float, model: Classifier) -> None:
    """A threshold of the reader's: the verdict, and the rates that it would have on test. Nothing is classified again."""
    key = f"threshold {model.run_id} {case.key}"
    own = st.slider("Threshold", 0.0, 1.0, model.operating_point.threshold, 0.01, key=key)
    label = Label.PNEUMONIA if likelihood >= own else Label.NORMAL
    st.markdown(
        f"At {plain(probability_text(own))}, this image ({plain(probability_text(likelihood))}, before any calibration) reads "
        f"as **{label.name}**."
    )
    if Split.TEST not in splits_of((model.run_id,)):
        st.caption("This run has no test figures.")
        return
    test = evidence_in(model.run_id, Split.TEST)
    found = rates(test.y_true, test.probability, test.patients, own)
    for metric in (Metric.SENSITIVITY, Metric.SPECIFICITY):
        words = estimate_text(metric, getattr(found, metric.value), with_n=True)
        st.markdown(f"- {NAMES[metric]} on {place(model.report, Split.TEST)}: {plain(words)}")
    st.caption(
        "95 % intervals. A threshold that is chosen because it suits one image is no longer tested by these rates."
    )


def _show_facts(case: Case, prediction: Prediction, model: Classifier) -> None:
    """The file, the answer, the model."""
    point = model.operating_point
    how = "fixed" if point.rule is OperatingRule.HALF else f"chosen on {point.split.value}"
    facts = {
        "file": f"{case.name}, {file_size(len(case.data))}",
        "done to it here": done(case.mends) or "nothing",
        **dict(prediction.facts),
        "gate": " ".join(filter(None, [prediction.answer.value, prediction.code])),
        "logit": "none" if prediction.logit is None else score_text(prediction.logit),
        "model": f"{model.run_id}, {model.session.image_size} x {model.session.image_size} pixels",
        "threshold": f"{point.threshold:.3f}, rule '{point.rule.value}', {how}",
        "at the threshold": rates_on_test(model.report),
    }
    rows = pd.DataFrame([{"fact": name, "value": plain(value)} for name, value in facts.items()]).set_index("fact")
    st.table(rows, alt="Technical facts")
    show_rates(report_of(model.run_id))
