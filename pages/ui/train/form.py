"""The form of a new run: what to train, with which seeds, and where."""

from dataclasses import dataclass, replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui.components import KEPT, choice, choose_preset, seed_number, whole_number
from pages.ui.notes import expected
from pages.ui.places import beside
from pages.ui.train.balance import choose_balance, choose_pair
from pages.ui.train.recipe import choose_recipe
from pneumo_core.config.augment import AUGMENTATIONS, AugmentConfig
from pneumo_core.config.augment_file import read_augmentation
from pneumo_core.config.classifier import Balance, FineTuneConfig, TrainConfig
from pneumo_core.config.naming import NETWORKS, unlike_report
from pneumo_core.config.presets import PRESETS, preset_config
from pneumo_core.config.split import NamedSplit
from pneumo_core.data.gan_arm import follow_gan
from pneumo_core.data.index import DataIndex
from pneumo_core.data.saved_splits import saved_splits
from pneumo_core.jobs.runs import Executor
from pneumo_core.records import Architecture
from pneumo_core.reporting.glossary import TERMS
from pneumo_core.settings import settings
from pneumo_core.study import MAX_RUNS, balancing_pair, seeds


@dataclass(frozen=True, slots=True)
class Choice:
    """The values of the form.

    Attributes:
        configs: Runs: seeds of one config, or of a pair, each original before its balanced run.
        executor: Where they are to work.
        is_pair: Whether they are a pair.
    """

    configs: tuple[TrainConfig, ...]
    executor: Executor
    is_pair: bool


def choose(index: DataIndex) -> Choice:
    """Draw the form.

    Raises:
        PneumoError: A value is out of its range, the setting file holds no setting, or a DCGAN does not suit the run.
    """
    left, right = _columns()
    with left:
        usual = _usual(index)
        split = None if usual.selected_on_test else _saved_split(index)
    with right:
        config = choose_balance(replace(usual, named_split=split), index)
        is_pair = choose_pair(config.balance)
    count, first, split_seed = _seeds(
        may_share=not (is_pair or usual.selected_on_test or config.balance is Balance.GAN or split)
    )
    config = replace(config, seed=first)
    with st.expander("Advanced: epochs and augmentation"):
        config = replace(_phases(config, usual), augment=_augmentation(usual))
        executor = choose_executor()
    with st.expander("Recipe"):
        config = choose_recipe(config, usual)
    if is_pair:
        return Choice(balancing_pair(config, count), executor, is_pair=True)
    # After the seeds: a DCGAN determines the held-out patients of all of them.
    return Choice(tuple(map(follow_gan, seeds(config, count, split_seed))), executor, is_pair=False)


def _usual(index: DataIndex) -> TrainConfig:
    """Network and preset, as a config of the preset."""
    architecture = choice("Network", NETWORKS, format_func=NETWORKS.__getitem__, key="network", **KEPT)
    captions = {one: f"{note.summary}  \n{expected(architecture, one, index)}" for one, note in PRESETS.items()}
    preset = choose_preset("preset", captions)
    with st.expander(f"About the preset '{preset.value}'"):
        usual = preset_config(architecture, preset)
        lines = filter(None, (*PRESETS[preset].caveats_of(architecture), unlike_report(usual)))
        st.markdown("\n".join(f"- {line}" for line in lines))
    return usual


def _saved_split(index: DataIndex) -> NamedSplit | None:
    """The saved split that says which images validate, or None; asked only where one is saved."""
    known = {split.name: split.named for split in saved_splits(index.data_id)}
    if not known:
        return None
    at_random = "patients at random, by the seed"
    words = "Splits are saved on the Dataset page, under 'Splits'."
    return known.get(st.selectbox("Validation images", [at_random, *known], help=words, key="saved split", **KEPT))


def _seeds(*, may_share: bool) -> tuple[int, int, int | None]:
    """Number of seeds, the first, and the one that chooses the held-out patients of all, or None for each its own."""
    left, right = _columns()
    with left:
        words = (
            "Runs that differ only in their seed. A single run says little about a procedure; five show its variation."
        )
        count = whole_number("Number of seeds", 1, MAX_RUNS, 1, key="seeds", words=words)
    with right:
        first = seed_number("Seed" if count == 1 else "First seed", "seed")
    if count == 1 or not may_share:
        return count, first, None
    words = (
        "Every seed holds out the patients of the first, as an ensemble's members must. Without it the runs vary in their "
        "patients too, which says more about a procedure."
    )
    shared = st.toggle("Same held-out patients", key="same patients", help=words, **KEPT)
    return count, first, first if shared else None


def _columns() -> list[DeltaGenerator]:
    return beside(2, 300, gap=("small", "medium"))


def _phases(config: TrainConfig, usual: TrainConfig) -> TrainConfig:
    """Epochs, and for VGG16 feature views and fine-tuning; each preset of each network keeps its own values."""
    own = f"{usual.architecture.value} {usual.preset.value}"
    words = "Training stops earlier if the validation loss no longer decreases."
    epochs = whole_number("Most epochs", 1, 1000, usual.epochs, key=f"epochs {own}", words=words)
    config = replace(config, epochs=epochs)
    if usual.architecture is not Architecture.VGG16:
        return config
    words = TERMS["feature views"]
    views = whole_number("Feature views", 0, 10, usual.feature_views, key=f"views {own}", words=words)
    config = replace(config, feature_views=views)
    if not st.toggle("Fine-tune the last block afterwards", key=f"fine-tune {own}", **KEPT):
        return config
    key, words = f"fine-tune epochs {own}", TERMS["fine-tuning"]
    more = whole_number("Maximum epochs of fine-tuning", 1, 100, 5, key=key, words=words)
    return replace(config, fine_tune=FineTuneConfig(more))


def _augmentation(usual: TrainConfig) -> AugmentConfig:
    named = st.container()
    file = st.file_uploader(
        "or a settings file",
        type="json",
        max_upload_size=1,
        help="The Augmentation page saves such files. An open file takes precedence over the list.",
        key="augmentation_file",
    )
    names = list(AUGMENTATIONS)
    chosen = named.selectbox(
        "Augmentation",
        names,
        index=list(AUGMENTATIONS.values()).index(usual.augment),
        help="'report' zooms and flips vertically as in 2020; the other two report settings are the report's experiments.",
        disabled=file is not None,
        key=f"augmentation {usual.preset.value}",
        **KEPT,
    )
    return AUGMENTATIONS[chosen] if file is None else read_augmentation(file.getvalue())


def choose_executor() -> Executor:
    """Choice of the executor; shown only if a cluster is configured."""
    address = settings().ray_address
    if address is None:
        return Executor.LOCAL
    words = {Executor.LOCAL: "this machine", Executor.RAY: f"Ray at {address}"}
    executor: Executor = st.radio("Where", list(Executor), format_func=words.__getitem__, key="executor", **KEPT)
    return executor
