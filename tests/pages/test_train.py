"""Train in its states: nothing yet, several seeds, a queue, runs that work, failed or finished, and wrong addresses."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.notes import balance_note, expected, span_words
from pages.ui.train.architecture import architecture_figure
from pneumo_core.config.architecture import baseline_layers, vgg16_layers
from pneumo_core.config.augment_file import write_augmentation
from pneumo_core.config.classifier import AugmentConfig, Balance, FineTuneConfig, Preset, TrainConfig
from pneumo_core.config.gan import gan_config
from pneumo_core.config.presets import preset_config
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.splits import assign, gan_rows, gap
from pneumo_core.evaluation.wording import interval_text, value_text
from pneumo_core.inference.evidence import read_report
from pneumo_core.jobs.runs import views
from pneumo_core.jobs.speed import Span
from pneumo_core.records import Architecture, Label, Metric, RunState, Split
from pneumo_core.reference import EXPECTED
from pneumo_core.runs.files import file_sha256, hold_lock, read_json, write_json
from pneumo_core.runs.status import Status, append_event, read_status, update_status, write_status
from pneumo_core.runs.store import RunDirectory, slot_lock
from pneumo_core.study import balancing_pair
from pneumo_core.training.balance import balanced
from tests.conftest import FinishedRun, ask_for_run
from tests.made_runs import made_predictions, made_run
from tests.waiting import app_test, wait_for

ROOT = Path(__file__).resolve().parent.parent.parent
BASELINE = preset_config(Architecture.BASELINE, Preset.QUICK)
VGG16 = preset_config(Architecture.VGG16, Preset.QUICK)


def opened(**query: str | list[str]) -> AppTest:
    page = app_test(ROOT / "app.py")
    page.query_params.update(query)
    return page.switch_page("pages/train.py").run()


def texts(page: AppTest) -> str:
    kinds = ("markdown", "caption", "info", "success", "warning", "error")
    return "\n".join(item.value.replace("\\", "") for kind in kinds for item in getattr(page, kind))


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def press(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception
    return page


def bars(page: AppTest) -> list[tuple[int, str]]:
    return [(bar.proto.value, bar.proto.text) for bar in page.main.get("progress")]


@pytest.fixture
def index(no_published: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> DataIndex:
    """The small data set, connected, and no run."""
    monkeypatch.setenv("PNEUMO_DATA", str(tiny_data))
    monkeypatch.delenv("PNEUMO_VGG16_WEIGHTS", raising=False)
    return build_index(tiny_data)


@pytest.fixture
def trained(with_finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """The shared run, whose data are connected."""
    monkeypatch.setenv("PNEUMO_DATA", str(with_finished_run.data))
    return RunDirectory(with_finished_run.path)


@pytest.fixture
def alive() -> Iterator[ExitStack]:
    """Holds the locks of the runs that are to look alive."""
    with ExitStack() as held:
        yield held


def working(config: TrainConfig, index: DataIndex, alive: ExitStack, **status: object) -> RunDirectory:
    """A run whose worker lives; by default it waits in the queue."""
    run = ask_for_run(config, index)
    alive.enter_context(hold_lock(run.run_lock))
    if status:
        update_status(run, **status)
    return run


def finished(config: TrainConfig, index: DataIndex, **facts: object) -> RunDirectory:
    """A run with a manifest, as far as this page reads one."""
    run = ask_for_run(config, index)
    update_status(run, state=RunState.EXPORTING, epoch=1, epochs=1, steps=1)
    write_json(run.manifest, {"run_id": run.run_id, "files": {}, **facts})
    return run


def failed(config: TrainConfig, index: DataIndex, error: str) -> RunDirectory:
    run = ask_for_run(config, index)
    update_status(run, state=RunState.FAILED, error=error)
    return run


def add_epoch(run: RunDirectory, epoch: int, **changes: object) -> None:
    numbers = {"loss": 0.5, "accuracy": 0.8, "val_loss": 0.6, "val_accuracy": 0.7, "learning_rate": 1e-3}
    append_event(run, {"kind": "epoch", "epoch": epoch, "phase": 1, **numbers, "duration_s": 100.0, **changes})


# --- The form ---------------------------------------------------------------------------------------------------------


def test_the_form_shows_what_a_run_costs_and_where_it_would_run(index: DataIndex) -> None:
    page = opened()
    assert not page.exception
    assert "At most 6 epochs of" in texts(page)
    assert "GB of disk" in texts(page)
    assert "It runs on the CPU" in texts(page)
    assert "TensorFlow" in texts(page)
    assert "Start training" in labels(page)
    page.radio(key="preset").set_value(Preset.REPORT).run()
    assert "At most 20 epochs of" in texts(page)
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
    page = opened()
    assert "NVIDIA H100 80GB HBM3, 81559 MiB" in texts(page)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    import streamlit as st

    st.cache_data.clear()
    page.run()
    assert "NVIDIA H100 80GB HBM3, 81559 MiB is not used: CUDA_VISIBLE_DEVICES hides it" in texts(page)


def test_an_unknown_backend_is_one_clear_line(index: DataIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch2")
    page = opened()
    assert not page.exception
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
    page = opened()
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
    assert "Different from the preset: epochs, augment, balance, feature views, fine tune" in texts(page)
    assert "Already trained" in texts(page)
    press(page, "Open it")
    assert page.query_params["run"] == run.run_id
    assert "badge[succeeded]" in texts(page)


def test_a_damaged_setting_file_is_refused(index: DataIndex) -> None:
    page = opened()
    page.file_uploader[0].set_value(("mine.json", b"{", "application/json")).run()
    assert not page.exception
    (error,) = page.error
    assert "augmentation file" in error.value
    assert "Start training" not in labels(page)


def test_what_vgg16_needs_is_said_before(index: DataIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened()
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
    page = opened()
    page.number_input(key="seed").set_value(2**31 - 2)
    page.number_input(key="seeds").set_value(5).run()
    assert not page.exception
    (error,) = page.error
    assert "Seed must be" in error.value.replace("\\", "")


# --- Starting ---------------------------------------------------------------------------------------------------------


def test_what_is_trained_already_can_be_opened(trained: RunDirectory) -> None:
    page = opened()
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
    page = press(opened(), "Follow it")
    assert page.query_params["run"] == run.run_id
    assert "badge[queued]" in texts(page)


def test_a_server_that_does_not_train_says_so(
    index: DataIndex, alive: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMO_ALLOW_TRAINING", "0")
    page = opened()
    assert "does not train" in texts(page)
    assert not {"Start training", "Resume training"} & set(labels(page))
    page.number_input(key="seeds").set_value(3).run()
    assert "does not train" in texts(page)
    assert not [label for label in labels(page) if label.startswith("Start")]
    for seed in (1, 2):
        working(replace(BASELINE, seed=seed), index, alive)
    stopped = failed(BASELINE, index, "no luck")
    page = opened(run=stopped.run_id)
    assert "place 2" in texts(page)
    assert not [label for label in labels(page) if label.startswith(("Cancel", "Resume"))]


def test_several_seeds_are_counted_by_what_is_there(index: DataIndex, alive: ExitStack) -> None:
    finished(replace(BASELINE, seed=10), index)
    failed(replace(BASELINE, seed=11), index, "no luck")
    working(replace(BASELINE, seed=12), index, alive)
    page = opened()
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
    page = opened()
    page.number_input(key="seeds").set_value(3).run()
    assert bars(page) == [(100, "3 runs, seeds 0 to 2: 3 finished")]
    assert "All are trained." in texts(page)
    assert not [label for label in labels(page) if label.startswith("Start")]


@pytest.mark.slow
def test_three_seeds_are_started_and_cancelled_by_a_click_each(index: DataIndex) -> None:
    with hold_lock(slot_lock(0)):  # As if another run were working: real workers start, and wait.
        page = opened()
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
    assert "executor" not in [radio.key for radio in opened().radio]
    monkeypatch.setenv("PNEUMO_RAY_ADDRESS", "http://127.0.0.1:9")
    page = opened()
    page.radio(key="executor").set_value("ray").run()
    assert "Ray cluster" in texts(page)
    press(page, "Start training")
    (error,) = page.error
    assert "127.0.0.1:9" in error.value.replace("\\", "")
    assert views() == []


# --- The queue --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("show", ["New run", "Runs", "The network"])
def test_the_run_that_works_is_on_top_of_each_view(index: DataIndex, alive: ExitStack, show: str) -> None:
    runs = [working(replace(BASELINE, seed=seed), index, alive) for seed in range(4)]
    update_status(runs[0], state=RunState.RUNNING, epoch=1, epochs=6, steps=9, message="training")
    add_epoch(runs[0], 0)
    page = opened(show=show)
    assert not page.exception
    (card,) = [text.value for text in page.markdown if text.value.startswith("### ")]
    assert "seed 0" in card
    assert "badge[running]" in card
    # Before the tabs: progress with the time left, curves, and a button to cancel.
    assert bars(page)[0] == (16, "training: epoch 2 of 6 · 4 to 15 min of training left")
    assert len(page.get("plotly_chart")) >= 1
    assert page.get("expander")[0].label == "3 runs wait"
    page.button(key=f"cancel {runs[0].run_id}").click().run()
    assert [run.cancel.exists() for run in runs] == [True, False, False, False]


def test_the_queue_is_in_order_and_one_click_cancels_one(index: DataIndex, alive: ExitStack) -> None:
    runs = [working(replace(BASELINE, seed=seed), index, alive) for seed in range(4)]
    update_status(runs[0], state=RunState.RUNNING, epoch=1, epochs=6, steps=9, message="training")
    page = opened(show="Runs")
    assert bars(page)[0][1] == "training: epoch 2 of 6"
    rows = [text.value for text in page.markdown if text.value.startswith("**")]
    assert [f"seed {seed}" in row for seed, row in enumerate(rows, start=1)] == [True] * 3
    assert [row.partition("  \n")[2] for row in rows] == ["waits: next", "waits: place 2", "waits: place 3"]
    table = page.dataframe[0].value.set_index("run")
    assert [table["state"][run.run_id] for run in runs] == [
        "running",
        "queued, place 1",
        "queued, place 2",
        "queued, place 3",
    ]
    page.button(key=f"cancel waiting {runs[2].run_id}").click().run()
    assert not page.exception
    assert [run.cancel.exists() for run in runs] == [False, False, True, False]
    assert f"cancelling waiting {runs[2].run_id}" in [button.key for button in page.button]
    press(page, "Cancel all 2 that wait")
    assert [run.cancel.exists() for run in runs] == [False, True, True, True]


def test_a_run_that_waits_behind_others_can_be_opened(index: DataIndex, alive: ExitStack) -> None:
    second = [working(replace(BASELINE, seed=seed), index, alive) for seed in (0, 1)][1]
    page = opened(run=second.run_id)
    assert not page.exception
    assert "Next in the queue" in texts(page)  # The first, on top.
    assert "Place 2 in the queue" in texts(page)
    assert "Delete this run…" not in labels(page)


def test_a_run_that_ended_before_the_click_spares_none_of_the_others(index: DataIndex, alive: ExitStack) -> None:
    ended = ask_for_run(replace(BASELINE, seed=0), index)
    others = [working(replace(BASELINE, seed=seed), index, alive) for seed in (1, 2)]
    with hold_lock(ended.run_lock):
        page = opened(show="Runs")
    # The state changes between the page's look and its action in the same way as between two visitors.
    write_json(ended.manifest, {"run_id": ended.run_id, "files": {}})
    press(page, "Cancel all 3 that wait")
    assert [run.cancel.exists() for run in others] == [True, True]
    assert not ended.cancel.exists()


def test_the_only_run_that_works_has_no_queue_but_its_own_panel(index: DataIndex, alive: ExitStack) -> None:
    run = working(BASELINE, index, alive)
    page = opened(run=run.run_id)
    assert [heading.value for heading in page.header] == ["All runs"]
    assert "Next in the queue" in texts(page)
    press(page, "Cancel")
    assert run.cancel.exists()
    assert "Cancelling…" in labels(page)


# --- One run ----------------------------------------------------------------------------------------------------------


def test_the_features_that_are_computed_first_have_a_bar_of_their_own(index: DataIndex, alive: ExitStack) -> None:
    words = "computing VGG16 features, 30 of 120 images"
    run = working(VGG16, index, alive, state=RunState.RUNNING, epochs=6, message=words)
    append_event(run, {"kind": "features", "done": 30, "total": 120, "views_left": 2, "images_per_s": 2.0})
    page = opened(run=run.run_id)
    assert not page.exception
    ((done, told),) = bars(page)
    assert done == 25
    # 90 images of this view and two whole views at 2 images a second are 165 s, to which the epochs add seconds, and twice
    # that at most; the fastest published run would take 2 s.
    assert re.fullmatch(re.escape(f"{words} · 2 images/s · ") + r"\d s to 6 min of training left", told)


@pytest.mark.parametrize(
    ("event", "bar"),
    [
        ({}, (0, "computing VGG16 features")),
        ({"done": "x", "total": 0, "images_per_s": None}, (0, "computing VGG16 features")),
        ({"done": 1, "total": float("nan"), "images_per_s": float("inf")}, (0, "computing VGG16 features")),
        ({"done": -1, "total": 2, "images_per_s": -1}, (0, "computing VGG16 features")),
        ({"done": 3, "total": 2, "images_per_s": 4}, (0, "computing VGG16 features · 4 images/s")),
        ({"done": 1, "total": 2}, (50, "computing VGG16 features")),
    ],
)
def test_damaged_features_have_a_bar_of_what_is_whole(
    index: DataIndex, alive: ExitStack, event: dict[str, object], bar: tuple[int, str]
) -> None:
    run = working(VGG16, index, alive, state=RunState.RUNNING, epochs=6, message="computing VGG16 features")
    append_event(run, {"kind": "features", **event})
    page = opened(run=run.run_id)
    assert not page.exception
    assert bars(page) == [bar]


def test_before_the_first_epoch_nothing_is_made_up(index: DataIndex, alive: ExitStack) -> None:
    run = working(VGG16, index, alive, state=RunState.RUNNING, epochs=6, message="preparing images")
    append_event(run, {"kind": "features", "done": 1, "total": 2, "views_left": 0, "images_per_s": 5.0})
    assert bars(opened(run=run.run_id))[0][0] == 0


def test_a_run_that_trains_says_how_long_it_will_take(index: DataIndex, alive: ExitStack) -> None:
    status = {"epoch": 2, "epochs": 6, "step": 5, "steps": 10, "message": "training"}
    run = working(BASELINE, index, alive, state=RunState.RUNNING, **status)
    for epoch in (0, 1):
        add_epoch(run, epoch)
    append_event(run, {"kind": "batch", "epoch": 2, "step": 5, "steps": 10, "loss": 0.25, "images_per_s": 99.6})
    page = opened(run=run.run_id)
    assert not page.exception
    # Two and a half of six epochs: 50 to 180 seconds for each of the other three and a half, as neither loss is lower than
    # the first: it may stop after six.
    assert bars(page) == [(41, "training: epoch 3 of 6 · 3 to 10 min of training left")]
    assert "batch 5 of 10 · loss 0.250 · 100 images/s" in texts(page)
    assert len(page.get("plotly_chart")) == 1
    append_event(run, {"kind": "batch", "loss": "high"})
    page.run()
    assert not page.exception


def test_a_second_phase_is_marked_and_its_run_s_facts_are_told(index: DataIndex) -> None:
    config = replace(VGG16, fine_tune=FineTuneConfig(2))
    device = {"kind": "gpu", "name": "Some GPU", "precision": "mixed_bfloat16", "backend": "jax"}
    run = finished(config, index, device=device, peak_memory_bytes=3 * 2**30, resume="resumed: as in one session")
    for epoch in range(4):
        add_epoch(run, epoch, phase=1 + (epoch > 1))
    page = opened(run=run.run_id)
    assert not page.exception
    chart = json.loads(page.get("plotly_chart")[0].proto.spec)
    (shade,) = [shape for shape in chart["layout"]["shapes"] if shape.get("name") == "fine-tuning"]
    assert (shade["x0"], shade["x1"]) == (2.5, 4.5)
    facts = page.table[0].value["value"]
    assert facts.to_dict() == {
        "device": "gpu: Some GPU",
        "precision": "mixed_bfloat16",
        "training": "not recorded",
        "resume": "resumed: as in one session",
        "peak memory": "3,072 MiB",
    }
    assert "VGG16 · quick · original · fine-tuned · seed 0" in texts(page)


def test_a_failed_run_shows_its_error_and_hands_out_its_log(index: DataIndex) -> None:
    run = failed(BASELINE, index, "The loss must stay finite. Received: loss=nan")
    log = "\n".join(f"line {number:04}" for number in range(2000))
    run.log.write_text(log)
    page = opened(run=run.run_id)
    assert not page.exception
    assert "The loss must stay finite. Received: loss=nan" in page.error[0].value.replace("\\", "")
    assert page.code[0].value == log[-4000:].strip()
    (button,) = page.get("download_button")
    assert (button.proto.label, "Resume" in labels(page)) == ("Download the whole log", True)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (RunState.FAILED, "The loss must stay finite"),
        (RunState.RUNNING, "stopped from outside"),
        (RunState.CANCELLED, "cancelled"),
    ],
)
def test_a_stopped_run_says_how_and_offers_to_resume(trained: RunDirectory, state: RunState, words: str) -> None:
    trained.manifest.unlink()
    trained.trained.unlink()
    error = "The loss must stay finite. Received: loss=nan" if state is RunState.FAILED else ""
    write_status(trained, Status(state, ticket=read_status(trained).ticket, error=error))
    page = opened(run=trained.run_id)
    assert not page.exception
    assert words in texts(page)
    assert "Resume" in labels(page)


def test_a_run_whose_status_is_damaged_can_still_be_resumed(trained: RunDirectory) -> None:
    trained.manifest.unlink()
    trained.trained.unlink()
    trained.status.write_text("{")
    append_event(trained, {"kind": "batch", "epoch": 0})
    page = opened(run=trained.run_id)
    assert not page.exception
    assert "Resume" in labels(page)


# --- The network, and addresses ---------------------------------------------------------------------------------------


def test_the_networks_add_up_to_the_reports_numbers(index: DataIndex) -> None:
    page = opened(show="The network")
    for architecture, layers, numbers in (
        (Architecture.BASELINE, baseline_layers(), ["5,677,329", "5,676,881", "448"]),
        (Architecture.VGG16, vgg16_layers(), ["23,760,705", "9,046,017", "14,714,688"]),
    ):
        page.radio(key="drawn_network").set_value(architecture).run()
        assert not page.exception
        assert [metric.value for metric in page.metric] == numbers
        table = page.dataframe[0].value
        assert len(table) == len(layers)
        assert f"{table['parameters'].sum():,}" == numbers[0]
        assert f"{table['trainable'].sum():,}" == numbers[1]


def test_frozen_layers_are_hatched_and_named() -> None:
    for layers, frozen in ((baseline_layers(), 0), (vgg16_layers(), 13)):
        hatched = [bar for bar in architecture_figure(layers).data if bar.marker.pattern.shape == "/"]
        assert len(hatched) == frozen
        assert {bar.name for bar in hatched} <= {"convolution 3x3 + ReLU, frozen"}


def test_without_a_run_it_says_what_to_do(index: DataIndex) -> None:
    page = opened(show="Runs")
    assert not page.exception
    assert "No run yet" in texts(page)


@pytest.mark.parametrize("run", ["baseline-000000000000", "../../etc", "nonsense", "<script>", "x" * 5000])
def test_an_unknown_run_in_the_address_is_one_clear_line(index: DataIndex, run: str) -> None:
    page = opened(run=run)
    assert not page.exception
    assert not page.error
    (warning,) = page.warning
    assert f"There is no run {run[:60]!r}" in warning.value.replace("\\", "")
    assert "\n" not in warning.value
    page.button(key="instead of run").click().run()
    assert "run" not in page.query_params


@pytest.mark.parametrize(
    "query", [{"show": "nonsense"}, {"show": ["Runs", "x"]}, {"run": ["a", "b"]}, {"network": "dcgan"}, {"seed": "-1"}]
)
def test_an_address_that_means_nothing_still_opens_the_page(
    index: DataIndex, query: dict[str, str | list[str]]
) -> None:
    page = opened(**query)
    assert not page.exception
    assert page.title[0].value == "Train"


# --- Pairs, results, deletion -----------------------------------------------------------------------------------------


def chosen_arm(page: AppTest, arm: Balance) -> AppTest:
    return page.radio(key="balance").set_value(arm).run()


def test_the_balancing_arm_is_a_first_choice(index: DataIndex) -> None:
    page = opened()
    first = [radio.label for radio in page.radio]
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
    assert "to train a pair: original and balanced" in texts(page)


def test_a_pair_is_offered_as_one_click_with_its_cost(index: DataIndex) -> None:
    page = opened()
    page.number_input(key="seeds").set_value(3)
    chosen_arm(page, Balance.OVERSAMPLE)
    assert not page.exception
    assert "Start 6 runs" in labels(page)
    ((done, words),) = bars(page)
    assert done == 0
    assert re.fullmatch(r"6 runs, seeds 0 to 2: 6 new · .+ to .+ for the rest, one after another", words)
    for side in ("Original", "Balanced"):
        assert re.search(side + r": At most 6 epochs of \d+ images: each .+ to .+ \(by published runs", texts(page))
    page.toggle(key="pair").set_value(False).run()
    assert "Start 3 runs" in labels(page)


def test_a_finished_pair_opens_in_compare_with_all_its_seeds(index: DataIndex) -> None:
    asked = replace(BASELINE, balance=Balance.OVERSAMPLE)
    configs = balancing_pair(asked, 2)
    ids = [made_run(made_predictions(), preset=Preset.QUICK, data_id=index.data_id, **as_changes(each)).run_id
           for each in configs]  # fmt: skip
    page = opened()
    page.number_input(key="seeds").set_value(2)
    chosen_arm(page, Balance.OVERSAMPLE)
    assert "All are trained." in texts(page)
    press(page, "Open the pair in Compare")
    assert page.title[0].value == "Compare"
    assert page.query_params["a"] == [f"{ids[0]},{ids[2]}"] or page.query_params["a"] == f"{ids[0]},{ids[2]}"
    assert f"{ids[1]},{ids[3]}" in page.query_params["b"]


def as_changes(config: TrainConfig) -> dict[str, object]:
    return {"seed": config.seed, "balance": config.balance}


def test_a_pair_with_a_dcgan_is_on_the_patients_that_it_has_not_seen(index: DataIndex) -> None:
    asked = gan_config(Preset.QUICK, seed=5)
    gan = finished(asked, index)
    learned = index.table.iloc[gan_rows(index.table, asked)][["image_id", "patient_id", "sha256"]]
    learned.to_parquet(gan.learned, index=False)
    content = read_json(gan.manifest)
    write_json(gan.manifest, {**content, "files": {"learned.parquet": file_sha256(gan.learned)}})
    page = opened()
    page.radio(key="preset").set_value(Preset.SOUND).run()
    page.number_input(key="seeds").set_value(2)
    chosen_arm(page, Balance.GAN)
    assert not page.exception
    if page.error:  # The phantoms' smaller class is what the DCGAN must generate.
        pytest.fail(page.error[0].value)
    assert "Start 4 runs" in labels(page)
    sound = replace(preset_config(Architecture.BASELINE, Preset.SOUND), split_seed=5, val_fraction=asked.val_fraction)
    for seed in (0, 1):
        finished(replace(sound, seed=seed), index)
    page.run()
    assert bars(page)[0][1].startswith("4 runs, seeds 0 to 1: 2 finished, 2 new")


def test_more_runs_than_a_study_may_have_are_told(index: DataIndex) -> None:
    page = opened()
    page.number_input(key="seeds").set_value(101)
    chosen_arm(page, Balance.OVERSAMPLE)
    (error,) = page.error
    assert "202 runs; choose fewer seeds" in error.value.replace("\\", "")
    page.toggle(key="pair").set_value(False).run()
    assert "Start 101 runs" in labels(page)


def links(page: AppTest) -> dict[str, str]:
    return {link.proto.label: f"{link.proto.page}?{link.proto.query_string}" for link in page.get("page_link")}


def test_a_finished_run_shows_its_figures_and_where_to_go_on(index: DataIndex) -> None:
    original, balanced = (
        made_run(made_predictions(skill=skill), preset=Preset.QUICK, data_id=index.data_id, balance=balance)
        for skill, balance in ((1.2, Balance.NONE), (1.6, Balance.OVERSAMPLE))
    )
    page = opened(run=balanced.run_id)
    assert not page.exception
    part = read_report(balanced).splits[Split.TEST]
    assert [(metric.label, metric.value) for metric in page.metric] == [
        ("Accuracy", value_text(Metric.ACCURACY, part.accuracy)),
        ("AUROC", value_text(Metric.AUROC, part.auroc)),
    ]
    for metric, estimate in ((Metric.ACCURACY, part.accuracy), (Metric.AUROC, part.auroc)):
        assert f"{interval_text(metric, estimate)}  \nn = 90, test" in texts(page)
    shown = links(page)
    assert balanced.run_id in shown["Evaluate"]
    assert f"a={original.run_id}&b={balanced.run_id}" in shown["Compare"]
    assert balanced.run_id in shown["Predict"]


def test_a_run_is_deleted_after_saying_what_refers_to_it(index: DataIndex) -> None:
    run, other = finished(BASELINE, index), finished(replace(BASELINE, seed=1), index)
    page = press(opened(run=run.run_id), "Delete this run…")
    assert run.path.exists()
    assert run.run_id in texts(page)
    assert f"- {other.run_id} is of the same study: seed 1, original" in texts(page)
    press(page, "Keep it")
    assert run.path.exists()
    press(press(page, "Delete this run…"), "Delete")
    assert not run.path.exists()
    assert other.path.exists()
    assert "Deleted: Baseline CNN · quick · original · seed 0" in texts(page)
    assert "run" not in page.query_params
    assert list(page.dataframe[0].value["run"]) == [other.run_id]
    page.run()
    assert "Deleted" not in texts(page)
    assert not page.error


def test_a_run_that_has_started_meanwhile_is_not_deleted(index: DataIndex, alive: ExitStack) -> None:
    run = failed(BASELINE, index, "no luck")
    page = press(opened(run=run.run_id), "Delete this run…")
    update_status(run, state=RunState.RUNNING)
    alive.enter_context(hold_lock(run.run_lock))
    press(page, "Delete")
    assert run.path.exists()
    assert "A live run cannot be deleted" in texts(page)


def test_published_and_live_runs_cannot_be_deleted(
    index: DataIndex, no_published: Path, alive: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = working(replace(BASELINE, seed=1), index, alive)
    assert "Delete this run…" not in labels(opened(run=live.run_id))
    run = made_run(made_predictions(), preset=Preset.QUICK, data_id=index.data_id)
    run.path.rename(no_published / run.run_id)
    (button,) = [button for button in opened(run=run.run_id).button if button.label == "Delete this run…"]
    assert button.disabled
    assert "ships with the project" in button.help
    own = failed(BASELINE, index, "no luck")
    monkeypatch.setenv("PNEUMO_ALLOW_TRAINING", "0")
    assert "Delete this run…" not in labels(opened(run=own.run_id))


@pytest.mark.parametrize(
    ("low_s", "high_s", "words"),
    [
        (40, 360, "40 s to 6 min"),
        (120, 360, "2 to 6 min"),
        (61.2, 61.4, "about 61 s"),
        (0.2, 200, "up to 3 min"),
        (3600, 7200, "60 min to 2.0 h"),
        (5400, 7200, "1.5 to 2.0 h"),
    ],
)
def test_a_range_of_time_in_words(low_s: float, high_s: float, words: str) -> None:
    assert span_words(Span(low_s, high_s)) == words


def test_every_page_has_the_run_that_works_in_its_foot(index: DataIndex, alive: ExitStack) -> None:
    run = working(VGG16, index, alive, state=RunState.RUNNING, epoch=1, epochs=6, steps=9, message="training")
    page = app_test(ROOT / "app.py").run()
    (bar,) = page.sidebar.get("progress")
    assert "training: epoch 2 of 6" in bar.proto.text.replace("\\", "")
    (link,) = page.sidebar.get("page_link")
    assert link.proto.query_string == f"run={run.run_id}"
    update_status(run, state=RunState.FAILED, error="it stopped")
    alive.close()
    page.run()
    assert not page.sidebar.get("progress")
