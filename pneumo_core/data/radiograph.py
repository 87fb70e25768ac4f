"""Drawing of one phantom: a synthetic chest radiograph of a child.

A phantom sums the thickness that a beam would cross (soft tissue, heart, bones, minus the air of the lungs) and develops the
sum like a film. Consolidations (bacteria) and interstitial haze (virus) replace air. All shapes and amounts were chosen by
eye: a phantom resembles a radiograph at a glance and has no diagnostic meaning.

Body coordinates: x from -1 to 1 between the widest points of the rib cage (negative is the patient's right, which is the
image's left), y from 0 at the apex of the lungs to 1 at their base.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from pneumo_core.config.limits import require_whole, require_within
from pneumo_core.errors import ConfigError
from pneumo_core.records import Subtype

Plane = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]

_SIDES: Final = (64, 2048)

# Outlines in body coordinates, as rows of x and of y; for nearly symmetric parts only the left half.
_FLIP: Final = np.array([[[-1.0, 1.0]], [[1.0, 1.0]]])
_TORSO: Final = np.transpose([
    [0.0, 0.33, 0.32, 0.55, 1.0, 1.20, 1.12, 1.10, 1.12, 0.0],
    [-0.9, -0.8, -0.25, -0.15, -0.10, 0.05, 0.35, 0.9, 1.9, 1.9],
])  # fmt: skip
_LUNG: Final = np.transpose([
    [0.10, 0.20, 0.38, 0.56, 0.72, 0.84, 0.92, 0.97, 0.10],
    [0.20, 0.05, 0.0, 0.06, 0.20, 0.40, 0.65, 1.10, 1.10],
])  # fmt: skip
_HEART: Final = np.transpose([
    [-0.12, -0.14, -0.17, -0.24, -0.29, -0.26, -0.15, 0.25, 0.55, 0.60, 0.53, 0.40, 0.27, 0.20, 0.21, 0.15, 0.11],
    [0.0, 0.18, 0.34, 0.50, 0.66, 0.82, 0.95, 1.0, 0.95, 0.84, 0.70, 0.54, 0.40, 0.31, 0.22, 0.14, 0.0],
])  # fmt: skip
_CLAVICLE: Final = np.transpose([
    [0.10, 0.25, 0.45, 0.65, 0.82, 0.96],
    [0.10, 0.07, 0.01, -0.05, -0.085, -0.09],
])  # fmt: skip
_SCAPULA: Final = np.transpose([
    [0.72, 1.10, 1.12, 0.95, 0.86, 0.78],
    [0.0, -0.08, 0.04, 0.20, 0.45, 0.30],
])  # fmt: skip


def draw_phantom(
    rng: np.random.Generator,
    *,
    subtype: Subtype,
    height: int,
    width: int,
    difficulty: float = 0.5,
    patient_rng: np.random.Generator | None = None,
) -> npt.NDArray[np.uint8]:
    """Draw one synthetic chest radiograph.

    Args:
        rng: Random numbers of the exposure: position, development, grain, marker.
        subtype: ``none`` for clear lungs, ``bacteria`` or ``virus``.
        height: Pixels, in [64, 2048].
        width: Pixels, in [64, 2048].
        difficulty: How faint and small the findings are, in [0, 1].
        patient_rng: Random numbers of the body and its findings; equal states give the same patient. None: `rng` is used.

    Returns:
        `(height, width)` uint8 gray levels, bright where the body is dense.

    Raises:
        ConfigError: An argument is out of its range.
    """
    for name, pixels in (("height", height), ("width", width)):
        require_whole(name, pixels, *_SIDES)
    require_within("difficulty", difficulty, 0, 1)
    if subtype is Subtype.UNKNOWN:
        raise ConfigError(
            "subtype must be 'none', 'bacteria' or 'virus'. Received: subtype='unknown'; name one of them"
        )
    body = rng if patient_rng is None else patient_rng
    film = _Film.positioned(rng, body, height, width)
    tissue, air = _soft_tissue(film, rng, body)
    bone = _bones(film, body)
    vessels = _vessels(film, body)
    opacity = _opacity(film, body, subtype, difficulty)
    # Opacity replaces air by fluid; behind it the vessels lose their contrast.
    return _develop(film, rng, tissue + bone - air * (1.0 - opacity) * (0.60 - 0.13 * vessels))


@dataclass(frozen=True, slots=True)
class _Film:
    """A film behind a body: maps body coordinates to pixels and draws planes of float32, most of them in [0, 1].

    Attributes:
        height: Pixels.
        width: Pixels.
        matrix: `(2, 3)` affine map from body coordinates to pixels.
    """

    height: int
    width: int
    matrix: Points

    @classmethod
    def positioned(cls, rng: np.random.Generator, body: np.random.Generator, height: int, width: int) -> "_Film":
        """Position a body on a film of the given size."""
        # Chests of small children are about as wide as they are high; a wide film shows more of the arms.
        length = height * (0.68 + 0.04 * body.standard_normal()) * rng.uniform(0.96, 1.04)
        breadth = (0.20 * width + 0.25 * height) * (1 + 0.05 * body.standard_normal()) * rng.uniform(0.97, 1.03)
        angle = np.deg2rad(2.5 * rng.standard_normal())
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        linear = turn @ np.diag([breadth, length])
        middle = np.array(
            [width * (0.5 + 0.02 * rng.standard_normal()), height * (0.53 + 0.025 * rng.standard_normal())]
        )
        return cls(height, width, np.column_stack([linear, middle - linear @ [0.0, 0.5]]))

    @property
    def length(self) -> float:
        """Height of the lungs in pixels."""
        return float(np.hypot(*self.matrix[:, 1]))

    def fill(self, shapes: Points, blur: float) -> Plane:
        """Union of polygons in [0, 1], with edges blurred by `blur` lung heights.

        Args:
            shapes: `(n, 2)` outline or `(shapes, n, 2)` outlines in body coordinates.
            blur: Standard deviation of the blur as a fraction of the lungs' height, above 0.
        """
        sigma = blur * self.length
        # Detail that is blurred away need not be drawn finely.
        scale = 0.25 if sigma > 5 else 0.5 if sigma > 1.6 else 1.0
        corners = shapes.reshape(-1, *shapes.shape[-2:]) @ self.matrix[:, :2].T + self.matrix[:, 2]
        plane = np.zeros((round(self.height * scale), round(self.width * scale)), np.uint8)
        # Sixteenths of pixels (shift=4), and one outline at a time: in one call, an overlap of two would become a hole.
        for outline in (corners * (16 * scale)).astype(np.int32):
            cv2.fillPoly(plane, [outline], 255, cv2.LINE_AA, 4)
        sharp = plane.astype(np.float32) * np.float32(1 / 255)
        reach = 2 * round(2.5 * sigma * scale) + 1
        return self.enlarged(cv2.GaussianBlur(sharp, (reach, reach), sigma * scale, borderType=cv2.BORDER_REPLICATE))

    def texture(self, rng: np.random.Generator, bumps: int) -> Plane:
        """Smooth noise of zero mean and about unit variance that sticks to the body, `bumps` of it from apex to base."""
        grid = rng.standard_normal((2 * bumps, 3 * bumps)).astype(np.float32)
        # The grid spans x in [-1.5, 1.5] and y in [-0.5, 1.5].
        to_body = np.array([[1 / bumps, 0, -1.5 + 0.5 / bumps], [0, 1 / bumps, -0.5 + 0.5 / bumps], [0, 0, 1]])
        scale = 0.5 if bumps > 12 else 0.25
        to_pixels = np.diag([scale, scale, 1]) @ np.vstack([self.matrix, [0, 0, 1]]) @ to_body
        noise = cv2.warpAffine(
            1.4 * grid,  # Interpolation between independent values lowers their variance.
            to_pixels[:2],
            (round(self.width * scale), round(self.height * scale)),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT,
        )
        return self.enlarged(noise)

    def enlarged(self, coarse: npt.ArrayLike) -> Plane:
        """Enlarge a coarsely drawn plane to the film's size."""
        plane = np.asarray(coarse, np.float32)
        if plane.shape == (self.height, self.width):
            return plane
        return np.asarray(cv2.resize(plane, (self.width, self.height), interpolation=cv2.INTER_LINEAR), np.float32)


