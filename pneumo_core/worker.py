"""The child process of a run, a classifier's, a DCGAN's or an ensemble: ``python -m pneumo_core.worker train|export RUN_DIR``.

It takes the run's lock, waits for its turn, and only then imports Keras, which an ensemble does not need. Whatever happens to
it, the run's state follows from its files.
"""

import gc
import os
import shutil
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pneumo_core.errors import CancelledError, PneumoError, StoreError, TrainingError
from pneumo_core.records import RunState
from pneumo_core.runs.files import hold_lock, takes_lock, write_atomic
from pneumo_core.runs.status import read_status, run_state, stop_if_cancelled, update_status
from pneumo_core.runs.store import (
    RunDirectory,
    find_run,
    list_runs,
    read_trained,
    slot_lock,
    verified_file,
    write_manifest,
)
from pneumo_core.runs.submission import read_config, read_data
from pneumo_core.settings import settings

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from pneumo_core.config.classifier import TrainConfig
    from pneumo_core.config.ensemble import ClassifierConfig, EnsembleConfig
    from pneumo_core.config.gan import GanConfig
    from pneumo_core.config.run import RunConfig
    from pneumo_core.data.index import DataIndex
    from pneumo_core.inference.session import Outputs, Session

_POLL_S = 0.5


def main(verb: str, path: Path) -> int:
    """Execute the run in a directory and return an exit status.

    The verb ``"train"`` trains it, if it is not trained yet, and finishes it; ``"export"`` only finishes it. An ensemble has
    nothing to train: it is made of its members.
    """
    run = RunDirectory(path)
    with hold_lock(run.run_lock):
        if run.manifest.exists():
            return 0  # Another worker finished the run while this one waited for the lock.
        try:
            with _turn(run):
                _work(run, verb)
        except CancelledError:
            update_status(run, state=RunState.CANCELLED, message="cancelled")
            return 1
        except Exception as error:  # noqa: BLE001  Every failure must be recorded in the run.
            traceback.print_exc()
            update_status(
                run, state=RunState.FAILED, message="failed", error=" ".join(f"{error}".split()) or repr(error)
            )
            return 1
    return 0


@contextmanager
def _turn(run: RunDirectory) -> Iterator[None]:
    """Wait until no earlier run waits and an execution slot is free, then hold that slot."""
    ticket = read_status(run).ticket
    slots = [slot_lock(number) for number in range(settings().parallel_runs)]
    ahead, is_reported = None, False
    with ExitStack() as place:
        while True:
            stop_if_cancelled(run)
            # Many may wait: each watches one run ahead of it, and searches again only when that one has started.
            if ahead is None or not _waits_before(ahead, ticket):
                others = (other for other in list_runs() if other != run)
                ahead = next((other for other in others if _waits_before(other, ticket)), None)
            if ahead is None and any(takes_lock(place, slot) for slot in slots):
                break
            if not is_reported:
                update_status(run, message="waiting for another run to finish")
                is_reported = True
            time.sleep(_POLL_S)
        update_status(run, state=RunState.RUNNING, message="starting")
        yield


def _waits_before(other: RunDirectory, ticket: int) -> bool:
    try:
        return run_state(other) is RunState.QUEUED and read_status(other).ticket < ticket
    except StoreError:
        return False  # A run with damaged files must not block the others; the locks still limit the number that work.


def _load_keras() -> None:
    """Import Keras and its backend without garbage collection, which would take a third of the time."""
    gc.disable()
    import keras  # noqa: F401, PLC0415

    gc.enable()


def _work(run: RunDirectory, verb: str) -> None:
    from pneumo_core.config.ensemble import EnsembleConfig  # noqa: PLC0415
    from pneumo_core.config.gan import GanConfig  # noqa: PLC0415
    from pneumo_core.data.index import load_index  # noqa: PLC0415

    config, data_id = read_config(run), read_data(run).data_id
    if isinstance(config, EnsembleConfig):
        _make_ensemble(run, config, load_index(data_id))
        return
    update_status(run, message="loading Keras")
    _load_keras()
    index = load_index(data_id)
    is_needed = verb == "train" and not run.trained.exists()
    if isinstance(config, GanConfig):
        if is_needed:
            from pneumo_core.training.gan import train_gan  # noqa: PLC0415

            train_gan(run, config, index)
        _finish_gan(run, config, index)
        return
    if is_needed:
        generated = _generated(run, config, index)
        from pneumo_core.training.classifier import train_classifier  # noqa: PLC0415

        train_classifier(run, config, index, generated)
    _finish(run, config, index)


