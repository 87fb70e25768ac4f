import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pneumo_core.config.classifier import Preset
from pneumo_core.config.gan import gan_config
from pneumo_core.data.synthetic import LICENSE, is_synthetic
from pneumo_core.errors import ConfigError, CorruptError, DataError, RunError, StoreError
from pneumo_core.inference.generator import MAX_SAMPLES, generate, latents, load_generator
from pneumo_core.inference.samples import MAX_ZIP, sample_to_folder, sample_zip
from pneumo_core.runs.files import read_json, write_json
from pneumo_core.runs.store import RunDirectory
from pneumo_core.runs.submission import RunData, Submission, write_submission
from tests.hostile import assert_one_line

RUN_ID = "dcgan-0123456789ab"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class StoppedError(Exception):
    """What a visitor's leaving raises."""


def stop_at(wanted: int) -> Any:
    def progress(done: int, _total: int) -> None:
        if done == wanted:
            raise StoppedError

    return progress


# --- Folders ----------------------------------------------------------------------------------------------------------


def test_files_hold_the_samples_and_say_what_they_are(run: RunDirectory, tmp_path: Path) -> None:
    out = tmp_path / "new" / "samples"
    manifest = sample_to_folder(run, out, 5, seed=3, truncation=1, first=254)

    images = generate(load_generator(run), latents(8, 3, 254, 5, 1.0))
    names = [f"synthetic-{RUN_ID}-seed3-{number:07d}.png" for number in range(254, 259)]
    assert sorted(path.name for path in out.iterdir()) == sorted([*names, "manifest.json"])
    for number, name, image in zip(range(254, 259), names, images, strict=True):
        assert is_synthetic(name)
        with Image.open(out / name) as read:
            np.testing.assert_array_equal(np.asarray(read), image)
            facts = {"Run": RUN_ID, "Seed": "3", "Number": str(number), "Truncation": "1.0", "Epochs": "120"}
            assert read.text == {"Software": "pneumo_core", "Synthetic": "yes", "License": LICENSE, **facts}
    assert manifest == read_json(out / "manifest.json") == {
        "run_id": RUN_ID,
        "model_sha256": hashlib.sha256(run.model.read_bytes()).hexdigest(),
        "seed": 3,
        "truncation": 1.0,
        "first": 254,
        "count": 5,
        "image_size": 64,
        "license": LICENSE,
        "files": [
            {"name": name, "number": number, "sha256": hashlib.sha256((out / name).read_bytes()).hexdigest()}
            for number, name in zip(range(254, 259), names, strict=True)
        ],
    }  # fmt: skip


def test_a_number_s_file_is_the_same_however_many_are_requested(run: RunDirectory, tmp_path: Path) -> None:
    sample_to_folder(run, tmp_path / "many", 300)  # More than are drawn at a time.
    sample_to_folder(run, tmp_path / "few", 3, first=255)
    many, few = contents(tmp_path / "many"), contents(tmp_path / "few")
    assert len(set(many.values())) == 301
    assert len(few) == 4
    assert all(many[name] == data for name, data in few.items() if name != "manifest.json")


def test_progress_counts_all_samples(run: RunDirectory, tmp_path: Path) -> None:
    reported = []
    sample_to_folder(run, tmp_path, 260, progress=lambda done, total: reported.append((done, total)))
    assert reported == [(done, 260) for done in range(260)]


def test_the_same_request_again_draws_and_writes_nothing(run: RunDirectory, tmp_path: Path) -> None:
    manifest = sample_to_folder(run, tmp_path, 4, truncation=2)
    times = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert sample_to_folder(run, tmp_path, 4, truncation=2.0, progress=stop_at(0)) == manifest
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times


def test_a_folder_that_was_cut_off_is_completed(run: RunDirectory, tmp_path: Path) -> None:
    sample_to_folder(run, tmp_path / "whole", 300)
    out = tmp_path / "cut"
    with pytest.raises(StoppedError):
        sample_to_folder(run, out, 300, progress=stop_at(270))
    kept = contents(out)
    assert 0 < len(kept) < 300
    assert "manifest.json" not in kept
    (out / ".synthetic.png.x7").write_bytes(b"a write that was cut off")
    times = {name: (out / name).stat().st_mtime_ns for name in kept}
    sample_to_folder(run, out, 300)
    (out / ".synthetic.png.x7").unlink()
    assert contents(out) == contents(tmp_path / "whole")
    assert {name: (out / name).stat().st_mtime_ns for name in kept} == times


def test_a_file_that_went_missing_is_drawn_again(run: RunDirectory, tmp_path: Path) -> None:
    sample_to_folder(run, tmp_path, 4)
    before = contents(tmp_path)
    (tmp_path / sorted(before)[2]).unlink()
    sample_to_folder(run, tmp_path, 4)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("with_manifest", [True, False])
def test_a_file_that_was_changed_is_not_overwritten(run: RunDirectory, tmp_path: Path, with_manifest: bool) -> None:
    sample_to_folder(run, tmp_path, 4)
    changed = tmp_path / f"synthetic-{RUN_ID}-seed0-0000002.png"
    changed.write_bytes(b"mine")
    if not with_manifest:
        (tmp_path / "manifest.json").unlink()
    with pytest.raises(DataError) as caught:
        sample_to_folder(run, tmp_path, 4)
    assert_one_line(caught.value, changed.name, "is another image")
    assert changed.read_bytes() == b"mine"