def _smooth(outlines: Points) -> Points:
    """Closed `(..., n, 2)` outlines with their corners cut three times (Chaikin's scheme)."""
    for _ in range(3):
        ahead = np.concatenate([outlines[..., 1:, :], outlines[..., :1, :]], axis=-2)
        cut = np.stack([0.75 * outlines + 0.25 * ahead, 0.25 * outlines + 0.75 * ahead], axis=-2)
        outlines = cut.reshape(*outlines.shape[:-2], -1, 2)
    return outlines


def _ribbons(curves: Points, half_width: Points | float) -> Points:
    """`(..., 2 n, 2)` outlines of bands along open `(..., n, 2)` curves; the width may vary along them."""
    steps = curves[..., 1:, :] - curves[..., :-1, :]
    along = np.concatenate([steps[..., :1, :], steps[..., 1:, :] + steps[..., :-1, :], steps[..., -1:, :]], axis=-2)
    across = along[..., ::-1] * [-1.0, 1.0] / np.hypot(along[..., :1], along[..., 1:])
    offset = across * np.reshape(half_width, (-1, 1))
    return np.concatenate([curves + offset, (curves - offset)[..., ::-1, :]], axis=-2)


def _ellipse(x: float, y: float, a: float, b: float, tilt: float = 0.0) -> Points:
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    u, v = a * np.cos(angle), b * np.sin(angle)
    return np.column_stack([x + u * np.cos(tilt) - v * np.sin(tilt), y + u * np.sin(tilt) + v * np.cos(tilt)])


