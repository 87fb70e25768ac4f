"""The form's controls for class imbalance: the arm, whether its original runs beside it, and the choice of a DCGAN."""

from dataclasses import replace

import streamlit as st

from pages.ui.components import KEPT, choice, run_name
from pages.ui.notes import balance_note
from pages.ui.pictures import plain
from pneumo_core.config.classifier import Balance, TrainConfig
from pneumo_core.config.gan import GanConfig
from pneumo_core.config.naming import ARMS
from pneumo_core.data.gan_arm import collapse_of, follow_gan, require_gan
from pneumo_core.data.index import DataIndex
from pneumo_core.errors import PneumoError
from pneumo_core.evaluation.wording import percent
from pneumo_core.jobs.runs import views
from pneumo_core.records import RunState
from pneumo_core.reporting.glossary import TERMS
from pneumo_core.runs.recommended import recommended
from pneumo_core.runs.store import find_run

_SHARES = (25, 50, 100)  # Percentages of the gap between the classes.


def choose_balance(config: TrainConfig, index: DataIndex) -> TrainConfig:
    """The part of the form on class imbalance; returns a config that holds out its DCGAN's held-out patients, if any.

    Raises:
        PneumoError: The chosen DCGAN does not suit the config.
    """
    share = st.session_state.get("gap", 100)  # Its control is below the captions that need it.
    arms = list(Balance)
    arm: Balance = st.radio(
        "Training images",
        arms,
        arms.index(_proposed_arm(config, index)),
        format_func=lambda arm: ARMS[arm].capitalize() if arm is not Balance.GAN else "With DCGAN images",
        captions=[balance_note(arm, config, index, share if share in _SHARES else 100) for arm in Balance],
        help=f"The classes are of unequal size. {TERMS['balancing']}",
        key="balance",
        **KEPT,
    )
    if not arm.adds_images:
        return replace(config, balance=arm)
    closed = choice(
        "Percentage of the gap that is closed",
        _SHARES,
        default=100,
        format_func=lambda closed: percent(closed / 100, 0),
        key="gap",
        **KEPT,
    )
    if arm is not Balance.GAN:
        return replace(config, balance=arm, gap_percent=closed)
    config = follow_gan(replace(config, balance=arm, gap_percent=closed, gan_run=_gan(index)))
    require_gan(config, index)
    if collapse := collapse_of(find_run(str(config.gan_run))):
        st.warning(plain(f"The samples of this DCGAN have collapsed: {collapse}."))
    return config


def choose_pair(arm: Balance) -> bool:
    """Whether the same runs on original images are trained beside a balancing arm's; offered for an arm, and then the usual."""
    if arm is Balance.NONE:
        st.caption("Choose one of the other four to train a pair: original and balanced, to be compared.")
        return False
    words = (
        "Each seed twice, on the original images and balanced, with the same patients held out: the question of this project. "
        "Runs that exist already are not repeated."
    )
    return st.toggle("As a pair with the original", value=True, help=words, key="pair", **KEPT)


def _proposed_arm(config: TrainConfig, index: DataIndex) -> Balance:
    """The second side of the pair at first: the preset's arm, the recommended DCGAN's, or the one that adds no image."""
    if config.balance is not Balance.NONE:
        return config.balance
    usual = recommended().dcgan
    if usual is None or usual not in _gans(index):
        return Balance.CLASS_WEIGHT
    try:
        require_gan(follow_gan(replace(config, balance=Balance.GAN, gan_run=usual)), index)
    except PneumoError:
        return Balance.CLASS_WEIGHT  # Chosen by hand, the arm says why.
    return Balance.GAN


def _gans(index: DataIndex) -> dict[str, str]:
    """Names of the data set's finished DCGANs by id, the recommended one first."""
    known = [
        view
        for view in views()
        if isinstance(view.config, GanConfig)
        and view.state is RunState.SUCCEEDED
        and not view.problem
        and view.data.data_id == index.data_id
    ]
    usual = recommended().dcgan
    return {
        view.run_id: run_name(view) + " · recommended" * (view.run_id == usual)
        for view in sorted(known, key=lambda view: view.run_id != usual)
    }


def _gan(index: DataIndex) -> str:
    """Id of one of the data set's finished DCGANs; without any, the page ends with advice."""
    names = _gans(index)
    if not names:
        st.info(
            "No DCGAN has been trained on these data yet. Train one in the GAN lab, under 'Train', and it appears here."
        )
        st.page_link("pages/gan.py", label="Train a DCGAN", query_params={"show": "Train"})
        st.stop()
    chosen: str = st.selectbox("DCGAN", list(names), format_func=names.__getitem__, key="gan_run", **KEPT)
    return chosen
