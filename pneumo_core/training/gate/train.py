"""The gate's training: samples drawn from all kinds of uploads, each with the answers that hold for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import cv2
import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from pneumo_core.config.gate import HEADS, INPUT_SIZE
from pneumo_core.models.gate import build_gate
from pneumo_core.training.gate import views
from pneumo_core.training.gate.images import OWN, PHANTOMS, Gathered
from pneumo_core.training.gate.sources import Kind
from pneumo_core.training.gate.views import Pixels, Random

_UNKNOWN: Final = -1
"""Answer of a head that has none for an image, such as how a photograph stands; it is left out of the loss."""

_SHARES: Final = {
    Kind.FRONTAL: 0.5,
    Kind.LATERAL: 0.06,
    Kind.BONES: 0.12,
    Kind.SLICE: 0.1,
    Kind.PHOTO: 0.1,
    Kind.DRAWING: 0.05,
    Kind.DOCUMENT: 0.07,
}
"""Shares of the kinds in training; documents, noise and shapes are drawn."""

_FRONTAL: Final = {"as it is": 0.5, "turned": 0.2, "part": 0.12, "framed": 0.12, "shuffled": 0.06}
"""Shares of what is done to a frontal X-ray."""

_TURNS: Final[tuple[Callable[[Pixels, Random], Pixels] | None, ...]] = (
    None,
    views.turned_90,
    views.turned_180,
    views.turned_270,
    views.flipped,
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the training.

    Attributes:
        steps: Number of batches.
        batch_size: Samples in a batch.
        learning_rate: At its peak; it rises for a twentieth of the steps and falls along a cosine.
        seed: Seed of weights and samples.
    """

    steps: int = 6000
    batch_size: int = 64
    learning_rate: float = 2e-3
    seed: int = 0


class _Samples:
    """Draws samples; the same seed gives the same samples."""

    def __init__(self, images: Gathered, random: Random) -> None:
        self.random = random
        self.pixels = images.pixels
        trained = images.trained
        self.rows = {
            kind: [
                np.flatnonzero(trained & (images.kind == kind.value) & (images.source == source))
                for source in np.unique(images.source[trained & (images.kind == kind.value)])
            ]
            for kind in Kind
        }
        # The data set's own X-rays are what the classifiers know: as many as of all other hospitals.
        sources = [images.source[rows[0]] for rows in self.rows[Kind.FRONTAL] if len(rows)]
        own = {OWN: 0.4, PHANTOMS: 0.04}
        self.frontal_weights = [own.get(str(source), 0.56 / max(1, len(sources) - 2)) for source in sources]

    def image(self, kind: Kind) -> Pixels:
        """A training image of a kind; small sources are drawn less often than large ones, but not as much less."""
        sources = self.rows[kind]
        counts = [len(rows) for rows in sources]
        weights = np.asarray(self.frontal_weights if kind is Kind.FRONTAL else np.sqrt(counts))
        rows = sources[self.random.choice(len(sources), p=weights / weights.sum())]
        chosen: Pixels = self.pixels[self.random.choice(rows)]
        return chosen

    def sample(self) -> tuple[Pixels, list[int]]:
        """An image and its class for each head."""
        random = self.random
        present = [kind for kind in Kind if self.rows[kind] or kind is Kind.DOCUMENT]
        shares = np.asarray([_SHARES[kind] for kind in present])
        kind = present[random.choice(len(present), p=shares / shares.sum())]
        match kind:
            case Kind.FRONTAL:
                return self._frontal()
            case Kind.DOCUMENT:
                drawn = views.document(random) if random.random() < 0.6 else views.nothing(random)
                return views.disturbed(drawn, random, 0.5), _answers("other")
            case Kind.LATERAL:
                image, is_inverted = self._maybe_inverted(self.image(kind))
                if random.random() < 0.5:
                    image = np.ascontiguousarray(image[:, ::-1])
                return views.disturbed(image, random, 1.2), _answers("lateral", is_inverted=is_inverted)
            case _:
                return self._other(self.image(kind)), _answers("other")

    def _maybe_inverted(self, image: Pixels, share: float = 0.12) -> tuple[Pixels, bool]:
        is_inverted = bool(self.random.random() < share)
        return (views.inverted(image, self.random) if is_inverted else image), is_inverted

    def _frontal(self) -> tuple[Pixels, list[int]]:
        random = self.random
        image = self.image(Kind.FRONTAL)
        done = str(random.choice(list(_FRONTAL), p=list(_FRONTAL.values())))
        if done == "shuffled":
            return views.disturbed(views.shuffled(image, random), random), _answers("other")
        image = views.disturbed(image, random)
        # Mirrored left to right, an upright X-ray stays one; of an upside-down one it would say how it came about.
        if done == "as it is" and random.random() < 0.1:
            image = np.ascontiguousarray(image[:, ::-1])
        image, is_inverted = self._maybe_inverted(image)
        turn, frame = 0, "whole"
        if done == "turned" or (done != "as it is" and random.random() < 0.15):
            turn = int(random.integers(1, len(_TURNS)))
            image = _TURNS[turn](image, random)  # type: ignore[misc]
        if done == "part":
            image, frame = views.part(image, random), "part"
            turn = _UNKNOWN  # A part of a chest need not show which way is up.
        elif done == "framed":
            framings = (views.large_border, views.screenshot, views.film)
            other = self._surrounding()
            image, frame = framings[random.integers(len(framings))](image, random, other), "framed"
            image = views.disturbed(image, random, 0.3)
        return image, _answers("frontal", turn, is_inverted=is_inverted, frame=frame)

    def _surrounding(self) -> Pixels | None:
        if not self.rows[Kind.PHOTO] or self.random.random() < 0.5:
            return None
        return self.image(Kind.PHOTO)

    def _other(self, image: Pixels) -> Pixels:
        """Anything else: any way up, any part of it, black on white, or framed."""
        random = self.random
        if random.random() < 0.35:
            side = int(INPUT_SIZE * random.uniform(0.3, 0.95))
            y, x = random.integers(0, INPUT_SIZE - side, 2)
            image = cv2.resize(image[y : y + side, x : x + side], (INPUT_SIZE, INPUT_SIZE)).astype(np.uint8)
        if random.random() < 0.3:
            image = np.rot90(image, int(random.integers(1, 4)))
        if random.random() < 0.5:
            image = image[:, ::-1]
        image = np.ascontiguousarray(image)
        if random.random() < 0.15:
            image = views.inverted(image, random)
        image = views.disturbed(image, random, 1.3)
        if random.random() < 0.06:
            image = views.screenshot(image, random)
        return image


