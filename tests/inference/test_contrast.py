"""What two sides differ in besides what is compared is reported with both values, and nothing else is."""

from dataclasses import fields, replace

import pytest

from pneumo_core.config.augment import AUGMENTATIONS
from pneumo_core.config.classifier import Balance, FineTuneConfig, OperatingRule, Preset, TrainConfig
from pneumo_core.config.ensemble import EnsembleConfig
from pneumo_core.config.naming import SETTINGS
from pneumo_core.config.presets import preset_config
from pneumo_core.config.split import NamedSplit
from pneumo_core.evaluation.comparison import Contrast, SettingDifference
from pneumo_core.inference.contrast import Made, contrast
from pneumo_core.records import Architecture, Split
from pneumo_core.runs.submission import RunData

DATA = RunData("0" * 12, "/nowhere")
GAN = {"balance": Balance.GAN, "gan_run": "dcgan-" + "a" * 12}


def made(
    *seeds: int,
    architecture: Architecture = Architecture.BASELINE,
    preset: Preset = Preset.SOUND,
    data: RunData = DATA,
    **changes: object,
) -> Made:
    preset_s = preset_config(architecture, preset)
    return Made(tuple(replace(preset_s, seed=seed, **changes) for seed in seeds or (0,)), data)  # type: ignore[arg-type]


def further(a: Made, b: Made) -> list[tuple[str, str, str]]:
    return [(one.name, one.a, one.b) for one in contrast(a, b).further]


@pytest.mark.parametrize(
    ("a", "b", "compared"),
    [
        (made(), made(balance=Balance.OVERSAMPLE), "balancing arm"),
        (made(preset=Preset.REPORT), made(preset=Preset.REPORT, **GAN, gap_percent=50), "balancing arm"),
        (made(**GAN), made(balance=Balance.GAN, gan_run="dcgan-" + "b" * 12), "balancing arm"),
        (made(0, 1, 2), made(0, 1, 2, architecture=Architecture.VGG16), "network"),
        (made(preset=Preset.QUICK), made(preset=Preset.QUICK, architecture=Architecture.VGG16), "network"),
        (made(0), made(1), ""),
        (made(0, 1), made(2, 3, 4), ""),
    ],
    ids=str,
)
def test_what_is_compared_is_no_further_difference(a: Made, b: Made, compared: str) -> None:
    assert contrast(a, b) == Contrast(compared)
    assert contrast(b, a) == Contrast(compared)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"epochs": 2}, ("epochs", "20", "2")),
        ({"val_fraction": 0.2}, ("validation share", "15 %", "20 %")),
        ({"image_size": 96}, ("image size", "150 px", "96 px")),
        ({"max_images": 300}, ("most images per split", "all", "300")),
        ({"augment": AUGMENTATIONS["none"]}, ("augmentation", "sound", "none")),
        ({"split_seed": 4}, ("patients held out", "by seed 0", "by seed 4")),
        (
            {"named_split": NamedSplit("blocks-0", "0" * 12)},
            ("patients held out", "by seed 0", "by the split blocks-0"),
        ),
        ({"data": RunData("1" * 12, "/nowhere")}, ("data", f"X-rays, id {'0' * 12}", f"X-rays, id {'1' * 12}")),
        ({"data": RunData("0" * 12, "/x", True)}, ("data", f"X-rays, id {'0' * 12}", f"phantoms, id {'0' * 12}")),
    ],
)
def test_every_other_setting_is_named_with_both_values(changes: dict[str, object], expected: tuple[str, ...]) -> None:
    alike = made(**changes)  # type: ignore[arg-type]
    assert further(made(), alike) == [expected]
    name, of_a, of_b = expected
    assert contrast(made(), alike).warning == (
        f"A and B have the same network, preset and balancing arm and differ in: {name} (A {of_a}, B {of_b})."
    )
    other_arm = made(balance=Balance.OVERSAMPLE, **changes)  # type: ignore[arg-type]
    found = contrast(made(), other_arm)
    assert found == Contrast("balancing arm", (SettingDifference(*expected),), found.warning)
    assert found.warning == (
        f"A and B differ in more than the balancing arm: {name} (A {of_a}, B {of_b}). "
        "The difference may come from any of these."
    )


def test_two_splits_of_one_name_are_told_apart_by_their_hashes() -> None:
    a, b = (made(named_split=NamedSplit("one", digit * 12)) for digit in "01")
    words = [f"by the split one ({digit * 12})" for digit in "01"]
    assert further(a, b) == [("patients held out", *words)]
    # Their shares were not used.
    assert further(a, made(named_split=NamedSplit("one", "0" * 12), val_fraction=0.3)) == []
    assert further(a, made(val_fraction=0.3)) == [("patients held out", "by the split one", "by seed 0")]


