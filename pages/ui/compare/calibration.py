"""Compare's calibration: both runs' probabilities, raw and after the calibrator fitted on validation."""

import pandas as pd
import streamlit as st

from pages.ui.compare.calibration_charts import RAW, bins_frame, reliability_figure
from pages.ui.compare.file_words import compared_words
from pages.ui.compare.sides import Shown, name_sides, shown_sides
from pages.ui.components import chart
from pages.ui.places import beside
from pages.ui.table import show_rows
from pneumo_core.evaluation.calibration import Calibration, CalibrationKind, apply
from pneumo_core.evaluation.comparison import Comparison, Pair
from pneumo_core.evaluation.reliability import ProbabilityScores, probability_scores
from pneumo_core.evaluation.wording import line_text, score_text
from pneumo_core.inference.evidence import read_calibration
from pneumo_core.records import NotApplicable, Split
from pneumo_core.reporting.comparison_tables import probabilities
from pneumo_core.runs.store import find_run


def calibration(comparison: Comparison, pair: Pair) -> None:
    """Reliability of both runs' probabilities on the split, before and after the stored calibrator, if it changes them."""
    sides = shown_sides(comparison, pair)
    of = compared_words((pair.a,), (pair.b,), comparison.split)
    name_sides(*sides)
    if comparison.split in {Split.VAL, Split.STRESS}:
        st.info(
            "The calibrators were fitted on images of these patients, so the calibrated figures are optimistic; report the "
            "test figures."
        )
    stored = [read_calibration(find_run(side.evidence.run_id)) for side in sides]
    measured: dict[str, ProbabilityScores] = {}
    for place, side, found in zip(beside(gap="large"), sides, stored, strict=True):
        kinds = {RAW: _scores_of(side, None)}
        if isinstance(found, Calibration) and found.chosen is not CalibrationKind.IDENTITY:
            kinds[found.chosen.value] = _scores_of(side, found)
        measured |= {f"{side.letter}, {kind}, {side.where}": scores for kind, scores in kinds.items()}
        with place:
            _story(side, found)
            chart(
                reliability_figure(side, kinds),
                bins_frame(kinds),
                title=f"Reliability of {side.letter}",
                where=f"{side.where}, n = {len(side.predictions):,}",
                caption="On the dotted line, probabilities equal the observed frequency of PNEUMONIA; below it they are too "
                "high, above it too low. A bar is a 95 % interval, clustered by patient: a bin of few images "
                "says little.",
                of=of,
            )
    st.markdown(f"**Calibration in figures** · {comparison.split.value}")
    show_rows(probabilities(measured))
    st.caption(
        "Brier score, log loss and ECE: the lower, the better. Slope: 1 is ideal, below 1 the probabilities are too extreme. "
        "Intercept: calibration in the large, with the slope fixed at 1; 0 is ideal, below 0 they are too high on average. "
        "ECE depends on its ten bins and is not 0 even for a "
        "perfect model. A calibration changes no decision, because a threshold moves with it. "
        "If test images differ from validation images, the calibrator may worsen the probabilities on test."
    )


def _scores_of(side: Shown, stored: Calibration | None) -> ProbabilityScores:
    logit = side.evidence.logit if stored is None else apply(stored.calibrator, side.evidence.logit)
    return _scores(side.predictions[["label", "patient_id"]].assign(logit=logit))


@st.cache_data(max_entries=32, show_spinner=False)
def _scores(rows: pd.DataFrame) -> ProbabilityScores:
    """The cache's key is the predictions themselves: two bootstraps take a tenth of a second."""
    patients = rows["patient_id"].to_numpy(dtype=str)
    return probability_scores(rows["label"].to_numpy(dtype="int64"), rows["logit"].to_numpy(), patients)


def _story(side: Shown, stored: Calibration | NotApplicable) -> None:
    """A run's calibrator with its method and data, or the reason why there is none."""
    if isinstance(stored, NotApplicable):
        st.info(
            f"{side.letter} is not calibrated: {stored.reason}. Train it with the preset 'sound', which holds out validation "
            "patients, and its probabilities can be calibrated."
        )
        return
    found = stored.calibrator
    line = f"{line_text(found)}, {'decided' if found.kind is CalibrationKind.IDENTITY else 'fitted'}"
    losses = ", ".join(
        f"{kind.value} n/a ({loss.reason})" if isinstance(loss, NotApplicable) else f"{kind.value} {score_text(loss)}"
        for kind, loss in stored.cross_validated.items()
    )
    st.markdown(f"**{side.letter}**: {line} on {found.n:,} images of {found.n_patients:,} patients of {found.split}.")
    st.caption(
        f"Of the three methods it has the lowest log loss in {stored.folds}-fold cross-validation there: {losses}. The "
        "identity leaves the raw probabilities as they are."
    )
