"""The gate: is an upload an upright, frontal, whole, not inverted chest X-ray? It runs before any classifier.

One small model answers for all classifiers. Its limits were chosen on images that it was not trained on, and its manifest
holds them with the rates that were measured on sources that served neither; docs/gate.md shows those.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from pneumo_core.config.gate import HEADS, INPUT_SIZE
from pneumo_core.errors import CorruptError
from pneumo_core.inference.session import load_runtime
from pneumo_core.runs.files import is_there, read_json, store_errors

GATE_FOLDER: Final = Path(__file__).resolve().parents[2] / "artifacts" / "published" / "gate"
"""The gate ships with the project, beside the published runs."""


class Answer(StrEnum):
    """Outcome for an image."""

    OK = "ok"
    WARNED = "warned"
    REFUSED = "refused"


class Finding(StrEnum):
    """What is wrong with an image, as a code."""

    NOT_CHEST = "not_chest"
    LATERAL = "lateral"
    TURNED_90 = "turned_90"
    TURNED_180 = "turned_180"
    TURNED_270 = "turned_270"
    FLIPPED = "flipped"
    INVERTED = "inverted"
    PART = "part"
    FRAMED = "framed"


@dataclass(frozen=True, slots=True)
class _Words:
    """A finding in words: after "this", and what to do about it."""

    what: str
    advice: str


WORDS: Final[dict[Finding, _Words]] = {
    Finding.NOT_CHEST: _Words("something other than a chest X-ray", "choose a frontal chest X-ray"),
    Finding.LATERAL: _Words("a lateral chest X-ray", "choose the frontal view"),
    Finding.TURNED_90: _Words("a chest X-ray turned by 90 degrees to the left", "turn it by 90 degrees to the right"),
    Finding.TURNED_180: _Words("a chest X-ray upside down", "turn it by 180 degrees"),
    Finding.TURNED_270: _Words("a chest X-ray turned by 90 degrees to the right", "turn it by 90 degrees to the left"),
    Finding.FLIPPED: _Words("a chest X-ray mirrored top to bottom", "mirror it top to bottom"),
    Finding.INVERTED: _Words("an inverted chest X-ray, black on white", "invert it"),
    Finding.PART: _Words("only a part of a chest X-ray", "choose the whole image"),
    Finding.FRAMED: _Words(
        "a screenshot, a photograph or a chest X-ray with large borders",
        "choose the original file, or crop it to the X-ray",
    ),
}
"""Each finding in words, with what to do."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Probabilities from which a finding counts.

    Attributes:
        warn: From here on the image is warned of.
        refuse: From here on it is refused; above 1 if never.
    """

    warn: float
    refuse: float


@dataclass(frozen=True, slots=True)
class Gate:
    """The loaded gate.

    Attributes:
        runtime: The ONNX session; safe to share between threads.
        limits: Limits of each finding.
    """

    runtime: onnxruntime.InferenceSession
    limits: dict[Finding, Limits]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's answer for an image.

    Attributes:
        answer: Whether the image may be classified.
        finding: What is wrong with it, or None.
        probability: Of the finding, in [0, 1]; 0 if there is none.
    """

    answer: Answer
    finding: Finding | None = None
    probability: float = 0.0

    @property
    def reason(self) -> str:
        """The finding in words, without a name and a full stop; "" if there is none."""
        if self.finding is None:
            return ""
        return f"this {'looks like' if self.answer is Answer.REFUSED else 'may be'} {WORDS[self.finding].what}"

    @property
    def advice(self) -> str:
        """What to do, in the imperative; "" if there is nothing to do."""
        return "" if self.finding is None else WORDS[self.finding].advice


@cache
def shipped_gate() -> Gate:
    """The gate that ships with the project, loaded once a process. See `load_gate` for the errors."""
    return load_gate(GATE_FOLDER)


