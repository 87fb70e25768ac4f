"""The default data set and the connected one."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pneumo_core.data.index import DataIndex, find_source, load_index
from pneumo_core.errors import DataError, StoreError
from pneumo_core.runs.files import hold_lock, read_json, write_json
from pneumo_core.runs.store import datasets_root
from pneumo_core.settings import settings


def kaggle_folder() -> Path:
    """Folder of the Kaggle download; the data set is its `chest_xray`."""
    return datasets_root() / "kaggle"


def default_folder() -> Path | None:
    """`$PNEUMO_DATA`, a folder or a CSV file of labels, else the downloaded Kaggle copy, else the built-in phantoms.

    None if the phantoms must be drawn first.

    Raises:
        DataError: `$PNEUMO_DATA` is not there.
    """
    if named := _by_setting():
        return named
    folders = (kaggle_folder() / "chest_xray", _phantom_folder())
    return next((folder for folder in folders if folder.is_dir()), None)


def default_data(progress: Callable[[int, int], None] | None = None) -> Path:
    """`default_folder`, with the phantoms drawn on first use.

    Raises:
        DataError: See `default_folder`.
        RunError: Another process has been drawing them for ten minutes.
        StoreError: The phantoms cannot be written.
    """
    return default_folder() or phantom_data(progress)


@dataclass(frozen=True, slots=True)
class Source:
    """The folder of a data set that a command takes, or its CSV file of labels, and in a phrase why it takes this one."""

    folder: Path
    why: str


def chosen_data(named: Path | None, progress: Callable[[int, int], None] | None = None) -> Source:
    """The data set of a command: the named one, `$PNEUMO_DATA`, the one connected in the app, or the default one.

    Args:
        named: The data set that the command names, or None.
        progress: Called while the phantoms are drawn.

    Raises:
        DataError: `$PNEUMO_DATA` or the data set that is connected in the app is missing, or the choice cannot be read.
        RunError, StoreError: See `default_data`.
    """
    if named is not None:
        return Source(named, "named by --data")
    connected = connected_id()
    if (by_setting := _by_setting()) is not None:
        other = connected and not _is_connected(connected, by_setting)
        return Source(
            by_setting, "named by PNEUMO_DATA" + (f"; the app shows the data set {connected}" if other else "")
        )
    if connected is not None:
        return Source(_connected_folder(connected), "connected in the app")
    if _choice().exists():
        raise DataError(
            f"the app's choice of a data set must be readable. Received: {str(_choice())!r}, which is not; connect one on the "
            "Dataset page, or name one with --data"
        )
    folder = default_data(progress)
    if folder == _phantom_folder():
        return Source(folder, "built-in phantoms, because no data set is connected or named")
    return Source(folder, "the downloaded Kaggle copy")


def _by_setting() -> Path | None:
    named = settings().data
    if named is not None and not named.exists():
        raise DataError(
            f"PNEUMO_DATA must name a data set. Received: PNEUMO_DATA={str(named)!r}, which is not there; correct it, or unset "
            "it to take the connected or the default data set"
        )
    return named


def _is_connected(data_id: str, folder: Path) -> bool:
    try:
        return load_index(data_id).source == find_source(folder)
    except DataError:
        return False


def _connected_folder(data_id: str) -> Path:
    try:
        source = load_index(data_id).source
        if source.exists():
            return source
        reason = f"nothing at {str(source)!r}"
    except DataError as error:
        reason = str(error)
    raise DataError(
        f"the data set connected in the app must be there. Received: data_id={data_id!r}: {reason}; connect one on the "
        "Dataset page, or name one with --data"
    )


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


def _choice() -> Path:
    return datasets_root() / "connected.json"


def connect(index: DataIndex) -> None:
    """Store the choice of a data set for the app.

    Raises:
        StoreError: The choice cannot be written.
    """
    write_json(_choice(), {"data_id": index.data_id})


def connected_id() -> str | None:
    """Id of the data set chosen for the app, or None if none was chosen or the choice cannot be read."""
    try:
        return str(read_json(_choice())["data_id"])
    except (StoreError, KeyError, TypeError):
        return None
