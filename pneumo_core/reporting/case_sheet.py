"""One image and what a model reads in it, on one page.

It is made in memory only, as the image is: pictures are drawn into the document, and the typesetting process gets it through a
pipe.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pneumo_core.evaluation.report import EvaluationReport
from pneumo_core.evaluation.wording import NAMES, interval_text, or_reason, probability_text, value_text
from pneumo_core.records import Estimate, Label, NotApplicable, Split
from pneumo_core.reporting.document import Block, Document, KeyValues, Paragraph, Picture, Row, Table
from pneumo_core.reporting.drawing import COLORS
from pneumo_core.reporting.evaluation_tables import OPERATING, place

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DISCLAIMER: Final = "Research and education only. Not a medical device; not for diagnosis."

_LONGEST_NAME: Final = 90
"""Characters of a file's name that fit into a line and a half."""

_MOST_MODELS: Final = 3
"""Other models that fit on the page."""

_FEW_FACTS: Final = 5
_LOW: Final = 1.9
_HIGH: Final = 2.9
"""Inches of a picture: low beside a warning, other models or more facts than a few, so that all of it fits on the page."""

SHOWN: Final = 640
"""Longest side of a picture in pixels: 190 pixels an inch at its width on the page."""


@dataclass(frozen=True, slots=True)
class OtherModel:
    """Another model's answer for the image."""

    run_id: str
    probability: float
    threshold: float
    label: Label


@dataclass(frozen=True, slots=True, eq=False)
class SheetContent:
    """What a sheet says.

    Attributes:
        file: Name of the image.
        date: Date of the reading.
        verdict: What the model reads in the image, in one line.
        warning: What is doubtful about the image, and what to do, as sentences; "" if nothing is.
        probability: The model's own probability of PNEUMONIA, in [0, 1].
        calibrated: The calibrated probability, or the reason why there is none.
        pixels: `(height, width)` uint8 gray image.
        overlay: `(height, width, 3)` uint8 image with its heat map.
        scale: What full color of the heat map means.
        report: Evaluation of the model, with its threshold.
        facts: Further facts by name: model, gate.
        others: Answers of other models.
        agreement: What these and the model agree on, as a sentence; "" without other models.
    """

    file: str
    date: str
    verdict: str
    warning: str
    probability: float
    calibrated: float | NotApplicable
    pixels: NDArray[np.uint8]
    overlay: NDArray[np.uint8]
    scale: str
    report: EvaluationReport
    facts: tuple[tuple[str, str], ...]
    others: tuple[OtherModel, ...] = ()
    agreement: str = ""


def case_sheet(content: SheetContent) -> Document:
    """The sheet: disclaimer, warning, verdict with the probability, pictures, figures of the model on test, other models."""
    threshold = content.report.operating_point.threshold
    name = _shortened(content.file)
    chance = probability_text(content.probability)
    is_full = content.warning or content.others or len(content.facts) > _FEW_FACTS
    height = _LOW if is_full else _HIGH
    return Document(
        "One X-ray, read by a model",
        f"{name} · {content.date}",
        (
            Paragraph(DISCLAIMER, lead=True),
            *((Paragraph(f"Be careful: {content.warning}", lead=True),) if content.warning else ()),
            Paragraph(
                f"{content.verdict}: probability of PNEUMONIA {chance}, threshold {probability_text(threshold)}.",
                lead=True,
            ),
            Row(
                (
                    Picture(
                        "probability",
                        "Probability of PNEUMONIA, and the model's threshold",
                        f"Probability of PNEUMONIA {chance} on a scale from 0 to 1, threshold {threshold:.3f}",
                        partial(_bar, content.probability, threshold),
                    ),
                )
            ),
            Row(
                (
                    Picture("image", "The image", f"The image {name}", partial(_image, content.pixels, height)),
                    Picture(
                        "heat-map",
                        f"Regions that speak for PNEUMONIA (Grad-CAM); full color: {content.scale}",
                        f"The image {name} with its heat map",
                        partial(_image, content.overlay, height),
                    ),
                )
            ),
            _rates(content.report),
            *_others(content.others, content.agreement),
            KeyValues("facts", "Facts", (*_calibrated(content.calibrated), *content.facts)),
        ),
    )


def _shortened(name: str) -> str:
    """A name with its middle left out where it is too long."""
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME // 2]}…{name[-_LONGEST_NAME // 3 :]}"


def _rates(report: EvaluationReport) -> Block:
    part = report.splits.get(Split.TEST)
    if part is None:
        return Paragraph("This run has no test figures: how often it is right on new images is unknown.")

    def row(name: str, value: Estimate | NotApplicable, interval: str) -> tuple[str, ...]:
        shown = or_reason(value) if isinstance(value, NotApplicable) else interval
        return name, shown, f"{value.n:,}" if isinstance(value, Estimate) else ""

    return Table(
        "rates",
        f"Rates of the model at this threshold on {place(report, Split.TEST)}",
        ("rate", "value, 95 % interval", "n"),
        tuple(
            row(
                NAMES[metric],
                part.figures[metric],
                f"{value_text(metric, part.figures[metric])}, {interval_text(metric, part.figures[metric])}",
            )
            for metric in OPERATING
        ),
    )


def _others(others: Sequence[OtherModel], agreement: str) -> tuple[Block, ...]:
    if not others:
        return ()
    rows = tuple(
        (one.run_id, probability_text(one.probability), probability_text(one.threshold), one.label.name)
        for one in others[:_MOST_MODELS]
    )
    left = len(others) - len(rows)
    notes = (*([f"And {left} more."] if left else []), *([agreement] if agreement else []))
    return (Table("models", "Other models", ("model", "probability", "threshold", "answer"), rows, notes),)


def _calibrated(calibrated: float | NotApplicable) -> tuple[tuple[str, str], ...]:
    text = or_reason(calibrated) if isinstance(calibrated, NotApplicable) else probability_text(calibrated)
    return (("calibrated probability", text),)


def _bar(probability: float, threshold: float) -> "Figure":
    from matplotlib.figure import Figure  # noqa: PLC0415  Only where a figure is drawn.

    figure = Figure(figsize=(7.0, 0.65), layout="constrained")
    axes = figure.subplots()
    axes.barh([0], [probability], color=COLORS[Label.PNEUMONIA], height=0.8)
    axes.axvline(threshold, color="#374151", linestyle="--", linewidth=1.2)
    axes.annotate(
        f"threshold {threshold:.2f}",
        (threshold, 1),
        xycoords=("data", "axes fraction"),
        xytext=(0, 2),
        textcoords="offset points",
        ha="left" if threshold < 0.15 else "right" if threshold > 0.85 else "center",
        fontsize=8,
    )
    axes.set(xlim=(0, 1), ylim=(-0.5, 0.5), yticks=[], xticks=[0, 0.25, 0.5, 0.75, 1])
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    return figure


def _image(pixels: NDArray[np.uint8], height: float) -> "Figure":
    from matplotlib.figure import Figure  # noqa: PLC0415  Only where a figure is drawn.

    figure = Figure(figsize=(3.4, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    # Without interpolation, the SVG file holds the pixels as they are.
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="none")
    return figure
