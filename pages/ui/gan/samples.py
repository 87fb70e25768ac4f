"""A DCGAN's samples: timeline of the training, new samples, interpolation, and comparison with real images."""

import pandas as pd
import streamlit as st

from pages.ui.address import bad_link, check_number, check_words
from pages.ui.cached import samples_of
from pages.ui.components import choice, tab_button
from pages.ui.gan.pictures import (
    SHEET_WIDTH,
    draw_settings,
    enlarged,
    generated_badge,
    sheet_epochs,
    sheet_words,
    show_beside,
    show_between,
    show_numbered,
    truncation_words,
)
from pages.ui.gan.runs import is_finished
from pages.ui.pictures import plain
from pages.ui.table import download
from pneumo_core.data.images import decode_gray
from pneumo_core.data.index import DataIndex
from pneumo_core.data.synthetic import SHEET_COLUMNS, synthetic_name, synthetic_png
from pneumo_core.errors import ImageError
from pneumo_core.reporting.file_names import run_words, synthetic_file
from pneumo_core.runs.files import is_there, store_errors
from pneumo_core.runs.status import run_state
from pneumo_core.runs.store import RunDirectory, verified_file
from pneumo_core.runs.submission import gan_run_config

SECTIONS = ("Timeline", "New samples", "Between two samples", "Real beside generated")

_FULL_SIZE = 512
_PAGE_SIZE = 32


def samples_panel(run: RunDirectory, index: DataIndex | None) -> None:
    """One of the sections; only the timeline is available before the run is finished, as it needs no generator."""
    section = choice("Samples", SECTIONS, key="samples", bind="query-params", label_visibility="collapsed")
    if section == SECTIONS[0]:
        _timeline(run)
    elif not is_finished(run, f"'{section}'"):
        return
    elif section == SECTIONS[1]:
        _new_samples(run)
    elif section == SECTIONS[2]:
        show_between(run)
    else:
        show_beside(run, index)


# --- Timeline ---------------------------------------------------------------------------------------------------------


def _timeline(run: RunDirectory) -> None:
    """Samples of the same latents after different epochs."""
    is_finished = is_there(run.manifest)
    if not is_finished and run_state(run).is_live:
        st.button("Load newer sheets", icon=":material/refresh:")
    epochs = sheet_epochs(run)
    if not epochs:
        st.info("There are no samples yet: a run saves the first ones after one epoch.")
        tab_button("Show its training", "Train", is_primary=True)
        return
    epoch = epochs[0]
    if len(epochs) > 1:
        check_words("sheet", epochs, "epoch")
        epoch = st.select_slider("Epoch", epochs, value=epochs[-1], key="sheet", bind="query-params")
    _sheet(run, epoch, is_finished=is_finished)


def _sheet(run: RunDirectory, epoch: int, *, is_finished: bool) -> None:
    """The samples of one epoch, with what they are beside them."""
    path = run.sheet(epoch)
    if is_finished:
        data = verified_file(run, path)
    else:
        with store_errors(path):
            data = path.read_bytes()
    try:
        pixels = decode_gray(data, path.name)
    except ImageError as error:
        st.error(plain(str(error)))
        return
    side = pixels.shape[1] // SHEET_COLUMNS
    caption = f"{sheet_words(pixels, epoch)} of {gan_run_config(run).epochs:,}"
    left, right = st.columns([3, 2], gap="large")
    with left:
        generated_badge()
        shown = enlarged(pixels, SHEET_WIDTH)
        st.image(shown, width=shown.shape[1], output_format="PNG", alt=f"A sheet of {caption}")
    with right:
        st.caption(
            f"{caption}, {side} × {side} pixels each. Every epoch uses the same latent vectors, so each place shows how one "
            "image changed during training."
        )
        words = run_words(gan_run_config(run))
        download("This sheet (PNG)", data, synthetic_file("gan", *words, f"epoch{epoch}", kind="png"))


# --- New samples ------------------------------------------------------------------------------------------------------


