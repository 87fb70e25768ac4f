"""The tests of a model's heat maps, run once and stored with the run (`evaluation.trust` holds their outcome).

* Weights (Adebayo 2018, arXiv:1810.03292): a map of the network with shuffled weights must differ from the model's own.
* Deletion and insertion (Petsiuk 2018, arXiv:1806.07421, section 4.2): where the strongest cells of a map are grayed first, the
  logit must fall sooner, and where they are uncovered first, rise sooner than in another order. Of the logit and not of the
  probability, which is 0 or 1 for most images. Single cells in random order are one control, but not a fair one: gray squares
  all over an image disturb a network more than one patch, wherever that is. The other has the map's own order at a random
  place: as closed a patch, elsewhere.
* Noise that hardly moves the logit must hardly move the map.
* Center: less of the map must lie outside the central region of the chest than of an even map.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from pneumo_core.evaluation.trust import ALIKE, Check, Measured, Trust, judged, mean_estimate
from pneumo_core.inference.session import Session, load_session, run_many
from pneumo_core.inference.shuffled import shuffled
from pneumo_core.inference.spots import area_outside, rank_correlation, share_outside
from pneumo_core.inference.trust import FEW_PATIENTS
from pneumo_core.records import NotApplicable, Split

SEED: Final = 0

IMAGES: Final = 64
"""Most validation images that are used, each of another patient: 3,136 runs of the model, which took the published baseline
25 s and VGG16 4 min of processor time, so half of that on two cores."""

SHUFFLES: Final = 5
STEPS: Final = 8
"""Parts that an image is grayed or uncovered in: each is an eighth of its area."""

IMAGES_OF_QUICK: Final = 16
"""The same of a quick run."""

PATIENTS: Final = 30
"""Minimum number of validation patients: with fewer, no test would show anything."""

NOISE: Final = 2.0
"""Standard deviation of the noise, in gray levels of 256: too weak to be seen."""

BLUR: Final = 0.05
"""Radius of the blur that insertion starts from, as a share of the image's side: it leaves no outline of a rib."""

Images = NDArray[np.uint8]
Maps = NDArray[np.float32]
Progress = Callable[[int, int], None]


def chosen_images(predictions: pd.DataFrame, *, is_quick: bool) -> pd.DataFrame | NotApplicable:
    """Rows of a run's validation images that its heat maps are tested on: one of each patient drawn, by the seed.

    Those of a quick run are few, or the tests would take longer than its training.
    """
    own = predictions[predictions["split"] == Split.VAL.value]
    drawn = own.sample(frac=1, random_state=SEED).drop_duplicates("patient_id")
    return FEW_PATIENTS if len(drawn) < PATIENTS else drawn.head(IMAGES_OF_QUICK if is_quick else IMAGES)


def run_tests(model: bytes, images: Images, progress: Progress = lambda _done, _total: None) -> Trust:
    """Test a model's heat maps.

    Args:
        model: ONNX file of the classifier.
        images: `(n, size, size)` uint8, n above 0, each of another patient, as the model takes them.
        progress: Called with runs of the model done and their total; it may raise to stop.

    Raises:
        CorruptError: The file is not a classifier exported by this project.
    """
    session, count = load_session(model), len(images)
    whole = count * (2 + SHUFFLES + _RUNS)

    def after(done: int) -> Progress:
        return lambda more, _total: progress(done + more, whole)

    rng = np.random.default_rng(SEED)
    noise = rng.normal(0, NOISE, images.shape)
    noisy = np.clip(np.rint(images + noise), 0, 255).astype(np.uint8)
    own, moved = (run_many(session, some, count, after(n * count)) for n, some in enumerate((images, noisy)))
    maps = own.cam
    others = [
        run_many(load_session(shuffled(model, seed)), images, count, after((2 + seed) * count)).cam
        for seed in range(SHUFFLES)
    ]
    gains = np.zeros((count, len(_GAINS)))
    for row, (image, cam) in enumerate(zip(images, maps, strict=True)):
        gains[row] = order_gains(session, image, cam, rng, after((2 + SHUFFLES) * count + row * _RUNS))
    logit = own.logit.astype(np.float64)
    return Trust(
        split=Split.VAL,
        n=count,
        seed=SEED,
        shuffles=SHUFFLES,
        noise=NOISE,
        logit_change=float(np.median(np.abs(moved.logit - logit))),
        logit_spread=float(logit.std()),
        checks={
            Check.WEIGHTS: weights_check(maps, others),
            **{check: _held(check, gains[:, place], 0.0) for place, check in enumerate(_GAINS)},
            Check.NOISE: noise_check(maps, moved.cam),
            Check.CENTER: center_check(maps),
        },
    )


