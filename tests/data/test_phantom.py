import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pneumo_core.data import phantom
from pneumo_core.data.patients import parse_name
from pneumo_core.data.phantom import first_phantoms, write_phantoms
from pneumo_core.errors import ConfigError, DataError, StoreError
from pneumo_core.records import Label
from tests.waiting import PATIENCE_S, wait_for

NAME = re.compile(r"PHANTOM-(NORMAL|BACTERIA|VIRUS)-(\d{4})-(\d{4})\.jpeg")


@dataclass(frozen=True)
class Drawn:
    """What one file of a phantom data set shows without a look at its lungs."""

    split: str
    label: str
    cause: str
    patient: str
    number: int
    width: int
    height: int
    mode: str
    size_bytes: int
    coarseness: int
    brightness: float
    thumbnail: np.ndarray


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("phantoms") / "set"
    write_phantoms(out)
    return out


@pytest.fixture(scope="module")
def drawn(root: Path) -> list[Drawn]:
    found = []
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        match = NAME.fullmatch(file.name)
        assert match, file
        cause, patient, number = match.groups()
        with Image.open(file) as image:
            image.load()
            tables = image.quantization
            gray = image.convert("L")
        found.append(
            Drawn(
                split=file.parts[-3],
                label=file.parts[-2],
                cause=cause,
                patient=f"{cause}-{patient}",
                number=int(number),
                width=gray.width,
                height=gray.height,
                mode=image.mode,
                size_bytes=file.stat().st_size,
                coarseness=sum(tables[0]),
                brightness=float(np.asarray(gray).mean()),
                thumbnail=np.asarray(gray.resize((8, 8), Image.Resampling.BOX)).ravel() / 255,
            )
        )
    return found


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_set_has_the_kaggle_layout_and_about_its_mix(drawn: list[Drawn]) -> None:
    assert len(drawn) == 600
    count = Counter((one.split, one.label) for one in drawn)
    assert set(count) == {(split, label) for split in ("train", "val", "test") for label in ("NORMAL", "PNEUMONIA")}
    for split, share, pneumonia in (("train", 0.76, 0.743), ("val", 0.04, 0.5), ("test", 0.20, 0.625)):
        total = count[split, "NORMAL"] + count[split, "PNEUMONIA"]
        assert total / 600 == pytest.approx(share, abs=0.02), split
        assert count[split, "PNEUMONIA"] / total == pytest.approx(pneumonia, abs=0.05), split
    assert count["test", "NORMAL"] + count["test", "PNEUMONIA"] >= 100
    causes = Counter(one.cause for one in drawn)
    assert causes["BACTERIA"] / (causes["BACTERIA"] + causes["VIRUS"]) == pytest.approx(2 / 3, abs=0.02)
    assert {(one.label, one.cause) for one in drawn} == {
        ("NORMAL", "NORMAL"),
        ("PNEUMONIA", "BACTERIA"),
        ("PNEUMONIA", "VIRUS"),
    }


def test_names_say_to_the_index_what_they_say_to_people(drawn: list[Drawn]) -> None:
    for one in drawn[::50]:
        image_id = f"{one.split}/{one.label}/PHANTOM-{one.patient}-{one.number:04d}.jpeg"
        patient_id, _, subtype = parse_name(image_id, Label[one.label])
        assert subtype.value == ("none" if one.cause == "NORMAL" else one.cause.lower())
        assert patient_id == f"phantom-{one.cause.lower()}-{int(one.patient.split('-')[1])}"


def test_a_patient_has_one_to_four_images_in_one_split(drawn: list[Drawn]) -> None:
    patients: dict[str, list[Drawn]] = defaultdict(list)
    for one in drawn:
        patients[one.patient].append(one)
    for images in patients.values():
        assert len({one.split for one in images}) == 1
        assert sorted(one.number for one in images) == list(range(1, len(images) + 1))
    assert set(Counter(len(images) for images in patients.values())) == {1, 2, 3, 4}


