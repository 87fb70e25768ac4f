import io
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pneumo_core.data.images import decode_gray
from pneumo_core.errors import DataError, RunError, StoreError
from pneumo_core.evaluation.calibration import described
from pneumo_core.inference.classify import classify, load_classifier
from pneumo_core.inference.files import predict_files
from pneumo_core.records import NotApplicable
from pneumo_core.runs.store import RunDirectory
from tests.conftest import FinishedRun
from tests.data.dicom_files import dicom
from tests.data.image_files import gray
from tests.data.test_archive import zip_of
from tests.hostile import assert_one_line, without_rights


@pytest.fixture
def run(finished_run: FinishedRun) -> RunDirectory:
    return RunDirectory(finished_run.path)


@pytest.fixture
def folder(tmp_path: Path, finished_run: FinishedRun) -> Path:
    """Five good images in two folders, and what else lies about."""
    folder = tmp_path / "images"
    (folder / "deep" / "er").mkdir(parents=True)
    good = sorted((finished_run.data / "test").rglob("*.jpeg"))
    for number, path in enumerate(good[:3]):
        shutil.copy(path, folder / f"{number}.jpeg")
    shutil.copy(good[3], folder / "deep" / "er" / "3.JPG")
    Image.open(good[4]).save(folder / "deep" / "4.png")
    (folder / "notes.txt").write_text("not an image")
    (folder / "letter.jpeg").write_text("Dear radiologist")
    (folder / "empty.png").touch()
    (folder / "folder.png").mkdir()
    return folder


def test_a_folder_is_its_images_one_answer_each(run: RunDirectory, folder: Path) -> None:
    steps: list[tuple[int, int]] = []
    said: list[str] = []
    (folder / ".DS_Store").touch()
    results = predict_files(run, [folder], progress=lambda done, total: steps.append((done, total)), say=said.append)
    assert said == [f"1 file below {folder} left out, no image by name, such as 'notes.txt'"]
    names = [Path(result["path"]).relative_to(folder).as_posix() for result in results]
    assert names == ["0.jpeg", "1.jpeg", "2.jpeg", "deep/4.png", "deep/er/3.JPG", "empty.png", "letter.jpeg"]
    assert steps == [(done, 7) for done in range(1, 8)]
    classifier = load_classifier(run)
    for result in results:
        expected = classify(classifier, Path(result["path"]).read_bytes(), Path(result["path"]).name)
        assert set(result) == {
            *("path", "status", "code", "reason", "advice", "probability", "label", "threshold"),
            *("calibrated_probability", "calibration", "facts"),
        }
        if isinstance(expected.calibrated, NotApplicable):
            assert (result["calibrated_probability"], result["calibration"]) == (None, expected.calibrated.reason)
        else:
            assert result["calibrated_probability"] == expected.calibrated
            assert result["calibration"] == described(classifier.calibration)
        assert result["status"] == expected.answer.value
        assert (result["code"], result["reason"], result["advice"]) == (expected.code, expected.reason, expected.advice)
        assert result["probability"] == expected.probability
        assert result["label"] == (expected.label.name if expected.label is not None else None)
        assert result["threshold"] == classifier.operating_point.threshold
    assert [result["status"] for result in results[-2:]] == ["refused", "refused"]


def test_a_file_named_outright_is_tried_whatever_its_name(run: RunDirectory, folder: Path) -> None:
    shutil.copy(folder / "0.jpeg", folder / "0.bin")
    plain, renamed, text = predict_files(run, [folder / "0.jpeg", folder / "0.bin", folder / "notes.txt"])
    assert renamed["probability"] == plain["probability"]
    assert text["status"] == "refused"
    assert_one_line(text["reason"], "'notes.txt'")


def test_an_archive_is_like_a_folder(run: RunDirectory, folder: Path, tmp_path: Path) -> None:
    content = {"b/0.jpeg": (folder / "0.jpeg").read_bytes(), "notes.txt": b"", "empty.png": b""}
    (tmp_path / "a.zip").write_bytes(zip_of(content.items()))
    (tmp_path / "bad.zip").write_bytes(zip_of([("notes.txt", b"")]))
    whole, *inner, bad = predict_files(run, [folder / "0.jpeg", tmp_path / "a.zip", tmp_path / "bad.zip"])
    assert [result["path"] for result in inner] == [
        str(tmp_path / "a.zip" / name) for name in ("b/0.jpeg", "empty.png")
    ]
    assert (inner[0]["probability"], inner[0]["status"]) == (whole["probability"], whole["status"])
    assert (inner[1]["code"], bad["status"], bad["code"]) == ("empty", "refused", "empty")
    assert bad["path"] == str(tmp_path / "bad.zip")


def test_dicom_files_come_with_facts(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "IM1").write_bytes(dicom(gray()))
    (tmp_path / "DICOMDIR").write_bytes(dicom(gray()))
    (result,) = predict_files(run, [tmp_path])
    assert result["path"] == str(tmp_path / "IM1")
    assert result["facts"] == {
        "Modality": "digital radiography (DX)", "View": "AP", "Age": "4 years", "Body part": "chest",
    }  # fmt: skip


