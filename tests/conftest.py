"""What every test stands on: artifacts of its own, one small data set, and one run trained by the real worker."""

import gc
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import h5py
import hypothesis
import numpy as np
import psutil
import pytest

from pneumo_core.config.classifier import TrainConfig
from pneumo_core.config.run import run_id
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.records import RunState
from pneumo_core.runs import store
from pneumo_core.runs.files import hold_lock
from pneumo_core.runs.status import Status, next_ticket, write_status
from pneumo_core.runs.store import RunDirectory, datasets_root, run_directory
from pneumo_core.runs.submission import RunData, Submission, write_submission
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).resolve().parent.parent
PHANTOMS = 120
"""Images of `tiny_data`, of which 66 train: each costs every training of every test."""

# Where it is set, each of the hundreds of processes that tests start would compile the project anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A busy machine may take any time over an example.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


@dataclass(frozen=True)
class FinishedRun:
    """A run that was trained through the command line.

    Attributes:
        artifacts: Value of PNEUMO_ARTIFACTS it lies under.
        run_id: Its id.
        data: Folder of the images it was trained on.
    """

    artifacts: Path
    run_id: str
    data: Path

    @property
    def path(self) -> Path:
        """The run's directory."""
        return self.artifacts / "runs" / self.run_id


def ask_for_run(config: TrainConfig, index: DataIndex) -> RunDirectory:
    """A run as `submit` leaves it to its worker, without the worker."""
    run = run_directory(run_id(config, index.data_id))
    data = RunData(index.data_id, str(index.root), index.is_phantom)
    write_submission(run, Submission(config, data, time.time()))
    write_status(run, Status(RunState.QUEUED, ticket=next_ticket()))
    return run


def pytest_configure(config: pytest.Config) -> None:
    """Make the many short trainings cheap, before the test processes start and inherit it."""
    # XLA takes longer to compile them well than they run.
    os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
    # Where there is a test process a core, threads of one would only wait for those of the others.
    if config.getoption("numprocesses", None):
        for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
            os.environ.setdefault(name, "1")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that the end of a run is not one of them alone while a processor idles.

    Of these, one makes the finished run while the others' processes have work that does not need it.
    """
    if config.pluginmanager.hasplugin("randomly"):
        return
    slow = {item.path for item in items if item.get_closest_marker("slow") or item.get_closest_marker("browser")}
    waiting = {item.path for item in items if "finished_run" in getattr(item, "fixturenames", ())} & slow
    first = min(waiting, default=None)
    items.sort(key=lambda item: (item.path not in slow, item.path != first, item.path in waiting))


def pytest_collection_finish() -> None:
    """What is loaded by now stays. Streamlit collects garbage after each run of a page, and would look through all of it."""
    gc.freeze()


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees another's artifacts, the checkout's own, or the developer's settings."""
    monkeypatch.setenv("PNEUMO_ARTIFACTS", str(tmp_path / "artifacts"))
    for name in ("PNEUMO_DATA", "PNEUMO_ALLOW_TRAINING", "PNEUMO_VGG16_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def precision_restored() -> Iterator[None]:
    """A training sets Keras' precision for its process, which is a worker's own everywhere else."""
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].config.set_dtype_policy("float32")


@pytest.fixture
def no_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of the runs that ship with the project."""
    published = tmp_path / "published"
    published.mkdir()
    monkeypatch.setattr(store, "published_root", lambda: published)
    return published


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """What the first of the test processes to need it makes, a file or a folder, for all of them."""
    root = factory.getbasetemp()
    if root.name.startswith("popen-"):  # One of several processes of pytest-xdist, whose folders lie in a common one.
        root = root.parent
    path, done = root / "shared" / name, root / "shared" / f"{name}.done"
    # Twice the limit: whoever makes it may itself wait for as long.
    with hold_lock(root / "shared" / f"{name}.lock", timeout_s=2 * PATIENCE_S):
        if not done.exists():
            make(path)
            done.touch()
    return path


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A few phantoms in the Kaggle layout; never change them, they are everyone's.

    A test process decodes each once: hundreds of tests index them, each under artifacts that remember nothing.
    """
    from pneumo_core.data import index
    from pneumo_core.data.phantom import write_phantoms

    folder = made_once(
        tmp_path_factory, "tiny", lambda folder: write_phantoms(folder, seed=7, count=PHANTOMS)
    ).resolve()
    real, known = index._inspect, cache(index._inspect)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "_inspect", lambda root, *item: (known if root == folder else real)(root, *item))
        yield folder


@pytest.fixture
def index(tiny_data: Path) -> DataIndex:
    """The index of `tiny_data`."""
    return build_index(tiny_data)


