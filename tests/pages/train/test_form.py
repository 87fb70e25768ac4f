"""The form of Train: what it says of presets, arms, devices and costs before a run starts."""

import re
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pages.ui.notes import balance_note, expected
from pneumo_core.config.augment import AugmentConfig
from pneumo_core.config.augment_file import write_augmentation
from pneumo_core.config.classifier import Balance, FineTuneConfig, Preparation, Preset, Schedule
from pneumo_core.config.naming import NETWORKS, departures, unlike_report
from pneumo_core.config.presets import preset_config
from pneumo_core.data.index import DataIndex
from pneumo_core.data.splits import assign, gap
from pneumo_core.records import Architecture, Label, Split
from pneumo_core.reference import EXPECTED
from pneumo_core.training.balance import balanced
from tests.pages.opening import labels, opened, press, texts
from tests.pages.train.page import BASELINE, bars, finished, opened_for_one


def test_the_form_shows_what_a_run_costs_and_where_it_would_run(index: DataIndex) -> None:
    page = opened_for_one()
    assert not page.exception
    assert "at most 6 epochs of" in texts(page)
    assert re.search(r"up to [\d.]+ [MG]B of disk", texts(page))
    assert "It runs on the CPU" in texts(page)
    assert "TensorFlow" in texts(page)
    assert "Start training" in labels(page)
    page.radio(key="preset").set_value(Preset.REPORT).run()
    assert "at most 20 epochs of" in texts(page)
    assert "selected on test" in texts(page)
    assert "Different from the preset" not in texts(page)


