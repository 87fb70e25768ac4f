"""What an upload of an image may look like: disturbances of real life, and the ways in which it can be wrong.

Training draws from all of them; `benchmarks.gate` measures each by its name on images that training never saw.
"""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pneumo_core.config.gate import INPUT_SIZE

Pixels = NDArray[np.uint8]
Random = np.random.Generator

_S: Final = INPUT_SIZE


# --- As it should be, and as it comes -----------------------------------------------------------------------------------


def disturbed(image: Pixels, random: Random, strength: float = 1.0) -> Pixels:
    """The same image as recompressed, resampled, windowed, marked or slightly moved; it stays what it is."""
    image = _moved(image, random, strength)
    if random.random() < 0.3 * strength:
        image = _bordered(image, random)
    if random.random() < 0.35 * strength:
        image = _marked(image, random)
    image = _windowed(image, random, strength)
    if random.random() < 0.3:
        side = int(_S * random.uniform(0.3, 0.9))
        image = _fit(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA).astype(np.uint8))
    if random.random() < 0.25:
        noisy = image + random.normal(0, random.uniform(1, 10), image.shape)
        image = np.clip(noisy, 0, 255).astype(np.uint8)
    if random.random() < 0.3:
        _, code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(15, 90))])
        image = np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE), np.uint8)
    return image


def _moved(image: Pixels, random: Random, strength: float) -> Pixels:
    angle = random.normal(0, 4) * strength
    scale = np.exp(random.normal(0, 0.05, 2) * strength)
    matrix = cv2.getRotationMatrix2D((_S / 2, _S / 2), angle, 1.0)
    matrix[:, :2] = matrix[:, :2] * scale
    matrix[0, 1] += random.normal(0, 0.04) * strength
    center = matrix[:, :2] @ (_S / 2, _S / 2)
    matrix[:, 2] = _S / 2 - center + random.normal(0, 0.025 * _S, 2) * strength
    border = cv2.BORDER_REPLICATE if random.random() < 0.4 else cv2.BORDER_CONSTANT
    return cv2.warpAffine(image, matrix, (_S, _S), flags=cv2.INTER_LINEAR, borderMode=border).astype(np.uint8)