def test_images_vary_as_real_files_do(drawn: list[Drawn]) -> None:
    assert len({(one.width, one.height) for one in drawn}) > 100
    assert min(min(one.width, one.height) for one in drawn) >= 135
    assert max(max(one.width, one.height) for one in drawn) <= 340
    aspects = [one.width / one.height for one in drawn]
    assert max(aspects) > 1.45
    assert min(aspects) < 1.1
    for label in ("NORMAL", "PNEUMONIA"):
        modes = Counter(one.mode for one in drawn if one.label == label)
        assert set(modes) == {"L", "RGB"}
        assert 0 < modes["RGB"] / modes.total() < 0.15


def held_out_auroc(
    drawn: list[Drawn], features: np.ndarray, chosen: tuple[str, ...] = ("linear", "forest", "boosting")
) -> dict[str, float]:
    """AUROC of simple classifiers on patients they have not seen."""
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    models = {
        "linear": make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)),
        "forest": RandomForestClassifier(60, min_samples_leaf=5, random_state=0),
        "boosting": GradientBoostingClassifier(n_estimators=50, random_state=0),
    }
    y_true = np.array([one.label == "PNEUMONIA" for one in drawn])
    patients = np.array([one.patient for one in drawn])
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)

    def auroc(model: object) -> float:
        scores = cross_val_predict(model, features, y_true, groups=patients, cv=folds, method="predict_proba")[:, 1]
        return float(roc_auc_score(y_true, scores))

    return {name: auroc(models[name]) for name in chosen}


def test_sizes_and_bytes_do_not_give_the_label_away(drawn: list[Drawn]) -> None:
    size = np.array([(one.width, one.height, one.width / one.height, one.size_bytes) for one in drawn], float)
    auroc = held_out_auroc(drawn, size)
    assert max(auroc.values()) <= 0.60, auroc
    # With the quality known, the bytes say how much there is to compress.
    coding = np.array([(one.coarseness, one.mode == "RGB") for one in drawn], float)
    auroc = held_out_auroc(drawn, np.hstack([size, coding]))
    assert max(auroc.values()) <= 0.60, auroc
    # The procedure would see a leak: pneumonia files that are a tenth larger at the same quality.
    leak = size.copy()
    leak[:, 3] = leak[:, 0] * leak[:, 1] * [1.1 if one.label == "PNEUMONIA" else 1.0 for one in drawn]
    assert min(held_out_auroc(drawn, leak).values()) > 0.75


def test_findings_show_but_brightness_alone_does_not_tell(drawn: list[Drawn]) -> None:
    brightness = held_out_auroc(drawn, np.array([[one.brightness] for one in drawn]))
    assert max(brightness.values()) <= 0.75, brightness
    thumbnails = held_out_auroc(drawn, np.stack([one.thumbnail for one in drawn]), ("linear",))
    assert 0.80 < thumbnails["linear"] < 0.97, thumbnails


def test_the_same_seed_gives_the_same_bytes_and_a_larger_count_only_adds(tmp_path: Path) -> None:
    for name, seed, count in (("a", 5, 41), ("b", 5, 41), ("longer", 5, 58), ("other", 6, 41)):
        write_phantoms(tmp_path / name, seed=seed, count=count)
    a, b, longer, other = (contents(tmp_path / name) for name in ("a", "b", "longer", "other"))
    assert len(a) == 41
    assert a == b
    assert a.items() <= longer.items()
    assert len(longer) == 58
    assert not set(a.values()) & set(other.values())
    assert len(set(longer.values())) == 58


