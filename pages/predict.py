"""Predict: probability and heat map for one X-ray, or a refusal with its reason. Nothing is stored."""

import numpy as np
import streamlit as st
from PIL import Image

from pages.ui.address import check_words
from pages.ui.cached import loaded_classifier, report_of
from pages.ui.components import (
    caveats,
    data_badge,
    disclaimer,
    open_linked_tab,
    pick_finished_run,
    show_error,
    shown_errors,
)
from pages.ui.heat import scale_text, show_color_bar
from pages.ui.memory import give_back_memory
from pages.ui.pictures import bounded, plain
from pages.ui.predict.answer import show_operating_point, show_probability, show_rates
from pages.ui.predict.samples import pick_sample
from pages.ui.state import needed_index, require_frame
from pneumo_core.data.images import decode_gray, read_indexed
from pneumo_core.data.index import DataIndex
from pneumo_core.evaluation.wording import percent
from pneumo_core.inference.classify import Classifier, Prediction, classify
from pneumo_core.inference.gate import Answer
from pneumo_core.inference.heatmap import heatmap
from pneumo_core.inference.overlay import overlay
from pneumo_core.records import Label, Split
from pneumo_core.reporting.glossary import TERMS

require_frame()

SOURCES = ("Upload an X-ray", "Sample from the data set")

_LONGEST_SIDE = 1024  # Pixels.


def show(prediction: Prediction, data: bytes, name: str, model: Classifier, truth: Label | None) -> None:
    """The prediction beside its image."""
    if prediction.answer is Answer.REFUSED:
        show_error(f"Refused: {prediction.reason}. What to do: {prediction.advice}.")
        return
    if prediction.probability is None or prediction.label is None or prediction.cam is None:
        return
    # What a page can show, and quick to blend and send.
    pixels = np.asarray(bounded(Image.fromarray(decode_gray(data, name)), _LONGEST_SIDE))
    picture, words = st.columns([3, 2], gap="large")
    with words:
        if prediction.answer is Answer.WARNED:
            st.warning(plain(f"Be careful: {prediction.reason}. What to do: {prediction.advice}."))
        threshold, scale = show_probability(prediction, prediction.probability, model)
        st.markdown(
            f"At the run's operating point (threshold {threshold:.3f}{scale}) the prediction is **{prediction.label.name}**."
        )
        show_operating_point(model)
        if truth is not None:
            st.markdown(f"The data set labels it **{truth.name}**.")
        opacity = st.slider("Heat map", 0.0, 1.0, 0.5, 0.05, help=TERMS["Grad-CAM"])
        show_color_bar(opacity)
        st.caption(plain(scale_text(model.heat_scale, prediction.cam)))
    with picture:
        height, width = pixels.shape
        blended = overlay(pixels, heatmap(prediction.cam, model.heat_scale, width, height), opacity=opacity)
        caption = f"{plain(name)}, Grad-CAM at {percent(opacity, 0)}"
        st.image(blended, width="stretch", caption=caption, alt=f"The X-ray with its heat map: {caption}")


def show_sample(model: Classifier, index: DataIndex, *, from_patients: bool) -> None:
    """An image of the connected data, with its label beside the prediction."""
    data_badge(index)
    if index.is_phantom and from_patients:
        st.info(
            "This model was trained on X-rays of patients, and these samples are synthetic phantoms: its predictions only "
            "show how the page works. Connect X-rays on Dataset, or choose a model trained on phantoms."
        )
    record = pick_sample(index, Split.TEST)
    content = read_indexed(index.root, record.image_id, record.sha256)
    show(classify(model, content, record.image_id), content, record.image_id, model, record.label)


st.title("Predict")
disclaimer()
with shown_errors():
    view = pick_finished_run("Model", with_model=True)
    open_linked_tab("source", SOURCES[1], named="image")
    check_words("source", SOURCES, "tab")
    upload, sample = st.tabs(SOURCES, key="source", bind="query-params")
    with upload:
        st.caption(
            "A frontal chest X-ray as PNG or JPEG. It is kept in this server's memory while you view it and is never stored."
        )
        file = st.file_uploader("X-ray", type=["png", "jpg", "jpeg"], max_upload_size=20)
        answer = st.container()
        show_rates(report_of(view.run_id))
    model = loaded_classifier(view.run_id)  # This takes a moment the first time; the content above is already shown.
    if file is not None and upload.open:
        with answer:
            content = file.getvalue()
            show(classify(model, content, file.name), content, file.name, model, None)
    if sample.open:
        with sample:
            show_sample(model, needed_index(), from_patients=not view.data.is_phantom)
    caveats(view)
give_back_memory()
