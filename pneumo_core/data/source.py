"""The default data set and the connected one."""

import shutil
from collections.abc import Callable
from pathlib import Path

from pneumo_core.data.index import DataIndex
from pneumo_core.errors import StoreError
from pneumo_core.runs.files import hold_lock, read_json, write_json
from pneumo_core.runs.store import datasets_root
from pneumo_core.settings import settings


def kaggle_folder() -> Path:
    """Folder of the Kaggle download; the data set is its `chest_xray`."""
    return datasets_root() / "kaggle"


def default_folder() -> Path | None:
    """`$PNEUMO_DATA`, else the downloaded Kaggle copy, else the built-in phantoms; None if those must be drawn first."""
    if named := settings().data:
        return named
    folders = (kaggle_folder() / "chest_xray", _phantom_folder())
    return next((folder for folder in folders if folder.is_dir()), None)


def default_data(progress: Callable[[int, int], None] | None = None) -> Path:
    """`default_folder`, with the phantoms drawn on first use.

    Raises:
        RunError: Another process has been drawing them for ten minutes.
        StoreError: The phantoms cannot be written.
    """
    return default_folder() or phantom_data(progress)


def phantom_data(progress: Callable[[int, int], None] | None = None) -> Path:
    """Folder of the built-in phantom data set, drawn on first use.

    Raises:
        RunError: Another process has been drawing them for ten minutes.
        StoreError: The phantoms cannot be written.
    """
    from pneumo_core.data.phantom import write_phantoms  # noqa: PLC0415  It imports libraries that the app need not load.

    folder = _phantom_folder()
    if not folder.is_dir():  # It appears in one step, and must be found even if nothing can be written.
        with hold_lock(datasets_root() / "phantom.lock", timeout_s=600):
            if not folder.is_dir():
                for left in folder.parent.glob(f".{folder.name}.*"):  # Left by a process that was killed while drawing.
                    shutil.rmtree(left, ignore_errors=True)
                write_phantoms(folder, progress=progress)
    return folder


def _phantom_folder() -> Path:
    return datasets_root() / "phantom"


def connect(index: DataIndex) -> None:
    """Store the choice of a data set for the app.

    Raises:
        StoreError: The choice cannot be written.
    """
    write_json(datasets_root() / "connected.json", {"data_id": index.data_id})


def connected_id() -> str | None:
    """Id of the data set chosen for the app, or None if none was chosen or the choice cannot be read."""
    try:
        return str(read_json(datasets_root() / "connected.json")["data_id"])
    except (StoreError, KeyError, TypeError):
        return None