def _shaken(rng: np.random.Generator, outline: Points, amount: float) -> Points:
    return outline + amount * rng.standard_normal(outline.shape)


def _soft_tissue(film: _Film, rng: np.random.Generator, body: np.random.Generator) -> tuple[Plane, Plane]:
    """Thickness of soft tissue, and the fraction of air in the lungs before any finding."""
    half = _shaken(body, _TORSO, 0.02)
    torso = _smooth(np.concatenate([half, half[::-1] * [-1.0, 1.0]]))
    tissue = 0.50 * film.fill(torso, blur=0.012) + 0.38 * film.fill(torso, blur=0.10)
    raised = rng.random((2, 1)) < 0.35
    hands = np.where(raised, [2.3, -0.5], [1.55, 1.3]) + [0.12, 0.2] * rng.standard_normal((2, 2))
    arms = ([1.12, 0.0] + np.linspace(0, 1, 12)[:, None] * (hands - [1.12, 0.0])[:, None]) * _FLIP
    tissue += 0.30 * film.fill(_ribbons(arms, np.linspace(0.17, 0.12, 12)), blur=0.02)
    tissue += 0.16 * film.fill(_ribbons(arms, np.linspace(0.045, 0.03, 12)), blur=0.006)
    chin = _ellipse(0.08 * rng.standard_normal(), rng.uniform(-0.75, -0.42), 0.45, 0.26)  # In some pictures only.
    tissue += 0.30 * film.fill(chin, blur=0.012)

    lungs = _smooth(_shaken(body, _LUNG * _FLIP, 0.012))
    heart = _shaken(body, _HEART, 0.012)
    heart[3:14, 0] *= body.uniform(0.88, 1.20)  # Without the great vessels above it.
    if body.random() < 0.3:  # The thymus of a small child widens the upper mediastinum.
        heart[[1, 2, 13, 14, 15], 0] *= body.uniform(1.2, 1.7)
    outline = _smooth(heart)
    shadow = film.fill(outline, blur=0.013)

    x = np.linspace(-1.3, 1.3, 53)
    right, left = body.uniform(0.80, 0.88), body.uniform(0.84, 0.93)
    dome = np.where(x < 0, right, left) + 0.2 * np.clip((np.abs(x) - 0.45) / 0.5, -0.4, 2) ** 2
    belly = np.column_stack([x, np.convolve(np.pad(dome, 4, "edge"), np.full(9, 1 / 9), "valid")])
    abdomen = film.fill(np.concatenate([belly, [[1.3, 2.0], [-1.3, 2.0]]]), blur=0.008)

    air = film.fill(lungs, blur=0.012) * (1 - 0.88 * shadow) * (1 - 0.94 * abdomen)
    tissue += 0.06 * shadow + 0.18 * abdomen + 0.16 * film.fill(outline, blur=0.08)
    if body.random() < 0.6:  # Air in the stomach.
        bubble = _ellipse(body.uniform(0.3, 0.55), left + body.uniform(0.14, 0.24), body.uniform(0.08, 0.2), 0.06)
        tissue -= body.uniform(0.08, 0.22) * film.fill(bubble, blur=0.02)
    trachea = np.column_stack([np.linspace(0.01, -0.03, 9), np.linspace(-0.5, 0.30, 9)])
    tissue -= 0.10 * film.fill(_ribbons(trachea, 0.06), blur=0.015)
    return tissue + 0.03 * film.texture(body, 4) + 0.012 * film.texture(body, 24), air


