"""The gate: its images gathered, its model trained, its limits chosen, and its rates measured by kind of image.

    python -m benchmarks.gate gather  --sources DIR --data chest_xray --images FILE.npz
    python -m benchmarks.gate train   --images FILE.npz [--steps 6000] [--seed 0] [--gate DIR]
    python -m benchmarks.gate measure --images FILE.npz [--gate DIR] [--docs docs/gate.md]

`gather` reads the sources, cloned and unpacked as docs/gate.md lists them, into one file that is not committed. `train` writes
model.onnx and manifest.json; the limits are chosen on images that were left out of the training (one in eight of each source,
and the data set's held-out patients). `measure` judges the sources that are held out whole, and the held-out patients, with the
gate as the app loads it, and writes counts with Wilson intervals into the manifest and into the document.

A rate is a share of images: refused, warned, answered without warning, and named (the code is the one expected). X-rays turned,
flipped, inverted and halved are made of the held-out hospitals' frontal X-rays as they are; screenshots and photographs of a
film are drawn around them. Views are seeded.
"""

import argparse
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pneumo_core.evaluation.intervals import wilson
from pneumo_core.inference import gate as gates
from pneumo_core.inference.gate import Answer, Finding, Gate
from pneumo_core.records import Estimate
from pneumo_core.runs.files import write_json
from pneumo_core.training.gate import views
from pneumo_core.training.gate.images import VALIDATION, Gathered, gather, load, save
from pneumo_core.training.gate.sources import SOURCES, Kind

_FRONTAL = Kind.FRONTAL.value

WARNED_AT_MOST: Final = 0.002
"""Share of the tuning X-rays that each finding may warn of."""

REFUSED_AT_MOST: Final = 0.0005
"""Share of them that each finding may refuse."""

LEAST: Final = {"warn": 0.1, "refuse": 0.3}
"""Probabilities below which a finding counts in no case."""

