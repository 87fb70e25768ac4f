"""The verdict claims what every test allows, and nothing more."""

from dataclasses import replace

import numpy as np
import pytest

from pneumo_core.evaluation.comparison import Comparison, Difference, Direction, Verdict
from pneumo_core.evaluation.significance import McNemar, SeedDifference, holm
from pneumo_core.evaluation.verdict import HEADLINE, MULTIPLICITY, deciding_p, figure_p, judge
from pneumo_core.evaluation.wording import p_text
from pneumo_core.records import Estimate, Metric, NotApplicable, Split
from tests.evaluation.test_comparison import compared, run

SHOWN = Difference(Estimate(0.05, 0.01, 0.09, 120), 0.01)
NOT_SHOWN = Difference(Estimate(0.05, -0.01, 0.11, 120), 0.1)
TELLING = McNemar(100, 2, 15, 3, 0.002, 0.003)


@pytest.fixture(scope="module")
def two_runs() -> Comparison:
    return compared([run("a")], [run("b")])


@pytest.fixture(scope="module")
def two_groups() -> Comparison:
    return compared([run("a", seed=seed) for seed in range(3)], [run("b", seed=seed) for seed in range(3)])


def said(comparison: Comparison, difference: Difference, **changes: object) -> Verdict:
    changed = replace(comparison, differences=comparison.differences | {Metric.ACCURACY: difference})
    return judge(replace(changed, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("difference", "claims"),
    [
        (SHOWN, True),
        (replace(SHOWN, p=0.2), False),
        (replace(NOT_SHOWN, p=0.01), False),
        (NOT_SHOWN, False),
    ],
)
def test_a_difference_between_two_runs_needs_the_interval_and_the_test(
    two_runs: Comparison, difference: Difference, claims: bool
) -> None:
    found = said(two_runs, difference, mcnemar=TELLING)
    sentence, notes = found.sentence, found.notes
    assert (found.claimed, found.direction) == (claims, Direction.HIGHER)
    assert ("is more accurate" in sentence) == claims
    assert ("No difference in accuracy is shown" in sentence) != claims
    assert sentence.endswith(", on 120 test images of 60 patients.")
    # The one p of the figure, with its test: McNemar's, whose larger version the comparison has.
    assert f", {p_text(difference.p)} (McNemar, clustered), on" in sentence
    assert sentence.count("p\N{NO-BREAK SPACE}") == 1
    assert any("about these models" in note for note in notes)
    assert any("excludes 0" in note for note in notes) == (difference.estimate == SHOWN.estimate and not claims)


@pytest.mark.parametrize(("p", "value", "claims"), [(0.01, 0.05, True), (0.2, 0.05, False), (0.01, -0.05, False)])
def test_a_difference_between_groups_needs_patients_and_seeds(
    two_groups: Comparison, p: float, value: float, claims: bool
) -> None:
    seeds = SeedDifference(value=value, low=value - 0.01, high=value + 0.01, p=p, k_a=3, k_b=3)
    found = said(two_groups, SHOWN, seeds=two_groups.seeds | {Metric.ACCURACY: seeds})
    sentence, notes = found.sentence, found.notes
    assert found.claimed == claims
    assert ("is more accurate" in sentence) == claims
    assert "over 3 runs of A and 3 runs of B" in sentence
    assert f"{p_text(max(p, 0.01))} (Welch over seeds)" in sentence
    assert sentence.count("p\N{NO-BREAK SPACE}") == 1
    assert claims or any("not every test" in note for note in notes)


def test_a_fall_is_claimed_downwards(two_runs: Comparison) -> None:
    found = said(two_runs, Difference(Estimate(-0.05, -0.09, -0.01, 120), 0.01), mcnemar=TELLING)
    assert (found.claimed, found.direction) == (True, Direction.LOWER)
    assert "B is less accurate than A" in found.sentence


def test_several_runs_against_one_claim_nothing() -> None:
    found = compared([run("a", shift=0.3, seed=seed) for seed in range(3)], [run("b", shift=3.0)])
    estimate = found.differences[Metric.ACCURACY].estimate
    assert isinstance(estimate, Estimate)
    assert estimate.low > 0
    assert isinstance(found.mcnemar, NotApplicable)
    assert "No difference in accuracy is shown" in found.verdict.sentence
    # On the same images, although no pair of runs has a test of its own.
    assert "(bootstrap over patients)" in found.verdict.sentence
    assert "unpaired" not in found.verdict.sentence
    assert any(note.startswith("B is a single run and the other side several") for note in found.verdict.notes)
    assert not any("not every test" in note for note in found.verdict.notes)


@pytest.mark.parametrize(
    ("count_a", "count_b", "words"),
    [
        (1, 1, "Each side has a single training run"),
        (1, 3, "One side has a single training run"),
        (2, 2, "Each side has only two seeds"),
        (3, 2, "One side has only two seeds"),
    ],
)
def test_a_note_says_that_few_seeds_say_little(count_a: int, count_b: int, words: str) -> None:
    a, b = ([run(name, seed=seed) for seed in range(count)] for name, count in (("a", count_a), ("b", count_b)))
    assert any(note.startswith(words) for note in compared(a, b).verdict.notes)


def test_runs_that_agree_on_every_image_do_not_differ() -> None:
    found = judge(compared([run("a")], [replace(run("a"), run_id="b")]))
    assert (found.claimed, found.direction) == (False, Direction.NEITHER)
    assert "correct and wrong on the same images" in found.sentence


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (True, True, "Both selected"),
        (True, False, "A selected its epochs on the test"),
        (False, True, "B selected its epochs"),
    ],
)
def test_selection_on_test_is_noted(two_runs: Comparison, a: bool, b: bool, words: str) -> None:
    changed = replace(two_runs, a=replace(two_runs.a, selected_on_test=a), b=replace(two_runs.b, selected_on_test=b))
    assert any(note.startswith(words) for note in judge(changed).notes)


