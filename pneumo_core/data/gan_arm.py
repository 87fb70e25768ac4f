"""A DCGAN's samples as a balancing arm: which run may serve which classifier.

A generator remembers something of every patient it has seen. Its samples may therefore serve a classifier only where none of
those patients validates or tests it, or they would come back in disguise.
"""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumo_core.config.classifier import Balance, TrainConfig, Validation
from pneumo_core.data.index import DataIndex
from pneumo_core.data.splits import Assignment, gap, smaller_class
from pneumo_core.errors import ConfigError, DataError
from pneumo_core.records import Label, Split
from pneumo_core.runs.store import RunDirectory, find_run, read_manifest, verified_file
from pneumo_core.runs.submission import gan_run_config


def follow_gan(config: TrainConfig) -> TrainConfig:
    """A config that holds out the patients that its DCGAN has not seen; other configs stay as they are.

    Args:
        config: A classifier's config.

    Raises:
        RunNotFoundError: There is no such DCGAN.
        RunError: The run is a classifier's.
        ConfigError: The DCGAN has seen all training patients, and the classifier holds some of them out.
    """
    if config.gan_run is None or config.validation is not Validation.PATIENTS:
        return config
    gan = gan_run_config(find_run(config.gan_run))
    if gan.validation is not Validation.PATIENTS:
        raise ConfigError(
            f"a DCGAN may not have seen the patients a classifier validates on. Received: gan_run={config.gan_run!r}, preset "
            f"{gan.preset.value!r}, which has seen all; train a DCGAN with the preset 'sound', or the classifier with 'report'"
        )
    return replace(config, split_seed=gan.seed, val_fraction=gan.val_fraction)


def require_gan(config: TrainConfig, index: DataIndex) -> None:
    """Check that a config's DCGAN, if it has one, is finished and makes what the data set has too little of.

    Args:
        config: A classifier's config.
        index: The data set.

    Raises:
        RunNotFoundError: There is no such DCGAN.
        RunError: The run is a classifier's, or not finished.
        ConfigError: It makes the class that there is more of, or has seen patients that the classifier validates on.
        DataError: It has learned from other images.
        CorruptError: A file is not the one that was written.
    """
    if config.balance is not Balance.GAN or config.gan_run is None:
        return
    run = find_run(config.gan_run)
    gan = gan_run_config(run)
    read_manifest(run)
    train = index.table[index.table["split"] == Split.TRAIN.value]
    _require_smaller(config.gan_run, gan.label, train["label"].to_numpy())
    if (fitting := follow_gan(config)) != config:
        raise ConfigError(
            f"a classifier must hold out the patients that its DCGAN has not seen: split_seed={fitting.split_seed}, "
            f"val_fraction={fitting.val_fraction}. Received: split_seed={config.split_seed}, val_fraction={config.val_fraction}"
        )
    learned = _learned(run)
    if strange := int((~learned.isin(train["sha256"])).sum()):
        raise DataError(
            f"a DCGAN must have learned from training images of this data set. Received: gan_run={run.run_id!r}, "
            f"{strange:,} of {len(learned):,} images are not among them; train a DCGAN on this data set"
        )


def require_unseen(config: TrainConfig, table: pd.DataFrame, rows: Assignment) -> None:
    """Check, where the split is known, that a config's DCGAN has seen nobody who is held out, and makes the smaller class.

    Images are told by their content, so a data set with another test part is no obstacle.

    Args:
        config: A classifier's config with the arm ``gan``.
        table: The index's table.
        rows: Which rows train, validate and test.

    Raises:
        RunError: The DCGAN's run is not finished.
        ConfigError: It makes the class that there is more of among the rows that train.
        DataError: It has learned from a patient who is held out.
        CorruptError: A file is not the one that was written.
    """
    run = find_run(str(config.gan_run))
    _require_smaller(run.run_id, gan_run_config(run).label, table["label"].to_numpy()[rows.train])
    learned = _learned(run)
    patients = set(table.loc[table["sha256"].isin(learned), "patient_id"])
    part = table.iloc[np.union1d(rows.val, rows.test)]
    if seen := int((part["patient_id"].isin(patients) | part["sha256"].isin(learned)).sum()):
        raise DataError(
            f"a DCGAN may have seen nobody who validates or tests the classifier. Received: gan_run={run.run_id!r}, "
            f"{seen:,} of {len(part):,} held-out images are of patients it has learned from; train a DCGAN with the preset "
            "'sound' on this data set"
        )


def collapse_of(run: RunDirectory) -> str:
    """Why a finished DCGAN's samples have failed the check for collapse, or "".

    Raises:
        RunError: The run is not finished.
        CorruptError: The manifest is not what was written.
    """
    return str(read_manifest(run).get("collapse", ""))


def _learned(run: RunDirectory) -> "pd.Series[str]":
    """SHA-256 of each image a finished DCGAN has learned from."""
    return pd.read_parquet(io.BytesIO(verified_file(run, run.learned)))["sha256"]


def _require_smaller(run_id: str, label: Label, labels: NDArray[np.integer[Any]]) -> None:
    smaller = smaller_class(labels)
    if label is not smaller and gap(labels):
        raise ConfigError(
            f"samples must be of the smaller class, {smaller.name}. Received: gan_run={run_id!r}, which makes {label.name}; "
            f"train a DCGAN on {smaller.name}"
        )
