"""The data set's commands: ``python -m pneumo_core data phantom|download|index|audit|split|splits``."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pneumo_core.cli.command import Data, Json, group, index_of
from pneumo_core.cli.tables import print_tables
from pneumo_core.cli.terminal import note, print_result, progress_line
from pneumo_core.data.saved_splits import (
    SavedSplit,
    SplitKind,
    damaged_splits,
    delete_split,
    save_split,
    saved_splits,
    split_named,
    split_parts,
)
from pneumo_core.data.source import kaggle_folder
from pneumo_core.errors import StoreError
from pneumo_core.records import FOLDERS, Label, Subtype
from pneumo_core.reporting.audit_tables import check_tables, plain_check, split_table
from pneumo_core.reporting.document import Table
from pneumo_core.runs.files import require_writable, write_atomic

if TYPE_CHECKING:
    from pneumo_core.data.audit import Check
    from pneumo_core.data.index import DataIndex

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
    folder: Annotated[Path, typer.Argument(metavar="DATA", help="Folder, or CSV file of labels.")],
    as_json: Json = False,
) -> None:
    """Count and check the images of a data set.

    It prints counts, patients, unreadable files and what to know about the data; 'data audit' looks at the pixels too.
    """
    from pneumo_core.data.audit import Outcome, audit  # noqa: PLC0415

    index, _ = index_of(folder)
    table = index.table
    splits = {}
    for split in FOLDERS:
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
    findings = [check for check in audit(index) if check.outcome in {Outcome.ISSUE, Outcome.TIP}]
    if not as_json:
        _print_index(index, splits, findings)
        return
    result = {
        "data_id": index.data_id,
        "root": str(index.root),
        "images": len(table),
        "is_phantom": index.is_phantom,
        "splits": splits,
        "unreadable": [asdict(file) for file in index.unreadable],
        "left_out": [asdict(row) for row in index.left_out],
        "findings": [asdict(finding) for finding in findings],
    }
    print_result(result, as_json=as_json)


@data_app.command("audit")
def data_audit(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="DATA", help="Folder, or CSV file of labels; default: that of other commands."),
    ] = None,
    datasheet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="HTML file to write a datasheet of the data set to.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look for what makes a data set's figures mislead.

    Leaks, near duplicates, quality, shift, and what the files alone tell. It takes about 20 seconds for 5,500 images the first
    time, and is stored beside the index.
    """
    from pneumo_core.inference.audited import all_checks, measured  # noqa: PLC0415
    from pneumo_core.reporting.datasheet import datasheet as make_datasheet  # noqa: PLC0415
    from pneumo_core.reporting.html import to_html  # noqa: PLC0415

    if datasheet is not None:  # Before the work that it is for.
        if datasheet.is_dir():
            raise StoreError(f"--datasheet must name a file. Received: datasheet={str(datasheet)!r}, a folder")
        require_writable(datasheet.parent, "the folder of --datasheet")
    index, what = index_of(folder)
    with progress_line("measuring") as progress:
        found = measured(index, progress)
    checks = all_checks(index, found)
    if datasheet is not None:
        write_atomic(datasheet, to_html(make_datasheet(index, checks, found.shift, found.opponent)))
        note(f"datasheet: {datasheet}")
    if as_json:
        print_result({"data_id": index.data_id, "checks": [plain_check(check) for check in checks]}, as_json=True)
        return
    note(what)
    print_tables(*check_tables(index.data_id, checks), *_not_in_it(index))


@data_app.command("split")
def data_split(
    kind: Annotated[SplitKind, typer.Argument(help="How to choose the validation images.")],
    data: Data = None,
    name: Annotated[str, typer.Option(help="Name of the split; default: its rule and seed, as blocks-0.")] = "",
    seed: Annotated[int, typer.Option(help="Seed of the choice.")] = 0,
    fraction: Annotated[float, typer.Option(help="Fraction of the training images to hold out.")] = 0.15,
    as_json: Json = False,
) -> None:
    """Choose validation images by another rule.

    The choice is saved for 'train --split NAME'.

    patients: at random; deduplicated: without copies; blocks: consecutive case numbers; sharpness: both classes equally sharp.
    Test stays as it is, and no file is changed.
    """
    from pneumo_core.data.measures import stored_measures  # noqa: PLC0415
    from pneumo_core.data.resplit import make_split  # noqa: PLC0415

    index, taken = index_of(data)
    with progress_line("measuring") as progress:
        split = save_split(make_split(index, kind, name, seed=seed, fraction=fraction, progress=progress))
    measures = stored_measures(index)
    sharpness = None if measures is None else measures["sharpness"]
    if as_json:
        print_result(_plain_split(split) | {"parts": split_parts(index, split, sharpness)}, as_json=True)
        return
    note(taken)
    note(f"saved as {split.name}, hash {split.digest}; 'train --split {split.name}' takes it")
    print_tables(split_table(index, split, sharpness))


@data_app.command("splits")
def data_splits(
    data: Data = None,
    delete: Annotated[
        str | None, typer.Option(metavar="NAME", help="Delete this split; its runs keep their copies.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the saved splits of a data set, or delete one."""
    index, taken = index_of(data)
    if delete is not None:
        delete_split(split_named(delete, index.data_id))
    for problem in damaged_splits():
        note(problem)
    found = [_plain_split(split) for split in saved_splits(index.data_id)]
    if as_json:
        print_result({"data_id": index.data_id, "splits": found}, as_json=True)
        return
    note(taken)
    if not found:
        note("no split is saved for this data set; 'data split' makes one")
        return
    rows = tuple(tuple(str(value) for value in row.values()) for row in found)
    columns = tuple(name.replace("_", " ") for name in found[0])
    print_tables(Table("splits", f"Saved splits of the data set {index.data_id}", columns, rows))


def _plain_split(split: SavedSplit) -> dict[str, object]:
    """A split without its lists of images."""
    return {
        "name": split.name,
        "kind": split.kind.value,
        "seed": split.seed,
        "fraction": split.fraction,
        "digest": split.digest,
        "val": len(split.val),
        "left_out": len(split.left_out),
    }


def _print_index(index: "DataIndex", splits: Mapping[str, Mapping[str, int]], findings: Sequence["Check"]) -> None:
    """Counts as a table, then what to know about the data, the most severe first, and files that are not in the counts."""
    kind = "synthetic phantoms" if index.is_phantom else "X-rays"
    columns = ("split", *next(iter(splits.values())))
    rows = tuple((split, *(f"{count:,}" for count in counts.values())) for split, counts in splits.items())
    caption = f"{len(index.table):,} {kind} in {index.root}, data id {index.data_id}"
    found = tuple((finding.severity.value, f"{finding.sentence} {finding.consequence}".strip()) for finding in findings)
    tables = [Table("images", caption, tuple(name.replace("_", ", ") for name in columns), rows)]
    if found:
        tables.append(Table("findings", "What to know about these images", ("severity", "finding"), found))
    tables += _not_in_it(index)
    print_tables(*tables)


def _not_in_it(index: "DataIndex") -> list[Table]:
    """Files that cannot be read, and those that are no part of the data set."""
    tables = []
    if index.unreadable:
        unreadable = tuple((file.image_id, file.message) for file in index.unreadable)
        tables.append(Table("unreadable", "Files that cannot be read", ("file", "reason"), unreadable))
    if index.left_out:
        columns = ("place", "files", "reason", "to include them")
        left_out = tuple((row.place, f"{row.files:,}", row.reason, row.advice) for row in index.left_out)
        tables.append(Table("left_out", "Files that are no part of it", columns, left_out))
    return tables
