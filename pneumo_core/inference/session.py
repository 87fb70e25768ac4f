"""A finished run's model, loaded without a training framework."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as runtime_errors

from pneumo_core.config.classifier import Preparation
from pneumo_core.errors import CorruptError

_OUTPUTS: Final = ["logit", "cam", "features"]

# The two largest maps of VGG16 take 11 MiB per image: 32 at once raised a worker's peak by 290 MiB and were not faster.
_BATCH: Final = 8

_NOT_LOADED: Final = (
    runtime_errors.Fail,
    runtime_errors.InvalidArgument,
    runtime_errors.InvalidGraph,
    runtime_errors.InvalidProtobuf,
    runtime_errors.NoModel,
    runtime_errors.NoSuchFile,
    runtime_errors.NotImplemented,
    runtime_errors.RuntimeException,
    RuntimeError,
    ValueError,
)
"""Errors that ONNX Runtime raises for a file that it cannot load. Their only common base is Exception."""


@dataclass(frozen=True, slots=True)
class Session:
    """An exported classifier, loaded for predictions; its ONNX session is safe to share between threads.

    Attributes:
        runtime: The ONNX session.
        image_size: Side of its square images, in pixels.
        preparation: How an image becomes such a square.
    """

    runtime: onnxruntime.InferenceSession
    image_size: int
    preparation: Preparation = Preparation.SQUASH


@dataclass(frozen=True, slots=True)
class Output:
    """The model's outputs for a batch.

    Attributes:
        logit: `(batch,)` float32.
        cam: `(batch, h, w)` float32: Grad-CAM of the logit before ReLU and resize.
        features: `(batch, d)` float32: global average of the last convolution block.
    """

    logit: NDArray[np.float32]
    cam: NDArray[np.float32]
    features: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is kept of the model's outputs for many images.

    Attributes:
        logit: `(n,)` float32.
        peak: `(n,)` float32: largest value of each image's `cam`.
        features: `(n, d)` float32.
    """

    logit: NDArray[np.float32]
    peak: NDArray[np.float32]
    features: NDArray[np.float32]


def load_runtime(model: bytes | Path, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    """Load a model on the CPU, from bytes that were checked against a manifest or from a path that was just written.

    Raises:
        CorruptError: ONNX Runtime does not load it.
    """
    source = model if isinstance(model, bytes) else str(model)
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except _NOT_LOADED as error:
        reason = " ".join(str(error).split())
        raise CorruptError(f"model.onnx must be a model that ONNX Runtime loads. Received: {reason}") from error


def load_session(model: bytes | Path, preparation: Preparation = Preparation.SQUASH) -> Session:
    """Load an exported classifier; see `load_runtime` for the model. The preparation is that of the run's config.

    Raises:
        CorruptError: It is not a classifier exported by this project.
    """
    options = onnxruntime.SessionOptions()
    # The arena keeps the memory of the largest batch; a page that predicts one image at a time does not benefit from it.
    options.enable_cpu_mem_arena = False
    # Prepacking keeps a second copy of the weights, 20 MiB here, and made no difference in speed (3.8 ms per image).
    options.add_session_config_entry("session.disable_prepacking", "1")
    runtime = load_runtime(model, options)
    names = {output.name for output in runtime.get_outputs()}
    shapes = [entry.shape for entry in runtime.get_inputs()]
    match shapes:
        case [[_, int(height), int(width), 1]] if height == width and names.issuperset(_OUTPUTS):
            return Session(runtime, height, preparation)
    raise CorruptError(
        f"model.onnx must map square gray images to {_OUTPUTS}. Received: inputs={shapes}, outputs={sorted(names)}"
    )


def run_session(session: Session, images: NDArray[np.uint8]) -> Output:
    """Run the model on a batch of images, `(batch, size, size)` uint8 in [0, 255]."""
    pixels = images[..., None].astype(np.float32)
    name = session.runtime.get_inputs()[0].name
    logit, cam, features = session.runtime.run(_OUTPUTS, {name: pixels})
    return Output(logit=logit[:, 0], cam=cam, features=features)


def run_batches(
    session: Session,
    images: NDArray[np.uint8],
    rows: NDArray[np.int64],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Outputs:
    """Run the model on selected rows of an array, in batches, so that memory hardly grows with their number.

    The array is `(count, size, size)` uint8, usually memory-mapped; the outputs are in the order of `rows`, `(n,)`. Before each
    batch, `progress` is called with rows done and their total; it may raise to stop.
    """
    logits, peaks, features = [], [], []
    for start in range(0, len(rows), _BATCH):
        progress(start, len(rows))
        output = run_session(session, images[rows[start : start + _BATCH]])
        logits.append(output.logit)
        peaks.append(output.cam.max(axis=(1, 2)))
        features.append(output.features)
    return Outputs(np.concatenate(logits), np.concatenate(peaks), np.concatenate(features))


def run_many(
    session: Session,
    images: Iterable[NDArray[np.uint8]],
    total: int,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Output:
    """Run the model on images, `(size, size)` each, that are made as they are needed; all outputs are kept, in their order.

    Before each batch, `progress` is called with images done and `total`, at least 1, their number; it may raise to stop.
    """
    left, outputs, done = iter(images), [], 0
    while batch := list(islice(left, _BATCH)):
        progress(done, total)
        outputs.append(run_session(session, np.stack(batch)))
        done += len(batch)
    logit, cam, features = (
        np.concatenate([getattr(output, name) for output in outputs]) for name in ("logit", "cam", "features")
    )
    return Output(logit, cam, features)
