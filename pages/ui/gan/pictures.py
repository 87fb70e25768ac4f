"""Generated images on a page, always marked as synthetic: controls, grids, and comparison with real images."""

from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.ui.address import check_number, linked_number
from pages.ui.cached import learned_of, loaded_generator, samples_of
from pages.ui.components import choice
from pages.ui.error_text import without_folders
from pages.ui.gan.runs import dataset_link
from pages.ui.pictures import plain
from pages.ui.state import needed_index
from pneumo_core.data.index import DataIndex
from pneumo_core.data.source import default_folder
from pneumo_core.data.synthetic import SHEET_COLUMNS, sheet
from pneumo_core.errors import DataError
from pneumo_core.jobs.runs import view
from pneumo_core.reporting.glossary import TERMS
from pneumo_core.runs.files import store_errors
from pneumo_core.runs.store import RunDirectory
from pneumo_core.runs.submission import gan_run_config

SEED = "sample_seed"
"""Name of the seed in the address and in the session."""

SHEET_WIDTH = 1024

_COLUMNS = 8
_STEPS = 8


def enlarged(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """An image enlarged by a whole factor, to a width of at most `side`."""
    factor = max(1, side // image.shape[1])
    return np.repeat(np.repeat(image, factor, axis=0), factor, axis=1)


def generated_badge() -> None:
    """The badge of generated images."""
    st.badge("generated", icon=":material/auto_awesome:", color="violet")


def real_badge() -> None:
    """The badge of real images next to generated ones."""
    st.badge("real", icon=":material/radiology:", color="green")


def sheet_epochs(run: RunDirectory) -> list[int]:
    """Epochs after which a DCGAN saved a sheet of samples, in order."""
    with store_errors(run.path):
        return sorted(int(path.stem.removeprefix("sheet-")) for path in run.path.glob(f"sheet-{'[0-9]' * 5}.png"))


def sheet_words(pixels: NDArray[np.uint8], epoch: int) -> str:
    """What a sheet shows."""
    count = pixels.shape[0] // (pixels.shape[1] // SHEET_COLUMNS) * SHEET_COLUMNS
    return f"{count} generated images after epoch {epoch:,}"


def draw_settings() -> tuple[int, float | None]:
    """Controls of the samples, kept in the address: the seed, and the truncation or None."""
    check_number("truncation", 0.1, 4.0, "truncation")
    left, right = st.columns(2)
    with left:
        seed = linked_number("Seed", 2**31 - 1, 0, key=SEED, what="seed", help=TERMS["sample seed"])
    truncation = right.number_input(
        "Truncation",
        0.1,
        4.0,
        None,
        step=0.1,
        format="%.2f",
        placeholder="none",
        key="truncation",
        bind="query-params",
        help=TERMS["truncation"],
    )
    return seed, truncation


def truncation_words(truncation: float | None) -> str:
    """A truncation as text."""
    return "no truncation" if truncation is None else f"truncation {truncation:g}"


def show_numbered(
    images: NDArray[np.uint8], names: Sequence[str], on_open: Callable[[int], None] | None = None, first: int = 0
) -> None:
    """Generated images in a grid, each above its name, which opens it if `on_open` is given."""
    grid = st.grid(_COLUMNS, min_column_width=80, gap="small")
    for number, (image, name) in enumerate(zip(images, names, strict=True), first):
        with grid.container(gap="xxsmall", horizontal_alignment="center"):
            st.image(enlarged(image, 128), width="stretch", output_format="PNG", alt=f"generated image, {name}")
            if on_open is None:
                st.caption(name)
            else:
                st.button(
                    name, key=f"open_sample_{number}", type="tertiary", help="Open", on_click=on_open, args=(number,)
                )


def real_images(run: RunDirectory, index: DataIndex | None) -> NDArray[np.uint8] | None:
    """A finished DCGAN's training images, or None, with the reason on the page, if they are not available."""
    is_connected = not index.is_phantom if index else default_folder() is not None
    if not is_connected and not view(run.run_id).data.is_phantom:
        st.info("No real images to compare with: this DCGAN was trained on X-rays, and none are connected.")
        dataset_link("Connect X-rays on Dataset")
        return None
    try:
        return learned_of(run.run_id, index or needed_index())[0]
    except DataError as error:
        st.info(plain(without_folders(f"No real images to compare with: {error}", *([index.root] if index else []))))
        dataset_link("Connect its training images on Dataset")
        return None


def show_between(run: RunDirectory) -> None:
    """Interpolation between two samples: gradual changes speak against memorization."""
    from pneumo_core.inference.generator import MAX_NUMBER, generate, interpolate, latents

    seed, truncation = draw_settings()
    left, right = st.columns(2)
    with left:
        first = linked_number("From sample", MAX_NUMBER, 0, key="from", what="first sample")
    with right:
        last = linked_number("To sample", MAX_NUMBER, 1, key="to", what="last sample")
    generator = loaded_generator(run.run_id)
    ends = [latents(generator.latent_dim, seed, number, 1, truncation)[0] for number in (first, last)]
    images = generate(generator, interpolate(ends[0], ends[1], _STEPS))
    generated_badge()
    between = [f"{step} of {_STEPS - 1}" for step in range(1, _STEPS - 1)]
    show_numbered(images, [f"sample {first:,}", *between, f"sample {last:,}"])
    st.caption(
        f"{_STEPS} generated images between two latent vectors of seed {seed}, {truncation_words(truncation)}. Smooth changes "
        "suggest that the generator has learned what chests look like; jumps are a sign of memorization (Radford 2016, "
        "arXiv:1511.06434, section 6.1). 'Copies' measures it."
    )


def show_beside(run: RunDirectory, index: DataIndex | None) -> None:
    """As many real as generated images, of one size."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        count = choice("Images of each", [16, 32, 64], default=32, key="wall", bind="query-params")
        st.button("Draw others", icon=":material/shuffle:", on_click=_next_seed)
    seed, truncation = draw_settings()
    real = real_images(run, index)
    label = gan_run_config(run).label.name
    walls = []
    if real is not None:
        count = min(count, len(real))
        rows = np.random.default_rng(seed).choice(len(real), count, replace=False)
        caption = f"{count} of the {len(real):,} real training images of class {label}, selected with seed {seed}"
        walls.append((real_badge, caption, real[rows]))
    caption = f"Generated images 0 to {count - 1} of seed {seed}, {truncation_words(truncation)}"
    walls.append((generated_badge, caption, samples_of(run.run_id, seed, 0, count, truncation)))
    for column, (badge, caption, images) in zip(st.columns(len(walls), gap="large"), walls, strict=True):
        with column:
            badge()
            st.image(enlarged(sheet(images), SHEET_WIDTH), width="stretch", output_format="PNG", alt=caption)
            st.caption(f"{caption}; {images.shape[2]} × {images.shape[1]} pixels each.")


def _next_seed() -> None:
    st.session_state[SEED] = (int(st.session_state.get(SEED, 0)) + 1.0) % 2**31
