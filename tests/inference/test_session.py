import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pneumo_core.errors import CorruptError, RunError
from pneumo_core.inference.session import Session, load_session, run_batches, run_session
from tests.conftest import ROOT, FinishedRun
from tests.hostile import assert_one_line
from tests.waiting import PATIENCE_S


@pytest.fixture(scope="module")
def session(finished_run: FinishedRun) -> Session:
    return load_session((finished_run.path / "model.onnx").read_bytes())


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 150, 150)).astype(np.uint8)


def test_a_path_and_its_bytes_are_the_same_model(session: Session, finished_run: FinishedRun) -> None:
    other = load_session(finished_run.path / "model.onnx")
    assert (session.image_size, other.image_size) == (150, 150)
    batch = images(2)
    np.testing.assert_array_equal(run_session(session, batch).logit, run_session(other, batch).logit)


def test_shapes_and_types(session: Session) -> None:
    output = run_session(session, images(3))
    shapes = {name: getattr(output, name).shape for name in ("logit", "cam", "features")}
    assert shapes == {"logit": (3,), "cam": (3, 18, 18), "features": (3, 128)}
    assert {getattr(output, name).dtype for name in shapes} == {np.dtype(np.float32)}


def test_onnx_runtime_reports_and_writes_nothing(tmp_path: Path) -> None:
    """With its defaults it leaves a folder with an id of the machine and what it is to report."""
    code = "from pneumo_core.inference.gate import shipped_gate; shipped_gate()"
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, timeout=PATIENCE_S, check=True)
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize("count", [1, 7, 8, 9, 70])
def test_batches_are_the_chosen_rows_in_order(session: Session, count: int) -> None:
    pool = images(8)
    rows = np.random.default_rng(1).integers(0, 8, count)
    received = run_batches(session, pool, rows)
    one_by_one = run_session(session, pool)
    np.testing.assert_allclose(received.logit, one_by_one.logit[rows], atol=1e-5)
    np.testing.assert_allclose(received.peak, one_by_one.cam.max(axis=(1, 2))[rows], atol=1e-4)
    np.testing.assert_allclose(received.features, one_by_one.features[rows], atol=1e-4)


def test_batches_tell_how_far_they_are_and_can_be_stopped(session: Session) -> None:
    reported = []

    def progress(done: int, total: int) -> None:
        reported.append((done, total))
        if done:
            raise RunError("stop")

    with pytest.raises(RunError, match="stop"):
        run_batches(session, images(8), np.zeros(40, np.int64), progress)
    assert reported == [(0, 40), (8, 40)]


def foreign_model(shape: list[int | str | None], outputs: list[str]) -> bytes:
    """A valid model of somebody else's: it passes its input through under other names."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], [name]) for name in outputs],
        "foreign",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


OURS = ["logit", "cam", "features"]


@pytest.mark.parametrize(
    ("shape", "outputs"),
    [
        (["n", 150, 150, 1], ["probability"]),
        (["n", 150, 150, 1], ["logit", "cam"]),
        (["n", 150, 100, 1], OURS),
        (["n", 150, 150, 3], OURS),
        (["n", "side", "side", 1], OURS),
        (["n", None, None, 1], OURS),
        (["n", 150], OURS),
        ([150, 150], OURS),
    ],
    ids=str,
)
def test_somebody_else_s_model_is_refused(shape: list[int | str | None], outputs: list[str]) -> None:
    with pytest.raises(CorruptError, match="must map square gray images") as caught:
        load_session(foreign_model(shape, outputs))
    assert_one_line(caught.value)


def test_a_model_of_our_form_is_taken() -> None:
    assert load_session(foreign_model(["n", 40, 40, 1], [*OURS, "more"])).image_size == 40
