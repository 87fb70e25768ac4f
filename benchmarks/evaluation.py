"""What the report of a run costs as its rows grow: seconds and peak memory of `evaluate`.

    python -m benchmarks.evaluation [--rows 5000 20000 200000] [--images 2] [--json FILE]

Random logits, one split.
"""

import argparse
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.table import Figure, tell
from pneumo_core.config.classifier import OperatingRule
from pneumo_core.evaluation.report import evaluate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[5000, 20_000, 200_000], help="images of the split")
    parser.add_argument("--images", type=int, default=2, help="images of a patient")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    figures: dict[str, Figure] = {}
    for rows in arguments.rows:
        table = predictions(rows, arguments.images)
        started = time.perf_counter()
        evaluate(table, run_id="baseline-000000000000", rule=OperatingRule.HALF, selected_on_test=False)
        figures[f"rows_{rows}_s"] = time.perf_counter() - started
        figures[f"rows_{rows}_peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    tell(figures, arguments.json)


def predictions(rows: int, images: int) -> pd.DataFrame:
    """Predictions of a split of that many images."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, rows)
    return pd.DataFrame(
        {
            "image_id": [f"test/{row:07d}.jpeg" for row in range(rows)],
            "patient_id": [f"{row // images:07d}" for row in range(rows)],
            "split": "test",
            "label": labels,
            "subtype": "none",
            "logit": 2 * labels + rng.normal(size=rows),
        }
    )


if __name__ == "__main__":
    main()
