"""The rules of "Which is real?", against the binomial distribution and by counting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from pages.ui.gan.game import ROUNDS, Answer, Game, error_table, needed, verdict

ANSWERS = st.lists(st.builds(Answer, st.booleans(), st.booleans()), min_size=10, max_size=100).map(tuple)


@pytest.mark.parametrize("n", ROUNDS)
def test_as_many_answers_are_needed_as_rule_out_guessing(n: int) -> None:
    lows = [binomtest(right, n).proportion_ci(method="wilson").low for right in range(n + 1)]
    assert needed(n) == int(np.argmax(np.array(lows) > 0.5))


@given(ANSWERS)
def test_the_verdict_is_the_intervals(answers: tuple[Answer, ...]) -> None:
    right = sum(answer.is_generated == answer.called_generated for answer in answers)
    interval = binomtest(right, len(answers)).proportion_ci(method="wilson")
    words = verdict(answers)
    assert words.startswith("You can tell real from generated") == (interval.low > 0.5)
    assert words.startswith("You saw a difference") == (interval.high < 0.5)
    assert words.startswith("They do not show") == (interval.low <= 0.5 <= interval.high)


@given(ANSWERS)
def test_mistakes_are_counted_by_kind(answers: tuple[Answer, ...]) -> None:
    counts = {(False, False): 0, (False, True): 0, (True, False): 0, (True, True): 0}
    for answer in answers:
        counts[answer.is_generated, answer.called_generated] += 1
    assert error_table(answers)["images"].tolist() == [
        f"{counts[False, True]} of {counts[False, True] + counts[False, False]}",
        f"{counts[True, False]} of {counts[True, False] + counts[True, True]}",
    ]


@given(st.integers(0, 2**31 - 1), st.lists(st.booleans() | st.none(), max_size=30))
def test_what_is_shown_depends_on_no_answer(seed: int, calls: list[bool | None]) -> None:
    game = Game(seed, 100)
    for call in calls:  # None takes the last answer back.
        before = game
        game = game.taken_back() if call is None else game.answered(called_generated=call)
        if call is not None:
            assert game.answers == (*before.answers, Answer(before.is_generated, call, before.shown))
    shown = sum(call is not None for call in calls)
    assert (game.shown, game.is_generated) == (shown, Game(seed, 100, shown).is_generated)


def test_each_round_is_a_fair_toss() -> None:
    tosses = np.array([[Game(seed, 20, shown).is_generated for shown in range(20)] for seed in range(200)])
    assert binomtest(int(tosses.sum()), tosses.size).pvalue > 0.001
    alike = tosses[:, 1:] == tosses[:, :-1]
    assert binomtest(int(alike.sum()), alike.size).pvalue > 0.001
