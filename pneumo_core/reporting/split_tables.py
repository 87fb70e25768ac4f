"""Parts of a comparison's split, run by run, and what others published, as blocks of a document."""

from collections.abc import Sequence

from pneumo_core.evaluation.comparison import Comparison
from pneumo_core.evaluation.slices import Slice
from pneumo_core.evaluation.wording import estimate_text, or_reason
from pneumo_core.records import Estimate, Metric, NotApplicable
from pneumo_core.reference import FINDINGS, OFFICIAL_COUNTS, PUBLISHED
from pneumo_core.reporting.document import Block, Bullets, Cell, Data, Heading, Paragraph, Table, estimate_cells
from pneumo_core.reporting.facts import RunFacts

__all__ = ["published", "slice_blocks"]

_RATES = (Metric.SENSITIVITY, Metric.SPECIFICITY, Metric.ACCURACY, Metric.AUROC)
_OFFICIAL = sum(count for (split, _), count in OFFICIAL_COUNTS.items() if split.value == "test")


def slice_blocks(facts: Sequence[RunFacts]) -> tuple[Block, ...]:
    """Each run's rates on parts of the split, and the groups that could not be made, with reasons."""
    blocks: list[Block] = [Heading("Slices")]
    for run in facts:
        measured = run.on_split
        if measured is None:
            blocks.append(Paragraph(f"{run.run_id}: n/a: nothing was measured on parts of this split."))
            continue
        blocks.append(_slices(run.run_id, measured.slices))
        if measured.missing_slices:
            blocks.append(Bullets(tuple(f"{group}: {or_reason(reason)}" for group, reason in measured.missing_slices)))
    return tuple(blocks)


def published(comparison: Comparison) -> tuple[Block, ...]:
    """Published results on the same data set beside both sides, in percent, and what careful work found."""
    names = (Metric.ACCURACY, Metric.SENSITIVITY, Metric.SPECIFICITY, Metric.AUROC)
    rows: list[tuple[str, ...]] = []
    for letter, side in (("A", comparison.a), ("B", comparison.b)):
        shown = (_percent(side.figures[name]) for name in names)
        where = f"{side.n:,} {comparison.split.value} images, not the official {_OFFICIAL}"
        same = comparison.split.value == "test" and side.n == _OFFICIAL
        rows.append((f"{letter}, ours", side.name, *shown, "official" if same else f"no: {where}", ""))
    for one in PUBLISHED:
        values = (one.accuracy, one.sensitivity, one.specificity, one.auroc)
        shown = ("" if value is None else f"{value:.{one.decimals}f}" for value in values)
        rows.append(
            (one.source, one.model, *shown, "official" if one.comparable else "no", f"{one.note} {one.url}".strip())
        )
    columns = ("source", "model", "accuracy", "sensitivity", "specificity", "AUROC", "comparable", "note")
    return (
        Heading("Published results"),
        Table(
            "published",
            f"Published results, in percent; official: on the {_OFFICIAL} official test images",
            columns,
            tuple(rows),
        ),
        Bullets(tuple(f"{one.source}: {one.words} {one.url}" for one in FINDINGS)),
    )


def _slices(run_id: str, parts: Sequence[Slice]) -> Table:
    rows: list[tuple[str, ...]] = []
    data: list[tuple[Cell, ...]] = []
    for part in parts:
        found = [getattr(part, metric) for metric in _RATES]
        mark = (", smallest" if part.smallest else "") + (", few" if part.few else "")
        texts = (estimate_text(metric, one, with_n=True) for metric, one in zip(_RATES, found, strict=True))
        rows.append((f"{part.group}: {part.name}{mark}", f"{part.n:,} of {part.n_patients:,}", *texts))
        numbers = [cell for one in found for cell in estimate_cells(one)]
        data.append((part.group, part.name, part.n, part.n_patients, str(part.smallest), str(part.few), *numbers))
    ends = [f"{metric.value}{end}" for metric in _RATES for end in ("", "_low", "_high", "_n")]
    return Table(
        f"slices-{run_id}",
        f"Slices of {run_id}, at its threshold, 95 % intervals clustered by patient",
        ("slice", "images of patients", "sensitivity", "specificity", "accuracy", "AUROC"),
        tuple(rows),
        notes=("Each interval is for its slice alone: of many slices some look bad by chance.",),
        data=Data(("group", "slice", "n", "patients", "smallest", "few", *ends), tuple(data)),
    )


def _percent(estimate: Estimate | NotApplicable) -> str:
    if isinstance(estimate, NotApplicable):
        return or_reason(estimate)
    return f"{100 * estimate.value:.1f} ({100 * estimate.low:.1f} to {100 * estimate.high:.1f})"
