"""A second finished run beside the shared one, which holds out the same patients, and the ensemble of both."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from pneumo_core.config.run import run_id
from pneumo_core.runs.store import RunDirectory, read_manifest, runs_root, write_manifest
from pneumo_core.runs.submission import read_submission, trained_config, write_submission
from tests.conftest import ROOT, FinishedRun, made_once
from tests.made_runs import make_maps_positive
from tests.waiting import PATIENCE_S

__all__ = ["made_ensemble", "second_run"]


def second_run(first: RunDirectory, seed: int = 1, **changes: object) -> RunDirectory:
    """A copy of a finished run as another seed's, with other weights and the same held-out patients."""
    config = trained_config(first)
    config = replace(config, seed=seed, split_seed=config.seed, **changes)  # type: ignore[arg-type]
    submission = read_submission(first)
    run = RunDirectory(runs_root() / run_id(config, submission.data.data_id))
    shutil.copytree(first.path, run.path)
    write_submission(run, replace(submission, config=config))
    model = onnx.load(run.model)
    rng = np.random.default_rng(seed)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.ndim == 2:
            tensor.CopyFrom(numpy_helper.from_array(rng.permuted(values, axis=0), tensor.name))
    onnx.save(model, run.model)
    write_manifest(run, {name: fact for name, fact in read_manifest(run).items() if name not in {"run_id", "files"}})
    return run


def made_ensemble(factory: pytest.TempPathFactory, finished: FinishedRun) -> Path:
    """Artifacts with the shared run, a second one, and their ensemble, made by the command line; never change them."""

    def make(artifacts: Path) -> None:
        shutil.copytree(finished.artifacts, artifacts)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PNEUMO_ARTIFACTS", str(artifacts))
            first = RunDirectory(artifacts / "runs" / finished.run_id)
            make_maps_positive(first)
            second = second_run(first)
            result = subprocess.run(
                [sys.executable, "-m", "pneumo_core", "ensemble", second.run_id, first.run_id, "--wait", "--json"],
                cwd=ROOT,
                env=dict(os.environ),
                capture_output=True,
                text=True,
                timeout=PATIENCE_S,
                check=False,
            )
        if result.returncode != 0:
            logs = [path.read_text(errors="replace")[-4000:] for path in artifacts.glob("runs/ensemble-*/worker.log")]
            pytest.fail("\n".join(["the ensemble did not succeed", result.stdout, result.stderr, *logs]))
        (artifacts / "ensemble.json").write_text(result.stdout)

    return made_once(factory, "ensemble", make)
