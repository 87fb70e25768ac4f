import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pneumo_core.data.index import build_index
from pneumo_core.data.splits import assign
from pneumo_core.errors import CorruptError, RunError
from pneumo_core.evaluation.report import threshold_of
from pneumo_core.inference.evaluate import evaluate_run, trained_on
from pneumo_core.records import Label, NotApplicable, Split
from pneumo_core.runs.files import read_json
from pneumo_core.runs.store import RunDirectory
from pneumo_core.runs.submission import classifier_config
from tests.conftest import FinishedRun
from tests.hostile import assert_one_line
from tests.made_runs import made_predictions, made_run


@pytest.mark.parametrize("split", [Split.VAL, Split.TEST])
def test_stored_predictions_give_the_stored_report(finished_run: FinishedRun, split: Split) -> None:
    run = RunDirectory(finished_run.path)
    stored = read_json(run.report)
    received = evaluate_run(run, split)
    assert received == {**stored, "splits": {split.value: stored["splits"][split.value]}}


def test_the_same_images_predicted_again_give_the_same_figures(with_finished_run: FinishedRun) -> None:
    run = RunDirectory(with_finished_run.path)
    stored = read_json(run.report)
    received = evaluate_run(run, Split.TEST, build_index(with_finished_run.data))
    assert received["operating_point"] == stored["operating_point"]
    ours, theirs = received["splits"]["test"], stored["splits"]["test"]
    assert ours["confusion"] == theirs["confusion"]
    for name in ("accuracy", "sensitivity", "specificity", "auroc", "auprc", "brier"):
        assert ours[name].keys() == theirs[name].keys()
        for key in ours[name].keys() - {"not_applicable"}:
            assert ours[name][key] == pytest.approx(theirs[name][key], abs=1e-6)


def test_another_data_set_is_read_at_the_run_s_own_threshold(with_finished_run: FinishedRun, tmp_path: Path) -> None:
    """Other images under a split of another name: `train` of a data set the run has never seen."""
    run = RunDirectory(with_finished_run.path)
    other = tmp_path / "other"
    for label in ("NORMAL", "PNEUMONIA"):
        chosen = sorted((with_finished_run.data / "test" / label).iterdir())[:6]
        (other / "train" / label).mkdir(parents=True)
        for path in chosen:
            shutil.copy(path, other / "train" / label / path.name)
    received = evaluate_run(run, Split.TRAIN, build_index(other))
    assert list(received["splits"]) == ["train"]
    shown = received["splits"]["train"]
    assert (shown["split"], shown["n"], shown["n_pneumonia"]) == ("train", 12, 6)
    assert received["operating_point"] == read_json(run.report)["operating_point"]
    assert received["selected_on_test"] is False

    # The figures are those of the same images' stored predictions at that threshold.
    table = pd.read_parquet(run.predictions)
    names = {path.name for path in other.rglob("*.jpeg")}
    table = table[(table["split"] == "test") & table["image_id"].str.rsplit("/").str[-1].isin(names)]
    probability = 1 / (1 + np.exp(-table["logit"].astype(float)))
    right = (probability >= received["operating_point"]["threshold"]) == (table["label"] == 1)
    assert len(right) == 12
    assert shown["accuracy"]["value"] == pytest.approx(right.mean())


def test_a_split_that_was_not_predicted(finished_run: FinishedRun) -> None:
    with pytest.raises(RunError, match="split='train'") as caught:
        evaluate_run(RunDirectory(finished_run.path), Split.TRAIN)
    assert_one_line(caught.value, "'val'", "'test'")


def test_a_data_set_without_the_split(with_finished_run: FinishedRun, tmp_path: Path) -> None:
    shutil.copytree(with_finished_run.data / "train", tmp_path / "other" / "train")
    with pytest.raises(RunError, match="must have images of the split") as caught:
        evaluate_run(RunDirectory(with_finished_run.path), Split.TEST, build_index(tmp_path / "other"))
    assert_one_line(caught.value, "split='test'")


def test_damage_is_reported(with_finished_run: FinishedRun) -> None:
    run = RunDirectory(with_finished_run.path)
    run.predictions.write_bytes(b"PAR1")
    with pytest.raises(CorruptError, match=r"predictions\.parquet must have the SHA-256") as caught:
        evaluate_run(run, Split.TEST)
    assert_one_line(caught.value)


def test_a_run_without_stress_says_how_to_get_it(no_published: Path) -> None:
    run = made_run(made_predictions())
    with pytest.raises(RunError, match="split='stress'") as caught:
        evaluate_run(run, Split.STRESS)
    assert_one_line(caught.value, f"runs refresh {run.run_id}")


def test_another_data_set_is_read_at_the_threshold_chosen_on_stress(
    with_finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDirectory(with_finished_run.path)
    config = replace(classifier_config(run), choose_on=Split.STRESS)
    monkeypatch.setattr("pneumo_core.inference.evaluate.classifier_config", lambda _run: config)
    found = evaluate_run(run, Split.TEST, build_index(with_finished_run.data))["operating_point"]
    table = pd.read_parquet(run.predictions)
    assert found["threshold"] == threshold_of(table, config.operating_rule, Split.STRESS)
    assert found["split"] == "stress"


def test_images_that_trained_the_run_are_counted_wherever_they_lie(
    with_finished_run: FinishedRun, tmp_path: Path
) -> None:
    run = RunDirectory(with_finished_run.path)
    own = build_index(with_finished_run.data)
    config = classifier_config(run)
    expected = len(assign(own.table, config).train)
    assert trained_on(run, own, Split.TRAIN) == expected > 0
    assert trained_on(run, own, Split.TEST) == 0
    other = tmp_path / "other"
    trained = own.table.iloc[assign(own.table, config).train]
    for label in Label:
        (other / "test" / label.name).mkdir(parents=True)
        for number, name in enumerate(trained.loc[trained["label"] == label.value, "image_id"].head(3)):
            shutil.copy(with_finished_run.data / name, other / f"test/{label.name}/renamed{number}.jpeg")
        unseen = own.table[(own.table["split"] == "test") & (own.table["label"] == label.value)]["image_id"].iloc[0]
        shutil.copy(with_finished_run.data / unseen, other / f"test/{label.name}/unseen.jpeg")
    assert trained_on(run, build_index(other), Split.TEST) == 6


def test_whether_images_trained_a_run_from_elsewhere_is_not_known(
    with_finished_run: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDirectory(with_finished_run.path)
    shutil.copytree(with_finished_run.data / "test", tmp_path / "other/test")
    monkeypatch.setenv("PNEUMO_ARTIFACTS", str(tmp_path / "elsewhere"))
    found = trained_on(run, build_index(tmp_path / "other"), Split.TEST)
    assert isinstance(found, NotApplicable)
    assert "not indexed on this machine" in found.reason
