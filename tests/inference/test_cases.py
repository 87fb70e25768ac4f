"""Nearest training cases, against every distance by hand."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumo_core.data.index import DataIndex, load_index
from pneumo_core.data.splits import assign
from pneumo_core.errors import CorruptError
from pneumo_core.inference.cases import (
    Case,
    Cases,
    Neighbors,
    cases_to_bytes,
    described,
    fit_cases,
    nearest,
    read_cases,
)
from pneumo_core.inference.classify import classify, load_classifier
from pneumo_core.records import Label, NotApplicable, Subtype
from pneumo_core.runs.store import RunDirectory
from pneumo_core.runs.submission import classifier_config, read_data
from tests.conftest import FinishedRun
from tests.hostile import assert_one_line
from tests.made_runs import vouch_for


def rows(patients: list[str]) -> pd.DataFrame:
    labels = [number % 2 for number in range(len(patients))]
    return pd.DataFrame(
        {
            "image_id": [f"train/{number:03d}.jpeg" for number in range(len(patients))],
            "patient_id": patients,
            "label": labels,
            "subtype": ["virus" if label else "none" for label in labels],
        }
    )


def features(n: int, d: int, seed: int = 0) -> np.ndarray:
    """Features of which the first vary most, as a network's do."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, d)) * 0.8 ** np.arange(d) + rng.normal(size=d)).astype(np.float32)


def by_hand(table: pd.DataFrame, stored: np.ndarray, image: np.ndarray, count: int) -> list[tuple[float, str]]:
    """Distance and id of the nearest image of each patient, by every feature."""
    best: dict[str, tuple[float, str]] = {}
    for (_, row), one in zip(table.iterrows(), stored, strict=True):
        found = (float(np.linalg.norm(one.astype(np.float64) - image)), str(row["image_id"]))
        best[row["patient_id"]] = min(found, best.get(row["patient_id"], found))
    return sorted(best.values())[:count]


