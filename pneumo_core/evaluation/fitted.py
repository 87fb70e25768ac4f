"""A small logistic model of a few measures: the classifier of the audit's tests. It takes a second to import scikit-learn."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pneumo_core.evaluation.metrics import FloatArray

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

FOLDS: Final = 5


def fitted(features: FloatArray, labels: NDArray[Any]) -> "Pipeline":
    """A logistic model of standardized measures, their squares and products, with the classes weighted equally.

    Args:
        features: `(n, measures)` finite numbers.
        labels: `(n,)` labels, 0 or 1.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  Pages show what was computed before.
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler  # noqa: PLC0415

    model = LogisticRegression(max_iter=2000, class_weight="balanced")
    # Scaled again, as the squares of standardized numbers are not.
    steps = (StandardScaler(), PolynomialFeatures(2, include_bias=False), StandardScaler(), model)
    pipeline: Pipeline = make_pipeline(*steps).fit(features, labels)
    return pipeline


def held_out_scores(features: FloatArray, labels: NDArray[Any], groups: NDArray[Any]) -> FloatArray:
    """Rank of each row, from 0 to 1, among those of its fold, by a `fitted` model of the rows of other groups.

    Ranks and not logits, as those of different models are shifted against one another: pooled, they rank noise below chance.

    Args:
        features: `(n, measures)` finite numbers.
        labels: `(n,)` labels, 0 or 1.
        groups: `(n,)` groups, of which one is never on both sides.

    Returns:
        `(n,)` ranks.
    """
    from scipy.stats import rankdata  # noqa: PLC0415
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415

    scores = np.empty(len(labels))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for others, held_out in folds.split(features, labels, groups=groups):
        logits = fitted(features[others], labels[others]).decision_function(features[held_out])
        scores[held_out] = (rankdata(logits) - 0.5) / len(held_out)
    return scores