def _generated(run: RunDirectory, config: "TrainConfig", index: "DataIndex") -> "NDArray[np.uint8] | None":
    """The images that the run's DCGAN adds, if it has one; generated once and shared by runs that need the same."""
    if config.gan_run is None:
        return None
    from pneumo_core.data.gan_arm import require_gan, require_unseen  # noqa: PLC0415
    from pneumo_core.data.splits import assign, gap  # noqa: PLC0415
    from pneumo_core.inference.added import added_samples  # noqa: PLC0415

    gan = find_run(config.gan_run)
    rows = assign(index.table, config)
    require_gan(config, index)
    require_unseen(config, index.table, rows)
    count = gap(index.table["label"].to_numpy()[rows.train], config.gap_percent)
    progress = partial(_Progress(run), what="generating samples")
    return added_samples(gan, count=count, seed=config.seed, size=config.image_size, progress=progress)


class _Progress:
    """Reports progress in the run's status, at most once a second, and stops a cancelled run."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._reported_at = 0.0

    def __call__(self, done: int, total: int, what: str) -> None:
        stop_if_cancelled(self._run)
        if time.monotonic() - self._reported_at > 1:
            update_status(self._run, message=f"{what}, {done:,} of {total:,} images")
            self._reported_at = time.monotonic()


def _finish_gan(run: RunDirectory, config: "GanConfig", index: "DataIndex") -> None:
    """Export a trained DCGAN's generator, measure its samples, and write the manifest."""
    import keras  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415

    from pneumo_core.inference.finish import gan_facts  # noqa: PLC0415
    from pneumo_core.inference.generator import open_generator  # noqa: PLC0415
    from pneumo_core.models.dcgan import build_generator  # noqa: PLC0415
    from pneumo_core.models.export_generator import export_generator  # noqa: PLC0415

    update_status(run, state=RunState.EXPORTING, message="exporting the generator")
    started = time.monotonic()
    trained = read_trained(run)
    keras.config.set_dtype_policy("float32")
    model = build_generator(
        image_size=config.image_size, latent_dim=config.latent_dim, filters=config.filters, seed=config.seed
    )
    model.load_weights(run.weights)
    export_generator(model, run.model)

    files, facts = gan_facts(
        run.run_id,
        config,
        open_generator(run.model),
        index,
        pd.read_parquet(run.learned),
        progress=_Progress(run),
    )
    for name, data in files.items():
        write_atomic(run.path / name, data)
    collapse = facts["collapse"]
    facts = {**trained, "export_device": _device(), **facts}
    _complete(run, config, started, facts, f", but collapsed: {collapse}" if collapse else "")


def _finish(run: RunDirectory, config: "TrainConfig", index: "DataIndex") -> None:
    """Export a trained run, and write all that a finished run has."""
    import keras  # noqa: PLC0415

    from pneumo_core.config.architecture import LAST_BLOCK  # noqa: PLC0415
    from pneumo_core.models.export import export_onnx  # noqa: PLC0415
    from pneumo_core.training.classifier import build_classifier  # noqa: PLC0415

    update_status(run, state=RunState.EXPORTING, message="exporting the model")
    started = time.monotonic()
    trained = read_trained(run)
    keras.config.set_dtype_policy("float32")
    model = build_classifier(config)
    model.load_weights(run.weights)
    export_onnx(model, LAST_BLOCK[config.architecture], run.model, test_time_flip=config.test_time_flip)
    del model  # Frees memory for the predictions of the exported model.
    _write_facts(run, config, index)
    _complete(run, config, started, {**trained, "export_device": _device()})


def _make_ensemble(run: RunDirectory, config: "EnsembleConfig", index: "DataIndex") -> None:
    """Write the members' models as one, and all that a finished run has."""
    from dataclasses import asdict  # noqa: PLC0415

    from pneumo_core.config.hardware import cpu_name, software  # noqa: PLC0415
    from pneumo_core.data.splits import assign  # noqa: PLC0415
    from pneumo_core.inference.compression import restored  # noqa: PLC0415
    from pneumo_core.inference.ensemble import member_facts, member_run, require_unseen  # noqa: PLC0415
    from pneumo_core.models.ensemble import Member, write_ensemble  # noqa: PLC0415

    update_status(run, state=RunState.EXPORTING, message="combining the members' models")
    started = time.monotonic()
    require_unseen(config, index)
    members = [member_run(member) for member in config.members]
    models = [verified_file(member.run, member.run.model) for member in members]
    write_ensemble(
        [Member(restored(model), member.full) for model, member in zip(models, members, strict=True)], run.model
    )
    images = {name: len(rows) for name, rows in asdict(assign(index.table, config)).items()}
    device = {"kind": "cpu", "name": cpu_name(), "precision": "float32", "backend": "onnxruntime"}
    facts = {
        **member_facts(members, models),
        "images": images,
        "device": device | software(("numpy", "onnx", "onnxruntime")),
    }
    del models
    _write_facts(run, config, index)
    _complete(run, config, started, facts)


