"""Finished runs set side by side: what may be compared, and what is said of what may not."""

from pathlib import Path

import pytest

from pneumo_core.config.classifier import Balance, Preset
from pneumo_core.config.split import NamedSplit
from pneumo_core.errors import CorruptError, DataError, RunError, RunNotFoundError
from pneumo_core.evaluation.significance import McNemar
from pneumo_core.inference.compared import (
    balanced_pairs,
    compare_runs,
    comparison_to_dict,
    evidence_of,
    groups,
    side_ids,
)
from pneumo_core.inference.evidence import read_report
from pneumo_core.records import Estimate, Metric, NotApplicable, Split
from pneumo_core.runs.files import write_atomic
from pneumo_core.runs.store import write_manifest
from tests.made_runs import made_predictions, made_run, with_stress

pytestmark = pytest.mark.usefixtures("no_published")


def test_two_runs_are_compared_at_their_own_thresholds() -> None:
    a, b = made_run(made_predictions()), made_run(made_predictions(skill=2.0), balance=Balance.OVERSAMPLE)
    found = compare_runs([a.run_id], [b.run_id])
    assert found.a.thresholds == (read_report(a).operating_point.threshold,)
    assert found.paired
    assert isinstance(found.mcnemar, McNemar)
    assert (found.a.name, found.b.name) == (
        "Baseline CNN · sound · original · seed 0",
        "Baseline CNN · sound · oversampled · seed 0",
    )
    own, here = read_report(a).splits[Split.TEST].auroc, found.a.figures[Metric.AUROC]
    assert isinstance(own, Estimate)
    assert isinstance(here, Estimate)
    assert (here.value, here.low, here.high, here.n) == pytest.approx((own.value, own.low, own.high, own.n), abs=1e-12)
    document = comparison_to_dict(found)
    assert {"mcnemar", "delong", "verdict", "differences"} <= set(document)
    assert document["mcnemar"]["p"] == found.mcnemar.p


def test_the_validation_split_can_be_compared_too() -> None:
    a, b = made_run(made_predictions()), made_run(made_predictions(skill=2.0), seed=1)
    assert compare_runs([a.run_id], [b.run_id], split=Split.VAL).split is Split.VAL


def test_groups_are_runs_that_differ_in_their_seed_alone() -> None:
    none = [made_run(made_predictions(seed=seed), seed=seed) for seed in (2, 0, 1)]
    other = made_run(made_predictions(), balance=Balance.OVERSAMPLE)
    shorter = made_run(made_predictions(), epochs=3)
    phantoms = made_run(made_predictions(), is_phantom=True, data_id="1" * 12)
    found = {group.run_ids: group for group in groups()}
    assert found[tuple(run.run_id for run in (none[1], none[2], none[0]))].seeds == (0, 1, 2)
    assert {(other.run_id,), (shorter.run_id,), (phantoms.run_id,)} < set(found)
    assert found[phantoms.run_id,].name == "Baseline CNN · sound · original · phantoms"
    compared = compare_runs([none[0].run_id, none[1].run_id], [other.run_id])
    assert compared.a.seeds == (0, 2)
    assert compared.a.name == "Baseline CNN · sound · original · 2 seeds"


@pytest.mark.parametrize("preset", [Preset.SOUND, Preset.REPORT])
def test_seeds_on_generated_images_are_one_group_beside_those_on_original_ones(preset: Preset) -> None:
    splits = ("val", "test") if preset is Preset.SOUND else ("test",)
    rows = made_predictions(splits=splits)
    none = [made_run(rows, preset=preset, seed=seed) for seed in range(3)]
    split_seed = 2 if preset is Preset.SOUND else None
    arm = {"balance": Balance.GAN, "gan_run": "dcgan-" + "a" * 12, "split_seed": split_seed}
    gan = [made_run(rows, preset=preset, seed=seed, **arm) for seed in range(3)]
    other = made_run(rows, preset=preset, balance=Balance.OVERSAMPLE)
    pairs = balanced_pairs(groups())
    assert [(a.run_ids, b.run_ids) for a, b in pairs] == [
        (tuple(run.run_id for run in none), tuple(run.run_id for run in gan)),
        (tuple(run.run_id for run in none), (other.run_id,)),
    ]


def test_original_images_of_a_recipe_that_weights_the_classes_are_those_with_weights() -> None:
    rows = with_stress(made_predictions())
    weighted = {"preset": Preset.BEST, "balance": Balance.CLASS_WEIGHT}
    runs = [made_run(rows, seed=seed, **weighted) for seed in range(2)]
    more = made_run(rows, preset=Preset.BEST, balance=Balance.OVERSAMPLE)
    (pair,) = balanced_pairs(groups())
    assert (pair[0].run_ids, pair[1].run_ids) == (tuple(run.run_id for run in runs), (more.run_id,))
    plain = made_run(rows, preset=Preset.BEST, balance=Balance.NONE)
    pairs = {(a.run_ids, b.run_ids) for a, b in balanced_pairs(groups())}
    assert pairs == {((plain.run_id,), pair[0].run_ids), ((plain.run_id,), pair[1].run_ids)}


