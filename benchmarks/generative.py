"""What measuring a generator costs: each part of the report on random images and features of the study's size.

    python -m benchmarks.generative [--real 1341] [--generated 2534] [--size 64] [--features 512] [--json FILE]

The images are smooth noise and mean nothing; a patient has one to three of the real ones. Seconds are of CPU time, the peak
is of the whole process. Set OPENBLAS_NUM_THREADS=1: threads that wait for each other count as work.
"""

import argparse
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Figure, tell
from pneumo_core.evaluation.generator.collapse import collapse
from pneumo_core.evaluation.generator.discrepancy import fid, kid
from pneumo_core.evaluation.generator.measures import Features, feature_measures, measure
from pneumo_core.evaluation.generator.memorisation import memorisation
from pneumo_core.evaluation.generator.neighbours import precision_recall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=int, default=1341, help="real images")
    parser.add_argument("--generated", type=int, default=2534, help="samples")
    parser.add_argument("--size", type=int, default=64, help="pixels across")
    parser.add_argument("--features", type=int, default=512, help="length of a feature vector")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    real, generated = (smooth_noise(count, arguments.size, rng) for count in (arguments.real, arguments.generated))
    patients = np.repeat(np.arange(arguments.real), rng.integers(1, 4, arguments.real))[: arguments.real].astype(str)
    vectors = [rng.standard_normal((len(side), arguments.features), np.float32) for side in (real, generated)]
    features = Features("random", *vectors)
    parts: dict[str, Callable[[], object]] = {
        "kid": lambda: kid(*vectors, patients),
        "fid": lambda: fid(*vectors, patients),
        "precision_recall": lambda: precision_recall(*vectors, patients),
        "feature_measures": lambda: feature_measures(features, patients),
        "collapse": lambda: collapse(generated, real, patients),
        "memorisation_pixels": lambda: memorisation(generated, real, patients),
        "memorisation_features": lambda: memorisation(vectors[1], vectors[0], patients),
        "measure": lambda: measure(
            real, patients, generated, features=features, logits=rng.normal(size=len(generated))
        ),
    }
    figures: dict[str, Figure] = {
        "real": len(real),
        "generated": len(generated),
        "size": arguments.size,
        "features": arguments.features,
        "cores": os.cpu_count() or 1,
        **{f"{name}_s": seconds(part) for name, part in parts.items()},
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10,
    }
    tell(figures, arguments.json)


def smooth_noise(count: int, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Images of blurred noise, (count, size, size)."""
    coarse = rng.integers(0, 256, (count, 8, 8), dtype=np.uint8)
    return np.stack([cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC) for image in coarse])


def seconds(part: Callable[[], object]) -> float:
    """CPU time of one call, which other programs hardly change."""
    started = time.process_time()
    part()
    return time.process_time() - started


if __name__ == "__main__":
    main()
