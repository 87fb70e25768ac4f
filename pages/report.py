"""The report: its claims with our verdicts, its figures beside ours, its contradictions, and published results."""

import streamlit as st

from pages.ui.components import open_tab, shown_errors
from pages.ui.report.claims import claims_panel, contradictions_panel
from pages.ui.state import require_frame

require_frame()

VIEWS = ("Claims", "Its figures beside ours", "Contradictions", "Published results", "Claim checker")

st.title("The report of 2020")
st.caption("Meral Balik, *CNN For Detecting Pneumonia from X-ray Images*, Springboard capstone project, 28 April 2020.")
with shown_errors():
    shown, tab = open_tab("show", VIEWS)
    with tab:
        match shown:
            case "Claims":
                claims_panel()
            case "Its figures beside ours":
                from pages.ui.report.figures import figures_panel

                figures_panel()
            case "Contradictions":
                contradictions_panel()
            case "Published results":
                from pages.ui.report.published import published_panel

                published_panel()
            case "Claim checker":
                from pages.ui.report.published import claim_checker

                claim_checker()
