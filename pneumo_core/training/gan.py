"""Training of a DCGAN, from a config and an index to its generator's weights."""

import math
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from pneumo_core.config.gan import COLLAPSE_LIMIT, GanConfig
from pneumo_core.data.index import DataIndex
from pneumo_core.data.splits import gan_rows
from pneumo_core.data.synthetic import sheet, synthetic_png
from pneumo_core.errors import DataError, TrainingError
from pneumo_core.models.dcgan import build_discriminator, build_generator
from pneumo_core.records import RunState
from pneumo_core.runs.files import file_sha256, write_atomic, write_json
from pneumo_core.runs.status import stop_if_cancelled, update_status
from pneumo_core.runs.store import RunDirectory
from pneumo_core.training.backup import load_backup, replace_weights, save_backup
from pneumo_core.training.device import Device, adam, begin_session, parameter_counts, session_facts, within_memory
from pneumo_core.training.diff_augment import draw_changes
from pneumo_core.training.gradients import LOSSES, Networks, Step, make_step
from pneumo_core.training.run_log import RunLog

SHEET_COUNT: Final = 64
"""Number of samples on a sheet, always of the same latents."""

_SHEETS: Final = 24
"""Approximate number of sheets of a run: enough to show the progress, few enough to publish."""

_BACKUP_INTERVAL_S: Final = 20.0
"""Seconds between backups: a backup has 90 MB and an epoch may take seconds; a kill loses at most this time."""


@dataclass(slots=True)
class CollapseWatch:
    """Stops a training whose samples have collapsed, that is, have become nearly equal.

    Spread is the mean over pixels of the standard deviation across images. A run is stopped when the samples' spread has been
    below `limit` times the real images' for `epochs` epochs in a row, once it has reached `alive` times theirs or
    `patience_steps` have passed; and after `equal_steps` if it is almost zero (`equal`), since an untrained generator's
    samples soon differ by a hundredth. The values are this project's.
    """

    equal: float = 0.001
    equal_steps: int = 500
    alive: float = 0.3
    limit: float = COLLAPSE_LIMIT
    epochs: int = 5
    patience_steps: int = 2000
    has_lived: bool = False
    below: int = 0

    def see(self, spread: float, step: int) -> None:
        """Add the spread of an epoch, as a fraction of the real images'.

        Raises:
            TrainingError: The samples have collapsed.
        """
        self.has_lived = self.has_lived or spread >= self.alive or step >= self.patience_steps
        is_equal = spread < self.equal and step >= self.equal_steps
        has_collapsed = is_equal or (self.has_lived and spread < self.limit)
        self.below = self.below + 1 if has_collapsed else 0
        if self.below >= self.epochs:
            raise TrainingError(
                f"samples must differ from each other. Received: {spread:.3f} of the real images' spread after {self.below} "
                "epochs of collapse; try another seed, or the preset 'sound'"
            )


def build_networks(config: GanConfig, device: Device) -> Networks:
    """The untrained networks of a config, under the current precision policy."""
    generator = build_generator(
        image_size=config.image_size, latent_dim=config.latent_dim, filters=config.filters, seed=config.seed
    )
    averaged = generator
    if config.ema_decay:
        averaged = keras.models.clone_model(generator)
        averaged.set_weights(generator.get_weights())
    discriminator = build_discriminator(
        image_size=config.image_size, filters=config.filters, spectral_norm=config.spectral_norm, seed=config.seed
    )
    return Networks(
        generator,
        averaged,
        discriminator,
        adam(device, config.generator_learning_rate, generator, beta_1=config.beta_1),
        adam(device, config.discriminator_learning_rate, discriminator, beta_1=config.beta_1),
        config.ema_decay,
        config.diff_augment,
    )


def sheet_epochs(epochs: int) -> set[int]:
    """Epochs after which a sheet is saved: closer together at the start, where more changes."""
    return {1, *(math.ceil(epochs * (number / _SHEETS) ** 1.5) for number in range(1, _SHEETS + 1))}


def train_gan(run: RunDirectory, config: GanConfig, index: DataIndex) -> None:
    """Train a run's DCGAN, or resume it, up to the state *trained*; the worker holds the run's lock.

    Writes the generator's weights, the list of its training images, sheets, events, backups, and at the end `trained.json`,
    with the hash of the weights.

    Raises:
        DataError: There are fewer training images of the class than a batch, or they are all equal.
        TrainingError: A loss is no longer finite, the samples have collapsed, or memory ran out.
        CancelledError: The run was cancelled.
        StoreError: A file cannot be written.
    """
    started = time.monotonic()
    device = begin_session(config.seed)
    update_status(run, message="preparing images")
    rows = gan_rows(index.table, config)
    images = index.pixels(config.image_size, lambda *_: stop_if_cancelled(run))
    real = images[rows]
    learned = index.table.iloc[rows][["image_id", "patient_id", "sha256"]]
    write_atomic(run.learned, learned.to_parquet(index=False))

    networks = build_networks(config, device)
    update_status(run, state=RunState.RUNNING, epochs=config.epochs)
    with within_memory(device, f"batch_size={config.batch_size}, image_size={config.image_size}"):
        first_epoch = _train(run, config, device, networks, real)

    replace_weights(networks.averaged, run.weights)
    facts = {
        "weights_sha256": file_sha256(run.weights),
        **parameter_counts(networks.generator),
        "discriminator_parameters": networks.discriminator.count_params(),
        "images": {"train": len(rows)},
        **session_facts(device, first_epoch, started),
    }
    write_json(run.trained, facts)


