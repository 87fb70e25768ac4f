"""Samples that are added to a training set: the same path as real images, made once, and never another image."""

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pneumo_core.config.classifier import Preset
from pneumo_core.config.gan import gan_config
from pneumo_core.config.presets import preset_config
from pneumo_core.config.run import RunConfig
from pneumo_core.data.images import decode_gray
from pneumo_core.data.synthetic import is_synthetic
from pneumo_core.errors import ConfigError, CorruptError, DataError, PneumoError, RunError
from pneumo_core.inference.added import added_samples
from pneumo_core.inference.generator import generate, latents, load_generator
from pneumo_core.records import Architecture
from pneumo_core.runs.files import read_json, write_json
from pneumo_core.runs.store import RunDirectory, datasets_root, write_manifest
from pneumo_core.runs.submission import RunData, Submission, write_submission
from tests.hostile import assert_one_line, child
from tests.pages.conftest import linear_generator
from tests.waiting import PATIENCE_S

RUN_ID = "dcgan-0123456789ab"
LATENT_DIM = 6
SIZE = 50


def made(folder: Path, seed: int = 0, config: RunConfig | None = None) -> RunDirectory:
    """A finished run whose generator mixes smooth random pictures."""
    run = RunDirectory(folder / RUN_ID)
    write_submission(run, Submission(config or gan_config(Preset.QUICK), RunData(), 0.0))
    small = np.random.default_rng(seed).integers(0, 256, (12, 8, 8), dtype=np.uint8)
    pictures = [Image.fromarray(picture).resize((64, 64), Image.Resampling.BICUBIC) for picture in small]
    run.model.write_bytes(linear_generator(np.stack(pictures), LATENT_DIM))
    write_manifest(run, {})
    return run