def test_what_two_presets_set_differently_is_named() -> None:
    sizes = [("validation share", "15 %", "20 %"), ("most images per split", "all", "600")]
    assert further(made(), made(preset=Preset.QUICK)) == [("epochs", "20", "6"), *sizes]
    assert further(made(), made(preset=Preset.QUICK, epochs=3)) == [("epochs", "20", "3"), *sizes]
    assert further(made(epochs=6), made(preset=Preset.QUICK)) == sizes
    found = contrast(made(), made(preset=Preset.QUICK))
    assert found.compared == "preset"
    assert found.warning == (
        "The presets of A and B differ in several settings: epochs (A 20, B 6); validation share (A 15 %, B 20 %); most images "
        "per split (A all, B 600). The difference may come from any of these."
    )
    several = further(made(), made(preset=Preset.QUICK, balance=Balance.OVERSAMPLE))
    assert [name for name, _, _ in several][:2] == ["preset", "balancing arm"]
    assert several[2:] == [("epochs", "20", "6"), *sizes]


def test_between_networks_a_setting_counts_where_it_departs_from_the_preset() -> None:
    assert further(made(), made(architecture=Architecture.VGG16, fine_tune=FineTuneConfig(5))) == [
        ("fine-tuning", "none", "5 epochs at 1e-05")
    ]


@pytest.mark.parametrize("a_selects", [True, False])
def test_that_one_side_alone_was_selected_on_test_is_said_in_the_warning(a_selects: bool) -> None:
    on_test, held_out = made(preset=Preset.REPORT), made()
    a, b = (on_test, held_out) if a_selects else (held_out, on_test)
    letter = "A" if a_selects else "B"
    sentence = (
        f"Only {letter} was selected on the test images: its figures on them are optimistic, the other side's are not."
    )
    found = contrast(a, b)
    assert found.compared == "preset"
    assert found.warning.endswith(f" {sentence}")
    assert contrast(on_test, made(preset=Preset.REPORT, balance=Balance.OVERSAMPLE)).warning == ""


def test_several_main_differences_explain_nothing_alone() -> None:
    found = contrast(made(), made(architecture=Architecture.VGG16, balance=Balance.CLASS_WEIGHT, epochs=3))
    assert found.compared == ""
    assert found.warning == (
        "A and B differ in several things at once: network (A Baseline CNN, B VGG16); balancing arm (A original, B class "
        "weights); epochs (A 20, B 3). None of them explains the difference alone."
    )


def test_the_patients_held_out_count_between_arms_whatever_drew_them() -> None:
    arm = made(0, 1, 2, **GAN, split_seed=0)
    assert contrast(made(0, 1, 2, split_seed=0), arm).warning == ""
    assert further(made(0, 1, 2), arm) == [("patients held out", "by seeds 0, 1, 2", "by seed 0")]
    assert further(made(1), made(1, balance=Balance.OVERSAMPLE)) == []
    assert further(made(0), made(1, balance=Balance.OVERSAMPLE)) == [("patients held out", "by seed 0", "by seed 1")]
    # No patient is held out by the report's procedure.
    report = {"preset": Preset.REPORT}
    assert further(made(0, **report), made(1, **report, balance=Balance.OVERSAMPLE)) == []  # type: ignore[arg-type]


def test_two_settings_of_one_name_are_reported_field_by_field() -> None:
    one, other = (replace(AUGMENTATIONS["sound"], zoom=zoom) for zoom in (0.2, 0.3))
    assert further(made(augment=one), made(augment=other)) == [("augmentation, zoom", "0.2", "0.3")]


def test_every_setting_is_one_that_a_config_has() -> None:
    who = {"architecture", "preset", "seed", "split_seed", "balance", "gan_run", "gap_percent", "named_split"}
    assert set(SETTINGS) | who == {field.name for field in fields(TrainConfig)}


def ensemble(*members: str, preset: Preset = Preset.SOUND) -> Made:
    ids = members or ("baseline-0123456789ab", "vgg16-0123456789ab")
    return Made((EnsembleConfig(ids, preset, seed=0, val_fraction=0.15, image_size=150),), DATA)


def test_the_share_that_a_saved_split_does_not_draw_is_no_difference() -> None:
    alike = {"choose_on": Split.STRESS, "operating_rule": OperatingRule.LOGISTIC}
    split = NamedSplit("one", "0" * 12)
    of_split = Made((replace(ensemble().configs[0], named_split=split, val_fraction=0.2),), DATA)
    assert further(of_split, made(named_split=split, **alike)) == []


def test_an_ensemble_is_compared_with_a_network_as_one() -> None:
    alike = {"choose_on": Split.STRESS, "operating_rule": OperatingRule.LOGISTIC}
    assert contrast(ensemble(), made(**alike)) == Contrast("network")
    # What chose the threshold is another difference, and said.
    chosen = [("images that choose", "stress", "val"), ("threshold rule", "logistic", "youden")]
    assert sorted(further(ensemble(), made())) == chosen
    assert further(ensemble(), made(3, **alike)) == [("patients held out", "by seed 0", "by seed 3")]


def test_two_ensembles_differ_in_their_networks_or_their_members() -> None:
    other = ensemble("baseline-0123456789ab", "baseline-123456789abc")
    assert contrast(ensemble(), other) == Contrast("network")
    alike = ensemble("baseline-123456789abc", "vgg16-0123456789ab")
    assert contrast(ensemble(), alike) == Contrast("members")
    assert contrast(ensemble(), ensemble()) == Contrast("")
    assert contrast(ensemble(), ensemble(preset=Preset.BEST)).compared == "preset"