def test_a_change_in_the_kind_of_error_is_noted_beside_accuracy(two_runs: Comparison) -> None:
    differences = dict.fromkeys(two_runs.differences, NOT_SHOWN) | {
        Metric.SENSITIVITY: Difference(Estimate(-0.065, -0.109, -0.03, 80), 0.001),
        Metric.SPECIFICITY: Difference(Estimate(0.068, 0.009, 0.142, 40), 0.024),
    }
    notes = judge(replace(two_runs, differences=differences)).notes
    # Holm: 3 x .001 and 2 x .024.
    assert (
        "sensitivity \N{MINUS SIGN}6.5 points, 95 % interval \N{MINUS SIGN}10.9 to \N{MINUS SIGN}3.0, " + p_text(0.003)
        in notes[0]
    )
    assert "specificity +6.8 points, 95 % interval +0.9 to +14.2, " + p_text(0.048) in notes[0]


def test_seeds_count_in_what_is_noted_beside_accuracy(two_groups: Comparison) -> None:
    """Over patients p = .001, over seeds .022: three times the larger is .066."""
    differences = dict.fromkeys(two_groups.differences, NOT_SHOWN)
    differences |= {Metric.AUROC: Difference(Estimate(-0.013, -0.024, -0.005, 120), 0.001)}
    seeds = SeedDifference(value=-0.013, low=-0.023, high=-0.003, p=0.022, k_a=3, k_b=3)
    changed = replace(two_groups, differences=differences, seeds=two_groups.seeds | {Metric.AUROC: seeds})
    assert judge(changed).notes[0] == "Besides accuracy no difference is shown in sensitivity, specificity or AUROC."
    surer = replace(changed, seeds=changed.seeds | {Metric.AUROC: replace(seeds, p=0.01)})
    assert (
        "AUROC \N{MINUS SIGN}0.013, 95 % interval \N{MINUS SIGN}0.024 to \N{MINUS SIGN}0.005 over patients, "
        f"\N{MINUS SIGN}0.023 to \N{MINUS SIGN}0.003 over seeds, {p_text(0.030)} (Welch over seeds)"
        in judge(surer).notes[0]
    )


