"""Compare: two runs, or two groups of runs over seeds, side by side, with what their difference can and cannot show."""

import streamlit as st

from pages.ui.cached import comparison_of, splits_of
from pages.ui.compare_pick import pick_compared_split, pick_sides
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
    comparison = comparison_of(a, b, split)

    from pages.ui.compare_figures import verdict

    verdict(comparison)
    figures, curves, images, point, calibrated, sliced, report, published, files = st.tabs(
        VIEWS, key="show", bind="query-params"
    )
    # Each tab's code is loaded when it is first opened.
    if figures.open:
        with figures:
            from pages.ui.compare_figures import figures_panel

            figures_panel(comparison)
    if curves.open:
        with curves:
            from pages.ui.compare_curves import curves_panel

            curves_panel(comparison)
    if images.open:
        with images:
            from pages.ui.compare_images import agreement_panel

            agreement_panel(comparison)