@pytest.fixture
def two_helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few images are drawn by three processes."""
    monkeypatch.setattr(phantom, "_WORTH_A_PROCESS", 10)
    monkeypatch.setattr(phantom.os, "cpu_count", lambda: 3)


@pytest.mark.usefixtures("two_helpers")
def test_helpers_change_nothing_but_who_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, own = phantom._jpeg, []

    def slow(job: phantom._Job, seed: int, difficulty: float) -> bytes:
        if not own:  # The first image takes this process until a helper has drawn one.
            wait_for("a helper", lambda: list(tmp_path.glob(".set.*/*/*/*.jpeg")))
        own.append(job)
        return real(job, seed, difficulty)

    monkeypatch.setattr(phantom, "_jpeg", slow)
    calls: list[int] = []
    write_phantoms(tmp_path / "set", seed=3, count=60, progress=lambda done, total: calls.append(done))
    assert calls == list(range(1, 61))
    assert 0 < len(own) < 60
    monkeypatch.undo()
    write_phantoms(tmp_path / "alone", seed=3, count=60)
    assert contents(tmp_path / "set") == contents(tmp_path / "alone")


@pytest.mark.usefixtures("two_helpers")
def test_what_helpers_leave_undone_is_drawn_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_draw = phantom._draw

    def killed_in_the_middle(jobs: list[phantom._Job], root: Path, seed: int, difficulty: float) -> Iterator[int]:
        for job in jobs[:20]:  # Begun by a helper that was then killed.
            (root / job.file).with_suffix(".part").write_bytes(b"half")
        return real_draw(jobs, root, seed, difficulty)

    monkeypatch.setattr(phantom, "_draw", killed_in_the_middle)
    monkeypatch.setattr(phantom.sys, "executable", "false")
    write_phantoms(tmp_path / "set", seed=3, count=60)
    monkeypatch.undo()
    write_phantoms(tmp_path / "alone", seed=3, count=60)
    assert contents(tmp_path / "set") == contents(tmp_path / "alone")


def test_helpers_end_with_their_caller(tmp_path: Path) -> None:
    for job in phantom._jobs(0, 20_000):
        (tmp_path / job.file.parent).mkdir(parents=True, exist_ok=True)
    with phantom._helpers(1, tmp_path, 0, 20_000, 0.5) as (helper,):
        wait_for("its first image", lambda: list(tmp_path.rglob("*.jpeg")))
        assert helper.stdin is not None
        helper.stdin.close()  # As the system does when the caller is killed.
        assert helper.wait(PATIENCE_S) == 1
    assert len(list(tmp_path.rglob("*.jpeg"))) < 20_000


def test_the_first_phantoms_are_those_of_the_set(root: Path) -> None:
    labels, images = first_phantoms(6)
    assert labels == (Label.NORMAL, Label.PNEUMONIA) * 3
    first = min((root / "train" / "NORMAL").iterdir())
    with Image.open(first) as image:
        stored = np.asarray(image.convert("L")).astype(int)
    assert stored.shape == images[0].shape
    # But for what compression changes.
    assert np.abs(stored - images[0]).mean() < 8


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1])
def test_the_smallest_set_has_both_classes_in_each_split(tmp_path: Path, seed: int) -> None:
    write_phantoms(tmp_path / "set", seed=seed, count=40)
    folders = {path.rsplit("/", 1)[0] for path in contents(tmp_path / "set")}
    assert folders == {f"{split}/{label}" for split in ("train", "val", "test") for label in ("NORMAL", "PNEUMONIA")}


def test_progress_counts_every_image(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    write_phantoms(tmp_path / "set", count=40, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done, 40) for done in range(1, 41)]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    out = tmp_path / "set"
    out.mkdir()
    write_phantoms(out, count=40)
    assert len(contents(out)) == 40
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    kept = tmp_path / "set" / "kept.txt"
    kept.write_text("mine")
    for out in (kept.parent, kept):
        with pytest.raises(DataError, match=r"new or empty folder.*Received: out="):
            write_phantoms(out, count=40)
    assert contents(tmp_path) == {"set/kept.txt": b"mine"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 39},
        {"count": 20_001},
        {"count": 40.0},
        {"seed": -1},
        {"seed": True},
        {"difficulty": -0.1},
        {"difficulty": 1.1},
        {"difficulty": float("nan")},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused_before_anything_is_written(tmp_path: Path, wrong: dict[str, int]) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(ConfigError, match=re.escape(f"Received: {name}={value!r}")):
        write_phantoms(tmp_path / "set", **wrong)
    assert not list(tmp_path.iterdir())


def test_a_parent_that_is_a_file_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="Received: path="):
        write_phantoms(tmp_path / "file" / "set", count=40)


def test_a_failing_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="the system has no limit on file sizes to fail with")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # As a full disk: writing stops in the middle of an image.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StoreError, match="Received: path="):
            write_phantoms(tmp_path / "set", count=40)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        assert list(tmp_path.glob(".set.*/*/*/*.jpeg"))  # Half of it is there, beside where it belongs.
        assert not (tmp_path / "set").exists()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_phantoms(tmp_path / "set", count=40, progress=interrupt)
    assert not list(tmp_path.iterdir())
