"""The training images nearest to a case, with their labels."""

import streamlit as st

from pages.ui.cached import index_here, of_runs
from pages.ui.error_text import error_text
from pages.ui.pictures import plain, thumbnail
from pneumo_core.data.index import DataIndex
from pneumo_core.errors import DataError
from pneumo_core.inference import cases
from pneumo_core.inference.cases import Cases, Neighbors
from pneumo_core.inference.classify import Classifier, Prediction
from pneumo_core.records import NotApplicable
from pneumo_core.runs.store import find_run
from pneumo_core.runs.submission import read_data


@of_runs(st.cache_resource, max_entries=2, show_spinner=False)
def _cases_of(run_id: str) -> Cases | NotApplicable:
    """A finished run's training images in its feature space; see `inference.cases.read_cases` for the errors."""
    return cases.read_cases(find_run(run_id))


def show_nearest(prediction: Prediction, model: Classifier) -> None:
    """What is nearest, in words, and as pictures where the run's data set is on this machine."""
    known = _cases_of(model.run_id)
    if isinstance(known, NotApplicable) or prediction.features is None:
        st.caption(error_text(known.reason if isinstance(known, NotApplicable) else "the model gives no features"))
        return
    found = cases.nearest(known, prediction.features)
    st.markdown(plain(cases.described(found)))
    index = index_here(read_data(find_run(model.run_id)).data_id)
    _show_pictures(found, index)
    if index is None:
        st.caption("The pictures appear where the data set that the model learned from is connected.")


def _show_pictures(found: Neighbors, index: DataIndex | None) -> None:
    hashes = {} if index is None else dict(zip(index.table["image_id"], index.table["sha256"], strict=True))
    grid = st.grid(len(found.cases), min_column_width=110, gap="small")
    for number, near in enumerate(found.cases, start=1):
        with grid.cell():
            if index is not None and near.image_id in hashes:
                try:
                    picture = thumbnail(str(index.root), near.image_id, hashes[near.image_id])
                    st.image(picture, width="stretch", alt=f"Training image {number}, {near.label.name}")
                except DataError:
                    pass  # Its words stand all the same.
            st.caption(f"{near.label.name}, distance {near.distance:.2f}")
