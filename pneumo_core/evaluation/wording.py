"""Formatting of numbers, the same on every page, in every document and on the command line.

* Fractions are in percent with one decimal, ``91.2 %``, and their differences in points. Scores, KID among them, have three
  decimals, ``0.949``. Figures beside those of the 2020 report are as it prints them, ``0.91``.
* What has neither limits nor a customary number of decimals, such as FID and ratios, has as many as its interval's width
  allows, ``57.4 (54.1 to 61.5)``; without an interval it has three digits.
* A value and its interval have equally many decimals. A minus sign is a true one, and a number that rounds to zero has none.
* Times are ``45 s``, ``12 min``, ``3.5 h``; sizes are in units of 1,000, ``2.30 GB``.
"""

import math
import re
from typing import TYPE_CHECKING, Final

from pneumo_core.records import Estimate, Metric, NotApplicable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pneumo_core.evaluation.calibration import Calibrator
    from pneumo_core.evaluation.metrics import ClassificationRow
    from pneumo_core.evaluation.significance import SeedDifference

NAMES: Final[dict[Metric, str]] = {
    Metric.ACCURACY: "Accuracy",
    Metric.SENSITIVITY: "Sensitivity",
    Metric.SPECIFICITY: "Specificity",
    Metric.PPV: "PPV",
    Metric.NPV: "NPV",
    Metric.F1_NORMAL: "F1, NORMAL",
    Metric.F1_PNEUMONIA: "F1, PNEUMONIA",
    Metric.MACRO_PRECISION: "Macro precision",
    Metric.MACRO_RECALL: "Macro recall",
    Metric.MACRO_F1: "Macro F1",
    Metric.WEIGHTED_PRECISION: "Weighted precision",
    Metric.WEIGHTED_RECALL: "Weighted recall",
    Metric.WEIGHTED_F1: "Weighted F1",
    Metric.AUROC: "AUROC",
    Metric.AUPRC: "AUPRC",
    Metric.BRIER: "Brier score",
    Metric.LOG_LOSS: "Log loss",
}

STRESS_NOTE: Final = (
    "Stress images are degraded copies of the validation images, and epochs or thresholds were selected on one or the other: "
    "these figures are optimistic; report the test figures."
)
"""What is to be known of every figure on split ``stress``."""

SCORES: Final = frozenset({Metric.AUROC, Metric.AUPRC, Metric.BRIER, Metric.LOG_LOSS})
"""Metrics with three decimals; the others are in percent, and their differences in points."""


def scaled(metric: Metric, value: float) -> float:
    """A metric's value or difference as it is drawn: shares in percent or points, scores as they are."""
    return value if metric in SCORES else 100 * value


_MOST_DECIMALS: Final = 6
"""Ends of an interval that are nearer to 0 than this many decimals show are 0 to a reader."""

_SIGNED_ZERO: Final = re.compile(r"(?<![\w.])[-+](?=0(\.0+)?(?![.\d]))")


def percent(share: float, decimals: int = 1) -> str:
    """A fraction in percent: ``91.2 %``."""
    return f"{share:.{decimals}%}".replace("%", " %")


def unbroken(text: str) -> str:
    """A text for a page, whose percent signs and numbers of images stay beside what they belong to where it wraps."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%").replace("n = ", "n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}")


def probability_text(probability: float) -> str:
    """A probability in percent, never 0 or 1, which a sigmoid does not reach: ``91.2 %``, ``> 99.9 %``."""
    if probability > 0.999:
        return "> 99.9 %"
    return "< 0.1 %" if probability < 0.001 else percent(probability)


def percent_change(share: float) -> str:
    """A change as a percentage with its sign: ``+3 %``."""
    return signed(f"{share:+.0%}").replace("%", " %")


def percent_text(share: Estimate | NotApplicable) -> str:
    """A fraction in percent with its interval: ``91.2 % (88.7 to 93.1)``."""
    if isinstance(share, NotApplicable):
        return or_reason(share)
    return f"{percent(share.value)} ({100 * share.low:.1f} to {100 * share.high:.1f})"


def of_100(share: Estimate) -> str:
    """A fraction in words, with its interval and its number of images: ``84 of 100 (79 to 88; n = 251)``."""
    value, low, high = (f"{100 * number:.0f}" for number in (share.value, share.low, share.high))
    return f"{value} of 100 ({low} to {high}; n = {share.n:,})"


def score_text(score: float | Estimate | NotApplicable, decimals: int = 3) -> str:
    """A score, with its interval if it has one: ``0.949 (0.900 to 0.981)``."""
    if isinstance(score, NotApplicable):
        return or_reason(score)
    if isinstance(score, Estimate):
        return signed(f"{score.value:.{decimals}f} ({score.low:.{decimals}f} to {score.high:.{decimals}f})")
    return signed(f"{score:.{decimals}f}")


def value_text(metric: Metric, value: float | Estimate | NotApplicable) -> str:
    """A metric without its interval: ``90.3 %``, ``0.949``, or ``n/a`` if the reason is given elsewhere."""
    if isinstance(value, NotApplicable):
        return "n/a"
    number = value.value if isinstance(value, Estimate) else value
    return score_text(number) if metric in SCORES else percent(number)


def interval_text(metric: Metric, estimate: Estimate | NotApplicable) -> str:
    """A metric's interval without its value, ``86.5 to 93.0 %``, or the reason why there is none."""
    if isinstance(estimate, NotApplicable):
        return estimate.reason
    return (score_parts if metric in SCORES else share_parts)(estimate)[1]


