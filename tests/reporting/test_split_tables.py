"""Slices and rates of each run in a comparison's document and beside each other; and `published_results`."""

from dataclasses import replace

from pneumo_core.evaluation.slices import Slice
from pneumo_core.records import Estimate, Metric, NotApplicable
from pneumo_core.reference import FINDINGS, PUBLISHED
from pneumo_core.reporting.comparison_document import comparison_document
from pneumo_core.reporting.document import Bullets, Document, Table, tables
from pneumo_core.reporting.split_tables import marked, slice_blocks, slice_numbers, slices_beside
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
    (reason,) = {item for item in told if ": n/a: the data set" in item}
    assert "sharpness" in reason.partition(":")[0]


def test_published_results_stand_beside_both_sides(one_run: Compared) -> None:
    document = document_of(one_run)
    published = table(document, "published")
    rows = published.rows
    assert len(rows) == 2 + len(PUBLISHED)
    assert published.notes[0] == "1. Not comparable: 60 images, not 624."
    assert [row[7] for row in rows[:2]] == ["1", "1"]
    assert published.data is not None
    comparable = [row[7] for row in published.data.rows]
    assert comparable[2:] == ["official" if one.comparable else "no" for one in PUBLISHED]
    for row, in_full in zip(rows, published.data.rows, strict=True):
        noted = [published.notes[int(number) - 1].partition(". ")[2] for number in row[7].split(", ") if number]
        assert (in_full[10] in noted) == bool(in_full[10])
        assert any(note.startswith("Not comparable") for note in noted) or in_full[7] == "official" or in_full[10]
    for row, side in zip(rows, (one_run.comparison.a, one_run.comparison.b), strict=False):
        found = [side.figures[Metric(name)] for name in ("accuracy", "sensitivity", "specificity")]
        shown = [f"{100 * one.value:.1f} ({100 * one.low:.1f} to {100 * one.high:.1f})" for one in found]
        auroc = side.figures[Metric.AUROC]
        shown.append(f"{auroc.value:.3f} ({auroc.low:.3f} to {auroc.high:.3f})")
        assert len(set(shown)) == 4
        assert row[1:6] == (side.name, *shown)
    kermany = next(row for row in rows if "Kermany" in row[0])
    assert kermany[2:6] == ("92.8", "93.2", "90.1", "0.968")
    linked = {address for block in document.blocks if isinstance(block, Bullets) for address in block.addresses}
    assert linked == {one.url for one in (*PUBLISHED, *FINDINGS)}


def estimate(value: float) -> Estimate:
    return Estimate(value, value - 0.01, value + 0.02, round(1000 * value))


def share(value: float) -> str:
    return f"{100 * value:.1f} % ({100 * value - 1:.1f} to {100 * value + 2:.1f}), n = {1000 * value:.0f}"


def score(value: float) -> str:
    return f"{value:.3f} ({value - 0.01:.3f} to {value + 0.02:.3f}), n = {1000 * value:.0f}"


VIRUS = Slice("subtype", "virus", 1100, 90, 70, *map(estimate, (0.91, 0.82, 0.73, 0.64)), smallest=True, few=False)
OTHER = replace(VIRUS, n=1200, n_patients=80, n_pneumonia=60, specificity=NotApplicable("no NORMAL"), few=True)


def test_cells_of_a_runs_slices(one_run: Compared) -> None:
    (run,) = one_run.facts_a
    assert run.on_split is not None
    measured = replace(run.on_split, slices=(VIRUS,), missing_slices=())
    _, found = slice_blocks([replace(run, on_split=measured)])
    assert isinstance(found, Table)
    rates = (share(0.91), share(0.82), share(0.73), score(0.64))
    assert found.caption == f"Slices of {run.run_id}, at its threshold, 95 % intervals clustered by patient"
    assert found.rows == (("subtype: virus, smallest", "1,100 of 90", *rates),)
    assert found.data is not None
    numbers = [
        cell for one in map(estimate, (0.91, 0.82, 0.73, 0.64)) for cell in (one.value, one.low, one.high, one.n)
    ]
    assert found.data.rows == (("subtype", "virus", 1100, 90, "True", "False", *numbers),)
    names = ("sensitivity", "specificity", "accuracy", "auroc")
    ends = tuple(f"{name}{end}" for name in names for end in ("", "_low", "_high", "_n"))
    assert found.data.columns == ("group", "slice", "n", "patients", "smallest", "few", *ends)


def test_cells_of_both_runs_slices() -> None:
    alone = replace(VIRUS, name="bacteria", smallest=False)
    parts = {"A": [VIRUS], "B": [OTHER, alone]}
    table = slices_beside(parts, Metric.SPECIFICITY, "caption")
    assert table.columns == ("", "images", "patients", "PNEUMONIA", "Specificity of A", "Specificity of B")
    assert table.rows == (
        ("virus", "1,100 and 1,200, smallest, few patients", "90 and 80", "70 and 60", share(0.82), "n/a: no NORMAL"),
        ("bacteria", "1,100", "90", "70", "no such slice", share(0.82)),
    )
    numbers = slice_numbers(parts, "caption").data
    assert numbers is not None
    assert numbers.rows[1] == (
        "A",
        "virus",
        1100,
        "Specificity",
        0.82,
        estimate(0.82).low,
        estimate(0.82).high,
        820,
        "",
    )
    assert numbers.rows[5] == ("B", "virus", 1200, "Specificity", None, None, None, None, "no NORMAL")
    assert marked([alone]) == ""
