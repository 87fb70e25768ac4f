"""Which DCGAN may serve which classifier: no patient it has seen may judge the classifier, whatever the seeds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pneumo_core.config.classifier import Balance, Preset, TrainConfig, Validation
from pneumo_core.config.gan import GAN_PRESETS, GanConfig, gan_config
from pneumo_core.config.presets import preset_config
from pneumo_core.config.run import RunConfig, config_to_dict
from pneumo_core.data.gan_arm import collapse_of, follow_gan, require_gan, require_unseen
from pneumo_core.data.index import DataIndex
from pneumo_core.data.splits import Assignment, assign, gan_rows
from pneumo_core.errors import ConfigError, CorruptError, DataError, RunError, RunNotFoundError
from pneumo_core.records import Architecture, Label, Split
from pneumo_core.runs.files import write_json
from pneumo_core.runs.store import RunDirectory, runs_root, write_manifest
from tests.hostile import refuses

GAN_RUN = "dcgan-0123456789ab"


def table() -> pd.DataFrame:
    """63 patients, most of them ill, with one to three images each."""
    parts = (
        (Split.TRAIN, Label.NORMAL, "none", 18),
        (Split.TRAIN, Label.PNEUMONIA, "bacteria", 20),
        (Split.TRAIN, Label.PNEUMONIA, "virus", 10),
        (Split.VAL, Label.NORMAL, "none", 2),
        (Split.VAL, Label.PNEUMONIA, "bacteria", 3),
        (Split.TEST, Label.NORMAL, "none", 5),
        (Split.TEST, Label.PNEUMONIA, "virus", 5),
    )
    rows = [
        {
            "image_id": f"{split}/{label.name}/{subtype}-{patient:02}-{image}.jpeg",
            "split": split.value,
            "label": label.value,
            "subtype": subtype,
            "patient_id": f"{split}-{subtype}-{patient}",
        }
        for split, label, subtype, patients in parts
        for patient in range(patients)
        for image in range(1 + patient % 3)
    ]
    frame = pd.DataFrame(rows).sort_values("image_id", ignore_index=True)
    return frame.assign(sha256=[f"{row:064x}" for row in range(len(frame))])


TABLE = table()
TRAIN, OTHERS = (np.flatnonzero((TABLE["split"] == "train") == trains) for trains in (True, False))
INDEX = DataIndex("0" * 12, Path("unread"), TABLE, (), ())


def made(config: RunConfig, learned: pd.DataFrame | None = None) -> RunDirectory:
    """The run `GAN_RUN` of this config, finished if its training images are given."""
    run = RunDirectory(runs_root() / GAN_RUN)
    run.path.mkdir(parents=True, exist_ok=True)
    write_json(run.config, {"config": config_to_dict(config)})
    if learned is not None:
        learned[["image_id", "patient_id", "sha256"]].to_parquet(run.learned, index=False)
        write_manifest(run, {})
    return run


def unseen(run: RunDirectory, table: pd.DataFrame = TABLE, held_out: NDArray[np.int64] = OTHERS) -> None:
    """Check the run where these rows validate and the others train."""
    assert run.run_id == GAN_RUN
    rows = Assignment(np.setdiff1d(TRAIN, held_out), held_out, held_out)
    require_unseen(classifier(), table, rows)


def classifier(preset: Preset = Preset.SOUND, seed: int = 0) -> TrainConfig:
    return preset_config(Architecture.BASELINE, preset, seed=seed, balance=Balance.GAN, gan_run=GAN_RUN)


def dcgan(preset: Preset = Preset.SOUND, seed: int = 0, **settings: float | None) -> GanConfig:
    return gan_config(preset, seed=seed, batch_size=2, **settings)


def patients(rows: np.ndarray) -> set[str]:
    return set(TABLE["patient_id"].iloc[rows])


# --- Following --------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    preset=st.sampled_from(Preset),
    gan_preset=st.sampled_from(list(GAN_PRESETS)),
    seeds=st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1)),
    fractions=st.tuples(*[st.sampled_from([0.1, 0.15, 0.2, 0.34, 0.5])] * 2),
    label=st.sampled_from(Label),
    max_images=st.none() | st.integers(24, 40),
)
def test_no_patient_that_the_dcgan_has_seen_judges_the_classifier(
    preset: Preset,
    gan_preset: Preset,
    seeds: tuple[int, int],
    fractions: tuple[float, float],
    label: Label,
    max_images: int | None,
) -> None:
    gan = replace(dcgan(gan_preset, seeds[1]), val_fraction=fractions[1], label=label, max_images=max_images)
    config = replace(classifier(preset, seeds[0]), val_fraction=fractions[0])
    made(gan, TABLE.iloc[learned := gan_rows(TABLE, gan)])
    if (preset is Preset.REPORT) < (gan_preset is Preset.REPORT):
        with pytest.raises(ConfigError, match="must not be trained on a classifier's validation patients"):
            follow_gan(config)
        return
    followed = follow_gan(config)
    rows = assign(TABLE, followed)
    assert len(rows.val)
    assert not patients(learned) & (patients(rows.val) | patients(rows.test))
    assert set(learned) <= set(rows.train)
    if label is Label.NORMAL:  # Samples of the larger class are refused before.
        require_unseen(followed, TABLE, rows)
    assert follow_gan(followed) == followed


def test_without_following_the_seeds_differ() -> None:
    """What the property above would find if `follow_gan` did nothing."""
    learned = gan_rows(TABLE, dcgan(seed=1))
    assert patients(learned) & patients(assign(TABLE, classifier(seed=2)).val)


def test_a_sound_classifier_takes_seed_and_fraction_of_the_split_and_nothing_else() -> None:
    made(replace(dcgan(seed=7), val_fraction=0.25))
    config = classifier(seed=3)
    assert follow_gan(config) == replace(config, split_seed=7, val_fraction=0.25)


def test_equal_seeds_are_one_config() -> None:
    made(dcgan(seed=3))
    assert follow_gan(classifier(seed=3)) == classifier(seed=3)
    assert follow_gan(classifier(seed=3)).split_seed is None


@pytest.mark.parametrize("gan_preset", GAN_PRESETS)
def test_a_classifier_that_holds_no_patient_out_stays_as_it_is(gan_preset: Preset) -> None:
    made(dcgan(gan_preset, seed=7))
    config = classifier(Preset.REPORT)
    assert config.validation is Validation.TEST
    assert follow_gan(config) is config


@pytest.mark.parametrize("arm", [arm for arm in Balance if arm is not Balance.GAN])
def test_other_arms_need_no_dcgan(arm: Balance) -> None:
    config = preset_config(Architecture.VGG16, Preset.SOUND, balance=arm)
    assert follow_gan(config) is config
    require_gan(config, INDEX)


@pytest.mark.parametrize("preset", [Preset.SOUND, Preset.QUICK])
def test_a_dcgan_that_has_seen_all_is_refused_with_what_to_do(preset: Preset) -> None:
    made(dcgan(Preset.REPORT), TABLE.iloc[TRAIN])
    for check in (follow_gan, lambda config: require_gan(config, INDEX)):
        with refuses(
            ConfigError,
            f"gan_run='{GAN_RUN}', preset 'report'",
            "train a DCGAN with the preset 'sound', or the classifier with 'report'",
        ):
            check(classifier(preset))


# --- Requiring --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", GAN_PRESETS)
def test_a_finished_dcgan_of_the_smaller_class_is_taken(preset: Preset) -> None:
    made(dcgan(preset), TABLE.iloc[TRAIN])
    require_gan(follow_gan(classifier(preset)), INDEX)


def test_an_unknown_run_is_refused() -> None:
    for check in (follow_gan, lambda config: require_gan(config, INDEX)):
        with refuses(RunNotFoundError, f"run_id='{GAN_RUN}'"):
            check(classifier())


def test_a_run_that_is_not_finished_is_refused() -> None:
    made(dcgan())
    assert follow_gan(classifier()) == classifier()  # What it will have seen is known before.
    with refuses(RunError, "must be finished", f"run_id='{GAN_RUN}'"):
        require_gan(classifier(), INDEX)


def test_a_classifier_s_run_is_refused() -> None:
    """Under a DCGAN's name: under its own the config refuses it."""
    made(preset_config(Architecture.BASELINE, Preset.SOUND), TABLE.iloc[TRAIN])
    for check in (follow_gan, lambda config: require_gan(config, INDEX)):
        with refuses(RunError, f"run_id='{GAN_RUN}', a classifier's"):
            check(classifier())
    with pytest.raises(ConfigError, match="gan_run must be a DCGAN's run"):
        replace(classifier(), gan_run="baseline-0123456789ab")


