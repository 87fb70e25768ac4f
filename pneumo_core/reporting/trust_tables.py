"""The tests of a model's heat maps in words and as a table, for pages, documents and the command line."""

from typing import Final

from pneumo_core.evaluation.trust import ALIKE, BELOW, CENTRAL, Check, Measured, Outcome, Trust
from pneumo_core.evaluation.wording import percent, percent_text, score_text, three_digits, unbroken
from pneumo_core.records import NotApplicable
from pneumo_core.reporting.document import Table

NAMES: Final[dict[Check, str]] = {
    Check.WEIGHTS: "Shuffled weights",
    Check.DELETION: "Deletion, against the map elsewhere",
    Check.INSERTION: "Insertion, against the map elsewhere",
    Check.DELETION_RANDOM: "Deletion, against random cells",
    Check.INSERTION_RANDOM: "Insertion, against random cells",
    Check.NOISE: "Faint noise",
    Check.CENTER: "Outside the center",
}
"""Each test by name."""

_MEANING: Final[dict[Check, str]] = {
    Check.WEIGHTS: "The map depends on what the model learned",
    Check.DELETION: "The logit falls sooner where the map is strong than where as closed a region elsewhere is grayed",
    Check.INSERTION: "The logit rises sooner where the map is strong than where as closed a region elsewhere is uncovered",
    Check.DELETION_RANDOM: "The logit falls sooner where the map is strong than where cells all over the image are grayed",
    Check.INSERTION_RANDOM: "The logit rises sooner where the map is strong than where cells all over are uncovered",
    Check.NOISE: "The map hardly changes where image and logit hardly change",
    Check.CENTER: "The map lies in the middle of the chest rather than at corners, shoulders and arms",
}
"""What a passed test says."""

_CORRELATIONS: Final = frozenset({Check.WEIGHTS, Check.NOISE})


def headline(trust: Trust | NotApplicable) -> str:
    """How many tests were passed, in a few words: "heat maps passed 5 of 7 tests"."""
    if isinstance(trust, NotApplicable):
        return "heat maps not tested"
    return f"heat maps passed {len(trust.among(Outcome.PASSED))} of {len(trust.among(*Outcome))} tests"


def summary(trust: Trust | NotApplicable) -> str:
    """What was tested on which images, and what was not passed, in a few sentences."""
    if isinstance(trust, NotApplicable):
        return f"The heat maps are not tested: {trust.reason}."
    first = f"The {headline(trust)} on {trust.n:,} validation images, each of another patient"
    parts = [
        f"{outcome.value}: {'; '.join(NAMES[check].lower() for check in checks)}".capitalize()
        for outcome in (Outcome.FAILED, Outcome.NOT_SHOWN)
        if (checks := trust.among(outcome))
    ]
    return f"{'. '.join([first, *parts])}."


def trust_table(trust: Trust) -> Table:
    """Each test with its outcome, what was measured, and what that is held against."""
    rows = tuple((NAMES[check], *_cells(check, found), _MEANING[check]) for check, found in trust.checks.items())
    caption, columns = "Tests of the heat maps", ("test", "result", "measured", "what passing says")
    return Table("heat-map-tests", caption, columns, rows, _notes(trust))


def _notes(trust: Trust) -> tuple[str, ...]:
    change, spread = three_digits(trust.logit_change), three_digits(trust.logit_spread)
    images = (
        f"On {trust.n:,} images of split {trust.split.value}, each of another patient, drawn by seed {trust.seed}. A test "
        "is passed if the whole interval lies on the right side of the limit, and failed if it lies on the other."
    )
    limits = (
        f"Correlations are rank correlations of maps. Limits: for weights, which were shuffled {trust.shuffles} times, the "
        "mean between maps of two patients; for noise, what "
        f"{percent(1 - ALIKE, 0)} of the pairs of patients exceed. Noise with a standard deviation of {trust.noise:g} gray "
        f"levels moved the logit by {change} (median); logits vary by {spread} (standard deviation)."
    )
    areas = (
        "Deletion and insertion: differences of the areas under the curves of the logit. Cells all over the image disturb "
        "a network more than one closed region, wherever it is, so the same map at a random place is the fairer control."
    )
    center = (
        f"Outside the center: share of the map outside an ellipse {percent(CENTRAL, 0)} of the image wide and high, "
        "against that share of the area."
    )
    return images, limits, areas, center


def _cells(check: Check, found: Measured | NotApplicable) -> tuple[str, str]:
    """Outcome, and the measured value with its interval, n and limit."""
    if isinstance(found, NotApplicable):
        return "n/a", found.reason
    if check is Check.CENTER:
        measured, limit = percent_text(found.value), percent(found.limit)
    elif check in _CORRELATIONS:
        measured, limit = f"correlation {score_text(found.value, 2)}", score_text(found.limit, 2)
    else:
        measured, limit = f"{score_text(found.value, 2)} logits", score_text(found.limit, 0)
    side = "below" if check in BELOW else "above"
    return found.outcome.value, unbroken(f"{measured}, n = {found.value.n:,}; must be {side} {limit}")
