"""Letters that are drawn into images are found; ribs, lines, edges and large shapes are not."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pneumo_core.data.marks import marks
from pneumo_core.data.measures import SIZE

Gray = NDArray[np.uint8]


def ground(level: int = 30, noise: float = 3.0) -> Gray:
    return np.random.default_rng(0).normal(level, noise, (SIZE, SIZE)).clip(0, 255).astype(np.uint8)


def letter(gray: Gray, text: str, place: tuple[int, int], *, size: float = 0.45, level: int = 230) -> Gray:
    return np.asarray(cv2.putText(gray, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, level, 1, cv2.LINE_AA))


@pytest.mark.parametrize("place", [(12, 40), (190, 200), (1, 12), (208, 20)])
@pytest.mark.parametrize("level", [30, 90])
def test_a_letter_is_found_wherever_it_stands_alone(place: tuple[int, int], level: int) -> None:
    assert marks(ground(level)) == 0
    assert marks(letter(ground(level), "R", place)) == 1


def test_each_letter_counts() -> None:
    gray = letter(letter(ground(), "R", (10, 30)), "L", (200, 120))
    assert marks(gray) == 2
    assert marks(letter(gray, "A", (60, 200))) == 3


def ribs() -> Gray:
    rows = np.arange(SIZE)[:, None] + 0.3 * np.arange(SIZE)[None]
    return (110 + 60 * np.sin(rows / 4)).astype(np.uint8)


def line() -> Gray:
    return np.asarray(cv2.line(ground(), (20, 10), (180, 210), 240, 2))


def edge() -> Gray:
    gray = ground()
    gray[:, 100:] = 200
    return gray


def disc() -> Gray:
    return np.asarray(cv2.circle(ground(), (110, 110), 30, 240, -1))


@pytest.mark.parametrize("draw", [ribs, line, edge, disc, lambda: np.zeros((SIZE, SIZE), np.uint8)])
def test_what_is_no_letter_is_not(draw: Callable[[], Gray]) -> None:
    assert marks(draw()) == 0


def test_a_faint_letter_and_one_that_touches_something_bright_are_not_found() -> None:
    assert marks(letter(ground(100), "R", (12, 40), level=150)) == 0
    assert marks(letter(edge(), "R", (92, 60))) == 0
