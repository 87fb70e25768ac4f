"""Where a heat map is strongest, how much of it lies in the middle of the chest, and how alike two maps are."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumo_core.evaluation.trust import CENTRAL
from pneumo_core.evaluation.wording import percent, score_text
from pneumo_core.inference.heatmap import heatmap
from pneumo_core.records import NotApplicable

LEVELS: Final = (0.7, 0.3)
"""Correlations from which on maps agree closely, and in part; below, a correlation is negligible (Mukaka 2012, Malawi Medical
Journal 24:69-71, table 1)."""

_SIDE: Final = 180
"""Side at which a map's mass is counted, in pixels."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in an image: `row` and `column` as shares of its height and width, from the upper left corner, in (0, 1)."""

    row: float
    column: float

    @property
    def words(self) -> str:
        """The place as seen in the image: "upper left", "middle right", "lower center", "center"."""
        row, column = ("upper", "middle", "lower")[int(3 * self.row)], ("left", "center", "right")[int(3 * self.column)]
        return "center" if (row, column) == ("middle", "center") else f"{row} {column}"


def strongest(values: NDArray[np.float32]) -> Spot | NotApplicable:
    """Center of a map's strongest cell, `(h, w)`; not applicable where no cell speaks for PNEUMONIA, above 0."""
    if not (values > 0).any():
        return NotApplicable("no region speaks for PNEUMONIA")
    row, column = np.unravel_index(int(values.argmax()), values.shape)
    return Spot((float(row) + 0.5) / values.shape[0], (float(column) + 0.5) / values.shape[1])


def marked(picture: NDArray[np.uint8], spot: Spot) -> NDArray[np.uint8]:
    """A copy of a picture, `(height, width, 3)`, with a white ring on black around a place."""
    height, width = picture.shape[:2]
    rows, columns = np.ogrid[:height, :width]
    distance = np.hypot(rows + 0.5 - spot.row * height, columns + 0.5 - spot.column * width)
    radius = 0.06 * min(height, width)
    line = max(1.0, radius / 12)
    result = picture.copy()
    result[np.abs(distance - radius) < 2 * line] = 0
    result[np.abs(distance - radius) < line] = 255
    return result


def central(height: int, width: int) -> NDArray[np.bool_]:
    """Mask of the central region, `(height, width)`: an ellipse `CENTRAL` of the image wide and high."""
    rows, columns = np.ogrid[:height, :width]
    return ((2 * rows + 1) / height - 1) ** 2 + ((2 * columns + 1) / width - 1) ** 2 <= CENTRAL**2


def share_outside(values: NDArray[np.float32]) -> float | NotApplicable:
    """Share of what a map, `(h, w)`, has above 0 that lies outside the central region, in [0, 1]."""
    heat = heatmap(values, NotApplicable("a share has no scale"), _SIDE, _SIDE).astype(np.float64)
    total = float(heat.sum())
    if total <= 0:
        return NotApplicable("no region speaks for PNEUMONIA")
    return float(heat[~central(_SIDE, _SIDE)].sum()) / total


def area_outside() -> float:
    """Share of an image's area outside the central region, as `share_outside` counts it: that of a map that is even."""
    return float((~central(_SIDE, _SIDE)).mean())


def rank_correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Spearman's rank correlation of two maps of one shape, in [-1, 1]; 0 if one is even, and so says nothing of places."""
    ranks = [_ranks(one.ravel()) for one in (a, b)]
    centered = [one - one.mean() for one in ranks]
    size = float(np.sqrt((centered[0] ** 2).sum() * (centered[1] ** 2).sum()))
    return float((centered[0] * centered[1]).sum()) / size if size > 0 else 0.0


def _ranks(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Ranks from 0 on, ties with the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts + 1) / 2)[places]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike two maps of one image are.

    Attributes:
        correlation: Rank correlation of their values, in [-1, 1], on the coarser map's grid.
        distance: Distance of their strongest spots, as a share of the image's side, or why there is none.
    """

    correlation: float
    distance: float | NotApplicable

    @property
    def words(self) -> str:
        """The agreement in two sentences."""
        high, low = LEVELS
        level = (
            "agree closely" if self.correlation >= high else "agree in part" if self.correlation >= low else "disagree"
        )
        first = f"The two maps {level}: rank correlation {score_text(self.correlation, 2)}"
        if isinstance(self.distance, NotApplicable):
            return f"{first}. Their strongest spots cannot be compared: {self.distance.reason}."
        return f"{first}. Their strongest spots are {percent(self.distance, 0)} of the image's side apart."


def agreement(a: NDArray[np.float32], b: NDArray[np.float32]) -> Agreement:
    """How alike two maps of one square image are, `(h, w)` of any size each."""
    spots = strongest(a), strongest(b)
    distance: float | NotApplicable
    match spots:
        case Spot() as first, Spot() as second:
            distance = float(np.hypot(first.row - second.row, first.column - second.column))
        case _:
            distance = next(spot for spot in spots if isinstance(spot, NotApplicable))
    side = min(*a.shape, *b.shape)
    return Agreement(rank_correlation(_coarser(a, side), _coarser(b, side)), distance)


def _coarser(values: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Means of a square map over a coarser grid."""
    image = Image.fromarray(values.astype(np.float32))
    return np.asarray(image.resize((side, side), Image.Resampling.BOX), np.float32)
