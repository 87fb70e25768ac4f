"""Settings of a DCGAN's training: limits, presets, round trips and fingerprints."""

import json
import math
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumo_core.config.classifier import Preset, Validation
from pneumo_core.config.gan import GAN_PRESETS, GAN_SIZES, GanConfig, gan_config
from pneumo_core.config.presets import preset_config
from pneumo_core.config.run import config_from_dict, config_to_dict, fingerprint, run_id
from pneumo_core.errors import ConfigError
from pneumo_core.records import Architecture, Label
from pneumo_core.runs.store import run_directory
from tests.hostile import refuses

DATA_ID = "0" * 12
SOUND = gan_config(Preset.SOUND)

WHOLE = {
    "seed": (0, 2**31 - 1),
    "epochs": (1, 100_000),
    "batch_size": (2, 1024),
    "latent_dim": (2, 1024),
    "filters": (4, 256),
    "max_images": (8, 10**7),
}
NUMBERS = {
    "generator_learning_rate": (1e-7, 1.0),
    "discriminator_learning_rate": (1e-7, 1.0),
    "beta_1": (0.0, 0.999),
    "ema_decay": (0.0, 0.99999),
    "val_fraction": (0.01, 0.5),
}
LIMITS = WHOLE | NUMBERS

OTHERS: dict[str, Any] = {
    "preset": Preset.QUICK,
    "seed": 1,
    "label": Label.PNEUMONIA,
    "epochs": 301,
    "image_size": 128,
    "batch_size": 33,
    "latent_dim": 129,
    "filters": 49,
    "generator_learning_rate": 2.0001e-4,
    "discriminator_learning_rate": 2.0001e-4,
    "beta_1": 0.501,
    "diff_augment": False,
    "ema_decay": 0.9951,
    "spectral_norm": True,
    "validation": Validation.TEST,
    "val_fraction": 0.151,
    "max_images": 1000,
}
"""For each setting of the sound preset a slightly different value."""

CONFIGS = st.builds(
    GanConfig,
    preset=st.sampled_from(list(GAN_PRESETS)),
    label=st.sampled_from(Label),
    image_size=st.sampled_from(GAN_SIZES),
    diff_augment=st.booleans(),
    spectral_norm=st.booleans(),
    validation=st.sampled_from(Validation),
    **{name: st.integers(*limits) for name, limits in WHOLE.items() if name != "max_images"},
    max_images=st.none() | st.integers(*WHOLE["max_images"]),
    **{name: st.floats(*limits) for name, limits in NUMBERS.items()},
)


# --- Limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LIMITS)
def test_both_ends_are_allowed_and_nothing_beyond(name: str) -> None:
    low, high = LIMITS[name]
    for end in (low, high):
        assert getattr(replace(SOUND, **{name: end}), name) == end
    beyond = (low - 1, high + 1) if name in WHOLE else (math.nextafter(low, -1), math.nextafter(high, 2))
    for value in beyond:
        with refuses(ConfigError, f"Received: {name}={value!r}"):
            replace(SOUND, **{name: value})


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, False, "1", [1]], ids=repr)
def test_what_is_no_number_is_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{name} must be a (whole )?number from"):
        replace(SOUND, **{name: value})


@pytest.mark.parametrize("name", WHOLE)
def test_parts_of_whole_numbers_are_refused(name: str) -> None:
    low, _ = WHOLE[name]
    with pytest.raises(ConfigError, match=f"{name} must be a whole number"):
        replace(SOUND, **{name: low + 0.5})


@pytest.mark.parametrize("name", [name for name in LIMITS if name != "max_images"])
def test_only_the_number_of_images_may_be_left_open(name: str) -> None:
    assert replace(SOUND, max_images=None).max_images is None
    with pytest.raises(ConfigError, match=f"Received: {name}=None"):
        replace(SOUND, **{name: None})


@pytest.mark.parametrize("size", [0, 1, 32, 63, 65, 127, 129, 150, 256, -64, None, "64"], ids=repr)
def test_sizes_are_64_and_128(size: object) -> None:
    assert {replace(SOUND, image_size=side).image_size for side in GAN_SIZES} == {64, 128}
    with refuses(ConfigError, f"Received: image_size={size!r}"):
        replace(SOUND, image_size=size)


@pytest.mark.parametrize("name", ["diff_augment", "spectral_norm"])
@pytest.mark.parametrize("value", [0, 1, "yes", None], ids=repr)
def test_switches_are_true_or_false(name: str, value: object) -> None:
    with refuses(ConfigError, f"Received: {name}={value!r}"):
        replace(SOUND, **{name: value})


# --- Presets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", GAN_PRESETS)
def test_every_preset_has_a_config_and_words(preset: Preset) -> None:
    config = gan_config(preset)
    assert (config.preset, config.seed, config.label, config.image_size) == (preset, 0, Label.NORMAL, 64)
    assert config.architecture is Architecture.DCGAN
    note = GAN_PRESETS[preset]
    assert note.summary.endswith(".")
    assert note.caveats
    assert all(caveat.endswith(".") for caveat in note.caveats)


def test_what_only_classifiers_have_is_refused() -> None:
    for make in (lambda: gan_config(Preset.BEST), lambda: replace(SOUND, preset=Preset.BEST)):
        with refuses(ConfigError, "one of 'report', 'sound', 'quick'", "Received: preset='best'"):
            make()


