"""Filters and order of the images; the choice is in the address and survives a change of page."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from pages.ui.address import check_words
from pneumo_core.data.index import DataIndex
from pneumo_core.records import FOLDERS, Label, Subtype

_ORDERS = {
    "name": ("image_id", True),
    "patient": ("patient_id", True),
    "smallest file": ("size_bytes", True),
    "largest file": ("size_bytes", False),
}
_NONE: dict[str, Any] = {
    "split": [],
    "class": [],
    "subtype": [],
    "patient": "",
    "order": "name",
    "copies": False,
    "page": 1,
}
"""The widgets by their names in the address, and what they hold when everything is shown."""

_ALL = "Where none is chosen, all are shown."


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters; an empty one passes everything.

    Attributes:
        splits: Names of splits.
        labels: Names of classes.
        subtypes: Names of subtypes.
        text: Part of a patient key or of a file's path, in any case.
        order: One of the page's orders.
        copies: Whether to show only files that are byte-identical to another.
    """

    splits: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    subtypes: tuple[str, ...] = ()
    text: str = ""
    order: str = "name"
    copies: bool = False


def matching(table: pd.DataFrame, filters: Filters) -> pd.DataFrame:
    """Rows of an index's table that pass all filters, in the chosen order."""
    keep = pd.Series(True, index=table.index)
    if filters.copies:
        keep &= table["sha256"].duplicated(keep=False)
    if filters.splits:
        keep &= table["split"].isin(filters.splits)
    if filters.labels:
        keep &= table["label"].isin([int(Label[name]) for name in filters.labels])
    if filters.subtypes:
        keep &= table["subtype"].isin(filters.subtypes)
    if text := filters.text.strip():
        names = [table[column].str.contains(text, case=False, regex=False) for column in ("patient_id", "image_id")]
        keep &= names[0] | names[1]
    column, ascending = _ORDERS[filters.order]
    return table[keep].sort_values(column, ascending=ascending, kind="stable")


def reset_filters() -> None:
    """Show everything again, from the first page; to be called before the filters are drawn."""
    st.session_state.update(_NONE)
    st.query_params.pop("image", None)


def chosen_filters(index: DataIndex) -> Filters:
    """Draw the filters."""
    present = set(index.table["subtype"])
    causes = [subtype.value for subtype in Subtype if subtype is not Subtype.NONE and subtype.value in present]
    offered: dict[str, list[str]] = {
        "split": [*FOLDERS],
        "class": list(Label.__members__),
        "subtype": causes,
        "order": list(_ORDERS),
    }
    for name, words in offered.items():
        check_words(name, words, name)
    check_words("copies", ("true", "false"), "state of 'Only byte-identical copies'")
    # Changing a filter closes the detail view.
    kept: dict[str, Any] = {"bind": "query-params", "persist_state": "session", "on_change": _first_page}
    multi: dict[str, Any] = {**kept, "placeholder": "all", "width": 240}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        splits = st.multiselect("Split", [split.value for split in FOLDERS], key="split", help=_ALL, **multi)
        labels = st.multiselect("Class", list(Label.__members__), key="class", help=_ALL, **multi)
        subtypes = st.multiselect("Subtype", causes, key="subtype", help=_ALL, **multi) if causes else []
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        label = "Patient or file name contains"
        text = st.text_input(label, max_chars=100, key="patient", icon=":material/search:", width=320, **kept)
        order = st.selectbox("Order", list(_ORDERS), key="order", width=180, **kept)
        copies = st.toggle("Only byte-identical copies", key="copies", **kept)
        st.button("Clear filters", on_click=reset_filters)
    return Filters(tuple(splits), tuple(labels), tuple(subtypes), (text or "")[:100], order, copies)


def _first_page() -> None:
    st.session_state["page"] = 1
    st.query_params.pop("image", None)
