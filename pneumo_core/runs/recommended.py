"""The runs that pages and commands open with, named by one file beside the published runs."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pneumo_core.errors import CorruptError
from pneumo_core.runs import store
from pneumo_core.runs.files import is_there, read_json

EXAMPLES: Final = ("phantom", "heatmap", "generated")
"""Pictures that show what the recommended runs do, all synthetic; `inference.examples` makes them."""


@dataclass(frozen=True, slots=True)
class Recommended:
    """Ids of the recommended runs, or None: a classifier, chosen on validation, and a DCGAN for the `gan` arm."""

    classifier: str | None = None
    dcgan: str | None = None


def recommended() -> Recommended:
    """The recommended runs that are published; none without the file ``recommended.json``.

    Raises:
        CorruptError: The file does not name runs.
        StoreError: It cannot be read.
    """
    path = store.published_root() / "recommended.json"
    if not is_there(path):
        return Recommended()
    content = read_json(path)
    names = {"classifier", "dcgan"}
    if not (
        isinstance(content, dict) and set(content) == names and all(isinstance(one, str) for one in content.values())
    ):
        raise CorruptError(
            f"recommended.json must name a run for each of {sorted(names)}. Received: {str(content)[:200]}; restore it with "
            "git checkout"
        )
    there = {
        name: run if is_there(store.published_root() / run / "manifest.json") else None for name, run in content.items()
    }
    return Recommended(**there)


def examples_root() -> Path:
    """Folder of the pictures."""
    return store.published_root() / "examples"


def example_pictures() -> tuple[Path, ...]:
    """Files of the recommended runs' pictures, in the order of `EXAMPLES`; none where they were not made for these runs.

    Raises:
        CorruptError: Their list, or that of the recommended runs, is damaged.
        StoreError: It cannot be read.
    """
    made = examples_root() / "examples.json"
    if not is_there(made) or read_json(made) != asdict(recommended()):
        return ()
    return tuple(examples_root() / f"{name}.png" for name in EXAMPLES)
