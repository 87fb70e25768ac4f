"""How far chance moves a DCGAN's measures: their ratios and floors over many seeds of the real patients' random halves.

    PNEUMO_DATA=DIR python -m benchmarks.floors [--run RUN] [--seeds 20] [--json FILE]

Once with ten halves, as measures of schema 1 have them, and once with as many as now. Images, samples and features are the
same throughout; the seed also draws the groups of the intervals and the samples of equal numbers. Of each value: its mean over
the seeds, its least and greatest, and its standard deviation as a share of the mean.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.table import Figure, tell
from pneumo_core.data.index import build_index
from pneumo_core.data.source import default_data
from pneumo_core.evaluation.generator.measures import (
    KID_SPLITS,
    SPLITS,
    FeatureMeasures,
    Features,
    feature_measures,
)
from pneumo_core.inference.feature_space import features, imagenet_space
from pneumo_core.inference.gan_measures import learned_images, read_learned
from pneumo_core.inference.gan_record import read_measures
from pneumo_core.inference.generator import generate, latents, load_generator
from pneumo_core.models.vgg16_weights import found_file
from pneumo_core.records import Estimate
from pneumo_core.runs.store import find_run

VALUES: Final = (
    *("kid_ratio", "fid_ratio", "kid_floor", "fid_floor"),
    *("fid_matched", "precision_matched", "precision_ceiling", "recall_matched", "recall_ceiling"),
)
"""Values of the halves. A ratio has one figure; the others have a mean, shown as `value`, and two ends."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default="dcgan-68e3d311dd7c", help="finished DCGAN, trained on the connected data")
    parser.add_argument("--seeds", type=int, default=20, help="seeds of the halves")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    run, index = find_run(arguments.run), build_index(default_data())
    generator, measures = load_generator(run), read_measures(run)
    real, patients = learned_images(index, read_learned(run), generator.image_size)
    samples = generate(generator, latents(generator.latent_dim, measures.sample_seed, 0, measures.report.n_generated))
    if (weights := found_file()) is None:
        parser.error("VGG16's weights are required; PNEUMO_VGG16_WEIGHTS names their file")
    space = imagenet_space(weights, generator.image_size)
    found = Features(space.name, features(space, real), features(space, samples))
    figures: dict[str, Figure] = {"run": run.run_id, "seeds": arguments.seeds}
    for name, kid_splits, splits in (("ten", 10, 10), ("now", KID_SPLITS, SPLITS)):
        started = time.perf_counter()
        each = [
            feature_measures(found, patients, seed=seed, kid_splits=kid_splits, splits=splits)
            for seed in range(arguments.seeds)
        ]
        figures[f"{name}_s"] = (time.perf_counter() - started) / arguments.seeds
        figures |= {f"{name}_{part}": figure for part, figure in spreads(each).items()}
    tell(figures, arguments.json)


def spreads(found: Sequence[FeatureMeasures]) -> dict[str, str]:
    """Mean, range and relative standard deviation of each value over the seeds."""
    words = {}
    for name in VALUES:
        estimates = [getattr(each, name) for each in found]
        for part in ("value",) if name.endswith("ratio") else ("value", "low", "high"):
            numbers = np.array([getattr(one, part) for one in estimates if isinstance(one, Estimate)])
            if not numbers.size:
                continue
            share = numbers.std(ddof=1) / abs(numbers.mean()) if numbers.size > 1 else np.nan
            words[f"{name}_{part}"] = (
                f"{numbers.mean():.4g} ({numbers.min():.4g} to {numbers.max():.4g}), {share:.1%}, n = {numbers.size}"
            )
    return words


if __name__ == "__main__":
    main()
