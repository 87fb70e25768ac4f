"""The whole report: its parts, what real images reach, what is left out, and its way to JSON and back."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from pneumo_core.errors import DataError
from pneumo_core.evaluation.generator import discrepancy
from pneumo_core.evaluation.generator.measures import (
    FeatureMeasures,
    Features,
    GenerativeReport,
    feature_measures,
    halves,
    measure,
    ratio,
)
from pneumo_core.evaluation.generator.memorisation import memorisation
from pneumo_core.evaluation.generator.neighbours import precision_recall
from pneumo_core.evaluation.plain import decode, encode
from pneumo_core.records import Estimate, NotApplicable

PATIENTS = np.array([f"p{number:03}" for number in np.repeat(np.arange(80), [1, 1, 2, 2] * 20)])
NO_FEATURES, NO_LOGITS = NotApplicable("there is no model of features"), NotApplicable("there is no classifier")


def images(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.kron(rng.integers(0, 256, (count, 4, 4), dtype=np.uint8), np.ones((1, 4, 4), np.uint8))


def features(seed: int = 0, shift: float = 0.0, generated: int = 150) -> Features:
    rng = np.random.default_rng(seed)
    return Features(
        "test, block 1",
        rng.standard_normal((len(PATIENTS), 6)).astype(np.float32),
        (shift + rng.standard_normal((generated, 6))).astype(np.float32),
    )


@pytest.fixture(scope="module")
def report() -> GenerativeReport:
    logits = np.random.default_rng(3).normal(size=150)
    return measure(images(0, 120), PATIENTS, images(1, 150), features=features(shift=0.5), logits=logits, threshold=0.7)


def test_the_report_is_made_of_its_parts(report: GenerativeReport) -> None:
    assert (report.image_size, report.n_real, report.n_patients, report.n_generated) == (16, 120, 80, 150)
    assert report.features == feature_measures(features(shift=0.5), PATIENTS)
    assert report.collapse.passes
    assert report.memorisation_pixels == memorisation(images(1, 150), images(0, 120), PATIENTS)
    in_space = features(shift=0.5)
    assert report.memorisation_features == memorisation(in_space.generated, in_space.real, PATIENTS)
    called = np.random.default_rng(3).normal(size=150) >= np.log(0.7 / 0.3)
    assert isinstance(report.called_pneumonia, Estimate)
    assert report.called_pneumonia.value == pytest.approx(called.mean())


def test_the_report_survives_json(report: GenerativeReport) -> None:
    left_out = replace(
        report,
        features=NO_FEATURES,
        memorisation_features=NO_FEATURES,
        called_pneumonia=NO_LOGITS,
    )
    for each in (report, left_out):
        assert decode(GenerativeReport, json.loads(json.dumps(encode(each), allow_nan=False)), "report") == each
    assert encode(left_out)["features"] == {"not_applicable": NO_FEATURES.reason}
    assert len(encode(report)["memorisation_pixels"]["nearest"]) == 150


def test_damaged_data_are_refused(report: GenerativeReport) -> None:
    data = encode(report)
    with pytest.raises(DataError, match="report must hold exactly"):
        decode(GenerativeReport, [], "report")
    with pytest.raises(DataError, match="report must hold exactly"):
        decode(GenerativeReport, {**data, "extra": 1}, "report")
    with pytest.raises(DataError, match=r"report\.n_real must be of type int"):
        decode(GenerativeReport, {**data, "n_real": True}, "report")
    with pytest.raises(DataError, match=r"report\.collapse must hold exactly"):
        decode(GenerativeReport, {**data, "collapse": {"not_applicable": "x"}}, "report")


def test_what_is_left_out_says_why() -> None:
    found = measure(images(0, 120), PATIENTS, images(1, 20), features=NO_FEATURES, logits=NO_LOGITS)
    assert found.features == found.memorisation_features == NO_FEATURES
    assert found.called_pneumonia == NO_LOGITS


def slow_floors() -> dict[str, list[float]]:
    """The measures of splits, made again from their public parts, split by split."""
    in_space = features(shift=0.5)
    rows = []
    rng = np.random.default_rng(0)
    for in_first in halves(80, 15):
        here = np.isin(PATIENTS, np.unique(PATIENTS)[in_first])
        first, second = np.flatnonzero(here), np.flatnonzero(~here)
        size = min(len(first), 150)
        ours = in_space.generated[rng.choice(150, size, replace=False)]
        theirs = in_space.real[rng.choice(first, size, replace=False)]
        reference = in_space.real[second]
        matched, ceiling = precision_recall(reference, ours), precision_recall(reference, theirs)
        rows.append(
            {
                "fid_matched": discrepancy.fid(ours, reference).value,
                "fid_floor": discrepancy.fid(theirs, reference).value,
                "precision_matched": matched.precision.value,
                "precision_ceiling": ceiling.precision.value,
                "recall_matched": matched.recall.value,
                "recall_ceiling": ceiling.recall.value,
            }
        )
    kid_floor = []
    for in_first in halves(80, 40):
        here = np.isin(PATIENTS, np.unique(PATIENTS)[in_first])
        sides = in_space.real[here], in_space.real[~here], PATIENTS[here], PATIENTS[~here]
        kid_floor.append(discrepancy.kid(*sides).value)
    return {"kid_floor": kid_floor, **{name: [row[name] for row in rows] for name in rows[0]}}


def test_floors_are_means_over_halves() -> None:
    found = feature_measures(features(shift=0.5), PATIENTS, kid_splits=40, splits=15)
    for name, values in slow_floors().items():
        estimate = getattr(found, name)
        assert estimate.value == pytest.approx(np.mean(values), rel=1e-9)
        assert (estimate.low, estimate.high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), rel=1e-9)
        assert estimate.n == pytest.approx(120, abs=2)
    assert found.space == "test, block 1"
    real, generated = features(shift=0.5).real, features(shift=0.5).generated
    assert found.kid == discrepancy.kid(real, generated, PATIENTS)
    assert found.fid == discrepancy.fid(real, generated, PATIENTS)
    assert found.kid_ratio == ratio(found.kid, found.kid_floor.high, "")
    assert found.fid_ratio_to_mean == ratio(found.fid_matched, found.fid_floor.value, "")


def test_a_perfect_generator_reaches_the_floors() -> None:
    found = feature_measures(features(1), PATIENTS)
    worse = feature_measures(features(1, shift=1.0), PATIENTS)
    assert found.kid.low < 0 < found.kid.high < worse.kid.low
    assert found.fid_matched.value == pytest.approx(found.fid_floor.value, rel=0.2)
    # All images against half of them: the bias is why only equal numbers are compared.
    assert found.fid.value < 0.8 * found.fid_floor.value
    assert worse.fid_ratio.value > 2 > found.fid_ratio.value
    assert isinstance(found.kid_ratio_to_mean, NotApplicable)
    assert found.precision_matched.value == pytest.approx(found.precision_ceiling.value, abs=0.1)
    assert found.recall_matched.value == pytest.approx(found.recall_ceiling.value, abs=0.1)
    assert worse.precision_matched.value < found.precision_matched.value - 0.1


def test_another_seed_of_the_halves_gives_the_same_floors() -> None:
    """Ten halves of these images put the upper end of KID's floor anywhere between a quarter and twice its mean."""
    found = [feature_measures(features(shift=0.5), PATIENTS, seed=seed) for seed in range(4)]
    for name, tolerance in (
        ("kid_floor", 0.1),
        ("fid_floor", 0.15),
        ("precision_ceiling", 0.05),
        ("recall_ceiling", 0.03),
    ):
        ends = [getattr(each, name).high for each in found]
        assert ends == pytest.approx([np.mean(ends)] * 4, rel=tolerance)


