"""The sentences of `story` and `report_claims` follow the evidence: each changes where the findings do."""

from dataclasses import replace

import pytest

from pneumo_core.config.classifier import Balance, Preset
from pneumo_core.evaluation.comparison import Direction
from pneumo_core.evaluation.findings import SCHEMA, Arm, Contrast, Findings, Transfer
from pneumo_core.evaluation.wording import signed
from pneumo_core.records import Architecture, Estimate, Metric, NotApplicable
from pneumo_core.reporting import story
from pneumo_core.reporting.report_claims import Evidence, Standing, claims_table, report_claims
from pneumo_core.reporting.story import Card, Mark, balancing, cards, forest, mark_text, reproduction, transfer

NOTHING = NotApplicable("nothing")


def arm(
    accuracy: Estimate | NotApplicable,
    network: Architecture = Architecture.BASELINE,
    preset: Preset = Preset.REPORT,
    balance: Balance = Balance.NONE,
    **more: Estimate,
) -> Arm:
    figures = {
        Metric.ACCURACY: accuracy,
        Metric.SENSITIVITY: NOTHING,
        Metric.SPECIFICITY: NOTHING,
        Metric.AUROC: NOTHING,
    }
    figures |= {Metric(name): value for name, value in more.items()}
    names = (f"{network.value}-{preset.value}-{seed}" for seed in range(3))
    return Arm(network, preset, balance, preset is Preset.REPORT, tuple(names), 200, figures)


REPEATED = arm(Estimate(0.883, 0.853, 0.910, 318))
HELD_OUT = arm(Estimate(0.821, 0.763, 0.867, 318), preset=Preset.SOUND)
VGG16 = arm(Estimate(0.904, 0.874, 0.932, 318), Architecture.VGG16)
WITH = arm(Estimate(0.871, 0.841, 0.899, 318), balance=Balance.GAN)
CONTRAST = Contrast(REPEATED, WITH, Estimate(-0.012, -0.034, 0.011, 318), claimed=False, direction=Direction.LOWER)
MOVED = Transfer(
    "baseline-1", Architecture.BASELINE, 4, Estimate(0.975, 0.942, 0.989, 200), Estimate(0.517, 0.422, 0.611, 118)
)
EMPTY = Findings(SCHEMA, (), (), (), (), ())
WHOLE = Findings(SCHEMA, (REPEATED, HELD_OUT, VGG16, WITH), (CONTRAST,), (), (MOVED,), ())


def card(found: Card | NotApplicable) -> Card:
    assert isinstance(found, Card)
    return found


def test_without_evidence_nothing_is_said() -> None:
    assert all(isinstance(found, NotApplicable) for found in cards(EMPTY, None))
    assert forest(EMPTY) == ()


@pytest.mark.parametrize(
    ("repeated", "held_out", "title"),
    [
        (REPEATED, HELD_OUT, "The report's 90 % is reproduced where the epoch is picked on test images"),
        (REPEATED, replace(REPEATED, preset=Preset.SOUND, selected_on_test=False), "The report's 90 % is reproduced"),
        (REPEATED, None, "The report's 90 % is reproduced"),
        (arm(Estimate(0.8, 0.75, 0.85, 318)), HELD_OUT, "The report's 90 % is not reproduced"),
        (arm(NOTHING), HELD_OUT, "The report's 90 % is not reproduced"),
    ],
)
def test_reproduction(repeated: Arm, held_out: Arm | None, title: str) -> None:
    arms = (repeated, *((held_out,) if held_out else ()))
    assert card(reproduction(replace(WHOLE, arms=arms))).title == title


def test_reproduction_says_what_its_figure_is_of() -> None:
    found = card(reproduction(WHOLE))
    # Of the networks that have such runs alone, and outside, on either side.
    assert found.note == (
        "With the epoch picked on held-out patients ours is 82.1 %; the report's .90 is outside the intervals of these."
    )
    assert (found.value, found.interval) == ("88.3 %", "85.3 to 91.0 %")
    assert found.words == (
        "accuracy of the Baseline CNN, mean of 3 runs, by the report's procedure; test (epoch chosen on it), n = 318"
    )
    assert found.marks == (
        Mark("Baseline CNN", story.REPORT, 0.9),
        Mark("Baseline CNN", story.PICKED_ON_TEST, REPEATED.figures[Metric.ACCURACY]),
        Mark("Baseline CNN", story.HELD_OUT, HELD_OUT.figures[Metric.ACCURACY]),
        Mark("VGG16", story.REPORT, 0.92),
        Mark("VGG16", story.PICKED_ON_TEST, VGG16.figures[Metric.ACCURACY]),
    )


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ([{}], "Generated images: no improvement in accuracy is shown"),
        ([{"claimed": True, "direction": Direction.HIGHER}], "Generated images improve accuracy"),
        ([{"claimed": True}], "Generated images lower accuracy"),
        ([{}, {"claimed": True, "direction": Direction.HIGHER}], "Generated images improve accuracy in some runs"),
        ([{"claimed": True}, {}], "Generated images lower accuracy in some runs"),
    ],
)
def test_balancing(changes: list[dict[str, object]], title: str) -> None:
    contrasts = tuple(replace(CONTRAST, **change) for change in changes)
    assert card(balancing(replace(WHOLE, balancing=contrasts))).title == title


