"""Parts of a comparison's split, run by run, as blocks of a document."""

from collections.abc import Sequence

from pneumo_core.evaluation.slices import Slice
from pneumo_core.evaluation.wording import estimate_text, or_reason
from pneumo_core.records import Metric
from pneumo_core.reporting.document import Block, Bullets, Cell, Data, Heading, Paragraph, Table, estimate_cells
from pneumo_core.reporting.facts import RunFacts

__all__ = ["slice_blocks"]

_RATES = (Metric.SENSITIVITY, Metric.SPECIFICITY, Metric.ACCURACY, Metric.AUROC)


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
