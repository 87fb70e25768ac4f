"""Saved splits: choices of validation images with a name, which runs take by the hash of their content.

A split is a file in `artifacts/splits`, named by its name and that hash; a run has a copy of its own, so that the split goes
where the run goes and stays when its file is deleted.
"""

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import pandas as pd

from pneumo_core.config.split import NamedSplit, require_split_name
from pneumo_core.data.index import DataIndex
from pneumo_core.errors import ConfigError, CorruptError, DataError, PneumoError
from pneumo_core.records import Label, Split
from pneumo_core.runs import store
from pneumo_core.runs.files import hold_lock, is_there, json_bytes, read_json, store_errors, write_atomic

_SCHEMA: Final = 1


class SplitKind(StrEnum):
    """How the validation images of a split were chosen; `resplit` has the rules."""

    PATIENTS = "patients"
    DEDUPLICATED = "deduplicated"
    BLOCKS = "blocks"
    SHARPNESS = "sharpness"


@dataclass(frozen=True, slots=True)
class SavedSplit:
    """A choice of validation images. All training images that it does not name are trained on; test stays as it is.

    Attributes:
        name: Its name; see `config.split`.
        kind: How it was chosen.
        data_id: The data set.
        seed: Seed of the choice.
        fraction: Fraction of the training images that was to be held out.
        val: Ids of the validation images, sorted.
        left_out: Ids of images that are neither trained nor validated on, sorted.
    """

    name: str
    kind: SplitKind
    data_id: str
    seed: int
    fraction: float
    val: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Hash of what it does, not of its name or how it was chosen; see `NamedSplit`."""
        content = json.dumps([self.data_id, self.val, self.left_out])
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    @property
    def named(self) -> NamedSplit:
        """The split as a setting of a run."""
        return NamedSplit(self.name, self.digest)

    def content(self) -> bytes:
        """Its file."""
        return json_bytes({"schema": _SCHEMA, "digest": self.digest, **asdict(self)})


def save_split(split: SavedSplit) -> SavedSplit:
    """Store a split under its name; nothing changes where it is there already.

    Raises:
        ConfigError: The name cannot be one, or another split of the data set has it.
        StoreError: It cannot be written.
    """
    require_split_name(split.name)
    with hold_lock(store.splits_root() / "splits.lock"):
        others = [one for one in saved_splits(split.data_id) if one.name == split.name]
        if any(one.digest != split.digest for one in others):
            raise ConfigError(
                f"a split's name must be new. Received: name={split.name!r}, which another split of this data set has; choose "
                "another name, or delete that split"
            )
        if not others:
            write_atomic(_path(split), split.content())
    return split


def saved_splits(data_id: str) -> list[SavedSplit]:
    """The stored splits of a data set, by name; without files that are damaged (`damaged_splits`)."""
    found = []
    for path in _files():
        with suppress(PneumoError):
            found.append(_stored(path))
    return sorted((split for split in found if split.data_id == data_id), key=lambda split: split.name)


def damaged_splits() -> list[str]:
    """Why files of splits cannot be used, a sentence each."""
    found = []
    for path in _files():
        try:
            _stored(path)
        except PneumoError as error:
            found.append(str(error))
    return found


def split_named(name: str, data_id: str) -> SavedSplit:
    """The stored split of a data set that has this name.

    Raises:
        ConfigError: There is none.
        CorruptError: Its file is damaged.
    """
    require_split_name(name)
    known = saved_splits(data_id)
    for split in known:
        if split.name == name:
            return split
    for path in store.splits_root().glob(f"{name}-*.json"):
        if path.stem.removeprefix(f"{name}-") not in {split.digest for split in known}:
            _stored(path)  # A damaged file of this name is the reason.
    names = ", ".join(split.name for split in known) or "none"
    raise ConfigError(
        f"a split must be saved for the data set before it is used. Received: split={name!r}; saved for {data_id}: {names}; "
        "'data split' makes one"
    )


def find_split(named: NamedSplit) -> SavedSplit:
    """A split by the hash of its content: stored, or kept by a run.

    Raises:
        DataError: It is nowhere.
    """
    places = sorted(store.splits_root().glob(f"*-{named.digest}.json"))
    for root in (store.runs_root(), store.published_root()):
        places += sorted(root.glob(f"*/{store.SPLIT_FILE}"))
    for path in places:
        with suppress(PneumoError):
            if is_there(path) and (split := _read(path)).digest == named.digest:
                return split
    raise DataError(
        f"a run's split must be stored, or kept by a run. Received: split={named.name!r} with the hash {named.digest}, which "
        "is nowhere; save it again by the same settings"
    )


def delete_split(split: SavedSplit) -> None:
    """Delete a stored split, whose runs keep their copies; one that is not there stays so.

    Raises:
        StoreError: It cannot be deleted.
    """
    path = _path(split)
    with store_errors(path):
        path.unlink(missing_ok=True)


def split_parts(
    index: DataIndex, split: SavedSplit, sharpness: "pd.Series[float] | None" = None
) -> list[dict[str, Any]]:
    """What a split does: its parts with their patients, images of each class and, where it is known, their mean sharpness.

    Args:
        index: The data set.
        split: A split of it.
        sharpness: Sharpness of each image of the index, in its order.
    """
    table = index.table if sharpness is None else index.table.assign(sharpness=sharpness.to_numpy())
    ids, held_out, left_out = table["image_id"], set(split.val), set(split.left_out)
    is_val, is_out = ids.isin(held_out), ids.isin(left_out)
    is_train = (table["split"] == Split.TRAIN.value) & ~is_val & ~is_out
    rows = []
    for name, chosen in (("train", is_train), ("val", is_val), ("left out", is_out)):
        part = table[chosen]
        row: dict[str, Any] = {"part": name, "patients": int(part["patient_id"].nunique())}
        for label in Label:
            of_class = part[part["label"] == label.value]
            row[label.name] = len(of_class)
            if sharpness is not None:
                row[f"sharpness, {label.name}"] = float(of_class["sharpness"].mean()) if len(of_class) else None
        rows.append(row)
    return rows


def _path(split: SavedSplit) -> Path:
    return store.splits_root() / f"{split.name}-{split.digest}.json"


def _files() -> list[Path]:
    return sorted(store.splits_root().glob("*.json"))


def _stored(path: Path) -> SavedSplit:
    """A stored split; see `_read` for the errors."""
    split = _read(path)
    if path.name != _path(split).name:
        raise CorruptError(
            f"a split's file must be named by its name and hash, {_path(split).name}. Received: {path}; rename or delete it"
        )
    return split


def _read(path: Path) -> SavedSplit:
    """A split from its file.

    Raises:
        CorruptError: It is damaged, or its content does not have its hash.
        StoreError: It cannot be read.
    """
    data = read_json(path)
    problem = "no split"
    if isinstance(data, dict) and data.get("schema") == _SCHEMA:
        try:
            content = {name: value for name, value in data.items() if name not in {"schema", "digest"}}
            split = _decoded(content)
        except (KeyError, TypeError, ValueError, ConfigError) as error:
            problem = " ".join(f"{error}".split())
        else:
            if split.digest == data.get("digest"):
                return split
            problem = "another hash than its content's"
    raise CorruptError(
        f"a split's file must hold a split and the hash of its content. Received: {path}, {problem}; delete it, and save the "
        "split again"
    )


def _decoded(content: dict[str, Any]) -> SavedSplit:
    """A split from its plain data.

    Raises:
        KeyError, TypeError, ValueError, ConfigError: It is none.
    """
    split = SavedSplit(
        name=content["name"],
        kind=SplitKind(content["kind"]),
        data_id=str(content["data_id"]),
        seed=int(content["seed"]),
        fraction=float(content["fraction"]),
        val=tuple(map(str, content["val"])),
        left_out=tuple(map(str, content["left_out"])),
    )
    require_split_name(split.name)
    return split
