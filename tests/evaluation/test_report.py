"""The report of a run: its numbers, its threshold, what it refuses, and its way through JSON."""

import copy
import json
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit as log_odds
from sklearn import metrics as oracle
from sklearn.linear_model import LogisticRegression

from pneumo_core.augmentation.stress import copy_ids
from pneumo_core.config.classifier import OperatingRule
from pneumo_core.errors import DataError
from pneumo_core.evaluation import intervals
from pneumo_core.evaluation.metrics import Confusion, FloatArray, IntArray, PrCurve, RocCurve, pr_curve, roc_curve
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.report import (
    COLUMNS,
    EvaluationReport,
    SplitReport,
    evaluate,
    report_from_dict,
    report_to_dict,
    threshold_of,
)
from pneumo_core.records import Estimate, NotApplicable, Split
from tests.made_runs import made_predictions, with_stress


def predictions(split: str, labels: Any, logits: Any, patients: Any = None) -> pd.DataFrame:
    """Predictions of one split; each image has its own patient unless they are given."""
    count = len(labels)
    return pd.DataFrame(
        {
            "image_id": [f"{split}/{index:05d}.jpeg" for index in range(count)],
            "patient_id": [f"{split}-{name}" for name in (range(count) if patients is None else patients)],
            "split": split,
            "label": np.asarray(labels, dtype=np.int64),
            "subtype": np.where(np.asarray(labels) == 1, "virus", "none"),
            "logit": np.asarray(logits, dtype=np.float32),
        }
    )


