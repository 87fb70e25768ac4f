"""The form of a new run: what to train, with which seeds, and where."""

from dataclasses import dataclass, replace

import streamlit as st

from pages.ui.components import KEPT, choose_preset, seed_number, whole_number
from pages.ui.notes import expected
from pages.ui.train.balance import choose_balance
from pneumo_core.config.augment_file import read_augmentation
from pneumo_core.config.classifier import AUGMENTATIONS, AugmentConfig, FineTuneConfig, Preset, TrainConfig
from pneumo_core.config.naming import NETWORKS
from pneumo_core.config.presets import PRESETS, preset_config
from pneumo_core.data.gan_arm import follow_gan
from pneumo_core.data.index import DataIndex
from pneumo_core.jobs.runs import Executor
from pneumo_core.records import Architecture
from pneumo_core.reporting.glossary import TERMS
from pneumo_core.settings import settings
from pneumo_core.study import seeds


@dataclass(frozen=True, slots=True)
class Choice:
    """The values of the form.

    Attributes:
        configs: Runs, alike but for their seeds.
        usual: The first of them as its preset has it.
        executor: Where they are to work.
    """

    configs: tuple[TrainConfig, ...]
    usual: TrainConfig
    executor: Executor


def choose(index: DataIndex) -> Choice:
    """Draw the form.

    Raises:
        PneumoError: A value is out of its range, the setting file holds no setting, or a DCGAN does not suit the run.
    """
    left, right = st.columns([2, 1], gap="large")
    with left:
        architecture = st.segmented_control(
            "Network",
            list(NETWORKS),
            default=Architecture.BASELINE,
            required=True,
            format_func=NETWORKS.__getitem__,
            key="network",
            **KEPT,
        )
        captions = [f"{PRESETS[preset].summary}  \n{expected(architecture, preset, index)}" for preset in Preset]
        preset = choose_preset("preset", captions)
    with right:
        count = st.segmented_control(
            "Number of seeds",
            (1, 3, 5, 10, 20),
            default=1,
            required=True,
            help="Runs that differ only in their seed. A single run says little about a procedure; five show its variation.",
            key="seeds",
            **KEPT,
        )
        seed = seed_number("Seed" if count == 1 else "First seed", "seed")
    with st.expander(f"About the preset '{preset.value}'"):
        st.markdown("\n".join(f"- {caveat}" for caveat in PRESETS[preset].caveats_of(architecture)))
    usual = preset_config(architecture, preset, seed=seed)
    with st.expander("Advanced: epochs, augmentation, class imbalance"):
        left, right = st.columns(2, gap="large")
        with left:
            config = replace(_phases(usual), augment=_augmentation(usual))
        with right:
            config = choose_balance(config, index)
            executor = choose_executor()
    # After the seeds: a DCGAN determines the held-out patients of all of them.
    return Choice(tuple(map(follow_gan, seeds(config, count))), usual, executor)


def _phases(usual: TrainConfig) -> TrainConfig:
    """Epochs, and for VGG16 feature views and fine-tuning; each preset of each network keeps its own values."""
    own = f"{usual.architecture.value} {usual.preset.value}"
    words = "Training stops earlier if the validation loss no longer decreases."
    epochs = whole_number("Most epochs", 1, 1000, usual.epochs, key=f"epochs {own}", words=words)
    config = replace(usual, epochs=epochs)
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
