"""Consistency check of published rates for n images: whole numbers of images, one 2x2 table for all, and an interval.

A rate is as exact as its digits. "92.8 %" means any value from 92.75 to 92.85 %, both ends included, since halves are rounded
either way; a rate that was truncated instead of rounded can differ by another half unit. All counts are integers, so nothing
depends on floating point.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pneumo_core.errors import DataError
from pneumo_core.evaluation.intervals import wilson
from pneumo_core.evaluation.metrics import Confusion, IntArray
from pneumo_core.evaluation.wording import percent
from pneumo_core.records import Estimate, NotApplicable

MOST_IMAGES: Final = 1_000_000
"""Maximum number of images of a claim: arrays with one number per image stay at 8 MB, and products below 2**63."""

EXAMPLES: Final = 5
"""Maximum number of tables that are listed."""

_MOST_DECIMALS: Final = 12  # Of a fraction: 2 * 10**12 * MOST_IMAGES is below 2**63.
_NUMBER: Final = re.compile(r"([0-9]{0,20})(?:[.,]([0-9]{0,20}))? ?(%?)")


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate as published: ``units / 10**decimals``, plus or minus half a unit.

    Attributes:
        units: Its digits as a whole number.
        decimals: Decimals of the fraction; two more than those of the percentage.
    """

    units: int
    decimals: int

    @property
    def value(self) -> float:
        """The rate as a fraction, in [0, 1]."""
        return float(self.units / 10**self.decimals)

    def among(self, whole: IntArray) -> tuple[IntArray, IntArray]:
        """Counts that round to the rate.

        Args:
            whole: Numbers of images, (k,), int64, from 0 to `MOST_IMAGES`.

        Returns:
            The smallest and the largest count, each (k,), int64; none fits if the first is larger.
        """
        scale = 2 * 10**self.decimals
        least = np.maximum(0, -((1 - 2 * self.units) * whole // scale))
        most = np.minimum(whole, (2 * self.units + 1) * whole // scale)
        return np.where(whole == 0, 1, least), most

    def __str__(self) -> str:
        return percent(self.value, max(0, self.decimals - 2))


@dataclass(frozen=True, slots=True)
class Multiple:
    """Whether a rate is a whole number of images.

    Attributes:
        name: ``accuracy``, ``sensitivity`` or ``specificity``.
        rate: The claimed rate.
        of: Number of images that it refers to.
        nearest: The count with the nearest rate.
        least: The smallest count that rounds to the rate.
        most: The largest such count.
    """

    name: str
    rate: Rate
    of: int
    nearest: int
    least: int
    most: int

    @property
    def fits(self) -> bool:
        """Whether any count rounds to the rate."""
        return self.least <= self.most

    @property
    def always_fits(self) -> bool:
        """Whether the digits are so few that every rate would fit, so that the check is uninformative."""
        return bool(self.of >= 10**self.rate.decimals)


@dataclass(frozen=True, slots=True)
class ClaimCheck:
    """Result of a check of claimed rates.

    Attributes:
        n_pneumonia: Number of PNEUMONIA images among the n, or None for any number.
        multiples: For each rate with a known number of images, whether it is a whole number of them.
        tables: Number of 2x2 tables that give all the rates.
        examples: Up to `EXAMPLES` of them, evenly selected.
        pneumonia: Smallest and largest number of PNEUMONIA images in these tables, or None if there are none.
        implied: Accuracy that sensitivity and specificity imply for these classes.
        interval: Wilson's interval of the accuracy, as if each image had its own patient.
        commonest: Accuracy of always predicting the more frequent class.
    """

    n: int
    n_pneumonia: int | None
    rates: dict[str, Rate]
    multiples: tuple[Multiple, ...]
    tables: int
    examples: tuple[Confusion, ...]
    pneumonia: tuple[int, int] | None
    implied: float | NotApplicable
    interval: Estimate | NotApplicable
    commonest: float | NotApplicable
    verdict: str


def read_rate(text: str, name: str = "rate") -> Rate:
    """A rate from text: ``92.8 %``, ``92.8``, ``0.928``, ``.93``, ``92,8 %``.

    Without a percent sign a number with decimals up to 1 is a fraction, and any other a percentage; a bare 1 may be either.

    Args:
        text: The text.
        name: Name of the rate in an error message.

    Raises:
        DataError: It is not a number from 0 to 100 %, is a bare 1, or has more than 12 decimals as a fraction.
    """
    found = _NUMBER.fullmatch(text.strip())
    if found is None or not (found[1] or found[2]):
        raise DataError(f"{name} must be a number such as 92.8 % or 0.928. Received: {name}={text[:40]!r}")
    units, decimals = int((found[1] or "") + (found[2] or "")), len(found[2] or "")
    if found[3] or found[2] is None or units > 10**decimals:
        if not found[3] and units == 1 and decimals == 0:
            raise DataError(f"{name} must say whether 1 is a percentage. Received: {name}='1'; write 1 % or 100 %")
        decimals += 2
    if units > 10**decimals or decimals > _MOST_DECIMALS:
        raise DataError(
            f"{name} must lie between 0 and 100 % and have at most {_MOST_DECIMALS - 2} decimals in percent. "
            f"Received: {name}={text[:40]!r}"
        )
    return Rate(units, decimals)


def check_claim(
    *, n: int, accuracy: str = "", sensitivity: str = "", specificity: str = "", n_pneumonia: int | None = None
) -> ClaimCheck:
    """Check rates as they were published.

    Args:
        n: Number of images, from 1 to `MOST_IMAGES`.
        accuracy: Text of the rate; empty if it is not claimed. At least one of the three is required.
        sensitivity: Fraction of PNEUMONIA images classified as PNEUMONIA.
        specificity: Fraction of NORMAL images classified as NORMAL.
        n_pneumonia: Number of PNEUMONIA images among the n, or None if unknown.

    Raises:
        DataError: A rate is not a rate, nothing is claimed, or a number of images is out of its range.
    """
    typed = {"accuracy": accuracy, "sensitivity": sensitivity, "specificity": specificity}
    rates = {name: read_rate(text, name) for name, text in typed.items() if text.strip()}
    if not rates:
        raise DataError("a claim must have an accuracy, a sensitivity or a specificity. Received: none of them")
    if not 1 <= n <= MOST_IMAGES:
        raise DataError(f"n must be a number of images from 1 to {MOST_IMAGES:,}. Received: n={n}")
    if n_pneumonia is not None and not 0 <= n_pneumonia <= n:
        raise DataError(f"n_pneumonia must lie between 0 and n. Received: n_pneumonia={n_pneumonia}, n={n}")

    multiples = _multiples(rates, n, n_pneumonia)
    sick = np.arange(n + 1) if n_pneumonia is None else np.array([n_pneumonia])
    bounds = _Bounds.of(rates, sick, n)
    counts = bounds.tables()
    fitting = np.flatnonzero(counts)
    check = ClaimCheck(
        n=n,
        n_pneumonia=n_pneumonia,
        rates=rates,
        multiples=multiples,
        tables=int(counts.sum()),
        examples=bounds.examples(fitting, int(counts.sum())),
        pneumonia=(int(sick[fitting[0]]), int(sick[fitting[-1]])) if fitting.size else None,
        implied=_implied(rates, n, n_pneumonia),
        interval=wilson(rates["accuracy"].value * n, n)
        if "accuracy" in rates
        else NotApplicable("no accuracy is claimed, and only it refers to all images"),
        commonest=NotApplicable("the number of PNEUMONIA images is unknown")
        if n_pneumonia is None
        else max(n_pneumonia, n - n_pneumonia) / n,
        verdict="",
    )
    return replace(check, verdict=_verdict(check))


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Bounds of true positives, true negatives and correct predictions for each number of PNEUMONIA images, each (k,)."""

    sick: IntArray
    n: int
    tp: tuple[IntArray, IntArray]
    tn: tuple[IntArray, IntArray]
    right: tuple[int, int]

    @classmethod
    def of(cls, rates: dict[str, Rate], sick: IntArray, n: int) -> "_Bounds":
        def bound(name: str, whole: IntArray) -> tuple[IntArray, IntArray]:
            return rates[name].among(whole) if name in rates else (np.zeros_like(whole), whole)

        right = bound("accuracy", np.array([n]))
        return cls(
            sick,
            n,
            tp=bound("sensitivity", sick),
            tn=bound("specificity", n - sick),
            right=(int(right[0][0]), int(right[1][0])),
        )

    def tables(self) -> IntArray:
        """Number of pairs within the bounds of tp and tn whose sum is within those of `right`, (k,), int64.

        The pairs i <= rows, j <= columns with i + j <= t are a triangle of t, less those where i or j is too large, plus
        those where both are.
        """
        rows, columns = self.tp[1] - self.tp[0], self.tn[1] - self.tn[0]
        origin = self.tp[0] + self.tn[0]

        def up_to(right: int) -> IntArray:
            t = right - origin
            corners = (t, 1), (t - rows - 1, -1), (t - columns - 1, -1), (t - rows - columns - 2, 1)
            return np.asarray(sum(sign * np.where(v >= 0, (v + 1) * (v + 2) // 2, 0) for v, sign in corners))

        found = up_to(self.right[1]) - up_to(self.right[0] - 1)
        possible = (rows >= 0) & (columns >= 0) & (self.right[0] <= self.right[1])
        return np.asarray(np.where(possible, found, 0))

    def examples(self, fitting: IntArray, tables: int) -> tuple[Confusion, ...]:
        """All tables if they are few, else an even selection."""
        most = tables if tables <= EXAMPLES else max(1, EXAMPLES // max(1, min(fitting.size, EXAMPLES)))
        found = []
        for place in _spread(fitting, EXAMPLES):
            sick, (tp_low, tp_high), (tn_low, tn_high) = (
                int(self.sick[place]),
                (int(bound[place]) for bound in self.tp),
                (int(bound[place]) for bound in self.tn),
            )
            low, high = max(tp_low, self.right[0] - tn_high), min(tp_high, self.right[1] - tn_low)
            for tp in _spread(np.arange(low, high + 1), most):
                first, last = max(tn_low, self.right[0] - tp), min(tn_high, self.right[1] - tp)
                every = range(first, last + 1) if tables <= EXAMPLES else [(first + last) // 2]
                found += [Confusion(tn=tn, fp=self.n - sick - tn, fn=sick - tp, tp=tp) for tn in every]
        return tuple(found)


def _spread(values: IntArray, most: int) -> list[int]:
    places = np.unique(np.linspace(0, values.size - 1, min(most, values.size)).round().astype(int))
    return [int(value) for value in values[places]]


def _multiples(rates: dict[str, Rate], n: int, n_pneumonia: int | None) -> tuple[Multiple, ...]:
    whole = {"accuracy": n}
    if n_pneumonia is not None:
        whole |= {"sensitivity": n_pneumonia, "specificity": n - n_pneumonia}
    found = []
    for name, rate in rates.items():
        if name in whole:
            least, most = rate.among(np.array([whole[name]]))
            scale = 10**rate.decimals
            nearest = (2 * rate.units * whole[name] + scale) // (2 * scale)
            found.append(Multiple(name, rate, whole[name], nearest, int(least[0]), int(most[0])))
    return tuple(found)


def _implied(rates: dict[str, Rate], n: int, n_pneumonia: int | None) -> float | NotApplicable:
    if not {"sensitivity", "specificity"} <= rates.keys():
        return NotApplicable("sensitivity and specificity are needed")
    if n_pneumonia is None:
        return NotApplicable("the number of PNEUMONIA images is unknown")
    right = rates["sensitivity"].value * n_pneumonia + rates["specificity"].value * (n - n_pneumonia)
    return right / n


def _verdict(check: ClaimCheck) -> str:
    claimed = _listed([f"{name} {rate}" for name, rate in check.rates.items()])
    images = f"{check.n:,} images"
    if check.n_pneumonia is not None:
        images = f"{check.n_pneumonia:,} PNEUMONIA and {check.n - check.n_pneumonia:,} NORMAL images"
    if check.pneumonia is None:
        reasons = [
            f"{multiple.rate} of {multiple.of:,} is not a whole number of images"
            for multiple in check.multiples
            if not multiple.fits
        ]
        if not isinstance(check.implied, NotApplicable) and "accuracy" in check.rates:
            decimals = max(1, check.rates["accuracy"].decimals - 2)
            reasons.append(f"sensitivity and specificity imply an accuracy of {percent(check.implied, decimals)}")
        return "; ".join([f"No 2x2 table of {images} gives {claimed}", *reasons]) + "."
    words = "exactly one gives" if check.tables == 1 else f"{check.tables:,} give"
    verdict = f"Of all 2x2 tables of {images}, {words} {claimed}"
    low, high = check.pneumonia
    if check.n_pneumonia is None and (low, high) != (0, check.n):
        verdict += f", with {low:,}{f' to {high:,}' if low < high else ''} PNEUMONIA images"
    if len(check.rates) == len(check.multiples) == 1 and check.multiples[0].always_fits:
        verdict += "; with so few digits any rate would fit, so the check is uninformative"
    return f"{verdict}."


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
