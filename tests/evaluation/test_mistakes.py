"""Images by how wrong a run is about them, sorted by a loop and counted by the confusion matrix."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumo_core.config.classifier import OperatingRule
from pneumo_core.evaluation.mistakes import by_error, with_probability
from pneumo_core.evaluation.report import evaluate
from tests.reporting.conftest import predictions


@given(
    images=st.lists(st.tuples(st.integers(0, 1), st.integers(-3, 3)), min_size=1, max_size=30),
    threshold=st.sampled_from([0.0, 0.05, 0.3, 0.5, 0.9]),
)
def test_images_come_misclassified_first_then_by_error_then_by_name(
    images: list[tuple[int, int]], threshold: float
) -> None:
    labels = [label for label, _ in images]
    # Half a step apart, so that the two classes' errors are never equal but for the last digit.
    logits = [place + 0.5 * label for label, place in images]
    frame = pd.DataFrame(
        {
            "image_id": [f"i{number:02}" for number in range(len(images))],
            "patient_id": "p",
            "split": "test",
            "label": labels,
            "subtype": "none",
            "logit": np.array(logits, dtype=np.float32),
        }
    )
    expected = []
    for image_id, label, logit in zip(frame["image_id"], labels, logits, strict=True):
        value = 1 / (1 + np.exp(-float(logit)))
        called = int(value >= threshold)
        verdict = "right" if called == label else "false alarm" if called else "missed"
        expected.append((verdict == "right", -abs(value - label), image_id, verdict))
    ranked = by_error(with_probability(frame, threshold))
    expected.sort()
    assert ranked["image"].tolist() == [entry[2] for entry in expected]
    assert ranked["verdict"].tolist() == [entry[3] for entry in expected]
    assert ranked["error"].tolist() == pytest.approx([-entry[1] for entry in expected])


def test_misclassified_images_are_those_of_the_confusion_matrix() -> None:
    evidence = predictions(0, 40)
    report = evaluate(evidence, run_id="baseline-0", rule=OperatingRule.YOUDEN, selected_on_test=False)
    predicted = with_probability(evidence, report.operating_point.threshold)
    for split, part in report.splits.items():
        verdicts = by_error(predicted[predicted["split"] == split.value])["verdict"].value_counts()
        assert verdicts.get("false alarm", 0) == part.confusion.fp
        assert verdicts.get("missed", 0) == part.confusion.fn
