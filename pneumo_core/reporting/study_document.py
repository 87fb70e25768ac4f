"""Several comparisons as one document, with an adjustment for their number."""

from collections.abc import Sequence
from dataclasses import dataclass

from pneumo_core.errors import DataError
from pneumo_core.evaluation.comparison import Comparison
from pneumo_core.evaluation.significance import holm_of_known
from pneumo_core.evaluation.verdict import LEVEL, deciding_p
from pneumo_core.evaluation.wording import difference_text, estimate_text, p_cell, p_text, plain
from pneumo_core.records import Metric, NotApplicable
from pneumo_core.reporting.comparison_document import comparison_blocks, limits, nested, provenance, unique, warned
from pneumo_core.reporting.document import (
    Block,
    Bullets,
    Cell,
    Document,
    Heading,
    Paragraph,
    Table,
    estimate_cells,
    numbered,
)
from pneumo_core.reporting.facts import RunFacts
from pneumo_core.reporting.reference_blocks import inconsistencies


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison with the records of its runs.

    Attributes:
        comparison: The comparison.
        facts_a: Records of A's runs.
        facts_b: Records of B's runs.
    """

    comparison: Comparison
    facts_a: tuple[RunFacts, ...]
    facts_b: tuple[RunFacts, ...]


def study_document(compared: Sequence[Compared]) -> Document:
    """A summary of all comparisons, with Holm's adjustment over them, then each of them.

    Raises:
        DataError: There is no comparison.
    """
    if not compared:
        raise DataError("a study requires at least one comparison. Received: comparisons=0; name two runs or more")
    comparisons = [one.comparison for one in compared]
    facts = unique(*(group for one in compared for group in (one.facts_a, one.facts_b)))
    blocks: list[Block] = [
        Heading("Verdicts"),
        *(
            block
            for comparison in comparisons
            for block in (*warned(comparison), Paragraph(comparison.verdict.sentence, lead=True))
        ),
        Paragraph(
            "Each verdict is for its comparison alone; p adjusted for "
            f"{len(comparisons)} comparison{'s' * (len(comparisons) > 1)} is in the table."
        ),
        *_unheld(comparisons),
        _summary(comparisons),
    ]
    for place, one in enumerate(compared, start=1):
        a, b = one.comparison.a.name, one.comparison.b.name
        blocks += [Heading(f"Comparison {place}: {a} against {b}")]
        blocks += nested(comparison_blocks(one.comparison, one.facts_a, one.facts_b), f"comparison-{place}")
    blocks += [
        Heading("The report itself"),
        inconsistencies(),
        *provenance(facts),
        Heading("Limits"),
        Bullets(limits(comparisons, facts)),
        Heading("Methods"),
        *(Paragraph(methods) for methods in dict.fromkeys(comparison.methods for comparison in comparisons)),
    ]
    count = f"{len(compared)} comparison{'s' * (len(compared) > 1)} of {len(facts)} runs"
    return Document("Study of chest X-ray classifiers", f"{count}. Every difference is B minus A.", tuple(blocks))


def _adjusted(comparisons: Sequence[Comparison]) -> list[float | NotApplicable]:
    """Each comparison's p, adjusted by Holm's method."""
    return holm_of_known([deciding_p(comparison, Metric.ACCURACY)[0] for comparison in comparisons])


def _unheld(comparisons: Sequence[Comparison]) -> tuple[Bullets, ...]:
    """The claims that are no longer significant after the adjustment for the number of comparisons."""
    items = []
    for comparison, p in zip(comparisons, _adjusted(comparisons), strict=True):
        if comparison.verdict.claimed and not isinstance(p, NotApplicable) and p >= LEVEL:
            items.append(
                f"{comparison.a.name} against {comparison.b.name}: adjusted for {len(comparisons)} comparisons {p_text(p)}, so "
                "the difference claimed above does not hold among them."
            )
    return (Bullets(tuple(items)),) if items else ()


def _summary(comparisons: Sequence[Comparison]) -> Table:
    def row(comparison: Comparison, holm_p: float | NotApplicable) -> tuple[Sequence[str], Sequence[Cell]]:
        p, test = deciding_p(comparison, Metric.ACCURACY)
        sides = (comparison.a, comparison.b)
        figures = (estimate_text(Metric.ACCURACY, side.figures[Metric.ACCURACY]) for side in sides)
        moved = comparison.differences[Metric.ACCURACY].estimate
        of = (*(side.name for side in sides), " / ".join(str(len(side.run_ids)) for side in sides))
        texts = (*of, *figures, difference_text(Metric.ACCURACY, moved), p_cell(p), p_cell(holm_p), test)
        return texts, (*of, *estimate_cells(moved)[:3], plain(p), plain(holm_p), test)

    return numbered(
        "summary",
        "Accuracy in every comparison, 95 % intervals over patients",
        ("A", "B", "runs", "accuracy A", "accuracy B", "B \N{MINUS SIGN} A, points", "p", "p, Holm", "test"),
        ("a", "b", "runs", "difference", "difference_low", "difference_high", "p", "p_holm", "test"),
        map(row, comparisons, _adjusted(comparisons)),
        (f"Holm's adjustment over the {len(comparisons)} comparisons of this document. Differences are B minus A.",),
    )
