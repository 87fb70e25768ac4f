"""Which is real? A game that asks, image by image, and counts how well its player can tell."""

import secrets
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from pages.ui.cached import samples_of
from pages.ui.gan.pictures import enlarged, real_images
from pneumo_core.data.index import DataIndex
from pneumo_core.evaluation.intervals import wilson
from pneumo_core.evaluation.wording import percent_text
from pneumo_core.records import Estimate, NotApplicable
from pneumo_core.runs.files import is_there
from pneumo_core.runs.status import run_state
from pneumo_core.runs.store import RunDirectory
from pneumo_core.runs.submission import gan_run_config

ROUNDS = (10, 20, 50, 100)

_BLOCK = 64  # Samples that are drawn at once, so that a round that shows one takes no longer than another.
_SIDE = 384


@dataclass(frozen=True, slots=True)
class Answer:
    """What was shown in a round, and what it was called."""

    is_generated: bool
    called_generated: bool

    @property
    def is_right(self) -> bool:
        """Whether the player told."""
        return self.is_generated == self.called_generated


@dataclass(frozen=True, slots=True)
class Game:
    """A game as it stands."""

    seed: int  # Decides what is shown; nobody sees it.
    rounds: int
    shown: int = 0  # Images before the present one; an answer that is taken back has used up its image.
    answers: tuple[Answer, ...] = ()

    @property
    def is_generated(self) -> bool:
        """What the present image is: each round's toss of a coin, so that counting does not help."""
        return bool(np.random.default_rng([self.seed, self.shown, 1]).integers(2))

    def answered(self, *, called_generated: bool) -> "Game":
        """The game after an answer."""
        answer = Answer(self.is_generated, called_generated)
        return replace(self, shown=self.shown + 1, answers=(*self.answers, answer))

    def taken_back(self) -> "Game":
        """The game without its last answer; its image is known by now, so another one takes its place."""
        return replace(self, answers=self.answers[:-1])


def score(answers: tuple[Answer, ...]) -> Estimate | NotApplicable:
    """Share of right answers."""
    return wilson(sum(answer.is_right for answer in answers), len(answers))


def verdict(answers: tuple[Answer, ...]) -> str:
    """What a finished game says, in plain words."""
    share = score(answers)
    if isinstance(share, NotApplicable) or share.low <= 0.5 <= share.high:
        return (
            "These answers do not show that you can tell real from generated: the interval contains 50 %, what guessing gives. "
            f"Of {len(answers)} answers, {needed(len(answers))} had to be right to rule guessing out."
        )
    if share.low > 0.5:
        return "You could tell real from generated: guessing would hardly have got so many right."
    return "You saw a difference, but took it the wrong way round: guessing would have got more right."


def needed(n: int) -> int:
    """Fewest right answers of `n` whose interval lies above one half."""
    shares = (wilson(right, n) for right in range(n + 1))
    return next(right for right, share in enumerate(shares) if isinstance(share, Estimate) and share.low > 0.5)


def error_table(answers: tuple[Answer, ...]) -> pd.DataFrame:
    """How many images of each kind were called the other, with the share's interval."""
    rows = []
    for is_generated, told in ((False, "real called generated"), (True, "generated called real")):
        own = [answer for answer in answers if answer.is_generated == is_generated]
        wrong = sum(not answer.is_right for answer in own)
        share = percent_text(wilson(wrong, len(own)))
        rows.append({"mistake": told, "images": f"{wrong} of {len(own)}", "share (95 % interval)": share})
    return pd.DataFrame(rows)


def game_panel(run: RunDirectory, index: DataIndex | None) -> None:
    """The game about a finished DCGAN; it stands as it was left when the reader comes back from another page."""
    if not is_there(run.manifest):
        st.info(
            f"The game needs a finished DCGAN; the state of this one is '{run_state(run).value}'. The tab 'Train' follows or "
            "resumes it."
        )
        return
    real = real_images(run, index)
    if real is None:
        return
    key = f"game {run.run_id}"
    game: Game | None = st.session_state.get(key)
    if game is None:
        _before(run, key, len(real))
    elif len(game.answers) == game.rounds:
        _after(key, game)
    else:
        _play(run, key, game, real)


def _before(run: RunDirectory, key: str, n_real: int) -> None:
    config = gan_run_config(run)
    st.subheader("Which is real?")
    st.markdown(
        f"Each round shows one image: one of the {n_real:,} real training images of class {config.label.name} that the DCGAN "
        "has learned from, or a generated one that nobody has seen. A coin decides which. Both are "
        f"{config.image_size} × {config.image_size} pixels and enlarged alike: only what they show can tell them apart.\n\n"
        "The score says how well *you* tell *these* apart at this size; it says nothing of larger images, of a radiologist's "
        "eye, or of whether generated images are any use."
    )
    rounds = st.segmented_control("Rounds", ROUNDS, default=20, required=True, key="rounds")
    new = Game(secrets.randbelow(2**31), rounds)
    st.button("Start", type="primary", icon=":material/play_arrow:", on_click=_put, args=(key, new))


def _play(run: RunDirectory, key: str, game: Game, real: NDArray[np.uint8]) -> None:
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown(f"**Round {len(game.answers) + 1} of {game.rounds}:** is this image real or generated?")
        shown = enlarged(_image(run, game, real), _SIDE)
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
        st.success(f"Right: that image was {kind}.", icon=":material/check:")
    else:
        st.error(f"Wrong: that image was {kind}.", icon=":material/close:")
    st.metric("Right answers", f"{sum(answer.is_right for answer in answers)} of {len(answers)}")
    st.caption(
        f"{percent_text(score(answers))}, 95 % interval (Wilson), n = {len(answers)} images; guessing gives 50 %."
    )


def _controls(key: str, game: Game) -> None:
    with st.container(horizontal=True):
        st.button(
            "Take the last answer back",
            icon=":material/undo:",
            shortcut="U",
            disabled=not game.answers,
            help="Another image takes its place, since you know by now what it was.",
            on_click=_put,
            args=(key, game.taken_back()),
        )
        st.button("Start over", icon=":material/restart_alt:", on_click=_put, args=(key, None))


def _after(key: str, game: Game) -> None:
    _feedback(game.answers)
    st.subheader("What your answers say")
    st.markdown(verdict(game.answers))
    st.table(error_table(game.answers), hide_index=True, alt="Mistakes by kind")
    if back := game.shown - len(game.answers):
        st.caption(f"Answers taken back: {back}. The score is fair only if they were slips.")
    _controls(key, game)


def _image(run: RunDirectory, game: Game, real: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A round's image. Both kinds are at hand before one is chosen: neither can be told by how long it takes."""
    block, place = divmod(game.shown, _BLOCK)
    samples = samples_of(run.run_id, game.seed, block * _BLOCK, _BLOCK)
    order = np.random.default_rng(game.seed).permutation(len(real))
    found: NDArray[np.uint8] = samples[place] if game.is_generated else real[order[game.shown % len(real)]]
    return found


def _put(key: str, game: Game | None) -> None:
    """Make a game the present one. It was worked out as its button was drawn, so a second click answers nothing more."""
    st.session_state[key] = game
