"""Tables of a document as Streamlit shows them: the page and the document say the same, built once."""

import pandas as pd
import streamlit as st

from pages.ui.pictures import plain
from pneumo_core.reporting.document import Table, table_csv


def show_table(table: Table, where: str) -> None:
    """A document's table with its caption, its notes, and where its numbers are of."""
    st.markdown(f"**{plain(table.caption)}** · {where}")
    frame = pd.DataFrame(table.rows, columns=list(table.columns))
    st.dataframe(
        frame, hide_index=True, width="stretch", height="content", key=f"table {table.name}", alt=table.caption
    )
    for note in table.notes:
        st.caption(plain(note))


def download_table(table: Table) -> None:
    """A document's table as a CSV file, in full precision."""
    st.download_button(
        f"{table.caption.partition(':')[0]} (CSV)",
        table_csv(table),
        f"{table.name}.csv",
        "text/csv",
        on_click="ignore",
        icon=":material/download:",
    )
