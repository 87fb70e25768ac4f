"""The claim checker against every table there is, rounded by the decimal module, and against what was published."""

import tracemalloc
from collections.abc import Iterator
from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from pneumo_core.errors import DataError
from pneumo_core.evaluation.claims import EXAMPLES, MOST_IMAGES, ClaimCheck, Rate, check_claim, read_rate
from pneumo_core.evaluation.metrics import Confusion
from pneumo_core.records import Estimate, Label, NotApplicable, Split
from pneumo_core.reference import OFFICIAL_COUNTS

OFFICIAL = OFFICIAL_COUNTS[Split.TEST, Label.PNEUMONIA]


def rounds_to(part: int, whole: int, percent: str) -> bool:
    """Whether a share, rounded to as many digits as were written, is what was written; halves go either way."""
    if whole == 0:
        return False
    share = Fraction(100 * part, whole)
    # More digits than any rounding here looks at, and exact where the share is half a unit.
    exact = Decimal(share.numerator) / Decimal(share.denominator)
    return any(
        exact.quantize(Decimal(percent), rounding=rounding) == Decimal(percent)
        for rounding in (ROUND_HALF_UP, ROUND_HALF_DOWN)
    )


def every_table(
    n: int, accuracy: str, sensitivity: str, specificity: str, n_pneumonia: int | None
) -> Iterator[Confusion]:
    for sick in range(n + 1) if n_pneumonia is None else [n_pneumonia]:
        for tp in range(sick + 1):
            for tn in range(n - sick + 1):
                parts = ((accuracy, tp + tn, n), (sensitivity, tp, sick), (specificity, tn, n - sick))
                if all(rounds_to(part, whole, text) for text, part, whole in parts if text):
                    yield Confusion(tn=tn, fp=n - sick - tn, fn=sick - tp, tp=tp)


percents = st.one_of(
    st.just(""),
    st.integers(0, 100).map(str),
    st.integers(0, 1000).map(lambda units: f"{units / 10:.1f}"),
    st.integers(0, 10_000).map(lambda units: f"{units / 100:.2f}"),
)


@settings(max_examples=150)
@given(st.integers(1, 13), percents, percents, percents, st.floats(0, 1) | st.none())
@example(8, "12.5", "", "", None)
@example(8, "12", "", "", 0.5)
@example(4, "50", "100", "0", 0.5)
def test_the_tables_are_those_that_a_search_finds(
    n: int, accuracy: str, sensitivity: str, specificity: str, share: float | None
) -> None:
    if not (accuracy or sensitivity or specificity):
        return
    n_pneumonia = None if share is None else round(share * n)
    typed = {"accuracy": accuracy, "sensitivity": sensitivity, "specificity": specificity}
    typed = {name: text and f"{text} %" for name, text in typed.items()}
    check = check_claim(n=n, n_pneumonia=n_pneumonia, **typed)
    known = list(every_table(n, accuracy, sensitivity, specificity, n_pneumonia))
    assert check.tables == len(known)
    assert len(set(check.examples)) == len(check.examples) <= EXAMPLES
    assert set(check.examples) <= set(known)
    assert bool(check.examples) is bool(known)
    if len(known) <= EXAMPLES:
        assert set(check.examples) == set(known)
    sick = {table.tp + table.fn for table in known}
    assert check.pneumonia == ((min(sick), max(sick)) if sick else None)
    for multiple in check.multiples:
        text = {"accuracy": accuracy, "sensitivity": sensitivity, "specificity": specificity}[multiple.name]
        counts = [count for count in range(multiple.of + 1) if rounds_to(count, multiple.of, text)]
        assert multiple.fits is bool(counts)
        if counts:
            assert (multiple.least, multiple.most) == (counts[0], counts[-1])
            assert multiple.nearest in counts
        if multiple.of and multiple.always_fits:
            assert counts
        distances = [abs(Fraction(text) * multiple.of / 100 - count) for count in range(multiple.of + 1)]
        assert distances[multiple.nearest] == min(distances)


@given(st.integers(1, 400), st.data())
def test_what_was_counted_and_rounded_is_never_refused(n: int, data: st.DataObject) -> None:
    sick = data.draw(st.integers(0, n))
    tp, tn = data.draw(st.integers(0, sick)), data.draw(st.integers(0, n - sick))
    decimals = data.draw(st.integers(0, 6))
    accuracy = f"{100 * (tp + tn) / n:.{decimals}f} %"
    sensitivity = f"{100 * tp / sick:.{decimals}f} %" if sick else ""
    specificity = f"{100 * tn / (n - sick):.{decimals}f} %" if sick < n else ""
    for known in (sick, None):
        check = check_claim(n=n, accuracy=accuracy, sensitivity=sensitivity, specificity=specificity, n_pneumonia=known)
        assert check.tables >= 1
        assert check.pneumonia is not None
        assert check.pneumonia[0] <= sick <= check.pneumonia[1]


def kermany(n_pneumonia: int | None) -> ClaimCheck:
    return check_claim(n=624, accuracy="92.8 %", sensitivity="93.2 %", specificity="90.1 %", n_pneumonia=n_pneumonia)