def test_balancing_gives_points_with_their_interval_and_says_where_patients_and_seeds_disagree() -> None:
    other = replace(CONTRAST, accuracy=Estimate(-0.024, -0.05, -0.002, 318))
    found = card(balancing(replace(WHOLE, balancing=(CONTRAST, other))))
    assert (found.value, found.interval) == (signed("-1.2 points"), signed("-3.4 to +1.1"))
    assert (
        found.words
        == "accuracy of the Baseline CNN, 3 runs with DCGAN images against 3 without; test (epoch chosen on it), n = 318"
    )
    assert found.note.endswith("over patients leaves out 0, but not every test that applies shows a difference.")
    assert card(balancing(WHOLE)).note == ""
    assert [mark_text(mark) for mark in found.marks] == [
        signed("-1.2 (-3.4 to 1.1) points"),
        signed("-2.4 (-5.0 to -0.2) points"),
    ]


def test_transfer_leads_with_the_recommended_run() -> None:
    holds = Transfer("vgg16-2", Architecture.VGG16, 0, Estimate(0.9, 0.85, 0.93, 200), Estimate(0.88, 0.8, 0.92, 118))
    both = replace(WHOLE, transfers=(holds, MOVED))
    found = card(transfer(both, "baseline-1"))
    assert found.title == "A threshold from ordinary validation fails on healthy test children"
    assert (found.value, found.interval) == ("51.7 %", "42.2 to 61.1 %")
    assert found.words == (
        "of normal X-rays are called NORMAL by the recommended model; test, n = 118. On validation, 97.5 % (94.2 to 98.9)"
    )
    assert [mark.row for mark in found.marks] == ["Baseline CNN, recommended"] * 2 + ["VGG16, seed 0"] * 2
    assert [mark.series for mark in found.marks] == [story.VALIDATION, story.TEST] * 2
    assert card(transfer(both, None)).value == "88.0 %"
    title = "A threshold from validation holds on healthy test children"
    assert card(transfer(replace(WHOLE, transfers=(holds,)), None)).title == title
    missing = replace(MOVED, test=NOTHING)
    assert isinstance(transfer(replace(WHOLE, transfers=(missing,)), None), NotApplicable)


def test_transfer_sets_the_recipe_beside_ordinary_validation() -> None:
    spares = Estimate(0.87, 0.80, 0.92, 118)
    weights = arm(NOTHING, Architecture.COMPACT, Preset.BEST, Balance.CLASS_WEIGHT, specificity=spares)
    generated = arm(NOTHING, Architecture.COMPACT, Preset.BEST, Balance.GAN, specificity=spares)
    found = card(transfer(replace(WHOLE, arms=(*WHOLE.arms, weights, generated)), None))
    assert (found.value, found.marks[-1]) == ("51.7 %", Mark("Compact CNN, best", story.TEST, spares))
    assert found.note == (
        "With the recipe 'best', which chooses on degraded copies, 87.0 % (80.0 to 92.0) by the Compact CNN, mean of 3 runs."
    )


def test_a_recipe_s_class_weights_are_original_images() -> None:
    weights = arm(Estimate(0.92, 0.89, 0.94, 318), Architecture.COMPACT, Preset.BEST, Balance.CLASS_WEIGHT)
    (mark,) = forest(replace(EMPTY, arms=(weights,)))
    assert (mark.row, mark.series) == ("Compact CNN, best", "ours, original")