def _answers(
    kind: str, turn: int | None = None, *, is_inverted: bool | None = None, frame: str | None = None
) -> list[int]:
    return [
        HEADS["kind"].index(kind),
        _UNKNOWN if turn is None else turn,
        _UNKNOWN if is_inverted is None else int(is_inverted),
        _UNKNOWN if frame is None else HEADS["frame"].index(frame),
    ]


class _Batches(keras.utils.PyDataset):
    """Batches of samples; each is drawn from a seed of its own, so that threads do not change them."""

    def __init__(self, images: Gathered, settings: Settings, *, first: int, count: int) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self.images, self.settings, self.first, self.count = images, settings, first, count
        self.samples = _Samples(images, np.random.default_rng(settings.seed))

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        self.samples.random = np.random.default_rng([self.settings.seed, self.first + number])
        drawn = [self.samples.sample() for _ in range(self.settings.batch_size)]
        pixels = np.stack([image for image, _ in drawn]).astype(np.float32)[..., None]
        return pixels, np.asarray([answers for _, answers in drawn], np.int32)


def heads_loss(answers: Any, logits: Any) -> Any:
    """Sum of the heads' cross entropies, each over the images for which it has an answer; labels smoothed by 2 %.

    Args:
        answers: `(batch, heads)` int32 classes, -1 where there is none.
        logits: `(batch, classes)` float32.
    """
    total, start = 0.0, 0
    for place, names in enumerate(HEADS.values()):
        ours = logits[:, start : start + len(names)]
        start += len(names)
        answer = answers[:, place]
        known = ops.cast(answer >= 0, "float32")
        wanted = ops.one_hot(ops.maximum(answer, 0), len(names)) * 0.98 + 0.02 / len(names)
        each = ops.sum(-wanted * ops.log_softmax(ours), axis=-1)
        total = total + ops.sum(each * known) / ops.maximum(ops.sum(ops.ones_like(known)), 1.0)
    return total


def train_gate(
    images: Gathered, settings: Settings, progress: Callable[[int, float], None] = lambda _step, _loss: None
) -> keras.Model:
    """Train the gate.

    Args:
        images: The gathered images; only those of `images.trained` are looked at.
        settings: Settings of the training.
        progress: Called with steps done and the mean loss of the last hundred.
    """
    model = build_gate(seed=settings.seed)
    warm = max(1, settings.steps // 20)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, settings.steps - warm, warmup_target=settings.learning_rate, warmup_steps=warm
    )
    model.compile(optimizer=keras.optimizers.AdamW(rate, weight_decay=1e-3), loss=heads_loss, jit_compile=False)
    done = 0
    while done < settings.steps:
        count = min(100, settings.steps - done)
        history = model.fit(_Batches(images, settings, first=done, count=count), epochs=1, verbose=0, shuffle=False)
        done += count
        progress(done, float(history.history["loss"][-1]))
    return model
