"""The images of a data set: a grid in pages, and one image in detail; the position is in the address."""

from collections.abc import Sequence
from pathlib import PurePosixPath

import pandas as pd
import streamlit as st

from pages.ui.address import check_number, not_there
from pages.ui.dataset.filters import chosen_filters, matching
from pages.ui.pictures import picture, plain, thumbnail
from pages.ui.table import download
from pneumo_core.data.index import DataIndex, records
from pneumo_core.errors import DataError
from pneumo_core.records import ImageRecord, Subtype
from pneumo_core.reporting.file_names import file_name

_PAGE_SIZE = 24
_MOST_RELATED = 12


def show_images(index: DataIndex) -> None:
    """Filters, and below them the grid or, if the address names one, an image in detail."""
    found = matching(index.table, chosen_filters(index))
    if requested := st.query_params.get("image"):
        _show_detail(index, found, requested)
    elif found.empty:
        st.info("No image passes these filters. Remove one of them, or clear them all.")
    else:
        _show_grid(index, found)


def _show_grid(index: DataIndex, found: pd.DataFrame) -> None:
    pages = -(-len(found) // _PAGE_SIZE)
    check_number("page", 1, pages, "page")
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        page = st.pagination(pages, key="page", bind="query-params", persist_state="session") if pages > 1 else 1
        first = (page - 1) * _PAGE_SIZE
        shown = found.iloc[first : first + _PAGE_SIZE]
        patients = f"{found['patient_id'].nunique():,} patients"
        st.caption(f"{first + 1:,} to {first + len(shown):,} of {len(found):,} images, {patients}", width="content")
        name = file_name("dataset", index.root.name, index.data_id, "chosen", "records", kind="csv")
        download("These records (CSV)", lambda: found.to_csv(index=False), name)
    _tiles(index, shown, "grid")
    st.caption("The address of this page holds the filters, the page and the image: copy it to share this view.")


def _show_detail(index: DataIndex, found: pd.DataFrame, requested: str) -> None:
    ids = found["image_id"].tolist()
    _steps(ids, requested)
    # Only files in the index are opened, whatever the address holds.
    rows = index.table[index.table["image_id"] == requested]
    if rows.empty:
        there = f"The connected data set has {len(index.table):,} images."
        not_there("image", requested, there, button="Show all images", names=["image"])
        return
    record = records(rows)[0]
    left, right = st.columns([3, 2], gap="large")
    with left:
        try:
            data = picture(str(index.root), record.image_id, record.sha256)
            st.image(data, width="stretch", alt=f"X-ray {record.image_id}, {_words(record)}")
        except DataError as error:
            st.error(plain(str(error)))
    with right:
        st.table(_facts(record), hide_header=True, hide_index=True, alt="Record of the image")
        st.caption("SHA-256 of the file")
        st.code(record.sha256, language=None, wrap_lines=True)
    st.header("Other images of this patient")
    _related(index, record, "patient_id", "None: the file names give this patient one image.")
    if (index.table["sha256"] == record.sha256).sum() > 1:
        st.header("Byte-identical copies")
        _related(index, record, "sha256", "")


def _steps(ids: Sequence[str], requested: str) -> None:
    """Links to the grid and to the previous and next filtered image."""
    position = ids.index(requested) if requested in ids else None
    with st.container(horizontal=True, vertical_alignment="center"):
        page = None if position is None else position // _PAGE_SIZE + 1
        st.button("Back to the grid", icon=":material/grid_view:", shortcut="Esc", on_click=_close, args=(page,))
        for label, step, key in (("Previous", -1, "Shift+Left"), ("Next", 1, "Shift+Right")):
            target = None
            if position is not None and 0 <= position + step < len(ids):
                target = ids[position + step]
            st.button(label, disabled=target is None, shortcut=key, on_click=_open, args=(target or requested,))
        if position is not None:
            st.caption(f"{position + 1:,} of {len(ids):,} with these filters")


def _related(index: DataIndex, record: ImageRecord, column: str, none: str) -> None:
    """Other images that share a field with this one."""
    same = index.table[index.table[column] == getattr(record, column)]
    same = same[same["image_id"] != record.image_id]
    if same.empty:
        st.caption(none)
        return
    words = [f"{len(same):,} found" if len(same) <= _MOST_RELATED else f"The first {_MOST_RELATED} of {len(same):,}"]
    if set(same["split"]) - {record.split.value}:
        words.append("not all in the same split, so test figures are optimistic")
    if set(same["label"]) - {int(record.label)}:
        words.append("not all of the same class")
    st.caption(f"{', '.join(words)}.")
    _tiles(index, same.head(_MOST_RELATED), column)


def _tiles(index: DataIndex, rows: pd.DataFrame, place: str) -> None:
    """Thumbnails, each with a button that opens it."""
    grid = st.grid(8, min_column_width=140, gap="small")
    for record in records(rows):
        with grid.container(border=True, gap="xxsmall"):
            try:
                data = thumbnail(str(index.root), record.image_id, record.sha256)
                st.image(data, width="stretch", alt=f"X-ray, {_words(record)}")
            except DataError as error:
                st.error(plain(str(error)))
            # A zero-width space lets a long name break behind its underscores, as it does behind hyphens.
            st.button(
                plain(PurePosixPath(record.image_id).stem).replace("_", "_\u200b"),
                key=f"open_{place}_{record.image_id}",
                help=f"Open {plain(record.image_id)}",
                type="tertiary",
                wrap=True,
                on_click=_open,
                args=(record.image_id,),
            )
            st.caption(_words(record))


def _open(image_id: str) -> None:
    st.query_params["image"] = image_id


def _close(page: int | None) -> None:
    st.query_params.pop("image", None)
    if page is not None:
        st.session_state["page"] = page


def _words(record: ImageRecord) -> str:
    subtype = "" if record.subtype is Subtype.NONE else f", {record.subtype.value}"
    return f"{record.split.value} · {record.label.name}{subtype}"


def _facts(record: ImageRecord) -> pd.DataFrame:
    facts = {
        "File": record.image_id,
        "Split": record.split.value,
        "Class": record.label.name,
        "Subtype": record.subtype.value,
        "Patient": record.patient_id,
        "Patient, prefix dropped": record.pooled_id,
        "Pixels": f"{record.width} × {record.height}",
        "Mode": record.mode,
        "Bytes": f"{record.size_bytes:,}",
    }
    return pd.DataFrame({"field": list(facts), "value": [plain(value) for value in facts.values()]})
