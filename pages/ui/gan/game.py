"""Which is real? A game that measures how well its player distinguishes real from generated images."""

import secrets
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from pages.ui.cached import samples_of
from pages.ui.components import choice
from pages.ui.gan.pictures import enlarged, generated_badge, real_badge, real_images
from pages.ui.gan.runs import is_finished
from pneumo_core.data.index import DataIndex
from pneumo_core.evaluation.intervals import wilson
from pneumo_core.evaluation.wording import percent_text
from pneumo_core.records import Estimate, NotApplicable
from pneumo_core.runs.store import RunDirectory
from pneumo_core.runs.submission import gan_run_config

ROUNDS = (10, 20, 50, 100)

_BLOCK = 64  # Samples that are drawn at once, so that a round that shows one takes no longer than another.
_SIDE = 384
_SMALL = 128


@dataclass(frozen=True, slots=True)
class Answer:
    """Image and answer of a round."""

    is_generated: bool
    called_generated: bool
    image: int = 0  # Number of its image in the game, by which it is drawn again.

    @property
    def is_right(self) -> bool:
        """Whether the answer is correct."""
        return self.is_generated == self.called_generated


@dataclass(frozen=True, slots=True)
class Game:
    """State of a game."""

    seed: int  # Determines the images; it is not shown.
    rounds: int
    shown: int = 0  # Images before the current one; an undone answer uses up its image.
    answers: tuple[Answer, ...] = ()

    @property
    def is_generated(self) -> bool:
        """Whether the current image is generated: an independent random choice, so that counting does not help."""
        return bool(np.random.default_rng([self.seed, self.shown, 1]).integers(2))

    def answered(self, *, called_generated: bool) -> "Game":
        """The game after an answer."""
        answer = Answer(self.is_generated, called_generated, self.shown)
        return replace(self, shown=self.shown + 1, answers=(*self.answers, answer))

    def taken_back(self) -> "Game":
        """The game without its last answer; its image is already known and is replaced."""
        return replace(self, answers=self.answers[:-1])


def score(answers: tuple[Answer, ...]) -> Estimate | NotApplicable:
    """Fraction of correct answers."""
    return wilson(sum(answer.is_right for answer in answers), len(answers))


def verdict(answers: tuple[Answer, ...]) -> str:
    """Result of a finished game, for people."""
    share = score(answers)
    if isinstance(share, NotApplicable) or share.low <= 0.5 <= share.high:
        return (
            "They do not show that you can tell real from generated: the interval contains 50 %, the rate of guessing. "
            f"Of {len(answers)} answers, {needed(len(answers))} must be correct to exclude guessing."
        )
    if share.low > 0.5:
        return "You can tell real from generated: guessing would hardly give so many correct answers."
    return "You saw a difference but took one kind for the other: guessing would give more correct answers."


def needed(n: int) -> int:
    """Minimum number of correct answers of `n` whose interval lies above one half."""
    shares = (wilson(right, n) for right in range(n + 1))
    return next(right for right, share in enumerate(shares) if isinstance(share, Estimate) and share.low > 0.5)


def error_table(answers: tuple[Answer, ...]) -> pd.DataFrame:
    """Number of mistakes for each kind of image, with the interval of their rate."""
    rows = []
    for is_generated, mistake in ((False, "real classified as generated"), (True, "generated classified as real")):
        own = [answer for answer in answers if answer.is_generated == is_generated]
        wrong = sum(not answer.is_right for answer in own)
        share = percent_text(wilson(wrong, len(own)))
        rows.append({"mistake": mistake, "images": f"{wrong} of {len(own)}", "share (95 % interval)": share})
    return pd.DataFrame(rows)


def game_panel(run: RunDirectory, index: DataIndex | None) -> None:
    """The game about a finished DCGAN; its state survives a change of page."""
    if not is_finished(run, "The game"):
        return
    real = real_images(run, index)
    if real is None:
        return
    key = f"game {run.run_id}"
    game: Game | None = st.session_state.get(key)
    if game is None:
        _before(run, key, len(real))
    elif len(game.answers) == game.rounds:
        _after(run, key, game, real)
    else:
        _play(run, key, game, real)


