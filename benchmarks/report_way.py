"""The report's way of training its baseline CNN: Keras' generator reads the files anew in every epoch, float32, `fit`.

    python -m benchmarks.report_way DATA [--epochs 5] [--batch-size 32] [--seed 0] [--predictions FILE] [--json FILE]

Network, augmentation, callbacks and validation on the test images are the report's (sections 2.3, 3.1 and 3.3); the plateau's
patience and factor are not given there and are those of preset `report`. Early stopping waits for as many epochs as there
are, so that every epoch is run. `benchmarks.baseline` runs this beside our way.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import pandas as pd
from keras import layers

# Keras 3 keeps the generator for TensorFlow's sake, without a public name of its own.
from keras.src.legacy.preprocessing.image import ImageDataGenerator

from benchmarks.table import tell
from pneumo_core.config.architecture import BASELINE_DENSE, BASELINE_FILTERS
from pneumo_core.config.hardware import peak_memory_bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with train and test")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--image-size", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--predictions", type=Path, metavar="FILE", help="Parquet file for the best epoch's predictions"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    arguments = parser.parse_args()

    keras.utils.disable_interactive_logging()
    started = time.monotonic()
    keras.utils.set_random_seed(arguments.seed)
    size, batch_size = arguments.image_size, arguments.batch_size
    train = training_batches(arguments.data / "train", size, batch_size)
    test = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
        arguments.data / "test", (size, size), batch_size=batch_size, class_mode="binary", shuffle=False
    )
    model = build(size)
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    times = EpochTimes()
    with tempfile.TemporaryDirectory() as folder:
        best = Path(folder) / "best.weights.h5"
        model.fit(
            train,
            validation_data=test,
            epochs=arguments.epochs,
            callbacks=[
                times,
                keras.callbacks.ModelCheckpoint(best, save_best_only=True, save_weights_only=True),
                keras.callbacks.ReduceLROnPlateau(monitor="val_loss", mode="max", patience=2, factor=0.3),
                keras.callbacks.EarlyStopping(monitor="val_loss", patience=arguments.epochs),
            ],
            verbose=0,
        )
        training_s = time.monotonic() - started
        model.load_weights(best)
    if arguments.predictions:
        predicted = pd.DataFrame(
            {
                "image_id": [f"test/{name}" for name in test.filenames],
                "label": test.labels,
                "probability": model.predict(test, verbose=0)[:, 0],
            }
        )
        predicted.to_parquet(arguments.predictions, index=False)
    figures = {
        "training_s": training_s,
        "epoch_s": statistics.median(times.seconds[1:] or times.seconds),
        "peak_memory_mib": peak_memory_bytes() / 2**20,
    }
    tell(figures, arguments.json)


def training_batches(folder: Path, image_size: int, batch_size: int) -> keras.utils.PyDataset:
    """The report's generator (section 2.3): `(batch, size, size, 3)` float32 in [0, 1] and labels `(batch,)`."""
    generator = ImageDataGenerator(rescale=1 / 255, zoom_range=0.3, vertical_flip=True)
    return generator.flow_from_directory(folder, (image_size, image_size), batch_size=batch_size, class_mode="binary")


def build(image_size: int) -> keras.Model:
    """The report's network (section 3.1) as it was written: three channels in [0, 1] to a probability."""
    model = keras.Sequential([keras.Input((image_size, image_size, 3))])
    for block, filters in enumerate(BASELINE_FILTERS):
        model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        if block:
            model.add(layers.BatchNormalization())
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    for units, rate in BASELINE_DENSE:
        model.add(layers.Dense(units, activation="relu"))
        model.add(layers.Dropout(rate))
    model.add(layers.Dense(1, activation="sigmoid"))
    return model


class EpochTimes(keras.callbacks.Callback):
    """Seconds of each epoch, validation included."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        self.seconds.append(time.monotonic() - self._started)


if __name__ == "__main__":
    main()
