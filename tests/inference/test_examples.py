"""The pictures that ship: of the recommended runs, synthetic, and what these runs draw."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pneumo_core.inference import examples as module
from pneumo_core.inference.examples import store_examples
from pneumo_core.runs.files import read_json, write_json
from pneumo_core.runs.recommended import EXAMPLES, example_pictures, examples_root, recommended


def test_what_ships_is_what_the_recommended_runs_draw() -> None:
    shipped = example_pictures()
    assert [path.stem for path in shipped] == list(EXAMPLES)
    for path, content in zip(shipped, module._made(recommended()), strict=True):
        kept, made = (np.asarray(Image.open(file), np.float64) for file in (path, io.BytesIO(content)))
        assert kept.shape[:2] == (256, 256)
        # Processors differ by a gray level here and there; another run's picture differs everywhere.
        assert np.abs(kept - made).mean() < 0.5
    assert Image.open(shipped[2]).text["Synthetic"] == "yes"


def test_pictures_of_other_runs_are_not_shown_and_are_made_again(
    no_published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert example_pictures() == ()
    store_examples()
    assert not examples_root().exists(), "nothing is recommended"
    for name in ("baseline-000000000000", "dcgan-000000000000"):
        (no_published / name).mkdir()
        (no_published / name / "manifest.json").touch()
    named = {"classifier": "baseline-000000000000", "dcgan": "dcgan-000000000000"}
    write_json(no_published / "recommended.json", named)
    drawn: list[int] = []
    monkeypatch.setattr(module, "_made", lambda _: drawn.append(1) or (b"1", b"2", b"3"))
    for _ in range(2):
        store_examples()
    assert len(drawn) == 1
    assert [path.read_bytes() for path in example_pictures()] == [b"1", b"2", b"3"]
    assert read_json(examples_root() / "examples.json") == named
    (no_published / "dcgan-111111111111").mkdir()
    (no_published / "dcgan-111111111111" / "manifest.json").touch()
    write_json(no_published / "recommended.json", {**named, "dcgan": "dcgan-111111111111"})
    assert example_pictures() == ()
