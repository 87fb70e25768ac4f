"""Published results beside ours, and the claim checker as people use it."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pneumo_core.config.classifier import Preset
from pneumo_core.config.presets import preset_config
from pneumo_core.inference.compared import side_of
from pneumo_core.records import Architecture, Split
from pneumo_core.reference import FINDINGS, PUBLISHED
from pneumo_core.reporting.published_results import footnotes, published_table
from tests.pages.ui.finished_runs import finish
from tests.waiting import app_test


def checker() -> AppTest:
    def section() -> None:
        from pages.ui.report.published import claim_checker

        claim_checker()

    return app_test(section)


def typed(page: AppTest, **values: str) -> AppTest:
    for name, value in values.items():
        page.text_input(key=f"claim_{name}").set_value(value)
    return page.run()


def plain(text: str) -> str:
    return text.replace("\\", "")


@pytest.mark.parametrize("is_phantom", [False, True])
def test_ours_lead_the_table_and_say_whether_they_may_be_compared(no_published: Path, is_phantom: bool) -> None:
    runs = [finish(preset_config(Architecture.BASELINE, preset)) for preset in (Preset.REPORT, Preset.SOUND)]
    sides = [(name, side_of([run]), is_phantom) for name, run in zip(("A", "B"), runs, strict=True)]
    table = published_table(sides, Split.TEST)
    expected = "no: phantoms" if is_phantom else "no: 60 images, not 624"
    first, second = (dict(zip(table.data.columns, row, strict=True)) for row in table.data.rows[:2])
    assert (first["source"], second["source"]) == ("A", "B")
    assert first["comparable"] == second["comparable"] == expected
    assert (first["selected on"], second["selected on"]) == ("test", "held-out patients")
    assert first["note"] == "It chose its epoch on these images, so its figures are optimistic."
    assert second["note"] == ""
    assert "(" in first["accuracy"], "ours have intervals"
    theirs = [dict(zip(table.data.columns, row, strict=True)) for row in table.data.rows[2:]]
    assert len(theirs) == len(PUBLISHED)
    kermany = theirs[0]
    assert [
        kermany[name] for name in ("accuracy", "sensitivity", "specificity", "AUROC", "comparable", "accuracy is")
    ] == [
        *("92.8", "93.2", "90.1", "0.968", "official", "579 / 624"),
    ]
    assert sum(row["comparable"] == "official" for row in theirs) == sum(result.comparable for result in PUBLISHED)


def test_the_panel_links_its_sources_and_quotes_findings(no_published: Path) -> None:
    def section() -> None:
        from pages.ui.report.published import published_panel

        published_panel()

    page = app_test(section).run()
    assert not page.exception
    assert "(https://doi.org/10.1016/j.cell.2018.02.010)" in page.table[0].value.index[0]
    said = plain("\n".join(item.value for item in page.markdown))
    assert all(finding.words in said for finding in FINDINGS)


def test_each_note_is_said_once_and_each_result_names_its_notes(no_published: Path) -> None:
    side = side_of([finish(preset_config(Architecture.BASELINE, Preset.REPORT))])
    data = published_table([("ours", side, False), ("ours too", side, False)], Split.TEST).data
    assert data is not None
    rows = [tuple(map(str, row)) for row in data.rows]
    numbers, notes = footnotes(rows)
    assert len(set(notes)) == len(notes)
    assert len(numbers) == len(rows) == len(PUBLISHED) + 2
    assert numbers[0] == numbers[1] == (1, 2)
    assert notes[0] == "Not comparable: 60 images, not 624."
    for row, own in zip(rows, numbers, strict=True):
        assert list(own) == sorted(set(own))
        assert not row[10] or row[10] in [notes[number - 1] for number in own]
        assert (row[7] == "official") == (not any(notes[number - 1].startswith("Not comparable") for number in own))
        assert row[8].startswith("not") == any("gives this accuracy" in notes[number - 1] for number in own)


def test_the_first_claim_is_that_of_the_data_sets_own_paper() -> None:
    page = checker().run()
    assert not page.exception
    (verdict,) = page.error
    assert "No 2x2 table of 390 PNEUMONIA and 234 NORMAL images gives accuracy 92.8 %" in plain(verdict.value)
    assert "92.0 %" in verdict.value
    (multiples,) = (table.value for table in page.table)
    assert multiples["counts that round to it"].tolist() == ["579", "none", "none"]
    assert not page.dataframe
    assert "90.5 to 94.6 %" in "".join(caption.value for caption in page.caption)


def test_another_claim_is_typed_and_its_tables_are_shown() -> None:
    page = typed(checker().run(), accuracy=".90", sensitivity=".97", specificity=".77")
    assert not page.exception
    assert not page.error
    assert "5 give accuracy 90 %" in plain(page.success[0].value)
    rows = page.dataframe[0].value[["TP", "FN", "TN", "FP"]].to_numpy().tolist()
    assert [380, 10, 180, 54] in rows
    assert all(sum(row) == 624 for row in rows)


def test_unknown_classes_and_more_images_are_allowed() -> None:
    page = typed(checker().run(), pneumonia="", specificity="")
    page.number_input(key="claim_n").set_value(1_000_000).run()
    assert not page.exception
    assert "PNEUMONIA images" in plain(page.success[0].value)
    assert len(page.dataframe[0].value) == 5
    assert "5 of " in plain("".join(item.value for item in page.markdown))


def test_a_claim_is_read_from_the_address() -> None:
    page = checker()
    page.query_params["claim_accuracy"] = "62.5 %"
    page.query_params["claim_sensitivity"] = "100.0 %"
    page.query_params["claim_specificity"] = "0.0 %"
    page.run()
    assert not page.exception
    assert "exactly one gives" in plain(page.success[0].value)
    assert "more frequent class gives 62.5 %" in "".join(caption.value for caption in page.caption)


@pytest.mark.parametrize(
    "values",
    [
        {"accuracy": "nine"},
        {"accuracy": "<b>1</b>"},
        {"sensitivity": "120 %"},
        {"pneumonia": "625"},
        {"pneumonia": "-3"},
        {"pneumonia": "٣"},
        {"accuracy": "", "sensitivity": "", "specificity": " "},
    ],
)
def test_what_cannot_be_a_claim_is_told_in_one_line(values: dict[str, str]) -> None:
    page = typed(checker().run(), **values)
    assert not page.exception
    (error,) = page.error
    assert "Received:" in plain(error.value)
    assert "\n" not in error.value
    assert not page.table
