"""Expected time and disk space of a DCGAN's training, estimated from earlier trainings on this machine."""

from statistics import median
from typing import Final

from pneumo_core.config.classifier import Preset
from pneumo_core.config.gan import GanConfig
from pneumo_core.data.images import array_path
from pneumo_core.data.index import DataIndex
from pneumo_core.errors import ConfigError, StoreError
from pneumo_core.records import Architecture
from pneumo_core.runs.files import is_there, read_json
from pneumo_core.runs.status import read_events
from pneumo_core.runs.store import list_runs
from pneumo_core.runs.submission import read_config

GAN_FINISH_S: Final = {Preset.REPORT: 150.0, Preset.SOUND: 150.0, Preset.QUICK: 30.0}
"""Seconds to load Keras, export the generator and measure its samples, on two cores without other work."""

_IMAGE_S: Final = 0.0009
_FILTERS_S: Final = 0.0056
"""Seconds per image: a constant, and the part of 64 filters at 64 pixels, which grows with the square of either. Measured on
two cores of a server CPU with AMX."""


def gan_bytes(config: GanConfig, index: DataIndex) -> int:
    """Peak disk space of a DCGAN's run while it works, in bytes, without its small files."""
    # Kernels of 4 x 4 between blocks of 8, 4, 2 and 1 times the filters, and the first and last layers; a factor of 2
    # covers the additional layers at 128 pixels.
    f = config.filters
    network = 16 * (8 * f * 4 * f + 4 * f * 2 * f + 2 * f * f) + 16 * 8 * f * (config.latent_dim + 1)
    network *= config.image_size // 64
    # The generator four times (average, Adam's two) and the discriminator three, old and new side by side; weights, model.
    total = 4 * (2 * 7 * network + 3 * network)
    if not is_there(array_path(index.data_id, config.image_size)):
        total += len(index.table) * config.image_size**2
    return total


def typical_gan_speed(config: GanConfig) -> float:
    """Real images per second of a typical training."""
    return 1 / (_IMAGE_S + _FILTERS_S * (config.filters / 64) ** 2 * (config.image_size / 64) ** 2)


def measured_gan_speed(config: GanConfig, device: tuple[str, str]) -> float | None:
    """Real images per second of the newest local training of networks of this size, or None.

    Args:
        config: The config.
        device: Backend and kind of device that it would run on.
    """
    for run in list_runs():
        if run.is_published or run.architecture is not Architecture.DCGAN or not is_there(run.trained):
            continue
        try:
            submitted, facts, events = read_config(run), read_json(run.trained), read_events(run)
            where, images = (facts["device"]["backend"], facts["device"]["kind"]), int(facts["images"]["train"])
            epochs = [float(event["duration_s"]) for event in events if event.get("kind") == "epoch"][1:]
        except (StoreError, ConfigError, KeyError, TypeError, ValueError):
            continue  # A damaged run has no usable speed.
        size = ("filters", "image_size", "batch_size")
        if where == device and epochs and all(getattr(submitted, name, None) == getattr(config, name) for name in size):
            return images / max(median(epochs), 1e-6)
    return None