def _before(run: RunDirectory, key: str, n_real: int) -> None:
    config = gan_run_config(run)
    st.header("Which is real?")
    st.markdown(
        f"Each round shows one image: one of the {n_real:,} real training images of class {config.label.name} that the DCGAN "
        "was trained on, or a newly generated one, with equal probability. Both are "
        f"{config.image_size} × {config.image_size} pixels and enlarged alike, so only what they show tells them apart.\n\n"
        "The score says how well *you* tell *these* images apart at this size. It says nothing about larger images, about "
        "radiologists, or about whether generated images are useful."
    )
    rounds = choice("Rounds", ROUNDS, default=20, key="rounds")
    new = Game(secrets.randbelow(2**31), rounds)
    st.button("Start", type="primary", icon=":material/play_arrow:", on_click=_put, args=(key, new))


def _play(run: RunDirectory, key: str, game: Game, real: NDArray[np.uint8]) -> None:
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown(f"**Round {len(game.answers) + 1} of {game.rounds}:** is this image real or generated?")
        shown = enlarged(_image(run, game, game.shown, real, is_generated=game.is_generated), _SIDE)
        st.image(shown, width=_SIDE, output_format="PNG", alt="The image in question")
        with st.container(horizontal=True):
            st.button("Real", shortcut="1", on_click=_put, args=(key, game.answered(called_generated=False)))
            st.button("Generated", shortcut="2", on_click=_put, args=(key, game.answered(called_generated=True)))
    with right:
        if game.answers:
            _feedback(game.answers)
        _controls(key, game)


def _feedback(answers: tuple[Answer, ...]) -> None:
    """The last answer, and the score so far."""
    kind = "generated" if answers[-1].is_generated else "real"
    if answers[-1].is_right:
        st.success(f"Correct: that image was {kind}.", icon=":material/check:")
    else:
        st.error(f"Wrong: that image was {kind}.", icon=":material/close:")
    st.metric("Correct answers", f"{sum(answer.is_right for answer in answers)} of {len(answers)}")
    st.caption(
        f"{percent_text(score(answers))}, 95 % interval (Wilson), n = {len(answers)} images; guessing gives 50 %."
    )


def _controls(key: str, game: Game) -> None:
    with st.container(horizontal=True):
        st.button(
            "Undo the last answer",
            icon=":material/undo:",
            shortcut="U",
            disabled=not game.answers,
            help="The image is replaced, since its kind is already known.",
            on_click=_put,
            args=(key, game.taken_back()),
        )
        st.button("Start over", icon=":material/restart_alt:", on_click=_put, args=(key, None))


def _after(run: RunDirectory, key: str, game: Game, real: NDArray[np.uint8]) -> None:
    _feedback(game.answers)
    st.header("Result", anchor=False)
    st.markdown(verdict(game.answers))
    st.table(error_table(game.answers), hide_index=True, alt="Mistakes by kind")
    if back := game.shown - len(game.answers):
        st.caption(f"Undone answers: {back}. The score is fair only if they were slips.")
    _controls(key, game)
    _pictures(run, game, real)


def _pictures(run: RunDirectory, game: Game, real: NDArray[np.uint8]) -> None:
    """Which picture was which, in the order of the rounds."""
    st.header("Which picture was which", anchor=False)
    grid = st.grid(8, min_column_width=110, gap="small")
    for number, answer in enumerate(game.answers, start=1):
        shown = _image(run, game, answer.image, real, is_generated=answer.is_generated)
        kind, said = ("generated" if made else "real" for made in (answer.is_generated, answer.called_generated))
        judged = "correct" if answer.is_right else f"you said {said}"
        with grid.container(gap="xxsmall"):
            alt = f"Round {number}, {kind}, {judged}"
            st.image(enlarged(shown, _SMALL), width="stretch", output_format="PNG", alt=alt)
            generated_badge() if answer.is_generated else real_badge()
            mark = ":material/check:" if answer.is_right else ":material/close:"
            st.caption(f"{mark} {number}: {judged}")


def _image(
    run: RunDirectory, game: Game, number: int, real: NDArray[np.uint8], *, is_generated: bool
) -> NDArray[np.uint8]:
    """An image of the game. Both kinds are prepared before one is chosen, so that the delay does not reveal the kind."""
    block, place = divmod(number, _BLOCK)
    samples = samples_of(run.run_id, game.seed, block * _BLOCK, _BLOCK)
    order = np.random.default_rng(game.seed).permutation(len(real))
    found: NDArray[np.uint8] = samples[place] if is_generated else real[order[number % len(real)]]
    return found


def _put(key: str, game: Game | None) -> None:
    """Set the current game. It was computed when its button was drawn, so a second click has no effect."""
    st.session_state[key] = game
