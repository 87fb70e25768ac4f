"""Compare: two runs, or two groups of runs over seeds, side by side, with what their difference can and cannot show."""

import streamlit as st

from pages.ui.cached import comparison_of, splits_of
from pages.ui.compare.figures import figures_panel, own_figures, verdict
from pages.ui.compare.pick import pick_compared_split, pick_pair, pick_sides
from pages.ui.components import shown_errors
from pages.ui.state import require_frame

require_frame()

VIEWS = (
    "Figures",
    "Curves",
    "Images",
    "Operating point",
    "Calibration",
    "Slices",
    "Against the report",
    "Published and claims",
    "Take away",
)

st.title("Compare")
with shown_errors():
    a, b = pick_sides()
    split = pick_compared_split(splits_of((*a, *b)))
    meanwhile = st.empty()
    if (a, b, split) != st.session_state.get("compared"):
        with meanwhile.container():
            own_figures(a, b, split)
    comparison = comparison_of(a, b, split)
    st.session_state["compared"] = (a, b, split)
    meanwhile.empty()

    verdict(comparison)
    figures, curves, images, point, calibrated, sliced, report, published, files = st.tabs(
        VIEWS, key="show", bind="query-params"
    )
    # Each tab's code is loaded when it is first opened.
    if figures.open:
        with figures:
            figures_panel(comparison)
    if curves.open:
        with curves:
            from pages.ui.compare.curves import curves_panel

            curves_panel(comparison)
    if images.open:
        with images:
            from pages.ui.compare.images import agreement

            agreement(comparison, pick_pair(comparison, "images"))
    if point.open:
        with point:
            from pages.ui.compare.point import operating_point

            operating_point(comparison, pick_pair(comparison, "point"))
    if calibrated.open:
        with calibrated:
            from pages.ui.compare.calibration import calibration

            calibration(comparison, pick_pair(comparison, "calibration"))
    if sliced.open:
        with sliced:
            from pages.ui.compare.slices import slices

            slices(comparison, pick_pair(comparison, "slices"))
    if report.open:
        with report:
            from pages.ui.compare.report import ours_against_report

            ours_against_report(comparison)
    if published.open:
        with published:
            from pages.ui.compare.claims import claim_checker
            from pages.ui.compare.claims import published as published_results

            published_results(comparison)
            claim_checker()
    if files.open:
        with files:
            from pages.ui.compare.files import files_panel

            files_panel(comparison)
