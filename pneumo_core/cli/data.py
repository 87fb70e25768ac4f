"""The data set's commands: ``python -m pneumo_core data phantom|download|index``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pneumo_core.cli.command import Json, group, index_of
from pneumo_core.cli.terminal import print_result, progress_line
from pneumo_core.data.source import kaggle_folder
from pneumo_core.records import Label, Split, Subtype

data_app = group("Create, download and index data sets.")


@data_app.command("phantom")
def data_phantom(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder to create.")],
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
    count: Annotated[int, typer.Option(help="Number of images.")] = 600,
    as_json: Json = False,
) -> None:
    """Draw a data set of synthetic chest radiographs."""
    from pneumo_core.data.phantom import write_phantoms  # noqa: PLC0415

    with progress_line("drawing") as progress:
        write_phantoms(out, seed=seed, count=count, progress=progress)
    print_result({"out": str(out), "count": count, "seed": seed}, as_json=as_json)


@data_app.command("download")
def data_download(
    dest: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Folder to download into.")] = None,
    as_json: Json = False,
) -> None:
    """Download the Kaggle data set (2.3 GB).

    It is checked and unpacked; if credentials are missing, the error says how to get them.
    """
    from pneumo_core.data.download import download_kaggle  # noqa: PLC0415

    with progress_line("") as progress:
        root = download_kaggle(
            dest or kaggle_folder(), progress=lambda step: progress(step.done, step.total, str(step.stage))
        )
    print_result({"root": str(root)}, as_json=as_json)


@data_app.command("index")
def data_index(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Data set.")], as_json: Json = False
) -> None:
    """Count and check the images of a data set.

    It prints counts, patients, unreadable files and what to know about the data.
    """
    from pneumo_core.data.audit import audit  # noqa: PLC0415

    index, _ = index_of(folder)
    table = index.table
    splits = {}
    for split in Split:
        part = table[table["split"] == split.value]
        subtypes = part["subtype"].value_counts()
        splits[split.value] = {
            **{label.name: int((part["label"] == label.value).sum()) for label in Label},
            **{
                subtype.value: int(subtypes.get(subtype.value, 0)) for subtype in Subtype if subtype is not Subtype.NONE
            },
            "patients": int(part["patient_id"].nunique()),
            "patients_pooled": int(part["pooled_id"].nunique()),
        }
    result = {
        "data_id": index.data_id,
        "root": str(index.root),
        "images": len(table),
        "is_phantom": index.is_phantom,
        "splits": splits,
        "unreadable": [asdict(file) for file in index.unreadable],
        "ignored": index.ignored,
        "findings": [asdict(finding) for finding in audit(index)],
    }
    print_result(result, as_json=as_json)