def random_predictions(split: str, seed: int, count: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    patient = np.sort(rng.integers(0, count * 2 // 3, count))
    labels = (patient % 3 > 0).astype(int)
    logits = np.round(2.5 * labels - 0.5 + rng.normal(0, 1.5, count) + rng.normal(0, 1, patient.max() + 1)[patient], 1)
    return predictions(split, labels, logits, patient)


def half(frame: pd.DataFrame) -> EvaluationReport:
    return evaluate(frame, run_id="baseline-0", rule=OperatingRule.HALF, selected_on_test=False)


def youden(frame: pd.DataFrame) -> EvaluationReport:
    return evaluate(frame, run_id="baseline-0", rule=OperatingRule.YOUDEN, selected_on_test=False)


def value(estimate: Estimate | NotApplicable) -> float:
    assert isinstance(estimate, Estimate)
    assert estimate.low <= estimate.value <= estimate.high
    return estimate.value


def logits_of(values: Any) -> np.ndarray:
    """float32 logits of probabilities."""
    array = np.asarray(values, dtype=np.float64)
    return np.log(array / (1 - array)).astype(np.float32)


@pytest.fixture(scope="module")
def both() -> pd.DataFrame:
    return pd.concat([random_predictions("val", 1), random_predictions("test", 2)], ignore_index=True)


@pytest.fixture(scope="module")
def report(both: pd.DataFrame) -> EvaluationReport:
    return youden(both)


# Numbers


def test_each_number_agrees_with_scikit_learn_at_the_reports_threshold(
    both: pd.DataFrame, report: EvaluationReport
) -> None:
    for split, part in report.splits.items():
        rows = both[both["split"] == split.value]
        y_true, values = rows["label"].to_numpy(), 1 / (1 + np.exp(-rows["logit"].to_numpy(dtype=np.float64)))
        y_pred = values >= report.operating_point.threshold
        tn, fp, fn, tp = oracle.confusion_matrix(y_true, y_pred).ravel()
        assert (part.confusion.tn, part.confusion.fp, part.confusion.fn, part.confusion.tp) == (tn, fp, fn, tp)
        assert (part.split, part.n, part.n_pneumonia) == (split, len(rows), y_true.sum())
        assert part.n_patients == rows["patient_id"].nunique()
        assert value(part.accuracy) == pytest.approx(oracle.accuracy_score(y_true, y_pred))
        assert value(part.sensitivity) == pytest.approx(oracle.recall_score(y_true, y_pred))
        assert value(part.specificity) == pytest.approx(oracle.recall_score(y_true, y_pred, pos_label=0))
        assert value(part.ppv) == pytest.approx(oracle.precision_score(y_true, y_pred))
        assert value(part.npv) == pytest.approx(oracle.precision_score(y_true, y_pred, pos_label=0))
        assert value(part.auroc) == pytest.approx(oracle.roc_auc_score(y_true, values))
        assert value(part.auprc) == pytest.approx(oracle.average_precision_score(y_true, values))
        assert value(part.brier) == pytest.approx(oracle.brier_score_loss(y_true, values))
        assert value(part.log_loss) == pytest.approx(oracle.log_loss(y_true, values))
        assert [row.name for row in part.table] == ["NORMAL", "PNEUMONIA", "accuracy", "macro avg", "weighted avg"]
        assert part.table[1].f1 == pytest.approx(oracle.f1_score(y_true, y_pred))
        sizes = [part.accuracy, part.sensitivity, part.specificity, part.ppv, part.npv, part.auroc]
        assert [estimate.n for estimate in sizes if isinstance(estimate, Estimate)] == [
            len(rows), tp + fn, tn + fp, tp + fp, tn + fn, len(rows)
        ]  # fmt: skip


def test_intervals_are_clustered_by_patient(both: pd.DataFrame, report: EvaluationReport) -> None:
    rows = both[both["split"] == "test"]
    y_true, values = rows["label"].to_numpy(), probability(rows["logit"].to_numpy())
    y_pred, patients = values >= report.operating_point.threshold, rows["patient_id"].to_numpy(dtype=str)
    part = report.splits[Split.TEST]
    assert part.accuracy == intervals.clustered_wilson(y_pred == y_true, patients)
    assert part.sensitivity == intervals.clustered_wilson(y_pred[y_true == 1], patients[y_true == 1])
    assert part.npv == intervals.clustered_wilson(y_true[~y_pred] == 0, patients[~y_pred])
    assert part.auroc == intervals.area_estimates(y_true, values, patients).auroc
    alone = half(predictions("test", rows["label"], rows["logit"])).splits[Split.TEST]
    assert alone.auroc != part.auroc
    assert alone.auroc.value == part.auroc.value  # type: ignore[union-attr]


def test_the_order_of_rows_and_other_columns_do_not_matter(both: pd.DataFrame, report: EvaluationReport) -> None:
    shuffled = both.sample(frac=1, random_state=3).assign(note="x")
    assert youden(shuffled) == report


def test_splits_do_not_touch_each_other(both: pd.DataFrame, report: EvaluationReport) -> None:
    val_alone = youden(both[both["split"] == "val"])
    assert val_alone.operating_point == report.operating_point
    assert val_alone.splits == {Split.VAL: report.splits[Split.VAL]}


def test_methods_say_what_was_done(report: EvaluationReport) -> None:
    for words in ("Wilson", "Rao and Scott", "BCa", "2,000 replicates", "seed 0", "Student", "patient", "schema 4"):
        assert words in report.methods


# Operating point


def test_half_is_one_half_and_inclusive() -> None:
    report = half(predictions("test", [0, 1, 1, 0], [0.0, 0.0, -0.1, -3.0]))
    assert report.operating_point.threshold == 0.5
    part = report.splits[Split.TEST]
    assert part.confusion == Confusion(tn=1, fp=1, fn=1, tp=1)
    assert [value(rate) for rate in (part.sensitivity, part.specificity, part.ppv, part.npv)] == [0.5] * 4


@pytest.mark.parametrize(
    ("splits", "home"),
    [(("val", "test", "train"), Split.VAL), (("train", "test"), Split.TEST), (("train",), Split.TRAIN)],
)
def test_rates_of_the_operating_point_are_those_of_its_split(splits: tuple[str, ...], home: Split) -> None:
    frames = [random_predictions(split, seed, count=30) for seed, split in enumerate(splits)]
    report = half(pd.concat(frames, ignore_index=True))
    point, part = report.operating_point, report.splits[home]
    assert (point.split, point.rule) == (home, OperatingRule.HALF)
    assert (point.sensitivity, point.specificity) == (part.sensitivity, part.specificity)
    assert (point.ppv, point.npv) == (part.ppv, part.npv)
    assert set(report.splits) == {Split(split) for split in splits}


def youden_threshold(labels: Any, logits: Any) -> float:
    return youden(predictions("val", labels, logits)).operating_point.threshold


def youden_index(labels: list[int], values: list[float], threshold: float) -> Fraction:
    """Sensitivity + specificity - 1, by counting, exactly."""
    caught = sum(value >= threshold for value, label in zip(values, labels, strict=True) if label == 1)
    spared = sum(value < threshold for value, label in zip(values, labels, strict=True) if label == 0)
    return Fraction(caught, labels.count(1)) + Fraction(spared, labels.count(0)) - 1


@settings(max_examples=50)  # each example is a whole report
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 15)), max_size=12))
def test_youden_takes_the_best_midpoint_nearest_one_half(pairs: list[tuple[int, int]]) -> None:
    labels, sixteenths = (list(column) for column in zip(*pairs, (0, 4), (1, 12), strict=True))
    logits = logits_of(np.array(sixteenths) / 16)
    values = probability(logits).tolist()
    edges = sorted({0.0, *values, 1.0})
    middles = [(low + high) / 2 for low, high in pairwise(edges)]
    best = max(youden_index(labels, values, threshold) for threshold in [*middles, *np.linspace(0, 1, 500).tolist()])
    good = [middle for middle in middles if youden_index(labels, values, middle) == best]
    assert youden_threshold(labels, logits) == min(good, key=lambda middle: (abs(middle - 0.5), middle))


