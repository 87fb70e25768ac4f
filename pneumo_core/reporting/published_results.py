"""Published results on the same data set beside both sides of a comparison."""

from typing import Final

from pneumo_core.evaluation.claims import check_claim
from pneumo_core.evaluation.comparison import Comparison, Side
from pneumo_core.evaluation.wording import percent_text
from pneumo_core.records import Label, Metric, NotApplicable, Split
from pneumo_core.reference import FINDINGS, OFFICIAL_COUNTS, PUBLISHED, PublishedResult
from pneumo_core.reporting.document import Block, Bullets, Data, Heading, Table

OFFICIAL_IMAGES: Final = sum(OFFICIAL_COUNTS[Split.TEST, label] for label in Label)
"""The official test images."""

_METRICS: Final = (Metric.ACCURACY, Metric.SENSITIVITY, Metric.SPECIFICITY, Metric.AUROC)


def published_blocks(comparison: Comparison, is_phantom: tuple[bool, bool]) -> tuple[Block, ...]:
    """The table, and published findings on the report's question."""
    return (
        Heading("Published results"),
        published_table(comparison, is_phantom),
        Bullets(tuple(f"{one.source}: {one.words} {one.url}" for one in FINDINGS)),
    )


def published_table(comparison: Comparison, is_phantom: tuple[bool, bool]) -> Table:
    """Published results beside both sides, in percent, each with its comparability.

    Args:
        comparison: The comparison.
        is_phantom: Whether A's and B's images are phantoms.
    """
    sides = (("A", comparison.a, is_phantom[0]), ("B", comparison.b, is_phantom[1]))
    rows = (*(_ours(*side, comparison.split) for side in sides), *map(_theirs, PUBLISHED))
    columns = ("source", "model", "accuracy", "sensitivity", "specificity", "AUROC")
    return Table(
        "published",
        f"Published results, in percent; official: on the {OFFICIAL_IMAGES} official test images",
        (*columns, "comparable", "note"),
        tuple((*row[:6], row[7], f"{row[9]} {row[10]}".strip()) for row in rows),
        data=Data((*columns, "n", "comparable", "accuracy is", "note", "link"), rows),
    )


def _ours(letter: str, side: Side, is_phantom: bool, split: Split) -> tuple[str, ...]:
    figures = (side.figures[metric] for metric in _METRICS)
    shown = ("n/a" if isinstance(one, NotApplicable) else percent_text(one).replace(" %", "") for one in figures)
    if is_phantom:
        comparable = "no: phantoms"
    elif split is not Split.TEST:
        comparable = f"no: {split.value} images"
    elif side.n != OFFICIAL_IMAGES:
        comparable = f"no: {side.n:,} images, not {OFFICIAL_IMAGES}"
    else:
        comparable = "official"
    note = "Selected on test: optimistic." if side.selected_on_test and split is Split.TEST else ""
    return (f"{letter}, ours", side.name, *shown, f"{side.n:,}", comparable, "", note, "")


def _theirs(result: PublishedResult) -> tuple[str, ...]:
    values = (getattr(result, metric) for metric in _METRICS)
    shown = ["" if value is None else f"{value:.{result.decimals}f}" for value in values]
    found = check_claim(n=OFFICIAL_IMAGES, accuracy=f"{shown[0]} %").multiples[0]
    share = f"{found.nearest} / {OFFICIAL_IMAGES}" if found.fits else f"not k / {OFFICIAL_IMAGES}"
    of = (str(OFFICIAL_IMAGES), "official", share) if result.comparable else ("", "no", "")
    return (result.source, result.model, *shown, *of, result.note, result.url)
