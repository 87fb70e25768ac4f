"""Core calls whose results pages share. Uploads never pass through here: these caches are shared by all users."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from pneumo_core.data.index import DataIndex, build_index, index_changed_ns, load_index
from pneumo_core.evaluation.report import EvaluationReport
from pneumo_core.inference.evidence import read_report
from pneumo_core.store import find_run

if TYPE_CHECKING:
    from pneumo_core.inference.classify import Classifier


@st.cache_resource(max_entries=2, show_spinner=False)
def stored_index(data_id: str, stored_ns: int) -> DataIndex:  # noqa: ARG001
    """An index by its id; `stored_ns` is part of the key, because the same images may be indexed in another folder."""
    return load_index(data_id)


def current_stored_index(data_id: str) -> DataIndex:
    """An index by its id, as it is stored now.

    Raises:
        DataError: It is missing or damaged.
    """
    return stored_index(data_id, index_changed_ns(data_id))


@st.cache_resource(max_entries=2, show_spinner=False)
def indexed(folder: str, changed_ns: int) -> DataIndex:  # noqa: ARG001
    """The index of a folder; `changed_ns` is part of the key, so a changed folder is scanned again."""
    return build_index(Path(folder))


@st.cache_resource(max_entries=2, show_spinner="Loading the model…")
def _classifier(run_id: str, manifest_ns: int) -> Any:  # noqa: ARG001
    # The import brings ONNX Runtime, which most pages never need.
    from pneumo_core.inference.classify import load_classifier

    return load_classifier(find_run(run_id))


def _manifest_ns(run_id: str) -> int:
    """Part of each key, so that a run that was finished anew is read again."""
    run = find_run(run_id)
    return run.manifest.stat().st_mtime_ns if run.manifest.exists() else 0


def loaded_classifier(run_id: str) -> "Classifier":
    """A finished run, ready to answer.

    Raises:
        RunError: The run is not finished.
        CorruptError: A file is not the one that was written.
    """
    classifier: Classifier = _classifier(run_id, _manifest_ns(run_id))
    return classifier


@st.cache_data(max_entries=32, show_spinner=False)
def _report(run_id: str, manifest_ns: int) -> EvaluationReport:  # noqa: ARG001
    return read_report(find_run(run_id))


def report_of(run_id: str) -> EvaluationReport:
    """A finished run's evaluation, checked against its manifest.

    Raises:
        RunError: The run is not finished.
        CorruptError: The report is not the one that was written.
    """
    return _report(run_id, _manifest_ns(run_id))