def test_youden_separates_what_can_be_separated_in_the_middle() -> None:
    threshold = youden_threshold([0, 0, 1, 1], logits_of([0.1, 0.2, 0.3, 0.9]))
    assert threshold == pytest.approx(0.25, abs=1e-7)


def test_youden_of_constant_probabilities_is_a_threshold_nearest_one_half() -> None:
    # All or none are called PNEUMONIA, both of index 0: the middles of [0, .4] and [.4, 1] are .2 and .7.
    assert youden_threshold([0, 1, 1], logits_of([0.4] * 3)) == pytest.approx(0.7, abs=1e-7)


def test_youden_copes_with_probabilities_that_have_run_into_zero_and_one() -> None:
    report = youden(predictions("val", [0, 0, 1, 1], [-1000.0, -900.0, 40.0, 1000.0]))
    assert report.operating_point.threshold == 0.5
    report = youden(predictions("val", [0, 1, 1, 1], [1000.0, 1000.0, -1000.0, 1000.0]))
    assert 0 <= report.operating_point.threshold <= 1


def test_youden_between_neighbouring_floats_still_separates() -> None:
    # No float lies between these two, and their sum halved rounds to the lower one.
    # Which logit gives the upper one is for each processor's `exp` to say.
    logits = np.arange(1, 100) * 1e-17
    just_above = logits[probability(logits) > 0.5][0]
    frame = predictions("val", [0, 1], [0.0, 0.0]).assign(logit=[0.0, just_above])
    low, high = probability(frame["logit"].to_numpy())
    assert high == np.nextafter(low, 1)
    assert (low + high) / 2 == low
    report = youden(frame)
    assert report.operating_point.threshold == high
    assert report.splits[Split.VAL].confusion == Confusion(tn=1, fp=0, fn=0, tp=1)


def test_the_test_split_has_no_say_in_the_threshold(both: pd.DataFrame, report: EvaluationReport) -> None:
    flipped = both.assign(label=both["label"].where(both["split"] == "val", 1 - both["label"]))
    assert youden(flipped).operating_point == report.operating_point


@pytest.mark.parametrize(
    ("frame", "received"),
    [
        (predictions("test", [0, 1], [0.1, 0.2]), "NORMAL=0, PNEUMONIA=0"),
        (predictions("val", [1, 1], [0.1, 0.2]), "NORMAL=0, PNEUMONIA=2"),
        (predictions("val", [0], [0.1]), "NORMAL=1, PNEUMONIA=0"),
    ],
)
def test_youden_requires_validation_images_of_both_classes(frame: pd.DataFrame, received: str) -> None:
    with pytest.raises(DataError, match=rf"^the rule youden requires .* Received: {received}; [^\n]*$"):
        youden(frame)


