"""Which runs can be combined, and why others cannot."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pneumo_core.config.classifier import Preparation, Preset
from pneumo_core.config.ensemble import EnsembleConfig
from pneumo_core.config.gan import gan_config
from pneumo_core.config.run import config_from_dict, config_to_dict, run_id
from pneumo_core.config.split import NamedSplit
from pneumo_core.data.index import DataIndex
from pneumo_core.data.splits import assign
from pneumo_core.errors import RunError, RunNotFoundError
from pneumo_core.evaluation.report import report_to_dict
from pneumo_core.inference.compared import balanced_pairs, groups, side_of
from pneumo_core.inference.ensemble import combinable, ensemble_of, require_unseen
from pneumo_core.inference.evidence import evaluated
from pneumo_core.inference.heatmap import QUANTILE, HeatScale, scale_to_dict
from pneumo_core.records import Architecture, NotApplicable, Split
from pneumo_core.runs.files import write_json
from pneumo_core.runs.store import RunDirectory, run_directory, write_manifest
from pneumo_core.runs.submission import RunData, Submission, trained_config, write_submission
from tests.made_runs import DATA_ID, made_predictions, made_run, vouch_for, with_stress

PREDICTIONS = made_predictions()


def member(predictions: pd.DataFrame = PREDICTIONS, *, full: float | None = 0.5, **settings: Any) -> RunDirectory:
    """A finished run with a file as its model, and a scale of its heat maps unless `full` is None."""
    run = made_run(predictions, **settings)
    run.model.write_bytes(b"a model")
    if full is not None:
        write_json(run.heatmap_scale, scale_to_dict(HeatScale(full, QUANTILE, Split.VAL, 90)))
    vouch_for(run)
    return run


def other_patients(predictions: pd.DataFrame) -> pd.DataFrame:
    """Predictions of which ten validation patients of 45 are others."""
    changed = predictions["patient_id"].isin([f"val-{number}" for number in range(10)])
    return predictions.assign(patient_id=predictions["patient_id"].mask(changed, "x" + predictions["patient_id"]))


def refusal(*run_ids: str) -> str:
    """Why runs cannot be combined."""
    with pytest.raises(RunError) as caught:
        ensemble_of(run_ids)
    return str(caught.value)


def test_its_settings_are_those_of_the_largest_and_least_careful_member() -> None:
    runs = [
        member(seed=4),
        member(architecture=Architecture.COMPACT, preset=Preset.QUICK, seed=4, val_fraction=0.15),
        member(architecture=Architecture.VGG16, seed=1, split_seed=4, max_images=500),
    ]
    config, data_id = ensemble_of([run.run_id for run in runs])
    assert data_id == DATA_ID
    assert config == EnsembleConfig(
        members=tuple(run.run_id for run in runs),
        preset=Preset.QUICK,
        seed=4,
        val_fraction=0.15,
        image_size=150,
    )


def test_members_can_share_a_saved_split() -> None:
    split = NamedSplit("blocks-0", "0" * 12)
    runs = [member(seed=seed, named_split=split) for seed in (3, 4)]
    config, _ = ensemble_of([run.run_id for run in runs])
    assert (config.named_split, config.seed) == (split, 0)
    assert config_from_dict(json.loads(json.dumps(config_to_dict(config)))) == config
    # A share that another preset would draw is not drawn, and a sample of the split's patients are its patients.
    quick = member(preset=Preset.QUICK, seed=5, named_split=split)
    assert ensemble_of([runs[0].run_id, quick.run_id])[0].named_split == split
    other = member(other_patients(PREDICTIONS), seed=3)
    words = refusal(runs[0].run_id, other.run_id)
    first, second = sorted((runs[0].run_id, other.run_id))
    choices = {runs[0].run_id: "by the split blocks-0", other.run_id: "15 % by seed 3"}
    options = {runs[0].run_id: "--split blocks-0", other.run_id: "--split-seed 3"}
    assert f"which hold out {choices[first]} and {choices[second]}" in words
    assert f"train it again with {options[first]}" in words


def test_where_every_member_saw_a_sample_the_largest_counts() -> None:
    runs = [member(preset=Preset.QUICK, seed=4), member(preset=Preset.QUICK, seed=1, split_seed=4, max_images=700)]
    assert ensemble_of([run.run_id for run in runs])[0].max_images == 700


def test_a_run_named_twice_is_one_member() -> None:
    run = member()
    assert refusal(run.run_id, run.run_id).startswith("an ensemble needs 2 to 20 different runs. Received: 1: ")
    assert "Received: 0: none" in refusal()


def test_at_most_twenty_can_be_named() -> None:
    assert "Received: 21; leave some out" in refusal(*(f"compact-{number:012x}" for number in range(21)))


def test_a_missing_run_is_named() -> None:
    with pytest.raises(RunNotFoundError, match="compact-000000000000"):
        ensemble_of([member().run_id, "compact-000000000000"])


def test_a_run_that_is_not_finished_is_refused() -> None:
    unfinished = member(seed=1, split_seed=0)
    unfinished.manifest.unlink()
    assert f"must be finished. Received: run_id='{unfinished.run_id}'" in refusal(member().run_id, unfinished.run_id)


def test_a_dcgan_is_refused() -> None:
    config = gan_config(Preset.SOUND)
    gan = run_directory(run_id(config, DATA_ID))
    write_submission(gan, Submission(config, RunData(DATA_ID), 0.0))
    write_manifest(gan, {})
    assert f"Received: {gan.run_id}, a DCGAN; name classifiers" in refusal(member().run_id, gan.run_id)


def test_an_ensemble_is_refused() -> None:
    runs = [member().run_id, member(seed=1, split_seed=0).run_id]
    config, data_id = ensemble_of(runs)
    ensemble = run_directory(run_id(config, data_id))
    write_submission(ensemble, Submission(config, RunData(DATA_ID), 0.0))
    write_manifest(ensemble, {})
    assert f"Received: {ensemble.run_id}, an ensemble itself; name its members" in refusal(runs[0], ensemble.run_id)


def test_a_run_that_was_selected_on_test_is_refused() -> None:
    optimistic = member(preset=Preset.REPORT)
    assert f"must hold patients out. Received: {optimistic.run_id}, whose epoch was" in refusal(
        member().run_id, optimistic.run_id
    )


def test_evidence_without_a_model_is_refused() -> None:
    evidence = made_run(PREDICTIONS, seed=1, split_seed=0)
    assert f"must have their models. Received: {evidence.run_id}" in refusal(member().run_id, evidence.run_id)


def test_a_run_without_a_scale_of_its_heat_maps_is_refused() -> None:
    older = member(full=None, seed=1, split_seed=0)
    assert f"'runs refresh {older.run_id}' adds it" in refusal(member().run_id, older.run_id)
    write_json(older.heatmap_scale, scale_to_dict(NotApplicable("no region contributes")))
    vouch_for(older)
    assert refusal(member().run_id, older.run_id).endswith("which has none: no region contributes")


def test_runs_of_other_data_are_refused() -> None:
    of = {member().run_id: DATA_ID, member(data_id="1" * 12).run_id: "1" * 12}
    a, b = sorted(of)  # As the members are kept.
    assert f"Received: {a} and {b}, trained on {of[a]} and {of[b]}" in refusal(b, a)


def test_runs_that_prepare_images_otherwise_are_refused() -> None:
    a, b = member(), member(preparation=Preparation.PAD)
    assert "preparation='squash' and 'pad'" in refusal(a.run_id, b.run_id)


def test_runs_that_hold_out_other_patients_are_refused_with_the_difference() -> None:
    of = {member().run_id: 0, member(other_patients(PREDICTIONS), seed=1).run_id: 1}
    a, b = sorted(of)
    said = refusal(b, a)
    assert f"Received: {a} and {b}, which hold out 15 % by seed {of[a]} and 15 % by seed {of[b]}" in said
    assert f", 35 of 55 patients in common; leave one out, or train it again with --split-seed {of[a]}" in said
    a = member(preset=Preset.QUICK)
    b = member(preset=Preset.QUICK, seed=1)
    assert "must share their held-out patients" in refusal(a.run_id, b.run_id)  # Of samples, no number says more.


def test_other_settings_may_choose_the_same_patients() -> None:
    a, b = member(), member(val_fraction=0.14)
    assert len(ensemble_of([a.run_id, b.run_id])[0].members) == 2


def test_what_can_be_combined_with_something() -> None:
    runs = [member(), made_run(PREDICTIONS, seed=1), member(preset=Preset.REPORT), member(seed=2)]
    assert combinable(runs) == [runs[0].run_id, runs[3].run_id]


class TestUnseen:
    """A member's own predictions tell whom it held out."""

    def members(self, index: DataIndex, strange: bool) -> EnsembleConfig:
        runs = []
        for seed in (0, 1):
            run = member(data_id=index.data_id, seed=seed, split_seed=0, val_fraction=0.2, max_images=80)
            rows = assign(index.table, EnsembleConfig((run.run_id, "compact-" + "0" * 12), Preset.SOUND, 0, 0.2, 150))
            part = index.table.iloc[rows.val[::2] if not (strange and seed) else np.union1d(rows.val, rows.train[:2])]
            table = part[["image_id", "patient_id", "label", "subtype"]].assign(split="val", logit=np.float32(0))
            run.predictions.write_bytes(table.to_parquet(index=False))
            vouch_for(run)
            runs.append(run.run_id)
        return ensemble_of(runs)[0]

    def test_a_sample_of_the_held_out_patients_is_fine(self, index: DataIndex) -> None:
        require_unseen(self.members(index, strange=False), index)

    def test_a_patient_that_the_others_trained_on_is_not(self, index: DataIndex) -> None:
        config = self.members(index, strange=True)
        with pytest.raises(
            RunError, match=r"must share their held-out patients\. Received: .* validated on \d patients"
        ):
            require_unseen(config, index)


