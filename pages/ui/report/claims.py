"""The report's claims with our verdicts, and the contradictions within it."""

from typing import Final

import streamlit as st

from pages.ui.cached import findings_of_study
from pages.ui.components import chart, tab_button
from pages.ui.forest import forest_figure, forest_table
from pages.ui.pictures import plain
from pages.ui.table import download_table
from pneumo_core.evaluation.findings import Contrast, Findings
from pneumo_core.evaluation.wording import unbroken
from pneumo_core.reference import INCONSISTENCIES
from pneumo_core.reporting.reference_blocks import inconsistencies
from pneumo_core.reporting.report_claims import Evidence, ReportClaim, Standing, claims_table, report_claims
from pneumo_core.reporting.story import forest
from pneumo_core.runs.recommended import recommended

_BADGES: Final = {
    Standing.HOLDS: "green-badge[:material/check: holds]",
    Standing.PARTLY: "orange-badge[:material/contrast: holds in part]",
    Standing.FAILS: "red-badge[:material/close: does not hold]",
    Standing.OPEN: "gray-badge[:material/help: not shown]",
    Standing.UNKNOWN: "gray-badge[:material/block: cannot be checked]",
}

_TABS: Final = {Evidence.FIGURES: "Its figures beside ours", Evidence.CONTRADICTIONS: "Contradictions"}
"""Evidence in tabs of this page."""


def claims_panel() -> None:
    """Each claim, where it stands in the report, our verdict, and its evidence."""
    found = findings_of_study()
    claims = report_claims(found)
    counts = ", ".join(
        f"'{standing.value}' {count}"
        for standing in Standing
        if (count := sum(one.standing is standing for one in claims))
    )
    st.caption(
        f"{len(claims)} claims: {counts}. 'Not shown': the evidence does not decide it. Ours are published runs on half of the "
        "test images, with 95 % intervals over patients."
    )
    if marks := forest(found):
        figure = forest_figure(marks, title="accuracy on test, %")
        where = "test, published runs, 95 % intervals over patients"
        words = (
            "The report gives no intervals. 'report' repeats its procedure, which selects the epoch on the test images."
        )
        title = "Accuracy, the report's and ours"
        chart(figure, forest_table(marks), title=title, where=where, caption=words, of=["report"])
    for claim in claims:
        _show(claim, found)
    download_table(claims_table(found), "report")


def contradictions_panel() -> None:
    """Contradictions within the report, or between it and its data or software."""
    st.caption(
        "Each was verified: counts by adding, tables by enumerating every 2x2 table, parameters by the layers' sizes."
    )
    for item in INCONSISTENCIES:
        with st.expander(item.title):
            st.markdown(
                f"**It says.** {plain(item.says)}\n\n**Facts.** {plain(item.so)}\n\n**Consequence.** {plain(item.matters)}"
            )
    download_table(inconsistencies(), "report")


def _show(claim: ReportClaim, found: Findings) -> None:
    with st.container(border=True, gap="xsmall"):
        st.markdown(f"**“{plain(claim.claim)}”** :{_BADGES[claim.standing]}")
        st.markdown(plain(unbroken(claim.reason)))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(plain(claim.place))
            _evidence(claim, found)


def _evidence(claim: ReportClaim, found: Findings) -> None:
    label, icon = f"Evidence: {claim.evidence.value}", ":material/arrow_forward:"
    if claim.evidence in _TABS:
        tab_button(label, _TABS[claim.evidence], key=claim.claim, icon=icon)
        return
    page, query = _link(claim.evidence, found)
    st.page_link(page, label=label, icon=icon, query_params=query)


def _link(evidence: Evidence, found: Findings) -> tuple[str, dict[str, str]]:
    """Page and query of evidence on another page."""
    run = recommended().classifier
    return {
        Evidence.BALANCING: ("pages/compare.py", _sides(found.balancing)),
        Evidence.NETWORKS: ("pages/compare.py", _sides(found.networks)),
        Evidence.DATA: ("pages/dataset.py", {}),
        Evidence.NETWORK: ("pages/train.py", {"show": "The network"}),
        Evidence.MODEL: ("pages/evaluate.py", {"run": run} if run else {}),
    }[evidence]


def _sides(contrasts: tuple[Contrast, ...]) -> dict[str, str]:
    if not contrasts:
        return {}
    first = contrasts[0]
    return {"a": ",".join(first.a.run_ids), "b": ",".join(first.b.run_ids)}
