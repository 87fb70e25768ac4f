"""Core calls whose results pages share. Uploads never pass through here: these caches are shared by all users."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from pneumo_core.data.index import DataIndex, find_source, index_changed_ns, load_index
from pneumo_core.data.source import default_folder
from pneumo_core.errors import DataError
from pneumo_core.evaluation.comparison import Comparison, Evidence, Side
from pneumo_core.evaluation.findings import Findings
from pneumo_core.evaluation.near import Near
from pneumo_core.evaluation.report import EvaluationReport
from pneumo_core.inference.evidence import log_losses_on_test, read_calibration, read_near, read_report
from pneumo_core.inference.external import Collection, ExternalResult, external_result
from pneumo_core.inference.findings import findings
from pneumo_core.jobs.preparing import index_at_once
from pneumo_core.records import Estimate, NotApplicable, Split
from pneumo_core.runs import store
from pneumo_core.runs.store import find_run
from pneumo_core.runs.submission import gan_run_config

if TYPE_CHECKING:
    from pneumo_core.inference.classify import Classifier
    from pneumo_core.inference.generator import Generator

_P = ParamSpec("_P")
_T = TypeVar("_T")


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


def index_here(data_id: str) -> DataIndex | None:
    """An index by its id, wherever it was last made on this machine; None where its folder is not, or no longer, here."""
    try:
        index = current_stored_index(data_id)
    except DataError:
        return None
    return index if index.root.is_dir() else None


class _NotReadyError(Exception):
    """Streamlit keeps what a function returns, None included, but not that it raised."""


@st.cache_resource(max_entries=2, show_spinner=False)
def _default_index(folder: str, changed_ns: int) -> DataIndex:  # noqa: ARG001
    """`changed_ns` is part of the key, so a changed folder is scanned again."""
    index = index_at_once(Path(folder))
    if index is None:
        raise _NotReadyError
    return index


def current_default_index() -> DataIndex | None:
    """The default data set, or None if it must be prepared first.

    Raises:
        DataError: The folder named by the settings is no data set.
        StoreError: Nothing can be written.
    """
    folder = default_folder()
    if folder is None:
        return None
    source = find_source(folder)
    try:
        return _default_index(str(source), source.stat().st_mtime_ns)
    except _NotReadyError:
        return None


def forget_indexes() -> None:
    """Clear cached indexes: the same images may be in another folder now."""
    stored_index.clear()
    _default_index.clear()


def of_runs(cache: Any, **options: Any) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Keep what a function of finished runs returns, until one of their manifests is written again.

    Args:
        cache: `st.cache_data` or `st.cache_resource`.
        options: For the cache.

    Returns:
        A decorator; the function takes a run's id first, or the ids of each side as tuples.
    """

    def decorated(function: Callable[_P, _T]) -> Callable[_P, _T]:
        # With the function's own name and source, which tell Streamlit one cache from another.
        @wraps(function)
        def keyed(*args: Any, written: object, **kwargs: Any) -> _T:  # noqa: ARG001  Part of the key.
            return function(*args, **kwargs)

        kept = cache(**options)(keyed)

        @wraps(function)
        def called(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            sides = [arg for arg in args if isinstance(arg, tuple)] or [args[:1]]
            found: _T = kept(*args, written=[_manifest_ns(run_id) for side in sides for run_id in side], **kwargs)
            return found

        return called

    return decorated


def _manifest_ns(run_id: str) -> int:
    run = find_run(run_id)
    return run.manifest.stat().st_mtime_ns if run.manifest.exists() else 0


@of_runs(st.cache_resource, max_entries=4, show_spinner="Loading the model…")
def loaded_classifier(run_id: str) -> "Classifier":
    """A finished run, loaded for predictions.

    Raises:
        RunError: The run is not finished.
        CorruptError: A file does not match its hash.
    """
    # The import brings ONNX Runtime, which most pages never need.
    from pneumo_core.inference.classify import load_classifier

    return load_classifier(find_run(run_id))


@of_runs(st.cache_data, max_entries=32, show_spinner=False)
def report_of(run_id: str) -> EvaluationReport:
    """A finished run's evaluation, checked against its manifest.

    Raises:
        RunError: The run is not finished.
        CorruptError: The report is not the one that was written.
    """
    return read_report(find_run(run_id))


@of_runs(st.cache_data, max_entries=32, show_spinner=False)
def log_losses_of(run_id: str) -> tuple[Estimate, Estimate] | NotApplicable:
    """A finished run's log loss on test, raw and calibrated; see `inference.evidence.log_losses_on_test` for the errors."""
    run = find_run(run_id)
    found = read_calibration(run)
    return found if isinstance(found, NotApplicable) else log_losses_on_test(run, found)


@st.cache_data(max_entries=1, show_spinner="Comparing the published runs…")
def _findings(changed: float) -> Findings:  # noqa: ARG001  Part of the key, as no name with an underscore is.
    return findings()


def findings_of_study() -> Findings:
    """The findings of the published runs; see `inference.findings.findings` for the errors."""
    return _findings(store.published_root().stat().st_mtime)


@of_runs(st.cache_resource, max_entries=2, show_spinner="Loading the generator…")
def loaded_generator(run_id: str) -> "Generator":
    """A finished DCGAN's generator, loaded for sampling.

    Raises:
        RunError: The run is not finished, or a classifier's.
        CorruptError: The model does not match its hash.
    """
    from pneumo_core.inference.generator import load_generator

    return load_generator(find_run(run_id))


@of_runs(st.cache_data, max_entries=16, show_spinner="Drawing…")
def samples_of(run_id: str, seed: int, first: int, count: int, truncation: float | None = None) -> NDArray[np.uint8]:
    """Samples of a finished DCGAN, `(count, size, size)` uint8; see `inference.generator.latents` for the arguments.

    Raises:
        RunError, CorruptError: See `loaded_generator`.
        ConfigError: A value is out of its range.
    """
    from pneumo_core.inference.generator import generate, latents

    generator = loaded_generator(run_id)
    return generate(generator, latents(generator.latent_dim, seed, first, count, truncation))


@of_runs(st.cache_resource, max_entries=2, show_spinner="Preparing the real images (once)…")
def _learned(run_id: str, _index: DataIndex, root: str, data_id: str) -> tuple[NDArray[np.uint8], NDArray[Any]]:  # noqa: ARG001
    from pneumo_core.inference.gan_measures import learned_images, read_learned

    run = find_run(run_id)
    images, patients = learned_images(_index, read_learned(run), gan_run_config(run).image_size)
    images.setflags(write=False)  # All sessions share them.
    return images, patients


def learned_of(run_id: str, index: DataIndex) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """A finished DCGAN's training images, at its own size, and their patients, in the order of learned.parquet.

    Returns:
        `(n, size, size)` uint8, read-only, and `(n,)`.

    Raises:
        DataError: The data set lacks some of them.
        RunError: The run is not finished.
        CorruptError: The list of them is not the one that was written.
    """
    return _learned(run_id, index, str(index.root), index.data_id)


@of_runs(st.cache_data, max_entries=16, show_spinner="Comparing…")
def comparison_of(a: tuple[str, ...], b: tuple[str, ...], split: Split) -> Comparison:
    """Two runs or two groups of runs, compared; see `inference.compared.compare_runs` for the errors."""
    from pneumo_core.inference.compared import compare_runs

    return compare_runs(a, b, split=split)


@of_runs(st.cache_data, max_entries=16, show_spinner="Measuring…")
def side_of_runs(run_ids: tuple[str, ...]) -> Side:
    """Test figures of a run or a group of runs; see `inference.compared.side_of` for the errors."""
    from pneumo_core.inference.compared import side_of

    return side_of(run_ids)


@of_runs(st.cache_resource, max_entries=2, show_spinner=False)
def comparison_files_of(a: tuple[str, ...], b: tuple[str, ...], split: Split, app_url: str | None) -> dict[str, bytes]:  # noqa: ARG001
    """Place for the files of a comparison (`documents.comparison_files`), empty until a page has made them.

    The page makes them, because what is made in here can show no progress and cannot be cancelled.
    """
    return {}


@of_runs(st.cache_data, max_entries=64, show_spinner=False)
def evidence_in(run_id: str, split: Split) -> Evidence:
    """Predictions of a finished run for the images of a split; see `inference.compared.evidence_of` for the errors."""
    from pneumo_core.inference.compared import evidence_of

    return evidence_of(run_id, split)


@of_runs(st.cache_data, max_entries=32, show_spinner=False)
def near_of(run_id: str) -> Near | NotApplicable:
    """The band around a finished run's threshold; see `inference.evidence.read_near` for the errors."""
    return read_near(find_run(run_id))


@of_runs(st.cache_data, max_entries=32, show_spinner=False)
def external_of(run_id: str) -> tuple[Collection, ExternalResult] | NotApplicable:
    """A published run's figures on another hospital's X-rays; see `inference.external.external_result` for the errors."""
    return external_result(run_id)


@of_runs(st.cache_data, max_entries=256, show_spinner=False)
def _splits(run_id: str) -> frozenset[Split]:
    # One column, a hundredth of what a report takes to read; `comparison_of` checks the whole file.
    return frozenset(map(Split, pd.read_parquet(find_run(run_id).predictions, columns=["split"])["split"].unique()))


def splits_of(run_ids: tuple[str, ...]) -> frozenset[Split]:
    """Splits that every one of these finished runs has predictions of; none where a file cannot be read."""
    try:
        return frozenset.intersection(*map(_splits, run_ids))
    except (OSError, ValueError, KeyError):
        return frozenset()
