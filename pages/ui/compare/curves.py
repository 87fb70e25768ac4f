"""Curves of both sides on the same axes: differences, ROC, precision and recall, calibration, histories, seeds."""

import streamlit as st

from pages.ui.compare.charts import pr_overlay, roc_overlay
from pages.ui.compare.figures import where
from pages.ui.compare.file_words import compared_words
from pages.ui.compare.forest import forest, seed_dots
from pages.ui.compare.histories import histories, histories_caption
from pages.ui.compare.pick import pick_pair
from pages.ui.compare.reliability import reliability_overlay
from pages.ui.components import chart, choice
from pages.ui.places import beside
from pneumo_core.evaluation.comparison import Comparison
from pneumo_core.evaluation.curves import (
    forest_points,
    history_points,
    pr_points,
    reliability_points,
    roc_points,
    seed_points,
)
from pneumo_core.evaluation.verdict import HEADLINE
from pneumo_core.evaluation.wording import NAMES
from pneumo_core.runs.status import read_events
from pneumo_core.runs.store import find_run

RANKING = "ROC and precision-recall"
DIFFERENCES = "Differences"
SEEDS = "Runs by seed"
RELIABILITY = "Calibration"
TRAINING = "Training"


def curves_panel(comparison: Comparison) -> None:
    """The chosen curves of both sides, each with its table; the choice is in the address (``?curve=``)."""
    has_seeds = len(comparison.a.run_ids) > 1 or len(comparison.b.run_ids) > 1
    shown = (RANKING, DIFFERENCES, *((SEEDS,) if has_seeds else ()), RELIABILITY, TRAINING)
    chosen = choice("Curves", shown, key="curve", bind="query-params", label_visibility="collapsed")
    st.caption(f"A is solid, B dashed. A: {comparison.a.name}. B: {comparison.b.name}.")
    {
        RANKING: _ranking,
        DIFFERENCES: _differences,
        SEEDS: _seeds,
        RELIABILITY: _reliability,
        TRAINING: _training,
    }[chosen](comparison)


def _words(comparison: Comparison) -> tuple[str, ...]:
    return compared_words(comparison.a.run_ids, comparison.b.run_ids, comparison.split)


def _ranking(comparison: Comparison) -> None:
    here, of = where(comparison), _words(comparison)
    left, right = beside(gap="large")
    with left:
        words = "The closer to the top left, the better the ranking. Marks are the runs' own thresholds."
        chart(roc_overlay(comparison), roc_points(comparison), title="ROC curves", where=here, caption=words, of=of)
    with right:
        words = "The dotted line is the prevalence, the precision of random predictions."
        table = pr_points(comparison)
        chart(pr_overlay(comparison), table, title="Precision-recall curves", where=here, caption=words, of=of)


def _differences(comparison: Comparison) -> None:
    words = (
        "Values to the right of 0 are higher for B. A bar that crosses 0 shows no difference; one that does not shows one only "
        "if the tests under 'Figures' agree."
    )
    title = "Differences, B \N{MINUS SIGN} A"
    here, of = where(comparison), _words(comparison)
    chart(forest(comparison), forest_points(comparison), title=title, where=here, caption=words, of=of)


def _seeds(comparison: Comparison) -> None:
    metric = choice("Figure", HEADLINE, format_func=NAMES.__getitem__, key="seed_metric")
    what = comparison.contrast.compared
    words = "Each dot is a training run. If the dots of both sides overlap, the seed matters as much as "
    words += f"the {what}." if what else "what differs between them."
    table = seed_points(comparison, metric)
    here, of = where(comparison), _words(comparison)
    chart(seed_dots(comparison, metric), table, title="Runs by seed", where=here, caption=words, of=of)


def _reliability(comparison: Comparison) -> None:
    words = "On the diagonal, 80 % of the images with a probability of 80 % are PNEUMONIA. The bars below count images."
    table = reliability_points(comparison)
    here, of = where(comparison), _words(comparison)
    chart(reliability_overlay(comparison), table, title="Calibration", where=here, caption=words, of=of)


def _training(comparison: Comparison) -> None:
    pair = pick_pair(comparison, "histories")
    of = compared_words((pair.a,), (pair.b,), comparison.split)
    events = read_events(find_run(pair.a)), read_events(find_run(pair.b))
    seeds = (
        comparison.a.seeds[comparison.a.run_ids.index(pair.a)],
        comparison.b.seeds[comparison.b.run_ids.index(pair.b)],
    )
    figure = histories(*events, (f"seed {seeds[0]}", f"seed {seeds[1]}"))
    words = histories_caption((comparison.a.selected_on_test, comparison.b.selected_on_test))
    place = f"A seed {seeds[0]}, B seed {seeds[1]}"
    chart(figure, history_points(*events), title="Loss and accuracy", where=place, caption=words, of=of)