def test_a_damaged_config_is_refused() -> None:
    made(dcgan(), TABLE).config.write_text("{")
    for check in (follow_gan, lambda config: require_gan(config, INDEX)):
        with refuses(CorruptError, "config.json"):
            check(classifier())


def test_samples_of_the_larger_class_are_refused() -> None:
    made(replace(dcgan(), label=Label.PNEUMONIA), TABLE.iloc[TRAIN])
    with refuses(ConfigError, "smaller class, NORMAL", "of class PNEUMONIA; train a DCGAN on NORMAL"):
        require_gan(classifier(), INDEX)


def test_the_smaller_class_is_that_of_training() -> None:
    """Where the ill are few in train, samples of them are wanted, however many the other parts hold."""
    train = TABLE["split"] == "train"
    few_ill = TABLE[~train | (TABLE["label"] == 0) | (TABLE.index % 6 == 0)].reset_index(drop=True)
    counts = few_ill[few_ill["split"] == "train"]["label"].value_counts()
    assert counts[1] < counts[0]
    made(replace(dcgan(), label=Label.PNEUMONIA), few_ill[few_ill["split"] == "train"])
    require_gan(classifier(), replace(INDEX, table=few_ill))
    few, many = (np.flatnonzero((TABLE["split"] == "train") & (TABLE["label"] == label)) for label in (0, 1))
    rows = Assignment(np.concatenate([few, many[: len(few) + 1]]), OTHERS, OTHERS)
    with pytest.raises(ConfigError, match="smaller class, NORMAL"):  # Once others are held out, it may be the larger.
        require_unseen(classifier(), TABLE, rows)