def test_the_three_figures_of_the_first_paper_are_of_no_table() -> None:
    check = kermany(OFFICIAL)
    assert check.tables == 0
    assert check.examples == ()
    assert check.implied == pytest.approx(0.932 * 390 / 624 + 0.901 * 234 / 624)
    assert [(multiple.name, multiple.fits, multiple.nearest) for multiple in check.multiples] == [
        ("accuracy", True, 579),
        ("sensitivity", False, 363),
        ("specificity", False, 211),
    ]
    assert check.verdict == (
        "No 2x2 table of 390 PNEUMONIA and 234 NORMAL images gives accuracy 92.8 %, sensitivity 93.2 % and specificity "
        "90.1 %; 93.2 % of 390 is not a whole number of images; 90.1 % of 234 is not a whole number of images; sensitivity and "
        "specificity imply an accuracy of 92.0 %."
    )
    theirs = binomtest(579, 624).proportion_ci(method="wilson")
    assert isinstance(check.interval, Estimate)
    assert (check.interval.value, check.interval.n) == (0.928, 624)
    assert (check.interval.low, check.interval.high) == pytest.approx((theirs.low, theirs.high), abs=3e-4)


def test_with_other_classes_they_could_be_true() -> None:
    check = kermany(None)
    assert check.tables == 2
    assert check.pneumonia == (533, 543)
    assert "with 533 to 543 PNEUMONIA images" in check.verdict
    assert isinstance(check.implied, NotApplicable)
    assert isinstance(check.commonest, NotApplicable)


def test_always_answering_pneumonia() -> None:
    check = check_claim(n=624, accuracy="62.5 %", sensitivity="100.0 %", specificity="0.0 %", n_pneumonia=OFFICIAL)
    assert check.examples == (Confusion(tn=0, fp=234, fn=0, tp=390),)
    assert check.commonest == 0.625
    assert check.verdict.startswith("Of all 2x2 tables of 390 PNEUMONIA and 234 NORMAL images, exactly one gives")


def test_few_digits_say_nothing_and_the_verdict_says_so() -> None:
    assert "the check is uninformative" in check_claim(n=624, accuracy="93 %").verdict
    assert "the check is uninformative" not in check_claim(n=624, accuracy="92.8 %").verdict
    assert "not a whole number" in check_claim(n=10, accuracy="95 %").verdict


def test_a_million_images_take_a_few_passes_over_them(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, among = [], Rate.among
    monkeypatch.setattr(Rate, "among", lambda rate, whole: (sizes.append(whole.size), among(rate, whole))[1])
    tracemalloc.start()
    check = check_claim(n=MOST_IMAGES, accuracy="95.1234 %", sensitivity="94.1 %", specificity="96 %")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sorted(sizes) == [1, 1, MOST_IMAGES + 1, MOST_IMAGES + 1]
    assert peak < 50 * 8 * MOST_IMAGES  # Arrays of one number an image; 2x2 tables are half a trillion.
    assert len(check.examples) == EXAMPLES
    for table in check.examples:
        assert table.n == MOST_IMAGES
        assert round(100 * (table.tp + table.tn) / table.n, 4) == 95.1234
        assert round(100 * table.tp / (table.tp + table.fn), 1) == 94.1
        assert round(100 * table.tn / (table.tn + table.fp)) == 96


def test_the_finest_rate_of_the_most_images_does_not_overflow() -> None:
    whole = np.array([MOST_IMAGES])
    least, most = Rate(10**12, 12).among(whole)
    assert (least[0], most[0]) == (MOST_IMAGES, MOST_IMAGES)
    every = check_claim(n=MOST_IMAGES, accuracy="0.5")  # One digit: from 45 to 55 %.
    assert 0 < every.tables < (MOST_IMAGES + 3) ** 3 // 6


@pytest.mark.parametrize(
    ("text", "units", "decimals"),
    [
        ("92.8 %", 928, 3),
        ("92.8%", 928, 3),
        (" 92.8 ", 928, 3),
        ("92,8 %", 928, 3),
        ("0.928", 928, 3),
        (".93", 93, 2),
        ("93", 93, 2),
        ("1.00", 100, 2),
        ("100", 100, 2),
        ("100.0 %", 1000, 3),
        ("0", 0, 2),
        ("0.5 %", 5, 3),
        ("1 %", 1, 2),
        ("1.5", 15, 3),
        ("0.930", 930, 3),
    ],
)
def test_rates_are_read_as_people_type_them(text: str, units: int, decimals: int) -> None:
    assert read_rate(text) == Rate(units, decimals)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "%",
        ".",
        "nan",
        "-1 %",
        "+5",
        "101 %",
        "1e-2",
        "92.8 % of",
        "9 3",
        "1",
        "٩٣",
        "0." + "1" * 13,
        "9" * 400,
        "½",
    ],
)
def test_what_is_no_rate_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(DataError, match="Received: accuracy=") as caught:
        read_rate(text, "accuracy")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ({"n": 624}, "none of them"),
        ({"n": 0, "accuracy": "90 %"}, "n=0"),
        ({"n": MOST_IMAGES + 1, "accuracy": "90 %"}, "n=1000001"),
        ({"n": 10, "accuracy": "90 %", "n_pneumonia": 11}, "n_pneumonia=11"),
        ({"n": 10, "accuracy": "90 %", "n_pneumonia": -1}, "n_pneumonia=-1"),
        ({"n": 10, "specificity": "x"}, "specificity='x'"),
    ],
)
def test_a_claim_that_cannot_be_checked_is_refused(claim: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_claim(**claim)  # type: ignore[arg-type]


@pytest.mark.parametrize(("n_pneumonia", "rate"), [(0, "sensitivity"), (10, "specificity")])
def test_a_rate_of_no_images_fits_no_table(n_pneumonia: int, rate: str) -> None:
    check = check_claim(n=10, n_pneumonia=n_pneumonia, **{rate: "0 %"})
    assert check.tables == 0
    assert check.verdict.endswith("0 % of 0 is not a whole number of images.")
