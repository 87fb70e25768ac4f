"""The form of Train for a single run, and runs in the states that the page shows."""

from contextlib import ExitStack

from streamlit.testing.v1 import AppTest

from pneumo_core.config.classifier import Balance, Preset, TrainConfig
from pneumo_core.config.presets import preset_config
from pneumo_core.data.index import DataIndex
from pneumo_core.records import Architecture, RunState
from pneumo_core.runs.files import hold_lock, write_json
from pneumo_core.runs.status import append_event, update_status
from pneumo_core.runs.store import RunDirectory
from tests.conftest import ask_for_run
from tests.pages.opening import opened

BASELINE = preset_config(Architecture.BASELINE, Preset.QUICK)
VGG16 = preset_config(Architecture.VGG16, Preset.QUICK)


def opened_for_one(**query: str | list[str]) -> AppTest:
    """The form set to a single run on the original images, where it opens with a pair."""
    return opened("train", **query).radio(key="balance").set_value(Balance.NONE).run()


def bars(page: AppTest) -> list[tuple[int, str]]:
    return [(bar.proto.value, bar.proto.text) for bar in page.main.get("progress")]


def working(config: TrainConfig, index: DataIndex, alive: ExitStack, **status: object) -> RunDirectory:
    """A run whose worker lives; by default it waits in the queue."""
    run = ask_for_run(config, index)
    alive.enter_context(hold_lock(run.run_lock))
    if status:
        update_status(run, **status)
    return run


def finished(config: TrainConfig, index: DataIndex, **facts: object) -> RunDirectory:
    """A run with a manifest, as far as this page reads one."""
    run = ask_for_run(config, index)
    update_status(run, state=RunState.EXPORTING, epoch=1, epochs=1, steps=1)
    write_json(run.manifest, {"run_id": run.run_id, "files": {}, **facts})
    return run


def failed(config: TrainConfig, index: DataIndex, error: str) -> RunDirectory:
    run = ask_for_run(config, index)
    update_status(run, state=RunState.FAILED, error=error)
    return run


def add_epoch(run: RunDirectory, epoch: int, **changes: object) -> None:
    numbers = {"loss": 0.5, "accuracy": 0.8, "val_loss": 0.6, "val_accuracy": 0.7, "learning_rate": 1e-3}
    append_event(run, {"kind": "epoch", "epoch": epoch, "phase": 1, **numbers, "duration_s": 100.0, **changes})
