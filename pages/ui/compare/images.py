"""Agreement of two runs, image by image: the table, and the images of each cell."""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
import pandas as pd
import streamlit as st

from pages.ui.cached import evidence_in
from pages.ui.compare.file_words import compared_words
from pages.ui.compare.gallery import PAGE_SIZE, data_of, show_images
from pages.ui.components import choice, disclaimer, shown_errors
from pages.ui.memory import give_back_memory
from pages.ui.pictures import plain
from pages.ui.table import download
from pneumo_core.evaluation.comparison import Comparison, Evidence, Pair
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.significance import McNemar, larger_p
from pneumo_core.evaluation.wording import p_text, percent
from pneumo_core.records import Label, NotApplicable, split_words
from pneumo_core.reporting.file_names import file_name


class Cell(StrEnum):
    """A cell of the agreement table; the value is its name, also in the address."""

    BOTH_RIGHT = "both right"
    ONLY_A = "only A right"
    ONLY_B = "only B right"
    BOTH_WRONG = "both wrong"


def agreement(comparison: Comparison, pair: Pair) -> None:
    """The agreement table of two runs, and the images behind it."""
    if not comparison.paired:
        st.info(
            plain(
                f"Not applicable: agreement requires the same images, and {comparison.pairing}. "
                "Choose two runs that were trained and tested on the same data set."
            )
        )
        return
    evidence = (evidence_in(pair.a, comparison.split), evidence_in(pair.b, comparison.split))
    table = agreement_frame(*evidence)
    place = split_words(comparison.split, selected=any(run.selected_on_test for run in evidence))
    where = f"{place}, n = {len(table):,}"
    st.markdown(f"**Agreement** · {where}")
    st.table(counts_frame(table), alt=f"Agreement of A and B, {where}")
    st.caption(_words(pair))
    st.fragment(_explore)(pair, table, where, compared_words((pair.a,), (pair.b,), comparison.split))


def agreement_frame(a: Evidence, b: Evidence) -> pd.DataFrame:
    """The common images of two runs: both predictions, and the cell; the most different first."""
    first, second = a.predictions, b.predictions.set_index("image_id").loc[a.predictions["image_id"]]
    values = [probability(rows["logit"].to_numpy(dtype=np.float64)) for rows in (first, second)]
    sick = first["label"].to_numpy() == Label.PNEUMONIA
    called = [value >= run.threshold for value, run in zip(values, (a, b), strict=True)]
    right = 2 * (called[0] == sick) + (called[1] == sick)
    names = np.array([Cell.BOTH_WRONG, Cell.ONLY_B, Cell.ONLY_A, Cell.BOTH_RIGHT], dtype=object)
    table = pd.DataFrame(
        {
            "cell": names[right],
            "image": first["image_id"],
            "patient": first["patient_id"],
            "label": [Label(label).name for label in first["label"]],
            "subtype": first["subtype"],
            "probability A": values[0],
            "probability B": values[1],
            "A calls": np.where(called[0], Label.PNEUMONIA.name, Label.NORMAL.name),
            "B calls": np.where(called[1], Label.PNEUMONIA.name, Label.NORMAL.name),
        }
    )
    apart = table.assign(apart=np.abs(values[0] - values[1]))
    return apart.sort_values(["apart", "image"], ascending=[False, True], ignore_index=True).drop(columns="apart")


def counts_frame(table: pd.DataFrame) -> pd.DataFrame:
    """The 2 x 2 table of `agreement_frame`: images and their percentage."""

    def words(cell: Cell) -> str:
        count = int((table["cell"] == cell).sum())
        return f"{count:,} ({percent(count / len(table))})"

    rows = [[words(Cell.BOTH_RIGHT), words(Cell.ONLY_A)], [words(Cell.ONLY_B), words(Cell.BOTH_WRONG)]]
    return pd.DataFrame(rows, index=["A right", "A wrong"], columns=["B right", "B wrong"])


def _explore(pair: Pair, table: pd.DataFrame, where: str, words: Sequence[str]) -> None:
    """A cell's images as a table, a file and images; a fragment, so that a choice reruns nothing else of the page."""
    with shown_errors():
        disclaimer()
        names = [*(cell.value for cell in Cell), "all"]
        asked = choice("Images that are", names, default=Cell.ONLY_B.value, key="cell", bind="query-params")
        cell = None if asked == "all" else asked
        chosen = table if cell is None else table[table["cell"] == cell].reset_index(drop=True)
        if chosen.empty:
            st.info("No image is in this cell. Choose another one.")
            return
        heading = cell or "all images"
        classes = ", ".join(f"{(chosen['label'] == label.name).sum():,} {label.name}" for label in Label)
        st.markdown(f"**{heading[0].upper()}{heading[1:]}** · {where}")
        st.caption(
            f"{len(chosen):,} images of {chosen['patient'].nunique():,} patients: {classes}. The largest difference in "
            "probability comes first. A click on a column's name sorts; a tick at the left opens an image."
        )
        number = st.column_config.NumberColumn(format="%.3f")
        picked = st.dataframe(
            chosen.drop(columns="cell"),
            hide_index=True,
            height=min(320, 38 + 35 * len(chosen)),
            key=f"images {pair.a} {pair.b} {cell}",
            on_select="rerun",
            selection_mode="single-row",
            column_config={"probability A": number, "probability B": number},
            alt=f"Images: {cell or 'all'}, {where}",
        )
        name = file_name(*words, "images", cell or "all", kind="csv")
        download("These images (CSV)", chosen.to_csv(index=False), name)
        index = data_of(pair)
        if index is None:
            return
        # The table keeps its rows while a cell changes below it, so a number may be past the end.
        rows = [row for row in picked.selection.rows if row < len(chosen)]
        if rows:
            st.caption("Clear the tick to see the other images again.")
            show_images(index, pair, chosen.iloc[rows])
        else:
            pages = -(-len(chosen) // PAGE_SIZE)
            page = st.pagination(pages, key=f"page {pair.a} {pair.b} {cell}") if pages > 1 else 1
            show_images(index, pair, chosen.iloc[(page - 1) * PAGE_SIZE : page * PAGE_SIZE])
    give_back_memory()


def _words(pair: Pair) -> str:
    """The table in a sentence, with McNemar's test."""
    if isinstance(pair.mcnemar, NotApplicable):
        return plain(f"Not applicable: {pair.mcnemar.reason}.")
    calls: McNemar = pair.mcnemar
    return plain(
        f"Of {calls.only_a + calls.only_b:,} images on which they disagree, A is correct on {calls.only_a:,} and B on "
        f"{calls.only_b:,}: McNemar {p_text(larger_p(calls))}. Each run uses its own threshold."
    )
