"""A DCGAN's measures as a table of a document."""

from collections.abc import Callable
from typing import Final

from pneumo_core.evaluation.curves import estimate_numbers
from pneumo_core.evaluation.generator.measures import FeatureMeasures, GenerativeReport
from pneumo_core.evaluation.generator.memorisation import Memorisation
from pneumo_core.evaluation.wording import measured_parts, score_parts, score_text, share_parts
from pneumo_core.records import Estimate, NotApplicable
from pneumo_core.reporting.document import Cell, Table, numbered
from pneumo_core.reporting.glossary import TERMS

_Value = Estimate | NotApplicable
Shown = Callable[[Estimate], tuple[str, str]]
"""How a measure and its interval are written; see `evaluation.wording`."""

NEARER: Final = "Nearer to a training image than 99 % of real images are to another patient's"
"""What is measured of each sample for copies, in the words of every page and document."""


_Row = tuple[tuple[str, ...], tuple[Cell, ...]]


def _row(
    name: str,
    meaning: str,
    value: _Value,
    beside: str = "",
    reference: _Value | None = None,
    ratio: _Value | None = None,
    *,
    shown: Shown = score_parts,
) -> _Row:
    """Texts and numbers of a measure, of what real images reach (`beside` says what that is), and of their ratio."""
    n = f"{value.n:,}" if isinstance(value, Estimate) else ""
    found = "{} ({})".format(*words_of(value, shown))
    of_reference = ""
    if reference is not None:
        middle, interval = words_of(reference, shown)
        is_exact = isinstance(reference, Estimate) and reference.low == reference.high
        of_reference = f"{beside}: {middle}" + ("" if is_exact else f" ({interval})")
    of_ratio = "" if ratio is None else "{} ({})".format(*words_of(ratio, measured_parts))
    (*numbers, reason), known, times = (
        [*estimate_numbers(NotApplicable("") if one is None else one).values()] for one in (value, reference, ratio)
    )
    return (name, found, n, of_reference, of_ratio, meaning), (name, *numbers, beside, *known[:-1], *times[:-1], reason)


def measures_table(run_id: str, report: GenerativeReport, real_called: Estimate | NotApplicable) -> Table:
    """All measures of a DCGAN beside the values of real images; its data have full precision.

    Args:
        run_id: The run.
        report: Its measures.
        real_called: Share of the real images that the classifier calls PNEUMONIA.
    """
    called = "Fraction that a classifier predicts as PNEUMONIA; the real images may have trained that classifier."
    rows = [
        *_feature_rows(report.features),
        *_collapse_rows(report),
        _near_row("pixels", report.memorisation_pixels, report.n_real),
        _near_row("features", report.memorisation_features, report.n_real),
        _row("Called PNEUMONIA", called, report.called_pneumonia, "real images", real_called, shown=share_parts),
    ]
    space = "" if isinstance(report.features, NotApplicable) else report.features.space
    numbers = ("value", "low", "high", "n")
    beside = [f"{name}_{number}" for name in ("beside", "ratio") for number in numbers]
    return numbered(
        "measures",
        "Measures with their intervals, n and the values of real images",
        ("measure", "value", "n", "beside it", "ratio", "meaning"),
        ("run", "measure", *numbers, "beside", *beside, "not applicable", "feature space"),
        ((texts, (run_id, *cells, space)) for texts, cells in rows),
    )


def _feature_rows(found: FeatureMeasures | NotApplicable) -> list[_Row]:
    if isinstance(found, NotApplicable):
        return [_row("KID, FID, precision, recall", "They require a feature space.", found)]
    matched, equal = "FID for the number of images of its floor.", ", at equal numbers"
    pairs = (
        (
            "Precision",
            TERMS["precision of a generator"],
            found.precision,
            found.precision_matched,
            found.precision_ceiling,
        ),
        ("Recall", TERMS["recall of a generator"], found.recall, found.recall_matched, found.recall_ceiling),
    )
    rows = [
        _row("KID", TERMS["KID"], found.kid, "floor", found.kid_floor, found.kid_ratio),
        _row("FID", TERMS["FID"], found.fid, shown=measured_parts),
        _row(
            "FID, at equal numbers",
            matched,
            found.fid_matched,
            "floor",
            found.fid_floor,
            found.fid_ratio,
            shown=measured_parts,
        ),
    ]
    for name, meaning, whole, at_equal, ceiling in pairs:
        rows.append(_row(name, meaning, whole, shown=share_parts))
        fair = "The same for the number of images of its ceiling."
        rows.append(_row(f"{name}{equal}", fair, at_equal, "ceiling", ceiling, shown=share_parts))
    return rows


def _collapse_rows(report: GenerativeReport) -> list[_Row]:
    found = report.collapse
    like = f"{TERMS['MS-SSIM']} Up to {score_text(found.ms_ssim_limit)} passes."
    twins = "Fraction of generated images that nearly equal another one; up to half passes."
    return [
        _row("MS-SSIM of pairs", like, found.ms_ssim, "real pairs", found.real_ms_ssim),
        _row("Twins", twins, found.twins, shown=share_parts),
    ]


def _near_row(space: str, found: Memorisation | NotApplicable, n_real: int) -> _Row:
    meaning = TERMS["memorization"]
    name = f"{NEARER}, by {space}"
    if isinstance(found, NotApplicable):
        return _row(name, meaning, found)
    usual = Estimate(found.expected_share, found.expected_share, found.expected_share, n_real)
    return _row(name, meaning, found.share, "real images", usual, shown=share_parts)


def words_of(value: _Value, shown: Shown = score_parts) -> tuple[str, str]:
    """A value as text, and its interval or the reason why there is none."""
    return ("n/a", value.reason) if isinstance(value, NotApplicable) else shown(value)