@pytest.fixture(scope="session")
def vgg16_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stand-in for VGG16's ImageNet weights, of the same layout and size; never change it, it is everyone's.

    The kernels are random, of He's scale (2015, arXiv:1502.01852, section 2.2), so that features keep the images' contrast.
    """
    return made_once(tmp_path_factory, "vgg16.h5", _write_vgg16)


def _write_vgg16(path: Path) -> None:
    rng = np.random.default_rng(16)
    channels = 3
    with h5py.File(path, "w") as file:
        names = []
        for block, (convolutions, filters) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)], start=1):
            for number in range(1, convolutions + 1):
                name = f"block{block}_conv{number}"
                kernel = rng.standard_normal((3, 3, channels, filters), np.float32) * np.sqrt(2 / (9 * channels))
                bias = rng.uniform(-0.1, 0.1, filters)
                group, parts = file.create_group(name), {f"{name}_W_1:0": kernel, f"{name}_b_1:0": bias}
                for part, values in parts.items():
                    group[part] = values.astype(np.float32)
                group.attrs["weight_names"] = list(parts)
                names.append(name)
                channels = filters
        file.attrs["layer_names"] = names


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder that PNEUMO_REAL_DATA names."""
    named = os.environ.get("PNEUMO_REAL_DATA")
    if not named:
        pytest.skip("set PNEUMO_REAL_DATA to a chest_xray folder")
    return Path(named)


@pytest.fixture(scope="session")
def real_artifacts(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Artifacts with the index and the measures of the real X-rays, which take 20 s; never change them."""
    from pneumo_core.data.measures import measure

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PNEUMO_ARTIFACTS", str(folder))
            measure(build_index(real_data))

    return made_once(tmp_path_factory, "real", make)


@pytest.fixture(scope="session")
def real_index(real_data: Path, real_artifacts: Path) -> DataIndex:
    """The real X-rays, indexed; never change it, it is everyone's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMO_ARTIFACTS", str(real_artifacts))
        return build_index(real_data)


@pytest.fixture
def measured_real_index(real_index: DataIndex, real_artifacts: Path) -> DataIndex:
    """The same with its measures among the test's own artifacts, so that they need not be computed."""
    (measures,) = (real_artifacts / "datasets" / real_index.data_id).glob("measures-*.parquet")
    folder = datasets_root() / real_index.data_id
    folder.mkdir(parents=True)
    shutil.copy(measures, folder)
    return real_index


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path) -> FinishedRun:
    """A run of two epochs; never change its files, they are everyone's (see `with_finished_run`)."""
    artifacts = made_once(tmp_path_factory, "finished", lambda folder: _train(folder, tiny_data))
    (run,) = (artifacts / "runs").glob("baseline-*")
    return FinishedRun(artifacts, run.name, tiny_data)


def _train(artifacts: Path, data: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PNEUMO_")}
    command = [sys.executable, "-m", "pneumo_core", "train", "--preset", "quick", "--epochs", "2"]
    result = subprocess.run(
        [*command, "--data", str(data), "--wait", "--json"],
        cwd=ROOT,
        env={**environment, "PNEUMO_ARTIFACTS": str(artifacts)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    if result.returncode != 0:
        logs = [path.read_text(errors="replace")[-4000:] for path in artifacts.glob("runs/*/worker.log")]
        pytest.fail("\n".join(["the shared run did not succeed", result.stdout, result.stderr, *logs]))


@pytest.fixture
def with_finished_run(finished_run: FinishedRun, tmp_path: Path, no_published: Path) -> Iterator[FinishedRun]:
    """A copy of the finished run as this test's own artifacts, to read or to damage."""
    artifacts = tmp_path / "artifacts"
    shutil.copytree(finished_run.artifacts, artifacts)
    yield FinishedRun(artifacts, finished_run.run_id, finished_run.data)
    # A worker would write on while its folder goes: tens of megabytes a test, which pytest would keep for three sessions.
    kill_workers(artifacts)
    shutil.rmtree(artifacts)


def workers(folder: Path) -> list[psutil.Process]:
    """Live worker processes of the runs below a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        if "pneumo_core.worker" in command and command[-1].startswith(f"{folder}{os.sep}"):
            found.append(process)
    return found


def kill_workers(folder: Path) -> None:
    """Kill the workers of the runs below a folder, and wait for their end."""
    left = workers(folder)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=PATIENCE_S)


@pytest.fixture
def no_worker_left(tmp_path: Path) -> Iterator[None]:
    """A test that fails half-way leaves no training behind."""
    yield
    kill_workers(tmp_path)