def _bones(film: _Film, body: np.random.Generator) -> Plane:
    """Thickness of spine, ribs, clavicles and shoulder blades."""
    number = np.arange(10.0)[:, None]
    top = body.uniform(-0.08, -0.02) + body.uniform(0.088, 0.102) * number
    steep, thick = body.uniform(1.0, 1.7), body.uniform(0.013, 0.018)
    wall = np.minimum(0.48 + 0.19 * number - 0.017 * number**2, 0.96)
    wall[5:] = 0.98
    # From the spine to the side, then forward and down to the breastbone.
    turn = np.linspace(0.0, 1.0, 24)
    drop = steep * (0.15 + 0.012 * number)
    x = 0.06 + (wall - 0.06) * np.sin(turn * np.pi / 2)
    y = top - 0.035 * np.sin(np.pi * turn**0.7) + drop * turn**2
    behind = np.stack([x, y], axis=-1)
    x = wall * np.cos(turn * 0.38 * np.pi)
    y = top + drop + steep * (0.14 + 0.02 * number) * np.sin(turn * np.pi / 2) ** 1.3
    before = np.stack([x, y], axis=-1)[:7]
    # A body is never quite symmetric.
    sag = 0.008 * body.standard_normal()
    behind, before = (np.concatenate([one, one * _FLIP[0] + [0.0, sag]]) for one in (behind, before))
    bands = _ribbons(behind, thick * (0.85 + 0.3 * np.sin(np.pi * turn)))
    ribs = film.fill(bands, blur=0.003)
    # The cortex is denser than the marrow: ribs have bright rims, brightest where they turn forward.
    bone: Plane = 0.085 * ribs + 0.22 * np.maximum(ribs - film.fill(bands, blur=0.011), 0)
    bone += 0.06 * film.fill(_ribbons(before, thick * 1.1), blur=0.006)
    bone += 0.09 * film.fill(_ribbons(behind[:, -5:], thick * 0.8), blur=0.008)

    middle = top[0] + (top[1] - top[0]) * (np.arange(-6, 17) + 0.5)
    discs = np.array([[-0.09, 0.0], [0.09, 0.0]]) + np.stack([0 * middle, middle], axis=-1)[:, None]
    column = np.array([[0.0, -0.9], [0.0, 2.0]])
    bone += 0.10 * film.fill(_ribbons(column, 0.105), blur=0.012)
    bone += 0.06 * film.fill(_ribbons(column, 0.035), blur=0.012)
    bone -= 0.06 * film.fill(_ribbons(discs, 0.008), blur=0.006)

    lift, shift = body.uniform(-0.04, 0.05), 0.02 * body.standard_normal((2, 1, 2))
    rise = np.linspace(0, 1, len(_CLAVICLE))[:, None] * [0.0, lift]
    bone += 0.19 * film.fill(_ribbons((_CLAVICLE + rise + shift) * _FLIP, 0.017), blur=0.005)
    bone += 0.06 * film.fill(_smooth((_SCAPULA + shift + np.array([0.06, lift])) * _FLIP), blur=0.008)
    bone += 0.10 * film.fill(_ellipse(1.12, -0.02, 0.09, 0.08) * _FLIP, blur=0.01)  # Heads of the upper arms.
    return bone