def test_weighted_originals_on_the_same_patients_come_before_others_without_weights() -> None:
    rows = with_stress(made_predictions())
    made_run(rows, preset=Preset.BEST, balance=Balance.NONE, seed=3)
    weighted = made_run(rows, preset=Preset.BEST, balance=Balance.CLASS_WEIGHT)
    arm = {"balance": Balance.GAN, "gan_run": "dcgan-" + "a" * 12}
    gan = made_run(rows, preset=Preset.BEST, **arm)
    assert balanced_pairs(groups())[0][0].run_ids == (weighted.run_id,)
    assert balanced_pairs(groups())[0][1].run_ids == (gan.run_id,)


def test_what_departs_from_the_preset_is_in_the_name() -> None:
    a, b = made_run(made_predictions()), made_run(made_predictions(skill=2.0), epochs=3, image_size=96)
    found = compare_runs([a.run_id], [b.run_id])
    assert found.a.name == "Baseline CNN · sound · original · seed 0"
    assert found.b.name == "Baseline CNN · sound · original · 3 epochs · 96 px · seed 0"


def test_sides_of_one_name_are_named_apart() -> None:
    a, b = (made_run(made_predictions(skill=skill), data_id=str(place) * 12) for place, skill in enumerate((1.2, 2.0)))
    found = compare_runs([a.run_id], [b.run_id])
    name = "Baseline CNN · sound · original · seed 0"
    assert [found.a.name, found.b.name] == [f"{name} · {run.run_id[-6:]}" for run in (a, b)]


def test_runs_on_one_split_are_a_group_and_those_with_a_split_each_are_another() -> None:
    own = [made_run(made_predictions(seed=seed), seed=seed).run_id for seed in range(3)]
    on_first = [made_run(made_predictions(seed=seed), seed=seed, split_seed=0).run_id for seed in (1, 2)]
    found = {group.run_ids: group for group in groups()}
    assert found.keys() == {tuple(own), (own[0], *on_first)}
    assert found[tuple(own)].splits == {0, 1, 2}
    assert found[tuple(own)].name == "Baseline CNN · sound · original · a split per seed"
    assert found[own[0], *on_first].name == "Baseline CNN · sound · original · split 0"
    other = made_run(made_predictions(skill=2.0), balance=Balance.OVERSAMPLE).run_id
    assert compare_runs([own[0], *on_first], [other]).a.seeds == (0, 1, 2)
    with pytest.raises(RunError, match="differ only in their seed"):
        compare_runs([own[1], *on_first], [other])


def test_runs_on_a_saved_split_are_a_group_with_its_name() -> None:
    split = NamedSplit("blocks-0", "0" * 12)
    own = made_run(made_predictions()).run_id
    on_split = [made_run(made_predictions(seed=seed), seed=seed, named_split=split).run_id for seed in range(2)]
    found = {group.run_ids: group for group in groups()}
    assert found.keys() == {(own,), tuple(on_split)}
    assert found[tuple(on_split)].splits == {split}
    assert found[tuple(on_split)].name == "Baseline CNN · sound · original · split blocks-0"
    comparison = compare_runs([own], on_split)
    assert comparison.b.name == "Baseline CNN · sound · original · split blocks-0 · 2 seeds"
    assert "patients held out (A by seed 0, B by the split blocks-0)" in comparison.contrast.warning
    arm = made_run(made_predictions(skill=2.0), balance=Balance.OVERSAMPLE, named_split=split).run_id
    ((original, balanced),) = balanced_pairs(groups())
    assert (original.run_ids, balanced.run_ids) == (tuple(on_split), (arm,))
    with pytest.raises(RunError, match="differ only in their seed"):
        compare_runs([own, on_split[1]], [arm])


def test_an_arm_stands_beside_the_originals_that_held_out_the_same_patients() -> None:
    own = [made_run(made_predictions(seed=seed), seed=seed).run_id for seed in range(2)]
    arm = {"balance": Balance.GAN, "gan_run": "dcgan-" + "a" * 12, "split_seed": 7}
    gan = tuple(made_run(made_predictions(), seed=seed, **arm).run_id for seed in range(2))
    (pair,) = balanced_pairs(groups())
    assert (pair[0].run_ids, pair[1].run_ids) == (tuple(own), gan)
    warning = compare_runs(own, gan).contrast.warning
    assert "patients held out (A by seeds 0, 1, B by seed 7)" in warning
    same = tuple(made_run(made_predictions(), seed=seed, split_seed=7).run_id for seed in range(2))
    (pair,) = balanced_pairs(groups())
    assert (pair[0].run_ids, pair[1].run_ids) == (same, gan)
    assert compare_runs(same, gan).contrast.warning == ""