def test_forest_has_the_report_beside_each_arm_that_repeats_it() -> None:
    marks = forest(WHOLE)
    assert [(mark.row, mark.series, mark_text(mark)) for mark in marks] == [
        ("Baseline CNN, report", "the report, original", "90 %, no interval given"),
        ("Baseline CNN, report", "ours, original", "88.3 % (85.3 to 91.0)"),
        ("Baseline CNN, sound", "ours, original", "82.1 % (76.3 to 86.7)"),
        ("VGG16, report", "the report, original", "92 %, no interval given"),
        ("VGG16, report", "ours, original", "90.4 % (87.4 to 93.2)"),
        ("Baseline CNN, report", "the report, with DCGAN images", "88 %, no interval given"),
        ("Baseline CNN, report", "ours, with DCGAN images", "87.1 % (84.1 to 89.9)"),
    ]


# --- The report's claims ----------------------------------------------------------------------------------------------


def standings(found: Findings) -> list[Standing]:
    return [claim.standing for claim in report_claims(found)]


def test_claims_stand_as_the_evidence_has_them() -> None:
    better = Contrast(REPEATED, VGG16, Estimate(0.021, -0.001, 0.043, 318), claimed=False, direction=Direction.HIGHER)
    found = replace(WHOLE, networks=(better,))
    assert standings(found) == [
        *(Standing.PARTLY, Standing.HOLDS, Standing.OPEN, Standing.PARTLY, Standing.OPEN, Standing.OPEN),
        *(Standing.HOLDS, Standing.UNKNOWN, Standing.HOLDS, Standing.OPEN),
    ]
    shown = replace(better, claimed=True)
    assert standings(replace(found, networks=(shown,)))[4] is Standing.HOLDS
    assert standings(replace(found, networks=(replace(shown, direction=Direction.LOWER),)))[4] is Standing.FAILS
    helps = replace(CONTRAST, claimed=True, direction=Direction.HIGHER)
    assert standings(replace(found, balancing=(helps,)))[1:3] == [Standing.FAILS, Standing.FAILS]
    harms = replace(CONTRAST, claimed=True)
    assert standings(replace(found, balancing=(harms,)))[1:3] == [Standing.HOLDS, Standing.FAILS]
    low = arm(Estimate(0.8, 0.75, 0.85, 318))
    assert standings(replace(found, arms=(low,)))[0] is standings(replace(found, arms=(low,)))[3] is Standing.FAILS
    alone = replace(found, arms=(REPEATED,))
    assert standings(alone)[3] is Standing.HOLDS
    one_sided = arm(
        Estimate(0.883, 0.853, 0.910, 318),
        sensitivity=Estimate(0.97, 0.95, 0.98, 200),
        specificity=Estimate(0.77, 0.7, 0.83, 118),
    )
    assert standings(replace(found, arms=(one_sided,)))[5] is Standing.HOLDS


def test_without_evidence_claims_on_runs_cannot_be_checked() -> None:
    claims = report_claims(EMPTY)
    by_runs = [claim for claim in claims if claim.evidence not in {Evidence.DATA, Evidence.NETWORK, Evidence.MODEL}]
    assert {claim.standing for claim in by_runs} == {Standing.UNKNOWN}
    assert all("  " not in claim.reason and ".." not in claim.reason for claim in claims)


def test_reasons_have_their_figures_with_interval_split_and_n() -> None:
    reasons = {claim.evidence: claim.reason for claim in report_claims(WHOLE)}
    assert signed("Baseline CNN (report) -1.2 (-3.4 to +1.1); test, n = 318") in report_claims(WHOLE)[1].reason
    same = report_claims(
        replace(WHOLE, balancing=(CONTRAST, replace(CONTRAST, accuracy=Estimate(-0.024, -0.05, -0.002, 318))))
    )[2]
    assert signed("Baseline CNN (report) -2.4 (-5.0 to -0.2); test, n = 318") in same.reason
    assert "leaves out 0, but not every test that applies shows a difference" in same.reason
    assert "leaves out 0" not in report_claims(WHOLE)[2].reason
    assert "up to 3.4 points" in report_claims(WHOLE)[2].reason
    assert ".90, .92, .88, .89" in report_claims(WHOLE)[0].reason
    assert "Baseline CNN with DCGAN images 87.1 % (84.1 to 89.9), test, n = 318" in report_claims(WHOLE)[0].reason
    assert "5,677,329 (5,676,881 trainable) and 23,760,705 (9,046,017 trainable)" in reasons[Evidence.NETWORK]
    assert "2,534 close the gap" in reasons[Evidence.DATA]
    assert "51.7 % of normal X-rays" in reasons[Evidence.MODEL]
    table = claims_table(WHOLE)
    assert table.columns == ("claim", "place", "verdict", "why")
    assert [row[2] for row in table.rows] == [claim.standing.value for claim in report_claims(WHOLE)]