def test_a_gpu_that_cannot_be_used_is_named_with_the_reason(
    index: DataIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'NVIDIA H100 80GB HBM3, 81559 MiB, 9.0'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    page = opened("train")
    assert "NVIDIA H100 80GB HBM3, 81559 MiB" in texts(page)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    import streamlit as st

    st.cache_data.clear()
    page.run()
    assert "NVIDIA H100 80GB HBM3, 81559 MiB is not used: CUDA_VISIBLE_DEVICES hides it" in texts(page)


def test_an_unknown_backend_is_one_clear_line(index: DataIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch2")
    page = opened("train")
    (error,) = page.error
    assert "torch2" in error.value.replace("\\", "")
    assert "Start training" not in labels(page)


@pytest.mark.parametrize(("architecture", "preset"), EXPECTED)
def test_each_preset_says_what_it_gave_on_x_rays_and_nothing_on_phantoms(
    index: DataIndex, architecture: Architecture, preset: Preset
) -> None:
    names = index.table["image_id"].str.replace("PHANTOM-", "person")
    xrays = replace(index, table=index.table.assign(image_id=names))
    known = EXPECTED[architecture, preset]
    words = expected(architecture, preset, xrays)
    estimates = (known.accuracy.value, known.accuracy.low, known.accuracy.high)
    assert [
        float(number) for number in re.findall(r"accuracy ([\d.]+) % \(([\d.]+) to ([\d.]+)\)", words)[0]
    ] == pytest.approx([e * 100 for e in estimates])
    for part in (
        f"{known.auroc.value:.3f}",
        f"{known.accuracy.n} test images",
        f"{known.epochs} epochs",
        known.machine,
    ):
        assert part in words
    assert ("selected on test" in words) is (preset is Preset.REPORT)
    assert expected(architecture, preset, index) == ""
    assert expected(Architecture.DCGAN, preset, xrays) == ""


@pytest.mark.parametrize(
    ("arm", "percent"), [*((arm, 100) for arm in Balance), (Balance.GAN, 25), (Balance.OVERSAMPLE, 50)]
)
@pytest.mark.parametrize("preset", list(Preset))
def test_what_is_said_of_an_arm_is_what_training_will_do(
    index: DataIndex, arm: Balance, percent: int, preset: Preset
) -> None:
    config = preset_config(Architecture.BASELINE, preset)
    words = balance_note(arm, config, index, percent)
    rows = assign(index.table, config).train
    y_true = index.table["label"].to_numpy(np.int8)
    images = np.zeros((len(y_true), 8, 8), np.uint8)
    generated = images[: gap(y_true[rows], percent)] if arm is Balance.GAN else None
    data = balanced(arm, images, y_true, rows, seed=0, percent=percent, generated=generated)
    counts = np.bincount(y_true[rows])
    told = [
        float(number.replace(",", "")) for number in re.findall(r"\d[\d,.]*\d|\d", words.split(", which closes")[0])
    ]
    truth: dict[Balance, list[float]] = {
        Balance.NONE: [counts[Label.NORMAL], counts[Label.PNEUMONIA]],
        Balance.CLASS_WEIGHT: list((data.class_weight or {}).values()),
        Balance.OVERSAMPLE: [data.added],
        Balance.CLASSICAL: [data.added],
        Balance.GAN: [data.added],
    }
    # Whole patients are held out, so only the report's way, which holds out none, is known to the image.
    assert told == pytest.approx(truth[arm], rel=0.006 if preset is Preset.REPORT else 0.15)
    assert ("about" in words) is (preset is not Preset.REPORT)
    assert words.index("NORMAL") < words.find("PNEUMONIA") or "PNEUMONIA" not in words


def test_the_limit_of_a_preset_counts_for_the_arms(index: DataIndex) -> None:
    config = replace(preset_config(Architecture.BASELINE, Preset.REPORT), max_images=40)
    rows = assign(index.table, config).train
    counts = np.bincount(index.table["label"].to_numpy()[rows])
    assert f"{counts[1] - counts[0]} repeated NORMAL" in balance_note(Balance.OVERSAMPLE, config, index)


def test_what_the_form_says_is_what_is_asked_for(index: DataIndex) -> None:
    augment = AugmentConfig(zoom=0.123)
    config = preset_config(
        Architecture.VGG16,
        Preset.SOUND,
        seed=7,
        epochs=3,
        augment=augment,
        balance=Balance.CLASSICAL,
        feature_views=0,
        fine_tune=FineTuneConfig(2),
    )
    run = finished(config, index)
    page = opened("train")
    page.radio(key="network").set_value(Architecture.VGG16).run()
    page.radio(key="preset").set_value(Preset.SOUND).run()
    page.number_input(key="seed").set_value(7)
    page.number_input(key="epochs vgg16 sound").set_value(3)
    page.number_input(key="views vgg16 sound").set_value(0)
    page.toggle(key="fine-tune vgg16 sound").set_value(True).run()
    page.number_input(key="fine-tune epochs vgg16 sound").set_value(2)
    page.radio(key="balance").set_value(Balance.CLASSICAL).run()
    page.toggle(key="pair").set_value(False)
    page.file_uploader[0].set_value(("mine.json", write_augmentation(augment), "application/json")).run()
    assert not page.exception
    assert f"Different from the preset: {', '.join(departures(config))}." in texts(page)
    assert "Already trained" in texts(page)
    press(page, "Open it")
    assert page.query_params["run"] == run.run_id
    assert "badge[succeeded]" in texts(page)


def test_the_recipe_is_the_preset_s_until_it_is_changed(index: DataIndex) -> None:
    page = opened_for_one()
    for architecture in NETWORKS:
        page.radio(key="network").set_value(architecture).run()
        for preset in Preset:
            page.radio(key="preset").set_value(preset).run()
            assert not page.exception
            assert not page.error
            assert "Different from the preset" not in texts(page)
            unlike = unlike_report(preset_config(architecture, preset))
            assert ("no longer the report's" in texts(page)) is bool(unlike)
    assert any(item.key == "choose vgg16 quick" for item in page.radio)
    page.radio(key="preset").set_value(Preset.REPORT).run()  # Selected on test: there is nothing else to choose.
    assert not any(item.key == "choose vgg16 report" for item in page.radio)


RECIPE: dict[str, tuple[str, Any]] = {
    "learning_rate": ("rate", 2e-4),
    "image_size": ("size", 96),
    "choose_on": ("choose", Split.VAL),
    "mixup": ("mixup", 0.5),
    "label_smoothing": ("smoothing", 0.1),
    "weight_decay": ("decay", 0.01),
    "schedule": ("schedule", Schedule.PLATEAU),
    "averaging": ("averaging", 0.9),
    "test_time_flip": ("flip", False),
    "preparation": ("preparation", Preparation.PAD),
    "trained_blocks": ("blocks", 1),
}
"""For each setting of the recipe, its control and a value that the preset does not have."""


def test_each_setting_of_the_recipe_reaches_the_run(index: DataIndex) -> None:
    page = opened_for_one()
    page.radio(key="network").set_value(Architecture.VGG16).run()
    page.radio(key="preset").set_value(Preset.BEST).run()
    for control, value in RECIPE.values():
        kind = "radio" if isinstance(value, StrEnum) else "toggle" if isinstance(value, bool) else "number_input"
        getattr(page, kind)(key=f"{control} vgg16 best").set_value(value)
    page.run()
    assert not page.exception
    changes: dict[str, Any] = {name: value for name, (_, value) in RECIPE.items()}
    changed = replace(preset_config(Architecture.VGG16, Preset.BEST), **changes)
    assert len(departures(changed)) == len(RECIPE)
    assert f"Different from the preset: {', '.join(departures(changed))}." in texts(page)
    assert unlike_report(changed) in texts(page)


def test_settings_that_exclude_each_other_are_one_clear_line(index: DataIndex) -> None:
    page = opened_for_one()
    page.radio(key="network").set_value(Architecture.VGG16).run()
    page.radio(key="preset").set_value(Preset.BEST).run()
    page.toggle(key="fine-tune vgg16 best").set_value(True).run()
    assert not page.exception
    (error,) = page.error
    assert "leave one out" in error.value


def test_a_damaged_setting_file_is_refused(index: DataIndex) -> None:
    page = opened("train")
    page.file_uploader[0].set_value(("mine.json", b"{", "application/json")).run()
    assert not page.exception
    (error,) = page.error
    assert "augmentation file" in error.value
    assert "Start training" not in labels(page)


def test_what_vgg16_needs_is_said_before(index: DataIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened("train")
    assert "PNEUMO_VGG16_WEIGHTS" not in texts(page)
    page.radio(key="network").set_value(Architecture.VGG16).run()
    assert "PNEUMO_VGG16_WEIGHTS is not set" in texts(page)
    weights = tmp_path / "weights_*of*_VGG16.h5"
    monkeypatch.setenv("PNEUMO_VGG16_WEIGHTS", str(weights))
    page.run()
    (warning,) = page.warning
    assert str(weights) in warning.value.replace("\\", "")
    weights.touch()
    page.run()
    assert not page.warning
    assert "PNEUMO_VGG16_WEIGHTS" not in texts(page)


def test_too_large_a_seed_for_so_many_runs_is_told(index: DataIndex) -> None:
    page = opened("train")
    page.number_input(key="seed").set_value(2**31 - 2)
    page.number_input(key="seeds").set_value(5).run()
    assert not page.exception
    (error,) = page.error
    assert "Seed must be" in error.value.replace("\\", "")


def test_seeds_hold_out_the_same_patients_where_that_is_chosen(index: DataIndex) -> None:
    finished(replace(BASELINE, seed=3), index)
    finished(replace(BASELINE, seed=4, split_seed=3), index)
    page = opened_for_one()
    page.number_input(key="seed").set_value(3).run()
    assert "same patients" not in [one.key for one in page.toggle]
    page.number_input(key="seeds").set_value(2).run()
    ((done, _),) = bars(page)
    assert done == 50
    page.toggle(key="same patients").set_value(True).run()
    assert "All are trained." in texts(page)