def between_patients(maps: Maps) -> NDArray[np.float64]:
    """Rank correlation of each two of the maps, `(n, h, w)`, of different patients."""
    return np.array([rank_correlation(a, b) for a, b in combinations(maps, 2)])


def weights_check(maps: Maps, others: Sequence[Maps]) -> Measured | NotApplicable:
    """Whether maps of the shuffled network, `(n, h, w)` for each shuffle, have less in common with the model's own than usual.

    One shuffle's maps are of one network, so the interval is the wider one of those over images and over shuffles.
    """
    alike = np.array([[rank_correlation(a, b) for a, b in zip(maps, other, strict=True)] for other in others])
    over_images, over_shuffles = mean_estimate(alike.mean(axis=0)), mean_estimate(alike.mean(axis=1))
    if isinstance(over_images, NotApplicable):
        return over_images
    if isinstance(over_shuffles, NotApplicable):
        return over_shuffles
    low, high = min(over_images.low, over_shuffles.low), max(over_images.high, over_shuffles.high)
    limit = float(between_patients(maps).mean())
    return judged(Check.WEIGHTS, replace(over_images, low=max(-1.0, low), high=min(1.0, high)), limit)


def noise_check(maps: Maps, moved: Maps) -> Measured | NotApplicable:
    """Whether maps under noise, `(n, h, w)`, are nearer to their own than nearly all maps of two patients are."""
    alike = np.array([rank_correlation(a, b) for a, b in zip(maps, moved, strict=True)])
    if len(maps) < 2:
        return _held(Check.NOISE, alike, 0.0)
    return _held(Check.NOISE, alike, float(np.quantile(between_patients(maps), ALIKE)))


def center_check(maps: Maps) -> Measured | NotApplicable:
    """Whether less of the maps lies outside the central region than of an even map; of maps that are not empty."""
    shares = [share for share in map(share_outside, maps) if not isinstance(share, NotApplicable)]
    return _held(Check.CENTER, np.array(shares), area_outside())


def order_gains(
    session: Session,
    image: NDArray[np.uint8],
    cam: NDArray[np.float32],
    rng: np.random.Generator,
    progress: Progress = lambda _done, _total: None,
) -> NDArray[np.float64]:
    """Areas under the curves of the logit in a map's order, less those in another order, in logits.

    Args:
        session: The model.
        image: `(size, size)` uint8.
        cam: `(h, w)`, the image's map.
        rng: Source of the other orders.
        progress: See `run_tests`.

    Returns:
        `(4,)`: deletion and insertion against the order at a random place, then against single cells in random order.
    """
    size = image.shape[0]
    order = _order(cam, rng)
    place = np.roll(order, tuple(rng.integers(0, order.shape)), axis=(0, 1))
    orders = (order, place[:, ::-1] if rng.random() < 0.5 else place, rng.permutation(order.size).reshape(order.shape))
    gray = np.full_like(image, round(float(image.mean())))
    blurred = np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(BLUR * size)))

    def changed() -> Iterator[NDArray[np.uint8]]:
        for one in orders:
            for step in range(1, STEPS):
                strongest = _cells(one < round(one.size * step / STEPS), size)
                yield np.where(strongest, gray, image)
                yield np.where(strongest, image, blurred)

    logit = run_many(session, changed(), _RUNS, progress).logit.astype(np.float64)
    # All orders begin and end with the same images, so the ends of the curves cancel and only the steps between remain.
    areas = logit.reshape(len(orders), STEPS - 1, 2).sum(axis=1) / STEPS
    return np.concatenate([areas[0] - areas[1], areas[0] - areas[2]])


_GAINS: Final = (Check.DELETION, Check.INSERTION, Check.DELETION_RANDOM, Check.INSERTION_RANDOM)
"""Tests in the order of `order_gains`."""

_RUNS: Final = 3 * 2 * (STEPS - 1)
"""Runs of the model that `order_gains` takes: three orders, deleted and inserted."""


def _order(cam: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.int64]:
    """Place of each cell in the order of a map, the strongest first; equal cells in random order."""
    by_value = np.lexsort((rng.random(cam.size), -cam.ravel()))
    order = np.empty(cam.size, np.int64)
    order[by_value] = np.arange(cam.size)
    return order.reshape(cam.shape)


def _cells(chosen: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """Pixels of the chosen cells of a grid, `(size, size)`."""
    rows, columns = (np.arange(size) * length // size for length in chosen.shape)
    pixels: NDArray[np.bool_] = chosen[np.ix_(rows, columns)]
    return pixels


def _held(check: Check, values: NDArray[np.float64], limit: float) -> Measured | NotApplicable:
    found = mean_estimate(values)
    return found if isinstance(found, NotApplicable) else judged(check, found, limit)
