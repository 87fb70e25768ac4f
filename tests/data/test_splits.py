"""Which images train, validate and test: patients on one side only, shares kept, the same seed the same choice."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumo_core.config.classifier import Preset, TrainConfig
from pneumo_core.config.gan import GanConfig, gan_config
from pneumo_core.config.presets import preset_config
from pneumo_core.data import splits
from pneumo_core.data.index import DataIndex
from pneumo_core.data.splits import (
    assign,
    case_rows,
    expected_held_out,
    expected_training,
    gan_rows,
    gap,
    hold_out_patients,
    require_learnable,
)
from pneumo_core.errors import DataError
from pneumo_core.records import Architecture, Label, Split
from tests.hostile import assert_one_line, refuses

QUARTER = replace(preset_config(Architecture.BASELINE, Preset.SOUND), val_fraction=0.25)


@pytest.mark.parametrize(
    ("config", "held_out", "training"),
    [
        (QUARTER, 25, 75),
        (replace(QUARTER, max_images=60), 25, 60),
        (replace(QUARTER, max_images=90), 25, 75),
        (preset_config(Architecture.BASELINE, Preset.REPORT), 0, 100),
        (replace(gan_config(Preset.SOUND), val_fraction=0.25), 25, 75),
        (gan_config(Preset.REPORT), 0, 100),
    ],
)
def test_how_many_images_are_expected_to_train(config: TrainConfig | GanConfig, held_out: int, training: int) -> None:
    assert (expected_held_out(100, config), expected_training(100, config)) == (held_out, training)


CLASSES = (("none", Label.NORMAL), ("bacteria", Label.PNEUMONIA), ("virus", Label.PNEUMONIA))


def table(*parts: tuple[Split, str, list[int]]) -> pd.DataFrame:
    """Rows of an index: for each split and subtype the number of images of each patient."""
    rows = []
    for split, subtype, patients in parts:
        for patient, images in enumerate(patients):
            for image in range(images):
                label = dict(CLASSES)[subtype]
                rows.append(
                    {
                        "image_id": f"{split}/{label.name}/{subtype}{patient:04}-{image:02}.jpeg",
                        "split": str(split),
                        "label": int(label),
                        "subtype": subtype,
                        "patient_id": f"{'' if split is Split.TRAIN else f'{split}-'}{subtype}-{patient}",
                    }
                )
    return pd.DataFrame(rows).sort_values("image_id", ignore_index=True)


def typical(patients: int = 120) -> pd.DataFrame:
    """Shares like those of the real data set, with one to seven images a patient."""
    rng = np.random.default_rng(5)
    return table(
        (Split.TRAIN, "none", [1 + int(rng.geometric(0.8) > 1) for _ in range(patients)]),
        (Split.TRAIN, "bacteria", [int(min(7, rng.geometric(0.6))) for _ in range(2 * patients)]),
        (Split.TRAIN, "virus", [1] * patients),
        (Split.VAL, "none", [1] * 8),
        (Split.VAL, "bacteria", [1] * 8),
        (Split.TEST, "none", [1] * 30),
        (Split.TEST, "bacteria", [2] * 20),
        (Split.TEST, "virus", [1] * 20),
    )


def config(preset: Preset = Preset.SOUND, **changes: object) -> TrainConfig:
    return replace(preset_config(Architecture.BASELINE, preset), **changes)


def patients_of(frame: pd.DataFrame, rows: np.ndarray) -> set[str]:
    return set(frame["patient_id"].iloc[rows])


# --- Holding out patients ---------------------------------------------------------------------------------------------

PATIENTS = st.lists(st.integers(1, 12), min_size=1, max_size=25)


@settings(max_examples=60)
@given(
    images=st.tuples(PATIENTS, PATIENTS, PATIENTS),
    mixed=st.booleans(),
    fraction=st.sampled_from([0.1, 0.15, 0.2, 0.34, 0.5]),
    seed=st.integers(0, 2**31 - 1),
    shuffle=st.randoms(use_true_random=False),
)
def test_patients_are_on_one_side_and_classes_on_both(
    images: tuple[list[int], ...], mixed: bool, fraction: float, seed: int, shuffle: random.Random
) -> None:
    frame = table(*((Split.TRAIN, subtype, part) for (subtype, _), part in zip(CLASSES, images, strict=True)))
    if mixed:  # The same child healthy and ill.
        frame["patient_id"] = frame["patient_id"].str.rpartition("-")[2]
    order = list(range(len(frame)))
    shuffle.shuffle(order)
    frame = frame.iloc[order]
    folds = max(2, round(1 / fraction))
    try:
        mask = hold_out_patients(frame, fraction=fraction, seed=seed)
    except DataError as error:
        refusal = error
    else:
        assert (mask.shape, mask.dtype) == ((len(frame),), np.bool_)
        assert not set(frame["patient_id"][mask]) & set(frame["patient_id"][~mask])
        assert set(frame["label"][mask]) == set(frame["label"][~mask]) == {0, 1}
        assert np.array_equal(hold_out_patients(frame, fraction=fraction, seed=seed), mask)
        return
    assert_one_line(refusal, "patients")
    # The choice is greedy: with hardly more patients than parts it may find no way.
    assert mixed or min(len(images[0]), len(images[1]) + len(images[2])) < 2 * folds


@pytest.mark.parametrize("fraction", [0.1, 0.15, 0.2, 0.25])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_shares_of_classes_and_subtypes_are_kept(fraction: float, seed: int) -> None:
    frame = typical()
    train = frame[frame["split"] == "train"]
    mask = hold_out_patients(train, fraction=fraction, seed=seed)
    assert mask.mean() == pytest.approx(fraction, abs=0.03)
    for column in ("label", "subtype"):
        shares = train[column].value_counts(normalize=True)
        held_out = train[column][mask].value_counts(normalize=True)
        assert (shares - held_out).abs().max() < 0.03


def test_seeds_choose_different_patients() -> None:
    frame = typical()
    train = frame[frame["split"] == "train"]
    masks = [hold_out_patients(train, fraction=0.2, seed=seed) for seed in range(5)]
    assert len({mask.tobytes() for mask in masks}) == 5


def test_patients_with_images_of_both_classes_do_not_cost_a_class() -> None:
    """Here the first of the folds has no image of one class, whatever the seed."""
    images = {"a": (0, 1), "b": (1, 0), "c": (8, 8), "d": (0, 8), "e": (8, 1)}
    rows = [(patient, label) for patient, counts in images.items() for label in (0, 1) for _ in range(counts[label])]
    frame = pd.DataFrame(rows, columns=["patient_id", "label"]).assign(subtype="unknown")
    for seed in range(10):
        mask = hold_out_patients(frame, fraction=0.34, seed=seed)
        assert set(frame["label"][mask]) == set(frame["label"][~mask]) == {0, 1}
        assert not set(frame["patient_id"][mask]) & set(frame["patient_id"][~mask])


def test_two_patients_with_most_of_the_images_are_refused_where_no_choice_has_both_classes() -> None:
    rows = [("a", 0), ("a", 1), ("b", 0), ("c", 1)]
    frame = pd.DataFrame(rows, columns=["patient_id", "label"]).assign(subtype="unknown")
    with refuses(DataError, "50 %", "both classes on both sides", "use more patients"):
        hold_out_patients(frame, fraction=0.5, seed=0)


@pytest.mark.parametrize(
    ("normal", "bacteria"), [([1] * 4, [1] * 50), ([1] * 50, [1] * 4), ([50], [50]), ([], [1] * 50), ([1] * 50, [])]
)
def test_too_few_patients_are_refused(normal: list[int], bacteria: list[int]) -> None:
    frame = table((Split.TRAIN, "none", normal), (Split.TRAIN, "bacteria", bacteria))
    with refuses(DataError, "20 %", "at least 5 patients of each class", "use more images"):
        hold_out_patients(frame, fraction=0.2, seed=0)


# --- Assigning rows ---------------------------------------------------------------------------------------------------


def test_sound_runs_validate_on_patients_of_train_and_the_official_val() -> None:
    frame = typical()
    rows = assign(frame, config())
    split = frame["split"].to_numpy()
    for part in (rows.train, rows.val, rows.test):
        assert part.dtype == np.int64
        assert np.array_equal(part, np.unique(part))
    assert not patients_of(frame, rows.train) & patients_of(frame, rows.val)
    assert set(split[rows.train]) == {"train"}
    assert np.array_equal(rows.test, np.flatnonzero(split == "test"))
    assert set(np.flatnonzero(split == "val")) <= set(rows.val)
    # Every image is somewhere, once.
    assert np.array_equal(np.sort(np.concatenate([rows.train, rows.val, rows.test])), np.arange(len(frame)))
    held_out = rows.val[split[rows.val] == "train"]
    assert len(held_out) / (split == "train").sum() == pytest.approx(1 / 7, abs=0.02)


def test_a_val_patient_who_also_trains_does_not_validate() -> None:
    frame = typical()
    official = np.flatnonzero(frame["split"] == "val")
    train = np.flatnonzero(frame["split"] == "train")
    trained, held_out = assign(frame, config()).train[0], next(iter(set(assign(frame, config()).val) & set(train)))
    frame.loc[official[0], "patient_id"] = frame.loc[trained, "patient_id"]
    frame.loc[official[1], "patient_id"] = frame.loc[held_out, "patient_id"]
    rows = assign(frame, config())
    assert not patients_of(frame, rows.train) & patients_of(frame, rows.val)
    assert set(official) - set(rows.val) == {official[0]}
    assert official[0] not in rows.train


def test_the_report_validates_on_the_test_images_themselves() -> None:
    frame = typical()
    rows = assign(frame, config(Preset.REPORT))
    split = frame["split"].to_numpy()
    assert np.array_equal(rows.train, np.flatnonzero(split == "train"))
    assert np.array_equal(rows.test, np.flatnonzero(split == "test"))
    assert np.array_equal(rows.val, rows.test)


def test_the_seed_decides() -> None:
    frame = typical()
    first, again, other = (assign(frame, config(seed=seed, max_images=60)) for seed in (1, 1, 2))
    for part in ("train", "val", "test"):
        assert np.array_equal(getattr(first, part), getattr(again, part))
    assert not np.array_equal(first.train, other.train)
    assert not np.array_equal(first.test, other.test)


@pytest.mark.parametrize("preset", [Preset.SOUND, Preset.REPORT])
@pytest.mark.parametrize("limit", [8, 50, 333])
def test_a_limit_keeps_the_shares_of_the_classes(preset: Preset, limit: int) -> None:
    frame = typical()
    whole, limited = assign(frame, config(preset)), assign(frame, config(preset, max_images=limit))
    for part in ("train", "val", "test"):
        rows, all_rows = getattr(limited, part), getattr(whole, part)
        assert set(rows) <= set(all_rows)
        assert min(limit, len(all_rows)) - 1 <= len(rows) <= min(limit, len(all_rows))
        assert len(all_rows) > limit or np.array_equal(rows, all_rows)
        share = frame["label"].iloc[all_rows].mean()
        assert abs(frame["label"].iloc[rows].mean() - share) <= 1 / len(rows)
        assert set(frame["label"].iloc[rows]) == {0, 1}
    assert not patients_of(frame, limited.train) & (
        patients_of(frame, limited.test) | (patients_of(frame, limited.val) if preset is Preset.SOUND else set())
    )


def test_a_rare_class_survives_a_limit() -> None:
    frame = table(
        (Split.TRAIN, "none", [1] * 3),
        (Split.TRAIN, "bacteria", [1] * 997),
        (Split.TEST, "none", [1]),
        (Split.TEST, "virus", [9]),
    )
    rows = assign(frame, config(Preset.REPORT, max_images=8))
    assert Counter(frame["label"].iloc[rows.train]) == {0: 1, 1: 7}
    assert Counter(frame["label"].iloc[rows.test]) == {0: 1, 1: 7}


def test_real_patients_stay_on_one_side(real_index: DataIndex) -> None:
    frame = real_index.table
    rows = assign(frame, config())
    assert not patients_of(frame, rows.train) & patients_of(frame, rows.val)
    held_out = frame.iloc[rows.val][frame.iloc[rows.val]["split"] == "train"]
    train = frame[frame["split"] == "train"]
    assert len(held_out) / len(train) == pytest.approx(1 / 7, abs=0.01)
    shares = train["subtype"].value_counts(normalize=True) - held_out["subtype"].value_counts(normalize=True)
    assert shares.abs().max() < 0.01
    assert len(rows.val) == len(held_out) + 16


# --- What a DCGAN learns from, and what is lacking --------------------------------------------------------------------


def dcgan(preset: Preset = Preset.SOUND, **changes: object) -> GanConfig:
    return replace(gan_config(preset), **changes)


@pytest.mark.parametrize("label", list(Label))
@pytest.mark.parametrize("seed", [0, 3])
def test_a_dcgan_learns_from_what_the_same_classifier_trains_on(label: Label, seed: int) -> None:
    frame = typical()
    rows = gan_rows(frame, dcgan(label=label, seed=seed))
    trained = assign(frame, config(seed=seed)).train
    assert rows.dtype == np.int64
    assert np.array_equal(rows, trained[frame["label"].to_numpy()[trained] == label])


def test_the_report_s_dcgan_learns_from_all_of_its_class() -> None:
    frame = typical()
    expected = np.flatnonzero((frame["split"] == "train") & (frame["label"] == Label.NORMAL))
    assert np.array_equal(gan_rows(frame, dcgan(Preset.REPORT)), expected)


@pytest.mark.parametrize("preset", [Preset.SOUND, Preset.REPORT])
def test_a_dcgan_s_limit_is_drawn_by_its_seed(preset: Preset) -> None:
    frame = typical()
    whole = set(gan_rows(frame, dcgan(preset, batch_size=8)))
    first, again, other = (gan_rows(frame, dcgan(preset, batch_size=8, max_images=40, seed=seed)) for seed in (0, 0, 1))
    assert len(first) == 40
    assert set(first) <= whole
    assert np.array_equal(first, np.unique(first))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert set(gan_rows(frame, dcgan(preset, batch_size=8, max_images=10_000))) == whole


def test_less_than_a_batch_is_refused_before_and_after_holding_out() -> None:
    frame = table((Split.TRAIN, "none", [1] * 20), (Split.TRAIN, "bacteria", [1] * 40))
    index = DataIndex("0" * 12, Path("x-rays"), frame, (), ())
    require_learnable(index, dcgan(batch_size=17))
    require_learnable(index, dcgan(Preset.REPORT, batch_size=20))
    for preset, count in ((Preset.SOUND, 17), (Preset.REPORT, 20)):
        with pytest.raises(DataError) as raised:
            require_learnable(index, dcgan(preset, batch_size=count + 1))
        received = f"about {count} training images of NORMAL in 'x-rays'"
        assert_one_line(raised.value, received, f"batch_size={count + 1}", "use more images")
    with pytest.raises(DataError, match="about 8 training images of NORMAL"):
        require_learnable(index, dcgan(batch_size=9, max_images=8))
    assert len(gan_rows(frame, dcgan(Preset.REPORT, batch_size=20))) == 20
    with refuses(DataError, "17 training images of NORMAL", "batch_size=20", "use more images"):
        gan_rows(frame, dcgan(batch_size=20))
    with pytest.raises(DataError, match="8 training images of NORMAL, batch_size=20"):
        gan_rows(frame, dcgan(Preset.REPORT, batch_size=20, max_images=8))


def test_a_missing_class_is_refused() -> None:
    frame = table((Split.TRAIN, "bacteria", [1] * 40), (Split.TEST, "none", [1] * 40))
    index = DataIndex("0" * 12, Path("x-rays"), frame, (), ())
    with pytest.raises(DataError, match="about 0 training images of NORMAL"):
        require_learnable(index, dcgan())
    with pytest.raises(DataError, match=r"holding out patients needs both classes in train\. Received: NORMAL=0"):
        require_learnable(index, replace(dcgan(), label=Label.PNEUMONIA))
    with pytest.raises(DataError, match="0 training images of NORMAL"):
        gan_rows(frame, dcgan(Preset.REPORT))


def test_too_few_patients_to_measure_by_are_refused_before_and_after_holding_out() -> None:
    frame = table((Split.TRAIN, "none", [5] * 9), (Split.TRAIN, "bacteria", [1] * 40))
    index = DataIndex("0" * 12, Path("x-rays"), frame, (), ())
    require_learnable(index, dcgan(Preset.REPORT, batch_size=8))
    with pytest.raises(DataError, match="at least 8 patients"):
        require_learnable(index, dcgan(batch_size=8))
    with pytest.raises(DataError, match="at least 8 patients"):
        gan_rows(frame, dcgan(batch_size=8))


@given(normal=st.integers(0, 4000), pneumonia=st.integers(0, 4000), percent=st.integers(1, 100))
def test_a_share_of_the_gap_is_the_nearest_number_but_never_none(normal: int, pneumonia: int, percent: int) -> None:
    labels = np.repeat(np.array([0, 1], np.int8), [normal, pneumonia])
    whole = abs(normal - pneumonia)
    count = gap(labels, percent)
    assert gap(labels) == gap(labels, 100) == whole
    assert min(1, whole) <= count <= whole
    assert count == min(1, whole) or abs(100 * count - percent * whole) <= 50
    assert count <= gap(labels, min(100, percent + 1))
    assert count == gap(1 - labels, percent)  # Whichever class is the smaller.


def test_the_gap_of_the_full_data_set() -> None:
    labels = np.repeat([0, 1], [1341, 3875])
    assert [gap(labels, percent) for percent in (100, 50, 25, 1)] == [2534, 1267, 634, 25]


def test_cases_are_the_training_images_and_at_most_so_many_drawn_by_the_seed(
    index: DataIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = preset_config(Architecture.BASELINE, Preset.SOUND)
    train = assign(index.table, config).train
    assert case_rows(index.table, config).tolist() == train.tolist()
    monkeypatch.setattr(splits, "MOST_CASES", 20)
    drawn = [case_rows(index.table, replace(config, seed=seed, split_seed=0)) for seed in (0, 0, 1)]
    for rows in drawn:
        assert len(set(rows)) == len(rows) == 20
        assert set(rows) <= set(train)
        assert rows.tolist() == sorted(rows)
    assert drawn[0].tolist() == drawn[1].tolist() != drawn[2].tolist()
