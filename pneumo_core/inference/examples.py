"""Three synthetic pictures that show what the app works with: a phantom, its heat map, and a generated image.

They ship beside the published runs, so that the first page shows them without loading a model.
"""

import io
from dataclasses import asdict
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumo_core.data.phantom import first_phantoms
from pneumo_core.data.synthetic import synthetic_png
from pneumo_core.errors import RunError
from pneumo_core.inference.classify import classify, load_classifier
from pneumo_core.inference.generator import generate, latents, load_generator
from pneumo_core.inference.heatmap import heatmap
from pneumo_core.inference.overlay import overlay
from pneumo_core.records import Label, NotApplicable
from pneumo_core.runs.files import make_directory, write_atomic, write_json
from pneumo_core.runs.recommended import EXAMPLES, Recommended, example_pictures, examples_root, recommended
from pneumo_core.runs.store import find_run

_SIDE: Final = 256
_ENLARGED: Final = 4
"""A generated image has 64 pixels a side."""


def store_examples() -> None:
    """Make the pictures of the recommended runs, if those that are there are of others.

    Raises:
        RunError, CorruptError: A recommended run cannot be used.
        StoreError: They cannot be written.
    """
    named = recommended()
    if example_pictures() or named.classifier is None or named.dcgan is None:
        return
    folder = make_directory(examples_root())
    for name, content in zip(EXAMPLES, _made(named), strict=True):
        write_atomic(folder / f"{name}.png", content)
    write_json(folder / "examples.json", asdict(named))  # Last: it exists = all are there.


def _made(named: Recommended) -> tuple[bytes, bytes, bytes]:
    labels, images = first_phantoms(16)
    phantom = images[labels.index(Label.PNEUMONIA)]
    model = load_classifier(find_run(named.classifier or ""))
    cam = classify(model, _png(phantom), "phantom.png").cam
    if cam is None:
        raise RunError(
            f"the recommended classifier must accept a phantom. Received: run_id={named.classifier!r}, refused"
        )
    # A model of X-rays finds little in a drawing, so the map is stretched to be seen.
    height, width = phantom.shape
    stretched = heatmap(cam, NotApplicable("a phantom is no X-ray"), width, height)
    generator = load_generator(find_run(named.dcgan or ""))
    (sample,) = generate(generator, latents(generator.latent_dim, 0, 0, 1, None))
    large = np.kron(sample, np.ones((_ENLARGED, _ENLARGED), np.uint8)).astype(np.uint8)
    return (
        _png(_square(phantom)),
        _png(_square(overlay(phantom, stretched, opacity=0.5))),
        synthetic_png(large, {"Run": named.dcgan, "Seed": 0, "Number": 0}),
    )


def _square(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle of an image, so that all stand at one height."""
    side = min(pixels.shape[:2])
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    cut = Image.fromarray(np.ascontiguousarray(pixels[top : top + side, left : left + side]))
    return np.asarray(cut.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR))


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
