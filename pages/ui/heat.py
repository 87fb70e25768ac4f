"""The color bar of heat maps, and what its colors mean."""

from collections.abc import Mapping

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pneumo_core.evaluation.wording import percent
from pneumo_core.inference.heatmap import HeatScale, described, share_of_full
from pneumo_core.inference.overlay import overlay
from pneumo_core.records import NotApplicable

_GRAY = 128
"""Of the bar's ground: the middle of an X-ray's."""

_WIDTH = 160
"""Of the bar, in pixels: with its words it fits beside a verdict on a phone."""


def show_color_bar(opacity: float) -> None:
    """The colors of a heat map from none to full, blended as the map is."""
    ramp = np.tile(np.linspace(0, 1, _WIDTH, dtype=np.float32), (10, 1))
    bar = overlay(np.full(ramp.shape, _GRAY, np.uint8), ramp, opacity=opacity)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("none", width="content")
        st.image(
            bar,
            width=_WIDTH,
            alt="Colors of the heat map, from no contribution to PNEUMONIA, left, to full color, right",
        )
        st.caption("full color", width="content")


def scale_text(scale: HeatScale | NotApplicable, cam: NDArray[np.float32]) -> str:
    """What full color means, and how strong an image's strongest spot is."""
    if not (cam > 0).any():
        return "The heat map is empty: no region of this image contributes to PNEUMONIA in this model."
    words = f"Full color, at the right: {described(scale)}."
    if isinstance(scale, NotApplicable):
        return f"{words} A weak map therefore looks as strong as a strong one."
    return f"{words} The strongest spot of this image is at {percent(share_of_full(cam, scale), 0)} of it."


def pair_text(scales: Mapping[str, HeatScale | NotApplicable]) -> str:
    """What full color means in each run's maps, by letter, and whether maps of two runs can be compared."""
    parts = "; ".join(f"for {letter}, {described(scale)}" for letter, scale in scales.items())
    words = f"Full color, at the right of the bar, is {parts}."
    if len(scales) < 2:
        return words
    if lacking := [letter for letter, scale in scales.items() if isinstance(scale, NotApplicable)]:
        return f"{words} The maps of A and B cannot be compared: {' and '.join(lacking)} without a common scale."
    return f"{words} On these scales the maps of A and B can be compared, as can those of two images."
