"""Images that are blank, too dark or bright, flat, oddly shaped or small, and those unlike all others.

The limits are chosen: every image of the official data set at hand is inside them, with room.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import pandas as pd

from pneumo_core.data.audit.check import Check, Evidence, Severity, counted, found, passed
from pneumo_core.data.index import DataIndex
from pneumo_core.data.measures import MEASURES
from pneumo_core.records import Label

_OUTLYING: Final = 6.0
"""Distance from the median, in standard deviations as the median absolute deviation gives them, that calls an image unlike the
others: of 5,000 values of a normal distribution not one is expected there."""

_OF_MAD: Final = 1.4826
"""Standard deviation of a normal distribution with a median absolute deviation of 1."""

_LEAST_SCALE: Final = {"brightness": 2.0, "contrast": 2.0, "sharpness": 0.1, "black": 0.1, "white": 0.1, "border": 0.1}
"""Least standard deviation that distances are measured by, or the smallest change would count where all others are alike."""


@dataclass(frozen=True, slots=True)
class _Limit:
    """A limit of quality: where an image is beyond it, and how that is said."""

    code: str
    severity: Severity
    beyond: Callable[[pd.DataFrame], "pd.Series[bool]"]
    what: str
    none: str
    consequence: str


_LIMITS: Final = (
    _Limit(
        "blank",
        Severity.CAUTION,
        lambda rows: rows["contrast"] < 4,
        "blank (standard deviation of the gray levels below 4)",
        "No image is blank.",
        "A blank image shows nothing that a label could be about: remove it.",
    ),
    _Limit(
        "too-dark-or-bright",
        Severity.CAUTION,
        lambda rows: (rows["contrast"] >= 4) & ~rows["brightness"].between(30, 230),
        "very dark or very bright (mean gray level below 30 or above 230)",
        "No image that is not blank is very dark or very bright (mean gray levels are from 30 to 230).",
        "Such an image may be inverted, or scaled from a deeper file by a wrong range.",
    ),
    _Limit(
        "flat",
        Severity.NOTE,
        lambda rows: rows["contrast"].between(4, 12, inclusive="left"),
        "flat (standard deviation of the gray levels below 12)",
        "No image that is not blank is flat (standard deviation of the gray levels below 12).",
        "Such an image may be scaled from a deeper file by a wrong range.",
    ),
    _Limit(
        "odd-shape",
        Severity.NOTE,
        lambda rows: ~(rows["width"] / rows["height"]).between(1 / 3, 3),
        "oddly shaped (one side more than three times the other)",
        "No image has a side more than three times the other.",
        "Made a square, such an image shows strange anatomy; it may be a strip of a film.",
    ),
    _Limit(
        "small",
        Severity.NOTE,
        lambda rows: rows[["width", "height"]].min(axis=1) < 96,
        "smaller than 96 pixels",
        "No image is smaller than 96 pixels.",
        "Detail that models use is missing.",
    ),
)


def quality(index: DataIndex, measures: pd.DataFrame) -> Iterator[Check]:
    """Images beyond each limit, and those unlike all others."""
    rows = measures.join(index.table.set_index("image_id")[["width", "height"]], on="image_id")
    for limit in _LIMITS:
        beyond = rows.loc[limit.beyond(rows), "image_id"]
        if beyond.empty:
            yield passed(limit.code, limit.none, Evidence.QUALITY)
        else:
            words = f"{counted(len(beyond), 'image is', 'images are')} {limit.what}."
            yield found(
                limit.code,
                limit.severity,
                len(beyond),
                words,
                Evidence.QUALITY,
                consequence=limit.consequence,
                examples=beyond,
            )
    yield _marked(index, measures)
    yield _unlike(measures)


def outlying(measures: pd.DataFrame) -> pd.DataFrame:
    """How far each image is from the others in the measure that it is farthest in.

    Args:
        measures: Rows of `data.measures.measure`.

    Returns:
        Rows of `image_id`, `measure` and `distance`, in standard deviations as the median absolute deviation gives them, the
        farthest first. Where images hardly differ, the deviation is `_LEAST_SCALE`.
    """
    values = measures[list(MEASURES)]
    deviations = (values - values.median()).abs()
    distances = deviations / (_OF_MAD * deviations.median()).clip(lower=pd.Series(_LEAST_SCALE))
    table = pd.DataFrame(
        {"image_id": measures["image_id"], "measure": distances.idxmax(axis=1), "distance": distances.max(axis=1)}
    )
    return table.sort_values("distance", ascending=False, ignore_index=True)


def _marked(index: DataIndex, measures: pd.DataFrame) -> Check:
    """How many images of each class have letters or other marks."""
    code, marked = "marks", measures["marks"] > 0
    if not marked.any():
        return passed(
            code, "No letter or other mark is found in an image (faint ones are not looked for).", Evidence.QUALITY
        )
    labels = index.table["label"].to_numpy()
    shares = ((label.name, marked[labels == label.value].mean()) for label in Label if (labels == label.value).any())
    words = ", ".join(f"{100 * share:.0f} % of {name}" for name, share in shares)
    most = measures[marked].sort_values(["marks", "image_id"], ascending=[False, True])
    return found(
        code,
        Severity.NOTE,
        int(marked.sum()),
        f"{counted(int(marked.sum()), 'image has', 'images have')} letters or other bright marks in them: {words}.",
        Evidence.QUALITY,
        consequence="A network can read them. At least this many: faint ones are not found.",
        examples=most["image_id"],
    )


def _unlike(measures: pd.DataFrame) -> Check:
    far = outlying(measures)
    far = far[far["distance"] > _OUTLYING]
    if far.empty:
        return passed("outliers", "No image is unlike all others in its gray levels or sharpness.", Evidence.QUALITY)
    kinds = ", ".join(f"{name} {count:,}" for name, count in far["measure"].value_counts().items())
    return found(
        "outliers",
        Severity.NOTE,
        len(far),
        f"{counted(len(far), 'image is', 'images are')} unlike all others in gray levels or sharpness ({kinds}).",
        Evidence.QUALITY,
        consequence="Look at them first.",
        examples=far["image_id"],
    )
