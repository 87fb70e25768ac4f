"""The network as a picture and as a table."""

import math
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pneumo_core.architecture import LayerSpec

_COLOURS = {
    "Conv2D": "#0F766E",
    "BatchNormalization": "#64748B",
    "MaxPooling2D": "#B45309",
    "Dense": "#4338CA",
    "Dropout": "#94A3B8",
}
_WORDS = {
    "Conv2D": "convolution 3x3 + ReLU",
    "BatchNormalization": "batch normalization",
    "MaxPooling2D": "max pooling 2x2",
    "Dense": "dense",
    "Dropout": "dropout",
}


def architecture_figure(layers: Sequence[LayerSpec]) -> go.Figure:
    """Each layer as a block: height is the side of its output (or the log of its units), width the log of its channels."""
    figure = go.Figure()
    x = 0.0
    named: set[str] = set()
    for layer in layers:
        if layer.kind not in _COLOURS:
            continue
        is_map = len(layer.output_shape) == 3
        height = float(layer.output_shape[0]) if is_map else 12 * math.log2(layer.output_shape[0] + 1)
        width = math.log2(layer.output_shape[2]) if is_map and layer.kind == "Conv2D" else 1.6
        shape = " x ".join(map(str, layer.output_shape))
        figure.add_bar(
            x=[x + width / 2],
            y=[height],
            base=[-height / 2],
            width=[width],
            marker_color=_COLOURS[layer.kind],
            name=_WORDS[layer.kind],
            legendgroup=layer.kind,
            showlegend=layer.kind not in named,
            hovertemplate=f"{layer.name}<br>output {shape}<br>{layer.trainable + layer.fixed:,} parameters<extra></extra>",
        )
        if layer.kind in {"Conv2D", "Dense"}:
            figure.add_annotation(
                x=x + width / 2,
                y=-height / 2,
                text=str(layer.output_shape[-1]),
                showarrow=False,
                yshift=-10,
                font_size=11,
            )
        named.add(layer.kind)
        x += width + (1.2 if layer.kind == "MaxPooling2D" else 0.35)
    figure.update_layout(
        height=320,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        bargap=0,
        barmode="overlay",
        legend={"orientation": "h", "y": -0.05},
        xaxis={"visible": False},
        yaxis={"visible": False},
    )
    return figure


def architecture_table(layers: Sequence[LayerSpec]) -> None:
    """The layers with shapes and parameters, and their sums."""
    trainable, fixed = sum(layer.trainable for layer in layers), sum(layer.fixed for layer in layers)
    total, trained, untrained = st.columns(3)
    total.metric("Parameters", f"{trainable + fixed:,}")
    trained.metric("Trainable", f"{trainable:,}")
    untrained.metric("Not trainable", f"{fixed:,}", help="Moving means and variances of batch normalization.")
    table = pd.DataFrame(
        {
            "layer": [layer.name for layer in layers],
            "kind": [layer.kind for layer in layers],
            "output": [" x ".join(map(str, layer.output_shape)) for layer in layers],
            "parameters": [layer.trainable + layer.fixed for layer in layers],
            "trainable": [layer.trainable for layer in layers],
        }
    )
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        column_config={
            "parameters": st.column_config.NumberColumn(format="localized"),
            "trainable": st.column_config.NumberColumn(format="localized"),
        },
    )
