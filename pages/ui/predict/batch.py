"""Many files: a table of their answers as they come, of which a click opens one."""

import base64
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from pages.ui.cached import near_of
from pages.ui.components import choice
from pages.ui.pictures import bounded
from pages.ui.predict.kept import Case, answer_of, kept, once
from pages.ui.predict.picture import as_jpeg
from pneumo_core.data.images import decode_gray
from pneumo_core.errors import ImageError
from pneumo_core.evaluation.near import Near, verdict
from pneumo_core.inference.classify import Classifier, Prediction
from pneumo_core.inference.gate import Answer
from pneumo_core.inference.mend import mended
from pneumo_core.records import NotApplicable

_SIDE: Final = 96
"""Longest side of a thumbnail, in pixels."""

_EVERY: Final = 8
"""Answers between two drawings of the table while it grows."""

_ALL: Final = "All"

_WARNED: Final = "Be careful"


@dataclass(frozen=True, slots=True)
class _Row:
    case: Case
    prediction: Prediction
    answer: str

    @property
    def groups(self) -> tuple[str, ...]:
        """What it is found under: a warning, and the verdict."""
        warned = self.prediction.answer is Answer.WARNED
        return (_WARNED, self.answer) if warned else (self.answer,)

    @property
    def words(self) -> str:
        """The answer, after its warning."""
        return ": ".join(self.groups)


def show_batch(model: Classifier) -> Case | None:
    """The table of all open files, and the case that a click in it opens, which may be none."""
    cases = kept().cases
    place = st.empty()
    rows: list[_Row] = []
    band = near_of(model.run_id)
    for done, case in enumerate(cases):
        if (case.key, "answer", model.run_id) not in kept().made and done % _EVERY == 0:
            with place.container():
                st.progress(done / len(cases), f"{done:,} of {len(cases):,} images")
                st.dataframe(_frame(rows), hide_index=True, column_config=_columns(), alt="Answers so far")
        prediction = answer_of(model, case)
        rows.append(_Row(case, prediction, _answer(prediction, band)))
    with place.container():
        return _pick(rows)


def _pick(rows: list[_Row]) -> Case | None:
    counts = Counter(group for row in rows for group in row.groups)
    options = (_ALL, *sorted(counts))
    # Where the choices change, it begins again: a browser marks none where the words of the chosen one are gone.
    wanted = choice("Answers", options, key=f"batch answers {kept().drops} {hash(options)}")
    st.caption(", ".join(f"{group}: {count:,}" for group, count in counts.most_common()) + f"; {len(rows):,} files.")
    shown = [row for row in rows if wanted in {_ALL, *row.groups}]
    picked = st.dataframe(
        _frame(shown),
        hide_index=True,
        column_config=_columns(),
        row_height=56,
        height=min(420, 40 + 56 * len(shown)),
        on_select=_open_none,
        selection_mode="single-cell",
        # A selection is a number of a row, so it is good for these rows alone.
        key=f"batch {kept().drops} {hash(tuple(row.case.key for row in shown))}",
        alt="Answer of each file; a click opens one",
    )
    st.caption("A click on a row opens its case below; a click on a column's name sorts.")
    if cells := picked["selection"]["cells"]:
        kept().opened = shown[cells[0][0]].case.key
    return next((row.case for row in rows if row.case.key == kept().opened), None)


def _open_none() -> None:
    kept().opened = None


def _answer(prediction: Prediction, band: Near | NotApplicable) -> str:
    if prediction.probability is None or prediction.label is None:
        return "Refused"
    return verdict(prediction.probability, prediction.label, band)


def _frame(rows: list[_Row]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "picture": once(row.case, "thumbnail", partial(_thumbnail, row.case)),
                "answer": row.words,
                "probability": row.prediction.probability,
                "file": row.case.title,
                "reason": row.prediction.reason,
            }
            for row in rows
        ],
        columns=["picture", "answer", "probability", "file", "reason"],
    )


def _columns() -> dict[str, Any]:
    return {
        "picture": st.column_config.ImageColumn("", width="small"),
        "probability": st.column_config.NumberColumn("probability", format="%.3f", width="small"),
    }


def _thumbnail(case: Case) -> str | None:
    """A small picture as an address that holds it; nothing is kept on the server for it."""
    try:
        small = bounded(Image.fromarray(decode_gray(case.data, case.name)), _SIDE)
    except ImageError:
        return None
    return "data:image/jpeg;base64," + base64.b64encode(as_jpeg(mended(np.asarray(small), case.mends))).decode()
