"""Evaluation of a finished run, from its stored predictions or on another data set."""

from typing import Any

import numpy as np
import pandas as pd

from pneumo_core.data.index import DataIndex, load_index
from pneumo_core.data.splits import MOST_CASES
from pneumo_core.errors import DataError, RunError
from pneumo_core.evaluation.report import evaluate, report_to_dict
from pneumo_core.inference.cases import read_cases
from pneumo_core.inference.classify import load_classifier
from pneumo_core.inference.evidence import read_predictions
from pneumo_core.inference.session import run_batches
from pneumo_core.records import NotApplicable, Split
from pneumo_core.runs.store import RunDirectory
from pneumo_core.runs.submission import classifier_config, read_data


def evaluate_run(run: RunDirectory, split: Split, index: DataIndex | None = None) -> dict[str, Any]:
    """`EvaluationReport` of a finished run at its own operating point as plain data, with one split alone.

    With an index, the run predicts the images of another data set, instead of its stored predictions.

    Raises:
        RunError: The run is not a classifier's, is not finished, or has no images of the split.
        CorruptError: A file does not match its hash.
        DataError: An image cannot be read.
    """
    config = classifier_config(run)
    predictions = read_predictions(run)
    selected_on_test = config.selected_on_test
    reported = split
    if index is not None:
        # Whatever the folder's name, nothing was selected on these images; the threshold stays the run's own.
        chosen_on = predictions[predictions["split"] == config.choose_on.value]
        predictions = pd.concat([chosen_on, _predict(run, index, split)], ignore_index=True)
        selected_on_test = selected_on_test and index.data_id == read_data(run).data_id
        reported = Split.TEST
    report = report_to_dict(
        evaluate(
            predictions,
            run_id=run.run_id,
            rule=config.operating_rule,
            selected_on_test=selected_on_test,
            choose_on=config.choose_on,
        )
    )
    if reported.value not in report["splits"]:
        raise RunError(
            f"the run must have predictions of the split. Received: split={split.value!r}, has={list(report['splits'])}"
            + (f"; 'runs refresh {run.run_id}' adds stress" if split is Split.STRESS and not selected_on_test else "")
        )
    return {**report, "splits": {split.value: {**report["splits"][reported.value], "split": split.value}}}


def _predict(run: RunDirectory, index: DataIndex, split: Split) -> pd.DataFrame:
    session = load_classifier(run).session
    rows = np.flatnonzero(index.table["split"].to_numpy() == split.value)  # None of stress, which no folder holds.
    if not len(rows):
        raise RunError(
            f"the data set must have images of the split. Received: split={split.value!r}, root={str(index.root)!r}"
        )
    images = index.pixels(session.image_size, preparation=session.preparation)
    part = index.table.iloc[rows][["image_id", "patient_id", "label", "subtype"]]
    return part.assign(split=Split.TEST.value, logit=run_batches(session, images, rows).logit)


def trained_on(run: RunDirectory, index: DataIndex, split: Split) -> int | NotApplicable:
    """How many images of a split trained the run, found by their bytes wherever they lie.

    Args:
        run: A finished run.
        index: The data set that it is evaluated on.
        split: The split of it.

    Returns:
        The number; not applicable where the run's training images or the data set that they are from are not on this machine.
    """
    cases = read_cases(run)
    if isinstance(cases, NotApplicable):
        return cases
    if len(cases.image_id) >= MOST_CASES:
        return NotApplicable(f"the run stores only {MOST_CASES:,} of its training images")
    source = read_data(run).data_id
    try:
        own = index if index.data_id == source else load_index(source)
    except DataError:
        return NotApplicable(f"the data set that the run was trained on, {source}, is not indexed on this machine")
    trained = set(own.table.loc[own.table["image_id"].isin(cases.image_id), "sha256"])
    rows = index.table[index.table["split"] == split.value]
    return int(rows["sha256"].isin(trained).sum())
