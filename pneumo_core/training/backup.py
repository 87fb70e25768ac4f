"""A training's state in one file, replaced atomically: what a run is resumed from."""

import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pneumo_core.errors import CorruptError
from pneumo_core.runs.files import make_directory, store_errors


def save_backup(folder: Path, epoch: int, facts: dict[str, Any], variables: list[Any]) -> None:
    """Save the state after `epoch` epochs, in place of every earlier one.

    Args:
        folder: Where backups are kept.
        epoch: Finished epochs.
        facts: Plain data to keep.
        variables: Keras variables, in a fixed order.

    Raises:
        StoreError: The backup cannot be written.
    """
    arrays = {f"v{index}": keras.ops.convert_to_numpy(variable) for index, variable in enumerate(variables)}
    make_directory(folder)
    path = folder / f"epoch-{epoch:04d}.npz"
    partial = path.with_suffix(".partial")
    with store_errors(path):
        with partial.open("wb") as file:
            np.savez(file, facts=np.array(json.dumps({"epoch": epoch, **facts})), **arrays)
        partial.replace(path)
        for old in folder.glob("epoch-*.npz"):
            if old != path:
                old.unlink()


def load_backup(folder: Path, variables: list[Any]) -> tuple[dict[str, Any], list[Any]] | None:
    """The newest backup's facts (its `epoch` among them) and an array for each variable; None without a backup.

    Nothing is assigned: the caller may still refuse the facts.

    Args:
        folder: Where backups are kept.
        variables: Variables of the shapes that it must hold.

    Raises:
        CorruptError: The backup is damaged or another model's.
        StoreError: It cannot be read.
    """
    # By number: from epoch 10,000 on, names no longer sort as numbers do.
    path = max(folder.glob("epoch-*.npz"), default=None, key=lambda path: int(path.stem.removeprefix("epoch-")))
    if path is None:
        return None
    try:
        with store_errors(path), path.open("rb") as file, np.load(file, allow_pickle=False) as state:
            arrays = [state[f"v{index}"] for index in range(len(variables))]
            facts = json.loads(str(state["facts"]))
        facts["epoch"] = int(facts["epoch"])
        if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
            raise ValueError("its arrays have other shapes than the model's variables")
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise damaged(path, error) from error
    return facts, arrays


def damaged(path: Path, error: Exception) -> CorruptError:
    """What is said of a backup that cannot be used."""
    return CorruptError(
        f"a backup must hold the model's state after an epoch. Received: path={str(path)!r}: "
        f"{' '.join(str(error).split())}; delete that file and resume the run to train it from the start"
    )