def _new_samples(run: RunDirectory) -> None:
    """Samples of any seed, in pages, or one of them enlarged."""
    from pneumo_core.inference.generator import MAX_SAMPLES

    seed, truncation = draw_settings()
    number = _requested_sample()
    if number is not None:
        _show_one(run, seed, truncation, number)
        return
    check_number("samples_page", 1, MAX_SAMPLES // _PAGE_SIZE, "page of samples")
    page = st.pagination(MAX_SAMPLES // _PAGE_SIZE, key="samples_page", bind="query-params")
    first = (page - 1) * _PAGE_SIZE
    images = samples_of(run.run_id, seed, first, _PAGE_SIZE, truncation)
    generated_badge()
    st.caption(
        f"Samples {first:,} to {first + len(images) - 1:,} of seed {seed}, {truncation_words(truncation)}. Click a number to "
        "enlarge its sample."
    )
    show_numbered(images, [f"{number:,}" for number in range(first, first + len(images))], _open, first)
    _zip(run, seed, truncation, first)


def _requested_sample() -> int | None:
    """The sample that the address enlarges, if it names one."""
    from pneumo_core.inference.generator import MAX_NUMBER

    requested = st.query_params.get("sample")
    if not requested:
        return None
    if not (requested.isascii() and requested.isdecimal() and len(requested) <= len(str(MAX_NUMBER))):
        there = f"They are numbered from 0 to {MAX_NUMBER:,}."
        bad_link("sample", requested, there, button="Show the samples", names=["sample"])
    return int(requested)


def _show_one(run: RunDirectory, seed: int, truncation: float | None, number: int) -> None:
    from pneumo_core.inference.generator import MAX_NUMBER

    with st.container(horizontal=True):
        page = number // _PAGE_SIZE + 1
        st.button("Back to the samples", icon=":material/grid_view:", shortcut="Esc", on_click=_close, args=(page,))
        for label, other, key in (("Previous", number - 1, "Shift+Left"), ("Next", number + 1, "Shift+Right")):
            st.button(label, disabled=not 0 <= other <= MAX_NUMBER, shortcut=key, on_click=_open, args=(other,))
    image = samples_of(run.run_id, seed, number, 1, truncation)[0]
    facts = {
        "Run": run.run_id,
        "Seed": seed,
        "Number": number,
        "Truncation": "none" if truncation is None else truncation,
        "Epochs": gan_run_config(run).epochs,
    }
    left, right = st.columns([3, 2], gap="large")
    with left:
        generated_badge()
        shown = enlarged(image, _FULL_SIZE)
        alt = f"generated image, sample {number} of seed {seed}"
        st.image(shown, width=shown.shape[1], output_format="PNG", alt=alt)
        st.caption(f"Enlarged {shown.shape[0] // image.shape[0]} times, without smoothing.")
    with right:
        caption = {**facts, "Pixels": f"{image.shape[1]} × {image.shape[0]}"}
        table = pd.DataFrame({"fact": list(caption), "value": [plain(str(value)) for value in caption.values()]})
        st.table(table, hide_header=True, hide_index=True, alt="Parameters of the sample")
        download("This sample (PNG)", synthetic_png(image, facts), synthetic_name(run.run_id, seed, number))
        st.caption("The file's metadata mark it as synthetic and hold its parameters.")


def _zip(run: RunDirectory, seed: int, truncation: float | None, first: int) -> None:
    """Many samples as a file that is created on request."""
    from pneumo_core.inference.samples import MAX_ZIP, sample_zip

    with st.expander("Download many samples"), st.container(horizontal=True, vertical_alignment="bottom"):
        count = int(st.number_input(f"Samples from {first:,} on", 1, MAX_ZIP, _PAGE_SIZE, key="zip_count", width=220))
        words = (*run_words(gan_run_config(run)), "samples", f"{first}-to-{first + count - 1}", "of", f"seed{seed}")
        name = synthetic_file("gan", *words, kind="zip")
        download("Download (ZIP)", lambda: sample_zip(run, count, seed, truncation, first), name)
        st.caption("The file is made when you click: in a second for a page, in up to a minute for the most.")


def _open(number: int) -> None:
    st.query_params["sample"] = str(number)


def _close(page: int) -> None:
    st.query_params.pop("sample", None)
    st.session_state["samples_page"] = page