@pytest.mark.parametrize("change", [{"count": 3}, {"seed": 1}, {"truncation": 0.5}, {"first": 1}], ids=str)
@pytest.mark.parametrize("with_manifest", [True, False])
def test_another_request_s_folder_is_left_alone(
    run: RunDirectory, tmp_path: Path, with_manifest: bool, change: dict[str, float]
) -> None:
    sample_to_folder(run, tmp_path, 4)
    if not with_manifest:
        (tmp_path / "manifest.json").unlink()
    before = contents(tmp_path)
    with pytest.raises(DataError) as caught:
        sample_to_folder(run, tmp_path, **{"count": 4, **change})
    assert_one_line(caught.value, f"out={str(tmp_path)!r}", "name another folder")
    assert contents(tmp_path) == before


def test_a_finished_folder_is_not_extended(run: RunDirectory, tmp_path: Path) -> None:
    sample_to_folder(run, tmp_path, 4)
    before = contents(tmp_path)
    with pytest.raises(DataError, match=r"whose manifest\.json is of another"):
        sample_to_folder(run, tmp_path, 5)
    assert contents(tmp_path) == before


def test_a_folder_with_other_files_is_left_alone(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "holiday.png").write_bytes(b"mine")
    with pytest.raises(DataError) as caught:
        sample_to_folder(run, tmp_path, 4)
    assert_one_line(caught.value, "'holiday.png'")
    assert contents(tmp_path) == {"holiday.png": b"mine"}


@pytest.mark.parametrize("text", ["[]", "{}", '{"files": [{"name": 3}]}'])
def test_somebody_else_s_manifest_is_left_alone(run: RunDirectory, tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=r"whose manifest\.json is of another"):
        sample_to_folder(run, tmp_path, 4)
    assert (tmp_path / "manifest.json").read_text() == text


def test_a_manifest_without_its_list_is_made_again(run: RunDirectory, tmp_path: Path) -> None:
    manifest = sample_to_folder(run, tmp_path, 4)
    write_json(tmp_path / "manifest.json", {**manifest, "files": "lost"})
    assert sample_to_folder(run, tmp_path, 4) == manifest == read_json(tmp_path / "manifest.json")


def test_a_manifest_that_does_not_parse_is_reported(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(CorruptError, match=r"manifest\.json must hold JSON"):
        sample_to_folder(run, tmp_path, 4)


def test_a_file_in_the_folder_s_place_is_reported(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"mine")
    with pytest.raises(StoreError) as caught:
        sample_to_folder(run, tmp_path / "out", 4)
    assert_one_line(caught.value)


# --- ZIPs -------------------------------------------------------------------------------------------------------------


def test_zip_holds_what_the_folder_does_and_a_license(run: RunDirectory, tmp_path: Path) -> None:
    sample_to_folder(run, tmp_path, 5, seed=2, truncation=0.7, first=9)
    with zipfile.ZipFile(io.BytesIO(sample_zip(run, 5, seed=2, truncation=0.7, first=9))) as bundle:
        assert bundle.testzip() is None
        held = {name: bundle.read(name) for name in bundle.namelist()}
        entries = bundle.infolist()
    assert held.pop("LICENSE.txt").decode() == f"{LICENSE}\n"
    assert held == contents(tmp_path)
    assert json.loads(held["manifest.json"])["count"] == 5
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o644}


def test_the_same_request_gives_the_same_bytes(run: RunDirectory) -> None:
    assert sample_zip(run, 3) == sample_zip(run, 3)
    assert sample_zip(run, 3) != sample_zip(run, 3, first=1)


# --- Bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("requested", "limits"),
    [
        ({"count": 0}, f"from 1 to {MAX_SAMPLES}. Received: count=0"),
        ({"count": 10_000_000}, f"from 1 to {MAX_SAMPLES}. Received: count=10000000"),
        ({"count": 2, "first": 9_999_999}, "from 0 to 9999998. Received: first=9999999"),
        ({"count": 2, "seed": -1}, "Received: seed=-1"),
        ({"count": 2, "truncation": 9.0}, "from 0.1 to 4. Received: truncation=9.0"),
    ],
    ids=str,
)
def test_what_cannot_be_drawn_leaves_no_folder(
    run: RunDirectory, tmp_path: Path, requested: dict[str, float], limits: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        sample_to_folder(run, tmp_path / "out", **requested)
    assert_one_line(caught.value, limits)
    assert not (tmp_path / "out").exists()
    if requested["count"]:
        with pytest.raises(ConfigError):
            sample_zip(run, **requested)


@pytest.mark.parametrize("count", [0, MAX_ZIP + 1])
def test_zip_has_a_limit_of_its_own(run: RunDirectory, count: int) -> None:
    with pytest.raises(ConfigError) as caught:
        sample_zip(run, count)
    assert_one_line(caught.value, f"from 1 to {MAX_ZIP}. Received: count={count}")


def test_a_run_that_is_not_finished_leaves_no_folder(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / RUN_ID)
    write_submission(run, Submission(gan_config(Preset.QUICK), RunData(), 0.0))
    with pytest.raises(RunError, match="must be finished"):
        sample_to_folder(run, tmp_path / "out", 4)
    with pytest.raises(RunError, match="must be finished"):
        sample_zip(run, 4)
    assert not (tmp_path / "out").exists()
