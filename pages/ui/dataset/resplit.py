"""Saved splits: choose validation images by another rule, save the choice for training, download or delete it."""

from typing import Any

import streamlit as st

from pages.ui.components import KEPT, seed_number, show_error
from pages.ui.pictures import plain
from pages.ui.places import beside
from pages.ui.state import may_train
from pages.ui.table import download, show_table
from pneumo_core.data.index import DataIndex
from pneumo_core.data.measures import stored_measures
from pneumo_core.data.resplit import FRACTIONS, NEEDS_MEASURES, USUAL_FRACTION, WORDS, make_split, usual_name
from pneumo_core.data.saved_splits import SavedSplit, SplitKind, damaged_splits, delete_split, save_split, saved_splits
from pneumo_core.errors import PneumoError
from pneumo_core.reporting.audit_tables import split_table
from pneumo_core.reporting.file_names import file_name

_SAVED = "split that was saved"


def show_resplits(index: DataIndex) -> None:
    """The form of a new split, then those that are saved."""
    st.header("A validation split of your own", anchor=False)
    st.markdown(
        "A run holds patients at random out of training to choose its epoch and threshold on. A saved split chooses them by "
        "another rule. Test stays as it is, and no file is changed."
    )
    measures = stored_measures(index)
    kind, seed, fraction = _choose()
    if kind in NEEDS_MEASURES and measures is None:
        st.info("This rule needs the measures of every image: measure the images under 'Audit'.")
    else:
        _offer(index, kind, seed, fraction)
    if saved := st.session_state.pop(_SAVED, None):
        st.success(plain(saved))
    for problem in damaged_splits():
        st.warning(plain(problem), icon=":material/warning:")
    sharpness = None if measures is None else measures["sharpness"]
    for split in saved_splits(index.data_id):
        _show(index, split, sharpness)


def _choose() -> tuple[SplitKind, int, float]:
    """Rule, seed and share."""
    kind: SplitKind = st.radio(
        "Rule", list(SplitKind), format_func=str, captions=[WORDS[kind] for kind in SplitKind], key="split rule", **KEPT
    )
    left, right = beside(2, 300, gap=("small", "medium"))
    with left:
        seed = seed_number("Seed", "split seed")
    low, high = (round(100 * fraction) for fraction in FRACTIONS)
    percentage = right.slider("Share held out, %", low, high, round(100 * USUAL_FRACTION), key="split share", **KEPT)
    return kind, seed, percentage / 100


def _offer(index: DataIndex, kind: SplitKind, seed: int, fraction: float) -> None:
    """Name the split, and save it."""
    usual = usual_name(kind, seed, fraction)
    name = st.text_input(
        "Name", placeholder=usual, help="Small letters, digits and hyphens.", key="split name", max_chars=40
    )
    if not may_train():
        st.caption("This server saves no split: PNEUMO_ALLOW_TRAINING is 0.")
    if st.button("Save this split", type="primary", disabled=not may_train()) and may_train():
        asked = name.strip() or usual
        try:
            with st.spinner("Choosing patients"):
                saved = save_split(make_split(index, kind, asked, seed=seed, fraction=fraction))
        except PneumoError as error:
            show_error(error)
            return
        st.session_state[_SAVED] = f"Saved as {saved.name}. The Train page offers it, and 'train --split' takes it."
        st.rerun()


def _show(index: DataIndex, split: SavedSplit, sharpness: Any) -> None:
    """What a saved split does, its file, and a way to delete it."""
    with st.container(border=True):
        st.markdown(f"**{split.name}**")
        show_table(split_table(index, split, sharpness), f"hash {split.digest}")
        with st.container(horizontal=True):
            name = file_name("split", split.name, split.digest, kind="json")
            download("This split (JSON)", split.content, name)
            if st.button("Delete", key=f"delete split {split.name}", disabled=not may_train()) and may_train():
                delete_split(split)
                st.session_state[_SAVED] = (
                    f"Deleted {split.name}. Its runs keep their copies; the same rule, seed and share make it again."
                )
                st.rerun()