@pytest.mark.parametrize("change", [{"split_seed": 8}, {"val_fraction": 0.2}, {"split_seed": None}], ids=str)
def test_a_config_that_did_not_follow_is_refused(change: dict[str, float | None]) -> None:
    made(dcgan(seed=7), TABLE.iloc[TRAIN])
    followed = follow_gan(classifier())
    require_gan(followed, INDEX)
    with refuses(ConfigError, "split_seed=7, val_fraction=0.15. Received: "):
        require_gan(replace(followed, **change), INDEX)


# --- What it has seen -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [1, 2, 5])
def test_images_are_identified_by_their_content(share: int) -> None:
    learned = TABLE.iloc[TRAIN[::share]]
    renamed = learned.assign(image_id=[f"elsewhere/{number}.png" for number in range(len(learned))], patient_id="anon")
    unseen(made(dcgan(), renamed))


def test_an_image_that_does_not_train_is_refused_with_counts() -> None:
    learned = TABLE.iloc[TRAIN[:9]]
    strange = learned.tail(1).assign(sha256="f" * 64)
    made(dcgan(), pd.concat([learned, strange]))
    with refuses(DataError, f"gan_run='{GAN_RUN}'", "1 of 10 images"):
        require_gan(follow_gan(classifier()), INDEX)


@pytest.mark.parametrize("column", ["patient_id", "sha256"])
def test_whoever_validates_must_not_have_been_seen(column: str) -> None:
    """The same image, or another one of the same patient."""
    run = made(dcgan(), TABLE.iloc[TRAIN[:50]])
    unseen(run)
    seen, other = TRAIN[49], OTHERS[0]
    table = TABLE.copy()
    table.loc[other, column] = table.loc[seen, column]
    with refuses(DataError, f"gan_run='{GAN_RUN}'", f"1 of {len(OTHERS)} held-out images", "preset 'sound'"):
        unseen(run, table)


def test_who_neither_trains_nor_validates_is_no_obstacle() -> None:
    """As where the classifier trains on a sample of the patients."""
    unseen(made(dcgan(), TABLE.iloc[TRAIN]))


def test_a_dcgan_that_is_not_finished_has_seen_nothing_yet() -> None:
    with pytest.raises(RunError, match="must be finished"):
        unseen(made(dcgan()))


def test_a_damaged_list_is_refused() -> None:
    run = made(dcgan(), TABLE.iloc[TRAIN])
    run.learned.write_bytes(run.learned.read_bytes()[:-1])
    with refuses(CorruptError, "learned.parquet", GAN_RUN):
        unseen(run)


# --- Whether its samples have collapsed -------------------------------------------------------------------------------


def test_a_run_says_whether_its_samples_have_collapsed() -> None:
    run = made(dcgan(), TABLE.iloc[TRAIN])
    assert collapse_of(run) == ""
    write_manifest(run, {"collapse": "all are alike"})
    assert collapse_of(run) == "all are alike"
