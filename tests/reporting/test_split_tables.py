"""Slices and rates of each run, and published results, in a comparison's document."""

from pneumo_core.records import Estimate, Metric
from pneumo_core.reference import FINDINGS, PUBLISHED
from pneumo_core.reporting.comparison_document import comparison_document
from pneumo_core.reporting.document import Bullets, Document, Table, tables
from pneumo_core.reporting.study_document import Compared


def document_of(compared: Compared) -> Document:
    return comparison_document(compared.comparison, compared.facts_a, compared.facts_b)


def table(document: Document, name: str) -> Table:
    return next(one for one in tables(document) if one.name == name)


def test_rates_of_each_run_have_intervals_and_n(three_runs: Compared) -> None:
    found = table(document_of(three_runs), "operating-points").data
    assert found is not None
    counts = [one for side in (three_runs.comparison.a, three_runs.comparison.b) for one in side.confusions]
    for row, one in zip(found.rows, counts, strict=True):
        value, low, high, n = row[4:8]
        assert (value, n) == (one.tp / (one.tp + one.fn), one.tp + one.fn)
        assert isinstance(low, float)
        assert isinstance(high, float)
        assert low < value < high


def test_scores_of_each_run_have_intervals(one_run: Compared) -> None:
    found = table(document_of(one_run), "calibration")
    (facts,) = one_run.facts_a
    assert facts.on_split is not None
    assert isinstance(facts.on_split.brier, Estimate)
    assert found.data is not None
    assert found.data.rows[0][5:7] == (facts.on_split.brier.low, facts.on_split.brier.high)
    assert f"({facts.on_split.brier.low:.3f} to {facts.on_split.brier.high:.3f})" in found.rows[0][2]


def test_slices_of_each_run_with_what_is_missing(one_run: Compared) -> None:
    document = document_of(one_run)
    for run in (*one_run.facts_a, *one_run.facts_b):
        found = table(document, f"slices-{run.run_id}")
        assert run.on_split is not None
        assert len(found.rows) == len(run.on_split.slices) > 0
        assert any("smallest" in row[0] for row in found.rows)
    told = [item for block in document.blocks if isinstance(block, Bullets) for item in block.items]
    assert any(item.startswith("sharpness: n/a: the data set") for item in told)


def test_published_results_stand_beside_both_sides(one_run: Compared) -> None:
    document = document_of(one_run)
    rows = table(document, "published").rows
    assert len(rows) == 2 + len(PUBLISHED)
    assert [row[6] for row in rows[:2]] == ["no: 60 images, not 624"] * 2
    assert [row[6] for row in rows[2:]] == ["official" if one.comparable else "no" for one in PUBLISHED]
    for row, side in zip(rows, (one_run.comparison.a, one_run.comparison.b), strict=False):
        found = [side.figures[Metric(name)] for name in ("accuracy", "sensitivity", "specificity", "auroc")]
        shown = [f"{100 * one.value:.1f} ({100 * one.low:.1f} to {100 * one.high:.1f})" for one in found]
        assert len(set(shown)) == 4
        assert row[1:6] == (side.name, *shown)
    kermany = next(row for row in rows if "Kermany" in row[0])
    assert kermany[2:7] == ("92.8", "93.2", "90.1", "96.8", "official")
    told = [item for block in document.blocks if isinstance(block, Bullets) for item in block.items]
    assert any(FINDINGS[0].url in item for item in told)