def _write_facts(run: RunDirectory, config: "ClassifierConfig", index: "DataIndex") -> None:
    """Predict with a run's model, and write the predictions and the facts of a finished run."""
    from pneumo_core.inference.finish import FACTS, Material, outputs_for_training  # noqa: PLC0415
    from pneumo_core.inference.session import load_session  # noqa: PLC0415

    session = load_session(run.model, config.preparation)
    predictions, own = _predict(run, config, index, session)
    write_atomic(run.predictions, predictions.to_parquet(index=False))
    material = Material(
        run.run_id,
        config,
        predictions=lambda: predictions,
        own=lambda: own,
        trained=partial(outputs_for_training, session, config, index, _Progress(run)),
        model=run.model.read_bytes,
        pixels=lambda ids: index.pixels(config.image_size, preparation=config.preparation)[index.rows_of(ids)],
        progress=_Progress(run),
    )
    for fact in FACTS:
        write_atomic(run.path / fact.name, fact.make(material))


def _complete(run: RunDirectory, config: "RunConfig", started: float, facts: dict[str, Any], words: str = "") -> None:
    """Write the manifest of a run whose export began at `started`, by `time.monotonic`."""
    from pneumo_core.config.hardware import peak_memory_bytes  # noqa: PLC0415

    shutil.rmtree(run.backup, ignore_errors=True)  # The training is complete: its backup is no longer needed.
    export = {
        "seed": config.seed,
        "export_duration_s": time.monotonic() - started,
        "peak_memory_bytes": max(facts.get("peak_memory_bytes", 0), peak_memory_bytes()),
    }
    update_status(run, message=f"finished{words}")
    write_manifest(run, {**facts, **export})


def _device() -> dict[str, Any]:
    """The device that Keras uses, for the manifest."""
    from pneumo_core.training.device import describe, detect  # noqa: PLC0415

    return describe(detect())


def _predict(
    run: RunDirectory, config: "ClassifierConfig", index: "DataIndex", session: "Session"
) -> "tuple[pd.DataFrame, Outputs]":
    """Predict each validation and test image once, and degraded copies of the former.

    The outputs are those of the run's own images (`finish.Material`).
    """
    import numpy as np  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415

    from pneumo_core.augmentation.stress import copies_of  # noqa: PLC0415
    from pneumo_core.data.splits import assign  # noqa: PLC0415
    from pneumo_core.inference.session import run_batches  # noqa: PLC0415
    from pneumo_core.inference.stress import stress_rows, with_sharpness  # noqa: PLC0415
    from pneumo_core.records import Split  # noqa: PLC0415

    images = index.pixels(config.image_size, preparation=config.preparation)
    rows = assign(index.table, config)
    parts = {Split.TEST: rows.test} if config.selected_on_test else {Split.VAL: rows.val, Split.TEST: rows.test}
    frames, outputs = [], []
    progress = _Progress(run)
    for split, chosen in parts.items():
        message = f"predicting {split.value}"
        output = run_batches(session, images, chosen, partial(progress, what=message))
        part = index.table.iloc[chosen][["image_id", "patient_id", "label", "subtype"]]
        frames.append(part.assign(split=split.value, logit=output.logit.astype(np.float32)))
        outputs.append(output)
    if not config.selected_on_test:
        part = index.table.iloc[rows.val]
        frames.append(stress_rows(session, images, rows.val, part, copies_of(config.preset), progress))
    predictions = pd.concat(frames, ignore_index=True)
    if not (finite := np.isfinite(predictions["logit"].to_numpy())).all():
        raise TrainingError(
            f"a model must return finite logits. Received: {int((~finite).sum())} of {len(finite)} images without; delete "
            "the run's trained.json and resume it to train it again"
        )
    return with_sharpness(predictions, index, progress), outputs[0]


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    try:
        status = main(sys.argv[1], Path(sys.argv[2]))
    except PneumoError as error:  # Another worker has the run, or its files cannot be written.
        sys.exit(f"error: {error}")
    # Unloading a framework takes two seconds, and everything is written.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