def _vessels(film: _Film, body: np.random.Generator) -> Plane:
    """Branching vessels of the lungs and their hila: 0 is none, 1 a thick one."""
    stems, knots, forks = 18, 12, 4
    side = np.repeat([-1.0, 1.0], stems // 2)[:, None]
    length = body.uniform(0.35, 0.62, (stems, 1))

    def grow(start: Points, angle: Points, side: Points, length: Points, knots: int) -> Points:
        wander = np.cumsum(0.16 * body.standard_normal((len(angle), knots)), axis=1)
        step = np.stack([side * np.cos(angle + wander), np.sin(angle + wander)], axis=-1) * (length / knots)[..., None]
        return start + np.cumsum(step, axis=1)

    angle = np.tile(np.linspace(-1.3, 1.45, stems // 2), 2)[:, None] + 0.12 * body.standard_normal((stems, 1))
    root = np.concatenate([side * 0.20, np.full_like(side, 0.44)], axis=1) + 0.03 * body.standard_normal((stems, 2))
    trunks = grow(root[:, None], angle, side, length, knots)
    where = body.integers(2, knots - 2, stems * forks)
    which = np.repeat(np.arange(stems), forks)
    away = angle[which] + body.choice((-1.0, 1.0), (len(which), 1)) * body.uniform(0.3, 0.9, (len(which), 1))
    twigs = grow(trunks[which, where][:, None], away, side[which], 0.4 * length[which], 7)
    hila = _ellipse(0.24, 0.44, 0.07, 0.11, 0.4) * _FLIP
    plane = film.fill(_ribbons(trunks, np.linspace(0.013, 0.003, knots)), blur=0.008)
    plane += 0.8 * film.fill(_ribbons(twigs, np.linspace(0.005, 0.0025, 7)), blur=0.006)
    plane += 0.5 * film.fill(hila, blur=0.03)
    plane *= body.uniform(0.6, 1.1)
    return plane


def _opacity(film: _Film, body: np.random.Generator, subtype: Subtype, difficulty: float) -> Plane:
    """Fraction of the air at each position that the findings replace, in [0, 1)."""
    plane = np.zeros((film.height, film.width), np.float32)
    strength = (1.4 - 0.8 * difficulty) * body.uniform(0.75, 1.25)
    if body.random() < 0.25 * difficulty:  # As in reality, some films hardly show the finding.
        strength *= 0.15
    size = 1.25 - 0.5 * difficulty
    if subtype is Subtype.BACTERIA:
        for _ in range(1 + body.binomial(2, 0.3)):
            side = body.choice((-1.0, 1.0))
            x, y = side * body.uniform(0.35, 0.65), body.uniform(0.25, 0.8)
            a, b = size * body.uniform(0.34, 0.54), size * body.uniform(0.26, 0.42)
            patch = film.fill(_ellipse(x, y, a, b, body.uniform(-0.8, 0.8)), blur=0.05)
            plane = np.maximum(plane, patch)
        plane *= 0.95 * strength * (0.9 + 0.15 * film.texture(body, 12))
    elif subtype is Subtype.VIRUS:
        fields = film.fill(_ellipse(0.45, 0.5, 0.5, 0.5) * _FLIP, blur=0.10)
        # Where smooth noise changes its sign there are winding lines.
        coarse, fine = (np.maximum(1 - 1.1 * np.abs(film.texture(body, bumps)), 0) for bumps in (16, 28))
        cloud = np.clip(0.75 + 0.3 * film.texture(body, 5), 0, 1.3)
        plane += strength * fields * cloud * (0.40 + 0.22 * (coarse + fine))
    return plane.clip(0.0, 0.92)


def _develop(film: _Film, rng: np.random.Generator, dense: Plane) -> npt.NDArray[np.uint8]:
    """Gray levels from thickness: scatter, film curve, grain, marker, edge of the field."""
    small = cv2.resize(dense, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
    dense = 0.9 * dense + 0.1 * film.enlarged(cv2.GaussianBlur(small, (0, 0), 2.0))
    # The exposure makes the densest parts always equally bright.
    level = np.clip(dense / np.quantile(small, 0.97), 0, None)
    gamma, base = rng.uniform(0.9, 1.25), rng.uniform(0.03, 0.12)
    level = base + (rng.uniform(0.82, 0.93) - base) * level**gamma
    # Film grain: fine, and in clumps.
    grain = rng.random(dense.shape, dtype=np.float32) * np.float32(12**0.5) - np.float32(3**0.5)
    level += rng.uniform(0.006, 0.02) * (0.5 * grain + 1.5 * cv2.GaussianBlur(grain, (0, 0), 0.9))
    gray: npt.NDArray[np.uint8] = np.clip(255 * level, 0, 255).astype(np.uint8)
    if rng.random() < 0.85:  # The letter of the patient's right side, at the left of the picture.
        where = (int(film.width * rng.uniform(0.02, 0.10)), int(film.height * rng.uniform(0.10, 0.45)))
        size, shade = film.height / 480 * rng.uniform(0.8, 1.4), int(rng.integers(170, 256))
        cv2.putText(gray, "R", where, cv2.FONT_HERSHEY_SIMPLEX, size, shade, 1, cv2.LINE_AA)
    if rng.random() < 0.2:  # The collimator's edge, a black margin.
        low, high = rng.integers(1, 6, 2)
        gray[:, :low] = gray[:, film.width - high :] = 4
    return gray
