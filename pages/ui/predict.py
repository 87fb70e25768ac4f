"""What the Predict page draws with: samples, a bounded picture, the probability on its scale."""

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from pages.ui.charts import COLOURS, REFERENCE
from pneumo_core.data.index import DataIndex
from pneumo_core.errors import DataError
from pneumo_core.records import ImageRecord, Label, Split, Subtype

_LONGEST_SIDE = 1024


def bounded(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image of at most 1,024 pixels on its longest side: what a page can show, and quick to blend and send."""
    height, width = pixels.shape
    scale = _LONGEST_SIDE / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))


def pick_sample(index: DataIndex, split: Split) -> ImageRecord:
    """Let the reader step through a split's images; the choice is in the address (``?image=``).

    Raises:
        DataError: The split has no image.
    """
    left, middle, right = st.columns([4, 3, 2], vertical_alignment="bottom")
    wanted = left.radio("Class", ["any", *Label.__members__], horizontal=True, key="sample_class")
    table = index.table[index.table["split"] == split.value]
    if wanted != "any":
        table = table[table["label"] == Label[wanted].value]
    ids = table["image_id"].tolist()
    if not ids:
        raise DataError(
            f"samples come from {split.value}. Received: no image there of class {wanted}; connect other data"
        )
    asked = st.query_params.get("image")
    position = ids.index(asked) if asked in ids else st.session_state.get("sample_position", 0) % len(ids)
    if right.button("Another one", icon=":material/shuffle:", key="another"):
        position = int(np.random.default_rng().integers(len(ids)))
    chosen = middle.selectbox("Image", ids, index=position, format_func=lambda name: name.rsplit("/", 1)[-1])
    st.session_state["sample_position"] = ids.index(chosen)
    if asked is not None or chosen != ids[0]:
        st.query_params["image"] = chosen
    row = table[table["image_id"] == chosen].iloc[0].to_dict()
    return ImageRecord(
        **{**row, "split": Split(row["split"]), "label": Label(row["label"]), "subtype": Subtype(row["subtype"])}
    )


def probability_text(probability: float) -> str:
    """A probability in words that never claim certainty: a sigmoid reaches neither 0 nor 1."""
    if probability > 0.999:
        return "> 99.9%"
    return "< 0.1%" if probability < 0.001 else f"{probability:.1%}"


def probability_figure(probability: float, threshold: float) -> go.Figure:
    """The probability on a scale from 0 to 1, with the decision threshold marked."""
    figure = go.Figure()
    colour = COLOURS[Label.PNEUMONIA]
    figure.add_bar(
        x=[probability], y=[""], orientation="h", marker_color=colour, hovertemplate="%{x:.3f}<extra></extra>"
    )
    figure.add_vline(x=threshold, line_dash="dash", line_color=REFERENCE)
    # Above the bar and not on it, where no colour of text would read in both themes.
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