def test_a_file_that_may_not_be_read_is_refused_and_the_others_answered(finished_run: FinishedRun) -> None:
    from tests.hostile import public_folder

    good = next((finished_run.data / "test").rglob("*.jpeg"))
    with public_folder() as folder:
        # As another user, who may not reach pytest's folders either.
        shutil.copytree(finished_run.path, folder / finished_run.run_id)
        for path in (folder / finished_run.run_id, *(folder / finished_run.run_id).iterdir()):
            path.chmod(0o755)
        for name, mode in (("a.jpeg", 0o644), ("b.jpeg", 0o000), ("c.jpeg", 0o644)):
            shutil.copy(good, folder / name)
            (folder / name).chmod(mode)
        with without_rights():
            results = predict_files(
                RunDirectory(folder / finished_run.run_id), [folder / name for name in ("a.jpeg", "b.jpeg", "c.jpeg")]
            )
    first, secret, last = results
    assert secret["status"] == "refused"
    assert_one_line(secret["reason"], "'b.jpeg'", "Permission denied")
    assert first["probability"] == last["probability"]
    assert first["status"] != "refused"


@pytest.mark.parametrize("make", ["missing", "dangling link"])
def test_a_path_that_is_not_there(run: RunDirectory, tmp_path: Path, make: str) -> None:
    path = tmp_path / "x.png"
    if make == "dangling link":
        path.symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(DataError, match=r"a path must exist\. Received: ") as caught:
        predict_files(run, [path])
    assert_one_line(caught.value, str(path))


def test_a_folder_without_images(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").touch()
    with pytest.raises(DataError, match="there must be a PNG, JPEG, WebP, TIFF, BMP or DICOM file") as caught:
        predict_files(run, [tmp_path / "empty"])
    assert_one_line(caught.value, str(tmp_path / "empty"))


def test_a_run_that_is_not_finished(with_finished_run: FinishedRun, folder: Path) -> None:
    (with_finished_run.path / "manifest.json").unlink()
    with pytest.raises(RunError, match="must be finished") as caught:
        predict_files(RunDirectory(with_finished_run.path), [folder])
    assert_one_line(caught.value)


class TestHeatMaps:
    def test_an_overlay_of_each_image_s_own_size(self, run: RunDirectory, folder: Path, tmp_path: Path) -> None:
        results = predict_files(run, [folder], heatmaps=tmp_path / "maps")
        written = {path for path in (tmp_path / "maps").rglob("*") if path.is_file()}
        assert {Path(result["heatmap"]) for result in results if result["heatmap"]} == written
        for result in results:
            assert (result["heatmap"] is None) == (result["status"] == "refused")
            if result["heatmap"]:
                pixels = decode_gray(Path(result["path"]).read_bytes(), "x")
                with Image.open(result["heatmap"]) as image:
                    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (pixels.shape[1], pixels.shape[0]))
                    # A blend: somewhere it is the radiograph, and nowhere far brighter than both.
                    shown = np.asarray(image).astype(int)
                assert np.corrcoef(shown.sum(axis=2).ravel(), pixels.ravel())[0, 1] > 0.3

    def test_files_of_one_name_do_not_replace_each_other(self, run: RunDirectory, folder: Path, tmp_path: Path) -> None:
        paths = []
        for number, place in enumerate(("a/NORMAL", "b/NORMAL", "c/NORMAL")):
            (tmp_path / place).mkdir(parents=True)
            paths.append(tmp_path / place / "x.jpeg")
            shutil.copy(folder / f"{number}.jpeg", paths[-1])
        results = predict_files(run, paths, heatmaps=tmp_path / "maps")
        targets = [result["heatmap"] for result in results if result["heatmap"]]
        assert len(set(targets)) == len(targets) >= 2
        again = predict_files(run, paths, heatmaps=tmp_path / "maps")
        assert [result["heatmap"] for result in again] == [result["heatmap"] for result in results]

    def test_a_folder_that_cannot_be_written(self, run: RunDirectory, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("not a folder")
        with pytest.raises(StoreError) as caught:
            predict_files(run, [folder], heatmaps=tmp_path / "file")
        assert_one_line(caught.value, str(tmp_path / "file"))
        assert (tmp_path / "file").read_text() == "not a folder"


def test_the_same_bytes_by_another_name_give_the_same_answer(run: RunDirectory, folder: Path) -> None:
    data = (folder / "1.jpeg").read_bytes()
    image = Image.open(io.BytesIO(data))
    image.save(folder / "lossless.png")
    first, second = predict_files(run, [folder / "1.jpeg", folder / "lossless.png"])
    assert second["probability"] == pytest.approx(first["probability"], abs=0.02)


def test_a_pipe_and_a_broken_link_are_refused_and_not_waited_for(run: RunDirectory, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpeg")
    (tmp_path / "dangling.jpeg").symlink_to(tmp_path / "nowhere")
    results = predict_files(run, [tmp_path])
    assert [(Path(result["path"]).name, result["status"]) for result in results] == [
        ("dangling.jpeg", "refused"),
        ("pipe.jpeg", "refused"),
    ]
    assert "not a regular file" in results[1]["reason"]
