"""The networks as diagrams and tables."""

import math
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.ui.components import choice
from pneumo_core.config.architecture import LayerSpec, network_layers
from pneumo_core.config.classifier import Preset
from pneumo_core.config.naming import NETWORKS
from pneumo_core.config.presets import preset_config
from pneumo_core.records import Architecture

_COLORS = {
    "Conv2D": "#0F766E",
    "BatchNormalization": "#64748B",
    "MaxPooling2D": "#B45309",
    "GlobalAveragePooling2D": "#BE185D",
    "Dense": "#4338CA",
    "Dropout": "#94A3B8",
}
_WORDS = {
    "Conv2D": "convolution 3x3 + ReLU",
    "BatchNormalization": "batch normalization",
    "MaxPooling2D": "max pooling 2x2",
    "GlobalAveragePooling2D": "global average pooling",
    "Dense": "dense",
    "Dropout": "dropout",
}
_NOTES = {
    Architecture.BASELINE: "The report's figure 3.",
    Architecture.COMPACT: "This project's own: batch normalization comes before each ReLU, and there is no hidden dense layer.",
    Architecture.VGG16: "VGG16 with the report's head (section 4). Hatched layers keep their ImageNet weights.",
}


def network_panel() -> None:
    """A network, drawn from the layers that training builds."""
    chosen = choice(
        "Drawn network",
        list(NETWORKS),
        format_func=NETWORKS.__getitem__,
        label_visibility="collapsed",
        key="drawn_network",
        persist_state="session",
    )
    size = preset_config(chosen, Preset.SOUND).image_size
    layers = network_layers(chosen, size)
    words = (
        f"Height is the side of a layer's output, width its channels, of an image of {size} pixels a side; drawn from the "
        "layers that training builds."
    )
    st.caption(f"{_NOTES[chosen]} {words}")
    alt = f"{NETWORKS[chosen]}. {words}"
    st.plotly_chart(architecture_figure(layers), config={"displayModeBar": False}, alt=alt)
    architecture_table(layers)


def architecture_figure(layers: Sequence[LayerSpec]) -> go.Figure:
    """Each layer as a block: height is the side of its output (or the log of its units), width the log of its channels.

    Layers whose weights exist and are not trained are hatched.
    """
    figure = go.Figure()
    x = 0.0
    named: set[str] = set()
    for layer in layers:
        if layer.kind not in _COLORS:
            continue
        is_map = len(layer.output_shape) == 3
        height = float(layer.output_shape[0]) if is_map else 12 * math.log2(layer.output_shape[0] + 1)
        width = math.log2(layer.output_shape[2]) if is_map and layer.kind == "Conv2D" else 1.6
        shape = " x ".join(map(str, layer.output_shape))
        is_frozen = layer.fixed > 0 and layer.trainable == 0
        name = _WORDS[layer.kind] + ", frozen" * is_frozen
        figure.add_bar(
            x=[x + width / 2],
            y=[height],
            base=[-height / 2],
            width=[width],
            marker={"color": _COLORS[layer.kind], "pattern": {"shape": "/" if is_frozen else ""}},
            name=name,
            legendgroup=name,
            showlegend=name not in named,
            hovertemplate=f"{layer.name}<br>output {shape}<br>{layer.trainable + layer.fixed:,} parameters<extra></extra>",
        )
        if layer.kind in {"Conv2D", "Dense"}:
            figure.add_annotation(
                x=x + width / 2,
                y=-height / 2,
                text=str(layer.output_shape[-1]),
                showarrow=False,
                yanchor="top",
                textangle=0 if is_map else -90,  # Dense layers are too close for horizontal labels.
                font_size=11,
            )
        named.add(name)
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
    words = "Frozen convolutions, and the moving means and variances of batch normalization."
    untrained.metric("Not trainable", f"{fixed:,}", help=words)
    table = pd.DataFrame(
        {
            "layer": [layer.name for layer in layers],
            "kind": [layer.kind for layer in layers],
            "output": [" x ".join(map(str, layer.output_shape)) for layer in layers],
            "parameters": [layer.trainable + layer.fixed for layer in layers],
            "trainable": [layer.trainable for layer in layers],
        }
    )
    number = st.column_config.NumberColumn(format="localized")
    st.dataframe(table, hide_index=True, column_config={"parameters": number, "trainable": number})
