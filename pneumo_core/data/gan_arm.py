"""A DCGAN's samples as a balancing arm: which DCGAN's run is allowed for which classifier.

A generator retains information about every patient in its training images. Its samples may therefore train a classifier only
if none of those patients is in the classifier's validation or test images; otherwise the samples would leak information.
"""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumo_core.config.classifier import TrainConfig, Validation
from pneumo_core.data.index import DataIndex
from pneumo_core.data.splits import Assignment, gap, smaller_class
from pneumo_core.errors import ConfigError, DataError
from pneumo_core.records import Label, Split
from pneumo_core.runs.store import RunDirectory, find_run, read_manifest, verified_file
from pneumo_core.runs.submission import gan_run_config


def follow_gan(config: TrainConfig) -> TrainConfig:
    """Adapt a config so that it holds out the patients that its DCGAN was not trained on; other configs stay as they are.

    Raises:
        RunNotFoundError: There is no such DCGAN.
        RunError: The run is a classifier's.
        ConfigError: The DCGAN was trained on all training patients, and the classifier holds some of them out.
    """
    if config.gan_run is None or config.validation is not Validation.PATIENTS:
        return config
    gan = gan_run_config(find_run(config.gan_run))
    if gan.validation is not Validation.PATIENTS:
        raise ConfigError(
            f"a DCGAN must not be trained on a classifier's validation patients. Received: gan_run={config.gan_run!r}, preset "
            f"{gan.preset.value!r}, trained on all; train a DCGAN with the preset 'sound', or the classifier with 'report'"
        )
    return replace(config, split_seed=gan.seed, val_fraction=gan.val_fraction)


def require_gan(config: TrainConfig, index: DataIndex) -> None:
    """Check that a config's DCGAN, if it has one, is finished and generates the smaller class of the data set.

    Raises:
        RunNotFoundError: There is no such DCGAN.
        RunError: The run is a classifier's, or not finished.
        ConfigError: It generates the larger class, or was trained on validation patients of the classifier.
        DataError: It was trained on other images.
        CorruptError: A file does not match its hash.
    """
    if config.gan_run is None:
        return
    run = find_run(config.gan_run)
    gan = gan_run_config(run)
    read_manifest(run)
    train = index.table[index.table["split"] == Split.TRAIN.value]
    _require_smaller(config.gan_run, gan.label, train["label"].to_numpy())
    if (fitting := follow_gan(config)) != config:
        raise ConfigError(
            f"a classifier must hold out the patients that its DCGAN was not trained on: split_seed={fitting.split_seed}, "
            f"val_fraction={fitting.val_fraction}. Received: split_seed={config.split_seed}, val_fraction={config.val_fraction}"
        )
    learned = _learned(run)
    if strange := int((~learned.isin(train["sha256"])).sum()):
        raise DataError(
            f"a DCGAN must be trained on training images of this data set. Received: gan_run={run.run_id!r}, "
            f"{strange:,} of {len(learned):,} images are not among them; train a DCGAN on this data set"
        )


def require_unseen(config: TrainConfig, table: pd.DataFrame, rows: Assignment) -> None:
    """Check, for a known split, that a config's DCGAN was not trained on held-out patients and generates the smaller class.

    Images are identified by their content, so a data set with another test part is allowed.

    Raises:
        RunError: The DCGAN's run is not finished.
        ConfigError: It generates the larger class of the training rows.
        DataError: It was trained on a held-out patient.
        CorruptError: A file does not match its hash.
    """
    run = find_run(str(config.gan_run))
    _require_smaller(run.run_id, gan_run_config(run).label, table["label"].to_numpy()[rows.train])
    learned = _learned(run)
    patients = set(table.loc[table["sha256"].isin(learned), "patient_id"])
    part = table.iloc[np.union1d(rows.val, rows.test)]
    if seen := int((part["patient_id"].isin(patients) | part["sha256"].isin(learned)).sum()):
        raise DataError(
            f"a DCGAN must not be trained on the classifier's held-out patients. Received: gan_run={run.run_id!r}, "
            f"{seen:,} of {len(part):,} held-out images are of patients in its training; train a DCGAN with the preset "
            "'sound' on this data set"
        )


def collapse_of(run: RunDirectory) -> str:
    """Reason why a finished DCGAN's samples failed the check for collapse, or "".

    Raises:
        RunError: The run is not finished.
        CorruptError: The manifest is damaged.
    """
    return str(read_manifest(run).get("collapse", ""))


def _learned(run: RunDirectory) -> "pd.Series[str]":
    """SHA-256 of each training image of a finished DCGAN."""
    return pd.read_parquet(io.BytesIO(verified_file(run, run.learned)))["sha256"]


def _require_smaller(run_id: str, label: Label, labels: NDArray[np.integer[Any]]) -> None:
    smaller = smaller_class(labels)
    if label is not smaller and gap(labels):
        raise ConfigError(
            f"samples must be of the smaller class, {smaller.name}. Received: gan_run={run_id!r} of class {label.name}; "
            f"train a DCGAN on {smaller.name}"
        )
