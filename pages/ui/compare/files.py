"""Downloads of the Compare page: one archive with everything, and each table, figure and document."""

import io
import zipfile
from urllib.parse import urlsplit, urlunsplit

import streamlit as st

from pages.ui.cached import comparison_files_of
from pages.ui.compare.figures import where
from pages.ui.compare.file_words import compared_words
from pages.ui.pictures import plain
from pages.ui.places import beside
from pages.ui.table import download, download_table
from pneumo_core.evaluation.comparison import Comparison
from pneumo_core.evaluation.wording import file_size
from pneumo_core.records import Split
from pneumo_core.reporting import comparison_tables
from pneumo_core.reporting.file_names import file_name


def files_panel(comparison: Comparison) -> None:
    """Downloads of the comparison; no image of a patient is in any of them."""
    a, b, split = comparison.a.run_ids, comparison.b.run_ids, comparison.split
    words = compared_words(a, b, split)
    st.caption(f"{where(comparison)}. No X-ray is in any of these files.")
    with st.container(horizontal=True):
        for table in (comparison_tables.figures, comparison_tables.agreement, comparison_tables.areas):
            download_table(table(comparison), *words)
    st.markdown("**Documents**")
    st.caption(
        "A report as HTML and PDF, every number as JSON, each table as CSV, each figure as SVG and PNG, a model card of each "
        "run and a CLAIM checklist. Creating them takes some seconds per run."
    )
    key = f"documents of {','.join(a)} and {','.join(b)} on {split.value}"
    made = comparison_files_of(a, b, split, _app_url())
    if not made:
        if not st.session_state.get(key):
            label, icon = "Create the documents", ":material/description:"
            st.button(label, icon=icon, on_click=st.session_state.__setitem__, args=(key, True))
            return
        made.update(_create(a, b, split, key))
    left, right = beside(gap="large", vertical_alignment="bottom")
    with left:
        name = st.selectbox("One file", list(made), key="one_file")
        download("Download this file", made[name], name.rpartition("/")[2])
    with right:
        st.caption(f"{len(made)} files, {file_size(sum(map(len, made.values())))}")
        name = file_name(*words, kind="zip")
        download("Download all as ZIP", _archive(made), name, icon=":material/folder_zip:", type="primary")


def _create(a: tuple[str, ...], b: tuple[str, ...], split: Split, key: str) -> dict[str, bytes]:
    """The files, with progress; every click, *Cancel* first of all, and leaving the page stop the work at the next step."""
    # Drawing and typesetting need libraries that no page loads.
    from pneumo_core.documents import comparison_files

    place = st.empty()
    with place.container(horizontal=True, vertical_alignment="center"):
        bar = st.progress(0.0, "Starting")
        st.button("Cancel", icon=":material/cancel:", on_click=st.session_state.pop, args=(key, None))

    def progress(done: float, total: float, message: str) -> None:
        bar.progress(done / total, plain(message))

    made = comparison_files([(a, b)], split, app_url=_app_url(), progress=progress)
    place.empty()
    return made


def _app_url() -> str | None:
    """Address of the app in the reader's browser, without that of the page, for links in documents."""
    parts = urlsplit(st.context.url or "")
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rpartition("/")[0], "", "")) if parts.netloc else None


def _archive(made: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in made.items():
            archive.writestr(name, content)
    return file.getvalue()
