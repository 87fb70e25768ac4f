"""Occlusion: a second heat map of the same model, which needs nothing but its logit.

A gray square is put over one region after another, and a region counts by how far the logit falls without it (Zeiler and
Fergus 2014, doi:10.1007/978-3-319-10590-1_53, section 4.2). It shares nothing with Grad-CAM but the model: where both agree,
neither is an artifact of its method.
"""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pneumo_core.inference.session import Session, run_many

POSITIONS: Final = 9
"""Positions of the square along each side. So a map takes 82 runs of the model: half a second of processor time for the
baseline, six for VGG16."""


def squares(side: int, positions: int) -> Iterator[tuple[slice, slice]]:
    """Squares that are put over an image, row by row.

    The image is divided into `positions` x `positions` cells; a square covers one with half a cell on each side, and ends at
    the image's border. So neighbors overlap by half, and each cell of the map lies in the middle of its square.
    """
    cell = side / positions
    parts = [
        slice(max(0, round((place - 0.5) * cell)), min(side, round((place + 1.5) * cell))) for place in range(positions)
    ]
    return ((rows, columns) for rows in parts for columns in parts)


def occlusion(
    session: Session,
    gray: NDArray[np.uint8],
    positions: int = POSITIONS,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> NDArray[np.float32]:
    """Occlusion map of one image.

    The square has the image's mean gray, so that it stands out as little as one color can.

    Args:
        session: The model.
        gray: `(size, size)` uint8, as the model takes it.
        positions: Squares along each side, 1 or more.
        progress: Called with squares done and their total before each batch; it may raise to stop.

    Returns:
        `(positions, positions)` float32: how far the logit falls without each region, of any sign.
    """
    fill = np.uint8(round(float(gray.mean())))

    def covered() -> Iterator[NDArray[np.uint8]]:
        yield gray
        for rows, columns in squares(gray.shape[0], positions):
            image = gray.copy()
            image[rows, columns] = fill
            yield image

    logit = run_many(session, covered(), 1 + positions**2, progress).logit
    drop: NDArray[np.float32] = (logit[0] - logit[1:]).reshape(positions, positions)
    return drop
