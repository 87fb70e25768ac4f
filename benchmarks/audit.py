"""What the audit of a data set costs as it grows: seconds and peak memory of each part, on records without files.

    python -m benchmarks.audit [--records 5000 50000 200000] [--json FILE]

Records, measures and hashes are random, two images a patient; each size is measured in a process of its own. To read and
measure files comes to it: `python -m pneumo_core data audit` on a folder that was not measured before.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.table import Figure, tell
from pneumo_core.data.anatomy import blocks, cases, images_per_patient
from pneumo_core.data.audit import audit
from pneumo_core.data.audit.near import near
from pneumo_core.data.audit.quality import quality
from pneumo_core.data.index import DataIndex
from pneumo_core.data.measures import MEASURES, THUMBNAIL
from pneumo_core.evaluation.opponent import opponent
from pneumo_core.evaluation.shift import shift


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--records", type=int, nargs="+", default=[5000, 50_000, 200_000], help="images of the data set"
    )
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(cost(arguments.records[0])))
        return
    figures: dict[str, Figure] = {}
    for records in arguments.records:
        command = [sys.executable, "-m", "benchmarks.audit", "--one", "--records", str(records)]
        figures |= json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    tell(figures, arguments.json)


def cost(records: int) -> dict[str, float]:
    """Seconds of each part and the peak memory of this process, at one size."""
    index, measures = made(records)
    rows = index.table.join(measures.set_index("image_id")[list(MEASURES)], on="image_id")
    parts: dict[str, Callable[[], object]] = {
        "checks_without_pixels": lambda: audit(index),
        "near_duplicates": lambda: list(near(index, measures)),
        "quality": lambda: list(quality(index, measures)),
        "shift": lambda: shift(rows, list(MEASURES)),
        "opponent": lambda: opponent(rows),
        "splits_of_the_page": lambda: (blocks(cases(index.table)), images_per_patient(index.table)),
    }
    figures = {}
    for name, part in parts.items():
        started = time.perf_counter()
        part()
        figures[f"records_{records}_{name}_s"] = time.perf_counter() - started
    figures[f"records_{records}_peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return figures


def made(records: int) -> tuple[DataIndex, pd.DataFrame]:
    """An index of that many records, and their measures."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, records // 2).repeat(2)
    patient = np.arange(records // 2).repeat(2)
    number = len(label)
    split = rng.choice(["train", "test"], records // 2, p=[0.9, 0.1]).repeat(2)
    series = np.where(label == 1, "bacteria", "im")
    table = pd.DataFrame(
        {
            "image_id": [f"{split[row]}/{row:07d}.jpeg" for row in range(number)],
            "split": split,
            "label": label.astype(np.int8),
            "subtype": np.where(label == 1, "bacteria", "none"),
            "patient_id": [f"{name}-{key}" for name, key in zip(series, patient, strict=True)],
            "pooled_id": patient.astype(str),
            "width": rng.integers(900, 1700, number),
            "height": rng.integers(900, 1700, number),
            "mode": "L",
            "size_bytes": rng.integers(10**5, 10**6, number),
            "sha256": [f"{row:064x}" for row in range(number)],
        }
    ).sort_values("image_id", ignore_index=True)
    values = {name: rng.normal(50, 10, number) for name in MEASURES}
    hashes = rng.integers(0, 2**63, number, dtype=np.uint64)
    thumbnails = [bytes(THUMBNAIL**2)] * number
    measures = pd.DataFrame(
        {"image_id": table["image_id"], **values, "hash": hashes, "thumbnail": thumbnails, "marks": 0}
    )
    return DataIndex("0" * 12, Path("/nowhere"), table, (), ()), measures


if __name__ == "__main__":
    main()
