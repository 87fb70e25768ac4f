"""Planted copies are found, and fresh draws are flagged as often as the percentile says."""

from dataclasses import replace

import numpy as np
import pytest

from pneumo_core.errors import DataError
from pneumo_core.evaluation.generator.memorisation import (
    EXPECTED_SHARE,
    LEVELS,
    Memorisation,
    cumulative,
    memorisation,
    nearest_pairs,
)
from pneumo_core.records import Estimate


def draws(seed: int, count: int) -> np.ndarray:
    """Images of random coarse cells with a little fine noise, (count, 16, 16)."""
    rng = np.random.default_rng(seed)
    coarse = np.kron(rng.integers(20, 230, (count, 4, 4)), np.ones((1, 4, 4)))
    return np.clip(coarse + rng.normal(0, 4, coarse.shape), 0, 255).astype(np.uint8)


def share(found) -> float:
    assert isinstance(found.share, Estimate)
    return found.share.value


def test_fresh_draws_are_flagged_as_often_as_expected() -> None:
    real, patients = draws(0, 1500), np.arange(1500)
    in_pixels = memorisation(draws(1, 2000), real, patients)
    assert in_pixels.expected_share == EXPECTED_SHARE
    # The threshold rests on 15 images, whose number varies by 4.
    assert 0.003 < share(in_pixels) < 0.02
    rng = np.random.default_rng(2)
    in_features = memorisation(rng.standard_normal((2000, 6)), rng.standard_normal((1500, 6)), patients)
    assert 0.003 < share(in_features) < 0.02


@pytest.mark.parametrize("noise", [0, 3])
def test_copies_are_flagged(noise: float) -> None:
    real, patients = draws(3, 400), np.repeat(np.arange(200), 2)
    sources = np.array([5, 5, 17, 300])
    copies = real[sources] + np.random.default_rng(4).normal(0, noise, (4, 16, 16))
    samples = np.concatenate([np.clip(copies, 0, 255).astype(np.uint8), draws(5, 96)])
    found = memorisation(samples, real, patients)
    assert found.flagged[:4] == (True,) * 4
    assert found.nearest[:4] == tuple(sources)
    assert share(found) == np.mean(found.flagged)
    assert share(found) < 0.1
    # The same in feature space.
    as_features = memorisation(samples.reshape(100, -1) / 255, real.reshape(400, -1) / 255, patients)
    assert as_features.flagged[:4] == (True,) * 4
    assert as_features.nearest == found.nearest
    np.testing.assert_allclose(as_features.distance, 16 * np.array(found.distance), atol=1e-12)


def test_a_generator_of_nothing_but_copies() -> None:
    real = draws(6, 100)
    found = memorisation(real, real, np.arange(100))
    assert found.distance == (0,) * 100
    assert found.share == Estimate(1.0, found.share.low, 1.0, 100)
    assert found.sample_quantiles == (0,) * len(LEVELS)


def test_a_patients_own_images_do_not_lower_the_threshold() -> None:
    """Two nearly equal images of each patient: other patients are as far as ever."""
    single = draws(7, 200)
    twice = np.concatenate([single, np.clip(single.astype(int) + 1, 0, 255).astype(np.uint8)])
    one = memorisation(draws(8, 50), single, np.arange(200))
    two = memorisation(draws(8, 50), twice, np.tile(np.arange(200), 2))
    assert two.threshold == pytest.approx(one.threshold, rel=0.05)
    assert two.real_quantiles[0] > 0.01


def test_copies_are_flagged_though_the_data_holds_duplicates() -> None:
    """Images under two patients bring the 1st percentile to 0, below which nothing lies."""
    real = np.concatenate([draws(9, 50), draws(9, 50)])
    found = memorisation(np.concatenate([real[:1], draws(10, 9)]), real, np.arange(100))
    assert found.threshold == 0
    assert found.flagged == (True,) + (False,) * 9


def test_a_sample_at_the_threshold_is_not_flagged() -> None:
    real = np.array([[0.0, 0.0], [9.0, 0.0]])
    found = memorisation(np.array([[0.0, 2.0], [0.0, 1.5]]), real, np.arange(2), np.array([2.0, 2.0]))
    assert (found.threshold, found.distance, found.flagged) == (2.0, (2.0, 1.5), (False, True))


def test_quantiles_are_those_of_the_distances() -> None:
    real, samples = draws(11, 60), draws(12, 40)
    known = np.linspace(0.2, 0.5, 60)
    found = memorisation(samples, real, np.arange(60), known)
    np.testing.assert_allclose(found.sample_quantiles, np.quantile(found.distance, found.levels))
    np.testing.assert_allclose(found.real_quantiles, np.quantile(known, found.levels))
    assert found.threshold == np.quantile(known, 0.01)
    assert found.flagged == tuple(distance < found.threshold for distance in found.distance)


def test_a_single_patient_is_refused() -> None:
    with pytest.raises(DataError, match="different=1"):
        memorisation(draws(13, 5), draws(14, 5), np.zeros(5))


def test_pairs_come_nearest_first_with_their_quantile() -> None:
    found = Memorisation(
        threshold=0.2,
        share=Estimate(0.5, 0.2, 0.8, 4),
        expected_share=0.01,
        levels=(0.01, 0.5, 1.0),
        sample_quantiles=(0.0, 0.3, 0.6),
        real_quantiles=(0.1, 0.3, 0.5),
        nearest=(2, 0, 1, 0),
        distance=(0.4, 0.05, 0.6, 0.05),
        flagged=(False, True, False, True),
    )
    frame = nearest_pairs(found)
    assert frame["sample"].tolist() == [1, 3, 0, 2]
    assert frame["nearest"].tolist() == [0, 0, 2, 1]
    assert frame["distance"].tolist() == [0.05, 0.05, 0.4, 0.6]
    assert frame["quantile"].tolist() == pytest.approx([0.0, 0.0, 0.75, 1.0])
    assert frame["flagged"].tolist() == [True, True, False, False]
    # Where every distance of the real images is known, the share is counted and not interpolated.
    counted = nearest_pairs(replace(found, real_distance=(0.5, 0.05, 0.4, 0.3)))
    assert counted["quantile"].tolist() == [0.0, 0.0, 0.5, 1.0]


def test_the_cumulative_share_has_a_row_for_each_image() -> None:
    found = memorisation(draws(1, 7), draws(2, 9), np.arange(9))
    np.testing.assert_allclose(np.quantile(found.real_distance, found.levels), found.real_quantiles)
    table = cumulative(found.real_distance)
    assert len(table) == 9
    for distance, share in table.itertuples(index=False):
        assert share == pytest.approx(sum(one <= distance for one in found.real_distance) / 9)
    assert cumulative(()).empty
