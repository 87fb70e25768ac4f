"""The report's page: claims with verdicts and links, contradictions, figures, published results, claim checker."""

from pathlib import Path

import pytest

from pneumo_core.evaluation.wording import unbroken
from pneumo_core.inference.findings import findings
from pneumo_core.reference import INCONSISTENCIES, PUBLISHED
from pneumo_core.reporting.report_claims import Evidence, report_claims
from tests.pages.opening import opened, texts

pytestmark = pytest.mark.usefixtures("kept_caches")


def test_each_claim_has_its_place_verdict_reason_and_evidence() -> None:
    page = opened("report")
    text = texts(page)
    claims = report_claims(findings())
    assert len(claims) == 10
    for claim in claims:
        assert claim.claim in text
        assert unbroken(claim.reason) in text
        assert claim.place in text
    badges = [item.value for item in page.markdown if "-badge[" in item.value]
    assert len(badges) == len(claims)
    for claim, badge in zip(claims, badges, strict=True):
        assert badge.endswith(f"{claim.standing.value}]")
    links = {link.proto.label for link in page.get("page_link")} | {button.label for button in page.button}
    assert {f"Evidence: {claim.evidence.value}" for claim in claims} <= links


@pytest.mark.parametrize("evidence", [Evidence.FIGURES, Evidence.CONTRADICTIONS])
def test_evidence_on_this_page_opens_its_tab_and_is_no_link_that_looks_selected(evidence: Evidence) -> None:
    page = opened("report")
    assert "report" not in [link.proto.page for link in page.get("page_link")]
    label = f"Evidence: {evidence.value}"
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception
    assert (
        page.session_state["show"]
        == {
            Evidence.FIGURES: "Its figures beside ours",
            Evidence.CONTRADICTIONS: "Contradictions",
        }[evidence]
    )
    assert len(page.expander) == 11 if evidence is Evidence.CONTRADICTIONS else len(page.dataframe)


def test_contradictions_are_all_there() -> None:
    page = opened("report", show="Contradictions")
    assert [expander.label for expander in page.expander] == [item.title for item in INCONSISTENCIES]
    assert len(INCONSISTENCIES) == 11


def test_its_figures_stand_beside_the_published_runs() -> None:
    page = opened("report", show="Its figures beside ours")
    table = page.dataframe[0].value
    assert table["report"].tolist()[:2] == ["0.90", "0.95"]
    assert "test (epoch chosen on it)" in texts(page)
    assert str(page.query_params["ours"]).count(",") == 2


def test_a_link_to_unknown_runs_says_what_is_there_and_offers_it() -> None:
    page = opened("report", show="Its figures beside ours", ours="baseline-000000000000")
    (warning,) = [item.value.replace("\\", "") for item in page.warning]
    assert "'baseline-000000000000'" in warning
    assert "There are" in warning
    assert not page.dataframe
    page.button(key="instead of such group of runs").click()
    page.run()
    assert not page.warning
    assert len(page.dataframe)


def test_published_results_say_what_each_was_selected_on() -> None:
    page = opened("report", show="Published results")
    table = page.table[0].value.map(lambda text: text.replace("\\", ""))
    assert len(table.columns) == 3, "beside the name, so that it fits a phone"
    is_ours = table.index.str.startswith("ours: ")
    theirs = table[~is_ours]
    assert theirs["selected on"].tolist() == [result.selected_on for result in PUBLISHED]
    first = theirs.index.str.contains("MedViTV2").argmax()
    medvit = theirs.iloc[first : first + 4]
    assert medvit["accuracy"].tolist() == ["95.1", "96.5", "96.9", "97.3"]
    assert set(medvit["selected on"]) == {"test"}
    assert "sensitivity 93.2; specificity 90.1; AUROC 0.968" in theirs["other figures"].iloc[0]
    (said_once,) = [caption.value for caption in page.caption if caption.value.startswith("1. ")]
    notes = said_once.replace("\\", "").split("  \n")
    assert [note.partition(".")[0] for note in notes] == [str(place) for place in range(1, len(notes) + 1)]
    ours = table[is_ours]
    assert set(ours["selected on"]) == {"test", "held-out patients"}
    assert all("(" in text for text in ours["accuracy"])


@pytest.mark.parametrize("show", ["Claims", "Its figures beside ours", "Published results"])
def test_nothing_published_is_no_error(no_published: Path, show: str) -> None:
    page = opened("report", show=show)
    assert not page.error
