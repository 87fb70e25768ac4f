"""Training of a DCGAN in the browser: the form with its cost, and the live view of a run."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

from pages.ui.charts import DASHED, MODEL, SYNTHETIC, laid_out
from pages.ui.components import KEPT, chart, choice, choose_preset, seed_number, show_error, whole_number
from pages.ui.gan.pictures import generated_badge, sheet_epochs, sheet_words
from pages.ui.pictures import plain
from pages.ui.train.form import choose_executor
from pages.ui.train.launch import cost_lines, hardware, run_button
from pages.ui.train.runs import run_panel
from pneumo_core.config.gan import COLLAPSE_LIMIT, GAN_PRESETS, GAN_SIZES, GanConfig, gan_config, usual_gan_size
from pneumo_core.data.images import decode_gray
from pneumo_core.data.index import DataIndex
from pneumo_core.data.splits import require_learnable
from pneumo_core.errors import PneumoError
from pneumo_core.evaluation.curves import gan_points
from pneumo_core.jobs.runs import RunView
from pneumo_core.records import Label, RunState, Split
from pneumo_core.reporting.drawing import COLORS
from pneumo_core.reporting.file_names import run_words
from pneumo_core.runs.files import store_errors
from pneumo_core.runs.store import RunDirectory


def train_panel(index: DataIndex) -> None:
    """The form of a new DCGAN, its cost, and the button that starts, resumes, follows or opens it."""
    st.header("New DCGAN")
    try:
        config = _choose(index)
        require_learnable(index, config)
        executor = choose_executor()
        st.caption("  \n".join(map(plain, cost_lines(config, index, executor))))
        run_button(config, index, executor)
    except PneumoError as error:
        show_error(error)  # The run below is still drawn.


def live_panel(item: RunView) -> None:
    """A DCGAN's run, live while it works: progress, curves, and samples; folded once it has succeeded."""
    with st.expander("Training of the DCGAN shown above", expanded=item.state is not RunState.SUCCEEDED):
        run_panel(item.run_id, _curves)


def _choose(index: DataIndex) -> GanConfig:
    left, right = st.columns([2, 1], gap="large")
    with left:
        preset = choose_preset("gan_preset", {preset: note.summary for preset, note in GAN_PRESETS.items()})
        label = choice(
            "Class, and its training images",
            list(Label),
            format_func=lambda label: f"{label.name}: {index.counts()[Split.TRAIN, label]:,}",
            help="Class of the training images. To balance a classifier's classes, it must be the smaller class.",
            key="gan_label",
            **KEPT,
        )
    with right:
        size = choice(
            "Image size",
            GAN_SIZES,
            default=usual_gan_size(hardware().kind),
            format_func=lambda size: f"{size} × {size}",
            help="128 takes about four times as long and is intended for a GPU.",
            key="gan_size",
            **KEPT,
        )
        usual = gan_config(preset).epochs
        epochs = whole_number("Epochs", 1, 100_000, usual, key=f"gan_epochs {preset.value}")
        seed = seed_number("Seed", "gan_seed")
    with st.expander(f"About the preset '{preset.value}'"):
        st.markdown("\n".join(f"- {caveat}" for caveat in GAN_PRESETS[preset].caveats))
    return gan_config(preset, seed=seed, label=Label(label), epochs=epochs, image_size=int(size))


def _curves(item: RunView, events: Sequence[Mapping[str, Any]]) -> None:
    epochs = gan_points(events)
    if epochs.empty:
        if item.state is RunState.RUNNING:
            st.caption("Curves and first samples appear after the first epoch.")
        return
    label = item.config.label if isinstance(item.config, GanConfig) else Label.NORMAL
    left, right = st.columns([3, 2], gap="large")
    with left:
        chart(
            gan_figure(epochs, label),
            epochs,
            title="Losses, scores and spread",
            where=f"train, {len(epochs):,} epochs",
            caption="If the discriminator cannot tell real from generated images, it scores both 0.5. Spread is the variation "
            "of the samples as a fraction of that of the real images. If it stays below the dashed line for five epochs, the "
            "samples have collapsed and the run stops. Losses need not fall.",
            of=("gan", *run_words(item.config, item.run_id)),
        )
    with right:
        _newest_sheet(item.run)


def gan_figure(epochs: pd.DataFrame, label: Label) -> go.Figure:
    """Both losses, both scores, and the spread with its limit, by epoch."""
    figure = make_subplots(rows=3, shared_xaxes=True, vertical_spacing=0.06)
    lines = (
        ("loss_generator", "generator's loss", SYNTHETIC, 1),
        ("loss_discriminator", "discriminator's loss", MODEL, 1),
        ("score_real", f"score of real {label.name}", COLORS[label], 2),
        ("score_generated", "score of generated", SYNTHETIC, 2),
        ("spread", "spread of generated", SYNTHETIC, 3),
    )
    for column, name, color, row in lines:
        style: dict[str, Any] = {"mode": "lines+markers" if len(epochs) < 30 else "lines", "line": {"color": color}}
        figure.add_scatter(x=epochs["epoch"], y=epochs[column], name=name, row=row, col=1, **style)
    figure.add_hline(y=COLLAPSE_LIMIT, line=DASHED, row=3)
    figure.add_scatter(x=[None], y=[None], mode="lines", name=f"collapse below {COLLAPSE_LIMIT}", line=DASHED)
    for row, title in enumerate(("loss", "score", "spread"), start=1):
        figure.update_yaxes(title_text=title, rangemode="tozero", row=row)
    figure.update_yaxes(range=[-0.02, 1.02], row=2)
    figure.update_xaxes(title_text="epoch", row=3)
    return laid_out(figure, 560, -0.12, hovermode="x unified")


def _newest_sheet(run: RunDirectory) -> None:
    """The latest samples of the fixed latents."""
    epochs = sheet_epochs(run)
    if not epochs:
        return
    path = run.sheet(epochs[-1])
    with store_errors(path):
        pixels = decode_gray(path.read_bytes(), path.name)
    generated_badge()
    caption = sheet_words(pixels, epochs[-1])
    st.image(pixels, width="stretch", output_format="PNG", alt=f"A sheet of {caption}")
    st.caption(f"{caption}, always from the same latent vectors. 'Samples' shows earlier epochs.")