def share_parts(share: Estimate) -> tuple[str, str]:
    """A fraction and its interval as two texts: ``90.3 %`` and ``86.5 to 93.0 %``."""
    return percent(share.value), f"{100 * share.low:.1f} to {percent(share.high)}"


def score_parts(score: Estimate) -> tuple[str, str]:
    """A score and its interval as two texts: ``0.949`` and ``0.900 to 0.981``."""
    return score_text(score.value), f"{score_text(score.low)} to {score_text(score.high)}"


def three_digits(value: float) -> str:
    """A number with three significant digits, trailing zeros included, and with all digits before the decimal point."""
    return signed(f"{value:,.0f}" if round(abs(value)) >= 1000 else f"{value:#.3g}".rstrip("."))


def measured_parts(found: Estimate) -> tuple[str, str]:
    """A value without a customary number of decimals, and its interval: ``57.4`` and ``54.1 to 61.5``.

    The interval's width has two significant digits, of three decimals at most.
    """
    width = found.high - found.low
    if not 0 < width < math.inf:
        return three_digits(found.value), f"{three_digits(found.low)} to {three_digits(found.high)}"
    decimals = min(3, max(0, 1 - math.floor(math.log10(width))))
    value, low, high = (signed(f"{number:,.{decimals}f}") for number in (found.value, found.low, found.high))
    return value, f"{low} to {high}"


def measured_text(found: Estimate) -> str:
    """The same as one text: ``57.4 (54.1 to 61.5)``."""
    return "{} ({})".format(*measured_parts(found))


def estimate_text(metric: Metric, estimate: Estimate | NotApplicable, *, with_n: bool = False) -> str:
    """A metric with its interval, ``90.3 % (86.5 to 93.0)``, and with its number of images, ``..., n = 318``."""
    text = score_text(estimate) if metric in SCORES else percent_text(estimate)
    return f"{text}, n = {estimate.n:,}" if with_n and isinstance(estimate, Estimate) else text


def difference_text(metric: Metric, found: "Estimate | SeedDifference | NotApplicable") -> str:
    """A difference with its interval, in points for fractions: ``+1.3 (-3.4 to +0.8)``."""
    if isinstance(found, NotApplicable):
        return or_reason(found)
    return "{} ({})".format(*difference_parts(metric, found))


def difference_parts(metric: Metric, found: "Estimate | SeedDifference") -> tuple[str, str]:
    """A difference and its interval as two texts, ``+1.3`` and ``-3.4 to +0.8``.

    If an end of the interval would be rounded to 0, all three have more decimals: whether 0 is inside matters.
    """
    usual = 3 if metric in SCORES else 1
    ends = [abs(end) for end in (scaled(metric, found.low), scaled(metric, found.high)) if end]
    needed = (decimals for decimals in range(usual, _MOST_DECIMALS) if all(round(end, decimals) for end in ends))
    decimals = next(needed, usual)
    numbers = (scaled(metric, number) for number in (found.value, found.low, found.high))
    value, low, high = (signed(f"{number:+.{decimals}f}") for number in numbers)
    return value, f"{low} to {high}"


