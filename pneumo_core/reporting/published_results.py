"""Published results on the same data set beside both sides of a comparison."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from pneumo_core.evaluation.claims import check_claim
from pneumo_core.evaluation.comparison import Comparison, Side
from pneumo_core.evaluation.wording import percent_text, score_text
from pneumo_core.records import Estimate, Label, Metric, NotApplicable, Split
from pneumo_core.reference import FINDINGS, OFFICIAL_COUNTS, PUBLISHED, PublishedResult
from pneumo_core.reporting.document import Block, Bullets, Data, Heading, Paragraph, Table

OFFICIAL_IMAGES: Final = sum(OFFICIAL_COUNTS[Split.TEST, label] for label in Label)
"""The official test images."""

_OPTIMISTIC: Final = "It chose its epoch on these images, so its figures are optimistic."
_METRICS: Final = (Metric.ACCURACY, Metric.SENSITIVITY, Metric.SPECIFICITY, Metric.AUROC)


def published_blocks(comparison: Comparison, is_phantom: tuple[bool, bool]) -> tuple[Block, ...]:
    """The table, and published findings on the report's question."""
    sides = (("A, ours", comparison.a, is_phantom[0]), ("B, ours", comparison.b, is_phantom[1]))
    table = published_table(sides, comparison.split)
    numbers, notes = footnotes(rows := table.data.rows if table.data else ())
    shown = tuple(
        (*map(str, row[:6]), str(row[9]), ", ".join(map(str, of_row)))
        for row, of_row in zip(rows, numbers, strict=True)
    )
    sources = dict.fromkeys((f"{one.source}:", one.url) for one in PUBLISHED)
    return (
        Heading("Published results"),
        replace(
            table,
            caption=f"{table.caption.partition(';')[0]}, on the official test images unless a note says otherwise",
            columns=(*table.columns[:6], "selected on", "note"),
            rows=shown,
            notes=tuple(f"{number}. {note}" for number, note in enumerate(notes, start=1)),
        ),
        Bullets(*zip(*sources, strict=True)),
        Paragraph("Published findings on the question of the report:"),
        Bullets(tuple(f"{one.source}: {one.words}" for one in FINDINGS), tuple(one.url for one in FINDINGS)),
    )


def published_table(ours: Sequence[tuple[str, Side, bool]], split: Split) -> Table:
    """Published results beside ours, in percent but for AUROC, each with its comparability and what it was selected on.

    Args:
        ours: Name, figures, and whether its images are phantoms, of each of ours.
        split: Split of ours.
    """
    rows = (*(_ours(*side, split) for side in ours), *map(_theirs, PUBLISHED))
    columns = ("source", "model", "accuracy", "sensitivity", "specificity", "AUROC")
    return Table(
        "published",
        f"Published results, in percent, AUROC from 0 to 1; official: on the {OFFICIAL_IMAGES} official test images",
        (*columns, "comparable", "selected on", "note"),
        tuple((*row[:6], row[7], row[9], f"{row[10]} {row[11]}".strip()) for row in rows),
        data=Data((*columns, "n", "comparable", "accuracy is", "selected on", "note", "link"), rows),
    )


def _ours(name: str, side: Side, is_phantom: bool, split: Split) -> tuple[str, ...]:
    shown = (_shown(metric, side.figures[metric]) for metric in _METRICS)
    if is_phantom:
        comparable = "no: phantoms"
    elif split is not Split.TEST:
        comparable = f"no: {split.value} images"
    elif side.n != OFFICIAL_IMAGES:
        comparable = f"no: {side.n:,} images, not {OFFICIAL_IMAGES}"
    else:
        comparable = "official"
    selected = "test" if side.selected_on_test else "held-out patients"
    note = _OPTIMISTIC if side.selected_on_test and split is Split.TEST else ""
    return (name, side.name, *shown, f"{side.n:,}", comparable, "", selected, note, "")


def _shown(metric: Metric, found: Estimate | NotApplicable) -> str:
    if isinstance(found, NotApplicable):
        return "n/a"
    return score_text(found) if metric is Metric.AUROC else percent_text(found).replace(" %", "")


def _theirs(result: PublishedResult) -> tuple[str, ...]:
    shown = []
    for metric in _METRICS:
        value = getattr(result, metric)
        # They give AUROC in percent, we as a fraction.
        scale, decimals = (100, result.decimals + 2) if metric is Metric.AUROC else (1, result.decimals)
        shown.append("" if value is None else f"{value / scale:.{decimals}f}")
    found = check_claim(n=OFFICIAL_IMAGES, accuracy=f"{shown[0]} %").multiples[0]
    share = f"{found.nearest} / {OFFICIAL_IMAGES}" if found.fits else f"not k / {OFFICIAL_IMAGES}"
    of = (str(OFFICIAL_IMAGES), "official", share) if result.comparable else ("", "no", "")
    return (result.source, result.model, *shown, *of, result.selected_on, result.note, result.url)


def footnotes(rows: Sequence[tuple[Any, ...]]) -> tuple[tuple[tuple[int, ...], ...], tuple[str, ...]]:
    """What is to be known of rows of the published table, each note once.

    Args:
        rows: Of the data of `published_table`.

    Returns:
        The numbers of each row's notes, from 1, and the notes.
    """
    notes: dict[str, int] = {}

    def number(note: str) -> int:
        return notes.setdefault(note, len(notes) + 1)

    found = tuple(tuple(sorted(map(number, _notes(row)))) for row in rows)
    return found, tuple(notes)


def _notes(row: tuple[str, ...]) -> Iterator[str]:
    comparable, share, note = row[7], row[8], row[10]
    if comparable.startswith("no: "):
        yield f"Not comparable: {comparable.removeprefix('no: ')}."
    elif comparable == "no" and not note:
        yield "Not comparable: not measured on the official test images alone."
    if share.startswith("not "):
        yield f"No number of {OFFICIAL_IMAGES} images gives this accuracy: it is a mean over trainings, or was not rounded."
    if note:
        yield note
