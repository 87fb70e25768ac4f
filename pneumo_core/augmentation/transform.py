"""Random changes to training images: settings -> parameters -> images, without any training framework.

The geometry has the meaning of Keras' legacy ``ImageDataGenerator`` (``keras.src.legacy.preprocessing.image`` of
Keras 3.15, `get_random_transform` and `apply_affine_transform`), because the report was trained with it. An output
pixel at ``p`` (x to the right, y downwards, seen from the image's center) shows the input at::

    R(rotation_deg) · (diag(zoom_x, zoom_y) · p + (shift_x · width, shift_y · height))

by linear interpolation, where what lies outside the image repeats its edge (``fill_mode="nearest"``); flips come after.
So a zoom factor above 1 shows *more* of the scene, a positive angle turns the picture counterclockwise, and a positive
shift moves it to the left or upwards. One thing differs on purpose: Keras swaps width and height in the center of a
non-square image, and here the center is the true one. On squares, which is what models take, the two agree.

Everything is a pure function of its arguments, so threads may share it; the only randomness is the generator passed in.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from pneumo_core.config.augment import ADDED_LATER, AugmentConfig
from pneumo_core.errors import DataError

_MAX_GRAY: Final = 255.0

_DRAWS_PER_IMAGE: Final = 10
"""Uniform numbers that an image takes from the generator, whichever changes are on. What was added later is drawn from a
generator of the image's own, seeded by these ten: a run of an earlier version keeps its images."""

_OWN_DRAWS: Final = 10
"""Uniform numbers from the image's own generator; the pixels of its noise come from another, seeded by the last of them."""

_FINE: Final = 1.0
"""Standard deviation, in pixels, of the blur whose difference from the image is the detail that `sharpness` changes."""


@dataclass(frozen=True, slots=True, eq=False)
class AugmentParameters:
    """Changes of each image of a batch; every array has shape ``(batch,)``.

    Attributes:
        zoom_x: Factor on horizontal distances from the center in the input, float, above 0; Keras' ``zx``.
        zoom_y: The same for vertical distances; Keras' ``zy``.
        rotation_deg: Angle in degrees, float, counterclockwise; Keras' ``theta``.
        shift_x: Shift to the left as a fraction of the width, float; Keras' ``tx / width``.
        shift_y: Shift upwards as a fraction of the height, float; Keras' ``ty / height``.
        flip_horizontal: Whether the image is mirrored left to right, bool.
        flip_vertical: Whether the image is mirrored top to bottom, bool.
        contrast: Factor on each pixel's difference from the image's mean, float, at least 0.
        brightness: Offset in gray levels, float.
        blur_sigma: Standard deviation of the Gaussian blur in pixels, float, at least 0; 0 is none.
        aspect: Factor on the ratio of horizontal to vertical distances in the input, float, above 0.
        resolution: Fraction of the pixels per side that the image is reduced to, float, in (0, 1]; 1 is none.
        sharpness: Factor on the detail, float, at least 0; 1 is none.
        gamma: Exponent of the gray levels as fractions of 255, float, above 0; 1 is none.
        noise: Standard deviation of Gaussian noise in gray levels, float, at least 0.
        noise_seed: Seed of the noise, uint64.
        jpeg_quality: Quality of a JPEG compression, float, in [5, 100]; 0 is none.
        cutout: Side of the filled square as a fraction of the image's, float, at least 0.
        cutout_x: Position of the square, float: 0 is at the left, 1 at the right.
        cutout_y: The same from the top to the bottom.
    """

    zoom_x: npt.NDArray[np.float64]
    zoom_y: npt.NDArray[np.float64]
    rotation_deg: npt.NDArray[np.float64]
    shift_x: npt.NDArray[np.float64]
    shift_y: npt.NDArray[np.float64]
    flip_horizontal: npt.NDArray[np.bool_]
    flip_vertical: npt.NDArray[np.bool_]
    contrast: npt.NDArray[np.float64]
    brightness: npt.NDArray[np.float64]
    blur_sigma: npt.NDArray[np.float64]
    aspect: npt.NDArray[np.float64]
    resolution: npt.NDArray[np.float64]
    sharpness: npt.NDArray[np.float64]
    gamma: npt.NDArray[np.float64]
    noise: npt.NDArray[np.float64]
    noise_seed: npt.NDArray[np.uint64]
    jpeg_quality: npt.NDArray[np.float64]
    cutout: npt.NDArray[np.float64]
    cutout_x: npt.NDArray[np.float64]
    cutout_y: npt.NDArray[np.float64]

    def __len__(self) -> int:
        """Number of images."""
        return self.zoom_x.size


