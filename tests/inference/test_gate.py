import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from benchmarks import gate as benchmark
from pneumo_core.config.gate import HEADS, INPUT_SIZE
from pneumo_core.data.images import decode_gray
from pneumo_core.errors import CorruptError
from pneumo_core.inference.gate import (
    GATE_FOLDER,
    WORDS,
    Answer,
    Finding,
    Limits,
    Verdict,
    decide,
    findings_of,
    judge,
    load_gate,
    read_manifest,
    shipped_gate,
)
from pneumo_core.training.gate.images import VALIDATION
from tests.hostile import assert_one_line

LIMITS = dict.fromkeys(Finding, Limits(0.3, 0.8))
TURNS = {Finding.TURNED_90: 1, Finding.TURNED_180: 2, Finding.TURNED_270: 3}


def chances(**found: float) -> np.ndarray:
    return np.array([found.get(finding.value, 0.0) for finding in Finding])


# --- From probabilities to a verdict ------------------------------------------------------------------------------------


@pytest.mark.parametrize("finding", list(Finding))
def test_limits_decide_between_ok_warned_and_refused(finding: Finding) -> None:
    verdicts = [decide(LIMITS, chances(**{finding.value: chance})) for chance in (0.29, 0.3, 0.79, 0.8, 1.0)]
    assert [one.answer.value for one in verdicts] == ["ok", "warned", "warned", "refused", "refused"]
    assert [one.finding for one in verdicts] == [None, *[finding] * 4]
    assert (verdicts[0].reason, verdicts[0].advice) == ("", "")
    assert verdicts[1].reason == f"this may be {WORDS[finding].what}"
    assert verdicts[3].reason == f"this looks like {WORDS[finding].what}"
    assert verdicts[3].advice == WORDS[finding].advice


def test_of_several_findings_the_likeliest_is_named_and_a_refusal_comes_first() -> None:
    assert decide(LIMITS, chances(part=0.5, inverted=0.6)) == Verdict(Answer.WARNED, Finding.INVERTED, 0.6)
    limits = LIMITS | {Finding.FRAMED: Limits(0.3, 1.1)}
    assert decide(limits, chances(framed=0.99, flipped=0.9)) == Verdict(Answer.REFUSED, Finding.FLIPPED, 0.9)
    assert decide(limits, chances(framed=0.99)).answer is Answer.WARNED


def test_probabilities_are_each_head_s_softmax_and_how_a_frontal_x_ray_stands_is_both_together() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 4, (3, sum(map(len, HEADS.values())))).astype(np.float32)
    names = [f"{head}/{name}" for head, classes in HEADS.items() for name in classes]
    stands = [
        name for name in names if not name.startswith("kind/") and not name.endswith(("/upright", "/no", "/whole"))
    ]
    for row, found in zip(logits, findings_of(logits), strict=True):
        values = dict(zip(names, row.astype(float), strict=True))
        shares = {
            name: np.exp(values[name])
            / sum(np.exp(values[other]) for other in names if other.split("/")[0] == name.split("/")[0])
            for name in names
        }
        expected = [
            shares["kind/other"],
            shares["kind/lateral"],
            *(shares["kind/frontal"] * shares[one] for one in stands),
        ]
        assert found == pytest.approx(np.array(expected))


# --- The gate that ships ------------------------------------------------------------------------------------------------


def phantoms(folder: Path) -> list[np.ndarray]:
    return [decode_gray(path.read_bytes(), path.name) for path in sorted((folder / "test").rglob("*.jpeg"))]


def test_phantoms_pass(tiny_data: Path) -> None:
    verdicts = [judge(shipped_gate(), image) for image in phantoms(tiny_data)]
    assert Answer.REFUSED not in {one.answer for one in verdicts}
    assert sum(one.answer is Answer.OK for one in verdicts) >= 0.9 * len(verdicts)


def test_turned_and_inverted_phantoms_are_named(tiny_data: Path) -> None:
    images = phantoms(tiny_data)
    for finding, turns in TURNS.items():
        found = [judge(shipped_gate(), np.ascontiguousarray(np.rot90(image, turns))).finding for image in images]
        assert found.count(finding) >= 0.9 * len(images), finding
    found = [judge(shipped_gate(), 255 - image).finding for image in images]
    assert found.count(Finding.INVERTED) >= 0.9 * len(images)


def page_of_text() -> np.ndarray:
    page = Image.new("L", (600, 800), 255)
    draw = ImageDraw.Draw(page)
    for line in range(40):
        draw.text((40, 20 + 19 * line), "Chest, two views: no focal consolidation, no effusion. " * 2, fill=0)
    return np.asarray(page)


