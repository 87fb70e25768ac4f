"""Tables of a run's evidence as pure functions: what Evaluate shows, and what it hands out as CSV."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from pneumo_core.config.classifier import OperatingRule, TrainConfig
from pneumo_core.evaluation.metrics import ClassificationRow
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.report import EvaluationReport, OperatingPoint, SplitReport
from pneumo_core.evaluation.wording import NAMES, classification_cells, estimate_text
from pneumo_core.jobs.runs import RunView
from pneumo_core.records import Label, Metric, NotApplicable, Split
from pneumo_core.reporting.facts import fact, facts_text

OPERATING = (Metric.SENSITIVITY, Metric.SPECIFICITY, Metric.PPV, Metric.NPV)
"""The rates of an operating point."""


def place(report: EvaluationReport, split: Split) -> str:
    """The split as it stands beside each figure: ``test``, or ``test, selected on test``."""
    return split.value + (", selected on test" if report.selected_on_test and split is Split.TEST else "")


def figures_frame(report: EvaluationReport) -> pd.DataFrame:
    """Every figure of every split as a row of numbers: value, interval, n, or the reason why there is none."""
    rows: list[dict[str, Any]] = []
    for split, part in report.splits.items():
        for metric, estimate in part.figures.items():
            row = {"split": place(report, split), "figure": NAMES[metric]}
            if isinstance(estimate, NotApplicable):
                rows.append({**row, "not applicable": estimate.reason})
            else:
                rows.append({**row, **asdict(estimate), "not applicable": ""})
    frame = pd.DataFrame(rows, columns=["split", "figure", "value", "low", "high", "n", "not applicable"])
    return frame.astype({"n": "Int64"})


def table_frame(rows: tuple[ClassificationRow, ...]) -> pd.DataFrame:
    """The classification table in the report's layout, two decimals; the accuracy stands under f1-score alone."""
    columns = ["precision", "recall", "f1-score", "support"]
    return pd.DataFrame([classification_cells(row) for row in rows], index=[row.name for row in rows], columns=columns)


def table_csv(rows: tuple[ClassificationRow, ...]) -> str:
    """The classification table in full precision; what is not applicable is empty."""
    names = ("precision", "recall", "f1")
    values = {
        name: [None if isinstance(value := getattr(row, name), NotApplicable) else value for row in rows]
        for name in names
    }
    frame = pd.DataFrame({"name": [row.name for row in rows], **values, "support": [row.support for row in rows]})
    return frame.to_csv(index=False)


def with_probability(predictions: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Predictions with each image's probability and what it is called at the threshold."""
    values = probability(predictions["logit"].to_numpy())
    called = np.where(values >= threshold, Label.PNEUMONIA.name, Label.NORMAL.name)
    return predictions.assign(probability=values, called=called)


def by_error(predicted: pd.DataFrame) -> pd.DataFrame:
    """Images of `with_probability` for people: the misclassified first, then by the distance of probability and label."""
    labels = predicted["label"].map(lambda label: Label(label).name)
    verdicts = {("NORMAL", "PNEUMONIA"): "false alarm", ("PNEUMONIA", "NORMAL"): "missed"}
    table = pd.DataFrame(
        {
            "verdict": [verdicts.get(pair, "right") for pair in zip(labels, predicted["called"], strict=True)],
            "image": predicted["image_id"],
            "patient": predicted["patient_id"],
            "subtype": predicted["subtype"],
            "label": labels,
            "probability": predicted["probability"],
            "error": (predicted["probability"] - predicted["label"]).abs(),
        }
    )
    keyed = table.assign(right=table["verdict"] == "right")
    ranked = keyed.sort_values(["right", "error", "image"], ascending=[True, False, True], ignore_index=True)
    return ranked.drop(columns="right")


def curve_frame(part: SplitReport, kind: str) -> pd.DataFrame:
    """Points of a curve, ``roc`` or ``pr``; empty where it is not applicable."""
    curve = getattr(part, kind)
    if isinstance(curve, NotApplicable):
        return pd.DataFrame()
    if kind == "roc":
        specificity = 1 - np.array(curve.fpr)
        return pd.DataFrame({"threshold": curve.threshold, "sensitivity": curve.tpr, "specificity": specificity})
    return pd.DataFrame({"threshold": curve.threshold, "recall": curve.recall, "precision": curve.precision})


def confusion_frame(part: SplitReport) -> pd.DataFrame:
    """The confusion matrix as counts, a row for each true class."""
    counts = part.confusion
    rows = {Label.NORMAL.name: (counts.tn, counts.fp), Label.PNEUMONIA.name: (counts.fn, counts.tp)}
    called = [f"called {label.name}" for label in Label]
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=called)
    return frame.assign(images=frame.sum(axis=1)).rename_axis("labelled").reset_index()