def draw_parameters(config: AugmentConfig, count: int, rng: np.random.Generator) -> AugmentParameters:
    """Draw the changes of `count` images.

    Every image takes the same amount of numbers from `rng`, whatever `config` is. Turning one change on therefore leaves the
    others unchanged for the same seed, and drawing for 8 images equals drawing for 3 and then for 5.

    Args:
        config: Ranges to draw from, each uniformly and independently; flips happen with probability 1/2. Aspect, resolution
            and gamma, which are factors, are drawn uniformly in their logarithms.
        count: Number of images, at least 0.
        rng: Random number generator; it advances equally for every `config`.

    Returns:
        Parameters of `count` images.
    """
    # (10, count) in [0, 1), drawn image by image.
    uniform = rng.random((count, _DRAWS_PER_IMAGE)).T
    # (10, count) in [-1, 1): a range of 0 gives its center exactly.
    signed = 2.0 * uniform - 1.0
    zoom_x = 1.0 + config.zoom * signed[0]
    own = _own_uniform(uniform) if any(getattr(config, name) for name in ADDED_LATER) else np.zeros((_OWN_DRAWS, count))
    own_signed = 2.0 * own - 1.0
    return AugmentParameters(
        zoom_x=zoom_x,
        zoom_y=zoom_x if config.zoom_keeps_aspect else 1.0 + config.zoom * signed[1],
        rotation_deg=config.rotation_deg * signed[2],
        shift_x=config.shift * signed[3],
        shift_y=config.shift * signed[4],
        flip_horizontal=(uniform[5] < 0.5) & config.horizontal_flip,
        flip_vertical=(uniform[6] < 0.5) & config.vertical_flip,
        contrast=1.0 + config.contrast * signed[7],
        brightness=_MAX_GRAY * config.brightness * signed[8],
        blur_sigma=config.blur_sigma * uniform[9],
        aspect=(1.0 + config.aspect) ** own_signed[0],
        resolution=(1.0 - config.resolution) ** own[1],
        sharpness=1.0 + config.sharpness * own_signed[2],
        gamma=(1.0 + config.gamma) ** own_signed[3],
        noise=_MAX_GRAY * config.noise * own[4],
        noise_seed=(own[9] * 2**53 * bool(config.noise)).astype(np.uint64),
        jpeg_quality=100.0 - config.jpeg * own[5] if config.jpeg else np.zeros(count),
        cutout=config.cutout * own[6],
        cutout_x=own[7] * bool(config.cutout),
        cutout_y=own[8] * bool(config.cutout),
    )


