"""How often 95 % intervals hold the truth where patients are few: simulated, for proportions and for AUROC.

    python -m benchmarks.coverage [--trials 4000] [--area-trials 400] [--json FILE]

A patient's images are right with a probability of its own, from a beta distribution whose intraclass correlation is given. Each
line has the coverage of the intervals of version 0.2.0 (normal quantile; where all images are right, each image counts) and of
today's. For AUROC, logits are normal with an effect of each patient, and the fewest patients of an interval are set aside.
"""

import argparse
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from benchmarks.table import Figure, tell
from pneumo_core.evaluation import intervals, resampling
from pneumo_core.records import Estimate

SIZES: Final = {
    "10 patients of 10": [10] * 10,
    "5 patients of 20": [20] * 5,
    "3 patients of 40": [40] * 3,
    "2 patients of 50": [50] * 2,
    "1 patient of 200, 20 of 1": [200] + [1] * 20,
    "5 patients of 20, 20 of 1": [20] * 5 + [1] * 20,
    "10 patients of 10, 50 of 1": [10] * 10 + [1] * 50,
    "3 patients of 30, 30 of 1": [30] * 3 + [1] * 30,
    "20 patients of 15": [15] * 20,
    "97 patients, 200 images": [2] * 60 + [1] * 20 + [3] * 14 + [6] * 3,
    "208 patients, 318 images": [1] * 130 + [2] * 55 + [3] * 14 + [4] * 9,
}
TRUTHS: Final = (0.8, 0.9, 0.97)
CORRELATIONS: Final = (0.1, 0.3, 0.6, 0.9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=4000, help="trials of each setting of a proportion")
    parser.add_argument("--area-trials", type=int, default=400, help="trials of each setting of an area")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    figures: dict[str, Figure] = {}
    for name, sizes in SIZES.items():
        covered = np.array(
            [
                proportions(sizes, truth, correlation, arguments.trials)
                for truth in TRUTHS
                for correlation in CORRELATIONS
            ]
        )
        figures[f"{name}: version 0.2.0"] = between(covered[:, 0])
        figures[f"{name}: today"] = between(covered[:, 1])
    for patients, images in ((4, 10), (6, 5), (8, 5), (10, 5), (15, 3), (30, 2)):
        covered = np.array(
            [
                areas(patients, images, area, share, arguments.area_trials)
                for area in (0.8, 0.95)
                for share in (0.3, 0.7)
            ]
        )
        figures[f"AUROC, {patients} patients of {images} a class"] = between(covered)
    tell(figures, arguments.json)


def between(covered: NDArray[np.float64]) -> str:
    """Least and greatest coverage over the settings."""
    return f"{covered.min():.3f} to {covered.max():.3f}"


def proportions(sizes: list[int], truth: float, correlation: float, trials: int) -> tuple[float, float]:
    """Coverage of the former and of today's interval of a proportion."""
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(len(sizes)), sizes)
    strength = (1 - correlation) / correlation
    former = today = 0
    for _ in range(trials):
        rate = rng.beta(truth * strength, (1 - truth) * strength, len(sizes))
        correct = rng.random(patients.size) < rate[patients]
        # All images alike had a design effect of 1.
        effect = intervals.design_effect(correct, patients) if 0 < correct.mean() < 1 else 1.0
        former += holds(intervals.wilson(int(correct.sum()), correct.size, design_effect=effect), truth)
        today += holds(intervals.clustered_wilson(correct, patients), truth)
    return former / trials, today / trials


def areas(patients: int, images: int, area: float, share: float, trials: int) -> float:
    """Coverage of the interval of AUROC; `share` of the variance within a class is that of its patients."""
    rng = np.random.default_rng(0)
    labels, codes = np.repeat([0, 1], patients * images), np.repeat(np.arange(2 * patients), images)
    covered = 0
    # Both modules have read it by name.
    intervals.LEAST_PATIENTS = resampling.LEAST_PATIENTS = 2  # type: ignore[misc]
    for _ in range(trials):
        effects, noise = rng.standard_normal(2 * patients)[codes], rng.standard_normal(codes.size)
        logits = labels * np.sqrt(2) * ndtri(area) + np.sqrt(share) * effects + np.sqrt(1 - share) * noise
        covered += holds(intervals.area_estimates(labels, logits, codes, replicates=1000).auroc, area)
    return covered / trials


def holds(found: object, truth: float) -> bool:
    """Whether an interval holds the truth."""
    return isinstance(found, Estimate) and found.low <= truth <= found.high


if __name__ == "__main__":
    main()
