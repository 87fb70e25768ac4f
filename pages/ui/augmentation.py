"""Parts of the Augmentation page: a sample of training images, and the effect of settings on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from pages.ui.charts import MODEL, REFERENCE, laid_out
from pages.ui.components import chart
from pages.ui.known import phantom_sample
from pneumo_core.augmentation.plausibility import Verdict, plausibility
from pneumo_core.augmentation.transform import AugmentParameters, apply, draw_parameters
from pneumo_core.config.classifier import AUGMENTATIONS, AugmentConfig
from pneumo_core.data.images import decode_gray, read_indexed
from pneumo_core.data.index import DataIndex
from pneumo_core.errors import DataError
from pneumo_core.records import Label, Split

SLIDERS: dict[str, tuple[str, float, float, str]] = {
    "zoom": ("Zoom, up to ±", 0.9, 0.01, "percent"),
    "rotation_deg": ("Rotation, up to ±", 180.0, 1.0, "%g°"),
    "shift": ("Shift, up to ± of the side", 0.5, 0.01, "percent"),
    "contrast": ("Contrast, up to ±", 0.9, 0.01, "percent"),
    "brightness": ("Brightness, up to ± of the gray scale", 0.5, 0.01, "percent"),
    "blur_sigma": ("Blur, up to", 5.0, 0.1, "%.1f px"),
}
"""Label, largest value, step and format of each number of an `AugmentConfig`; the smallest is 0, which is off."""
TOGGLES = {
    "zoom_keeps_aspect": "Zoom keeps the aspect",
    "horizontal_flip": "Horizontal flip of half the images",
    "vertical_flip": "Vertical flip of half the images",
}
_NUMBERS = {name: high for name, (_, high, _, _) in SLIDERS.items()} | {"sample": 999_999.0, "draw": 999_999.0}
_CHOICES = dict.fromkeys(TOGGLES, ("true", "false")) | {"of": tuple(Label.__members__)}
_COLORS = {Verdict.PLAUSIBLE: "green", Verdict.QUESTIONABLE: "orange", Verdict.IMPLAUSIBLE: "red"}

_SIZE = 150  # Pixels a side, as in every preset.
_SHOWN, _VIEWS = 4, 3
_COUNTED = 64  # Images of a sample: those that are shown, and others that the gray levels are counted on as well.
_BINS = 32  # Of gray levels, 8 each.


@dataclass(frozen=True, slots=True)
class Sample:
    """Training images to look at.

    Attributes:
        images: ``(n, 150, 150)`` uint8 gray, as training gets them.
        labels: Class of each.
    """

    images: NDArray[np.uint8]
    labels: tuple[Label, ...]


def refused_values(query: dict[str, str]) -> str:
    """One line on invalid values in the address, which Streamlit drops silently; empty without any."""
    refused = []
    for name, text in query.items():
        if name in _NUMBERS and not 0 <= _number(text) <= _NUMBERS[name]:
            refused.append(f"{name}={text[:24]!r} (0 to {_NUMBERS[name]:,g})")
        if name in _CHOICES and text and {text, text.lower()}.isdisjoint(_CHOICES[name]):
            refused.append(f"{name}={text[:24]!r} ({' or '.join(_CHOICES[name])})")
    error = f"each value in the address must be valid for its control. Received: {', '.join(refused)}"
    return f"{error}; ignored, the rest of the address is used" if refused else ""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def introduce(presets: Mapping[str, str]) -> None:
    """Introduction, and the changes of each preset as a table without images.

    Args:
        presets: Name of each, and what to call it.
    """
    st.markdown(
        "In every epoch each training image is changed at random, so that a model is trained on more variety. Changes that "
        "cannot occur in X-rays do not help it. These images are made by the code that training uses."
    )
    rows = [
        {"preset": title, "change": note.operation, "on an X-ray": note.verdict.value}
        for name, title in presets.items()
        for note in plausibility(AUGMENTATIONS[name])
    ]
    if rows:
        st.table(pd.DataFrame(rows), hide_index=True, alt="What each preset changes")


def choose_sample(index: DataIndex | None) -> tuple[Sample, int]:
    """Choice of training images, and of the seed of their changes.

    Args:
        index: The data set; None where it is being prepared: the images are then the first phantoms.

    Raises:
        DataError: There is no such image, or one is not what was indexed.
    """
    kept: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        wanted = st.segmented_control("Class", list(Label.__members__), key="of", **kept)
        # As floats, because Streamlit 1.67 raises OverflowError if an address gives an integer as 1e400.
        whole: dict[str, Any] = {"step": 1.0, "format": "%.0f", "width": 200, **kept}
        number = int(st.number_input("Sample (+ draws another)", 0.0, _NUMBERS["sample"], key="sample", **whole))
        seed = int(st.number_input("Seed of the changes", 0.0, _NUMBERS["draw"], key="draw", **whole))
    if index is None:
        return _first_phantoms(Label[wanted] if wanted else None, number), seed
    rows = index.table[index.table["split"] == Split.TRAIN.value]
    if wanted:
        rows = rows[rows["label"] == int(Label[wanted])]
    if rows.empty:
        raise DataError(
            f"augmentation is shown on images of train. Received: no image there of class {wanted or 'any'}; choose another "
            "class or connect other data"
        )
    rows = rows.iloc[np.random.default_rng(number).permutation(len(rows))[:_COUNTED]]
    # Both classes are shown if both are selected, however rare one is.
    first = rows.groupby("label").head(_SHOWN // rows["label"].nunique())
    rows = pd.concat([first, rows.drop(first.index)])
    images = _squares(str(index.root), tuple(rows["image_id"]), tuple(rows["sha256"]))
    return Sample(images, tuple(Label(label) for label in rows["label"])), seed


def _first_phantoms(wanted: Label | None, number: int) -> Sample:
    """The same of the first phantoms."""
    found = [(label, pixels) for label, pixels in zip(*phantom_sample(), strict=True) if wanted in {None, label}]
    found = found[number % len(found) :] + found[: number % len(found)]
    squares = [Image.fromarray(pixels).resize((_SIZE, _SIZE), Image.Resampling.BILINEAR) for _, pixels in found]
    return Sample(np.stack([np.asarray(square) for square in squares]), tuple(label for label, _ in found))


@st.cache_data(max_entries=8, show_spinner=False)
def _squares(root: str, image_ids: tuple[str, ...], hashes: tuple[str, ...]) -> NDArray[np.uint8]:
    """Files of the index as the array cache of a training holds them."""
    pairs = zip(image_ids, hashes, strict=True)
    return np.stack([decode_gray(read_indexed(Path(root), name, sha), name, size=_SIZE) for name, sha in pairs])


def show_setting(name: str, config: AugmentConfig, sample: Sample, seed: int) -> None:
    """Effect of settings on a sample: images, notes on plausibility, and gray levels before and after."""
    notes = plausibility(config)
    if not notes:
        st.info("Nothing is changed: every epoch sees the same images. Move a slider, or start from a preset.")
    changed = [augmented(sample.images[:_SHOWN], config, seed, view) for view in range(_VIEWS)]
    grid = st.grid(1 + _VIEWS, min_column_width=64, gap="xxsmall")
    for heading in ("original", *(f"view {view}" for view in range(1, _VIEWS + 1))):
        grid.caption(heading)
    for i, label in enumerate(sample.labels[:_SHOWN]):
        image = f"Image {i + 1}, {label.name}"
        with grid.cell():
            st.image(sample.images[i], width="stretch", alt=f"{image}, original", caption=label.name)
        for view, (images, parameters) in enumerate(changed, start=1):
            words = description(parameters, i)
            grid.image(images[i], width="stretch", alt=f"{image}, view {view}: {words}")
    levels = gray_levels(sample.images, augmented(sample.images, config, seed, 0)[0])
    chart(
        gray_figure(levels),
        levels,
        title=f"Gray levels, {name}",
        where=f"train, n = {len(sample.images):,} images",
        caption="Share of the pixels, before and after, one view of each image. Flips move pixels and change no share.",
    )
    lines = (f"- **{note.operation}** :{_COLORS[note.verdict]}-badge[{note.verdict}] {note.reason}" for note in notes)
    st.markdown("\n".join(lines))


def augmented(
    images: NDArray[np.uint8], config: AugmentConfig, seed: int, view: int
) -> tuple[NDArray[np.uint8], AugmentParameters]:
    """A view of each image, rounded for the screen, and its parameters.

    The draws are the same whatever the setting, and those for the first images the same however many there are.
    """
    parameters = draw_parameters(config, len(images), np.random.default_rng([seed, view]))
    return np.rint(apply(images, parameters)).astype(np.uint8), parameters


def description(parameters: AugmentParameters, i: int) -> str:
    """Description of an image's changes, for users who cannot see it."""
    zoom_x, zoom_y, angle = parameters.zoom_x[i], parameters.zoom_y[i], parameters.rotation_deg[i]
    across, down, blur = -parameters.shift_x[i], -parameters.shift_y[i], parameters.blur_sigma[i]
    contrast, brightness = parameters.contrast[i], parameters.brightness[i]
    said = {
        f"magnified {1 / zoom_x:.2f} times across and {1 / zoom_y:.2f} down": zoom_x != 1 or zoom_y != 1,
        f"turned {abs(angle):.0f}° {'counter' if angle > 0 else ''}clockwise": angle != 0,
        f"moved {100 * across:+.0f} % across and {100 * down:+.0f} % down": bool(across or down),
        "mirrored": parameters.flip_horizontal[i],
        "upside down": parameters.flip_vertical[i],
        f"contrast times {contrast:.2f}": contrast != 1,
        f"{brightness:+.0f} gray levels": brightness != 0,
        f"blurred by {blur:.1f} pixels": blur != 0,
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