def test_runs_of_one_group_must_not_differ_in_more() -> None:
    a, b, c = (
        made_run(made_predictions()),
        made_run(made_predictions(), seed=1, epochs=3),
        made_run(made_predictions(), seed=2),
    )
    with pytest.raises(RunError, match="differ only in their seed"):
        compare_runs([a.run_id, b.run_id], [c.run_id])


def test_a_run_is_not_compared_with_itself() -> None:
    run = made_run(made_predictions())
    with pytest.raises(RunError, match="must be different runs"):
        compare_runs([run.run_id], [run.run_id])


def test_different_test_sets_are_refused_pairing_and_offered_unpaired() -> None:
    a = made_run(made_predictions())
    b = made_run(made_predictions(n=60), preset=Preset.QUICK)
    found = compare_runs([a.run_id], [b.run_id])
    assert isinstance(found.mcnemar, NotApplicable)
    assert "90 of A, 60 of B, 60 of them in both" in found.mcnemar.reason
    assert isinstance(found.differences[Metric.ACCURACY].estimate, Estimate)


def test_phantoms_are_not_paired_with_xrays_of_the_same_names() -> None:
    a = made_run(made_predictions())
    b = made_run(made_predictions(skill=2.0), is_phantom=True, data_id="1" * 12)
    assert not compare_runs([a.run_id], [b.run_id]).paired


def test_seeds_tested_on_different_images_make_no_group() -> None:
    a, b = made_run(made_predictions(), seed=0), made_run(made_predictions(n=60), seed=1)
    c = made_run(made_predictions(), seed=2, balance=Balance.OVERSAMPLE)
    with pytest.raises(DataError, match="tested on the same images"):
        compare_runs([a.run_id, b.run_id], [c.run_id])


def test_a_run_without_predictions_of_the_split() -> None:
    a = made_run(made_predictions(splits=("test",)), preset=Preset.REPORT)
    b = made_run(made_predictions())
    with pytest.raises(RunError, match=r"split='val', has=\['test'\]"):
        compare_runs([a.run_id], [b.run_id], split=Split.VAL)


def test_damaged_missing_and_unfinished_runs_are_reported() -> None:
    a, b = made_run(made_predictions()), made_run(made_predictions(skill=2.0), seed=1)
    whole = b.predictions.read_bytes()
    write_atomic(b.predictions, whole[:-20])
    with pytest.raises(CorruptError, match=r"predictions.parquet must have the SHA-256"):
        compare_runs([a.run_id], [b.run_id])
    write_manifest(b, {})
    with pytest.raises(CorruptError, match="must hold a table"):
        evidence_of(b.run_id, Split.TEST)
    b.manifest.unlink()
    with pytest.raises(RunError, match="must be finished"):
        compare_runs([a.run_id], [b.run_id])
    assert [group.run_ids for group in groups()] == [(a.run_id,)]
    with pytest.raises(RunNotFoundError):
        compare_runs([a.run_id], ["baseline-" + "f" * 12])


def test_predictions_that_are_not_finite_are_refused() -> None:
    a, b = made_run(made_predictions()), made_run(made_predictions(skill=2.0), seed=1)
    rows = made_predictions(skill=2.0)
    rows.loc[3, "logit"] = float("nan")
    write_atomic(b.predictions, rows.to_parquet(index=False))
    write_manifest(b, {})
    with pytest.raises(DataError, match="logit must be finite"):
        compare_runs([a.run_id], [b.run_id])


def test_a_dcgan_is_no_side(finished_gan_id: str) -> None:
    a = made_run(made_predictions())
    with pytest.raises(RunError, match="must be a classifier's"):
        compare_runs([a.run_id], [finished_gan_id])
    assert [group.run_ids for group in groups()] == [(a.run_id,)]


@pytest.fixture
def finished_gan_id(tmp_path: Path) -> str:
    """A DCGAN that claims to be finished."""
    from pneumo_core.config.gan import gan_config
    from pneumo_core.config.run import run_id
    from pneumo_core.runs.store import run_directory
    from pneumo_core.runs.submission import RunData, Submission, write_submission
    from tests.made_runs import DATA_ID

    config = gan_config(Preset.QUICK)
    run = run_directory(run_id(config, DATA_ID))
    write_submission(run, Submission(config, RunData(DATA_ID), 0.0))
    write_manifest(run, {})
    return run.run_id


@pytest.mark.parametrize(
    ("text", "ids"), [("a", ("a",)), (" a , b,a ", ("a", "b")), ("a,", ("a",))], ids=["one", "several", "comma"]
)
def test_sides_as_people_write_them(text: str, ids: tuple[str, ...]) -> None:
    assert side_ids(text) == ids


@pytest.mark.parametrize("text", ["", " ", ",,"])
def test_no_side(text: str) -> None:
    with pytest.raises(RunError, match="requires a run id"):
        side_ids(text)