def _train(run: RunDirectory, config: GanConfig, device: Device, networks: Networks, real: NDArray[np.uint8]) -> int:
    """Train to the end, from the backup if there is one; returns the first epoch."""
    step = make_step(networks, device)
    fixed = _latents(config, -1, SHEET_COUNT)
    if not (real_spread := _spread(real)):
        raise DataError(
            f"training images must differ from each other. Received: {len(real)} equal ones; use other images"
        )
    watch = CollapseWatch()
    first_epoch = 0
    if (found := load_backup(run.backup, networks.variables)) is not None:
        facts, arrays = found
        for variable, array in zip(networks.variables, arrays, strict=True):
            variable.assign(array)
        first_epoch = facts["epoch"]
        watch.has_lived, watch.below = bool(facts.get("has_lived")), int(facts.get("below", 0))

    steps = len(real) // config.batch_size
    wanted = sheet_epochs(config.epochs)
    saved = time.monotonic()
    with closing(RunLog(run, epochs=config.epochs, steps=steps, batch_size=config.batch_size)) as log:
        for epoch in range(first_epoch, config.epochs):
            values = _epoch(run, config, step, real, epoch, log)
            step.write_back()
            samples = _samples(networks, fixed)
            spread = _spread(samples) / real_spread
            log.end(epoch, {**values, "spread": spread})
            watch.see(spread, (epoch + 1) * steps)
            if epoch + 1 in wanted:
                facts = {"Run": run.run_id, "Epoch": epoch + 1, "Seed": config.seed}
                write_atomic(run.sheet(epoch + 1), synthetic_png(sheet(samples), facts))
            if epoch + 1 == config.epochs or time.monotonic() - saved > _BACKUP_INTERVAL_S:
                lived = {"has_lived": watch.has_lived, "below": watch.below}
                save_backup(run.backup, epoch + 1, lived, networks.variables)
                saved = time.monotonic()
    return first_epoch


def _epoch(
    run: RunDirectory, config: GanConfig, step: Step, real: NDArray[np.uint8], epoch: int, log: RunLog
) -> dict[str, float]:
    """Train on every real image once, without an incomplete last batch; returns the epoch's mean losses."""
    log.begin(epoch)
    order = np.random.default_rng([config.seed, epoch]).permutation(len(real))
    size, batch_size = config.image_size, config.batch_size
    steps = len(real) // batch_size
    latents = _latents(config, epoch, steps * batch_size)
    rng = np.random.default_rng([config.seed, epoch, 1])
    losses: list[Any] = []
    for number in range(steps):
        part = slice(number * batch_size, (number + 1) * batch_size)
        batch = real[order[part], :, :, None].astype(np.float32)
        changes = np.stack([draw_changes(rng, batch_size, size) for _ in range(3)])
        losses.append(step.run(batch, latents[part], changes))
        stop_if_cancelled(run)
        if log.is_due(number):  # Reading a value from an accelerator waits for it.
            log.batch(number, _means(losses[-1:]))
    return _means(losses)


def _means(losses: list[Any]) -> dict[str, float]:
    """Mean of each value that a step returns.

    Raises:
        TrainingError: A mean is not finite.
    """
    table = np.asarray([[float(value) for value in values] for values in losses])
    means = dict(zip(LOSSES, table.mean(axis=0).tolist(), strict=True))
    if not np.isfinite(table).all():
        raise TrainingError(
            f"the losses must stay finite. Received: {means}; the training has diverged: try another seed, or smaller "
            "learning rates"
        )
    return means


def _latents(config: GanConfig, epoch: int, count: int) -> NDArray[np.float32]:
    """Latents of an epoch; epoch -1 gives those of the sheets."""
    rng = np.random.default_rng([config.seed, epoch + 1, 2])
    return rng.standard_normal((count, config.latent_dim), dtype=np.float32)


def _samples(networks: Networks, latents: NDArray[np.float32]) -> NDArray[np.uint8]:
    pixels: NDArray[np.float32] = keras.ops.convert_to_numpy(networks.averaged(latents, training=False))
    return np.clip(np.rint(pixels[..., 0]), 0, 255).astype(np.uint8)


def _spread(images: NDArray[np.uint8]) -> float:
    """Mean over pixels of the standard deviation across images, in gray levels."""
    return float(images[:512].astype(np.float32).std(axis=0).mean())
