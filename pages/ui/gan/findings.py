"""What the measures of a DCGAN come to: three sentences above everything else."""

import streamlit as st

from pages.ui.gan.measures import read_once
from pages.ui.pictures import plain
from pneumo_core.errors import StoreError
from pneumo_core.evaluation.wording import unbroken
from pneumo_core.records import NotApplicable
from pneumo_core.reporting.gan_findings import Level, gan_findings
from pneumo_core.runs.files import is_there
from pneumo_core.runs.store import RunDirectory

LEVELS = {
    Level.AS_REAL: (":material/check:", "green"),
    Level.OPEN: (":material/remove:", "gray"),
    Level.WORSE: (":material/warning:", "orange"),
}
"""Icon and color of what a finding says."""


def show_findings(run: RunDirectory) -> None:
    """Quality, variety and copies, each with its value beside that of real images; nothing before the run is finished."""
    if not is_there(run.manifest):
        return
    try:
        findings = gan_findings(read_once(run.run_id).report)
    except StoreError:
        st.caption("The measures of this DCGAN cannot be read. 'Measures' shows the reason.")
        return
    grid = st.grid(len(findings), min_column_width=220, border=True)
    for finding in findings:
        if isinstance(finding.level, NotApplicable):
            badge = ":gray-badge[not applicable]"
        else:
            icon, color = LEVELS[finding.level]
            badge = f":{color}-badge[{icon} {finding.level.value}]"
        with grid.cell():
            st.markdown(f"**{finding.aspect.value.capitalize()}** {badge}  \n{plain(unbroken(finding.headline))}")
            if finding.evidence:
                st.caption(plain(unbroken(finding.evidence)))