# Little data


def test_a_single_image() -> None:
    part = half(predictions("test", [1], [2.0])).splits[Split.TEST]
    assert part.accuracy == intervals.wilson(1, 1)
    for area in (part.auroc, part.auprc, part.roc, part.pr):
        assert area == NotApplicable("both classes are needed and no image is NORMAL")
    for loss, value_of in ((part.brier, (1 / (1 + np.exp(2))) ** 2), (part.log_loss, np.log1p(np.exp(-2)))):
        reason = f"it is {value_of:.4g}, without an interval: that needs 10 patients and there is 1"
        assert loss == NotApplicable(reason)
    assert part.specificity == NotApplicable("no image is NORMAL")
    assert part.npv == NotApplicable("no image is classified as NORMAL")


def test_one_class_only() -> None:
    part = half(predictions("test", [0] * 6, np.linspace(-2, 2, 6))).splits[Split.TEST]
    for area in (part.auroc, part.auprc, part.roc, part.pr):
        assert area == NotApplicable("both classes are needed and no image is PNEUMONIA")
    assert part.sensitivity == NotApplicable("no image is PNEUMONIA")
    assert value(part.specificity) == value(part.accuracy) == 0.5
    assert value(part.ppv) == 0.0


def test_ignored_replicates_are_counted() -> None:
    part = half(predictions("test", [0, 0, 1, 1], [-1.0, 0.5, 0.2, 3.0])).splits[Split.TEST]
    # Four draws from four patients, two of each class: one class is missed with probability 2 / 2**4.
    assert part.ignored_replicates == pytest.approx(intervals.REPLICATES / 8, rel=0.15)


# Curves


@pytest.mark.parametrize("strength", [0.5, 2.0, 6.0])
def test_stored_curves_are_short_and_keep_their_shape(strength: float) -> None:
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, 2000)
    frame = predictions("test", labels, strength * labels + rng.logistic(size=2000))
    part, values = half(frame).splits[Split.TEST], probability(frame["logit"].to_numpy())
    for stored, full, names in (
        (part.roc, roc_curve(labels, values), ("fpr", "tpr")),
        (part.pr, pr_curve(labels, values), ("recall", "precision")),
    ):
        x, y, whole_x, whole_y = (np.array(getattr(curve, name)) for curve in (stored, full) for name in names)
        assert x.size <= 200 < whole_x.size
        assert (x[0], y[0], x[-1], y[-1]) == (whole_x[0], whole_y[0], whole_x[-1], whole_y[-1])
        assert set(zip(x, y, strict=True)) <= set(zip(whole_x, whole_y, strict=True))
        # No point of the whole curve is farther from the stored line than a pixel of a plot 400 pixels wide.
        assert max_distance(x, y, whole_x, whole_y) < 1 / 400
        assert np.trapezoid(y, x) == pytest.approx(np.trapezoid(whole_y, whole_x), abs=1e-3)
        assert isinstance(stored, RocCurve | PrCurve)
        assert list(stored.threshold) == sorted(stored.threshold, reverse=True)


def max_distance(x: np.ndarray, y: np.ndarray, points_x: np.ndarray, points_y: np.ndarray) -> float:
    """Largest distance of the points from a polyline, over all points and all of its segments."""
    start, step = np.stack([x[:-1], y[:-1]]), np.stack([np.diff(x), np.diff(y)])
    points = np.stack([points_x, points_y])[:, :, np.newaxis]
    along = np.clip((step[:, np.newaxis] * (points - start[:, np.newaxis])).sum(axis=0) / (step**2).sum(axis=0), 0, 1)
    return float(np.linalg.norm(points - start[:, np.newaxis] - along * step[:, np.newaxis], axis=0).min(axis=1).max())


def test_short_curves_are_stored_whole(both: pd.DataFrame, report: EvaluationReport) -> None:
    rows = both[both["split"] == "test"]
    y_true, values = rows["label"].to_numpy(), probability(rows["logit"].to_numpy())
    assert report.splits[Split.TEST].roc == roc_curve(y_true, values)
    assert report.splits[Split.TEST].pr == pr_curve(y_true, values)


