"""Names that people read: networks and arms in words, and in a run's name what departs from its preset."""

from dataclasses import replace

import pytest

from pneumo_core.config.augment import AUGMENTATIONS
from pneumo_core.config.classifier import Balance, FineTuneConfig, Preset, TrainConfig
from pneumo_core.config.gan import gan_config
from pneumo_core.config.naming import ARMS, NETWORKS, arm_name, departures, model_name, unlike_report
from pneumo_core.config.presets import preset_config
from pneumo_core.config.run import setting_name
from pneumo_core.config.split import NamedSplit
from pneumo_core.records import Architecture, Label

GAN = {"balance": Balance.GAN, "gan_run": "dcgan-" + "a" * 12}


def sound(**changes: object) -> TrainConfig:
    return replace(preset_config(Architecture.BASELINE, Preset.SOUND), **changes)  # type: ignore[arg-type]


def test_networks_and_arms_have_their_words() -> None:
    assert [model_name(architecture) for architecture in Architecture] == [
        *("Baseline CNN", "Compact CNN", "VGG16", "Ensemble", "DCGAN")
    ]
    assert set(NETWORKS) == set(Architecture) - {Architecture.DCGAN, Architecture.ENSEMBLE}
    assert set(ARMS) == set(Balance)
    assert arm_name(sound()) == "original"
    assert arm_name(sound(**GAN)) == "with DCGAN images"
    assert arm_name(sound(**GAN, gap_percent=50)) == "with DCGAN images (50 % of the gap)"


@pytest.mark.parametrize("preset", list(Preset))
@pytest.mark.parametrize("architecture", list(NETWORKS))
def test_a_preset_departs_in_nothing_from_itself_whatever_its_seeds_and_arm(
    architecture: Architecture, preset: Preset
) -> None:
    config = replace(preset_config(architecture, preset), seed=3, split_seed=5, **GAN)  # type: ignore[arg-type]
    assert departures(config) == ()
    assert setting_name(config) == f"{preset.value} · with DCGAN images"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 1}, "1 epoch"),
        ({"epochs": 6}, "6 epochs"),
        ({"val_fraction": 0.2}, "validation share 20 %"),
        ({"image_size": 224}, "224 px"),
        ({"max_images": 300}, "300 images per split"),
        ({"augment": AUGMENTATIONS["report"]}, "report augmentation"),
        ({"augment": replace(AUGMENTATIONS["sound"], zoom=0.2)}, "custom augmentation"),
        ({"learning_rate": 1e-4}, "learning rate 0.0001"),
        ({"early_stopping_patience": 2}, "patience of early stopping 2"),
        ({"named_split": NamedSplit("blocks-0", "0" * 12)}, "split blocks-0"),
    ],
)
def test_what_departs_is_in_the_name(changes: dict[str, object], words: str) -> None:
    assert setting_name(sound(**changes)) == f"sound · original · {words}"


def test_fine_tuning_and_feature_views_of_vgg16() -> None:
    vgg16 = preset_config(Architecture.VGG16, Preset.SOUND)
    assert setting_name(replace(vgg16, feature_views=0, fine_tune=FineTuneConfig(5))) == (
        "sound · original · feature views 0 · fine-tuned"
    )


def test_a_network_that_is_no_longer_the_report_s_is_named() -> None:
    for architecture in NETWORKS:
        for preset in (Preset.REPORT, Preset.SOUND, Preset.QUICK):
            assert unlike_report(preset_config(architecture, preset)) == ""
    assert unlike_report(preset_config(Architecture.COMPACT, Preset.BEST)) == ""
    assert unlike_report(sound(image_size=64)) == (
        "This is no longer the report's Baseline CNN: it sees 64 pixels a side instead of 150."
    )
    vgg16 = preset_config(Architecture.VGG16, Preset.BEST)
    assert unlike_report(replace(vgg16, image_size=128, trained_blocks=2)) == (
        "This is no longer the report's VGG16: it sees 128 pixels a side instead of 150, and its last 2 blocks are trained, "
        "which the report keeps frozen."
    )
    assert unlike_report(replace(vgg16, image_size=150, trained_blocks=1)).endswith(
        "VGG16: its last block is trained, which the report keeps frozen."
    )


def test_a_dcgan_s_name_has_its_class_its_size_and_what_departs() -> None:
    assert setting_name(gan_config(Preset.SOUND)) == "sound"
    other = gan_config(Preset.QUICK, label=Label.PNEUMONIA, epochs=5, image_size=128, seed=4)
    assert setting_name(other) == "quick · PNEUMONIA · 128 px · 5 epochs"
