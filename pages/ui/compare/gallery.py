"""X-rays with both runs' heat maps: only the shown images are read, and nothing of them is stored."""

from collections.abc import Hashable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from pages.ui.cached import index_here, loaded_classifier, of_runs
from pages.ui.components import images_elsewhere, show_error
from pages.ui.heat import pair_text, show_color_bar
from pages.ui.pictures import bounded, plain
from pages.ui.places import beside
from pneumo_core.augmentation.stress import degraded_copy, original_id
from pneumo_core.data.images import decode, decode_gray, read_indexed
from pneumo_core.data.index import DataIndex
from pneumo_core.errors import CorruptError, DataError, RunError
from pneumo_core.evaluation.comparison import Pair
from pneumo_core.evaluation.wording import percent
from pneumo_core.inference.heatmap import HeatScale, heatmap, of_image, read_scale, share_of_full
from pneumo_core.inference.overlay import overlay
from pneumo_core.jobs.views import view
from pneumo_core.records import NotApplicable
from pneumo_core.reporting.glossary import TERMS
from pneumo_core.runs.files import is_there
from pneumo_core.runs.store import find_run
from pneumo_core.runs.submission import classifier_config

PAGE_SIZE = 4
"""Images per page: each is drawn three times."""

_SMALL, _LARGE = 480, 1024  # Pixels of the longest side.
_LEAST = 140  # Least width of one of three images beside each other.


def data_of(pair: Pair) -> DataIndex | None:
    """The data set of the pair's images if it is on this machine; else None, with advice on the page."""
    ids = list(dict.fromkeys(view(run_id).data.data_id for run_id in (pair.a, pair.b)))
    for data_id in ids:
        if index := index_here(data_id):
            return index
    images_elsewhere(ids)
    return None


def show_images(index: DataIndex, pair: Pair, rows: pd.DataFrame) -> None:
    """A few rows of `compare_images.agreement_frame` as images: the X-ray, A's heat map, B's; a single one larger."""
    opacity = st.slider("Heat maps", 0.0, 1.0, 0.5, 0.05, key="heat", help=TERMS["Grad-CAM"])
    hashes = dict(zip(index.table["image_id"], index.table["sha256"], strict=True))
    side = _LARGE if len(rows) == 1 else _SMALL
    own_size = classifier_config(find_run(pair.a)).image_size
    shown: list[tuple[dict[Hashable, Any], NDArray[np.uint8]]] = []
    for row in rows.to_dict("records"):
        try:
            gray = Image.fromarray(
                _pixels(index.root, row["image"], hashes.get(original_id(row["image"]), ""), own_size)
            )
            shown.append((row, np.asarray(bounded(gray, side))))
        except DataError as error:
            st.caption(plain(str(error)))
    files = tuple((row["image"], hashes[original_id(row["image"])]) for row, _ in shown)
    found = {letter: _maps_or_reason(letter, run, index, files) for letter, run in (("A", pair.a), ("B", pair.b))}
    maps = {letter: drawn for letter, drawn in found.items() if drawn is not None}
    if maps:
        show_color_bar(opacity)
        st.caption(plain(pair_text({letter: scale for letter, (_, scale) in maps.items()})))
    for place, (row, pixels) in enumerate(shown):
        _draw(
            row,
            pixels,
            {letter: (cams[place], scale) for letter, (cams, scale) in maps.items()},
            opacity,
            is_large=side == _LARGE,
        )


def _pixels(root: Path, image_id: str, sha256: str, size: int) -> NDArray[np.uint8]:
    """An image as it is; a degraded copy is made again at a model's size."""
    original = original_id(image_id)
    data = read_indexed(root, original, sha256)
    if original == image_id:
        return decode_gray(data, image_id, size=None)
    return degraded_copy(decode_gray(data, original, size=size), image_id)


def _draw(
    row: dict[Hashable, Any],
    pixels: NDArray[np.uint8],
    cams: dict[str, tuple[NDArray[np.float32], HeatScale | NotApplicable]],
    opacity: float,
    *,
    is_large: bool,
) -> None:
    name = PurePosixPath(row["image"]).name
    with st.container(border=True):
        subtype = "" if row["subtype"] == "none" else f", {row['subtype']}"
        st.markdown(f"**{plain(name)}** · {row['label']}{plain(subtype)} · patient {plain(str(row['patient']))}")
        # A single image in halves of the page, the heat maps beside each other below it.
        columns = [beside()[0], *beside()] if is_large else beside(3, _LEAST)
        with columns[0]:
            st.image(pixels, width="stretch", alt=f"{name}, X-ray")
            st.caption(f"labeled {row['label']}")
        for column, letter in zip(columns[1:], "AB", strict=True):
            verdict = "right" if row[f"{letter} calls"] == row["label"] else "wrong"
            words = (
                f"{letter}: probability {row[f'probability {letter}']:.3f}, calls {row[f'{letter} calls']}, {verdict}"
            )
            with column:
                if letter in cams:
                    blended, is_empty = _blended(pixels, *cams[letter], opacity)
                    st.image(blended, width="stretch", alt=f"{name} with Grad-CAM of {words}")
                    cam, scale = cams[letter]
                    if is_empty:
                        words += "  \nThe heat map is empty: no region contributes to PNEUMONIA."
                    elif isinstance(scale, HeatScale):
                        words += f"  \nStrongest spot: {percent(share_of_full(cam, scale), 0)} of full color."
                st.caption(words)


def _blended(
    pixels: NDArray[np.uint8], cam: NDArray[np.float32], scale: HeatScale | NotApplicable, opacity: float
) -> tuple[NDArray[np.uint8], bool]:
    heat = heatmap(cam, scale, pixels.shape[1], pixels.shape[0])
    return overlay(pixels, heat, opacity=opacity), not heat.any()


def _maps_or_reason(
    letter: str, run_id: str, index: DataIndex, files: tuple[tuple[str, str], ...]
) -> tuple[list[NDArray[np.float32]], HeatScale | NotApplicable] | None:
    """Grad-CAM of each file and the run's scale, or None, with the reason on the page, if the run has no model."""
    if not files:
        return None
    run = find_run(run_id)
    if not is_there(run.model):
        what = "ships as evidence, without its model" if run.is_published else "has no model on this machine"
        st.info(f"{letter} {what}, so its heat maps cannot be drawn here; train it again to have them.")
        return None
    try:
        return _maps(run_id, str(index.root), list(files)), read_scale(run)
    except (RunError, CorruptError) as error:
        show_error(error)
        return None


@of_runs(st.cache_data, max_entries=64, show_spinner="Drawing heat maps…")
def _maps(run_id: str, root: str, files: list[tuple[str, str]]) -> list[NDArray[np.float32]]:
    """Grad-CAM of each file of the index, `(h, w)` before ReLU and resize: a few numbers an image, and no pixel."""
    from pneumo_core.inference.session import run_session

    session = loaded_classifier(run_id).session
    size, preparation = session.image_size, session.preparation
    images = [
        decode(read_indexed(Path(root), original_id(name), sha256), name, size=size, preparation=preparation)
        for name, sha256 in files
    ]
    inputs = [
        image.square if name == original_id(name) else degraded_copy(image.square, name)
        for image, (name, _) in zip(images, files, strict=True)
    ]
    cams = run_session(session, np.stack(inputs)).cam
    return [of_image(cam, image) for cam, image in zip(cams, images, strict=True)]