NEVER_REFUSED: Final = (Finding.FRAMED,)
"""What is only warned of: the X-ray in the frame may be whole and upright."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", choices=("gather", "train", "limits", "measure"))
    options.add_argument("--images", type=Path, required=True, help="file of the gathered images")
    options.add_argument("--sources", type=Path, help="folder of the sources")
    options.add_argument("--data", type=Path, help="the data set")
    options.add_argument("--gate", type=Path, default=gates.GATE_FOLDER, help="folder of model and manifest")
    options.add_argument("--docs", type=Path, default=Path("docs/gate.md"), help="document whose table is replaced")
    options.add_argument("--steps", type=int, default=6000)
    options.add_argument("--seed", type=int, default=0)
    arguments = options.parse_args()
    if arguments.what == "gather":
        if not (arguments.sources and arguments.data):
            options.error("gather needs --sources and --data")
        save(
            gather(arguments.sources, arguments.data, lambda name, count: print(f"{name}: {count:,}")), arguments.images
        )
        return
    images = load(arguments.images)
    match arguments.what:
        case "train":
            train(images, arguments)
            choose_limits(images, arguments.gate)
        case "limits":
            choose_limits(images, arguments.gate)
        case _:
            measure(images, arguments)


# --- Training -----------------------------------------------------------------------------------------------------------


def train(images: Gathered, arguments: argparse.Namespace) -> None:
    """Train and export, with limits that refuse nothing until they are chosen."""
    from pneumo_core.models.gate import export_gate  # noqa: PLC0415  The other commands need no training framework.
    from pneumo_core.training.gate.train import Settings, train_gate  # noqa: PLC0415

    settings = Settings(steps=arguments.steps, seed=arguments.seed)
    started = time.monotonic()
    model = train_gate(images, settings, lambda step, loss: print(f"{step:,} steps, loss {loss:.3f}", flush=True))
    path = arguments.gate / "model.onnx"
    export_gate(model, path)
    write_json(
        arguments.gate / "manifest.json",
        {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "parameters": model.count_params(),
            "settings": {"steps": settings.steps, "batch_size": settings.batch_size, "seed": settings.seed},
            "duration_s": round(time.monotonic() - started),
            "trained_on": counts(images, images.trained),
            "limits": {finding.value: {"warn": 1.0, "refuse": 1.1} for finding in Finding},
        },
    )


def counts(images: Gathered, chosen: NDArray[np.bool_]) -> dict[str, int]:
    """Number of chosen images by kind and source."""
    names = [f"{kind}: {source}" for kind, source in zip(images.kind[chosen], images.source[chosen], strict=True)]
    return {str(name): int(count) for name, count in zip(*np.unique(names, return_counts=True), strict=True)}


def choose_limits(images: Gathered, folder: Path) -> None:
    """Limits at which few X-rays that are as they should be are warned of or refused, finding by finding."""
    gate, manifest = gates.load_gate(folder), gates.read_manifest(folder)
    frontal = images.kind == _FRONTAL
    chosen = np.flatnonzero(frontal & (images.tuning | (images.source == VALIDATION)))
    random = np.random.default_rng(2)
    as_they_are = images.pixels[chosen]
    tuning = np.concatenate([as_they_are, [views.disturbed(image, random, 0.6) for image in as_they_are]])
    found = all_probabilities(gate, tuning)
    limits = {}
    for place, finding in enumerate(Finding):
        warn = max(LEAST["warn"], float(np.quantile(found[:, place], 1 - WARNED_AT_MOST)))
        refuse = max(LEAST["refuse"], warn, float(np.quantile(found[:, place], 1 - REFUSED_AT_MOST)))
        limits[finding.value] = {
            "warn": round(warn, 4),
            "refuse": 1.1 if finding in NEVER_REFUSED else round(refuse, 4),
        }
        print(f"{finding.value}: {limits[finding.value]}")
    manifest |= {"limits": limits, "limits_chosen_on": len(tuning)}
    manifest.pop("rates", None)
    write_json(folder / "manifest.json", manifest)


def all_probabilities(gate: Gate, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Probabilities of the findings for many images."""
    return np.concatenate(
        [gates.probabilities(gate, images[start : start + 64]) for start in range(0, len(images), 64)]
    )


# --- Measuring ----------------------------------------------------------------------------------------------------------


def groups(images: Gathered) -> Iterator[tuple[str, str, NDArray[np.uint8], tuple[Finding, ...]]]:
    """Kind, source, images and the expected codes of each group that is measured."""
    others = {
        Kind.LATERAL: (Finding.LATERAL,),
        Kind.BONES: (Finding.NOT_CHEST,),
        Kind.SLICE: (Finding.NOT_CHEST,),
        Kind.PHOTO: (Finding.NOT_CHEST,),
        Kind.DRAWING: (Finding.NOT_CHEST,),
        Kind.DOCUMENT: (Finding.NOT_CHEST,),
        Kind.SCREENSHOT: (Finding.FRAMED,),
        Kind.FRONTAL: (),
    }
    own = images.source == VALIDATION
    yield _FRONTAL, VALIDATION, images.pixels[own], ()
    for kind, expected in others.items():
        for source in np.unique(images.source[images.held_out & ~own & (images.kind == kind.value)]):
            rows = images.held_out & (images.kind == kind.value) & (images.source == source)
            yield kind.value, str(source), images.pixels[rows], expected
    random = np.random.default_rng(3)
    yield (
        "noise, gradients, shapes",
        "drawn",
        np.stack([views.nothing(random) for _ in range(300)]),
        (Finding.NOT_CHEST,),
    )
    yield "text, tables, plots", "drawn", np.stack([views.document(random) for _ in range(300)]), (Finding.NOT_CHEST,)
    frontal = images.held_out & ~own & (images.kind == _FRONTAL)
    photos = images.pixels[images.held_out & (images.kind == Kind.PHOTO.value)]
    for name, pixels in ((VALIDATION, images.pixels[own]), ("other hospitals", images.pixels[frontal])):
        for wrong, change in views.WRONG.items():
            code = Finding.PART if wrong == "halved" else Finding(wrong)
            yield wrong.replace("_", " "), name, np.stack([change(image, random) for image in pixels]), (code,)
        for framing in (views.screenshot, views.film, views.large_border):
            around = [photos[random.integers(len(photos))] for _ in pixels]
            made = [framing(image, random, other) for image, other in zip(pixels, around, strict=True)]
            yield framing.__name__.replace("_", " "), name, np.stack(made), (Finding.FRAMED,)
    for name, rows in (("disturbed", own), ("disturbed, other hospitals", frontal)):
        yield _FRONTAL, name, np.stack([views.disturbed(image, random, 0.6) for image in images.pixels[rows]]), ()


