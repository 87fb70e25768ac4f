"""One run on Train in its states: working, failed, stopped, finished."""

import json
import re
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.notes import span_words
from pneumo_core.config.classifier import Balance, FineTuneConfig, Preset
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.evaluation.wording import interval_text, value_text
from pneumo_core.inference.evidence import read_report
from pneumo_core.jobs.cost import estimate_cost
from pneumo_core.records import Metric, RunState, Split
from pneumo_core.runs.files import read_json, write_json
from pneumo_core.runs.status import Status, append_event, read_status, write_status
from pneumo_core.runs.store import RunDirectory
from tests.made_runs import made_predictions, made_run
from tests.pages.opening import labels, opened, texts
from tests.pages.train.page import BASELINE, VGG16, add_epoch, bars, failed, finished, working

FIRST_RANGE = re.compile(r" · [^·]+ of training left \(rough: first run here\)$")


def test_the_features_that_are_computed_first_have_a_bar_of_their_own(index: DataIndex, alive: ExitStack) -> None:
    words = "computing VGG16 features, 30 of 120 images"
    run = working(VGG16, index, alive, state=RunState.RUNNING, epochs=6, message=words)
    append_event(run, {"kind": "features", "done": 30, "total": 120, "views_left": 2, "images_per_s": 2.0})
    page = opened("train", run=run.run_id)
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
    page = opened("train", run=run.run_id)
    ((done, told),) = bars(page)
    assert (done, told.partition(" · ")[0]) == (bar[0], bar[1].partition(" · ")[0])
    # Nothing that is damaged is a speed: what was expected of the run before it started is all that can be said.
    assert told.removeprefix(bar[1]) == FIRST_RANGE.search(told)[0]


@pytest.mark.parametrize("message", ["loading Keras", "training"])
def test_the_time_left_is_said_from_the_start(index: DataIndex, alive: ExitStack, message: str) -> None:
    steps = {"steps": 9} if message == "training" else {}
    run = working(BASELINE, index, alive, state=RunState.RUNNING, epochs=6 * bool(steps), message=message, **steps)
    cost = estimate_cost(BASELINE, index)
    ((_, told),) = bars(opened("train", run=run.run_id))
    assert told.endswith(f" · {span_words(cost.training)} of training left (rough: first run here)")
    # A resumed run has epochs behind it, of which a whole run's time says nothing until it works again.
    add_epoch(run, 0, duration_s=None)
    ((_, told),) = bars(opened("train", run=run.run_id))
    assert "left" not in told


def test_the_time_left_is_not_rough_where_an_earlier_run_was_measured(
    trained: RunDirectory, alive: ExitStack, tiny_data: Path
) -> None:
    run = working(BASELINE, build_index(tiny_data), alive, state=RunState.RUNNING, message="loading Keras")
    ((_, told),) = bars(opened("train", run=run.run_id))
    assert told.endswith("of training left")


def test_without_its_data_a_run_that_loads_says_nothing_of_time(
    index: DataIndex, alive: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = working(BASELINE, index, alive, state=RunState.RUNNING, message="loading Keras")
    content = read_json(run.config)
    write_json(run.config, {**content, "data": {**content["data"], "data_id": "0" * 12}})
    assert bars(opened("train", run=run.run_id)) == [(0, "loading Keras")]


def test_before_the_first_epoch_nothing_is_made_up(index: DataIndex, alive: ExitStack) -> None:
    run = working(VGG16, index, alive, state=RunState.RUNNING, epochs=6, message="preparing images")
    append_event(run, {"kind": "features", "done": 1, "total": 2, "views_left": 0, "images_per_s": 5.0})
    assert bars(opened("train", run=run.run_id))[0][0] == 0


def test_a_run_that_trains_says_how_long_it_will_take(index: DataIndex, alive: ExitStack) -> None:
    status = {"epoch": 2, "epochs": 6, "step": 5, "steps": 10, "message": "training"}
    run = working(BASELINE, index, alive, state=RunState.RUNNING, **status)
    for epoch in (0, 1):
        add_epoch(run, epoch)
    append_event(run, {"kind": "batch", "epoch": 2, "step": 5, "steps": 10, "loss": 0.25, "images_per_s": 99.6})
    page = opened("train", run=run.run_id)
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
    page = opened("train", run=run.run_id)
    chart = json.loads(page.get("plotly_chart")[0].proto.spec)
    (shade,) = [shape for shape in chart["layout"]["shapes"] if shape.get("name") == "fine-tuning"]
    assert (shade["x0"], shade["x1"]) == (2.5, 4.5)
    facts = page.table[0].value["value"]
    assert facts.to_dict() == {
        "device": "gpu: Some GPU",
        "precision": "mixed_bfloat16",
        "training": "not recorded",
        "resume": "resumed: as in one session",
        "peak memory": "3.22 GB",
    }
    assert "VGG16 · quick · original · fine-tuned · seed 0" in texts(page)


def test_a_failed_run_shows_its_error_and_hands_out_its_log(index: DataIndex) -> None:
    run = failed(BASELINE, index, "The loss must stay finite. Received: loss=nan")
    log = "\n".join(f"line {number:04}" for number in range(2000))
    run.log.write_text(log)
    page = opened("train", run=run.run_id)
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
    page = opened("train", run=trained.run_id)
    assert words in texts(page)
    assert "Resume" in labels(page)


def test_a_run_whose_status_is_damaged_can_still_be_resumed(trained: RunDirectory) -> None:
    trained.manifest.unlink()
    trained.trained.unlink()
    trained.status.write_text("{")
    append_event(trained, {"kind": "batch", "epoch": 0})
    page = opened("train", run=trained.run_id)
    assert "Resume" in labels(page)


def links(page: AppTest) -> dict[str, str]:
    return {link.proto.label: f"{link.proto.page}?{link.proto.query_string}" for link in page.get("page_link")}


def test_a_finished_run_shows_its_figures_and_where_to_go_on(index: DataIndex) -> None:
    original, balanced = (
        made_run(made_predictions(skill=skill), preset=Preset.QUICK, data_id=index.data_id, balance=balance)
        for skill, balance in ((1.2, Balance.NONE), (1.6, Balance.OVERSAMPLE))
    )
    page = opened("train", run=balanced.run_id)
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
