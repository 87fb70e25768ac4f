"""The Dataset page opened at an address, and what a reader sees of it."""

import re
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.pages.opening import opened, whole

ODD_NAME = "IM-0003-*one*_[two](x)_$3$"


def write_image(path: Path, seed: int, size: tuple[int, int] = (48, 40), mode: str = "L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, size=(size[1], size[0]), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, format="JPEG")


def page(view: str | None = None, **query: str | list[str]) -> AppTest:
    """Dataset, one of its tabs open."""
    return opened("dataset", **({"view": view} if view else {}), **query)


def said(element: object) -> str:
    """What a reader sees of an element's text: without the escapes that keep it from being read as Markdown."""
    return re.sub(r"\\([^a-zA-Z0-9\s])", r"\1", str(element.value))


def button(at: AppTest, label: str) -> "st.testing.v1.element_tree.Button":
    found = [item for item in at.button if item.label == label]
    assert len(found) == 1, [item.label for item in at.button]
    return found[0]


def tiles(at: AppTest) -> list[str]:
    """Ids of the images that the page offers to open, in order."""
    return [str(item.key).removeprefix("open_grid_") for item in at.button if str(item.key).startswith("open_grid_")]


def look_at(at: AppTest, view: str) -> None:
    """Open another tab."""
    at.session_state["view"] = view
    whole(at.run())


def shown_image(at: AppTest) -> str:
    """Id of the image that the address names."""
    return at.query_params["image"]
