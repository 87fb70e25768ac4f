"""Parts of a comparison's split as tables: run by run as blocks of a document, and both runs of a pair side by side."""

from collections.abc import Iterable, Mapping, Sequence

from pneumo_core.evaluation.curves import estimate_numbers
from pneumo_core.evaluation.slices import Slice
from pneumo_core.evaluation.wording import NAMES, estimate_text, or_reason
from pneumo_core.records import Metric
from pneumo_core.reporting.document import (
    Block,
    Bullets,
    Cell,
    Heading,
    Paragraph,
    Table,
    estimate_cells,
    estimate_columns,
    numbered,
)
from pneumo_core.reporting.facts import RunFacts

RATES = (Metric.SENSITIVITY, Metric.SPECIFICITY, Metric.ACCURACY, Metric.AUROC)
"""Figures of a slice."""

Parts = Mapping[str, Sequence[Slice]]
"""The slices of one group of each run, by the run's letter."""


def slice_blocks(facts: Sequence[RunFacts]) -> tuple[Block, ...]:
    """Each run's rates on parts of the split, and the criteria that could not be applied, with reasons."""
    blocks: list[Block] = [Heading("Slices")]
    for run in facts:
        measured = run.on_split
        if measured is None:
            blocks.append(Paragraph(f"{run.run_id}: n/a: nothing was measured on parts of this split."))
            continue
        blocks.append(_slices(run.run_id, measured.slices))
        if measured.missing_slices:
            reasons: dict[str, list[str]] = {}
            for group, reason in measured.missing_slices:
                reasons.setdefault(or_reason(reason), []).append(group)
            blocks.append(Bullets(tuple(f"{', '.join(groups)}: {reason}" for reason, groups in reasons.items())))
    return tuple(blocks)


def _slices(run_id: str, parts: Sequence[Slice]) -> Table:
    def row(part: Slice) -> tuple[Sequence[str], Sequence[Cell]]:
        found = [getattr(part, metric) for metric in RATES]
        texts = (estimate_text(metric, one, with_n=True) for metric, one in zip(RATES, found, strict=True))
        numbers = [cell for one in found for cell in estimate_cells(one)]
        about = (part.group, part.name, part.n, part.n_patients, str(part.smallest), str(part.few))
        shown = f"{part.group}: {part.name}{marked([part])}", f"{part.n:,} of {part.n_patients:,}"
        return (*shown, *texts), (*about, *numbers)

    ends = estimate_columns(metric.value for metric in RATES)
    return numbered(
        f"slices-{run_id}",
        f"Slices of {run_id}, at its threshold, 95 % intervals clustered by patient",
        ("slice", "images of patients", "sensitivity", "specificity", "accuracy", "AUROC"),
        ("group", "slice", "n", "patients", "smallest", "few", *ends),
        map(row, parts),
        ("The intervals are not adjusted for the number of slices; some slices have low figures by chance.",),
    )


def slices_beside(parts: Parts, metric: Metric, caption: str) -> Table:
    """Images of each slice, and one figure of both runs."""

    def of(found: Iterable[Slice], count: str) -> str:
        return " and ".join(dict.fromkeys(f"{getattr(one, count):,}" for one in found))

    rows = []
    for name, found in named(parts).items():
        counts = (
            of(found.values(), "n") + marked(found.values()),
            *(of(found.values(), count) for count in ("n_patients", "n_pneumonia")),
        )
        texts = (
            estimate_text(metric, getattr(found[letter], metric), with_n=True) if letter in found else "no such slice"
            for letter in parts
        )
        rows.append((name, *counts, *texts))
    columns = ("", "images", "patients", "PNEUMONIA", *(f"{NAMES[metric]} of {letter}" for letter in parts))
    return Table("slices", caption, columns, tuple(rows))


def slice_numbers(parts: Parts, caption: str) -> Table:
    """Every figure of every slice; its data are numbers, or the reason why there is none."""
    found = [
        ((letter, one.name), one.n, metric, getattr(one, metric))
        for letter, made in parts.items()
        for one in made
        for metric in RATES
    ]
    return numbered(
        "slice-figures",
        caption,
        ("run", "slice", "images", "figure", "value"),
        ("run", "slice", "images", "figure", "value", "low", "high", "n", "not applicable"),
        (
            (
                (*of, f"{n:,}", NAMES[metric], estimate_text(metric, estimate, with_n=True)),
                (*of, n, NAMES[metric], *estimate_numbers(estimate).values()),
            )
            for of, n, metric, estimate in found
        ),
    )


def named(parts: Parts) -> dict[str, dict[str, Slice]]:
    """Slices by name and run; they differ if the runs were tested on different images."""
    found: dict[str, dict[str, Slice]] = {one.name: {} for made in parts.values() for one in made}
    for letter, made in parts.items():
        for one in made:
            found[one.name][letter] = one
    return found


def marked(found: Iterable[Slice]) -> str:
    """Mark of a slice: the smallest, or one with few patients."""
    there = list(found)
    smallest, few = any(one.smallest for one in there), any(one.few for one in there)
    return (", smallest" if smallest else "") + (", few patients" if few else "")
