"""The two runs that a part of the Compare page shows, with their evidence."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from pages.ui.cached import evidence_in
from pages.ui.charts import SIDE_A, SIDE_B
from pages.ui.pictures import plain
from pneumo_core.errors import RunError
from pneumo_core.evaluation.comparison import Comparison, Evidence, Pair
from pneumo_core.records import Architecture, NotApplicable, Split, split_words
from pneumo_core.runs.store import find_run
from pneumo_core.runs.submission import classifier_config


@dataclass(frozen=True, slots=True)
class Shown:
    """One run of the pair on the split shown.

    Attributes:
        letter: ``A`` or ``B``.
        name: Name of its side, for people.
        color: Of its lines and marks.
        dash: Of its lines, so that the sides differ by more than color.
        split: The split.
        evidence: What it said of the split's images.
    """

    letter: str
    name: str
    color: str
    dash: str
    split: Split
    evidence: Evidence

    @property
    def where(self) -> str:
        """The split as shown with each figure: see `split_words`."""
        return split_words(self.split, selected=self.evidence.selected_on_test)

    @property
    def predictions(self) -> pd.DataFrame:
        """Its predictions of the split."""
        return self.evidence.predictions


def shown_sides(comparison: Comparison, pair: Pair) -> tuple[Shown, Shown]:
    """Both runs of the pair on the comparison's split; see `inference.compared.evidence_of` for the errors."""
    split = comparison.split
    return (
        Shown("A", comparison.a.name, SIDE_A, "solid", split, evidence_in(pair.a, split)),
        Shown("B", comparison.b.name, SIDE_B, "dash", split, evidence_in(pair.b, split)),
    )


def name_sides(a: Shown, b: Shown) -> None:
    """Show the runs of both letters, with n and split."""
    words = (
        f"**{side.letter}** is {plain(side.name)}: run {side.evidence.run_id[-6:]}, {_seed(side)}"
        f"{len(side.predictions):,} images of {len(np.unique(side.evidence.patients)):,} patients, {side.where}."
        for side in (a, b)
    )
    st.caption("  \n".join(words))


def _seed(side: Shown) -> str:
    """The seed of a training; an ensemble's chose the held-out patients alone."""
    return "" if side.evidence.run_id.startswith(Architecture.ENSEMBLE.value) else f"seed {side.evidence.seed}, "


def choosing_split(side: Shown) -> Split:
    """The split that the run chose its own threshold on, and on which it follows any other rule: ``val`` or ``stress``."""
    return classifier_config(find_run(side.evidence.run_id)).choose_on


def chosen_on(side: Shown) -> Evidence | NotApplicable:
    """The run's predictions of that split, or the reason why there are none."""
    try:
        return evidence_in(side.evidence.run_id, choosing_split(side))
    except RunError:
        if side.evidence.selected_on_test:
            return NotApplicable("its validation images were the test images, on which no threshold may be chosen")
        return NotApplicable("it has no predictions of the images that its threshold was chosen on")