def pictures() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:300, 0:300]
    squares = 255 * ((x // 30 + y // 30) % 2)
    return {
        "noise": rng.integers(0, 256, (300, 300)).astype(np.uint8),
        "gradient": (x * 255 / 299).astype(np.uint8),
        "text": page_of_text(),
        "squares": squares.astype(np.uint8),
        "disk": np.where(np.hypot(x - 150, y - 150) < 90, 230, 20).astype(np.uint8),
    }


@pytest.mark.parametrize("name", list(pictures()))
def test_what_is_no_x_ray_is_refused(name: str) -> None:
    verdict = judge(shipped_gate(), pictures()[name])
    assert (verdict.answer, verdict.finding) == (Answer.REFUSED, Finding.NOT_CHEST)


@pytest.mark.skipif("PNEUMO_REAL_DATA" not in os.environ, reason="set PNEUMO_REAL_DATA to a chest_xray folder")
def test_real_x_rays_pass_and_turned_ones_are_named() -> None:
    paths = sorted((Path(os.environ["PNEUMO_REAL_DATA"]) / "test").rglob("*.jpeg"))[::8]
    images = [decode_gray(path.read_bytes(), path.name) for path in paths]
    answers = [judge(shipped_gate(), image).answer for image in images]
    assert Answer.REFUSED not in answers
    assert answers.count(Answer.OK) >= 0.95 * len(images)
    for finding, turns in TURNS.items():
        found = [judge(shipped_gate(), np.ascontiguousarray(np.rot90(image, turns))).finding for image in images]
        assert found.count(finding) >= 0.9 * len(images), finding


def test_contrast_and_brightness_change_little(tiny_data: Path) -> None:
    (image, *_) = phantoms(tiny_data)
    faint = (100 + image.astype(float) / 6).round().astype(np.uint8)
    assert judge(shipped_gate(), faint).answer is judge(shipped_gate(), image).answer


# --- Its files ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GATE_FOLDER, tmp_path / "gate"))


def test_a_changed_model_is_not_loaded(copied: Path) -> None:
    model = copied / "model.onnx"
    data = model.read_bytes()
    model.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(CorruptError, match="must have the SHA-256") as caught:
        load_gate(copied)
    assert_one_line(caught.value, "git checkout")


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: [],
        lambda content: content | {"sha256": 3},
        lambda content: content | {"limits": {}},
        lambda content: content | {"limits": content["limits"] | {"part": {"warn": 0.5}}},
        lambda content: content | {"limits": content["limits"] | {"part": {"warn": "0.5", "refuse": 1.1}}},
    ],
)
def test_a_damaged_manifest_is_told(copied: Path, damage) -> None:
    path = copied / "manifest.json"
    path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    with pytest.raises(CorruptError) as caught:
        load_gate(copied)
    assert_one_line(caught.value, "git checkout")


def test_without_its_files_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CorruptError, match="must ship with the project") as caught:
        load_gate(tmp_path)
    assert_one_line(caught.value, "git checkout")


def test_the_document_shows_the_manifest_s_rates_and_the_sources() -> None:
    manifest = read_manifest(GATE_FOLDER)
    document = Path("docs/gate.md").read_text(encoding="utf-8")
    assert benchmark.table(manifest["rates"]) in document
    assert benchmark.source_table(manifest) in document


def test_the_file_is_small() -> None:
    assert (GATE_FOLDER / "model.onnx").stat().st_size < 4_000_000


def rate(outcome: str, *kinds: str, source: str = "") -> float:
    """Share of the measured images of some kinds, of sources that are not the data set's own unless one is named."""
    rows = [
        one
        for one in read_manifest(GATE_FOLDER)["rates"]
        if one["kind"] in kinds and (one["source"] == source if source else not one["source"].startswith("children"))
    ]
    assert rows, kinds
    return sum(one[outcome] for one in rows) / sum(one["n"] for one in rows)


def test_the_measured_rates_reach_what_the_gate_is_for() -> None:
    gray = (
        "photograph",
        "drawing or icon",
        "screenshot, plot or text",
        "noise, gradients, shapes",
        "text, tables, plots",
    )
    assert rate("refused", *gray) >= 0.95
    assert rate("ok", *gray) <= 0.01
    medical = ("X-ray of another body part", "CT, MR or ultrasound")
    assert rate("refused", *medical) >= 0.9
    assert rate("ok", *medical) <= 0.02
    for kind in ("lateral chest X-ray", "screenshot", "film"):
        assert rate("ok", kind) <= 0.1
    for kind in ("turned 90", "turned 180", "turned 270", "flipped", "inverted", "halved"):
        assert rate("named", kind) >= 0.9
        assert rate("ok", kind) <= 0.05
    assert rate("refused", "frontal chest X-ray") <= 0.02
    assert rate("ok", "frontal chest X-ray", source=VALIDATION) >= 0.99


def test_the_readme_s_counts_are_the_manifest_s() -> None:
    rates = read_manifest(GATE_FOLDER)["rates"]
    readme = " ".join(Path("README.md").read_text(encoding="utf-8").split())
    for kinds in (
        ("photograph", "drawing or icon", "screenshot, plot or text"),
        ("X-ray of another body part", "CT, MR or ultrasound"),
        ("frontal chest X-ray",),
    ):
        rows = [
            one for one in rates if one["kind"] in kinds and not one["source"].startswith(("children", "disturbed"))
        ]
        refused, n = (sum(one[name] for one in rows) for name in ("refused", "n"))
        assert f"{refused:,} of {n:,} " in readme


def test_the_model_takes_what_the_settings_say() -> None:
    assert shipped_gate().runtime.get_inputs()[0].shape[1:] == [INPUT_SIZE, INPUT_SIZE, 1]