@pytest.fixture(scope="module")
def gan(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A finished DCGAN; never change its files."""
    return made(tmp_path_factory.mktemp("runs"))


def added(gan: RunDirectory, **changes: Any) -> NDArray[np.uint8]:
    return added_samples(gan, **{"count": 5, "seed": 3, "size": SIZE, **changes})


def pngs() -> list[Path]:
    return sorted(datasets_root().rglob("*.png"))


def written() -> dict[Path, tuple[int, int]]:
    """When each file was written, and which file it is."""
    files = [path for path in datasets_root().rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in files}


def never(_done: int, _total: int) -> None:
    pytest.fail("a sample was drawn that is there")


# --- What they are ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [32, 64, 150])
def test_samples_come_by_the_path_of_real_images(gan: RunDirectory, size: int) -> None:
    images = added(gan, size=size)
    assert (images.shape, images.dtype) == ((5, size, size), np.uint8)
    files = pngs()
    assert len(files) == 5
    assert all(is_synthetic(path.name) for path in files)
    np.testing.assert_array_equal(images, [decode_gray(path.read_bytes(), path.name, size=size) for path in files])
    # The files hold the first samples of the seed.
    drawn = generate(load_generator(gan), latents(LATENT_DIM, 3, 0, 5))
    for path, image in zip(files, drawn, strict=True):
        with Image.open(path) as read:
            np.testing.assert_array_equal(np.asarray(read), image)
    assert len({image.tobytes() for image in images}) == 5


def test_they_cannot_be_written_to(gan: RunDirectory) -> None:
    images = added(gan)
    assert isinstance(images, np.memmap)
    assert not images.flags.writeable


# --- Made once --------------------------------------------------------------------------------------------------------


def test_they_are_made_once_and_shared(gan: RunDirectory) -> None:
    reported: list[tuple[int, int]] = []
    images = added(gan, progress=lambda done, total: reported.append((done, total)))
    assert reported == [(done, 5) for done in range(5)]
    before = written()
    np.testing.assert_array_equal(added(gan, progress=never), images)
    assert written() == before


def test_another_size_takes_the_same_files(gan: RunDirectory) -> None:
    added(gan)
    before = written()
    assert added(gan, size=SIZE + 1, progress=never).shape == (5, SIZE + 1, SIZE + 1)
    after = written()
    assert {path: after[path] for path in before} == before
    assert {path.name for path in set(after) - set(before)} == {f"gray-{SIZE + 1}.npy", f"gray-{SIZE + 1}.json"}


def test_another_seed_or_number_has_a_folder_of_its_own(gan: RunDirectory) -> None:
    first = added(gan)
    before = written()
    more, other = added(gan, count=7), added(gan, seed=4)
    np.testing.assert_array_equal(more[:5], first)  # A seed's sample of a number is always the same.
    assert not {image.tobytes() for image in other} & {image.tobytes() for image in more}
    assert len({path.parent for path in pngs()}) == 3
    assert {path: state for path, state in written().items() if path in before} == before


def test_a_run_that_was_trained_again_has_other_samples(gan: RunDirectory, tmp_path: Path) -> None:
    """Its id is the same, its generator is not."""
    first, second = added(gan), added(made(tmp_path / "again", seed=1))
    assert len({path.parent for path in pngs()}) == 2
    assert not {image.tobytes() for image in first} & {image.tobytes() for image in second}


# --- Cut off and damaged ----------------------------------------------------------------------------------------------

_KILLED = """
import os, signal, sys
from pathlib import Path
from pneumo_core.inference.added import added_samples
from pneumo_core.runs.store import RunDirectory
def progress(done, total):
    if done == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
added_samples(RunDirectory(Path(sys.argv[1])), count=300, seed=3, size=50, progress=progress)
"""


def test_what_was_killed_half_way_is_completed(gan: RunDirectory) -> None:
    process = child(_KILLED, gan.path, 280)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == -signal.SIGKILL
    kept = written()
    assert 0 < len(pngs()) < 300
    images = added(gan, count=300)
    assert len(pngs()) == 300
    assert {path: state for path, state in written().items() if path in kept} == kept
    np.testing.assert_array_equal(images[:5], added(gan))


@pytest.fixture(params=["its array is there", "its array is not"])
def five(gan: RunDirectory, request: pytest.FixtureRequest) -> NDArray[np.uint8]:
    """Five samples, and the arrays that were made of them or not."""
    images = np.array(added(gan))
    if request.param == "its array is not":
        for path in datasets_root().rglob("gray-*"):
            path.unlink()
    return images


@pytest.mark.parametrize("damage", ["cut short", "another sample", "no picture", "empty"])
def test_a_file_that_was_damaged_since_is_refused(gan: RunDirectory, five: NDArray[np.uint8], damage: str) -> None:
    first, second, *_ = pngs()
    whole = first.read_bytes()
    first.write_bytes(
        {"cut short": whole[:-40], "another sample": second.read_bytes(), "no picture": b"mine", "empty": b""}[damage]
    )
    with pytest.raises(DataError) as caught:
        added(gan)
    assert_one_line(caught.value, first.name, "is another image", "remove it")
    first.unlink()  # As the error says.
    np.testing.assert_array_equal(added(gan), five)
    assert first.read_bytes() == whole


def test_a_file_that_is_gone_is_drawn_again(gan: RunDirectory, five: NDArray[np.uint8]) -> None:
    gone = pngs()[2]
    whole = gone.read_bytes()
    gone.unlink()
    np.testing.assert_array_equal(added(gan), five)
    assert gone.read_bytes() == whole


def test_a_file_of_somebody_else_is_refused(gan: RunDirectory, five: NDArray[np.uint8]) -> None:
    (pngs()[0].parent / "IM-0001-0001.jpeg").write_bytes(b"mine")
    with pytest.raises(DataError, match=r"IM-0001-0001\.jpeg"):
        added(gan)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_manifest_that_is_gone_or_lists_less_is_made_again(
    gan: RunDirectory, five: NDArray[np.uint8], is_there: bool
) -> None:
    (manifest,) = datasets_root().rglob("manifest.json")
    whole = read_json(manifest)
    manifest.unlink()
    if is_there:
        write_json(manifest, {**whole, "files": whole["files"][:3]})
    np.testing.assert_array_equal(added(gan), five)
    assert read_json(manifest) == whole


# --- Bad input --------------------------------------------------------------------------------------------------------


def test_equal_classes_lack_nothing(gan: RunDirectory) -> None:
    assert added(gan, count=0).shape == (0, SIZE, SIZE)
    assert not datasets_root().exists()


@pytest.mark.parametrize("count", [-1, 10_000_000])
def test_numbers_out_of_range_leave_no_folder(gan: RunDirectory, count: int) -> None:
    with pytest.raises(ConfigError) as caught:
        added(gan, count=count)
    assert_one_line(caught.value, f"Received: count={count}")
    assert not datasets_root().exists()


def refused(run: RunDirectory, kind: type[PneumoError], *parts: str) -> None:
    with pytest.raises(kind) as caught:
        added(run)
    assert_one_line(caught.value, *parts)
    assert not datasets_root().exists()


def test_a_run_that_is_not_finished_a_classifier_s_and_a_damaged_one(tmp_path: Path) -> None:
    unfinished = made(tmp_path / "unfinished")
    unfinished.manifest.unlink()
    refused(unfinished, RunError, "must be finished", RUN_ID)
    classifier = made(tmp_path / "classifier", config=preset_config(Architecture.BASELINE, Preset.QUICK))
    refused(classifier, RunError, RUN_ID, "a classifier's")
    damaged = made(tmp_path / "damaged")
    damaged.model.write_bytes(damaged.model.read_bytes() + b"\n")
    refused(damaged, CorruptError, "model.onnx", RUN_ID)
