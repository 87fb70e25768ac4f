"""`sources`, `images`, `views` and `train` of the gate."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

from pneumo_core.config.gate import HEADS, INPUT_SIZE
from pneumo_core.errors import CorruptError, DataError
from pneumo_core.training.gate import sources, views
from pneumo_core.training.gate.images import OWN, PHANTOMS, VALIDATION, Gathered, load, save
from pneumo_core.training.gate.sources import SOURCES, Kind, files
from pneumo_core.training.gate.train import Settings, _Batches, heads_loss, train_gate

KEPT_FOR_TRYING = (
    *("ewen-lbh", "FangCao0510", "MohamedAliHabib", "muhammedtalo", "xinario", "ml-workgroup", "Figure1", "Actualmed"),
    *("BSDS", "pydicom"),
)

DRAWN = {Kind.DOCUMENT, Kind.SCREENSHOT}
"""What training draws, so that no source of it serves training."""


def some_images(each: int = 9) -> Gathered:
    """Random images of every kind, the data set's own among them."""
    names = [(OWN, Kind.FRONTAL), (VALIDATION, Kind.FRONTAL), (PHANTOMS, Kind.FRONTAL), ("NIH", Kind.FRONTAL)]
    names += [(f"some {kind.name}", kind) for kind in Kind if kind not in {Kind.FRONTAL, *DRAWN}]
    pixels = np.random.default_rng(0).integers(0, 256, (each * len(names), INPUT_SIZE, INPUT_SIZE)).astype(np.uint8)
    source = np.repeat([name for name, _ in names], each)
    kind = np.repeat([kind.value for _, kind in names], each)
    return Gathered(pixels, source, kind, source == VALIDATION)


# --- Sources ------------------------------------------------------------------------------------------------------------


def test_every_kind_is_trained_on_and_measured_on_other_sources() -> None:
    for kind in set(Kind) - DRAWN:
        assert {source.held_out for source in SOURCES if source.kind is kind} == {False, True}, kind
    places = {held_out: {one.place for one in SOURCES if one.held_out is held_out} for held_out in (False, True)}
    assert not places[False] & places[True]
    assert len({(source.name, source.kind) for source in SOURCES}) == len(SOURCES)
    assert all(re.fullmatch(r"[0-9a-f]{12}|[0-9.+dfsg-]+", source.commit) and source.license for source in SOURCES)


def test_what_is_kept_for_trying_the_gate_is_no_source() -> None:
    for source in SOURCES:
        assert not any(name.lower() in source.place.lower() for name in KEPT_FOR_TRYING)


def test_files_are_taken_evenly_from_sorted_paths_that_match(tmp_path: Path) -> None:
    folder = tmp_path / "owner+name" / "images"
    folder.mkdir(parents=True)
    for number in range(10):
        (folder / f"{number}.png").touch()
    (folder / "notes.txt").touch()
    source = sources.Source("some", Kind.PHOTO, False, "owner+name/images", "0" * 12, "MIT", 3)
    assert [path.name for path in files(source, tmp_path)] == ["0.png", "4.png", "9.png"]
    with pytest.raises(DataError, match="a source must be there"):
        files(source, tmp_path / "elsewhere")


def test_the_collection_s_views_are_told_apart_and_the_excluded_left_out(tmp_path: Path) -> None:
    folder = tmp_path / sources.COVID / "images"
    folder.mkdir(parents=True)
    rows = [
        ("a.png", "PA", "https://radiopaedia.org/cases/1"),
        ("b.png", "L", "https://radiopaedia.org/cases/1"),
        ("c.png", "AP", "https://github.com/ml-workgroup/covid-19-image-repository"),
        ("d.png", "Axial", "https://www.eurorad.org/case/1"),
        ("e.png", "?", "https://www.eurorad.org/case/2"),
    ]
    lines = ["filename,view,url,location,doi", *(f"{name},{view},{url},," for name, view, url in rows)]
    (tmp_path / sources.COVID / "metadata.csv").write_text("\n".join(lines))
    for name, _, _ in rows:
        (folder / name).touch()
    found = {one.kind: [path.name for path in files(one, tmp_path)] for one in SOURCES if one.name == "COVID"}
    assert found == {Kind.FRONTAL: ["a.png"], Kind.LATERAL: ["b.png"], Kind.SLICE: ["d.png"]}