def load_gate(folder: Path) -> Gate:
    """Load a gate; its model is checked against the manifest first.

    Raises:
        CorruptError: The model does not match its hash, or the manifest is damaged.
        StoreError: A file cannot be read.
    """
    manifest = read_manifest(folder)
    path = folder / "model.onnx"
    with store_errors(path):
        model = path.read_bytes()
    received = hashlib.sha256(model).hexdigest()
    if received != manifest["sha256"]:
        raise CorruptError(
            f"the gate's model must have the SHA-256 {manifest['sha256']}. Received: {received}; restore it with git checkout"
        )
    options = onnxruntime.SessionOptions()
    options.enable_cpu_mem_arena = False
    options.intra_op_num_threads = 1  # Tens of megaflops: threads would cost more than they gain.
    limits = {Finding(name): Limits(**values) for name, values in manifest["limits"].items()}
    return Gate(load_runtime(model, options), limits)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a gate: hash, limits, measured rates, settings and sources.

    Raises:
        CorruptError: It is missing or damaged.
        StoreError: It cannot be read.
    """
    path = folder / "manifest.json"
    if not is_there(path):
        raise CorruptError(f"the gate must ship with the project. Received: no {path}; restore it with git checkout")
    content = read_json(path)
    names = {finding.value for finding in Finding}
    match content:
        case {"sha256": str(), "limits": dict() as limits} if set(limits) == names and all(
            map(_is_limits, limits.values())
        ):
            return dict(content)
    raise CorruptError(
        f"{path.name} of the gate must hold a hash and limits of each finding. Received: {str(content)[:200]!r}; restore it "
        "with git checkout"
    )


def _is_limits(value: object) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"warn", "refuse"}
        and all(type(one) is float for one in value.values())
    )


def probabilities(gate: Gate, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Probability of each finding for each image.

    Args:
        gate: The loaded gate.
        images: `(batch, INPUT_SIZE, INPUT_SIZE)` uint8.

    Returns:
        `(batch, findings)` float64 in [0, 1], the findings in their order.
    """
    (logits,) = gate.runtime.run(["logits"], {"image": images[..., None].astype(np.float32)})
    return findings_of(logits)


def findings_of(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probability of each finding from the heads' logits, `(batch, classes)`.

    How an image stands means something for frontal X-rays alone, so its probability is that of both together.
    """
    by_class: dict[str, NDArray[np.float64]] = {}
    start = 0
    for head, names in HEADS.items():
        part = logits[:, start : start + len(names)].astype(np.float64)
        start += len(names)
        powers = np.exp(part - part.max(axis=1, keepdims=True))
        shares = powers / powers.sum(axis=1, keepdims=True)
        by_class |= {f"{head}/{name}": shares[:, place] for place, name in enumerate(names)}
    stands = (
        *(f"orientation/{name}" for name in HEADS["orientation"][1:]),
        "inverted/yes",
        "frame/part",
        "frame/framed",
    )
    frontal = by_class["kind/frontal"]
    views = [by_class["kind/other"], by_class["kind/lateral"]]
    return np.stack([*views, *(frontal * by_class[name] for name in stands)], axis=1)


def judge(gate: Gate, gray: NDArray[np.uint8]) -> Verdict:
    """Judge one image.

    Args:
        gate: The loaded gate.
        gray: `(height, width)` uint8 pixels, of any size and aspect: they are squashed to a square.
    """
    if gray.shape != (INPUT_SIZE, INPUT_SIZE):
        resized = Image.fromarray(gray).resize((INPUT_SIZE, INPUT_SIZE), Image.Resampling.BILINEAR)
        gray = np.asarray(resized, np.uint8)
    return decide(gate.limits, probabilities(gate, gray[None])[0])


def decide(limits: dict[Finding, Limits], found: NDArray[np.float64]) -> Verdict:
    """The verdict from the probabilities of the findings: a refusal before a warning, and of several the likeliest."""
    likeliest = sorted(zip(Finding, map(float, found), strict=True), key=lambda pair: -pair[1])
    for finding, chance in likeliest:
        if chance >= limits[finding].refuse:
            return Verdict(Answer.REFUSED, finding, chance)
    for finding, chance in likeliest:
        if chance >= limits[finding].warn:
            return Verdict(Answer.WARNED, finding, chance)
    return Verdict(Answer.OK)
