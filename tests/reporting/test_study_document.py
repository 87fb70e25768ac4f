"""Several comparisons in one document."""

import pytest

from pneumo_core.errors import DataError
from pneumo_core.reporting.document import Heading, Table, tables
from pneumo_core.reporting.html import to_html
from pneumo_core.reporting.study_document import Compared, accuracy_p, study_document


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
    raw = [accuracy_p(one.comparison)[0] for one in compared]
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
    assert one_run.comparison.verdict in to_html(document)


def test_no_comparison_is_refused() -> None:
    with pytest.raises(DataError, match="at least one comparison"):
        study_document([])
