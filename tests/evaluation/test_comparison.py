"""Comparisons on made-up predictions, against slow recomputation, and where statistics end.

By way of all its steps: `compare` and its `sides`.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pneumo_core.config.classifier import OperatingRule
from pneumo_core.errors import DataError
from pneumo_core.evaluation.compare import compare
from pneumo_core.evaluation.comparison import Comparison, Evidence
from pneumo_core.evaluation.plain import decode, encode
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.report import evaluate
from pneumo_core.evaluation.significance import DeLong, McNemar, SeedDifference, larger_p, mcnemar
from pneumo_core.records import Estimate, Label, Metric, NotApplicable, Split


def run(
    name: str, *, shift: float = 1.5, seed: int = 0, n: int = 120, per_patient: int = 2, first: int = 0
) -> Evidence:
    """A run on n images of which two thirds are PNEUMONIA; `shift` is how well it tells them apart."""
    rng = np.random.default_rng([seed, sum(map(ord, name))])
    labels = (np.arange(n) % 3 > 0).astype(int)
    ids = np.arange(first, first + n)
    table = pd.DataFrame(
        {
            "image_id": [f"image-{place:04d}" for place in ids],
            "patient_id": [f"patient-{place // per_patient:04d}" for place in ids],
            "label": labels,
            "subtype": np.where(labels == 1, "bacteria", "none"),
            "logit": rng.normal(shift * (2 * labels - 1), 1.5),
        }
    )
    return Evidence(name, seed, 0.5, False, table)


def compared(a: list[Evidence], b: list[Evidence], **changes: object) -> Comparison:
    return compare(a, b, split=Split.TEST, replicates=400, **changes)  # type: ignore[arg-type]


def test_a_single_runs_figures_are_those_of_its_own_report() -> None:
    a = run("a")
    side = compare([a], [run("b")], split=Split.TEST).a
    report = evaluate(
        a.predictions.assign(split="test"), run_id="a", rule=OperatingRule.HALF, selected_on_test=False
    ).splits[Split.TEST]
    for metric in ("accuracy", "sensitivity", "specificity", "ppv", "npv", "auroc", "auprc", "brier", "log_loss"):
        own, here = getattr(report, metric), side.figures[Metric(metric)]
        assert isinstance(here, Estimate)
        assert (here.value, here.low, here.high) == pytest.approx((own.value, own.low, own.high), abs=1e-12)
    assert side.confusions == (report.confusion,)


def test_differences_are_b_minus_a_and_swapping_turns_them() -> None:
    a, b = run("a", shift=1.0), run("b", shift=2.0)
    there, back = compared([a], [b]), compared([b], [a])
    for metric in Metric:
        one, other = there.differences[metric].estimate, back.differences[metric].estimate
        assert isinstance(one, Estimate)
        assert isinstance(other, Estimate)
        of_b, of_a = there.b.figures[metric], there.a.figures[metric]
        assert isinstance(of_a, Estimate)
        assert isinstance(of_b, Estimate)
        assert one.value == pytest.approx(of_b.value - of_a.value)
        assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-9)
    assert isinstance(there.mcnemar, McNemar)
    assert isinstance(back.mcnemar, McNemar)
    assert (there.mcnemar.only_a, there.mcnemar.p) == (back.mcnemar.only_b, back.mcnemar.p)


def test_the_interval_of_a_paired_difference_is_that_of_a_slow_bootstrap() -> None:
    a, b = run("a", shift=1.0), run("b", shift=1.6)
    found = compare([a], [b], split=Split.TEST).differences[Metric.ACCURACY].estimate
    assert isinstance(found, Estimate)
    labels, patients = a.predictions["label"].to_numpy(), a.predictions["patient_id"].to_numpy()
    gain = [(probability(each.predictions["logit"].to_numpy()) >= 0.5) == (labels == 1) for each in (a, b)]
    change = gain[1].astype(float) - gain[0]
    by_patient = [change[patients == name] for name in np.unique(patients)]
    rng = np.random.default_rng(7)
    means = [
        np.concatenate([by_patient[place] for place in rng.integers(0, len(by_patient), len(by_patient))]).mean()
        for _ in range(4000)
    ]
    # BCa moves the percentiles a little; both have some hundredths of a width of noise.
    assert (found.low, found.high) == pytest.approx(np.percentile(means, [2.5, 97.5]).tolist(), abs=0.012)


def test_the_pair_of_a_comparison_is_mcnemars_and_delongs() -> None:
    found = compared([run("a", shift=1.0)], [run("b", shift=2.0)])
    assert found.paired
    assert found.n_both == 120
    assert isinstance(found.mcnemar, McNemar)
    assert isinstance(found.delong, DeLong)
    (pair,) = found.pairs
    for test, adjusted in ((found.mcnemar, pair.mcnemar_holm), (found.delong, pair.delong_holm)):
        assert isinstance(test.p_clustered, float)
        assert adjusted == larger_p(test) == max(test.p, test.p_clustered)
    discordant = found.mcnemar.only_a + found.mcnemar.only_b
    assert found.mcnemar.p == pytest.approx(stats.binomtest(found.mcnemar.only_a, discordant).pvalue)


def test_groups_are_means_over_seeds_and_keep_the_seeds_spread_apart() -> None:
    a = [run("a", shift=1.0, seed=seed) for seed in range(3)]
    b = [run("b", shift=2.0, seed=seed) for seed in range(3)]
    found = compared(a, b)
    singles = [compared([one], [other]) for one, other in zip(a, b, strict=True)]
    gains = [single.differences[Metric.AUROC].estimate for single in singles]
    mean, seeds = found.differences[Metric.AUROC].estimate, found.seeds[Metric.AUROC]
    assert isinstance(mean, Estimate)
    assert mean.value == pytest.approx(np.mean([gain.value for gain in gains if isinstance(gain, Estimate)]))
    aurocs = [
        [figure.value for single in singles if isinstance(figure := side(single).figures[Metric.AUROC], Estimate)]
        for side in (lambda single: single.a, lambda single: single.b)
    ]
    assert isinstance(seeds, SeedDifference)
    welch = stats.ttest_ind(aurocs[1], aurocs[0], equal_var=False)
    assert seeds.p == pytest.approx(welch.pvalue)
    assert (seeds.low, seeds.high) == pytest.approx(tuple(welch.confidence_interval()))
    assert [(pair.a, pair.b) for pair in found.pairs] == [("a", "b")] * 3
    several = NotApplicable("a side has several runs, and each pair of runs has its own")
    assert found.mcnemar == found.delong == several
    raw = [larger_p(pair.mcnemar) for pair in found.pairs if isinstance(pair.mcnemar, McNemar)]
    first = min(range(3), key=lambda place: raw[place])
    assert found.pairs[first].mcnemar_holm == pytest.approx(min(1.0, 3 * raw[first]))


def test_runs_of_equal_seed_are_paired_whatever_their_order() -> None:
    a = [run(f"a{seed}", seed=seed) for seed in (0, 1, 2)]
    b = [run(f"b{seed}", seed=seed) for seed in (2, 1, 5)]
    assert [(pair.a, pair.b) for pair in compared(a, b).pairs] == [("a1", "b1"), ("a2", "b2")]


@pytest.mark.parametrize("first", [60, 1000], ids=["partly the same images", "other images"])
def test_different_images_are_compared_unpaired(first: int) -> None:
    a, b = run("a", shift=1.0), run("b", shift=2.0, first=first)
    found = compared([a], [b])
    assert not found.paired
    assert found.n_both == max(0, 120 - first)
    assert isinstance(found.mcnemar, NotApplicable)
    assert "different images" in found.mcnemar.reason
    assert isinstance(found.delong, DeLong)
    estimate = found.differences[Metric.ACCURACY].estimate
    assert isinstance(estimate, Estimate)
    assert estimate.low < estimate.value < estimate.high
    assert "(unpaired intervals)" in found.verdict.sentence
    assert "that are not paired" in found.verdict.sentence
    assert any("Not paired" in note for note in found.verdict.notes)


def test_an_unpaired_difference_varies_as_both_sides_do() -> None:
    a, b = run("a", n=600, per_patient=1), run("b", n=600, per_patient=1, first=5000)
    found = compare([a], [b], split=Split.TEST)
    estimate = found.differences[Metric.ACCURACY].estimate
    assert isinstance(estimate, Estimate)
    shares = [side.figures[Metric.ACCURACY] for side in (found.a, found.b)]
    variance = sum(share.value * (1 - share.value) / 600 for share in shares if isinstance(share, Estimate))
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * variance**0.5, rel=0.1)


@pytest.mark.parametrize("n", [1, 20], ids=["one image", "twenty images, all right"])
def test_a_side_that_never_varies_is_not_taken_for_sure(n: int) -> None:
    a = run("a", n=90, shift=1.6)
    few = run("b", n=n, per_patient=1, first=5000)
    table = few.predictions
    sure = replace(few, predictions=table.assign(logit=np.where(table["label"] == 1, 3.0, -3.0)))
    found = compared([a], [sure])
    estimate = found.differences[Metric.ACCURACY].estimate
    assert isinstance(estimate, Estimate)
    assert estimate.low < 0
    assert "more accurate" not in found.verdict.sentence
    assert not any("a difference is shown in" in note for note in found.verdict.notes)


def test_the_p_of_a_pair_is_the_tests_that_is_made_for_it() -> None:
    a, b = run("a", shift=1.0), run("b", shift=2.0)
    found = compared([a], [b])
    labels, patients = a.predictions["label"].to_numpy(), a.predictions["patient_id"].to_numpy(dtype=str)
    right = [(probability(each.predictions["logit"].to_numpy()) >= 0.5) == (labels == 1) for each in (a, b)]
    for metric, rows in (
        (Metric.ACCURACY, labels >= 0),
        (Metric.SENSITIVITY, labels == 1),
        (Metric.SPECIFICITY, labels == 0),
    ):
        test = mcnemar(right[0][rows], right[1][rows], patients[rows])
        assert isinstance(test.p_clustered, float)
        assert found.differences[metric].p == max(test.p, test.p_clustered)
    assert isinstance(found.delong, DeLong)
    assert isinstance(found.delong.p_clustered, float)
    assert found.differences[Metric.AUROC].p == max(found.delong.p, found.delong.p_clustered)


def test_equal_names_on_phantoms_and_xrays_are_no_pair() -> None:
    found = compared([run("a")], [run("b")], same_patients=False)
    assert not found.paired
    reason = "one side was tested on phantoms and the other on X-rays, so they have no image in common"
    assert found.pairing == reason


def test_another_label_on_one_side_is_no_pair() -> None:
    a, b = run("a"), run("b")
    table = b.predictions.copy()
    table.loc[0, "label"] = 1 - table.loc[0, "label"]
    found = compared([a], [replace(b, predictions=table)])
    assert not found.paired
    assert "1 of their 120 images have another class" in found.pairing


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_only(label: int) -> None:
    a, b = (
        replace(each, predictions=each.predictions[each.predictions["label"] == label].reset_index(drop=True))
        for each in (run("a"), run("b"))
    )
    found = compared([a], [b])
    absent = "PNEUMONIA" if label == 0 else "NORMAL"
    auroc = found.a.figures[Metric.AUROC]
    assert isinstance(auroc, NotApplicable)
    assert absent in auroc.reason
    assert isinstance(found.delong, NotApplicable)
    assert isinstance(found.mcnemar, McNemar)
    assert isinstance(found.differences[Metric.ACCURACY].estimate, Estimate)
    assert decode(Comparison, encode(found), "comparison") == found


def test_one_image() -> None:
    a, b = (replace(each, predictions=each.predictions.iloc[:1]) for each in (run("a"), run("b")))
    found = compared([a], [b])
    assert isinstance(found.differences[Metric.ACCURACY].estimate, NotApplicable)
    assert found.a.n == 1
    assert "is more accurate" not in found.verdict.sentence
    assert "is less accurate" not in found.verdict.sentence


def test_constant_scores() -> None:
    a, b = (replace(each, predictions=each.predictions.assign(logit=0.3)) for each in (run("a"), run("b")))
    found = compared([a], [b])
    auroc = found.a.figures[Metric.AUROC]
    assert isinstance(auroc, NotApplicable) or auroc.value == 0.5
    assert "No difference in accuracy" in found.verdict.sentence
    npv = found.a.figures[Metric.NPV]
    assert isinstance(npv, NotApplicable)
    assert npv.reason == "no image is classified as NORMAL"


def test_an_empty_side_is_refused() -> None:
    with pytest.raises(DataError, match="at least one run"):
        compared([], [run("b")])
    with pytest.raises(DataError, match="images=0"):
        compared([replace(run("a"), predictions=run("a").predictions.iloc[:0])], [run("b")])


def test_plain_data_and_back() -> None:
    found = compared([run("a")], [run("b")])
    assert decode(Comparison, encode(found), "comparison") == found


@pytest.mark.parametrize(
    ("label", "own", "other"), [(0, "specificity", "sensitivity"), (1, "sensitivity", "specificity")]
)
def test_few_patients_of_a_class_take_only_the_figures_that_depend_on_it(label: int, own: str, other: str) -> None:
    """Nine patients of one class and many of the other."""
    whole = [run("a", shift=1.0), run("b", shift=2.0)]
    few = whole[0].predictions
    names = few.loc[few["label"] == label, "patient_id"].unique()[9:]
    kept = ~((few["label"] == label) & few["patient_id"].isin(names))
    a, b = (replace(one, predictions=one.predictions[kept].reset_index(drop=True)) for one in whole)
    found = {metric: difference.estimate for metric, difference in compared([a], [b]).differences.items()}
    for metric in (Metric(other), Metric.ACCURACY, Metric.BRIER, Metric.LOG_LOSS):
        assert isinstance(found[metric], Estimate)
    for metric in (Metric(own), Metric.AUROC, Metric.AUPRC, Metric.MACRO_F1):
        missing = found[metric]
        assert isinstance(missing, NotApplicable)
        assert missing.reason.endswith(f"10 patients of each class, and {Label(label).name} has 9")
