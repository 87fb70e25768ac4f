"""The audit of a data set: measured in the background, then all checks, the shift, and what the files alone tell."""

import json
from collections.abc import Sequence

import streamlit as st

from pages.ui.components import show_error
from pages.ui.dataset.networks import networks_beside
from pages.ui.dataset.pairs import show_examples
from pages.ui.state import may_train
from pages.ui.table import download, show_table
from pneumo_core.data.audit import Check, Outcome, Severity, audit_name
from pneumo_core.data.index import DataIndex
from pneumo_core.data.measures import MEASURES, value_of
from pneumo_core.data.work import CANCELLED, cancel_work, is_working, progress_of
from pneumo_core.errors import PneumoError
from pneumo_core.evaluation.opponent import SEES, Opponent
from pneumo_core.evaluation.shift import ClassShift
from pneumo_core.evaluation.wording import p_cell, score_text
from pneumo_core.inference.audited import all_checks, stored_measured
from pneumo_core.jobs.preparing import start_auditing
from pneumo_core.records import Label, NotApplicable
from pneumo_core.reporting.audit_tables import in_words, plain_check
from pneumo_core.reporting.document import Table
from pneumo_core.reporting.file_names import file_name

BADGES = {
    Severity.MISLEADING: ":red-badge[:material/warning: misleading]",
    Severity.CAUTION: ":orange-badge[:material/info: caution]",
    Severity.NOTE: ":gray-badge[:material/notes: note]",
    Severity.NONE: ":green-badge[:material/check: fine]",
}
_SECONDS_AN_IMAGE = 0.003
"""About what measuring takes on two cores."""


def show_audit(index: DataIndex) -> None:
    """What was found, then the evidence; where nothing was measured yet, how to."""
    found = stored_measured(index)
    checks = all_checks(index, found)
    if found is None:
        _measure(index)
    _show_checks(index, checks)
    if found is None:
        return
    _show_shift(found.shift)
    _show_opponent(index, found.opponent)


def _measure(index: DataIndex) -> None:
    """Start to measure the images, follow it, or cancel it."""
    name = audit_name(index.data_id)
    if is_working(name):
        st.fragment(lambda: _follow(name), run_every="1s")()
        return
    last = progress_of(name)
    if last.error:
        show_error(last.error)
    about = max(5, round(len(index.table) * _SECONDS_AN_IMAGE / 5) * 5)
    st.info(
        f"Near duplicates, quality and shift are not known yet: measure the images once, which takes about {about} s. It "
        "continues when you leave this page."
        + (" The last measurement was cancelled." if last.stage == CANCELLED else "")
    )
    if not may_train():
        st.caption("This server starts no work: PNEUMO_ALLOW_TRAINING is 0.")
    if st.button("Measure the images", type="primary", disabled=not may_train()) and may_train():
        try:
            start_auditing(index.data_id)
        except PneumoError as error:
            show_error(error)
        else:
            st.rerun()


def _follow(name: str) -> None:
    if not is_working(name):
        st.rerun()
    now = progress_of(name)
    counted = f": {now.done:,} of {now.total:,}" if now.total else "…"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(now.done / now.total if now.total else 0.0, f"{now.stage}{counted}", width="stretch")
        if st.button("Cancel", disabled=not may_train()) and may_train():
            try:
                cancel_work(name)
            except PneumoError as error:
                show_error(error)


def _show_checks(index: DataIndex, checks: Sequence[Check]) -> None:
    """What was found, each with its images; what was not found, and what could not be looked for, are folded."""
    st.header("What the audit found", anchor=False)
    found = [check for check in checks if check.outcome in {Outcome.ISSUE, Outcome.TIP}]
    if not found:
        st.success("Nothing: every check passed.", icon=":material/check:")
    for check in found:
        st.markdown(f"{BADGES[check.severity]} {in_words(check)}")
        show_examples(index, check)
    passed = [check for check in checks if check.outcome is Outcome.PASSED]
    with st.expander(f"What it looked for and did not find ({len(passed)})"):
        st.markdown("\n".join(f"- {check.sentence}" for check in passed))
    if others := [check for check in checks if check.outcome is Outcome.NOT_APPLICABLE]:
        with st.expander(f"What it could not look for ({len(others)})"):
            st.markdown("\n".join(f"- {check.sentence}" for check in others))
    facts = {"data_id": index.data_id, "checks": [plain_check(check) for check in checks]}
    name = file_name("dataset", index.root.name, index.data_id, "audit", kind="json")
    download("This audit (JSON)", json.dumps(facts, indent=2), name)


def _show_shift(shifts: Sequence[ClassShift | NotApplicable]) -> None:
    st.header("Do test images differ from training images?", anchor=False)
    for label, shift in zip(Label, shifts, strict=True):
        if isinstance(shift, NotApplicable):
            st.caption(f"{label.name}: not known, since {shift.reason}.")
            continue
        rows = tuple(
            (
                test.measure,
                value_of(test.measure, test.train),
                value_of(test.measure, test.test),
                f"{test.distance:.2f}",
                p_cell(test.p),
            )
            for test in shift.measures
        )
        caption = (
            f"{label.name}, {shift.n_train:,} images of train and {shift.n_test:,} of test. All measures together tell them "
            f"apart with an AUROC of {score_text(shift.auroc)}; .5 is no difference."
        )
        columns = ("measure", "train, mean", "test, mean", "distance", "p")
        show_table(Table(f"shift_{label.name}", caption, columns, rows), "train against test")
    with st.expander("How this is measured"):
        st.markdown(
            "\n".join(f"- **{name}**: {words}" for name, words in MEASURES.items())
            + "\n\nMeans, the distance (Kolmogorov-Smirnov, 0 to 1) and p, adjusted for all measures of both classes by Holm's "
            "method, are of one image a patient. The AUROC is that of a logistic model of all measures, each patient scored by "
            "a model that was fitted without it (classifier two-sample test), with a 95 % interval over patients."
        )


def _show_opponent(index: DataIndex, found: Opponent | NotApplicable) -> None:
    st.header("Does a network beat the file header?", anchor=False)
    if isinstance(found, NotApplicable):
        st.caption(f"Not known: {found.reason}.")
        return
    st.markdown(
        f"The opponent sees no picture, only {SEES}. A network that does not beat it may have learned how files were made."
        + (" These files are copies of one size: the originals may tell more." if found.one_size else "")
    )
    rows = [("the files alone", score_text(found.held_out), score_text(found.test)), *networks_beside(index.data_id)]
    columns = ("model", "AUROC, held-out patients", "AUROC, test")
    caption = (
        "AUROC with 95 % intervals over patients; networks that were trained on this data set, the best on test first"
    )
    show_table(Table("opponent", caption, columns, tuple(rows)), "this data set")
