"""Starting runs on Train: one, several seeds, a pair, and what is there already."""

import json
import re
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pneumo_core.config.classifier import Balance, Preset, TrainConfig
from pneumo_core.config.gan import GanConfig, gan_config
from pneumo_core.config.naming import ARMS
from pneumo_core.config.presets import preset_config
from pneumo_core.data.index import DataIndex
from pneumo_core.data.splits import gan_rows
from pneumo_core.jobs.runs import views
from pneumo_core.records import Architecture, Label, RunState
from pneumo_core.runs.files import file_sha256, hold_lock, read_json, write_json
from pneumo_core.runs.store import RunDirectory, slot_lock
from pneumo_core.study import balancing_pair
from tests.made_runs import made_predictions, made_run
from tests.pages.opening import labels, opened, press, texts
from tests.pages.train.page import BASELINE, bars, failed, finished, opened_for_one, working
from tests.waiting import wait_for


def test_what_is_trained_already_can_be_opened(trained: RunDirectory) -> None:
    page = opened_for_one()
    page.number_input(key="epochs baseline quick").set_value(2).run()
    assert not page.exception
    assert "Already trained" in texts(page)
    press(page, "Open it")
    assert page.query_params["run"] == trained.run_id
    assert "badge[succeeded]" in texts(page)
    facts = page.table[0].value["value"]
    manifest = json.loads(trained.manifest.read_text())
    assert facts["precision"] == manifest["device"]["precision"]
    assert facts["resume"] == "trained in one session"
    assert manifest["device"]["name"] in facts["device"]
    assert "tensorboard --logdir" in "\n".join(code.value for code in page.code)


def test_a_run_that_works_can_be_followed(index: DataIndex, alive: ExitStack) -> None:
    run = working(BASELINE, index, alive)
    page = press(opened_for_one(), "Follow it")
    assert page.query_params["run"] == run.run_id
    assert "badge[queued]" in texts(page)


