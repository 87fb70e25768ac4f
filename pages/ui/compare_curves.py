"""Curves of both sides on the same axes: histories, ROC, precision and recall, calibration, and what differs."""

import streamlit as st

from pages.ui import compare_charts
from pages.ui.compare_figures import where
from pages.ui.compare_pick import pick_pair
from pages.ui.evaluate import chart
from pneumo_core.evaluation.comparison import Comparison
from pneumo_core.status import read_events
from pneumo_core.store import find_run


def curves_panel(comparison: Comparison) -> None:
    """Every curve of both sides, each with its table."""
