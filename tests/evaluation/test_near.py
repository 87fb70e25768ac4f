"""The band around a threshold, by counting, and the verdict in words."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pneumo_core.config.classifier import OperatingRule
from pneumo_core.evaluation.near import SHARE, Near, is_near, near, verdict
from pneumo_core.evaluation.report import OperatingPoint
from pneumo_core.records import Estimate, Label, NotApplicable, Split
from tests.made_runs import made_predictions

NONE = NotApplicable("not needed")
POINT = OperatingPoint(0.6, NONE, NONE, NONE, NONE, OperatingRule.YOUDEN, Split.VAL)
TABLE = made_predictions(n=200)


def test_the_band_holds_the_nearest_images_and_counts_what_is_read_wrongly_on_test() -> None:
    band = near(TABLE, POINT)
    assert isinstance(band, Near)
    assert (band.split, band.n) == (Split.VAL, 200)
    chance = 1 / (1 + np.exp(-TABLE["logit"].astype(float)))
    inside = TABLE[(chance >= band.low) & (chance <= band.high)]
    assert (inside["split"] == "val").sum() == SHARE * 200
    test = inside[inside["split"] == "test"]
    wrong = [
        (logit >= np.log(0.6 / 0.4)) != bool(label) for logit, label in zip(test["logit"], test["label"], strict=True)
    ]
    assert isinstance(band.inside, Estimate)
    assert isinstance(band.outside, Estimate)
    assert (band.inside.n, band.inside.value) == (len(wrong), pytest.approx(np.mean(wrong)))
    assert band.inside.n + band.outside.n == 200
    assert band.low < POINT.threshold < band.high


def test_without_images_that_set_it_there_is_no_band() -> None:
    assert isinstance(near(TABLE[TABLE["split"] == "test"], POINT), NotApplicable)
    assert isinstance(near(TABLE, replace(POINT, threshold=1.0)), NotApplicable)


def test_without_test_images_the_band_says_why_it_has_no_rate() -> None:
    band = near(pd.DataFrame(TABLE[TABLE["split"] == "val"]), POINT)
    assert isinstance(band, Near)
    assert band.inside == NotApplicable("no test image is so near the threshold")


def test_the_verdict_is_the_class_unless_the_probability_is_in_the_band() -> None:
    band = Near(0.4, 0.7, Split.VAL, 10, NONE, NONE)
    assert [is_near(chance, band) for chance in (0.39, 0.4, 0.7, 0.71)] == [False, True, True, False]
    assert verdict(0.9, Label.PNEUMONIA, band) == "Reads as PNEUMONIA"
    assert verdict(0.1, Label.NORMAL, band) == "Reads as NORMAL"
    assert verdict(0.65, Label.PNEUMONIA, band) == "Close to the threshold"
    assert verdict(0.65, Label.PNEUMONIA, NONE) == "Reads as PNEUMONIA"
