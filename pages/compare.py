"""Compare: two runs, or two groups of runs over seeds, with the evidence and the limits of their difference."""

import streamlit as st

from pages.ui.cached import comparison_of, splits_of
from pages.ui.compare.figures import figures_panel, own_figures, verdict
from pages.ui.compare.pick import pick_compared_split, pick_pair, pick_sides
from pages.ui.components import open_tab, shown_errors
from pages.ui.state import require_frame

require_frame()

VIEWS = ("Figures", "Curves", "Images", "Operating point", "Calibration", "Slices", "Take away")

st.title("Compare")
with shown_errors():
    lists, row = st.container(), st.container(horizontal=True, vertical_alignment="bottom")
    a, b = pick_sides(lists, row)
    with row:
        split = pick_compared_split(splits_of((*a, *b)))
    meanwhile = st.empty()
    if (a, b, split) != st.session_state.get("compared"):
        with meanwhile.container():
            own_figures(a, b, split)
    comparison = comparison_of(a, b, split)
    st.session_state["compared"] = (a, b, split)
    meanwhile.empty()

    verdict(comparison)
    view, tab = open_tab("show", VIEWS)
    with tab:
        match view:
            case "Figures":
                figures_panel(comparison)
            case "Curves":
                from pages.ui.compare.curves import curves_panel

                curves_panel(comparison)
            case "Images":
                from pages.ui.compare.images import agreement

                agreement(comparison, pick_pair(comparison, "images"))
            case "Operating point":
                from pages.ui.compare.point import operating_point

                operating_point(comparison, pick_pair(comparison, "point"))
            case "Calibration":
                from pages.ui.compare.calibration import calibration

                calibration(comparison, pick_pair(comparison, "calibration"))
            case "Slices":
                from pages.ui.compare.slices import slices

                slices(comparison, pick_pair(comparison, "slices"))
            case "Take away":
                from pages.ui.compare.files import files_panel

                files_panel(comparison)
