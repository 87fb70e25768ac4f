"""Published results beside ours, and the claim checker as people use it."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pneumo_core.config.classifier import Preset
from pneumo_core.config.presets import preset_config
from pneumo_core.records import Architecture
from pneumo_core.reference import FINDINGS, PUBLISHED
from tests.pages.ui.finished_runs import finish
from tests.waiting import app_test


def checker() -> AppTest:
    def section() -> None:
        from pages.ui.compare.claims import claim_checker

        claim_checker()

    return app_test(section)


def typed(page: AppTest, **values: str) -> AppTest:
    for name, value in values.items():
        page.text_input(key=f"claim_{name}").set_value(value)
    return page.run()


def plain(text: str) -> str:
    return text.replace("\\", "")


@pytest.mark.parametrize("is_phantom", [False, True])
def test_both_sides_lead_the_table_and_say_whether_they_may_be_compared(no_published: Path, is_phantom: bool) -> None:
    runs = [
        finish(preset_config(Architecture.BASELINE, preset), is_phantom=is_phantom)
        for preset in (Preset.REPORT, Preset.SOUND)
    ]

    def section(a: str, b: str) -> None:
        from pages.ui.compare.claims import published

        from pneumo_core.inference.compared import compare_runs

        published(compare_runs([a], [b]))

    page = app_test(section, args=tuple(runs)).run()
    assert not page.exception
    table = page.table[0].value.map(plain)
    assert len(table) == 2 + len(PUBLISHED)
    assert "(https://doi.org/10.1016/j.cell.2018.02.010)" in page.table[0].value["source"].iloc[2]
    assert table["source"].tolist()[:2] == ["A, ours", "B, ours"]
    expected = "no: phantoms" if is_phantom else "no: 60 images, not 624"
    assert table["comparable"].tolist()[:2] == [expected] * 2
    assert "optimistic" in table["note"].iloc[0]
    assert table["note"].iloc[1] == ""
    assert "(" in table["accuracy"].iloc[0], "ours have intervals"
    kermany = table[table["source"].str.startswith("[Kermany et al. 2018]")].iloc[0]
    assert kermany[["accuracy", "sensitivity", "specificity", "AUROC", "comparable", "accuracy is"]].tolist() == [
        *("92.8", "93.2", "90.1", "96.8", "official", "579 / 624"),
    ]
    assert (table["comparable"] == "official").sum() == sum(result.comparable for result in PUBLISHED)
    said = plain("\n".join(item.value for item in page.markdown))
    assert all(finding.words in said for finding in FINDINGS)


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
