"""Tables of a document in Streamlit, so that page and document show the same content."""

from collections.abc import Callable
from typing import Final, Literal

import pandas as pd
import streamlit as st
from pandas.api.types import is_float_dtype

from pages.ui.pictures import plain
from pneumo_core.reporting.document import Table, table_csv
from pneumo_core.reporting.file_names import file_name

_MIMES: Final = {
    "html": "text/html",
    "pdf": "application/pdf",
    "json": "application/json",
    "csv": "text/csv",
    "svg": "image/svg+xml",
    "png": "image/png",
    "zip": "application/zip",
    "txt": "text/plain",
}


def show_table(table: Table, where: str) -> None:
    """A document's table with its caption, its notes, and where its numbers are of."""
    st.markdown(f"**{plain(table.caption)}** · {where}")
    key = f"table {table.name}"
    st.dataframe(text_frame(table), hide_index=True, height="content", key=key, alt=table.caption)
    for note in table.notes:
        st.caption(plain(note))


def show_rows(table: Table) -> None:
    """A document's table whose first column names its rows, without its caption."""
    st.table(text_frame(table).set_index(table.columns[0]).rename_axis(None), alt=table.caption)


def text_frame(table: Table) -> pd.DataFrame:
    """A document's table as it is read."""
    return pd.DataFrame(table.rows, columns=list(table.columns))


def data_frame(table: Table) -> pd.DataFrame:
    """A document's table as its CSV file has it; counts stay whole where some are missing."""
    source = table.data or table
    frame = pd.DataFrame(source.rows, columns=list(source.columns))
    return frame.astype({"n": "Int64"}) if "n" in frame and is_float_dtype(frame["n"]) else frame


def download(
    label: str,
    data: bytes | str | Callable[[], bytes | str],
    name: str,
    *,
    icon: str = ":material/download:",
    type: Literal["primary", "secondary"] = "secondary",
) -> None:
    """A file to take away, with a name by `reporting.file_names`; a function makes it on the click."""
    mime = _MIMES[name.rpartition(".")[2]]
    st.download_button(label, data, name, mime, on_click="ignore", icon=icon, type=type)


def download_table(table: Table, *words: object) -> None:
    """A document's table as a CSV file, in full precision.

    Args:
        table: The table.
        words: What it is of, for the file's name.
    """
    label = plain(f"{table.caption.partition(':')[0]} (CSV)")
    download(label, table_csv(table), file_name(*words, table.name, kind="csv"))
