"""Tables of a DCGAN's evidence as pure functions: what the GAN lab shows, and what it hands out as CSV."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from pages.ui.run_parts import number
from pneumo_core.evaluation.generator.measures import FeatureMeasures, GenerativeReport
from pneumo_core.evaluation.generator.memorisation import Memorisation
from pneumo_core.evaluation.wording import percent
from pneumo_core.inference.gan_measures import GanMeasures
from pneumo_core.records import Estimate, NotApplicable

EPOCH_COLUMNS = ("loss_generator", "loss_discriminator", "score_real", "score_generated", "spread", "duration_s")

_Value = Estimate | NotApplicable


@dataclass(frozen=True, slots=True)
class MeasureRow:
    """A measure.

    Attributes:
        name: What it is called.
        meaning: What it says, in one line.
        value: What was found for the generated images.
        beside: What `reference` is; "" for none.
        reference: What real images reach, or what would be expected.
        ratio: Of the value to the reference's upper end.
        is_share: Whether all are shares, written in percent.
    """

    name: str
    meaning: str
    value: _Value
    beside: str = ""
    reference: _Value | None = None
    ratio: _Value | None = None
    is_share: bool = False


def measure_rows(measures: GanMeasures) -> list[MeasureRow]:
    """Every measure of a DCGAN."""
    report = measures.report
    called = "Share that a classifier calls so. The real images beside it may have trained that classifier."
    view = report.called_pneumonia, "real images", measures.real_called_pneumonia
    return [
        *_feature_rows(report.features),
        *_collapse_rows(report),
        _copies_row("pixels", report.memorisation_pixels, report.n_real),
        _copies_row("features", report.memorisation_features, report.n_real),
        MeasureRow("Called PNEUMONIA", called, *view, is_share=True),
    ]


def _feature_rows(found: FeatureMeasures | NotApplicable) -> list[MeasureRow]:
    if isinstance(found, NotApplicable):
        return [MeasureRow("KID, FID, precision, recall", "They need a feature space.", found)]
    kid = "Distance in the feature space; lower is better. It does not depend on how many images there are."
    fid = "Another distance; lower is better. It falls with more images, so it has no floor beside it."
    matched = "FID of as many images as its floor has; lower is better."
    inside = "Share of generated images that look like real ones; higher is better."
    reached = "Share of real images that have their like among the generated: variety; higher is better."
    pairs = (
        ("Precision", inside, found.precision, found.precision_matched, found.precision_ceiling),
        ("Recall", reached, found.recall, found.recall_matched, found.recall_ceiling),
    )
    rows = [
        MeasureRow("KID", kid, found.kid, "floor", found.kid_floor, found.kid_ratio),
        MeasureRow("FID", fid, found.fid),
        MeasureRow("FID, at equal numbers", matched, found.fid_matched, "floor", found.fid_floor, found.fid_ratio),
    ]
    for name, meaning, whole, at_equal, ceiling in pairs:
        rows.append(MeasureRow(name, meaning, whole, is_share=True))
        fair = "The same, of as many images as its ceiling has."
        rows.append(MeasureRow(f"{name}, at equal numbers", fair, at_equal, "ceiling", ceiling, is_share=True))
    return rows


def _collapse_rows(report: GenerativeReport) -> list[MeasureRow]:
    found = report.collapse
    like = f"Likeness of pairs of generated images; lower is more varied, and up to {found.ms_ssim_limit:.3f} passes."
    twins = "Share of generated images that nearly equal another one; up to half passes."
    return [
        MeasureRow("MS-SSIM of pairs", like, found.ms_ssim, "real pairs", found.real_ms_ssim),
        MeasureRow("Twins", twins, found.twins, is_share=True),
    ]


def _copies_row(space: str, found: Memorisation | NotApplicable, n_real: int) -> MeasureRow:
    meaning = "Share nearer to a training image than these nearly ever are to each other: possible copies."
    name = f"Flagged as copies by {space}"
    if isinstance(found, NotApplicable):
        return MeasureRow(name, meaning, found)
    usual = Estimate(found.expected_share, found.expected_share, found.expected_share, n_real)
    return MeasureRow(name, meaning, found.share, "without copying", usual, is_share=True)


def words_of(value: _Value, *, is_share: bool = False) -> tuple[str, str]:
    """A value as text, and its interval or the reason why there is none."""
    if isinstance(value, NotApplicable):
        return "n/a", value.reason
    if is_share:
        return percent(value.value), f"{100 * value.low:.1f} to {percent(value.high)}"
    return three_digits(value.value), f"{three_digits(value.low)} to {three_digits(value.high)}"


def three_digits(value: float) -> str:
    """A number to three digits, zeros at its end included."""
    return f"{value:#.3g}".rstrip(".")


def spoken_frame(rows: Sequence[MeasureRow]) -> pd.DataFrame:
    """Measures for people: a line each."""

    def beside(row: MeasureRow) -> str:
        if row.reference is None:
            return ""
        value, interval = words_of(row.reference, is_share=row.is_share)
        is_exact = isinstance(row.reference, Estimate) and row.reference.low == row.reference.high
        return f"{row.beside}: {value}" + ("" if is_exact else f" ({interval})")

    columns = {
        "measure": [row.name for row in rows],
        "value": ["{} ({})".format(*words_of(row.value, is_share=row.is_share)) for row in rows],
        "n": [f"{row.value.n:,}" if isinstance(row.value, Estimate) else "" for row in rows],
        "beside it": [beside(row) for row in rows],
        "ratio": ["" if row.ratio is None else "{} ({})".format(*words_of(row.ratio)) for row in rows],
        "what it means": [row.meaning for row in rows],
    }
    return pd.DataFrame(columns)


def numbers_frame(rows: Sequence[MeasureRow], measures: GanMeasures) -> pd.DataFrame:
    """Measures as a row of numbers each, in full precision, with the run and the feature space they are of."""
    space = measures.report.features

    def numbers(name: str, value: _Value | None) -> dict[str, Any]:
        given = asdict(value) if isinstance(value, Estimate) else dict.fromkeys(("value", "low", "high", "n"))
        return {f"{name}{key}": part for key, part in given.items()}

    lines = [
        {
            "run": measures.run_id,
            "measure": row.name,
            **numbers("", row.value),
            "beside": row.beside,
            **numbers("beside_", row.reference),
            **numbers("ratio_", row.ratio),
            "not applicable": row.value.reason if isinstance(row.value, NotApplicable) else "",
            "feature space": "" if isinstance(space, NotApplicable) else space.space,
        }
        for row in rows
    ]
    return pd.DataFrame(lines).astype(dict.fromkeys(("n", "beside_n", "ratio_n"), "Int64"))


def quantile_frame(found: Memorisation) -> pd.DataFrame:
    """Distances of both kinds to the nearest training image, a row for each share of images that are nearer."""
    return pd.DataFrame(
        {"share of images": found.levels, "generated": found.sample_quantiles, "real": found.real_quantiles}
    )


def pair_frame(found: Memorisation) -> pd.DataFrame:
    """Samples and their nearest training images, the nearest pair first.

    `quantile` is the share of training images that are nearer than that to one of another patient, between known levels by
    a straight line.
    """
    distance = np.asarray(found.distance)
    frame = pd.DataFrame(
        {
            "sample": np.arange(len(distance)),
            "nearest": found.nearest,
            "distance": distance,
            "quantile": np.interp(distance, found.real_quantiles, found.levels, left=0.0),
            "flagged": found.flagged,
        }
    )
    return frame.sort_values(["distance", "sample"], ignore_index=True)


def gan_epochs(events: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Epochs of a DCGAN's events, counted from 1; of an epoch that was run again after a resume, the last."""
    known = {int(event["epoch"]) + 1: event for event in events if event.get("kind") == "epoch"}
    rows = [{"epoch": epoch, **{name: number(known[epoch], name) for name in EPOCH_COLUMNS}} for epoch in sorted(known)]
    return pd.DataFrame(rows, columns=["epoch", *EPOCH_COLUMNS]).astype(dict.fromkeys(EPOCH_COLUMNS, float))
