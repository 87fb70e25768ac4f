"""Temperature and Platt against scikit-learn's own, the choice between them step by step, and the way through JSON."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from pneumo_core.errors import DataError
from pneumo_core.evaluation.calibration import (
    FOLDS,
    Calibration,
    CalibrationKind,
    Calibrator,
    apply,
    calibrate,
    calibrated_threshold,
    calibration_from_dict,
    calibration_to_dict,
    described,
    fit,
)
from pneumo_core.evaluation.metrics import auroc
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.reliability import reliability
from pneumo_core.evaluation.wording import three_digits
from pneumo_core.records import NotApplicable, Split
from tests.made_runs import made_predictions, with_stress


def predictions(seed: int = 0, n: int = 300, split: str = "val", *, stretch: float = 3.0) -> pd.DataFrame:
    """Logits that are too extreme by a factor; a patient has one class and about two images."""
    rng = np.random.default_rng(seed)
    patient = np.sort(rng.integers(0, n // 2, n))
    labels = (patient % 4 > 0).astype(np.int64)
    return pd.DataFrame(
        {
            "image_id": [f"{split}/{index:04d}.jpeg" for index in range(n)],
            "patient_id": [f"{split}-{name}" for name in patient],
            "split": split,
            "label": labels,
            "subtype": np.where(labels == 1, "virus", "none"),
            "logit": (stretch * (2.5 * labels - 1 + rng.normal(0, 1.2, n))).astype(np.float32),
        }
    )


def arrays(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return frame["label"].to_numpy(), frame["logit"].to_numpy(), frame["patient_id"].to_numpy()


def fitted(kind: CalibrationKind, *data: Any) -> Calibrator:
    found = fit(kind, *data)
    assert isinstance(found, Calibrator)
    return found


def made(frame: pd.DataFrame) -> Calibration:
    found = calibrate(frame)
    assert isinstance(found, Calibration)
    return found


@pytest.mark.parametrize(
    ("kind", "method"), [(CalibrationKind.PLATT, "sigmoid"), (CalibrationKind.TEMPERATURE, "temperature")]
)
def test_calibrated_probabilities_are_scikit_learn_s(kind: CalibrationKind, method: str) -> None:
    labels, logits, patients = arrays(predictions())
    # A model whose decision function is the logit itself.
    model = LogisticRegression()
    model.classes_, model.coef_, model.intercept_, model.n_features_in_ = (
        np.array([0, 1]), np.array([[1.0]]), np.array([0.0]), 1,
    )  # fmt: skip
    column = logits.astype(np.float64)[:, None]
    oracle = CalibratedClassifierCV(FrozenEstimator(model), method=method).fit(column, labels)
    # Frozen, it is fitted on the held-out folds' decisions, which together are all images.
    found = probability(apply(fitted(kind, labels, logits, patients), logits))
    np.testing.assert_allclose(found, oracle.predict_proba(column)[:, 1], atol=2e-4)


def test_platt_is_a_regression_on_smoothed_targets() -> None:
    labels, logits, patients = arrays(predictions(1))
    sick, well = labels.sum(), (1 - labels).sum()
    target = np.where(labels == 1, (sick + 1) / (sick + 2), 1 / (well + 2))
    # Each image once as PNEUMONIA and once as NORMAL, weighted by its target.
    column = np.tile(logits.astype(np.float64), 2)[:, None]
    oracle = LogisticRegression(C=np.inf, tol=1e-10).fit(
        column, np.repeat([1, 0], len(labels)), sample_weight=np.concatenate([target, 1 - target])
    )
    found = fitted(CalibrationKind.PLATT, labels, logits, patients)
    assert (found.slope, found.intercept) == pytest.approx((oracle.coef_[0, 0], oracle.intercept_[0]), rel=1e-4)
    assert (found.split, found.n, found.n_patients) == (Split.VAL, 300, len(np.unique(patients)))


def test_temperature_has_no_intercept_and_mends_what_is_too_extreme() -> None:
    labels, logits, patients = arrays(predictions(2))
    found = fitted(CalibrationKind.TEMPERATURE, labels, logits, patients)
    assert found.intercept == 0
    assert 0 < found.slope < 1
    again = fitted(CalibrationKind.TEMPERATURE, labels, apply(found, logits), patients)
    assert again.slope == pytest.approx(1)


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), kind=st.sampled_from(CalibrationKind), threshold=st.floats(0.001, 0.999))
def test_order_and_decisions_stay(seed: int, kind: CalibrationKind, threshold: float) -> None:
    labels, logits, patients = arrays(predictions(seed, 80))
    found = fit(kind, labels, logits, patients)
    if isinstance(found, NotApplicable):
        return
    after = apply(found, logits)
    assert (np.diff(after[np.argsort(logits)]) >= 0).all()
    assert auroc(labels, after) == auroc(labels, logits)
    moved = calibrated_threshold(found, threshold)
    clear = np.abs(probability(logits) - threshold) > 1e-9
    before_called, after_called = probability(logits) >= threshold, probability(after) >= moved
    np.testing.assert_array_equal(before_called[clear], after_called[clear])


def test_thresholds_at_the_ends_stay_there() -> None:
    found = Calibrator(CalibrationKind.PLATT, 0.5, 1.0, Split.VAL, 10, 10)
    assert [calibrated_threshold(found, end) for end in (0.0, 1.0)] == [0, 1]
    assert calibrated_threshold(found, 0.5) == pytest.approx(probability(np.array(1.0)))


def test_separated_classes_have_platt_s_line_but_no_temperature() -> None:
    data = (np.array([0, 0, 1, 1]), np.array([-3.0, -1, 2, 4]), np.arange(4))
    missing = fit(CalibrationKind.TEMPERATURE, *data)
    assert isinstance(missing, NotApplicable)
    assert "wrong side" in missing.reason
    assert 0 < fitted(CalibrationKind.PLATT, *data).slope < 10


@pytest.mark.parametrize("kind", CalibrationKind)
@pytest.mark.parametrize(
    ("labels", "logits", "reason"),
    [
        ([1, 1], [0.0, 1.0], "NORMAL"),
        ([0, 1], [2.0, 2.0], "equal|distinguish"),
        ([0, 1, 0], [2.0, -1, 3], "not increase|distinguish"),
    ],
)
def test_what_cannot_be_fitted_says_why(
    kind: CalibrationKind, labels: list[int], logits: list[float], reason: str
) -> None:
    found = fit(kind, np.array(labels), np.array(logits), np.arange(len(labels)))
    if kind is CalibrationKind.IDENTITY and sum(labels) < len(labels):
        assert isinstance(found, Calibrator)
        return
    assert isinstance(found, NotApplicable)
    assert any(word in found.reason for word in reason.split("|"))


def test_the_kind_is_chosen_by_images_it_was_not_fitted_on() -> None:
    frame = predictions(3)
    found = made(frame)
    labels, logits, patients = arrays(frame)
    # The same folds, made patient by patient: shuffled, those without PNEUMONIA first, dealt round.
    names = np.unique(patients)
    order = np.random.default_rng(0).random(len(names))
    sick = [bool(labels[patients == name].any()) for name in names]
    dealt = sorted(range(len(names)), key=lambda place: (sick[place], order[place]))
    fold = {names[place]: number % FOLDS for number, place in enumerate(dealt)}
    folds = np.array([fold[name] for name in patients])
    losses = {}
    for kind in CalibrationKind:
        held_out = np.empty(len(labels))
        for number in range(FOLDS):
            inside = folds == number
            assert not set(patients[inside]) & set(patients[~inside])
            part = fitted(kind, labels[~inside], logits[~inside], patients[~inside])
            held_out[inside] = apply(part, logits[inside])
        losses[kind] = float(np.mean(np.logaddexp(0, np.where(labels == 1, -held_out, held_out))))
        if kind is found.chosen:
            assert found.after == reliability(labels, held_out, patients)
    assert found.cross_validated == pytest.approx(losses)
    assert found.chosen is min(losses, key=lambda kind: losses[kind])
    assert found.before == reliability(labels, logits, patients)
    assert found.calibrator == fitted(found.chosen, labels, logits, patients)
    assert found.calibrators == {kind: fit(kind, labels, logits, patients) for kind in CalibrationKind}
    assert found.after.log_loss < found.before.log_loss
    assert found.after.ece < found.before.ece


def test_only_validation_images_calibrate_and_their_order_does_not_matter() -> None:
    val = predictions(4)
    test = predictions(5, split="test", stretch=-1)
    together = pd.concat([test, val.sample(frac=1, random_state=0)], ignore_index=True)
    assert calibrate(together) == calibrate(val)


def test_without_validation_images_there_is_none() -> None:
    found = calibrate(predictions(split="test"))
    assert isinstance(found, NotApplicable)
    assert "validation images" in found.reason
    assert described(found) == found.reason


def test_validation_of_one_class_has_a_reason() -> None:
    frame = predictions()
    found = calibrate(frame[frame["label"] == 1])
    assert isinstance(found, NotApplicable)
    assert "NORMAL" in found.reason


def test_separated_validation_images_are_calibrated_by_platt() -> None:
    frame = predictions(6)
    found = made(frame.assign(logit=(2 * frame["label"] - 1) * (1 + frame["logit"].abs())))
    assert found.chosen is CalibrationKind.PLATT
    assert isinstance(found.calibrators[CalibrationKind.TEMPERATURE], NotApplicable)
    assert isinstance(found.cross_validated[CalibrationKind.TEMPERATURE], NotApplicable)


def test_a_model_that_no_method_improves_is_left_alone() -> None:
    # As many of each class at each logit as its probability says, up to rounding.
    logits = np.repeat([-2.0, -1, 0, 1, 2], 40)
    labels = np.concatenate([np.arange(40) < 40 / (1 + np.exp(-logit)) for logit in (-2, -1, 0, 1, 2)]).astype(int)
    frame = predictions(n=200).assign(logit=logits, label=labels, patient_id=np.arange(200).astype(str))
    found = made(frame)
    assert found.chosen is CalibrationKind.IDENTITY
    assert found.after == found.before
    assert min(found.cross_validated, key=lambda kind: found.cross_validated[kind]) is CalibrationKind.IDENTITY  # type: ignore[arg-type,return-value]
    assert (found.calibrator.slope, found.calibrator.intercept, found.calibrator.n) == (1.0, 0.0, 200)
    assert apply(found.calibrator, logits).tolist() == logits.tolist()
    assert described(found).startswith("no calibration, since none lowers")


def test_logits_that_no_line_fits_are_left_alone() -> None:
    frame = predictions()
    for found, reason in (
        (made(frame.assign(logit=0.0)), "equal"),
        (made(frame.assign(logit=-frame["logit"])), "do not increase"),
    ):
        assert found.chosen is CalibrationKind.IDENTITY
        platt = found.calibrators[CalibrationKind.PLATT]
        assert isinstance(platt, NotApplicable)
        assert reason in platt.reason


def test_two_patients_are_too_few_to_hold_any_out() -> None:
    frame = predictions(n=8)
    found = made(frame.assign(patient_id=np.where(frame["label"] == 1, "sick", "well")))
    assert found.chosen is CalibrationKind.IDENTITY
    platt = found.cross_validated[CalibrationKind.PLATT]
    assert isinstance(platt, NotApplicable)
    assert "without a part of the patients" in platt.reason
    assert (
        described(found) == "no calibration, since none can be fitted and cross-validated on 8 val images of 2 patients"
    )


def test_words_name_the_kind_and_the_images() -> None:
    found = made(predictions(7))
    temperature = replace(found, chosen=CalibrationKind.TEMPERATURE)
    fitted = found.calibrators[CalibrationKind.TEMPERATURE]
    assert isinstance(fitted, Calibrator)
    assert described(temperature) == (
        f"temperature {three_digits(1 / fitted.slope)}, fitted on 300 val images of {fitted.n_patients} patients"
    )
    assert described(replace(found, chosen=CalibrationKind.PLATT)).startswith("Platt's slope ")


@pytest.mark.parametrize("frame", [predictions(8), predictions(split="test")], ids=["calibration", "none"])
def test_through_json_and_back(frame: pd.DataFrame) -> None:
    found = calibrate(frame)
    text = json.dumps(calibration_to_dict(found), allow_nan=False)
    assert calibration_from_dict(json.loads(text)) == found


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": 3}, "schema=3"),
        ({"chosen": "isotonic"}, "calibration.chosen"),
        ({"calibrators": {"temperature": {"not_applicable": "gone"}}, "chosen": "temperature"}, "calibration.chosen"),
        ({"more": 1}, "hold exactly"),
    ],
)
def test_other_data_are_refused(change: dict[str, Any], words: str) -> None:
    data = json.loads(json.dumps(calibration_to_dict(made(predictions(9))))) | change
    with pytest.raises(DataError, match=words):
        calibration_from_dict(data)


def test_a_line_that_falls_or_is_of_another_kind_is_refused() -> None:
    data = json.loads(json.dumps(calibration_to_dict(made(predictions(9)))))
    for part in ({"slope": -1.0}, {"slope": 0.0}, {"kind": "temperature"}):
        calibrators = {**data["calibrators"], "platt": {**data["calibrators"]["platt"], **part}}
        with pytest.raises(DataError, match=r"calibration\.platt"):
            calibration_from_dict({**data, "calibrators": calibrators})
    with pytest.raises(DataError, match="schema"):
        calibration_from_dict([])  # type: ignore[arg-type]


def test_a_chosen_calibrator_that_is_missing_is_an_error() -> None:
    found = made(predictions(9))
    with pytest.raises(DataError, match="must exist"):
        _ = replace(
            found, chosen=CalibrationKind.PLATT, calibrators={CalibrationKind.PLATT: NotApplicable("gone")}
        ).calibrator


def test_a_run_that_chose_on_degraded_copies_is_calibrated_on_them() -> None:
    table = with_stress(made_predictions())
    found = calibrate(table, Split.STRESS)
    assert isinstance(found, Calibration)
    stress = table[table["split"] == "stress"]
    assert (found.calibrator.split, found.calibrator.n) == (Split.STRESS, len(stress))
    assert found.calibrator.n_patients == stress["patient_id"].nunique()
    as_val = calibrate(stress.assign(split="val"))
    assert isinstance(as_val, Calibration)
    assert (found.chosen, found.before, found.after) == (as_val.chosen, as_val.before, as_val.after)
    assert isinstance(calibrate(made_predictions(), Split.STRESS), NotApplicable)
