"""The report of a generator: fidelity, diversity and memorization of its samples.

Each measure that depends on the number of images has a reference, the value of real images against real images of other
patients: a floor for distances, a ceiling for precision and recall.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pneumo_core.config.gan import LEAST_PATIENTS
from pneumo_core.errors import DataError
from pneumo_core.evaluation.generator.collapse import Collapse, collapse
from pneumo_core.evaluation.generator.discrepancy import fid, frechet_distance, kid, kid_of_halves, moments
from pneumo_core.evaluation.generator.memorisation import Memorisation, memorisation
from pneumo_core.evaluation.generator.neighbours import (
    nearest_apart,
    precision_recall,
    shares_within,
    squared_distances,
    squared_radii,
)
from pneumo_core.evaluation.generator.ssim import SMALLEST
from pneumo_core.evaluation.intervals import wilson
from pneumo_core.evaluation.metrics import FloatArray, IntArray
from pneumo_core.evaluation.probability import probability
from pneumo_core.records import Estimate, NotApplicable

KID_SPLITS: Final = 10_000
"""Number of random halves of the real patients for KID's floor, which has heavy tails about 0: ten of them say nothing of its
ends. All are computed from one kernel matrix, in seconds."""

SPLITS: Final = 100
"""Number of random halves for FID, precision and recall, each with its own eigenvalues and distances. A 97.5th percentile of N
normal values has a standard error of 2.7 standard deviations / sqrt(N) (David and Nagaraja 2003, Order Statistics, section
10.2); docs/results.md has the measured ones."""

_METHODS: Final = (
    "95 % intervals. KID (unbiased, kernel (x.y/d + 1)^3, pairs of one patient left out) and FID: delete-a-group jackknife "
    "over whole patients and blocks of samples, Student's t. Precision and recall (k = 3), memorisation and the classifier's "
    "view: Wilson (1927), recall clustered by patient. MS-SSIM: Student's t over disjoint pairs, real ones of different "
    "patients. Floors, ceilings and matched values: mean and 2.5th to 97.5th percentile over random splits of the real "
    f"patients into halves, {KID_SPLITS:,} for KID (the permutation distribution of Gretton et al. 2012, with whole patients) "
    f"and {SPLITS} for the others. Of FID, precision and recall they compare equal numbers of images (one half, or as many "
    "samples, against the other half), since those depend on the number. KID does not, and its floor is about 0, so its ratio "
    "is to the upper end of the floor's range; that end falls as real images are added. A ratio's interval is the measured "
    "value's alone: it takes the floor as known."
)


@dataclass(frozen=True, slots=True)
class Features:
    """Feature vectors of real and generated images from one model.

    Attributes:
        space: Name of the model and layer; values from different spaces are not comparable.
        real: (n, d), finite.
        generated: (m, d), finite.
    """

    space: str
    real: NDArray[Any]
    generated: NDArray[Any]


@dataclass(frozen=True, slots=True)
class FeatureMeasures:
    """Measures in a feature space.

    Real against real: `*_floor` and `*_ceiling` are the mean over splits of the real patients into halves, with the range of
    the middle 95 % of splits. `*_matched` is the generated images' value at those numbers of images, over the same splits.

    Attributes:
        space: Name of the feature space; values from different spaces are not comparable.
        kid: Kernel inception distance of all images; unbiased, so it is directly comparable with its floor.
        kid_floor: Its floor, of halves of all images; about 0, and it can be negative.
        kid_ratio: `kid` divided by the upper end of the floor's range: at most 1 if real images differ as much.
        kid_ratio_to_mean: `kid` divided by the floor's mean, if the floor's range excludes 0.
        fid: Frechet distance of all images; biased upwards, so it is not comparable with its floor.
        fid_matched: FID of samples against a half of the real images.
        fid_floor: FID of the other half against it.
        fid_ratio: `fid_matched` divided by the upper end of the floor's range.
        fid_ratio_to_mean: `fid_matched` divided by the floor's mean.
        precision: Fraction of samples in the real images' manifold, all images.
        precision_matched: The same of samples against a half of the real images.
        precision_ceiling: The same of the other half against it.
        recall: Fraction of real images in the samples' manifold, all images.
        recall_matched: The same of a half of the real images against samples.
        recall_ceiling: The same of that half against the other.
    """

    space: str
    kid: Estimate
    kid_floor: Estimate
    kid_ratio: Estimate | NotApplicable
    kid_ratio_to_mean: Estimate | NotApplicable
    fid: Estimate
    fid_matched: Estimate
    fid_floor: Estimate
    fid_ratio: Estimate | NotApplicable
    fid_ratio_to_mean: Estimate | NotApplicable
    precision: Estimate | NotApplicable
    precision_matched: Estimate
    precision_ceiling: Estimate
    recall: Estimate | NotApplicable
    recall_matched: Estimate
    recall_ceiling: Estimate


@dataclass(frozen=True, slots=True)
class GenerativeReport:
    """Measures of a generator's samples.

    Attributes:
        image_size: Side of the images, in pixels.
        n_patients: Patients of the real images.
        seed: Seed of the splits, pairs and groups.
        collapse: Check for collapse, with the MS-SSIM of samples and of real images.
        memorisation_pixels: Nearest training images by their pixels.
        memorisation_features: Nearest training images by their features.
        called_pneumonia: Fraction of samples that a classifier classifies as PNEUMONIA.
        methods: Description of the methods, for people.
    """

    image_size: int
    n_real: int
    n_patients: int
    n_generated: int
    seed: int
    features: FeatureMeasures | NotApplicable
    collapse: Collapse
    memorisation_pixels: Memorisation
    memorisation_features: Memorisation | NotApplicable
    called_pneumonia: Estimate | NotApplicable
    methods: str


def measure(
    real: NDArray[Any],
    patients: NDArray[Any],
    generated: NDArray[Any],
    *,
    features: Features | NotApplicable,
    logits: NDArray[Any] | NotApplicable,
    threshold: float = 0.5,
    seed: int = 0,
) -> GenerativeReport:
    """All measures of a generator.

    It takes seconds on one core, most of them for FID's eigenvalues. If other programs keep the cores busy, let the linear
    algebra use one thread (``OPENBLAS_NUM_THREADS=1`` before NumPy is imported): its threads wait for each other at every step.

    Args:
        real: The images it was trained on, (n, size, size) uint8, size at least 11.
        patients: Patient of each, (n,), at least `LEAST_PATIENTS` of them.
        generated: Samples, (m, size, size) uint8, m at least `LEAST_PATIENTS`.
        features: Features of both, in the same order, or the reason why there are none.
        logits: A classifier's logits of the samples, (m,), or the reason why there are none.
        threshold: Samples with at least this probability are classified as PNEUMONIA; in [0, 1].
        seed: Seed of the splits, pairs and groups.

    Raises:
        DataError: The arrays are not as described.
    """
    _require_images(real, patients, generated)
    apart = nearest_apart(real, patients)[1]
    in_features: FeatureMeasures | NotApplicable
    copies: Memorisation | NotApplicable
    if isinstance(features, NotApplicable):
        in_features = copies = features
    else:
        if (len(features.real), len(features.generated)) != (len(real), len(generated)):
            raise DataError(
                f"features must be of the same images. Received: features={len(features.real)} and "
                f"{len(features.generated)}, images={len(real)} and {len(generated)}; compute them again"
            )
        in_features = feature_measures(features, patients, seed=seed)
        copies = memorisation(features.generated, features.real, patients)
    return GenerativeReport(
        image_size=real.shape[1],
        n_real=len(real),
        n_patients=len(np.unique(patients)),
        n_generated=len(generated),
        seed=seed,
        features=in_features,
        collapse=collapse(generated, real, patients, seed=seed, real_distances=apart),
        memorisation_pixels=memorisation(generated, real, patients, apart),
        memorisation_features=copies,
        called_pneumonia=_called_pneumonia(logits, len(generated), threshold),
        methods=_METHODS,
    )


def feature_measures(
    features: Features, patients: NDArray[Any], *, seed: int = 0, kid_splits: int = KID_SPLITS, splits: int = SPLITS
) -> FeatureMeasures:
    """KID, FID, precision and recall, with the values of real images against each other.

    Args:
        features: Features of real and generated images.
        patients: Patient of each real image, (n,).
        seed: Seed of the splits and groups.
        kid_splits: Number of splits for KID's floor.
        splits: Number of splits for the others.

    Raises:
        DataError: The features are not as described, or of fewer than `LEAST_PATIENTS` patients or samples.
    """
    real, generated = features.real, features.generated
    whole_kid, whole_fid = kid(real, generated, patients, seed=seed), fid(real, generated, patients, seed=seed)
    whole = precision_recall(real, generated, patients)
    names, patient = np.unique(patients, return_inverse=True)
    kid_floor = _spread(kid_of_halves(real, patient, halves(len(names), kid_splits, seed=seed)), len(real))
    *values, sizes = zip(*_at_equal_numbers(real, generated, patient, splits, seed), strict=True)
    n = round(float(np.mean(sizes)))
    fid_matched, fid_floor, *shares = (_spread(of_splits, n) for of_splits in values)
    return FeatureMeasures(
        space=features.space,
        kid=whole_kid,
        kid_floor=kid_floor,
        kid_ratio=ratio(whole_kid, kid_floor.high, "the upper end of the floor's range"),
        kid_ratio_to_mean=_ratio_to_mean(whole_kid, kid_floor),
        fid=whole_fid,
        fid_matched=fid_matched,
        fid_floor=fid_floor,
        fid_ratio=ratio(fid_matched, fid_floor.high, "the upper end of the floor's range"),
        fid_ratio_to_mean=_ratio_to_mean(fid_matched, fid_floor),
        precision=whole.precision,
        precision_matched=shares[0],
        precision_ceiling=shares[2],
        recall=whole.recall,
        recall_matched=shares[1],
        recall_ceiling=shares[3],
    )


def halves(patients: int, splits: int, *, seed: int = 0) -> NDArray[np.bool_]:
    """Random halves of the patients: whether each one is in the first half, (splits, patients).

    Args:
        patients: Number of patients.
        splits: Number of halves. Fewer of the same seed are the first of more.
        seed: Their seed.
    """
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(patients) < patients // 2 for _ in range(splits)])


def _at_equal_numbers(
    real: NDArray[Any], generated: NDArray[Any], patient: IntArray, splits: int, seed: int
) -> Iterator[tuple[float, ...]]:
    """For each split: FID, its floor, precision, recall, their ceilings, and the number of images."""
    rng = np.random.default_rng(seed)
    apart = squared_distances(real, real)
    for in_first in halves(int(patient.max()) + 1, splits, seed=seed):
        first, second = np.flatnonzero(in_first[patient]), np.flatnonzero(~in_first[patient])
        size = min(len(first), len(generated))
        ours = generated[rng.choice(len(generated), size, replace=False)]
        theirs = rng.choice(first, size, replace=False)
        reference, radii = moments(real[second]), squared_radii(apart[np.ix_(second, second)])
        yield (
            frechet_distance(reference, moments(ours)),
            frechet_distance(reference, moments(real[theirs])),
            *shares_within(squared_distances(real[second], ours), radii, squared_radii(squared_distances(ours, ours))),
            *shares_within(apart[np.ix_(second, theirs)], radii, squared_radii(apart[np.ix_(theirs, theirs)])),
            size + len(second),
        )


def ratio(measured: Estimate, unit: float, name: str) -> Estimate | NotApplicable:
    """A measured value as a multiple of the real images' value; its interval is only that of the measured value.

    Args:
        measured: The value.
        unit: The divisor.
        name: Name of the divisor, for the reason if it is not above 0.
    """
    if unit <= 0:
        return NotApplicable(f"{name} is {unit:.3g}, and a ratio needs one above 0")
    return Estimate(measured.value / unit, measured.low / unit, measured.high / unit, measured.n)


def _ratio_to_mean(measured: Estimate, floor: Estimate) -> Estimate | NotApplicable:
    if floor.low <= 0 <= floor.high:
        return NotApplicable(f"the floor's range holds 0 ({floor.low:.3g} to {floor.high:.3g})")
    return ratio(measured, floor.value, "the floor's mean")


def _spread(values: Sequence[float] | FloatArray, n: int) -> Estimate:
    low, high = np.percentile(values, (2.5, 97.5)).tolist()
    return Estimate(value=float(np.mean(values)), low=low, high=high, n=n)


def _require_images(real: NDArray[Any], patients: NDArray[Any], generated: NDArray[Any]) -> None:
    received = f"Received: real={real.shape} {real.dtype}, generated={generated.shape} {generated.dtype}"
    if not (
        real.ndim == generated.ndim == 3
        and real.dtype == generated.dtype == np.uint8
        and real.shape[1] == real.shape[2] >= SMALLEST
        and real.shape[1:] == generated.shape[1:]
    ):
        raise DataError(
            f"measures require images (n, size, size) uint8 of one size, at least {SMALLEST} pixels. {received}; resize the "
            "real images to the generator's size"
        )
    if np.shape(patients) != (len(real),):
        raise DataError(
            f"patients must be (n,), one per real image. Received: patients={np.shape(patients)}, {received[10:]}"
        )
    if min(n_patients := len(np.unique(patients)), len(generated)) < LEAST_PATIENTS:
        raise DataError(
            f"measures require {LEAST_PATIENTS} samples and real images of {LEAST_PATIENTS} patients, so that halves of the "
            f"patients have neighbors. Received: samples={len(generated)}, patients={n_patients}; use more"
        )


def _called_pneumonia(
    logits: NDArray[Any] | NotApplicable, n_generated: int, threshold: float
) -> Estimate | NotApplicable:
    if isinstance(logits, NotApplicable):
        return logits
    if logits.shape != (n_generated,) or not np.isfinite(logits).all() or not 0 <= threshold <= 1:
        raise DataError(
            "logits must be (m,), finite, one per sample, and the threshold in [0, 1]. "
            f"Received: logits={logits.shape}, finite={bool(np.isfinite(logits).all())}, samples={n_generated}, "
            f"threshold={threshold}"
        )
    return wilson(int((probability(np.asarray(logits, dtype=np.float64)) >= threshold).sum()), n_generated)