def spread_text(metric: Metric, mean: float, sd: float) -> str:
    """A mean with its standard deviation over seeds."""
    return f"{mean:.3f} ± {sd:.3f}" if metric in SCORES else f"{100 * mean:.1f} ± {percent(sd)}"


def folded_text(metric: Metric, estimates: "Sequence[Estimate | NotApplicable]") -> tuple[float | None, str]:
    """A metric of runs that differ in their seed, for a table that sorts by it.

    Returns:
        The value of a single run or the mean of several, in percent for shares; and, as text, the 95 % interval of a single
        run, or the least and the greatest of several. None, and the reason, if one of them has no value.
    """
    values = []
    for found in estimates:
        if isinstance(found, NotApplicable):
            return None, or_reason(found)
        values.append(found.value)
    single = estimates[0] if len(values) == 1 else None
    low, high = (single.low, single.high) if isinstance(single, Estimate) else (min(values), max(values))
    decimals = 3 if metric in SCORES else 1
    ends = (f"{scaled(metric, end):.{decimals}f}" for end in (low, high))
    return scaled(metric, sum(values) / len(values)), " to ".join(ends)


def p_cell(p: float | NotApplicable) -> str:
    """A p value for a table: ``.29``, ``< .001``."""
    if isinstance(p, NotApplicable):
        return or_reason(p)
    if p < 0.001:
        return "<\N{NO-BREAK SPACE}.001"
    return (f"{p:.3f}" if p < 0.1 else f"{p:.2f}").removeprefix("0")


def p_text(p: float | NotApplicable) -> str:
    """A p value for a sentence, on one line: ``p = .29``, ``p < .001``."""
    if isinstance(p, NotApplicable):
        return f"p {or_reason(p)}"
    text = "p < .001" if p < 0.001 else f"p = {p_cell(p)}"
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def classification_cells(row: "ClassificationRow") -> tuple[str, str, str, str]:
    """Precision, recall, F1 and support as the report of 2020 prints them; the accuracy has only a value under F1."""

    def text(value: float | NotApplicable) -> str:
        if isinstance(value, NotApplicable):
            return "" if row.name == "accuracy" else "n/a"
        return f"{value:.2f}"

    return text(row.precision), text(row.recall), text(row.f1), f"{row.support:,}"


def line_text(line: "Calibrator") -> str:
    """What a calibrator does to a logit: ``temperature 1.25``, ``Platt's slope 0.812 and intercept -0.031``."""
    if line.kind.value == "identity":
        return "no calibration"
    if line.kind.value == "temperature":
        return f"temperature {three_digits(1 / line.slope)}"
    return f"Platt's slope {three_digits(line.slope)} and intercept {score_text(line.intercept)}"


def duration(seconds: float) -> str:
    """Seconds as text: ``45 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def age(seconds: float) -> str:
    """Time since something, as `duration`, and from two days on in days: ``3.5 h``, ``12 days``."""
    return f"{seconds / 86_400:,.0f} days" if seconds >= 172_800 else duration(max(0.0, seconds))


def duration_range(low_s: float, high_s: float) -> str:
    """A range of time: ``40 s to 6 min``, ``2 to 6 min``, ``up to 3 min``; about one time if both ends are written alike."""
    low, high = duration(low_s), duration(high_s)
    if low == high:
        return f"about {high}"
    if low_s < 1:
        return f"up to {high}"
    number, unit = low.split(" ")
    return f"{number if unit == high.split(' ')[1] else low} to {high}"


def file_size(size_bytes: float) -> str:
    """Bytes as text, with three digits in units of 1,000: ``812 B``, ``59.0 MB``, ``2.30 GB``."""
    for unit, one in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= 0.9995 * one:
            return f"{three_digits(size_bytes / one)} {unit}"
    return f"{size_bytes:.0f} B"


def or_reason(value: NotApplicable) -> str:
    """Text for a value that cannot be computed, with the reason."""
    return f"n/a: {value.reason}"


def plain(value: float | NotApplicable) -> float | str:
    """A number for a CSV file, or the reason why there is none."""
    return or_reason(value) if isinstance(value, NotApplicable) else value


def signed(text: str) -> str:
    """A text of numbers with true minus signs; a number that rounds to zero has no sign: ``0.000``."""
    return _SIGNED_ZERO.sub("", text).replace("-", "\N{MINUS SIGN}")