def test_gathered_images_are_read_as_written(tmp_path: Path) -> None:
    images = some_images(2)
    save(images, tmp_path / "images.npz")
    back = load(tmp_path / "images.npz")
    for name in ("pixels", "source", "kind", "held_out"):
        np.testing.assert_array_equal(getattr(back, name), getattr(images, name))
    (tmp_path / "images.npz").write_bytes(b"no archive")
    with pytest.raises(CorruptError):
        load(tmp_path / "images.npz")


def test_images_are_trained_on_tuned_on_or_held_out() -> None:
    images = some_images()
    parts = images.trained.astype(int) + images.tuning + images.held_out
    assert (parts == 1).all()
    assert images.tuning.any()


# --- Views and their answers --------------------------------------------------------------------------------------------


def test_turns_are_what_they_are_called() -> None:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (INPUT_SIZE, INPUT_SIZE)).astype(np.uint8)
    assert views.turned_90(image, random)[0, 5] == image[5, -1]
    assert views.turned_180(image, random)[0, 5] == image[-1, -6]
    assert views.turned_270(image, random)[0, 5] == image[-6, 0]
    assert views.flipped(image, random)[0, 5] == image[-1, 5]
    assert views.inverted(image, random)[0, 5] == 255 - image[0, 5]


def test_every_view_is_an_image_and_leaves_its_own_alone() -> None:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (INPUT_SIZE, INPUT_SIZE)).astype(np.uint8)
    before = image.copy()
    makers = [*views.WRONG.values(), views.part, views.shuffled, views.large_border, views.screenshot, views.film]
    made = [make(image, random) for make in makers for _ in range(12)]
    made += [views.disturbed(image, random) for _ in range(40)]
    made += [draw(random) for draw in (views.nothing, views.document) for _ in range(40)]
    assert {(one.shape, one.dtype) for one in made} == {((INPUT_SIZE, INPUT_SIZE), np.dtype(np.uint8))}
    np.testing.assert_array_equal(image, before)


def test_samples_come_with_the_answers_that_hold_for_them_and_from_training_images_alone() -> None:
    images = some_images()
    marked = Gathered(
        np.where(images.trained[:, None, None], images.pixels, 7), images.source, images.kind, images.held_out
    )
    batches = _Batches(marked, Settings(batch_size=200), first=0, count=1)
    assert not any((marked.pixels[rows] == 7).all() for kind in batches.samples.rows.values() for rows in kind)
    pixels, answers = batches[0]
    assert pixels.shape == (200, INPUT_SIZE, INPUT_SIZE, 1)
    kinds, turns, inversions, frames = answers.T
    assert set(kinds) == {0, 1, 2}
    assert (turns[kinds != 0] == -1).all()
    assert (inversions[kinds == 2] == -1).all()
    assert (frames[kinds != 0] == -1).all()
    assert set(frames[kinds == 0]) == {0, 1, 2}
    assert set(turns[frames == 1]) == {-1}
    np.testing.assert_array_equal(batches[0][1], answers)


def test_the_loss_is_each_head_s_cross_entropy_where_it_has_an_answer() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4, sum(map(len, HEADS.values())))).astype(np.float32)
    answers = np.array([[0, 4, 1, 2], [1, -1, 0, -1], [2, -1, -1, -1], [0, 0, 0, 0]], np.int32)
    total, start = 0.0, 0
    for place, names in enumerate(HEADS.values()):
        for row in range(4):
            part = logits[row, start : start + len(names)].astype(float)
            shares = np.exp(part) / np.exp(part).sum()
            for name in range(len(names)):
                if answers[row, place] >= 0:
                    wanted = 0.98 * (name == answers[row, place]) + 0.02 / len(names)
                    total -= wanted * np.log(shares[name]) / 4
        start += len(names)
    assert float(
        heads_loss(keras.ops.convert_to_tensor(answers), keras.ops.convert_to_tensor(logits))
    ) == pytest.approx(total, rel=1e-4)


def test_a_training_of_a_few_steps_changes_the_weights_and_reports() -> None:
    told: list[int] = []
    model = train_gate(some_images(), Settings(steps=2, batch_size=4), lambda step, _loss: told.append(step))
    assert told == [2]
    assert np.isfinite(np.asarray(model(np.zeros((1, INPUT_SIZE, INPUT_SIZE, 1), np.float32), training=False))).all()