def _own_uniform(uniform: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Further uniform numbers of each image, (_OWN_DRAWS, count) in [0, 1), which follow from its first ten."""
    seeds = (uniform.T * 2**53).astype(np.uint64)
    return np.array([np.random.default_rng(seed).random(_OWN_DRAWS) for seed in seeds]).reshape(-1, _OWN_DRAWS).T


def apply(images: npt.NDArray[np.uint8], parameters: AugmentParameters) -> npt.NDArray[np.float32]:
    """Change each image by its parameters.

    Geometry, flips, resolution, blur, sharpness, gamma, contrast, brightness, noise, JPEG, cutout, in this order: what the
    child and the machine do, then what the file does. Geometry is one affine warp. The contrast's center is the mean of the
    image as it is by then. Values are clipped to [0, 255] once, at the end, and before gamma and JPEG, which need it; JPEG
    rounds to whole gray levels. An image whose parameters change nothing comes back exactly.

    Args:
        images: ``(batch, height, width)`` uint8 gray; not written to.
        parameters: One entry per image.

    Returns:
        ``(batch, height, width)`` float32 in [0, 255], a new array. Models take float; it costs no more than uint8
        here and loses nothing to rounding.

    Raises:
        DataError: `images` has another type or shape, or another number of images than `parameters`.
    """
    if images.dtype != np.uint8 or images.ndim != 3 or 0 in images.shape[1:]:
        raise DataError(
            "images must be uint8 gray of shape (batch, height, width) with at least one pixel. "
            f"Received: dtype={images.dtype}, shape={images.shape}; decode them with pneumo_core.data"
        )
    if len(images) != len(parameters):
        raise DataError(
            "images and parameters must be equal in number. "
            f"Received: images={len(images)}, parameters={len(parameters)}; draw the parameters for this batch"
        )
    out = np.array(images, dtype=np.float32, order="C")  # a plain array, also of a memory-mapped slice
    height, width = images.shape[1:]
    matrices = _sampling_matrices(parameters, height, width)
    for i in np.flatnonzero(_warps(parameters)):
        out[i] = cv2.warpAffine(
            out[i],
            matrices[i],
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    for i in np.flatnonzero(parameters.flip_horizontal):
        out[i] = out[i, :, ::-1]
    for i in np.flatnonzero(parameters.flip_vertical):
        out[i] = out[i, ::-1]
    for i in np.flatnonzero(parameters.resolution != 1):
        small = max(1, round(width * parameters.resolution[i])), max(1, round(height * parameters.resolution[i]))
        out[i] = cv2.resize(
            cv2.resize(out[i], small, interpolation=cv2.INTER_AREA), (width, height), interpolation=cv2.INTER_LINEAR
        )
    for i in np.flatnonzero(parameters.blur_sigma):
        # OpenCV truncates the kernel of a float image at about 4 sigma.
        out[i] = cv2.GaussianBlur(out[i], (0, 0), float(parameters.blur_sigma[i]), borderType=cv2.BORDER_REPLICATE)
    for i in np.flatnonzero(parameters.sharpness != 1):
        detail = out[i] - cv2.GaussianBlur(out[i], (0, 0), _FINE, borderType=cv2.BORDER_REPLICATE)
        out[i] += (parameters.sharpness[i] - 1.0) * detail
    for i in np.flatnonzero(parameters.gamma != 1):
        np.clip(out[i], 0.0, _MAX_GRAY, out=out[i])
        out[i] = _MAX_GRAY * cv2.pow(out[i] / _MAX_GRAY, float(parameters.gamma[i]))
    for i in np.flatnonzero((parameters.contrast != 1) | (parameters.brightness != 0)):
        factor = float(parameters.contrast[i])
        offset = (1.0 - factor) * float(out[i].mean(dtype=np.float64)) + float(parameters.brightness[i])
        out[i] *= factor
        out[i] += offset
    for i in np.flatnonzero(parameters.noise):
        drawn = np.random.default_rng(parameters.noise_seed[i]).standard_normal((height, width), np.float32)
        out[i] += float(parameters.noise[i]) * drawn
    for i in np.flatnonzero(parameters.jpeg_quality):
        np.clip(out[i], 0.0, _MAX_GRAY, out=out[i])
        out[i] = _compressed(out[i], round(parameters.jpeg_quality[i]))
    for i in np.flatnonzero(parameters.cutout):
        _cut_out(out[i], parameters.cutout[i], parameters.cutout_x[i], parameters.cutout_y[i])
    # Also after a warp or a blur alone: interpolation weights may sum to slightly more than 1.
    return np.clip(out, 0.0, _MAX_GRAY, out=out)


def augment(images: npt.NDArray[np.uint8], config: AugmentConfig, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Change each image at random: `draw_parameters`, then `apply`, which say more.

    Raises:
        DataError: `images` has another type or shape.
    """
    return apply(images, draw_parameters(config, len(images), rng))


def _compressed(image: npt.NDArray[np.float32], quality: int) -> npt.NDArray[np.uint8]:
    """An image in [0, 255] after JPEG compression."""
    _, data = cv2.imencode(".jpg", np.rint(image).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def _cut_out(image: npt.NDArray[np.float32], share: float, x: float, y: float) -> None:
    """Fill a square inside an image with the image's mean; its side is a share of the shorter one."""
    height, width = image.shape
    side = round(share * min(height, width))
    top, left = round(y * (height - side)), round(x * (width - side))
    image[top : top + side, left : left + side] = image.mean(dtype=np.float64)


def _warps(parameters: AugmentParameters) -> npt.NDArray[np.bool_]:
    """Whether the affine map changes each image, ``(batch,)`` bool."""
    warps: npt.NDArray[np.bool_] = (
        (parameters.zoom_x != 1)
        | (parameters.zoom_y != 1)
        | (parameters.rotation_deg != 0)
        | (parameters.aspect != 1)
        | (parameters.shift_x != 0)
        | (parameters.shift_y != 0)
    )
    return warps


def _sampling_matrices(parameters: AugmentParameters, height: int, width: int) -> npt.NDArray[np.float64]:
    """Affine maps from output to input pixels (x, y), ``(batch, 2, 3)``; the module's docstring has the formula."""
    angle = np.deg2rad(parameters.rotation_deg)
    cos, sin = np.cos(angle), np.sin(angle)
    # Pixel centers lie on whole numbers, so a row of n pixels has its center at (n - 1) / 2.
    center = np.array([(width - 1) / 2, (height - 1) / 2])
    rotation = np.stack([cos, -sin, sin, cos], axis=-1).reshape(-1, 2, 2)
    stretch = np.sqrt(parameters.aspect)
    linear = rotation * np.stack([parameters.zoom_x * stretch, parameters.zoom_y / stretch], axis=-1)[:, np.newaxis, :]
    shift = np.stack([parameters.shift_x * width, parameters.shift_y * height], axis=-1)
    offset = center + np.einsum("nij,nj->ni", rotation, shift) - linear @ center
    return np.concatenate([linear, offset[:, :, np.newaxis]], axis=2)
