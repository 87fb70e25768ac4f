"""State of a training in one file, replaced atomically, from which a run resumes."""

import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pneumo_core.errors import CorruptError
from pneumo_core.runs.files import make_directory, store_errors


def replace_weights(model: keras.Model, path: Path) -> None:
    """Write a model's weights in one step: Keras writes in place, so a kill would leave a partial file.

    Raises:
        StoreError: They cannot be written.
    """
    partial = path.with_name("partial.weights.h5")
    with store_errors(path):
        model.save_weights(partial)
        partial.replace(path)


def save_backup(folder: Path, epoch: int, facts: dict[str, Any], variables: list[Any]) -> None:
    """Save plain facts and Keras variables, in a fixed order, after `epoch` epochs, and remove every earlier backup.

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
        for old in set(folder.glob("epoch-*.npz")) - {path}:
            old.unlink()


def load_backup(folder: Path, variables: list[Any]) -> tuple[dict[str, Any], list[Any]] | None:
    """Facts of the newest backup (including `epoch`) and an array for each variable; None without a backup.

    The arrays have the variables' shapes and are not assigned to them, so the caller can still refuse the backup.

    Raises:
        CorruptError: The backup is damaged or of another model.
        StoreError: It cannot be read.
    """
    # Sorted by number: from epoch 10,000 on, names do not sort as numbers.
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
    """The error for an unusable backup."""
    return CorruptError(
        f"a backup must hold the model's state after an epoch. Received: path={str(path)!r}: "
        f"{' '.join(str(error).split())}; delete that file and resume the run to train it from the start"
    )