def _bordered(image: Pixels, random: Random) -> Pixels:
    """Modest borders: at most a tenth of the side each."""
    level = int(random.choice([0, 0, 0, 255, 30]))
    top, bottom, left, right = (int(random.integers(0, _S // 10)) * int(random.random() < 0.6) for _ in range(4))
    inner = cv2.resize(image, (_S - left - right, _S - top - bottom), interpolation=cv2.INTER_AREA)
    return cv2.copyMakeBorder(inner, top, bottom, left, right, cv2.BORDER_CONSTANT, value=level).astype(np.uint8)


def _marked(image: Pixels, random: Random) -> Pixels:
    """Side markers, labels and lines, as tubes, wires and electrodes make them."""
    image = image.copy()
    level = int(random.choice([255, 255, 220, 0]))
    for _ in range(random.integers(1, 4)):
        x, y = (int(value) for value in random.integers(0, _S, 2))
        match random.integers(3):
            case 0:
                edge = int(random.choice([4, _S - 20]))
                words = str(random.choice(["R", "L", "AP", "PA", "SUPINE", "12", "LINKS", "ERECT"]))
                cv2.putText(image, words, (edge, y), cv2.FONT_HERSHEY_SIMPLEX, random.uniform(0.25, 0.6), level, 1)
            case 1:
                points = np.cumsum(random.normal(0, 12, (6, 2)), axis=0) + np.array([x, y])
                cv2.polylines(image, [points.astype(np.int32)], False, level, 1, cv2.LINE_AA)
            case _:
                cv2.circle(image, (x, y), int(random.integers(1, 4)), level, -1, cv2.LINE_AA)
    return image


def _windowed(image: Pixels, random: Random, strength: float) -> Pixels:
    """Gamma, brightness and contrast, to the low contrast of unprocessed exports; sometimes equalized or unevenly lit."""
    x = image.astype(np.float32) / 255
    if random.random() < 0.15:
        tiles = int(random.integers(2, 6))
        x = cv2.createCLAHE(random.uniform(1, 4), (tiles, tiles)).apply(image).astype(np.float32) / 255
    x = x ** np.exp(random.normal(0, 0.3) * strength)
    if random.random() < 0.15:
        slope = random.normal(0, 0.2, 2) * strength
        x = x + slope[0] * np.linspace(-1, 1, _S)[None] + slope[1] * np.linspace(-1, 1, _S)[:, None]
    if random.random() < 0.3:  # A narrow window: what is dark goes black, what is bright goes white.
        low, high = random.uniform(0, 0.2), random.uniform(0.75, 1)
        x = (x - low) / (high - low)
    span = random.uniform(0.15, 1) if random.random() < 0.3 else 1.0
    x = np.clip(x, 0, 1) * span + random.uniform(0, 1 - span)
    made: Pixels = np.clip(255 * x, 0, 255).astype(np.uint8)
    return made


# --- Ways in which an X-ray can be wrong --------------------------------------------------------------------------------


def turned_90(image: Pixels, _random: Random) -> Pixels:
    """Turned by 90 degrees counterclockwise."""
    return np.ascontiguousarray(np.rot90(image))


def turned_180(image: Pixels, _random: Random) -> Pixels:
    """Turned by 180 degrees."""
    return np.ascontiguousarray(np.rot90(image, 2))


def turned_270(image: Pixels, _random: Random) -> Pixels:
    """Turned by 270 degrees counterclockwise."""
    return np.ascontiguousarray(np.rot90(image, 3))


def flipped(image: Pixels, _random: Random) -> Pixels:
    """Mirrored top to bottom."""
    return np.ascontiguousarray(image[::-1])


def inverted(image: Pixels, _random: Random) -> Pixels:
    """Black on white."""
    return (255 - image).astype(np.uint8)


def halved(image: Pixels, random: Random) -> Pixels:
    """One half: left, right, upper or lower."""
    part = slice(0, _S // 2) if random.random() < 0.5 else slice(_S // 2, _S)
    return _fit(image[part] if random.random() < 0.35 else image[:, part])


def part(image: Pixels, random: Random) -> Pixels:
    """A window that leaves out much of the chest: a half, a third, a quarter or a detail."""
    if random.random() < 0.5:
        kept = int(_S * random.uniform(0.4, 0.58))
        start = 0 if random.random() < 0.5 else _S - kept
        cut = image[start : start + kept] if random.random() < 0.35 else image[:, start : start + kept]
        return _fit(cut)
    height, width = (int(_S * value) for value in random.uniform(0.3, 0.55, 2))
    y, x = int(random.integers(0, _S - height)), int(random.integers(0, _S - width))
    return _fit(image[y : y + height, x : x + width])


def _fit(image: Pixels) -> Pixels:
    return cv2.resize(image, (_S, _S), interpolation=cv2.INTER_LINEAR).astype(np.uint8)


def large_border(image: Pixels, random: Random, _other: Pixels | None = None) -> Pixels:
    """On a page or a dark screen, where it takes an eighth to a half of the area."""
    canvas = np.full((_S, _S), int(random.choice([0, 0, 255, 255, 40, 128, 200])), np.uint8)
    height, width = (
        int(_S * value) for value in np.sqrt(random.uniform(0.12, 0.5)) * np.exp(random.normal(0, 0.15, 2))
    )
    height, width = min(height, _S - 8), min(width, _S - 8)
    y, x = int(random.integers(0, _S - height)), int(random.integers(0, _S - width))
    canvas[y : y + height, x : x + width] = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return canvas


def screenshot(image: Pixels, random: Random, other: Pixels | None = None) -> Pixels:
    """A viewer's window: bars, buttons, words and thumbnails around the image, sometimes a second image beside it."""
    dark = random.random() < 0.65
    back, ink = (int(random.integers(0, 70)), 200) if dark else (int(random.integers(190, 256)), 40)
    canvas = np.full((_S, _S), back, np.uint8)
    left, top = int(random.integers(0, _S // 3)), int(random.integers(6, _S // 4))
    right, bottom = int(random.integers(0, _S // 4)), int(random.integers(2, _S // 6))
    if left + right < _S // 7:
        left += _S // 6
    _bars(canvas, (left, top, right, bottom), back, ink, random)
    height, width = _S - top - bottom, _S - left - right
    panes = [image, image if other is None else other] if random.random() < 0.25 else [image]
    x = left
    for pane in panes:
        share = width // len(panes)
        inner = max(16, int(share * random.uniform(0.75, 1)))
        tall = max(16, int(height * random.uniform(0.8, 1)))
        at = x + (share - inner) // 2, top + (height - tall) // 2
        canvas[at[1] : at[1] + tall, at[0] : at[0] + inner] = cv2.resize(
            pane, (inner, tall), interpolation=cv2.INTER_AREA
        )
        x += share
    return canvas


def _bars(canvas: Pixels, margins: tuple[int, int, int, int], back: int, ink: int, random: Random) -> None:
    """Bars, buttons and words of a window."""
    left, top, right, _ = margins
    shade = int(np.clip(back + random.integers(-25, 40), 0, 255))
    canvas[:top] = shade
    for _ in range(random.integers(3, 14)):
        x, y = int(random.integers(0, _S - 6)), int(random.integers(1, max(2, top - 3)))
        cv2.rectangle(canvas, (x, y), (x + int(random.integers(2, 8)), y + int(random.integers(2, 5))), ink, -1)
    for start, end in ((0, left), (_S - right, _S)):
        if end - start < 8:
            continue
        for y in range(top + 2, _S - 4, int(random.integers(4, 14))):
            if random.random() < 0.75:
                cv2.line(canvas, (start + 2, y), (start + 2 + int(random.integers(3, end - start)), y), ink, 1)


def film(image: Pixels, random: Random, other: Pixels | None = None) -> Pixels:
    """A photograph of a film or a screen: tilted, unevenly lit, with what is around it."""
    if other is None or random.random() < 0.4:
        around = np.full((_S, _S), float(random.integers(0, 256)))
        around += (
            random.normal(0, 30) * np.linspace(-1, 1, _S)[None] + random.normal(0, 30) * np.linspace(-1, 1, _S)[:, None]
        )
    else:
        around = other.astype(np.float64)
    margin = random.uniform(0.1, 0.28)
    corners = (
        np.array([[margin, margin], [1 - margin, margin], [1 - margin, 1 - margin], [margin, 1 - margin]], np.float32)
        * _S
    )
    corners += random.normal(0, 0.045 * _S, (4, 2)).astype(np.float32)
    angle = random.normal(0, 8)
    turn = cv2.getRotationMatrix2D((_S / 2, _S / 2), angle, 1)
    corners = (corners @ turn[:, :2].T + turn[:, 2]).astype(np.float32)
    square = np.array([[0, 0], [_S, 0], [_S, _S], [0, _S]], np.float32)
    matrix = cv2.getPerspectiveTransform(square, corners)
    inner = image.astype(np.float64)
    if random.random() < 0.5:  # Daylight or a lamp in the glossy film.
        y, x = np.mgrid[0:_S, 0:_S]
        at = random.uniform(0, _S, 2)
        squared = ((x - at[0]) ** 2 + (y - at[1]) ** 2) / (_S * random.uniform(0.08, 0.3)) ** 2
        inner += random.uniform(30, 140) * np.exp(-squared / 2)
    laid = cv2.warpPerspective(np.clip(inner, 0, 255).astype(np.uint8), matrix, (_S, _S), flags=cv2.INTER_LINEAR)
    mask = cv2.warpPerspective(np.ones((_S, _S), np.float32), matrix, (_S, _S))
    mixed = around * (1 - mask) + laid * mask * random.uniform(0.6, 1)
    if random.random() < 0.3:  # Stripes where a camera meets a screen's raster.
        y, x = np.mgrid[0:_S, 0:_S]
        mixed += random.uniform(3, 14) * np.sin((x * random.normal() + y * random.normal()) * random.uniform(0.5, 2))
    return np.clip(mixed, 0, 255).astype(np.uint8)


def shuffled(image: Pixels, random: Random) -> Pixels:
    """Its tiles in another order."""
    count = int(random.choice([2, 3, 4]))
    side = _S // count
    tiles = [image[y * side : (y + 1) * side, x * side : (x + 1) * side] for y in range(count) for x in range(count)]
    order = random.permutation(len(tiles))
    while np.array_equal(order, np.arange(len(tiles))):
        order = random.permutation(len(tiles))
    rows = [np.hstack([tiles[order[y * count + x]] for x in range(count)]) for y in range(count)]
    return _fit(np.vstack(rows))


WRONG: Final[dict[str, Callable[[Pixels, Random], Pixels]]] = {
    "turned_90": turned_90,
    "turned_180": turned_180,
    "turned_270": turned_270,
    "flipped": flipped,
    "inverted": inverted,
    "halved": halved,
}
"""What the gate must name, by the outcome's code; `halved` is the code `part`."""


# --- Images that show nothing -------------------------------------------------------------------------------------------


def nothing(random: Random) -> Pixels:
    """Noise, gradients, shapes, stripes, or one gray."""
    y, x = np.mgrid[0:_S, 0:_S] / _S
    match random.integers(7):
        case 0:
            image = random.integers(0, 256, (_S, _S)).astype(np.float64)
        case 1:
            side = int(random.integers(2, 48))
            grain = cv2.resize(random.uniform(0, 255, (side, side)), (_S, _S), interpolation=int(random.integers(0, 3)))
            image = np.asarray(grain, np.float64)
        case 2:
            image = 255 * (x * random.normal() + y * random.normal() + random.uniform())
        case 3:
            at = random.uniform(0.2, 0.8, 2)
            image = 255 * np.hypot(x - at[0], y - at[1]) * random.choice([-1.5, 1.5]) + random.choice([0, 255])
        case 4:
            image = 127 + 127 * np.sin((x * random.normal() + y * random.normal()) * random.uniform(5, 120))
        case 5:
            image = np.full((_S, _S), float(random.integers(0, 256)))
            for _ in range(random.integers(1, 12)):
                level, center = float(random.integers(0, 256)), tuple(int(v) for v in random.integers(0, _S, 2))
                axes = tuple(int(v) for v in random.integers(3, 60, 2))
                if random.random() < 0.5:
                    cv2.ellipse(image, center, axes, float(random.uniform(0, 180)), 0, 360, level, -1)
                else:
                    cv2.rectangle(image, center, (center[0] + axes[0], center[1] + axes[1]), level, -1)
        case _:
            image = float(random.integers(0, 256)) + random.normal(0, random.uniform(0, 12), (_S, _S))
    return np.clip(image, 0, 255).astype(np.uint8)


_TEXT: Final = ("the", "of", "patient", "report", "and", "was", "chest", "with", "in", "a", "no", "normal", "12", "3.4")


def document(random: Random) -> Pixels:
    """A page of text, a table or a plot."""
    light = random.random() < 0.8
    paper, ink = (
        (int(random.integers(225, 256)), int(random.integers(0, 90))) if light else (int(random.integers(0, 50)), 220)
    )
    image = np.full((_S, _S), paper, np.uint8)
    left, right = int(random.integers(3, 24)), _S - int(random.integers(3, 24))
    if random.random() < 0.3:
        _plot(image, ink, random)
        return image
    y = int(random.integers(4, 20))
    gap = int(random.integers(3, 9))
    while y < _S - 6:
        if random.random() < 0.1:
            y += gap * 2
            continue
        line = " ".join(str(random.choice(_TEXT)) for _ in range(12))
        if gap > 5:
            font = int(random.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_PLAIN, cv2.FONT_HERSHEY_COMPLEX]))
            cv2.putText(image, line, (left, y), font, gap / (28 if font != 1 else 14), ink, 1, cv2.LINE_AA)
        else:
            x = left
            while x < right:
                wide = int(random.integers(2, 12))
                image[y : y + max(1, gap // 2), x : min(x + wide, right)] = ink + (paper - ink) // 3
                x += wide + 2
        y += gap
    image[:, right:] = paper
    if random.random() < 0.25:
        for place in np.linspace(left, right, int(random.integers(3, 7))).astype(int):
            cv2.line(image, (int(place), 4), (int(place), _S - 4), ink, 1)
    return image


def _plot(image: Pixels, ink: int, random: Random) -> None:
    """Axes with curves, bars or points."""
    low, high = _S - 14, 14
    cv2.line(image, (high, low), (_S - 8, low), ink, 1)
    cv2.line(image, (high, low), (high, 8), ink, 1)
    for _ in range(random.integers(1, 4)):
        level = int(random.integers(0, 200))
        x = np.linspace(high, _S - 10, 24)
        y = np.clip(np.cumsum(random.normal(0, 8, 24)) + random.uniform(30, 100), 10, low)
        match random.integers(3):
            case 0:
                cv2.polylines(image, [np.stack([x, y], 1).astype(np.int32)], False, level, 1, cv2.LINE_AA)
            case 1:
                for at, top in zip(x[::3].astype(int), y[::3].astype(int), strict=True):
                    cv2.rectangle(image, (int(at), int(top)), (int(at) + 6, low), level, -1)
            case _:
                for at, top in zip(x.astype(int), y.astype(int), strict=True):
                    cv2.circle(image, (int(at), int(top)), 1, level, -1)