@settings(max_examples=25)
@given(
    patients=st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f"]), min_size=2, max_size=40),
    d=st.integers(1, 40),
    count=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_the_nearest_are_those_of_every_distance(patients: list[str], d: int, count: int, seed: int) -> None:
    table, stored = rows(patients), features(len(patients), d, seed)
    image = features(1, d, seed + 1000)[0]
    cases = fit_cases(table, stored, None)
    found = nearest(cases, image, count)
    expected = by_hand(table, stored, image, count)
    # Each component is stored within half a step, and projected by float16.
    rounded = float(cases.step) * np.sqrt(len(cases.components))
    received, exact = [one.distance for one in found.cases], [one for one, _ in expected]
    np.testing.assert_allclose(received, exact, rtol=0.01, atol=rounded + 0.01)
    assert len({one.patient_id for one in found.cases}) == len(found.cases) == min(count, len(set(patients)))
    assert found.searched == len(patients)
    for one in found.cases:
        row = table[table["image_id"] == one.image_id].iloc[0]
        assert (one.patient_id, one.label, one.subtype) == (
            row["patient_id"],
            Label(row["label"]),
            Subtype(row["subtype"]),
        )


def test_of_many_features_nearly_the_same_are_nearest() -> None:
    table, stored = rows([f"patient {number // 2}" for number in range(600)]), features(600, 128)
    cases = fit_cases(table, stored, None)
    assert (cases.components.shape, cases.components.dtype) == ((64, 600), np.int16)
    shared = 0
    for image in features(40, 128, 1):
        found = {one.image_id for one in nearest(cases, image).cases}
        shared += len(found & {name for _, name in by_hand(table, stored, image, 5)})
    assert shared >= 0.9 * 5 * 40


def test_what_the_training_images_never_vary_in_counts_too() -> None:
    stored = np.concatenate([features(50, 40), np.zeros((50, 60), np.float32)], axis=1)
    image = stored[7].copy()
    image[90] = 100
    cases = fit_cases(rows([str(number) for number in range(50)]), stored, None)
    assert nearest(cases, stored[7], 1).cases[0].distance == pytest.approx(0, abs=10 * float(cases.step))
    assert nearest(cases, image, 1).cases[0].distance == pytest.approx(100, rel=1e-3)


def test_how_unusual_a_distance_is_follows_from_the_validation_images() -> None:
    table, stored = rows([str(number) for number in range(30)]), features(30, 8)
    own = features(50, 8, 1)
    cases = fit_cases(table, stored, own)
    usual = [by_hand(table, stored, one, 1)[0][0] for one in own]
    np.testing.assert_allclose(cases.usual, sorted(usual), rtol=0.02, atol=0.02)
    for image in features(10, 8, 2):
        found = nearest(cases, image)
        expected = np.mean(np.array(usual) < by_hand(table, stored, image, 1)[0][0])
        assert found.n == 50
        assert found.farther_than == pytest.approx(expected, abs=0.041), "two images may change places by rounding"
    far = nearest(cases, stored[0] + 1000)
    assert far.farther_than == 1.0
    assert nearest(cases, stored[0]).farther_than == 0.0


def test_without_validation_images_there_is_a_reason() -> None:
    found = nearest(fit_cases(rows(["a", "b"]), features(2, 4), None), features(1, 4)[0])
    assert isinstance(found.farther_than, NotApplicable)
    assert found.n == 0
    assert "no validation images of its own" in described(found)


def test_neighbors_in_words() -> None:
    cases = tuple(Case(f"{n}.jpeg", str(n), Label(n < 3), Subtype.NONE, 1.0 + n) for n in range(5))
    assert described(Neighbors(cases, 4471, 0.9934, 761)) == (
        "Labels of the 5 nearest of 4,471 training images, each of another patient: 3 PNEUMONIA, 2 NORMAL. The image is "
        "farther from the nearest than 99.3 % of the 761 validation images are from theirs."
    )


def test_the_worker_stores_the_images_that_it_trained_on(
    finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMO_ARTIFACTS", str(finished_run.artifacts))
    run = RunDirectory(finished_run.path)
    index: DataIndex = load_index(read_data(run).data_id)
    rows_of = assign(index.table, classifier_config(run))
    cases = read_cases(run)
    assert isinstance(cases, Cases)
    trained = index.table.iloc[rows_of.train]
    for column in ("image_id", "patient_id", "label", "subtype"):
        assert getattr(cases, column).tolist() == trained[column].tolist()
    assert len(cases.usual) == len(rows_of.val)
    # One of them is its own nearest case.
    name = trained["image_id"].iloc[3]
    data = (index.root / name).read_bytes()
    prediction = classify(load_classifier(run), data, name)
    assert prediction.features is not None
    first = nearest(cases, prediction.features).cases[0]
    scale = float(cases.step * np.linalg.norm(cases.components.astype(float).std(axis=1)))
    assert first.image_id == name
    assert first.distance < 0.05 * scale


class TestFile:
    @pytest.fixture
    def run(self, with_finished_run: FinishedRun) -> RunDirectory:
        return RunDirectory(with_finished_run.path)

    def test_bytes_and_back(self, run: RunDirectory) -> None:
        cases = fit_cases(rows(["a", "b", "c"]), features(3, 4), features(2, 4, 1))
        data = cases_to_bytes(cases)
        assert data == cases_to_bytes(cases)
        run.cases.write_bytes(data)
        vouch_for(run)
        found = read_cases(run)
        assert isinstance(found, Cases)
        for name in Cases.__slots__:
            received, expected = getattr(found, name), getattr(cases, name)
            assert received.dtype == expected.dtype
            assert np.array_equal(received, expected)

    def test_an_older_run_says_which_command_adds_it(self, run: RunDirectory) -> None:
        run.cases.unlink()
        vouch_for(run)
        found = read_cases(run)
        assert isinstance(found, NotApplicable)
        assert f"'runs refresh {run.run_id}'" in found.reason

    def test_another_content_is_refused(self, run: RunDirectory) -> None:
        pickled, lacking = io.BytesIO(), io.BytesIO()
        np.savez(pickled, **dict.fromkeys(Cases.__slots__, np.array([{}], dtype=object)))
        np.savez(lacking, image_id=np.array(["a"]))
        for data in (b"", b"PK no archive", pickled.getvalue(), lacking.getvalue()):
            run.cases.write_bytes(data)
            vouch_for(run)
            with pytest.raises(CorruptError) as caught:
                read_cases(run)
            assert_one_line(caught.value, "cases.npz", run.run_id)


def test_images_that_are_all_alike_are_at_no_distance() -> None:
    stored = np.full((4, 3), 7, np.float32)
    cases = fit_cases(rows(["a", "b", "c", "d"]), stored, stored)
    assert [one.distance for one in nearest(cases, stored[0]).cases] == [0, 0, 0, 0]
    (alone,) = nearest(fit_cases(rows(["a"]), stored[:1], None), stored[0] + 1).cases
    assert alone.distance == pytest.approx(np.sqrt(3))
