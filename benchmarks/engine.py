"""How long a user waits for the first sign of a training, and what a whole run takes of memory and of time.

    python -m benchmarks.engine [--repeats 3] [--images 0] [--epochs 1] [--artifacts DIR] [--json FILE]

For each architecture: first a whole run of preset `report`, whose highest memory (of the process, export included) and export
are told, and which leaves warm caches. Then several runs with a new seed each, from `submit` to the first batch line of
`events.jsonl`, after which they are cancelled; medians, taken apart where the run's status changes. Keras' import is also
measured in a process that does nothing else.
"""

import os
import statistics
import subprocess
import sys
import time
from dataclasses import replace

from benchmarks.runs import finished, own_artifacts, parser, sample, stop, submit_anew
from benchmarks.table import Figure, tell
from pneumo_core.config.classifier import Preset, TrainConfig
from pneumo_core.config.presets import preset_config
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.jobs.runs import view
from pneumo_core.records import Architecture
from pneumo_core.runs.status import read_events, read_status

STAGES = {"loading Keras": "keras_import", "preparing images": "preparing", "training": "first_line"}
"""What begins when the status says so; before the first of them the worker starts."""

IMPORT = "import time; started = time.perf_counter(); import keras; print(time.perf_counter() - started)"


def main() -> None:
    options = parser(__doc__, images=None)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--epochs", type=int, default=1, help="epochs of the whole run")
    arguments = options.parse_args()
    figures: dict[str, Figure] = {"keras_import_alone_s": statistics.median(keras_import() for _ in range(3))}
    with own_artifacts(arguments.artifacts) as artifacts:
        index = build_index(sample(arguments.images, artifacts))
        for architecture in (Architecture.BASELINE, Architecture.VGG16):
            config = preset_config(architecture, Preset.REPORT, epochs=arguments.epochs)
            whole = finished(config, index)
            figures |= {
                "device": f"{whole.trained['device']['name']}, {os.cpu_count()} cores",
                "training_images": whole.trained["images"]["train"],
                f"{architecture}_peak_memory_mib": whole.manifest["peak_memory_bytes"] / 2**20,
                f"{architecture}_training_s": whole.training_s,
                f"{architecture}_export_s": whole.manifest["export_duration_s"],
            }
            parts = [first_line(replace(config, seed=1 + repeat), index) for repeat in range(arguments.repeats)]
            for name in parts[0]:
                figures[f"{architecture}_{name}_s"] = statistics.median(part[name] for part in parts)
    tell(figures, arguments.json)


def keras_import() -> float:
    """Seconds of importing Keras in a new process."""
    answer = subprocess.run([sys.executable, "-c", IMPORT], check=True, stdout=subprocess.PIPE, text=True)
    return float(answer.stdout)


def first_line(config: TrainConfig, index: DataIndex) -> dict[str, float]:
    """Seconds from `submit` to the first batch line, and of the parts they consist of."""
    time.sleep(2)  # The worker before gives its lock back a little before it is gone.
    began = {"worker_start": time.time()}
    run = submit_anew(config, index).run
    print(f"{run.run_id}: until its first line", file=sys.stderr)
    try:
        while not (lines := [event for event in read_events(run) if event["kind"] in {"batch", "epoch"}]):
            status = read_status(run)
            if status.message in STAGES:
                began.setdefault(STAGES[status.message], status.updated_at)
            if not view(run.run_id).state.is_live:
                raise SystemExit(f"the run must train. Received: {run.run_id}, {status}; see {run.log}")
            time.sleep(0.02)
    finally:
        stop(run.run_id)
    ends = [*list(began.values())[1:], lines[0]["time"]]
    parts = {name: end - start for (name, start), end in zip(began.items(), ends, strict=True)}
    return {"submit_to_first_line": lines[0]["time"] - began["worker_start"], **parts}


if __name__ == "__main__":
    main()
