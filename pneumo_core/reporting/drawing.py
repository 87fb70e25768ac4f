"""Matplotlib for documents: figures without global state, with the same bytes for the same content."""

import io
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import numpy as np

from pneumo_core.records import Label
from pneumo_core.reporting.typesetting import Pages

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

COLORS: Final[dict[Label, str]] = {Label.NORMAL: "#2563EB", Label.PNEUMONIA: "#D97706"}
"""The classes' colors, on every page and in every document."""

DPI: Final = 200
"""Pixels per inch of a PNG: enough for print, and a page-wide picture has about 0.1 MB."""

_REGULAR: Final = "DejaVuSans.ttf"
_BOLD: Final = "DejaVuSans-Bold.ttf"

_LOCK: Final = RLock()
"""Matplotlib's settings are global in the process; the web server draws in several threads."""

_SETTINGS: Final[dict[Any, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E5E7EB",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "text.parse_math": False,  # A run's name may hold dollar signs.
    "svg.fonttype": "path",  # A reader's machine may lack the font.
    "svg.hashsalt": "pneumo",  # Otherwise the ids inside are random.
}

_DRAWN: "WeakKeyDictionary[Callable[[], Figure], bytes]" = WeakKeyDictionary()
"""A figure's SVG file as long as its document lives: page, PDF, ZIP and PNG file are made of the same one."""

_PAGE_OF_ONE: Final = '#set page(width: auto, height: auto, margin: 0pt)\n#image(bytes(sys.inputs.svg), format: "svg")'

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")


def svg(draw: "Callable[[], Figure]") -> bytes:
    """A figure as SVG, its text as outlines."""
    import matplotlib  # noqa: PLC0415  Only where a figure is drawn.

    with _LOCK, matplotlib.rc_context(_SETTINGS):
        if draw not in _DRAWN:
            file = io.BytesIO()
            draw().savefig(file, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})
            _DRAWN[draw] = file.getvalue()
        return _DRAWN[draw]


def png_page(draw: "Callable[[], Figure]") -> Pages:
    """A figure as PNG with `DPI` pixels an inch, for `typesetting.typeset`, made of its SVG file."""
    return Pages(_PAGE_OF_ONE, {"svg": svg(draw).decode()}, "png", DPI)


def font_folder() -> Path:
    """Folder of Matplotlib's fonts, for signs that Typst's own lack."""
    return _font_path(_REGULAR).parent


def _font_path(name: str) -> Path:
    import matplotlib  # noqa: PLC0415  Only where a figure is drawn.

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name


def ink(red_green_blue: "Sequence[float] | NDArray[np.float64]") -> str:
    """Black or white, whichever reads better on a color: relative luminance of WCAG 2.2, where both read alike at 0.179.

    Args:
        red_green_blue: Of the color, each in [0, 1].
    """
    shades = np.asarray(red_green_blue)
    linear = np.where(shades <= 0.04045, shades / 12.92, ((shades + 0.055) / 1.055) ** 2.4)
    return "#000000" if linear @ [0.2126, 0.7152, 0.0722] > 0.179 else "#FFFFFF"


def drawable(text: str) -> str:
    """A text with characters that the font lacks replaced by U+FFFD, and control characters by spaces."""
    known = _signs()
    return "".join(sign if ord(sign) in known else "\ufffd" for sign in _CONTROL.sub(" ", text))


@cache
def _signs() -> frozenset[int]:
    """Code points of both weights of Matplotlib's font."""
    from matplotlib.ft2font import FT2Font  # noqa: PLC0415  Only where a figure is drawn.

    return frozenset.intersection(*(frozenset(FT2Font(_font_path(name)).get_charmap()) for name in (_REGULAR, _BOLD)))