def test_ratios() -> None:
    measured = Estimate(2.0, 1.0, 3.0, 10)
    assert ratio(measured, 4.0, "it") == Estimate(0.5, 0.25, 0.75, 10)
    for unit in (0.0, -1.0):
        refused = ratio(measured, unit, "the floor's mean")
        assert isinstance(refused, NotApplicable)
        assert "the floor's mean is" in refused.reason


def test_halves_are_random_and_even() -> None:
    splits = halves(81, 200, seed=4)
    assert splits.shape == (200, 81)
    assert (splits.sum(axis=1) == 40).all()
    assert len(np.unique(splits, axis=0)) == 200
    # Each patient is in 99 of 200 halves, give or take 7.
    assert np.abs(splits.sum(axis=0) - 200 * 40 / 81).max() < 5 * 7
    np.testing.assert_array_equal(halves(81, 20, seed=4), splits[:20])


def test_the_fewest_images_are_measured() -> None:
    rng = np.random.default_rng(5)
    few = Features("few", rng.standard_normal((8, 20)), rng.standard_normal((8, 20)))
    found = measure(images(6, 8), np.arange(8), images(7, 8), features=few, logits=np.zeros(8))
    values = [getattr(found.features, field.name) for field in fields(FeatureMeasures)]
    assert all(isinstance(value, str | Estimate | NotApplicable) for value in values)
    assert decode(GenerativeReport, json.loads(json.dumps(encode(found), allow_nan=False)), "report") == found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"generated": images(1, 0)}, "samples=0"),
        ({"generated": images(1, 7)}, "require 8 samples"),
        ({"patients": np.arange(120) % 7}, "patients=7"),
        ({"patients": PATIENTS[1:]}, "one per real image"),
        ({"generated": images(1, 20)[:, :12, :12]}, "of one size"),
        ({"generated": images(1, 20).astype(np.float32)}, "uint8"),
        ({"real": images(0, 120)[:, :8, :8], "generated": images(1, 20)[:, :8, :8]}, "at least 11 pixels"),
        ({"features": features(generated=19)}, "of the same images"),
        ({"features": replace(features(generated=20), real=np.full((120, 6), np.nan))}, "must be finite"),
        ({"logits": np.zeros(19)}, "one per sample"),
        ({"logits": np.full(20, np.nan)}, "finite=False"),
        ({"logits": np.zeros(20), "threshold": 1.5}, "threshold=1.5"),
    ],
)
def test_bad_input_is_refused(change: dict[str, object], message: str) -> None:
    arguments = {"real": images(0, 120), "patients": PATIENTS, "generated": images(1, 20)}
    with pytest.raises(DataError, match=message):
        measure(**{**arguments, "features": NO_FEATURES, "logits": NO_LOGITS, **change})
