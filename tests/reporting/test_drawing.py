"""Figures as bytes."""

import io
import subprocess
import sys
import warnings
from collections.abc import Callable
from xml.etree import ElementTree

import matplotlib
from matplotlib.figure import Figure
from PIL import Image

from pneumo_core.reporting.drawing import DPI, drawable, font_folder, png_page, svg
from pneumo_core.reporting.typesetting import typeset
from tests.reporting.conftest import HOSTILE


def titled(text: str) -> Figure:
    figure = Figure(figsize=(3, 2))
    figure.subplots().set_title(text)
    return figure


def png(draw: Callable[[], Figure]) -> bytes:
    (made,) = typeset([png_page(draw)], font_folder())
    return made


def test_bytes_are_those_of_the_content_alone() -> None:
    for save in (svg, png):
        assert save(lambda: titled("a")) == save(lambda: titled("a")) != save(lambda: titled("b"))


def test_files_name_neither_time_nor_program() -> None:
    text = svg(lambda: titled("a")).decode()
    assert "Matplotlib" not in text.partition("<metadata>")[2].partition("</metadata>")[0]
    assert "<dc:date>" not in text
    with Image.open(io.BytesIO(png(lambda: titled("a")))) as image:
        assert "Software" not in image.info


def test_sizes_and_kinds() -> None:
    with Image.open(io.BytesIO(png(lambda: titled("a")))) as image:
        assert (image.format, image.size) == ("PNG", (3 * DPI, 2 * DPI))
    root = ElementTree.fromstring(svg(lambda: titled("a")))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"


def test_dollar_signs_are_no_formula_and_settings_are_given_back() -> None:
    before = dict(matplotlib.rcParams)
    assert svg(lambda: titled("$\\frac{1}$"))  # A formula that Matplotlib cannot read.
    assert dict(matplotlib.rcParams) == before


def test_signs_without_a_glyph_are_replaced_so_that_no_warning_rises() -> None:
    assert drawable("a\nb\x00c 肺 \u202e ü →") == "a b c \ufffd   ü →"
    with warnings.catch_warnings(action="error"):
        assert png(lambda: titled(drawable(HOSTILE)))


def test_documents_are_put_together_without_what_renders_them() -> None:
    rooms = ("comparison_document", "study_document", "model_card", "claim", "html", "plots")
    program = (
        "import importlib, sys\n"
        f"for room in {rooms!r}:\n"
        "    importlib.import_module(f'pneumo_core.reporting.{room}')\n"
        "sys.exit(' '.join({'matplotlib', 'typst'} & set(sys.modules)) or 0)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
