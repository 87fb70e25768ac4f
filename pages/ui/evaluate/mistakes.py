"""The images of a run: their probabilities, the largest errors as images, and downloads."""

import json
from collections.abc import Sequence
from pathlib import PurePosixPath

import pandas as pd
import streamlit as st

from pages.ui import charts
from pages.ui.cached import index_here
from pages.ui.components import chart, images_elsewhere
from pages.ui.pictures import plain, thumbnail
from pages.ui.table import download
from pneumo_core.augmentation.stress import original_id
from pneumo_core.data.index import DataIndex
from pneumo_core.errors import DataError
from pneumo_core.evaluation.curves import probability_bins
from pneumo_core.evaluation.histogram import histogram
from pneumo_core.evaluation.mistakes import by_error, with_probability
from pneumo_core.evaluation.report import EvaluationReport, report_to_dict
from pneumo_core.inference.evidence import read_predictions
from pneumo_core.jobs.runs import RunView
from pneumo_core.records import Split
from pneumo_core.reporting.document import table_csv
from pneumo_core.reporting.evaluation_tables import classification, copies_words, place
from pneumo_core.reporting.file_names import file_name
from pneumo_core.runs.submission import classifier_config

_WORST = 8


def predictions_of(view: RunView, report: EvaluationReport) -> pd.DataFrame:
    """The run's predictions on all splits, with each probability and the class at the run's threshold."""
    return with_probability(read_predictions(view.run), report.operating_point.threshold)


def probability_chart(predicted: pd.DataFrame, report: EvaluationReport, split: Split, of: Sequence[object]) -> None:
    """Distribution of the probabilities of the two classes, with the threshold; `of` is as for `chart`."""
    rows = predicted[predicted["split"] == split.value]
    bins = probability_bins([histogram(rows["label"].to_numpy(), rows["probability"].to_numpy())])
    chart(
        charts.probabilities(bins, report.operating_point.threshold),
        bins,
        title="Probabilities by class",
        where=f"{place(report, split)}, n = {len(rows):,}",
        caption="Images right of the threshold are classified as PNEUMONIA. NORMAL images there are false alarms; PNEUMONIA "
        "images left of it are missed. Each class has its own scale. Bars at the ends come from a model that is "
        "confident, which need not be correct.",
        of=of,
    )


def mistakes(view: RunView, predicted: pd.DataFrame, report: EvaluationReport, split: Split) -> None:
    """All images of the split by error, and the largest errors as images."""
    table = by_error(predicted[predicted["split"] == split.value])
    wrong = int((table["verdict"] != "right").sum())
    where = f"{place(report, split)}, n = {len(table):,}"
    st.markdown(f"**Images by error** · {where}")
    st.caption(
        f"{wrong:,} misclassified images come first. Error is the distance between probability and label (0 NORMAL, "
        "1 PNEUMONIA). A click on a column's name sorts by it; the magnifying glass searches."
    )
    number = st.column_config.NumberColumn(format="%.3f")
    st.dataframe(
        table,
        hide_index=True,
        height=360,
        key="images",
        column_config={"probability": number, "error": number},
        alt=f"Images by error, {where}",
    )
    index = index_here(view.data.data_id)
    if index is None:
        images_elsewhere([view.data.data_id])
        return
    st.markdown(f"**The {min(_WORST, len(table))} with the largest error, misclassified first** · {where}")
    if split is Split.STRESS:
        st.caption(f"{copies_words(report)}, shown as the run saw them; the number after # is that of the copy.")
    side = classifier_config(view.run).image_size if split is Split.STRESS else None
    _gallery(index, table.head(_WORST), side)


def _gallery(index: DataIndex, worst: pd.DataFrame, side: int | None) -> None:
    """Small pictures of rows of `by_error`; a missing or changed file is reported in its place. For `side` see `thumbnail`."""
    hashes = dict(zip(index.table["image_id"], index.table["sha256"], strict=True))
    grid = st.grid(4, min_column_width=170, border=True)
    for row in worst.to_dict("records"):
        name = PurePosixPath(row["image"]).name
        words = f"{row['verdict']}: labeled {row['label']}, probability {row['probability']:.3f}"
        with grid.cell():
            try:
                picture = thumbnail(str(index.root), row["image"], hashes.get(original_id(row["image"]), ""), side)
            except DataError as error:
                st.caption(plain(str(error)))
            else:
                st.image(picture, width="stretch", alt=f"{name}, {words}")
            st.caption(f"**{words}**  \n{plain(name)}, patient {plain(row['patient'])}, subtype {row['subtype']}")


def downloads(predicted: pd.DataFrame, report: EvaluationReport, split: Split, words: Sequence[object]) -> None:
    """The evidence, the report and the classification table as files; `words` are the page's and the run's."""
    stored = json.dumps(report_to_dict(report), indent=1)  # Of this schema; the file may be of an older one.
    table = classification(report.splits[split].table, "Classification table")
    with st.container(horizontal=True):
        predictions = file_name(*words, "predictions", kind="csv")
        download("Predictions of all splits (CSV)", predicted.to_csv(index=False), predictions)
        download("Report (JSON)", stored, file_name(*words, "report", kind="json"))
        label = f"Classification table, {place(report, split)} (CSV)"
        download(label, table_csv(table), file_name(*words, split.value, "classification", kind="csv"))
    st.caption("Each prediction has its logit, probability and class. No image is in any of these files.")
