"""A map of a data set: images that a model finds alike lie close together.

`python -m pneumo_core.inference.image_map DATA_ID RUN_ID` makes it in a process of its own, which `jobs.preparing` starts.
"""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumo_core.data.index import DataIndex, load_index
from pneumo_core.data.work import do_work, map_name, reporter
from pneumo_core.errors import StoreError
from pneumo_core.runs.files import store_errors, write_atomic
from pneumo_core.runs.store import RunDirectory, datasets_root, find_run, read_manifest

MOST: Final = 10_000
"""Most images that are mapped, drawn at random from more: t-SNE of so many takes a few minutes."""

_COMPONENTS: Final = 30
"""Principal components that t-SNE starts from."""

_COLUMNS: Final = ("image_id", "logit", "pca_x", "pca_y", "tsne_x", "tsne_y")
_SEED: Final = 0


def image_map(
    index: DataIndex, run: RunDirectory, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> pd.DataFrame:
    """The map of a data set by a run's features, stored or computed.

    Args:
        index: The data set.
        run: A finished run with its model.
        progress: Called with images done and their total while the model runs; may raise to stop.

    Returns:
        A row an image, at most `MOST`: `image_id`, the run's `logit`, and its place by principal components (`pca_x`, `pca_y`)
        and by t-SNE (van der Maaten and Hinton 2008, JMLR 9:2579-2605; `tsne_x`, `tsne_y`), all float64 but the id.

    Raises:
        RunError: The run is not finished, or ships without its model.
        CorruptError: A file of the run does not match its hash.
        DataError: An image has changed since it was indexed.
        StoreError: The map cannot be stored.
    """
    # They load ONNX Runtime, which the page that shows a stored map does not need.
    from pneumo_core.inference.classify import load_classifier  # noqa: PLC0415
    from pneumo_core.inference.session import run_batches  # noqa: PLC0415

    if (stored := stored_map(index, run)) is not None:
        return stored
    classifier = load_classifier(run)
    count = len(index.table)
    rows = np.arange(count)
    if count > MOST:
        rows = np.sort(np.random.default_rng(_SEED).choice(count, MOST, replace=False))
    session = classifier.session
    images = index.pixels(session.image_size, progress, session.preparation)
    outputs = run_batches(session, images, rows, progress)
    components = principal_components(outputs.features.astype(np.float64), _COMPONENTS)
    placed = _tsne(components)
    values = np.column_stack([outputs.logit, components[:, :2], placed])
    table = pd.DataFrame(values, columns=list(_COLUMNS[1:]))
    table.insert(0, "image_id", index.table["image_id"].to_numpy()[rows])
    progress(len(rows), len(rows))  # A request to stop is heard before anything is stored.
    write_atomic(_path(index, run), table.to_parquet(index=False))
    return table


def stored_map(index: DataIndex, run: RunDirectory) -> pd.DataFrame | None:
    """The stored map of a data set by a run, or None.

    Raises:
        RunError: The run is not finished.
    """
    path = _path(index, run)
    try:
        with store_errors(path):
            table = pd.read_parquet(io.BytesIO(path.read_bytes()))
    except (StoreError, OSError, ValueError):  # Missing or damaged: it is computed again.
        return None
    return table if tuple(table.columns) == _COLUMNS else None


def principal_components(features: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """The first principal components of `(n, d)` features, `(n, min(count, n, d))`, at least two columns.

    The sign of each is such that its largest weight is positive, so that a map is not mirrored by chance.
    """
    centered = features - features.mean(axis=0)
    _, _, directions = np.linalg.svd(centered, full_matrices=False)
    directions = directions[:count]
    largest = np.abs(directions).argmax(axis=1)
    directions *= np.sign(directions[np.arange(len(directions)), largest])[:, None]
    placed: NDArray[np.float64] = centered @ directions.T
    return np.pad(placed, [(0, 0), (0, max(0, 2 - placed.shape[1]))])


def _tsne(components: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places by t-SNE, `(n, 2)`."""
    from sklearn.manifold import TSNE  # noqa: PLC0415  A second to import, and pages show what was computed before.

    if len(components) < 4:  # Too few for neighbors.
        return components[:, :2]
    perplexity = min(30.0, (len(components) - 1) / 3)
    placed = TSNE(2, perplexity=perplexity, init="pca", random_state=_SEED).fit_transform(components)
    return np.asarray(placed, dtype=np.float64)


def _path(index: DataIndex, run: RunDirectory) -> Path:
    model = read_manifest(run)["files"][run.model.name][:12]
    return datasets_root() / index.data_id / f"map-{run.run_id}-{model}.parquet"


def _main(data_id: str, run_id: str) -> int:
    name = map_name(data_id, run_id)
    return do_work(name, lambda: image_map(load_index(data_id), find_run(run_id), reporter(name, "Asking the model")))


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], sys.argv[2]))
