"""Grids of runs: what they ask for, and how far they are."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pneumo_core.config.augment import AUGMENTATIONS
from pneumo_core.config.classifier import Balance, FineTuneConfig, Preset, TrainConfig
from pneumo_core.config.gan import gan_config
from pneumo_core.config.presets import preset_config
from pneumo_core.config.run import config_to_dict, run_id
from pneumo_core.data.gan_arm import follow_gan
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.splits import assign
from pneumo_core.errors import ConfigError, RunNotFoundError
from pneumo_core.inference.compared import balanced_pairs, compare_runs, groups
from pneumo_core.jobs.cost import estimate_cost
from pneumo_core.records import Architecture, RunState
from pneumo_core.runs.files import hold_lock, write_json
from pneumo_core.runs.status import update_status
from pneumo_core.runs.store import list_runs, runs_root
from pneumo_core.runs.submission import classifier_config
from pneumo_core.study import MAX_RUNS, balancing_pair, grid, progress, seeds, to_dict
from tests.conftest import ROOT, FinishedRun, ask_for_run
from tests.hostile import assert_one_line
from tests.made_runs import DATA_ID, made_predictions, made_run
from tests.waiting import PATIENCE_S

BOTH = (Architecture.BASELINE, Architecture.VGG16)
PLAIN = [(arm, None) for arm in Balance if arm is not Balance.GAN]
NONE = (Balance.NONE, None)


def test_a_grid_is_every_combination_seed_by_seed() -> None:
    configs = grid(BOTH, PLAIN, Preset.QUICK, first_seed=5, seed_count=3, epochs=2)
    expected = {(a, b, s) for a in BOTH for b, _ in PLAIN for s in (5, 6, 7)}
    assert {(c.architecture, c.balance, c.seed) for c in configs} == expected
    assert len(configs) == len(expected)
    assert [c.seed for c in configs] == sorted(c.seed for c in configs)
    assert {(c.preset, c.epochs) for c in configs} == {(Preset.QUICK, 2)}


def test_what_is_named_twice_is_trained_once() -> None:
    configs = grid([BOTH[0], BOTH[0]], [NONE, NONE], Preset.QUICK)
    assert configs == (preset_config(Architecture.BASELINE, Preset.QUICK),)


def test_what_is_for_vgg16_is_given_to_vgg16_alone() -> None:
    phases = {"feature_views": 3, "fine_tune": FineTuneConfig(2)}
    baseline, vgg16 = grid(BOTH, [NONE], Preset.SOUND, augment=AUGMENTATIONS["report"], **phases)
    plain = {architecture: preset_config(architecture, Preset.SOUND) for architecture in BOTH}
    assert baseline == replace(plain[Architecture.BASELINE], augment=AUGMENTATIONS["report"])
    assert vgg16 == replace(plain[Architecture.VGG16], augment=AUGMENTATIONS["report"], **phases)


@pytest.mark.parametrize("option", [{"feature_views": 3}, {"fine_tune": FineTuneConfig(2)}])
def test_what_is_for_vgg16_is_refused_where_it_is_missing(option: dict[str, object]) -> None:
    (name,) = option
    with pytest.raises(ConfigError, match=f"{name} needs the pretrained network, vgg16"):
        grid([Architecture.BASELINE], [NONE], Preset.SOUND, **option)


def test_seeds_start_at_the_config_s_own() -> None:
    config = preset_config(Architecture.BASELINE, Preset.QUICK, seed=3)
    assert seeds(config, 2) == (config, replace(config, seed=4))


def test_seeds_can_hold_out_the_same_patients() -> None:
    one = preset_config(Architecture.BASELINE, Preset.QUICK, seed=3)
    assert seeds(one, 2, 3) == (one, replace(one, seed=4, split_seed=3))
    shared = grid([Architecture.BASELINE], [NONE], Preset.QUICK, first_seed=3, seed_count=2, split_seed=3)
    assert shared == seeds(one, 2, 3)


def test_a_run_that_holds_out_no_patient_has_no_split_seed() -> None:
    one = preset_config(Architecture.BASELINE, Preset.REPORT)
    assert replace(one, split_seed=7) == one


@pytest.mark.parametrize("count", [0, -1, MAX_RUNS + 1])
def test_the_number_of_seeds_has_limits(count: int) -> None:
    with pytest.raises(ConfigError, match=f"Received: seeds={count}"):
        seeds(preset_config(Architecture.BASELINE, Preset.QUICK), count)


def test_the_number_of_runs_has_a_limit() -> None:
    with pytest.raises(ConfigError, match="Received: 1600 runs"):
        grid(BOTH, PLAIN, Preset.QUICK, seed_count=MAX_RUNS)
    with pytest.raises(ConfigError, match="Received: 0 runs"):
        grid([], PLAIN, Preset.QUICK)
    with pytest.raises(ConfigError, match="architecture of a classifier must be"):
        grid([Architecture.DCGAN], [NONE], Preset.QUICK)


# --- Arms of a DCGAN --------------------------------------------------------------------------------------------------


def dcgan(run: str, preset: Preset = Preset.SOUND, seed: int = 0, val_fraction: float = 0.15) -> tuple[Balance, str]:
    """The arm of a DCGAN that was requested."""
    requested = replace(gan_config(preset, seed=seed), val_fraction=val_fraction)
    (runs_root() / run).mkdir(parents=True)
    write_json(runs_root() / run / "config.json", {"config": config_to_dict(requested)})
    return Balance.GAN, run


FIRST, SECOND = "dcgan-0123456789ab", "dcgan-ba9876543210"


def test_all_arms_hold_out_the_patients_that_the_dcgan_has_not_seen(tiny_data: Path) -> None:
    frame = build_index(tiny_data).table
    configs = grid(BOTH, [dcgan(FIRST, seed=1, val_fraction=0.2), *PLAIN], Preset.SOUND, seed_count=3)
    assert len(configs) == 2 * 5 * 3
    validated = {assign(frame, config).val.tobytes() for config in configs}
    assert len(validated) == 1
    # They are those that the DCGAN's own split holds out, which the arms alone would not.
    alone = preset_config(Architecture.BASELINE, Preset.SOUND)
    assert assign(frame, replace(alone, seed=1, val_fraction=0.2)).val.tobytes() in validated
    assert assign(frame, alone).val.tobytes() not in validated
    for config in configs:
        assert follow_gan(config) == config
        assert config.gan_run == (FIRST if config.balance is Balance.GAN else None)


def test_a_grid_without_a_dcgan_holds_out_by_its_seeds() -> None:
    dcgan(FIRST, seed=1)
    assert all(config.split_seed is None for config in grid(BOTH, PLAIN, Preset.SOUND, seed_count=2))


def test_the_report_s_grid_holds_out_no_patient() -> None:
    configs = grid(BOTH, [dcgan(FIRST, Preset.REPORT, seed=1), NONE], Preset.REPORT)
    plain = preset_config(Architecture.BASELINE, Preset.REPORT)
    assert configs[:2] == (replace(plain, balance=Balance.GAN, gan_run=FIRST), plain)


def test_dcgans_that_held_out_the_same_patients_make_one_study() -> None:
    configs = grid(BOTH, [dcgan(FIRST, seed=1), dcgan(SECOND, Preset.QUICK, seed=1)], Preset.SOUND)
    assert {config.gan_run for config in configs} == {FIRST, SECOND}
    assert {(config.split_seed, config.val_fraction) for config in configs} == {(1, 0.15)}


@pytest.mark.parametrize("other", [{"seed": 2}, {"seed": 1, "val_fraction": 0.2}], ids=str)
def test_dcgans_that_held_out_others_are_refused(other: dict[str, float]) -> None:
    arms = [dcgan(FIRST, seed=1), dcgan(SECOND, **other)]
    with pytest.raises(ConfigError) as caught:
        grid(BOTH, arms, Preset.SOUND)
    assert_one_line(caught.value, f"['{FIRST}', '{SECOND}']", "run a study for each")


def test_a_grid_refuses_what_a_single_run_would() -> None:
    with pytest.raises(RunNotFoundError, match=FIRST):
        grid(BOTH, [(Balance.GAN, FIRST)], Preset.SOUND)
    with pytest.raises(ConfigError, match="must not be trained on a classifier's validation patients"):
        grid(BOTH, [dcgan(FIRST, Preset.REPORT)], Preset.SOUND)
    with pytest.raises(ConfigError, match="write gan:RUN"):
        grid(BOTH, [(Balance.GAN, None)], Preset.SOUND)


@pytest.mark.parametrize("percent", [25, 50, 100])
def test_the_share_of_the_gap_is_for_arms_that_add_images(percent: int) -> None:
    configs = grid(BOTH, [dcgan(FIRST), *PLAIN], Preset.SOUND, gap_percent=percent)
    for config in configs:
        assert config.gap_percent == (percent if config.balance.adds_images else 100)


# --- Pairs ------------------------------------------------------------------------------------------------------------


def sound(**changes: object) -> TrainConfig:
    return replace(preset_config(Architecture.BASELINE, Preset.SOUND), **changes)


@pytest.mark.parametrize("arm", [arm for arm in Balance if arm is not Balance.NONE])
@pytest.mark.parametrize("preset", [Preset.SOUND, Preset.QUICK, Preset.REPORT])
def test_a_pair_holds_out_the_same_patients_seed_by_seed(tiny_data: Path, arm: Balance, preset: Preset) -> None:
    frame = build_index(tiny_data).table
    gan_run = dcgan(FIRST, seed=3, val_fraction=0.3)[1] if arm is Balance.GAN else None
    requested = preset_config(Architecture.BASELINE, preset, seed=2, balance=arm, gan_run=gan_run)
    if arm is Balance.GAN and preset is Preset.REPORT:
        assert follow_gan(requested) == requested  # No patient is held out.
    configs = balancing_pair(requested, 3)
    assert [(config.seed, config.balance) for config in configs] == [
        (seed, each) for seed in (2, 3, 4) for each in (Balance.NONE, arm)
    ]
    for original, balanced in zip(configs[::2], configs[1::2], strict=True):
        assert original == replace(balanced, balance=Balance.NONE, gan_run=None, gap_percent=100)
        rows, others = assign(frame, original), assign(frame, balanced)
        for part in ("train", "val", "test"):
            assert getattr(rows, part).tolist() == getattr(others, part).tolist()
        assert follow_gan(balanced) == balanced
    validated = {assign(frame, config).val.tobytes() for config in configs}
    # A DCGAN's patients are held out whatever the seed; else each seed has its own, and the report's way none.
    assert len(validated) == (1 if arm is Balance.GAN or preset is Preset.REPORT else 3)


def test_the_original_images_of_a_recipe_with_class_weights_are_weighted(tiny_data: Path) -> None:
    """Then the images alone differ; its weights themselves are examined beside no arm at all."""
    arm, gan_run = dcgan(FIRST, seed=0)
    requested = preset_config(Architecture.COMPACT, Preset.BEST, balance=arm, gan_run=gan_run)
    original, balanced = balancing_pair(requested, 1)
    assert original == preset_config(Architecture.COMPACT, Preset.BEST, val_fraction=balanced.val_fraction)
    assert original.balance is Balance.CLASS_WEIGHT
    assert progress((original, balanced), build_index(tiny_data)).sides[0] == (
        run_id(original, build_index(tiny_data).data_id),
    )
    assert [each.balance for each in balancing_pair(original, 1)] == [Balance.NONE, Balance.CLASS_WEIGHT]


def test_the_published_study_is_this_pair() -> None:
    """Their ids follow from the settings: what ships is found, not trained again."""
    known = {run.run_id: run for run in list_runs()}
    for architecture, preset in ((Architecture.VGG16, Preset.SOUND), (Architecture.BASELINE, Preset.REPORT)):
        requested = preset_config(architecture, preset, balance=Balance.GAN, gan_run="dcgan-68e3d311dd7c")
        for config in balancing_pair(requested, 3):
            name = run_id(config, "17546df31226")
            assert known[name].is_published
            assert classifier_config(known[name]) == config


def test_a_pair_is_recognized_as_one(no_published: Path) -> None:
    """Also beside runs that are no part of it."""
    made_run(made_predictions(), preset=Preset.QUICK)
    arm, gan_run = dcgan(FIRST, seed=1)
    configs = balancing_pair(preset_config(Architecture.BASELINE, Preset.QUICK, balance=arm, gan_run=gan_run), 3)
    fields_kept = ("balance", "gan_run", "split_seed", "val_fraction")
    for config in configs:
        changes = {name: getattr(config, name) for name in fields_kept}
        made_run(made_predictions(seed=config.seed), preset=Preset.QUICK, seed=config.seed, **changes)
    ((original, balanced),) = balanced_pairs(groups())
    ids = [run_id(config, DATA_ID) for config in configs]
    assert (original.run_ids, balanced.run_ids) == (tuple(ids[::2]), tuple(ids[1::2]))
    assert compare_runs(original.run_ids, balanced.run_ids).a.seeds == (0, 1, 2)


def test_the_sides_of_a_pair(tiny_data: Path) -> None:
    index = build_index(tiny_data)
    configs = balancing_pair(sound(balance=Balance.OVERSAMPLE), 2)
    ids = [run_id(config, index.data_id) for config in configs]
    assert progress(configs, index).sides == ((ids[0], ids[2]), (ids[1], ids[3]))


def test_a_pair_has_limits(no_published: Path) -> None:
    assert len(balancing_pair(sound(balance=Balance.CLASS_WEIGHT), MAX_RUNS // 2)) == MAX_RUNS
    for config, count, words in (
        (sound(), 1, "a pair needs a balancing arm"),
        (sound(balance=Balance.OVERSAMPLE), MAX_RUNS // 2 + 1, "Received: 202 runs; choose fewer seeds"),
        (sound(balance=Balance.OVERSAMPLE), 0, "Received: seeds=0"),
    ):
        with pytest.raises(ConfigError) as caught:
            balancing_pair(config, count)
        assert_one_line(caught.value, words)
    with pytest.raises(RunNotFoundError, match=FIRST):
        balancing_pair(sound(balance=Balance.GAN, gan_run=FIRST), 1)


# --- Progress ---------------------------------------------------------------------------------------------------------


def test_progress_counts_what_there_is(tiny_data: Path) -> None:
    index: DataIndex = build_index(tiny_data)
    configs = seeds(preset_config(Architecture.BASELINE, Preset.QUICK), 4)
    done, going, stopped = (ask_for_run(config, index) for config in configs[:3])
    write_json(done.manifest, {"files": {}})
    update_status(going, state=RunState.RUNNING, epoch=1, epochs=4, step=5, steps=10)
    update_status(stopped, state=RunState.CANCELLED, epoch=1, epochs=4, step=0, steps=10)
    with hold_lock(going.run_lock):
        study = progress(configs, index)
        assert [member.state for member in study.members] == ["succeeded", "running", "cancelled", "new"]
        assert [member.fraction for member in study.members] == [1.0, 0.375, 0.25, 0.0]
        assert study.states == {"succeeded": 1, "running": 1, "cancelled": 1, "new": 1}
        assert study.fraction == pytest.approx((1 + 0.375 + 0.25) / 4)
        assert study.is_live
        assert not study.is_finished
        assert study.members[0].remaining_s == 0
        assert study.remaining_s > 0
    assert not progress(configs, index).is_live
    assert progress(configs[:1], index).is_finished
    assert json.loads(json.dumps(to_dict(study)))["runs"][1] == {
        "run_id": going.run_id,
        "architecture": "baseline",
        "balance": "none",
        "gan_run": None,
        "seed": 1,
        "state": "running",
        "fraction": 0.375,
    }


def test_time_left_counts_finishing_and_places(tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = build_index(tiny_data)
    configs = seeds(preset_config(Architecture.VGG16, Preset.QUICK), 4)
    cost = estimate_cost(configs[0], index)
    one_s = cost.duration_s + cost.finish_s
    done, exporting = (ask_for_run(config, index) for config in configs[:2])
    write_json(done.manifest, {"files": {}})
    update_status(exporting, state=RunState.EXPORTING, epoch=6, epochs=6)
    with hold_lock(exporting.run_lock):
        for places, expected in ((1, 2 * one_s + cost.finish_s), (2, one_s + cost.finish_s / 2), (64, one_s)):
            monkeypatch.setenv("PNEUMO_PARALLEL_RUNS", str(places))
            study = progress(configs, index)
            assert [member.remaining_s for member in study.members] == [0.0, cost.finish_s, one_s, one_s]
            assert study.parallel == min(places, 4)
            assert study.remaining_s == pytest.approx(expected)
            assert study.remaining.low_s < study.remaining_s < study.remaining.high_s
            assert to_dict(study)["remaining_s"] == round(study.remaining_s)
            ends = [round(study.remaining.low_s), round(study.remaining.high_s)]
            assert to_dict(study)["remaining_range_s"] == ends


def command(artifacts: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pneumo_core", "study", *arguments, "--json"],
        cwd=ROOT,
        env={**os.environ, "PNEUMO_ARTIFACTS": str(artifacts)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.mark.slow
def test_the_same_command_goes_on_with_what_is_missing(with_finished_run: FinishedRun) -> None:
    """The shared run is the first seed of this grid; the command trains the second alone."""
    flags = ("--architecture", "baseline", "--preset", "quick", "--epochs", "2", "--data", str(with_finished_run.data))
    before = command(with_finished_run.artifacts, *flags, "--seeds", "2", "--status")
    assert before.returncode == 0, before.stderr
    assert json.loads(before.stdout)["states"] == {"succeeded": 1, "new": 1}
    manifest = (with_finished_run.path / "manifest.json").read_bytes()
    after = command(with_finished_run.artifacts, *flags, "--seeds", "2", "--wait")
    assert after.returncode == 0, after.stderr
    shown = json.loads(after.stdout)
    assert shown["states"] == {"succeeded": 2}
    assert shown["fraction"] == 1.0
    assert shown["remaining_s"] == 0
    assert shown["runs"][0]["run_id"] == with_finished_run.run_id
    assert (with_finished_run.path / "manifest.json").read_bytes() == manifest


@pytest.mark.parametrize("preset", ["report", "sound"])
def test_a_split_seed_that_would_not_be_used_is_refused(tmp_path: Path, tiny_data: Path, preset: str) -> None:
    """The report's runs hold out no patient; those with a DCGAN's images hold out the DCGAN's."""
    arm = [] if preset == "report" else ["--balance", "gan:dcgan-68e3d311dd7c"]
    flags = ("--architecture", "baseline", "--preset", preset, *arm, "--split-seed", "3", "--data", str(tiny_data))
    result = command(tmp_path, *flags, "--status")
    assert result.returncode == 1
    assert "--split-seed is for runs that choose the patients that they hold out" in result.stderr


def test_wrong_grids_are_reported_in_one_line(tmp_path: Path, tiny_data: Path) -> None:
    result = command(tmp_path, "--architecture", "baseline", "--seeds", "0", "--data", str(tiny_data))
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("error: a study has 1 to 200 seeds. Received: seeds=0")


def test_the_command_takes_what_train_takes(tmp_path: Path, tiny_data: Path) -> None:
    options = ("--augment", "report", "--feature-views", "3", "--fine-tune", "2", "--split-seed", "5")
    requested = ("--architecture", "baseline", "--architecture", "vgg16", *options)
    result = command(tmp_path, *requested, "--data", str(tiny_data), "--status")
    assert result.returncode == 0, result.stderr
    data_id = build_index(tiny_data).data_id
    configs = grid(
        BOTH,
        [NONE],
        Preset.SOUND,
        split_seed=5,
        augment=AUGMENTATIONS["report"],
        feature_views=3,
        fine_tune=FineTuneConfig(2),
    )
    shown = json.loads(result.stdout)["runs"]
    assert [run["run_id"] for run in shown] == [run_id(config, data_id) for config in configs]