def test_images_are_ranked_by_logits_where_probabilities_are_rounded_to_ties() -> None:
    # The probabilities of 38 to 45 are all 1, those of -800 and -900 are 0.
    logits = np.array([38.0, 39, 40, 45, -800, -900] * 12)
    labels = np.array([0, 0, 1, 1, 1, 0] * 12)
    report = half(predictions("test", labels, logits))
    part = report.splits[Split.TEST]
    assert value(part.auroc) == pytest.approx(oracle.roc_auc_score(labels, logits))
    assert value(part.auroc) == pytest.approx(7 / 9)
    assert value(part.auprc) == pytest.approx(oracle.average_precision_score(labels, logits))
    assert isinstance(part.roc, RocCurve)
    assert len(part.roc.tpr) == 7
    assert part.roc.threshold[-1] == 0.0
    assert part.roc.threshold[0] > 1


# What is refused


GOOD = predictions("test", [0, 1, 1], [-1.0, 0.5, 2.0])


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        *((GOOD.drop(columns=column), rf"missing=\['{column}'\]") for column in COLUMNS),
        (GOOD.iloc[:0], "rows=0"),
        (
            GOOD.assign(split=["test", "holdout", "test"]),
            "split must be one of train, val, stress, test. Received: split=holdout",
        ),
        (GOOD.assign(split=["test", None, "test"]), "a value of split. Received: rows without=1"),
        (GOOD.assign(patient_id=["a", None, None]), "a value of patient_id. Received: rows without=2"),
        (GOOD.assign(image_id=["a", None, "b"]), "a value of image_id. Received: rows without=1"),
        (GOOD.assign(label=[0, 2, 1]), "label must be one of 0, 1. Received: label=2, rows=1"),
        (GOOD.assign(label=[0, 0.5, 1]), r"label=0\.5"),
        (GOOD.assign(label=[0, np.nan, 1]), "label=nan"),
        (GOOD.assign(label=["0", "1", "1"]), "label=0, rows=3"),
        (GOOD.assign(logit=[0.1, np.nan, 0.2]), r"logit=nan, image_id='test/00001\.jpeg', rows=1"),
        (GOOD.assign(logit=[np.inf, -np.inf, 0.2]), "logit=inf, .*rows=2"),
        (GOOD.assign(logit=["0.1", "0.2", "0.3"]), "logit must be a number. Received: dtype=str"),
        (GOOD.assign(image_id=["a", "b", "a"]), "image_id='a' twice or more in test, repeated rows=1"),
    ],
)
def test_predictions_that_cannot_be_evaluated_are_refused(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        half(frame)
    assert "\n" not in str(caught.value)


def test_one_image_may_be_in_two_splits() -> None:
    frame = pd.concat([GOOD, GOOD.assign(split="val")])
    assert half(frame).splits[Split.VAL].n == 3


def test_labels_of_any_type_of_zero_and_one_are_taken() -> None:
    expected = half(GOOD)
    for labels in (GOOD["label"].astype("int8"), GOOD["label"].astype(float), GOOD["label"].astype(bool)):
        assert half(GOOD.assign(label=labels)) == expected


def test_predictions_are_left_as_they_were(both: pd.DataFrame) -> None:
    before = both.copy(deep=True)
    youden(both)
    pd.testing.assert_frame_equal(both, before)


# JSON


@pytest.mark.parametrize(
    "frame", [random_predictions("val", 5), predictions("test", [1], [2.0]), predictions("test", [0, 0], [1.0, 2.0])]
)
@pytest.mark.parametrize("selected_on_test", [True, False])
def test_json_and_back_is_the_same_report(frame: pd.DataFrame, selected_on_test: bool) -> None:
    report = evaluate(frame, run_id="vgg16-1", rule=OperatingRule.HALF, selected_on_test=selected_on_test)
    text = json.dumps(report_to_dict(report), allow_nan=False)
    assert report_from_dict(json.loads(text)) == report
    assert json.dumps(report_to_dict(report_from_dict(json.loads(text)))) == text


def test_plain_data_has_the_documented_names(report: EvaluationReport) -> None:
    data = report_to_dict(report)
    assert list(data) == ["schema", "run_id", "operating_point", "selected_on_test", "splits", "softer", "methods"]
    assert set(data["splits"]) == {"val", "test"}
    assert data["operating_point"]["rule"] == "youden"
    assert set(data["splits"]["test"]["auroc"]) == {"value", "low", "high", "n"}
    assert data["splits"]["test"]["table"][2]["precision"] == {
        "not_applicable": "the accuracy row has one value, under f1"
    }


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Path of each value in nested plain data, the first of each list standing for the others."""
    if path:
        yield path
    inner = data.items() if isinstance(data, dict) else enumerate(data[:1]) if isinstance(data, list) else ()
    for key, item in inner:
        yield from places(item, (*path, key))


def with_value(data: Any, path: tuple[Any, ...], new: Any) -> Any:
    changed = copy.deepcopy(data)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = new
    return changed


@pytest.mark.parametrize(
    "junk", [None, [None], {"value": 1}, float("nan"), "1\n2"], ids=["none", "list", "object", "nan", "lines"]
)
def test_no_value_can_be_replaced_by_junk(report: EvaluationReport, junk: Any) -> None:
    data = report_to_dict(report)
    for path in places(data):
        if isinstance(junk, str) and path[-1] in {"run_id", "methods", "name", "not_applicable"}:
            continue
        with pytest.raises(DataError) as caught:
            report_from_dict(with_value(data, path, junk))
        assert "Received: " in str(caught.value)


def test_keys_are_exactly_those_of_a_report(report: EvaluationReport) -> None:
    data = report_to_dict(report)
    for path in [(), *places(data)]:
        extended = copy.deepcopy(data)
        target = extended
        for key in path:
            target = target[key]
        if not isinstance(target, dict):
            continue
        target["extra"] = 1
        with pytest.raises(DataError):
            report_from_dict(extended)
        del target["extra"]
        if path != ("splits",):
            target.popitem()
            with pytest.raises(DataError):
                report_from_dict(extended)


@pytest.mark.parametrize(
    ("path", "new", "message"),
    [
        (("schema",), 5, "schema 4. Received: schema=5; evaluate the run again"),
        (("selected_on_test",), 1, "report.selected_on_test must be of type bool. Received: report.selected_on_test=1"),
        (("splits", "test", "n"), 3.0, "report.splits.test.n must be of type int"),
        (("splits", "test", "n"), True, "report.splits.test.n must be of type int"),
        (("splits", "test", "brier", "low"), False, "report.splits.test.brier.low must be a finite number"),
        (("splits", "test", "roc", "fpr"), [0.0, "1"], r"report.splits.test.roc.fpr\[1\] must be a finite number"),
        (
            ("operating_point", "rule"),
            "cost",
            r"report.operating_point.rule must be one of \['half', 'youden', 'logistic'\]",
        ),
        (("operating_point", "split"), ["val"], "report.operating_point.split must be one of"),
        (("splits", "test", "split"), "val", "report.splits.test must be the report of its split. Received: split=val"),
    ],
)
def test_messages_name_the_place(report: EvaluationReport, path: tuple[str, ...], new: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        report_from_dict(with_value(report_to_dict(report), path, new))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [None, [], "report", {}, {"schema": "1"}])
def test_what_is_no_report_is_refused(data: Any) -> None:
    with pytest.raises(DataError, match="a report must be of schema 4"):
        report_from_dict(data)


def test_a_whole_number_stands_for_a_float(report: EvaluationReport) -> None:
    read = report_from_dict(with_value(report_to_dict(report), ("operating_point", "threshold"), 1))
    assert isinstance(read.operating_point.threshold, float)


def test_split_reports_are_values(report: EvaluationReport) -> None:
    part = report.splits[Split.TEST]
    assert isinstance(part, SplitReport)
    with pytest.raises(AttributeError):
        part.n = 0  # type: ignore[misc]


def test_the_threshold_is_chosen_on_the_split_that_is_named() -> None:
    table = with_stress(made_predictions())
    chosen = {
        split: evaluate(table, run_id="r", rule=OperatingRule.YOUDEN, selected_on_test=False, choose_on=split)
        for split in (Split.VAL, Split.STRESS)
    }
    for split, report in chosen.items():
        rows = table[table["split"] == split]
        labels, values = rows["label"].to_numpy(), probability(rows["logit"].to_numpy(dtype=np.float64))
        candidates = np.unique(np.concatenate(([0.0], values, [1.0])))
        best = max(_youden(labels, values, one) for one in candidates)
        assert _youden(labels, values, report.operating_point.threshold) == pytest.approx(best)
        assert report.operating_point.split is split
        assert report.operating_point.sensitivity == report.splits[split].sensitivity
    assert chosen[Split.VAL].operating_point.threshold != chosen[Split.STRESS].operating_point.threshold


def _youden(labels: IntArray, values: FloatArray, threshold: float) -> float:
    called = values >= threshold
    return float(called[labels == 1].mean() - called[labels == 0].mean())


def test_the_logistic_rule_finds_the_middle_whatever_the_prevalence() -> None:
    """Logits of two normal distributions: sensitivity + specificity is highest where their densities are equal, at 1.5."""
    rng = np.random.default_rng(0)
    normal, sick = rng.normal(0, 1, 500), rng.normal(3, 1, 4500)
    logits = np.concatenate([normal, sick])
    labels = np.repeat([0, 1], [500, 4500])
    table = predictions("stress", labels, logits)
    found = log_odds(threshold_of(table, OperatingRule.LOGISTIC, Split.STRESS))
    assert found == pytest.approx(1.5, abs=0.1)
    model = LogisticRegression(C=np.inf, class_weight="balanced").fit(logits[:, np.newaxis], labels)
    assert found == pytest.approx(float(-model.intercept_[0] / model.coef_[0, 0]), abs=0.05)
    # The order of the rows does not matter, and raising all logits raises the threshold as much.
    again = table.sample(frac=1, random_state=1).assign(logit=lambda rows: rows["logit"] + 2)
    assert log_odds(threshold_of(again, OperatingRule.LOGISTIC, Split.STRESS)) == pytest.approx(found + 2)


def test_the_logistic_rule_stays_among_the_logits_of_a_model_that_knows_nothing() -> None:
    """Twenty images, sixteen of them PNEUMONIA: the line is nearly flat, and must not be followed out of the data."""
    for seed in range(100):
        logits = np.random.default_rng(seed).normal(size=20)
        table = predictions("val", [0] * 4 + [1] * 16, logits)
        found, other = (threshold_of(table, rule) for rule in (OperatingRule.LOGISTIC, OperatingRule.YOUDEN))
        # Where no line rises, Youden's rule may call all images PNEUMONIA.
        assert found == other or probability(logits).min() <= found <= probability(logits).max()


@pytest.mark.parametrize("logit", [[2.0, 1.0, -1.0, -2.0], [1.0, 1.0, 1.0, 1.0]], ids=["falling", "alike"])
def test_where_no_logistic_model_rises_the_rule_is_that_of_youden(logit: list[float]) -> None:
    table = predictions("val", [0, 0, 1, 1], logit)
    found = [threshold_of(table, rule) for rule in (OperatingRule.LOGISTIC, OperatingRule.YOUDEN)]
    assert found[0] == found[1]


def test_copies_of_an_image_are_no_further_patients() -> None:
    """Each copied exactly: the figures are those of the images, and so are the intervals, up to the bootstrap's rounding."""
    val = made_predictions(splits=("val",))
    exact = val.loc[val.index.repeat(4)].assign(split="stress", image_id=copy_ids(val["image_id"].tolist(), 4))
    table = pd.concat([val, exact], ignore_index=True)
    report = evaluate(table, run_id="r", rule=OperatingRule.HALF, selected_on_test=False)
    once, copied = report.splits[Split.VAL], report.splits[Split.STRESS]
    assert (copied.n, copied.n_patients) == (4 * once.n, once.n_patients)
    for metric, found in copied.figures.items():
        original = once.figures[metric]
        assert isinstance(found, Estimate)
        assert isinstance(original, Estimate)
        ends = (found.value, found.low, found.high)
        # The ends of a proportion move a little with the design effect, which is at least 1 for single images.
        assert ends == pytest.approx((original.value, original.low, original.high), abs=0.02)