def test_every_main_figure_has_one_p_and_the_adjustment_is_said_once(
    two_runs: Comparison, two_groups: Comparison
) -> None:
    for comparison in (two_runs, two_groups):
        findings = comparison.verdict.findings
        assert tuple(finding.metric for finding in findings) == HEADLINE
        raw = [deciding_p(comparison, metric)[0] for metric in HEADLINE]
        assert all(isinstance(p, float) for p in raw)
        assert [finding.p for finding in findings] == [raw[0], *holm(raw[1:])]  # type: ignore[arg-type]
        assert findings[0].claimed == comparison.verdict.claimed
        assert comparison.verdict.notes.count(MULTIPLICITY) == 1
        for metric in Metric:
            expected = dict(zip(HEADLINE, [finding.p for finding in findings], strict=True))
            assert figure_p(comparison, metric) == expected.get(metric, deciding_p(comparison, metric)[0])


def test_accuracy_and_the_weighted_recall_are_one_figure_with_one_p(
    two_runs: Comparison, two_groups: Comparison
) -> None:
    elsewhere = compared([run("a")], [run("b", n=90)])
    assert not elsewhere.paired
    for comparison in (two_runs, two_groups, elsewhere):
        accuracy, recall = (comparison.differences[metric] for metric in (Metric.ACCURACY, Metric.WEIGHTED_RECALL))
        assert accuracy == recall
        assert figure_p(comparison, Metric.ACCURACY) == figure_p(comparison, Metric.WEIGHTED_RECALL)
        assert deciding_p(comparison, Metric.ACCURACY) == deciding_p(comparison, Metric.WEIGHTED_RECALL)
        assert comparison.seeds[Metric.ACCURACY] == comparison.seeds[Metric.WEIGHTED_RECALL]
        for side in (comparison.a, comparison.b):
            assert side.figures[Metric.ACCURACY] == side.figures[Metric.WEIGHTED_RECALL]


def test_a_finding_without_a_p_has_its_reason(two_runs: Comparison) -> None:
    missing = NotApplicable("no image is NORMAL")
    found = judge(replace(two_runs, differences=two_runs.differences | {Metric.AUROC: Difference(missing, missing)}))
    assert found.findings[-1].p == missing
    assert not found.findings[-1].claimed


def test_validation_is_noted_as_optimistic(two_runs: Comparison) -> None:
    assert any("these figures are optimistic" in note for note in judge(replace(two_runs, split=Split.VAL)).notes)


def test_another_mix_of_classes_claims_nothing_of_accuracy() -> None:
    a, b = run("a", n=600, shift=1.0), run("b", n=600, shift=1.0, first=5000)
    few = b.predictions[(b.predictions["label"] == 0) | (np.arange(600) % 12 == 1)].reset_index(drop=True)
    found = compared([a], [replace(b, predictions=few)])
    assert "No difference in accuracy is shown" in found.verdict.sentence
    assert any("differ in prevalence: 67 % and 20 % are PNEUMONIA" in note for note in found.verdict.notes)


def test_no_verdict_without_an_interval(two_runs: Comparison) -> None:
    missing = NotApplicable("there is one patient")
    found = said(two_runs, Difference(missing, missing))
    assert (found.claimed, found.direction) == (False, Direction.NEITHER)
    assert "cannot be compared" in found.sentence
    one = said(two_runs, Difference(missing, missing), a=replace(two_runs.a, n=1, n_patients=1)).sentence
    assert one == (
        "A and B cannot be compared by the difference in accuracy, on 1 test image of 1 patient: there is one patient."
    )


def test_claims_about_nothing_are_rare() -> None:
    """Runs that differ by chance alone: the verdict claims a difference in at most about one of twenty."""
    claims = 0
    for seed in range(60):
        a, b = run("a", seed=seed), run("b", seed=seed)
        claims += judge(compared([a], [b])).claimed
    assert claims <= 6  # Binomial(60, .05) exceeds this with a chance of 3 %.
