"""Several comparisons in one document."""

from dataclasses import replace

import pytest

from pneumo_core.errors import DataError
from pneumo_core.evaluation.verdict import deciding_p
from pneumo_core.evaluation.wording import p_text
from pneumo_core.records import Metric
from pneumo_core.reporting.document import Bullets, Heading, Paragraph, Table, tables
from pneumo_core.reporting.html import to_html
from pneumo_core.reporting.study_document import Compared, study_document


def slow_holm(values: list[float]) -> list[float]:
    """Each p times the number of hypotheses not rejected before it, never less than an earlier one's."""
    adjusted = [0.0] * len(values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=lambda place: values[place])):
        largest = max(largest, min(1.0, (len(values) - rank) * values[place]))
        adjusted[place] = largest
    return adjusted


def test_summary_adjusts_over_all_comparisons(one_run: Compared, three_runs: Compared) -> None:
    compared = [one_run, three_runs, one_run]
    summary = next(table for table in tables(study_document(compared)) if table.name == "summary")
    assert isinstance(summary, Table)
    assert summary.data is not None
    headings = "a b runs difference difference_low difference_high p p_holm test"
    assert " ".join(summary.data.columns) == headings
    raw = [deciding_p(one.comparison, Metric.ACCURACY)[0] for one in compared]
    numbers = [p for p in raw if isinstance(p, float)]
    assert len(numbers) == 3
    assert [row[6] for row in summary.data.rows] == numbers
    assert [row[7] for row in summary.data.rows] == pytest.approx(slow_holm(numbers))
    assert [row[8] for row in summary.data.rows][1] == "Welch over seeds"


def test_each_comparison_follows_under_its_own_heading(one_run: Compared, three_runs: Compared) -> None:
    document = study_document([one_run, three_runs])
    sections = [block.text for block in document.blocks if isinstance(block, Heading) and block.level == 1]
    assert [text.partition(":")[0] for text in sections if text.startswith("Comparison")] == [
        "Comparison 1",
        "Comparison 2",
    ]
    names = {table.name for table in tables(document)}
    assert {"comparison-1-figures", "comparison-2-figures", "comparison-2-seeds", "settings-alike"} <= names
    assert one_run.comparison.verdict.sentence in to_html(document)


def test_no_comparison_is_refused() -> None:
    with pytest.raises(DataError, match="at least one comparison"):
        study_document([])


@pytest.mark.parametrize("sentence", ["B is less accurate than A: figures.", "Reworded: A calls fewer images right."])
def test_a_claim_that_does_not_outlast_the_adjustment_is_named_however_it_is_worded(
    one_run: Compared, sentence: str
) -> None:
    comparison = one_run.comparison
    verdict = replace(comparison.verdict, claimed=True, sentence=sentence)
    moved = replace(comparison.differences[Metric.ACCURACY], p=0.03)
    differences = {**comparison.differences, Metric.ACCURACY: moved}
    claimed = replace(one_run, comparison=replace(comparison, differences=differences, verdict=verdict))
    alone, twice = study_document([claimed]), study_document([claimed, claimed])
    assert not [block for block in alone.blocks[:4] if isinstance(block, Bullets)]
    (told,) = (block for block in twice.blocks[:5] if isinstance(block, Bullets))
    assert len(told.items) == 2
    adjusted = f"adjusted for 2 comparisons {p_text(0.060)}, so the difference claimed above does not hold among them."
    assert told.items[0].endswith(adjusted)
    assert any(
        isinstance(block, Paragraph) and "adjusted for 2 comparisons is in" in block.text for block in twice.blocks
    )


def test_no_claim_is_no_warning_whatever_the_sentence_says(one_run: Compared) -> None:
    a, b = one_run.comparison.a.name, one_run.comparison.b.name
    words = replace(one_run.comparison.verdict, claimed=False, sentence=f"{b} is less accurate than {a}: figures.")
    unclaimed = replace(one_run, comparison=replace(one_run.comparison, verdict=words))
    assert not [block for block in study_document([unclaimed] * 2).blocks[:5] if isinstance(block, Bullets)]
