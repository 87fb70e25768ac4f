"""The short form of `make fuzz`, and what its figures rest on."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from pneumo_core.data.images import decode_gray
from pneumo_core.inference.classify import Classifier, load_classifier
from pneumo_core.runs.store import RunDirectory
from tests import fuzz
from tests.conftest import FinishedRun
from tests.data.image_files import gray
from tests.waiting import PATIENCE_S

COUNT = 300


@pytest.fixture(scope="module")
def files(tiny_data: Path) -> dict[str, list[bytes]]:
    path = next((tiny_data / "test").rglob("*.jpeg"))
    return fuzz.valid_files(decode_gray(path.read_bytes(), path.name, size=72))


@pytest.fixture(scope="module")
def classifier(finished_run: FinishedRun) -> Classifier:
    return load_classifier(RunDirectory(finished_run.path))


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # It warns of damage in what it then reads all the same.
def test_whatever_the_bytes_every_upload_is_answered(
    classifier: Classifier, files: dict[str, list[bytes]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = fuzz.campaign(classifier, files, seed=0, count=COUNT, limit_s=PATIENCE_S, keep=tmp_path)
    assert found.failures == {}
    assert found.tried == COUNT
    assert set(found.outcomes) == set(files)
    assert list(tmp_path.iterdir()) == []
    assert caplog.text == ""
    totals = fuzz.summary(found)["images"]
    assert totals["refused: damaged"] > COUNT / 10, "else the changes are too mild to show anything"
    assert found.after["open_files"] == found.before["open_files"]
    assert found.after["threads"] <= found.before["threads"]
    assert found.after["memory_mib"] - found.before["memory_mib"] < 50


def test_unchanged_files_are_answered(classifier: Classifier, files: dict[str, list[bytes]]) -> None:
    for kind, whole in files.items():
        for data in whole:
            for outcome in fuzz.answers(classifier, data):
                assert "damaged" not in outcome, kind


def test_inputs_are_the_same_each_time() -> None:
    files = fuzz.valid_files(gray())
    first, again = (list(islice(fuzz.inputs(files, 3), 40)) for _ in range(2))
    assert first == again
    assert first != list(islice(fuzz.inputs(files, 4), 40))
    originals = {data for kind in files.values() for data in kind}
    assert np.mean([data in originals for _, data in first]) < 0.2


def test_a_failure_is_noted_and_kept(
    classifier: Classifier, files: dict[str, list[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, bad = 4, next(islice(fuzz.inputs(files, 0), 4, None))[1]

    def answers(_: Classifier, data: bytes) -> list[str]:
        if data == bad:
            raise KeyError("a bug")
        return ["ok"]

    monkeypatch.setattr(fuzz, "answers", answers)
    found = fuzz.campaign(classifier, files, seed=0, count=7, limit_s=PATIENCE_S, keep=tmp_path)
    assert list(found.failures) == [number]
    assert "KeyError: 'a bug'" in found.failures[number]
    assert (tmp_path / f"0-{number}.bin").read_bytes() == bad
    assert fuzz.summary(found)["failed"] == 1
