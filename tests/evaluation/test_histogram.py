"""Histograms of probabilities: counts against a count by hand, with the ends of the bins."""

import numpy as np

from pneumo_core.evaluation.histogram import BINS, EDGES, histogram


def test_each_image_is_in_the_bin_that_holds_it() -> None:
    y_true = np.array([0, 0, 0, 1, 1, 1, 1])
    values = np.array([0.0, 0.039, 0.04, 0.5, 0.95, 0.97, 1.0])
    found = histogram(y_true, values)
    assert len(EDGES) == BINS + 1
    assert (found.normal[:3], sum(found.normal)) == ((2, 1, 0), 3)
    assert (found.pneumonia[-3:], found.pneumonia[12], sum(found.pneumonia)) == ((0, 1, 2), 1, 4)
