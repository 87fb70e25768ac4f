"""The commands of saved splits, and a run that is trained on one, keeps it, and takes it along when it is published."""

from pathlib import Path

import pytest

from pneumo_core.data.index import DataIndex
from pneumo_core.data.measures import measure
from pneumo_core.data.saved_splits import delete_split, find_split, saved_splits, split_named
from pneumo_core.inference import publish
from pneumo_core.inference.evidence import read_predictions
from pneumo_core.runs.store import read_manifest, run_directory
from pneumo_core.runs.submission import trained_config
from tests.cli.conftest import Invoke, assert_refused


def test_a_split_is_saved_under_its_name_and_listed(invoke: Invoke, index: DataIndex) -> None:
    data = ("--data", index.root)
    nothing = invoke("data", "splits", *data)
    assert "no split is saved" in nothing.errors
    assert invoke("data", "splits", *data, "--json").document["splits"] == []
    shown = invoke("data", "split", "blocks", *data, "--fraction", "0.3")
    assert shown.status == 0, shown.errors
    assert "train --split blocks-0-30" in shown.errors
    assert "sharpness" not in shown.output  # It is not known.
    measure(index)
    document = invoke("data", "split", "sharpness", *data, "--name", "soft", "--seed", "3", "--json").document
    assert (document["name"], document["kind"], document["seed"]) == ("soft", "sharpness", 3)
    parts = {part["part"]: part for part in document["parts"]}
    assert parts["val"]["NORMAL"] + parts["val"]["PNEUMONIA"] == document["val"]
    assert parts["left out"]["sharpness, NORMAL"] is None
    listed = invoke("data", "splits", *data, "--json").document["splits"]
    assert [split["name"] for split in listed] == ["blocks-0-30", "soft"]
    assert "soft" in invoke("data", "splits", *data).output
    left = invoke("data", "splits", *data, "--delete", "soft", "--json").document["splits"]
    assert [split["name"] for split in left] == ["blocks-0-30"]
    assert_refused(invoke("data", "splits", *data, "--delete", "soft"), "'soft'", "blocks-0-30")


def test_what_cannot_be_is_refused(invoke: Invoke, index: DataIndex) -> None:
    data = ("--data", index.root)
    assert_refused(invoke("data", "split", "blocks", *data, "--fraction", "0.9"), "fraction=0.9")
    assert_refused(invoke("data", "split", "blocks", *data, "--seed", "-1"), "seed=-1")
    assert_refused(invoke("data", "split", "blocks", *data, "--name", "My split"), "'My split'")
    assert invoke("data", "split", "oddly", *data).status == 2
    assert_refused(invoke("train", *data, "--split", "blocks-0"), "'blocks-0'", "data split")
    assert invoke("data", "split", "blocks", *data).status == 0
    for more in (["--split-seed", "3"], ["--preset", "report"]):
        assert_refused(invoke("train", *data, "--split", "blocks-0", *more), "'blocks-0'", "leave one out")


@pytest.mark.slow
def test_a_run_trains_on_it_keeps_it_and_takes_it_along(
    invoke: Invoke, index: DataIndex, no_published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert invoke("data", "split", "blocks", "--data", index.root).status == 0
    split = split_named("blocks-0", index.data_id)
    options = ("--preset", "quick", "--epochs", "1", "--image-size", "32", "--split", "blocks-0", "--wait", "--json")
    made = invoke("train", "--architecture", "compact", "--data", index.root, *options)
    assert made.status == 0, made.errors
    run = run_directory(made.document["run_id"])
    assert trained_config(run).named_split == split.named
    shown = invoke("runs", "show", run.run_id, "--json").document
    assert shown["split"] == {"name": "blocks-0", "digest": split.digest}
    assert "original, blocks-0" in invoke("runs", "list").output
    predictions = read_predictions(run)
    assert set(predictions.loc[predictions["split"] == "val", "image_id"]) == set(split.val)
    study = invoke("study", "--architecture", "compact", "--data", index.root, *options[:-2], "--status", "--json")
    assert [member["run_id"] for member in study.document["runs"]] == [run.run_id]
    # The run has all that it takes to say who was held out, whatever becomes of the stored split.
    assert run.split.name in read_manifest(run)["files"]
    delete_split(split)
    assert saved_splits(index.data_id) == []
    assert find_split(split.named) == split
    monkeypatch.setattr(publish, "published_root", lambda: no_published)
    published = publish.publish(run, evidence_only=True)
    assert published.split.read_bytes() == split.content()