def point_frame(report: EvaluationReport, split: Split) -> pd.DataFrame:
    """Rates of the operating point where it was chosen and on the split shown, with intervals and n."""
    point, part = report.operating_point, report.splits[split]
    chosen = "" if point.rule is OperatingRule.HALF else ", where it was chosen"
    rates: dict[str, OperatingPoint | SplitReport] = {place(report, point.split) + chosen: point}
    if split is not point.split:
        rates[place(report, split)] = part
    columns = {
        title: [estimate_text(metric, getattr(source, metric), with_n=True) for metric in OPERATING]
        for title, source in rates.items()
    }
    return pd.DataFrame(columns, index=[NAMES[metric] for metric in OPERATING])


def epoch_table(events: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Epochs of a run's events, counted from 1; of an epoch that was run again after a resume, the last."""
    known = {int(event["epoch"]) + 1: event for event in events if event.get("kind") == "epoch"}
    names = ["loss", "val_loss", "accuracy", "val_accuracy", "learning_rate", "duration_s"]
    rows = [{"epoch": epoch, **{name: known[epoch].get(name, np.nan) for name in names}} for epoch in sorted(known)]
    return pd.DataFrame(rows, columns=["epoch", *names])


def best_epoch(epochs: pd.DataFrame) -> int | None:
    """The epoch whose weights a run keeps: the first with the lowest validation loss."""
    rows = epochs.dropna(subset=["val_loss"]).sort_values(["val_loss", "epoch"])
    return int(rows["epoch"].iloc[0]) if len(rows) else None


def facts_frame(view: RunView, manifest: Mapping[str, Any]) -> pd.DataFrame:
    """What a run's manifest and config say of it, in words; what was not recorded says so."""

    def told(*names: str, shape: str = "", unit: str = "") -> str:
        return facts_text(fact(manifest, *names), shape, unit)

    total, trainable = fact(manifest, "parameters"), fact(manifest, "trainable_parameters")
    fixed = total - trainable if isinstance(total, int) and isinstance(trainable, int) else None
    first = fact(manifest, "first_epoch_of_last_session")
    resumed = f" (resumed after epoch {first}; the last session)" if isinstance(first, int) and first else ""
    memory = fact(manifest, "peak_memory_bytes")
    versions = fact(manifest, "device", "versions")
    rows = {
        "run": view.run_id,
        "data": facts_text(view.data.data_id or None) + (", phantoms" if view.data.is_phantom else ""),
        "seed": told("seed"),
        "most epochs": facts_text(view.config.epochs if view.config else None),
        **{f"images in {split.value}": told("images", split.value, shape=",") for split in Split},
        "parameters": told("parameters", shape=","),
        "parameters trainable": told("trainable_parameters", shape=","),
        "parameters not trainable": facts_text(fixed, ","),
        "backend": told("device", "backend"),
        "device": f"{told('device', 'kind')}: {told('device', 'name')}",
        "precision": told("device", "precision"),
        "training": told("training_duration_s", shape=",.0f", unit=" s") + resumed,
        "resume": told("resume"),
        "export and prediction": told("export_duration_s", shape=",.0f", unit=" s"),
        "peak memory": facts_text(memory / 2**20 if isinstance(memory, int | float) else memory, ",.0f", " MiB"),
        "python": told("device", "python"),
        "system": told("device", "system"),
        **({name: str(version) for name, version in versions.items()} if isinstance(versions, Mapping) else {}),
    }
    added = manifest.get("images_added")
    if (by := manifest.get("images_added_by")) and added:
        rows["images in train"] += f", and {facts_text(added, ',')} synthetic images of {by}"
    if isinstance(view.config, TrainConfig) and view.config.selected_on_test:
        rows["images in val"] += ", the test images themselves"
    return pd.DataFrame({"fact": list(rows), "value": list(rows.values())})
