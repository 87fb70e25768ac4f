"""Downloads of the Compare page: one archive with everything, and each table, figure and document."""

import io
import zipfile

import streamlit as st

from pages.ui.cached import comparison_files_of
from pages.ui.compare.figures import where
from pages.ui.places import beside
from pages.ui.table import download, download_table
from pneumo_core.evaluation.comparison import Comparison
from pneumo_core.evaluation.wording import file_size
from pneumo_core.reporting import comparison_tables

_KINDS = {
    "html": "text/html",
    "pdf": "application/pdf",
    "json": "application/json",
    "csv": "text/csv",
    "svg": "image/svg+xml",
    "png": "image/png",
}


def files_panel(comparison: Comparison) -> None:
    """Downloads of the comparison; no image of a patient is in any of them."""
    a, b = comparison.a.run_ids, comparison.b.run_ids
    st.caption(f"{where(comparison)}. No X-ray is in any of these files.")
    with st.container(horizontal=True):
        for table in (comparison_tables.figures, comparison_tables.agreement, comparison_tables.areas):
            download_table(table(comparison))
    st.markdown("**Documents**")
    st.caption(
        "A report as HTML and PDF, every number as JSON, each table as CSV, each figure as SVG and PNG, a model card of each "
        "run and a CLAIM checklist. Creating them takes some seconds per run."
    )
    key = f"documents of {','.join(a)} and {','.join(b)} on {comparison.split.value}"
    if not st.session_state.get(key) and not st.button(
        "Create the documents", icon=":material/description:", key=f"make {key}"
    ):
        return
    st.session_state[key] = True
    made = comparison_files_of(a, b, comparison.split)
    left, right = beside(gap="large", vertical_alignment="bottom")
    with left:
        name = st.selectbox("One file", list(made), key="one_file")
        kind = _KINDS[name.rpartition(".")[2]]
        download("Download this file", made[name], name.rpartition("/")[2], kind)
    with right:
        st.caption(f"{len(made)} files, {file_size(sum(map(len, made.values())))}")
        st.download_button(
            "Download all as ZIP",
            _archive(made),
            f"comparison-{a[0]}-{b[0]}.zip",
            "application/zip",
            on_click="ignore",
            icon=":material/folder_zip:",
            type="primary",
        )


def _archive(made: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in made.items():
            archive.writestr(name, content)
    return file.getvalue()