def test_sound_holds_patients_out_as_sound_classifiers_do_and_the_report_does_not() -> None:
    classifier = preset_config(Architecture.BASELINE, Preset.SOUND)
    assert (SOUND.validation, SOUND.val_fraction) == (classifier.validation, classifier.val_fraction)
    assert SOUND.validation is gan_config(Preset.QUICK).validation is Validation.PATIENTS
    assert gan_config(Preset.REPORT).validation is Validation.TEST


def test_the_report_is_the_dcgan_of_2016() -> None:
    """Radford 2016, section 4: batches of 128, 100 latents, Adam with 2e-4 and 0.5 for both; nothing of later years."""
    config = gan_config(Preset.REPORT)
    assert (config.batch_size, config.latent_dim, config.beta_1) == (128, 100, 0.5)
    assert (config.generator_learning_rate, config.discriminator_learning_rate) == (2e-4, 2e-4)
    assert (config.diff_augment, config.ema_decay, config.spectral_norm) == (False, 0.0, False)
    assert config.max_images is None


def test_quick_is_a_small_sound() -> None:
    quick = gan_config(Preset.QUICK)
    assert quick.filters < SOUND.filters
    assert quick.epochs < SOUND.epochs
    assert quick.max_images is not None
    assert (quick.diff_augment, quick.spectral_norm) == (SOUND.diff_augment, SOUND.spectral_norm)


def test_named_settings_replace_the_preset_s_and_none_leaves_them() -> None:
    config = gan_config(
        Preset.QUICK, seed=4, label=Label.PNEUMONIA, epochs=3, image_size=128, filters=8, ema_decay=0, max_images=None
    )
    expected = {"seed": 4, "label": Label.PNEUMONIA, "epochs": 3, "image_size": 128, "filters": 8, "ema_decay": 0}
    assert config == replace(gan_config(Preset.QUICK), **expected)
    assert gan_config(Preset.QUICK, diff_augment=False).diff_augment is False
    with pytest.raises(ConfigError, match="filters must be a whole number"):
        gan_config(Preset.QUICK, filters=3)


def test_configs_are_values() -> None:
    assert gan_config(Preset.SOUND) == SOUND
    assert len({gan_config(preset) for preset in GAN_PRESETS}) == 3
    with pytest.raises(FrozenInstanceError):
        SOUND.seed = 1  # type: ignore[misc]


# --- Plain data -------------------------------------------------------------------------------------------------------


@given(CONFIGS)
def test_json_gives_the_config_back(config: GanConfig) -> None:
    read = config_from_dict(json.loads(json.dumps(config_to_dict(config))))
    assert read == config
    assert isinstance(read, GanConfig)
    assert run_id(read, DATA_ID) == run_id(config, DATA_ID)


@pytest.mark.parametrize("name", [field.name for field in fields(GanConfig)])
def test_every_key_is_needed_and_no_other_is_taken(name: str) -> None:
    data = config_to_dict(SOUND)
    missing = {key: value for key, value in data.items() if key != name}
    for wrong in (missing, {**data, f"{name}_too": 1}):
        with refuses(ConfigError, "config needs exactly the keys"):
            config_from_dict(wrong)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, "other") for name in ("preset", "label", "validation", "image_size", "seed", "diff_augment")],
        ("label", 2),
        ("preset", None),
        ("epochs", 0),
        ("batch_size", [32]),
        ("architecture", "vae"),
    ],
)
def test_wrong_values_are_refused(name: str, value: object) -> None:
    with refuses(ConfigError):
        config_from_dict({**config_to_dict(SOUND), name: value})


def test_a_dcgan_s_data_is_no_classifier_s() -> None:
    """The architecture alone tells them apart."""
    for architecture in ("baseline", "vgg16"):
        with pytest.raises(ConfigError, match="config needs exactly the keys"):
            config_from_dict({**config_to_dict(SOUND), "architecture": architecture})
    classifier = config_to_dict(preset_config(Architecture.BASELINE, Preset.SOUND))
    with pytest.raises(ConfigError, match="config needs exactly the keys"):
        config_from_dict({**classifier, "architecture": "dcgan"})


# --- Fingerprints -----------------------------------------------------------------------------------------------------


def test_the_others_are_all_settings_there_are() -> None:
    assert set(OTHERS) == {field.name for field in fields(GanConfig)}
    assert all(getattr(SOUND, name) != value for name, value in OTHERS.items())


def test_every_setting_and_the_data_change_the_fingerprint() -> None:
    changed = [replace(SOUND, **{name: value}) for name, value in OTHERS.items()]
    prints = [fingerprint(config, DATA_ID) for config in (SOUND, *changed)] + [fingerprint(SOUND, "1" * 12)]
    assert len(set(prints)) == len(OTHERS) + 2
    assert fingerprint(gan_config(Preset.SOUND), DATA_ID) == prints[0]


def test_equal_numbers_are_the_same_run() -> None:
    assert run_id(replace(SOUND, ema_decay=0), DATA_ID) == run_id(replace(SOUND, ema_decay=0.0), DATA_ID)


@given(CONFIGS)
def test_ids_are_those_of_a_dcgan_s_directory(config: GanConfig) -> None:
    name = run_id(config, DATA_ID)
    kind, _, digits = name.partition("-")
    assert kind == "dcgan"
    assert digits == fingerprint(config, DATA_ID)[:12]
    assert run_directory(name).run_id == name
    # And what the arm takes.
    arm = {"balance": "gan", "gan_run": name}
    classifier = config_to_dict(preset_config(Architecture.BASELINE, Preset.SOUND))
    assert config_from_dict({**classifier, **arm}).gan_run == name
