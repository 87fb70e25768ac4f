"""Places beside each other, which come below each other where the page is narrow."""

from typing import Any, Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

WIDE: Final = 340
"""Least width of a place with a chart, a table or a run's name, in pixels."""


def beside(count: int = 2, least: int = WIDE, **options: Any) -> list[DeltaGenerator]:
    """Places in a row as long as each is at least this wide.

    Args:
        count: Of the places.
        least: Least width of one, in pixels.
        options: For `st.grid`.
    """
    grid = st.grid(count, min_column_width=least, **options)
    return [grid.cell() for _ in range(count)]


def four_tiles(least: int) -> list[DeltaGenerator]:
    """Four bordered places in one row, in two or in four: none is alone in a row."""
    tiles = []
    for half in beside(2, 2 * least + 16):
        with half:
            tiles += beside(2, least, border=True)
    return tiles
