"""Whether Keras on JAX trains what Keras on TensorFlow trains: the same runs on both, seed by seed.

    python -m benchmarks.backends [--images 300] [--seeds 5] [--epochs 10] [--artifacts DIR] [--json FILE]

VGG16, preset `sound` with two feature views, each run trained by the real worker, first on TensorFlow and then on JAX. The
backends draw other initial weights and other dropout from the same seed, so a pair differs by that too. The difference of the
AUROC on test is paired by seed; its interval is Student's t over the pairs (n - 1 degrees of freedom).
"""

import math
import os
import shutil
from dataclasses import replace
from statistics import mean, median, stdev

from scipy.stats import t

from benchmarks import accuracy
from benchmarks.runs import finished, own_artifacts, parser, sample
from benchmarks.table import Figure, tell
from pneumo_core.config.classifier import Preset
from pneumo_core.config.presets import preset_config
from pneumo_core.data.index import build_index
from pneumo_core.records import Architecture, Estimate
from pneumo_core.study import seeds

BACKENDS = ("tensorflow", "jax")


def main() -> None:
    options = parser(__doc__, images=300)
    options.add_argument("--seeds", type=int, default=5, help="pairs of runs, two at least")
    options.add_argument("--epochs", type=int, default=10)
    arguments = options.parse_args()
    with own_artifacts(arguments.artifacts) as artifacts:
        index = build_index(sample(arguments.images, artifacts))
        config = preset_config(Architecture.VGG16, Preset.SOUND, epochs=arguments.epochs, feature_views=2)
        configs = seeds(replace(config, early_stopping_patience=arguments.epochs), arguments.seeds)
        areas: dict[str, list[float]] = {}
        figures: dict[str, Figure] = {"images": len(index.table), "seeds": arguments.seeds, "epochs": arguments.epochs}
        for backend in BACKENDS:
            os.environ["KERAS_BACKEND"] = backend
            tests, training_s = [], []
            for each in configs:
                run = finished(each, index)
                auroc = accuracy.estimates(backend, accuracy.on_test(run.run))[f"{backend}_auroc"]
                if not isinstance(auroc, Estimate):
                    raise SystemExit(f"the test images must be of both classes. Received: {auroc}")
                tests.append(auroc.value)
                training_s.append(run.training_s)
                shutil.rmtree(run.run.path)  # Both backends' runs have one id.
            areas[backend] = tests
            figures[f"{backend}_precision"] = str(run.trained["device"]["precision"])
            figures[f"{backend}_training_s"] = median(training_s)
            figures |= {f"{backend}_auroc_seed_{each.seed}": value for each, value in zip(configs, tests, strict=True)}
        figures["auroc_difference"] = paired_difference(areas["tensorflow"], areas["jax"])
    tell(figures, arguments.json)


def paired_difference(first: list[float], second: list[float]) -> Estimate:
    """Mean of the second less the first with its 95 % t interval; `n` is the number of pairs."""
    differences = [b - a for a, b in zip(first, second, strict=True)]
    half = float(t.ppf(0.975, len(differences) - 1)) * stdev(differences) / math.sqrt(len(differences))
    return Estimate(mean(differences), mean(differences) - half, mean(differences) + half, len(differences))


if __name__ == "__main__":
    main()
