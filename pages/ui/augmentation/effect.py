"""The effect of augmentation settings on a sample: images, verdicts on plausibility, gray levels."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from pages.ui.augmentation.sample import SHOWN, Sample
from pages.ui.augmentation.settings import Setting
from pages.ui.charts import MODEL, REFERENCE, laid_out
from pages.ui.components import chart
from pneumo_core.augmentation.mixup import draw_mix, mixed
from pneumo_core.augmentation.plausibility import Verdict, plausibility
from pneumo_core.augmentation.transform import AugmentParameters, apply, draw_parameters
from pneumo_core.config.augment import augmentation_name
from pneumo_core.evaluation.wording import percent, percent_change

_COLORS = {Verdict.PLAUSIBLE: "green", Verdict.QUESTIONABLE: "orange", Verdict.IMPLAUSIBLE: "red"}

_VIEWS = 3
_WIDEST = 560  # Pixels of the preview: on a wide screen it still fits into the window's height.
_BINS = 32  # Of gray levels, 8 each.


def show_preview(setting: Setting, sample: Sample, seed: int) -> None:
    """A few images and views of each, in columns that stay beside each other at any width."""
    changed = [augmented(sample.images[:SHOWN], setting, seed, view) for view in range(_VIEWS)]
    with st.container(width=_WIDEST):
        grid = st.grid(1 + _VIEWS, min_column_width=32, wrap=False, gap="xxsmall")
    for heading in ("original", *(f"view {view}" for view in range(1, _VIEWS + 1))):
        grid.caption(heading)
    for i, label in enumerate(sample.labels[:SHOWN]):
        image = f"Image {i + 1}, {label.name}"
        with grid.cell(column_span="all"):  # A column of a narrow preview is too narrow for a class's name.
            st.caption(label.name)
        grid.image(sample.images[i], width="stretch", alt=f"{image}, original")
        for number, view in enumerate(changed, start=1):
            grid.image(view.images[i], width="stretch", alt=f"{image}, view {number}: {description(view, i)}")


def show_verdicts(setting: Setting) -> None:
    """Whether each change can occur in X-rays, and why."""
    notes = plausibility(setting.augment, setting.mixup)
    if not notes:
        st.info("Nothing is changed: every epoch sees the same images. Move a slider, or start from a preset.")
        return
    lines = (f"- **{note.operation}** :{_COLORS[note.verdict]}-badge[{note.verdict}] {note.reason}" for note in notes)
    st.markdown("\n".join(lines))


def show_gray_levels(name: str, setting: Setting, sample: Sample, seed: int) -> None:
    """Gray levels before and after, folded, and counted only where they are open."""
    folded = st.expander("Gray levels before and after", key=f"gray levels, {name}", on_change="rerun")
    if not folded.open:
        return
    with folded:
        levels = gray_levels(sample.images, augmented(sample.images, setting, seed, 0).images)
        chart(
            gray_figure(levels),
            levels,
            title=f"Gray levels, {name}",
            where=f"train, n = {len(sample.images):,} images",
            caption="Share of the pixels, before and after, one view of each image. Flips move pixels and change no share.",
            of=("augmentation", augmentation_name(setting.augment)),
        )


@dataclass(frozen=True, slots=True)
class View:
    """One view of each image of a batch.

    Attributes:
        images: `(n, side, side)` uint8, rounded for the screen.
        parameters: Changes of each.
        share: Share that each keeps in mixup, in [0.5, 1].
        order: `(n,)` row of the image that has the rest.
    """

    images: NDArray[np.uint8]
    parameters: AugmentParameters
    share: float
    order: NDArray[np.int64]


def augmented(images: NDArray[np.uint8], setting: Setting, seed: int, view: int) -> View:
    """A view of each image, as training makes it.

    The changes are drawn alike whatever the setting, and those of the first images alike however many there are; mixup mixes
    these images among themselves.
    """
    parameters = draw_parameters(setting.augment, len(images), np.random.default_rng([seed, view]))
    share, order = draw_mix(setting.mixup, len(images), np.random.default_rng([seed, view, 1]))
    made = mixed(apply(images, parameters), share, order)
    return View(np.rint(made).astype(np.uint8), parameters, share, order)


def description(view: View, i: int) -> str:
    """Description of an image's changes, for users who cannot see it."""
    parameters = view.parameters
    zoom_x, zoom_y, angle = parameters.zoom_x[i], parameters.zoom_y[i], parameters.rotation_deg[i]
    across, down, blur = -parameters.shift_x[i], -parameters.shift_y[i], parameters.blur_sigma[i]
    contrast, brightness = parameters.contrast[i], parameters.brightness[i]
    said = {
        f"magnified {1 / zoom_x:.2f} times across and {1 / zoom_y:.2f} down": zoom_x != 1 or zoom_y != 1,
        f"turned {abs(angle):.0f}° {'counter' if angle > 0 else ''}clockwise": angle != 0,
        f"moved {percent_change(across)} across and {percent_change(down)} down": bool(across or down),
        "mirrored": parameters.flip_horizontal[i],
        "upside down": parameters.flip_vertical[i],
        f"contrast times {contrast:.2f}": contrast != 1,
        f"{brightness:+.0f} gray levels": brightness != 0,
        f"blurred by {blur:.1f} pixels": blur != 0,
        f"stretched {parameters.aspect[i]:.2f} times": parameters.aspect[i] != 1,
        f"reduced to {percent(parameters.resolution[i], 0)} of the pixels a side": parameters.resolution[i] != 1,
        f"detail times {parameters.sharpness[i]:.2f}": parameters.sharpness[i] != 1,
        f"gamma {parameters.gamma[i]:.2f}": parameters.gamma[i] != 1,
        f"noise of {parameters.noise[i]:.1f}": parameters.noise[i] != 0,
        f"JPEG quality {parameters.jpeg_quality[i]:.0f}": parameters.jpeg_quality[i] != 0,
        f"a square of {percent(parameters.cutout[i], 0)} of the side covered": parameters.cutout[i] != 0,
        f"mixed with {percent(1 - view.share, 0)} of image {view.order[i] + 1}": view.share < 1 and view.order[i] != i,
    }
    return ", ".join(words for words, holds in said.items() if holds) or "unchanged"


def gray_levels(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> pd.DataFrame:
    """Share of the pixels in each bin of gray levels, before and after."""
    width = 256 // _BINS
    first = np.arange(_BINS) * width
    shares = [np.bincount(pixels.ravel() // width, minlength=_BINS) / pixels.size for pixels in (before, after)]
    return pd.DataFrame({"from": first, "to": first + width - 1, "before": shares[0], "after": shares[1]})


def gray_figure(levels: pd.DataFrame) -> go.Figure:
    """Shares of `gray_levels` as two stepped lines."""
    figure = go.Figure()
    styles = {"before": {"color": REFERENCE, "dash": "dash"}, "after": {"color": MODEL}}
    for name, style in styles.items():
        figure.add_scatter(
            x=(levels["from"] + levels["to"]) / 2,
            y=levels[name],
            mode="lines",
            name=name,
            line={"shape": "hvh", "width": 2, **style},
            customdata=levels[["from", "to"]],
            hovertemplate="%{customdata[0]} to %{customdata[1]}: %{y:.1%}",
        )
    figure.update_xaxes(title_text="gray level", range=[0, 255], dtick=64)
    figure.update_yaxes(title_text="share of the pixels", tickformat=".0%", rangemode="tozero")
    return laid_out(figure, 260, 1.02, top=8, hovermode="x unified")
