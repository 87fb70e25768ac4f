"""The tests of heat maps in words."""

from dataclasses import replace

from pneumo_core.evaluation.trust import Check, judged
from pneumo_core.records import Estimate, NotApplicable
from pneumo_core.reporting.trust_tables import NAMES, headline, summary, trust_table
from tests.evaluation.test_trust import PASSED, TRUST


def test_the_badge_counts_and_names_what_was_not_passed() -> None:
    assert headline(TRUST) == "heat maps passed 7 of 7 tests"
    assert summary(TRUST) == "The heat maps passed 7 of 7 tests on 9 validation images, each of another patient."
    failed = judged(Check.DELETION_RANDOM, Estimate(1.1, 0.6, 1.6, 9), 0.0)
    unclear = judged(Check.NOISE, Estimate(0.5, 0.4, 0.6, 9), 0.5)
    changes = {Check.DELETION_RANDOM: failed, Check.NOISE: unclear, Check.CENTER: NotApplicable("empty maps")}
    worse = replace(TRUST, checks={**PASSED, **changes})
    assert headline(worse) == "heat maps passed 4 of 6 tests"
    assert summary(worse).endswith(" patient. Failed: deletion, against random cells. Not shown: faint noise.")
    rows = {name: cells for name, *cells in trust_table(worse).rows}
    assert list(rows) == list(NAMES.values())
    result, measured, _ = rows[NAMES[Check.DELETION_RANDOM]]
    assert (result, measured.replace("\N{NO-BREAK SPACE}", " ")) == (
        "failed",
        "1.10 (0.60 to 1.60) logits, n = 9; must be below 0",
    )
    assert rows[NAMES[Check.CENTER]][:2] == ["n/a", "empty maps"]


def test_what_is_not_tested_says_why() -> None:
    reason = NotApplicable("a quick run is a trial")
    assert headline(reason) == "heat maps not tested"
    assert summary(reason) == "The heat maps are not tested: a quick run is a trial."
