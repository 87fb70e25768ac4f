"""What a DCGAN's measures come to: quality, variety and copies, from the values of the table."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from pneumo_core.evaluation.generator.collapse import Collapse
from pneumo_core.evaluation.generator.measures import FeatureMeasures, GenerativeReport
from pneumo_core.evaluation.generator.memorisation import Memorisation, memorisation
from pneumo_core.evaluation.wording import signed
from pneumo_core.records import Estimate, NotApplicable
from pneumo_core.reporting.gan_findings import Aspect, Level, finding_text, gan_findings
from pneumo_core.reporting.gan_tables import NEARER

NONE = NotApplicable("no features")


def near(low: float, value: float, high: float) -> Memorisation:
    rng = np.random.default_rng(0)
    found = memorisation(rng.normal(size=(6, 2)), rng.normal(size=(8, 2)), np.arange(8))
    return replace(found, share=Estimate(value, low, high, 2534))


def report(**changes: Any) -> GenerativeReport:
    one = Estimate(0.5, 0.4, 0.6, 100)
    ratio = Estimate(19.7, 17.0, 22.4, 3683)
    features = FeatureMeasures(
        **dict.fromkeys(FeatureMeasures.__slots__, one)
        | {
            "space": "made up",
            "kid": Estimate(0.706, 0.61, 0.801, 3683),
            "kid_floor": Estimate(-0.000874, -0.0191, 0.0358, 1149),
            "kid_ratio": ratio,
            "recall_matched": Estimate(0.237, 0.194, 0.284, 1149),
            "recall_ceiling": Estimate(0.839, 0.8, 0.873, 1150),
        }
    )
    return GenerativeReport(
        image_size=64,
        n_real=1149,
        n_patients=1037,
        n_generated=2534,
        seed=0,
        features=features,
        collapse=Collapse(True, "all well", one, one, 0.8, 0.05, one),
        memorisation_pixels=near(0.002, 0.004, 0.007),
        memorisation_features=near(0.005, 0.0075, 0.009),
        called_pneumonia=NONE,
        methods="",
        **changes,
    )


def measured(**changes: Any) -> GenerativeReport:
    made = report()
    return replace(made, features=replace(cast(FeatureMeasures, made.features), **changes))


def test_each_finding_has_its_value_with_interval_and_n_beside_real_images() -> None:
    quality, variety, copies = gan_findings(report())
    assert [one.aspect for one in (quality, variety, copies)] == list(Aspect)
    assert [one.level for one in (quality, variety, copies)] == [Level.WORSE, Level.WORSE, Level.AS_REAL]
    assert "19.7 times as much" in quality.headline
    floor = signed("-0.001 (-0.019 to 0.036), n = 1,149.")
    assert f"KID 0.706 (0.610 to 0.801), n = 3,683; halves of the real images: {floor}" in quality.evidence
    assert "19.7 (17.0 to 22.4)" in quality.evidence
    assert "cover 24 % of the variety of real ones; other real images cover 84 %" in variety.headline
    assert "Recall 23.7 % (19.4 to 28.4), n = 1,149; halves of the real images: 83.9 % (80.0 to 87.3), n = 1,150" in (
        variety.evidence
    )
    assert NEARER in copies.evidence
    assert (
        "0.4 % (0.2 to 0.7) by pixels and 0.8 % (0.5 to 0.9) by features of the generated images, n = 2,534"
        in copies.evidence
    )
    assert "1 % of the real ones, n = 1,149" in copies.evidence
    made = report()
    features = cast(FeatureMeasures, made.features)
    assert (quality.value, quality.real) == (features.kid, features.kid_floor)
    assert (variety.value, variety.real) == (features.recall_matched, features.recall_ceiling)
    assert copies.value == made.memorisation_pixels.share
    assert copies.real == Estimate(0.01, 0.01, 0.01, 1149)
    assert finding_text(quality) == f"Quality: {quality.headline} {quality.evidence}"


@pytest.mark.parametrize(
    ("ratio", "level", "words"),
    [
        (Estimate(14.6, 12.0, 17.2, 100), Level.WORSE, "14.6 times as much"),
        (Estimate(1.4, 0.9, 1.9, 100), Level.OPEN, "may differ from real ones no more"),
        (Estimate(0.5, 0.2, 0.9, 100), Level.AS_REAL, "images differ from real ones no more"),
        (NotApplicable("the floor is 0"), NotApplicable("the floor is 0"), "the floor is 0"),
    ],
)
def test_quality_is_kids_ratio_to_its_floor(
    ratio: Estimate | NotApplicable, level: Level | NotApplicable, words: str
) -> None:
    quality = gan_findings(measured(kid_ratio=ratio))[0]
    assert quality.level == level
    assert words in quality.headline


@pytest.mark.parametrize(
    ("recall", "level"),
    [
        (Estimate(0.7, 0.6, 0.79, 9), Level.WORSE),
        (Estimate(0.7, 0.6, 0.8, 9), Level.OPEN),
        (Estimate(0.9, 0.85, 0.95, 9), Level.OPEN),
        (Estimate(0.95, 0.9, 0.99, 9), Level.AS_REAL),
    ],
)
def test_variety_is_recall_beside_its_ceiling(recall: Estimate, level: Level) -> None:
    assert gan_findings(measured(recall_matched=recall))[1].level is level


@pytest.mark.parametrize(
    ("pixels", "features", "level"),
    [
        ((0.002, 0.004, 0.009), (0.002, 0.004, 0.009), Level.AS_REAL),
        ((0.002, 0.004, 0.009), (0.005, 0.008, 0.012), Level.OPEN),
        ((0.002, 0.004, 0.009), (0.011, 0.02, 0.03), Level.WORSE),
        ((0.011, 0.02, 0.03), (0.002, 0.004, 0.009), Level.WORSE),
        ((0.005, 0.008, 0.012), None, Level.OPEN),
    ],
)
def test_the_worse_space_decides_on_copies(
    pixels: tuple[float, float, float], features: tuple[float, float, float] | None, level: Level
) -> None:
    made = replace(
        report(),
        memorisation_pixels=near(*pixels),
        memorisation_features=NONE if features is None else near(*features),
    )
    copies = gan_findings(made)[2]
    assert copies.level is level
    assert ("by features" in copies.evidence) is (features is not None)
    assert ("may be copies" in copies.headline) is (level is Level.WORSE)


def test_a_collapse_is_told_with_and_without_features() -> None:
    fails = replace(report().collapse, passes=False, reason="all are alike")
    variety = gan_findings(replace(measured(recall_matched=Estimate(0.9, 0.85, 0.95, 9)), collapse=fails))[1]
    assert variety.level is Level.WORSE
    assert variety.headline.startswith("The samples have collapsed: all are alike.")
    bare = gan_findings(replace(report(), features=NONE, collapse=fails))[1]
    assert (bare.level, bare.value) == (Level.WORSE, NONE)


def test_what_was_not_measured_has_its_reason() -> None:
    quality, variety, _ = gan_findings(replace(report(), features=NONE))
    for finding in (quality, variety):
        assert finding.level == finding.value == finding.real == NONE
        assert finding_text(finding).endswith("Not applicable: no features.")
