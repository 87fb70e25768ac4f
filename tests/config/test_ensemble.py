"""The config of an ensemble: what it refuses, and that it is named by its members."""

from dataclasses import replace
from typing import Any

import pytest

from pneumo_core.config.classifier import Preset, Validation
from pneumo_core.config.ensemble import CAREFUL, EnsembleConfig
from pneumo_core.config.naming import members_text, network_name
from pneumo_core.config.presets import preset_config
from pneumo_core.config.run import config_from_dict, config_to_dict, fingerprint, full_name, run_id, setting_name
from pneumo_core.errors import ConfigError
from pneumo_core.records import Architecture, Split

A, B, C = "compact-0123456789ab", "baseline-0123456789ab", "compact-123456789abc"
CONFIG = EnsembleConfig((A, B, C), Preset.SOUND, seed=3, val_fraction=0.15, image_size=150)


def test_the_order_of_the_members_does_not_matter() -> None:
    assert CONFIG.members == (B, A, C)
    assert CONFIG.networks == (Architecture.BASELINE, Architecture.COMPACT, Architecture.COMPACT)
    other = EnsembleConfig((C, A, B), Preset.SOUND, seed=3, val_fraction=0.15, image_size=150)
    assert other == CONFIG
    assert run_id(other, "d") == run_id(CONFIG, "d")
    assert run_id(CONFIG, "d").startswith("ensemble-")


@pytest.mark.parametrize(
    "changes",
    [{"members": (A, B)}, {"preset": Preset.BEST}, {"seed": 4}, {"val_fraction": 0.2}, {"image_size": 96}],
    ids=str,
)
def test_what_determines_the_result_is_in_the_fingerprint(changes: dict[str, Any]) -> None:
    assert fingerprint(replace(CONFIG, **changes), "d") != fingerprint(CONFIG, "d")
    assert fingerprint(CONFIG, "e") != fingerprint(CONFIG, "d")


def test_it_is_read_back_from_json() -> None:
    data = config_to_dict(CONFIG)
    assert data["architecture"] == "ensemble"
    assert config_from_dict(data | {"members": list(data["members"])}) == CONFIG


@pytest.mark.parametrize(
    "members",
    [(), (A,), (A, A), (A, "dcgan-0123456789ab"), (A, "ensemble-0123456789ab"), (A, "compact"), (A, 3)],
    ids=str,
)
def test_other_members_are_refused(members: tuple[Any, ...]) -> None:
    with pytest.raises(ConfigError, match="Received: members="):
        replace(CONFIG, members=members)
    with pytest.raises(ConfigError):
        config_from_dict(config_to_dict(CONFIG) | {"members": list(members)})


def test_it_has_at_most_twenty_members() -> None:
    ids = tuple(f"compact-{number:012x}" for number in range(21))
    assert len(replace(CONFIG, members=ids[:20]).members) == 20
    with pytest.raises(ConfigError, match="2 to 20"):
        replace(CONFIG, members=ids)


@pytest.mark.parametrize("members", [5, "compact-0123456789ab", [[A], B], None])
def test_what_is_no_list_of_ids_is_refused(members: Any) -> None:
    with pytest.raises(ConfigError):
        config_from_dict(config_to_dict(CONFIG) | {"members": members})


@pytest.mark.parametrize(
    "changes", [{"seed": -1}, {"val_fraction": 0.9}, {"image_size": 8}, {"max_images": 1}], ids=str
)
def test_other_values_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(changes))):
        replace(CONFIG, **changes)


def test_reading_code_finds_what_it_needs() -> None:
    assert CONFIG.validation is Validation.PATIENTS
    assert CONFIG.choose_on is Split.STRESS
    assert CONFIG.split_seed is None
    assert not CONFIG.selected_on_test


def test_every_preset_has_its_place() -> None:
    assert set(CAREFUL) == set(Preset)


def test_its_name_counts_its_members() -> None:
    assert members_text(CONFIG) == "of 3: 1 × Baseline CNN, 2 × Compact CNN"
    assert network_name(CONFIG) == "Ensemble of 3: 1 × Baseline CNN, 2 × Compact CNN"
    assert full_name(CONFIG) == "Ensemble of 3: 1 × Baseline CNN, 2 × Compact CNN · sound"
    assert setting_name(CONFIG) == "sound"


def test_a_trained_run_s_full_name_is_its_network_and_its_settings() -> None:
    config = preset_config(Architecture.VGG16, Preset.SOUND)
    assert network_name(config) == "VGG16"
    assert full_name(config) == "VGG16 · sound · original"


def test_no_training_makes_an_ensemble() -> None:
    with pytest.raises(ConfigError, match="'ensemble' combines"):
        replace(preset_config(Architecture.BASELINE, Preset.SOUND), architecture=Architecture.ENSEMBLE)
