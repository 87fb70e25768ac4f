"""The image of a case under its heat map, with the opacity at hand."""

import io

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from pages.ui.heat import scale_text, show_color_bar
from pages.ui.pictures import plain
from pages.ui.predict.kept import Case
from pneumo_core.evaluation.wording import percent
from pneumo_core.inference.classify import Classifier, Prediction
from pneumo_core.inference.heatmap import heatmap
from pneumo_core.inference.overlay import overlay
from pneumo_core.inference.spots import Spot, marked, strongest
from pneumo_core.reporting.glossary import TERMS

_OPACITY = 0.75
"""At first: below it, the heat of most images is hardly seen."""

_LONGEST_NAME = 72


def short(name: str) -> str:
    """A file's name with its middle left out where it would take several lines."""
    return name if len(name) <= _LONGEST_NAME else f"{name[:40]} ... {name[-25:]}"


@st.fragment
def show_picture(case: Case, pixels: NDArray[np.uint8], prediction: Prediction, model: Classifier) -> None:
    """The X-ray under its heat map. The opacity draws this part alone again; nothing is classified."""
    if prediction.cam is None:
        return
    place = st.container()
    opacity = st.slider("Heat map", 0.0, 1.0, _OPACITY, 0.05, key="opacity", help=TERMS["Grad-CAM"])
    with place:
        height, width = pixels.shape
        blended = overlay(pixels, heatmap(prediction.cam, model.heat_scale, width, height), opacity=opacity)
        caption = f"{plain(short(case.title))}, Grad-CAM at {percent(opacity, 0)}"
        spot = strongest(prediction.cam)
        if opacity and isinstance(spot, Spot):
            blended = marked(blended, spot)
            caption += f", strongest at the ring, {spot.words}"
        st.image(as_jpeg(blended), width="stretch", caption=caption, alt=f"The X-ray with its heat map: {caption}")
    show_color_bar(opacity)
    st.caption(plain(scale_text(model.heat_scale, prediction.cam)))


def as_jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels as a JPEG file, which takes a tenth of a PNG file's time and size."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
