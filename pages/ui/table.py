"""Tables of a document as Streamlit shows them: the page and the document say the same, built once."""

import pandas as pd
import streamlit as st

from pages.ui.pictures import plain
from pneumo_core.reporting.document import Table, table_csv


def show_table(table: Table, where: str) -> None:
    """A document's table with its caption, its notes, and where its numbers are of."""
    st.markdown(f"**{plain(table.caption)}** · {where}")
    key = f"table {table.name}"
    st.dataframe(text_frame(table), hide_index=True, width="stretch", height="content", key=key, alt=table.caption)
    for note in table.notes:
        st.caption(plain(note))


def text_frame(table: Table) -> pd.DataFrame:
    """A document's table as it is read."""
    return pd.DataFrame(table.rows, columns=list(table.columns))


def data_frame(table: Table) -> pd.DataFrame:
    """A document's table as its CSV file has it."""
    source = table.data or table
    return pd.DataFrame(source.rows, columns=list(source.columns))


def download_table(table: Table) -> None:
    """A document's table as a CSV file, in full precision."""
    st.download_button(
        plain(f"{table.caption.partition(':')[0]} (CSV)"),
        table_csv(table),
        f"{table.name}.csv",
        "text/csv",
        on_click="ignore",
        icon=":material/download:",
    )
