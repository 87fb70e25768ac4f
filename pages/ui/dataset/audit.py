"""The audit of a data set: measured in the background, then all checks with their images."""

import json
from collections.abc import Sequence

import streamlit as st

from pages.ui.dataset.pairs import show_examples
from pages.ui.dataset.work import offer_work
from pages.ui.table import download
from pneumo_core.data.audit import Check, Evidence, Outcome, Severity, audit, worst_first
from pneumo_core.data.index import DataIndex, index_changed_ns
from pneumo_core.data.work import audit_name
from pneumo_core.inference.audited import Measured, stored_measured
from pneumo_core.jobs.preparing import start_auditing
from pneumo_core.reporting.audit_tables import in_words, plain_check
from pneumo_core.reporting.file_names import file_name

BADGES = {
    Severity.MISLEADING: ":red-badge[:material/warning: misleading]",
    Severity.CAUTION: ":orange-badge[:material/info: caution]",
    Severity.NOTE: ":gray-badge[:material/notes: note]",
    Severity.NONE: ":green-badge[:material/check: fine]",
}
_SECONDS_AN_IMAGE = 0.004
"""About what measuring takes on two cores."""


def known_checks(index: DataIndex) -> tuple[tuple[Check, ...], bool]:
    """All checks that are known of a data set, and whether it was measured."""
    found = stored_measured(index)
    quick = _quick_checks(index.data_id, index_changed_ns(index.data_id), index)
    return worst_first((*quick, *(found.checks if found else ()))), found is not None


@st.cache_data(max_entries=4, show_spinner=False)
def _quick_checks(data_id: str, changed_ns: int, _index: DataIndex) -> tuple[Check, ...]:  # noqa: ARG001
    """Those that need no pixels: of 200,000 images they take three seconds. What was left out is no part of the id."""
    return audit(_index)


def show_audit(index: DataIndex) -> None:
    """What was found; where nothing was measured yet, how to."""
    checks, is_measured = known_checks(index)
    if not is_measured:
        _measure(index)
    _show_checks(index, checks)


def _measure(index: DataIndex) -> None:
    """Start to measure the images, follow it, or cancel it."""
    about = max(5, round(len(index.table) * _SECONDS_AN_IMAGE / 5) * 5)
    offer_work(
        audit_name(index.data_id),
        f"Near duplicates, quality and shift are not known yet: measure the images once, which takes about {about} s.",
        "Measure the images",
        lambda: start_auditing(index.data_id),
    )


def _show_checks(index: DataIndex, checks: Sequence[Check]) -> None:
    """What was found, each with its images; what was not found, and what could not be looked for, are folded."""
    st.header("What the audit found", anchor=False)
    found = [check for check in checks if check.outcome in {Outcome.ISSUE, Outcome.TIP}]
    if not found:
        st.success("Nothing: every check passed.", icon=":material/check:")
    for check in found:
        st.markdown(f"{BADGES[check.severity]} {in_words(check)}")
        _link(check)
        show_examples(index, check)
    passed = [check for check in checks if check.outcome is Outcome.PASSED]
    with st.expander(f"What it looked for and did not find ({len(passed)})"):
        st.markdown("\n".join(f"- {check.sentence}" for check in passed))
    if others := [check for check in checks if check.outcome is Outcome.NOT_APPLICABLE]:
        with st.expander(f"What it could not look for ({len(others)})"):
            st.markdown("\n".join(f"- {check.sentence}" for check in others))
    facts = {"data_id": index.data_id, "checks": [plain_check(check) for check in checks]}
    words = ("dataset", index.root.name, index.data_id)
    with st.container(horizontal=True):
        download("This audit (JSON)", json.dumps(facts, indent=2), file_name(*words, "audit", kind="json"))
        if (measured := stored_measured(index)) is not None:
            name = file_name(*words, "datasheet", kind="html")
            download("Datasheet (HTML)", lambda: _datasheet(index, checks, measured), name)


_PLACES = {
    Evidence.COUNTS: "Summary",
    Evidence.FILES: "Summary",
    Evidence.LEAKS: "Splits",
    Evidence.QUALITY: "Quality",
    Evidence.SHIFT: "Splits",
}
"""The tab that shows what a check is about."""


def _link(check: Check) -> None:
    """A button that opens the evidence of a check."""
    place = _PLACES[check.evidence]
    st.button(
        f"See {place}",
        key=f"evidence {check.code}",
        type="tertiary",
        icon=":material/arrow_forward:",
        on_click=_open,
        args=(place,),
    )


def _open(place: str) -> None:
    st.session_state["view"] = place


def _datasheet(index: DataIndex, checks: Sequence[Check], found: Measured) -> str:
    from pneumo_core.reporting.datasheet import datasheet
    from pneumo_core.reporting.html import to_html

    return to_html(datasheet(index, checks, found.shift, found.opponent))