def test_a_server_that_does_not_train_says_so(
    index: DataIndex, alive: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMO_ALLOW_TRAINING", "0")
    page = opened_for_one()
    assert "does not train" in texts(page)
    assert not {"Start training", "Resume training"} & set(labels(page))
    page.number_input(key="seeds").set_value(3).run()
    assert "does not train" in texts(page)
    assert not [label for label in labels(page) if label.startswith("Start")]
    for seed in (1, 2):
        working(replace(BASELINE, seed=seed), index, alive)
    stopped = failed(BASELINE, index, "no luck")
    page = opened("train", run=stopped.run_id)
    assert "place 2" in texts(page)
    assert not [label for label in labels(page) if label.startswith(("Cancel", "Resume"))]


def test_several_seeds_are_counted_by_what_is_there(index: DataIndex, alive: ExitStack) -> None:
    finished(replace(BASELINE, seed=10), index)
    failed(replace(BASELINE, seed=11), index, "no luck")
    working(replace(BASELINE, seed=12), index, alive)
    page = opened_for_one()
    page.number_input(key="seed").set_value(10)
    page.number_input(key="seeds").set_value(5).run()
    assert not page.exception
    ((done, words),) = bars(page)
    assert done == 20
    left = r"5 runs, seeds 10 to 14: 1 finished, 1 failed, 1 queued, 2 new · .+ to .+ for the rest, one after another"
    assert re.fullmatch(left, words)
    assert "Start or resume 3 runs" in labels(page)


def test_several_seeds_that_are_all_there_need_no_button(index: DataIndex, alive: ExitStack) -> None:
    for seed in range(3):
        finished(replace(BASELINE, seed=seed), index)
    page = opened_for_one()
    page.number_input(key="seeds").set_value(3).run()
    assert bars(page) == [(100, "3 runs, seeds 0 to 2: 3 finished")]
    assert "All are trained." in texts(page)
    assert not [label for label in labels(page) if label.startswith("Start")]


@pytest.mark.slow
def test_three_seeds_are_started_and_cancelled_by_a_click_each(index: DataIndex) -> None:
    with hold_lock(slot_lock(0)):  # As if another run were working: real workers start, and wait.
        page = opened_for_one()
        page.number_input(key="seeds").set_value(3).run()
        press(page, "Start 3 runs")
        started = views()
        assert sorted(item.config.seed for item in started if item.config) == [0, 1, 2]
        assert {item.state for item in started} == {RunState.QUEUED}
        for words in ("Next in the queue", "waits: place 2", "waits: place 3"):
            assert words in texts(page)
        press(page, "Cancel all 3 that wait")
        wait_for("cancelling", lambda: {item.state for item in views()} == {RunState.CANCELLED})
    assert {item.state for item in views()} == {RunState.CANCELLED}
    page.run()
    assert "Next in the queue" not in texts(page)
    assert "Start or resume 3 runs" in labels(page)


def test_a_cluster_that_does_not_answer_is_told(index: DataIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "executor" not in [radio.key for radio in opened("train").radio]
    monkeypatch.setenv("PNEUMO_RAY_ADDRESS", "http://127.0.0.1:9")
    page = opened_for_one()
    page.radio(key="executor").set_value("ray").run()
    assert "Ray cluster" in texts(page)
    press(page, "Start training")
    (error,) = page.error
    assert "127.0.0.1:9" in error.value.replace("\\", "")
    assert views() == []


def chosen_arm(page: AppTest, arm: Balance) -> AppTest:
    return page.radio(key="balance").set_value(arm).run()


def test_the_balancing_arm_is_a_first_choice(index: DataIndex) -> None:
    page = opened("train")
    first = [radio.label for radio in page.radio][:3]
    assert first == ["Network", "Preset", "Training images"]
    assert page.radio(key="balance").options == [
        "Original",
        "Class weights",
        "Oversampled",
        "Classical augmentation",
        "With DCGAN images",
    ]
    (advanced,) = [block for block in page.get("expander") if block.label.startswith("Advanced")]
    assert [radio.key for radio in advanced.radio] == []
    assert "to train a pair: original and balanced" in texts(chosen_arm(page, Balance.NONE))


def test_a_pair_is_offered_as_one_click_with_its_cost(index: DataIndex) -> None:
    page = opened("train")
    page.number_input(key="seeds").set_value(3)
    chosen_arm(page, Balance.OVERSAMPLE)
    assert not page.exception
    assert "Start 6 runs: original and oversampled" in labels(page)
    ((done, words),) = bars(page)
    assert done == 0
    assert re.fullmatch(r"6 runs, seeds 0 to 2: 6 new · .+ to .+ for the rest, one after another", words)
    for side in ("Original", "Balanced"):
        assert re.search(
            side
            + r": Each run takes .+ to .+ \(rough: first run here, from the speed of published runs\)"
            + r": at most 6 epochs of \d+ images",
            texts(page),
        )
    page.toggle(key="pair").set_value(False).run()
    assert "Start 3 runs" in labels(page)


def test_a_finished_pair_opens_in_compare_with_all_its_seeds(index: DataIndex) -> None:
    asked = replace(BASELINE, balance=Balance.OVERSAMPLE)
    configs = balancing_pair(asked, 2)
    ids = [made_run(made_predictions(), preset=Preset.QUICK, data_id=index.data_id, **as_changes(each)).run_id
           for each in configs]  # fmt: skip
    page = opened("train")
    page.number_input(key="seeds").set_value(2)
    chosen_arm(page, Balance.OVERSAMPLE)
    assert "All are trained." in texts(page)
    press(page, "Open the pair in Compare")
    assert page.title[0].value == "Compare"
    assert page.query_params["a"] == [f"{ids[0]},{ids[2]}"] or page.query_params["a"] == f"{ids[0]},{ids[2]}"
    assert f"{ids[1]},{ids[3]}" in page.query_params["b"]


def as_changes(config: TrainConfig) -> dict[str, object]:
    return {"seed": config.seed, "balance": config.balance}


def trained_gan(asked: GanConfig, index: DataIndex) -> RunDirectory:
    """A finished DCGAN, as far as the form reads one."""
    gan = finished(asked, index)
    learned = index.table.iloc[gan_rows(index.table, asked)][["image_id", "patient_id", "sha256"]]
    learned.to_parquet(gan.learned, index=False)
    content = read_json(gan.manifest)
    write_json(gan.manifest, {**content, "files": {"learned.parquet": file_sha256(gan.learned)}})
    return gan


def test_the_form_opens_with_a_pair_that_one_click_starts(index: DataIndex) -> None:
    page = opened("train")
    assert page.radio(key="balance").value == Balance.CLASS_WEIGHT
    assert "Start 2 runs: original and class weights" in labels(page)
    # The side that is there is not started again, and the button says which one is.
    finished(BASELINE, index)
    page.run()
    assert "Start 1 run: class weights" in labels(page)


@pytest.mark.parametrize(("label", "proposed"), [(Label.NORMAL, Balance.GAN), (Label.PNEUMONIA, Balance.CLASS_WEIGHT)])
def test_the_pair_is_with_the_recommended_dcgan_where_it_suits_the_data(
    index: DataIndex, no_published: Path, label: Label, proposed: Balance
) -> None:
    gan = trained_gan(gan_config(Preset.QUICK, seed=5, label=label), index)
    assert opened("train").radio(key="balance").value == Balance.CLASS_WEIGHT  # It is not the recommended one.
    gan.path.rename(no_published / gan.run_id)
    write_json(no_published / "recommended.json", {"classifier": "baseline-000000000000", "dcgan": gan.run_id})
    page = opened("train")
    assert not page.error
    assert page.radio(key="balance").value == proposed
    assert f"Start 2 runs: original and {ARMS[proposed]}" in labels(page)


def test_what_is_published_without_its_model_can_be_trained_here(index: DataIndex, no_published: Path) -> None:
    run = made_run(made_predictions(), preset=Preset.QUICK, data_id=index.data_id)
    page = opened_for_one()
    assert "Train it here, with its model" not in labels(page)
    run.path.rename(no_published / run.run_id)
    page = opened_for_one()
    assert {"Open it", "Train it here, with its model"} <= set(labels(page))


def test_a_pair_with_a_dcgan_is_on_the_patients_that_it_has_not_seen(index: DataIndex) -> None:
    asked = gan_config(Preset.QUICK, seed=5)
    trained_gan(asked, index)
    page = opened("train")
    page.radio(key="preset").set_value(Preset.SOUND).run()
    page.number_input(key="seeds").set_value(2)
    chosen_arm(page, Balance.GAN)
    assert not page.exception
    if page.error:  # The phantoms' smaller class is what the DCGAN must generate.
        pytest.fail(page.error[0].value)
    assert "Start 4 runs: original and with DCGAN images" in labels(page)
    sound = replace(preset_config(Architecture.BASELINE, Preset.SOUND), split_seed=5, val_fraction=asked.val_fraction)
    for seed in (0, 1):
        finished(replace(sound, seed=seed), index)
    page.run()
    assert bars(page)[0][1].startswith("4 runs, seeds 0 to 1: 2 finished, 2 new")


def test_more_runs_than_a_study_may_have_are_told(index: DataIndex) -> None:
    page = opened("train")
    page.number_input(key="seeds").set_value(101)
    chosen_arm(page, Balance.OVERSAMPLE)
    (error,) = page.error
    assert "202 runs; choose fewer seeds" in error.value.replace("\\", "")
    page.toggle(key="pair").set_value(False).run()
    assert "Start 101 runs" in labels(page)