def test_each_ensemble_is_a_side_of_its_own(no_published: Path) -> None:
    members = [member(seed=seed, split_seed=0).run_id for seed in (1, 2, 3)]
    ensembles = []
    for ids in (members[:2], members[1:]):
        config, _ = ensemble_of(ids)
        ensemble = run_directory(run_id(config, DATA_ID))
        write_submission(ensemble, Submission(config, RunData(DATA_ID), 0.0))
        predictions = with_stress(PREDICTIONS)
        ensemble.predictions.write_bytes(predictions.to_parquet(index=False))
        write_json(ensemble.report, report_to_dict(evaluated(ensemble.run_id, config, predictions)))
        write_manifest(ensemble, {})
        ensembles.append(ensemble)
    found = {group.run_ids: group for group in groups()}
    for ensemble in ensembles:
        group = found[(ensemble.run_id,)]
        assert group.balance is None
        # Two of one name are told apart.
        assert group.name == f"Ensemble of 2: 2 × Baseline CNN · sound · {ensemble.run_id[-6:]}"
        assert side_of([ensemble.run_id]).name == "Ensemble of 2: 2 × Baseline CNN · sound"
    assert balanced_pairs(list(found.values())) == ()
    one, other = (trained_or_reason(ensemble) for ensemble in ensembles)
    assert one.endswith("an ensemble")
    assert other.endswith("an ensemble")


def trained_or_reason(run: RunDirectory) -> str:
    with pytest.raises(RunError) as caught:
        trained_config(run)
    return str(caught.value)