def measure(images: Gathered, arguments: argparse.Namespace) -> None:
    """Judge every group, and write its rates."""
    gate, manifest = gates.load_gate(arguments.gate), gates.read_manifest(arguments.gate)
    rates = []
    for kind, source, pixels, expected in groups(images):
        verdicts = [gates.decide(gate.limits, found) for found in all_probabilities(gate, pixels)]
        tally = {answer.value: sum(one.answer is answer for one in verdicts) for answer in Answer}
        named = sum(one.finding in expected for one in verdicts) if expected else None
        rates.append({"kind": kind, "source": source, "n": len(pixels), **tally, "named": named})
        print(rates[-1], flush=True)
    manifest |= {"rates": rates, "measured_on": counts(images, images.held_out)}
    write_json(arguments.gate / "manifest.json", manifest)
    started = time.perf_counter()
    for image in images.pixels[:200]:
        gates.judge(gate, image)
    print(f"{1000 * (time.perf_counter() - started) / 200:.1f} ms an image")
    if arguments.docs.exists():
        write_tables({"rates": table(rates), "sources": source_table(manifest)}, arguments.docs)


def write_tables(tables: dict[str, str], document: Path) -> None:
    """Replace the document's tables, each between two comments with its name."""
    text = document.read_text(encoding="utf-8")
    for name, content in tables.items():
        start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
        head, _, rest = text.partition(start)
        text = head + start + content + end + rest.partition(end)[2]
    document.write_text(text, encoding="utf-8")


def source_table(manifest: dict[str, Any]) -> str:
    """Sources as Markdown, with the images that were used of each."""
    used = manifest["trained_on"] | manifest["measured_on"]
    lines = [
        "| images | source | serves | n | folder | commit or version | license |\n",
        "|---|---|---|--:|---|---|---|\n",
    ]
    for one in SOURCES:
        count = used[f"{one.kind}: {one.name}"]
        serves = "measuring" if one.held_out else "training"
        cells = (one.kind, one.name, serves, f"{count:,}", f"`{one.place}`", f"`{one.commit}`", one.license)
        lines.append(f"| {' | '.join(cells)} |\n")
    return "".join(lines)


def table(rates: list[dict[str, Any]]) -> str:
    """Rates as Markdown, in percent with Wilson intervals."""

    def share(count: int | None, n: int) -> str:
        if count is None:
            return ""
        found = wilson(count, n)
        if not isinstance(found, Estimate):
            return ""
        return f"{100 * found.value:.1f} ({100 * found.low:.1f} to {100 * found.high:.1f})"

    columns = ("refused", "warned", "ok", "named")
    lines = ["| images | source | n | refused, % | warned, % | answered without warning, % | named, % |\n"]
    lines.append("|---|---|--:|---|---|---|---|\n")
    for one in rates:
        cells = [one["kind"], one["source"], f"{one['n']:,}", *(share(one[name], one["n"]) for name in columns)]
        lines.append(f"| {' | '.join(cells)} |\n")
    return "".join(lines)


if __name__ == "__main__":
    main()
