"""Tables of a document in Streamlit, so that page and document show the same content."""

from collections.abc import Callable

import pandas as pd
import streamlit as st
from pandas.api.types import is_float_dtype

from pages.ui.pictures import plain
from pneumo_core.reporting.document import Table, table_csv


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


def download(label: str, data: bytes | str | Callable[[], bytes | str], name: str, mime: str) -> None:
    """A file to take away; a function makes it on the click."""
    st.download_button(label, data, name, mime, on_click="ignore", icon=":material/download:")


def download_table(table: Table) -> None:
    """A document's table as a CSV file, in full precision."""
    download(plain(f"{table.caption.partition(':')[0]} (CSV)"), table_csv(table), f"{table.name}.csv", "text/csv")
