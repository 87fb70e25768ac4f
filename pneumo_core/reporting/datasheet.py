"""A datasheet (Gebru et al. 2021, CACM 64(12):86-92), generated from a data set's index and audit."""

from collections.abc import Sequence
from typing import Final

from pneumo_core.data.anatomy import SERIES, blocks, cases, images_per_patient
from pneumo_core.data.audit import Check
from pneumo_core.data.index import DataIndex
from pneumo_core.evaluation.opponent import Opponent
from pneumo_core.evaluation.shift import ClassShift
from pneumo_core.records import FOLDERS, Label, NotApplicable, Subtype
from pneumo_core.reference import COPIES, OFFICIAL_COUNTS, described_copy
from pneumo_core.reporting.audit_tables import (
    MEASURE_WORDS,
    OPPONENT_WORDS,
    SHIFT_METHOD,
    check_tables,
    opponent_table,
    patient_words,
    shift_table,
)
from pneumo_core.reporting.document import Block, Bullets, Document, Heading, KeyValues, Paragraph, Table

_KERMANY: Final = (
    (
        "Collected from children of one to five years at the Guangzhou Women and Children's Medical Center, as part of routine "
        "care; graded by two physicians, a third checked the test images (Kermany et al. 2018, Cell 172:1122-1131)."
    ),
    "Published under CC BY 4.0 (doi:10.17632/rscbjbr9sj.3); Kaggle's copy is paultimothymooney/chest-xray-pneumonia.",
    "Without names; a file's name has a patient's number. Age, sex, severity and X-ray machine of an image are not published.",
)
_PHANTOMS: Final = ("Drawn by a program. No person is shown, and figures from them do not apply to patients.",)
_UNKNOWN: Final = (
    "Not recorded in the files: who collected the images, from whom, when, and who labeled them. Add it where this is shared.",
)
_USES: Final = (
    "For research and teaching on classifiers of chest X-rays of children. Not for decisions about patients.",
    "A split by consecutive case numbers is no random sample, and classes may differ in how files were made: see the audit.",
)


def datasheet(
    index: DataIndex,
    checks: Sequence[Check],
    shifts: Sequence[ClassShift | NotApplicable],
    files: Opponent | NotApplicable,
) -> Document:
    """The datasheet of a data set: composition, collection, uses, and its audit.

    Args:
        index: The data set.
        checks: Its checks.
        shifts: Shift of each class, in the order of `Label`.
        files: What the files alone tell.
    """
    return Document(
        f"Datasheet: data set {index.data_id}",
        f"{len(index.table):,} {'synthetic phantoms' if index.is_phantom else 'chest X-rays'}",
        (
            Heading("Composition"),
            _facts(index),
            _counts(index, checks),
            _images(index),
            *_blocks(index),
            Heading("Collection, consent and license"),
            Bullets(_collection(index)),
            Heading("Uses"),
            Bullets(_USES),
            Heading("Audit"),
            *check_tables(index.data_id, checks),
            Heading("Shift from train to test", 2),
            *_shift(shifts),
            Heading("What the files alone tell", 2),
            Paragraph(OPPONENT_WORDS),
            Paragraph(f"Not known: {files.reason}.") if isinstance(files, NotApplicable) else opponent_table(files),
            *_left_out(index),
        ),
    )


def _is_official(index: DataIndex) -> bool:
    """Whether it is Kermany's data set, or a known copy of a part of it."""
    return index.data_id in COPIES or index.counts() == OFFICIAL_COUNTS


def _collection(index: DataIndex) -> tuple[str, ...]:
    if index.is_phantom:
        return _PHANTOMS
    return _KERMANY if _is_official(index) else _UNKNOWN


def _facts(index: DataIndex) -> KeyValues:
    table = index.table
    items = {
        "data id": described_copy(index.data_id),
        "images": f"{len(table):,}",
        "patients": f"{table['patient_id'].nunique():,}",
        "patients, prefix dropped": f"{table['pooled_id'].nunique():,}",
        "width": f"{table['width'].min():,} to {table['width'].max():,} pixels",
        "height": f"{table['height'].min():,} to {table['height'].max():,} pixels",
        "modes": ", ".join(f"{mode} {count:,}" for mode, count in table["mode"].value_counts().items()),
        "bytes": f"{table['size_bytes'].sum():,}",
        "unreadable files": f"{len(index.unreadable):,}",
        "labels from": index.labels or "folders",
    }
    return KeyValues("facts", "The data set", tuple(items.items()))


def _counts(index: DataIndex, checks: Sequence[Check]) -> Table:
    table, rows = index.table, []
    for split in FOLDERS:
        part = table[table["split"] == split.value]
        labels = [int((part["label"] == label.value).sum()) for label in Label]
        causes = [int((part["subtype"] == cause.value).sum()) for cause in Subtype if cause is not Subtype.NONE]
        rows.append((split.value, *(f"{count:,}" for count in (*labels, *causes, part["patient_id"].nunique()))))
    causes_named = (f"of it {cause.value}" for cause in Subtype if cause is not Subtype.NONE)
    columns = ("split", *(label.name for label in Label), *causes_named, "patients")
    return Table("counts", "Images by split and class", columns, tuple(rows), patient_words(checks))


def _images(index: DataIndex) -> Table:
    found = images_per_patient(index.table)
    rows = tuple(tuple(map(str, row)) for row in found.to_numpy().tolist())
    return Table("images_per_patient", "Patients by the number of their images", tuple(found.columns), rows)


def _blocks(index: DataIndex) -> tuple[Block, ...]:
    runs = blocks(cases(index.table))
    if runs.empty:
        return ()
    shown = runs.assign(series=runs["series"].map(SERIES)).astype(str)
    rows = tuple(tuple(row) for row in shown.to_numpy().tolist())
    if len(rows) > 40:  # Drawn at random, not in blocks.
        words = f"Case numbers change {len(rows):,} times from split to split: the splits are no blocks of numbers."
        return (Paragraph(words),)
    columns = ("series", "split", "from", "to", "patients", "images")
    return (Table("blocks", "Case numbers by split", columns, rows),)


def _shift(shifts: Sequence[ClassShift | NotApplicable]) -> tuple[Block, ...]:
    blocks_shown: list[Block] = []
    for label, shift in zip(Label, shifts, strict=True):
        if isinstance(shift, NotApplicable):
            blocks_shown.append(Paragraph(f"The shift of {label.name} is not known: {shift.reason}."))
        else:
            blocks_shown.append(shift_table(shift))
    return (*blocks_shown, Paragraph(SHIFT_METHOD), Bullets(MEASURE_WORDS))


def _left_out(index: DataIndex) -> tuple[Block, ...]:
    if not index.left_out:
        return ()
    rows = tuple((row.place, f"{row.files:,}", row.reason, row.advice) for row in index.left_out)
    columns = ("place", "files", "reason", "to include them")
    return (Heading("Files that are no part of it", 2), Table("left_out", "Files left out", columns, rows))
