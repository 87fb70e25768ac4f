"""How far a model's heat maps can be trusted, as values: seven tests of Grad-CAM, each with its limit.

A test is passed only if the whole 95 % interval lies on the right side of its limit, failed if it lies on the other, and
otherwise not shown. No limit is a matter of taste: each is
measured on the same images, or follows from geometry. Two limits rest on maps of *different patients* under the trained
model: shuffled weights must leave less in common than two patients' maps have on average, and noise must change a map by
less than what tells nearly all patients' maps apart.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pneumo_core.evaluation.intervals import student_interval
from pneumo_core.evaluation.plain import decode, encode, expect
from pneumo_core.records import Estimate, NotApplicable, Split

SCHEMA: Final = 1
"""Increased whenever the fields of stored tests or the meaning of their numbers change."""

ALIKE: Final = 0.95
"""Quantile of the correlation between maps of different patients that a map under noise must exceed with its own."""


CENTRAL: Final = 0.9
"""Width and height of the central region, as shares of the image's: an ellipse that holds both lung fields of the mean of 64
validation images, and leaves out corners, shoulders and arms. Its area is 64 % of the image's."""


class Check(StrEnum):
    """A test of a model's heat maps.

    `DELETION` and `INSERTION` hold a map's order against the same map at a random place, `..._RANDOM` against single cells in
    random order.
    """

    WEIGHTS = "weights"
    DELETION = "deletion"
    INSERTION = "insertion"
    DELETION_RANDOM = "deletion_random"
    INSERTION_RANDOM = "insertion_random"
    NOISE = "noise"
    CENTER = "center"


BELOW: Final = frozenset({Check.WEIGHTS, Check.DELETION, Check.DELETION_RANDOM, Check.CENTER})
"""Tests that are passed below their limit; the others are passed above it."""


class Outcome(StrEnum):
    """Outcome of a test."""

    PASSED = "passed"
    NOT_SHOWN = "not shown"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Measured:
    """Outcome of a test.

    Attributes:
        value: What was measured: a rank correlation (`WEIGHTS`, `NOISE`), a difference of areas in logits (deletion and
            insertion), or a share of a map (`CENTER`).
        limit: What it is held against, in the same unit.
        outcome: On which side of the limit the interval lies; not shown if on both.
    """

    value: Estimate
    limit: float
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Trust:
    """Tests of a model's heat maps.

    Attributes:
        split: Split of the images.
        n: Number of images, each of another patient.
        seed: Seed of the choice of images, the shuffles, the places and the noise.
        shuffles: Number of times that the weights were shuffled.
        noise: Standard deviation of the noise, in gray levels.
        logit_change: Median change of the logit under the noise, 0 or more.
        logit_spread: Standard deviation of the logit over the images.
        checks: Each test's outcome, or why it cannot be computed.
    """

    split: Split
    n: int
    seed: int
    shuffles: int
    noise: float
    logit_change: float
    logit_spread: float
    checks: dict[Check, Measured | NotApplicable]

    def among(self, *outcomes: Outcome) -> tuple[Check, ...]:
        """Tests of these outcomes; those that cannot be computed have none."""
        return tuple(
            check for check, found in self.checks.items() if isinstance(found, Measured) and found.outcome in outcomes
        )


def judged(check: Check, value: Estimate, limit: float) -> Measured:
    """Hold a measured value against its limit."""
    below, above = value.high < limit, value.low > limit
    passed, failed = (below, above) if check in BELOW else (above, below)
    return Measured(value, limit, Outcome.PASSED if passed else Outcome.FAILED if failed else Outcome.NOT_SHOWN)


def mean_estimate(values: NDArray[np.float64]) -> Estimate | NotApplicable:
    """Mean of one value an image, `(n,)`, with Student's t interval; the images must be of different patients."""
    n = values.size
    if n < 2:
        return NotApplicable(f"an interval requires 2 images, and there {'is' if n == 1 else 'are'} {n}")
    mean = float(values.mean())
    low, high = student_interval(mean, float(values.std(ddof=1)) / n**0.5, n - 1)
    return Estimate(mean, low, high, n)


def trust_to_dict(trust: Trust | NotApplicable) -> dict[str, Any]:
    """Plain data of the tests, for JSON; ones that are not applicable are ``{"not_applicable": reason}``."""
    return {"schema": SCHEMA, **encode(trust)}


def trust_from_dict(data: Any) -> Trust | NotApplicable:
    """Tests from `trust_to_dict`'s plain data.

    Raises:
        DataError: The data has another schema, or a key or value that tests do not have.
    """
    expect(isinstance(data, dict) and data.get("schema") == SCHEMA, "trust", f"be of schema {SCHEMA}", data)
    trust: Trust | NotApplicable = decode(
        Trust | NotApplicable, {key: value for key, value in data.items() if key != "schema"}, "trust"
    )
    if isinstance(trust, Trust):
        expect(set(trust.checks) == set(Check) and trust.n > 0, "trust.checks", "hold each test", data["checks"])
    return trust
