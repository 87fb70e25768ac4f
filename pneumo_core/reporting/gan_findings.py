"""What a DCGAN's measures come to in three sentences: quality, variety and copies, each against real images."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pneumo_core.evaluation.generator.measures import FeatureMeasures, GenerativeReport
from pneumo_core.evaluation.generator.memorisation import Memorisation
from pneumo_core.evaluation.wording import measured_text, percent, percent_text, score_text, three_digits
from pneumo_core.records import Estimate, NotApplicable
from pneumo_core.reporting.gan_tables import NEARER


class Aspect(StrEnum):
    """What a finding is about."""

    QUALITY = "quality"
    VARIETY = "variety"
    COPIES = "copies"


class Level(StrEnum):
    """What a finding says of the samples: as among real images, worse than that, or neither can be shown."""

    AS_REAL = "as among real images"
    OPEN = "no difference shown"
    WORSE = "worse than real images"


@dataclass(frozen=True, slots=True)
class GanFinding:
    """One finding.

    Attributes:
        aspect: What it is about.
        level: What it says, or the reason why it says nothing.
        measure: Name of the measured value.
        value: The measured value, or the reason why there is none.
        real: The same of real images against each other, or the reason why it is not known.
        headline: The finding, as a sentence.
        evidence: The values behind it with intervals and n, as a sentence.
    """

    aspect: Aspect
    level: Level | NotApplicable
    measure: str
    value: Estimate | NotApplicable
    real: Estimate | NotApplicable
    headline: str
    evidence: str


COPIES_WORDS: Final = {
    Level.WORSE: "Some generated images may be copies: more of them than of real images are that near to a training image.",
    Level.AS_REAL: "No sign of copies: fewer generated than real images are that near to a training image.",
    Level.OPEN: "No sign of copies: generated images are about as near to training images as real ones are.",
}
"""What the share of samples that are that near to a training image says."""


def gan_findings(report: GenerativeReport) -> tuple[GanFinding, GanFinding, GanFinding]:
    """Quality, variety and copies, from the values of the table of measures."""
    return _quality(report.features), _variety(report), _copies(report)


def finding_text(finding: GanFinding) -> str:
    """A finding in one line, for documents and the command line."""
    return f"{finding.aspect.value.capitalize()}: {finding.headline} {finding.evidence}".strip()


def _quality(found: FeatureMeasures | NotApplicable) -> GanFinding:
    if isinstance(found, NotApplicable):
        return _missing(Aspect.QUALITY, "KID", found)
    ratio, kid, floor = found.kid_ratio, found.kid, found.kid_floor
    evidence = f"KID {score_text(kid)}, n = {kid.n:,}; halves of the real images: {score_text(floor)}, n = {floor.n:,}."
    if isinstance(ratio, NotApplicable):
        headline = f"How far generated images are from real ones cannot be said: {ratio.reason}."
        return GanFinding(Aspect.QUALITY, ratio, "KID", kid, floor, headline, evidence)
    if ratio.low > 1:
        level = Level.WORSE
        times = three_digits(ratio.value)
        headline = f"Generated images differ from real ones {times} times as much as 97.5 % of random halves do."
        evidence = f"{evidence} Ratio of KID to the upper end of that range: {measured_text(ratio)}."
    else:
        level = Level.AS_REAL if ratio.high <= 1 else Level.OPEN
        may = "" if level is Level.AS_REAL else "may "
        headline = f"Generated images {may}differ from real ones no more than real ones from each other."
    return GanFinding(Aspect.QUALITY, level, "KID", kid, floor, headline, evidence)


def _variety(report: GenerativeReport) -> GanFinding:
    collapse, found = report.collapse, report.features
    collapsed = "" if collapse.passes else f"The samples have collapsed: {collapse.reason}."
    if isinstance(found, NotApplicable):
        missing = _missing(Aspect.VARIETY, "Recall", found)
        if collapse.passes:
            return missing
        return GanFinding(Aspect.VARIETY, Level.WORSE, "Recall", found, found, collapsed, missing.headline)
    recall, ceiling = found.recall_matched, found.recall_ceiling
    evidence = (
        f"Recall {percent_text(recall)}, n = {recall.n:,}; halves of the real images: {percent_text(ceiling)}, "
        f"n = {ceiling.n:,} (the same number of images of each)."
    )
    level = Level.WORSE if recall.high < ceiling.low else Level.AS_REAL if recall.low > ceiling.high else Level.OPEN
    headline = {
        Level.WORSE: f"Generated images cover {percent(recall.value, 0)} of the variety of real ones; other real images cover "
        f"{percent(ceiling.value, 0)}.",
        Level.AS_REAL: "Generated images cover the variety of real ones at least as well as other real images do.",
        Level.OPEN: "Generated images cover the variety of real ones about as well as other real images do.",
    }[level]
    if collapsed:
        level, headline = Level.WORSE, f"{collapsed} {headline}"
    return GanFinding(Aspect.VARIETY, level, "Recall, at equal numbers", recall, ceiling, headline, evidence)


def _copies(report: GenerativeReport) -> GanFinding:
    """By pixels, and by features where there are some: the worse of the two counts."""
    known = {space: found for space, found in by_space(report).items() if isinstance(found, Memorisation)}
    worst = copies_level(known[deciding_space(report)])
    pixels = report.memorisation_pixels
    real = Estimate(pixels.expected_share, pixels.expected_share, pixels.expected_share, report.n_real)
    shares = " and ".join(f"{percent_text(found.share)} by {space}" for space, found in known.items())
    evidence = (
        f"{NEARER}: {shares} of the generated images, n = {report.n_generated:,}; {percent(pixels.expected_share, 0)} of the "
        f"real ones, n = {report.n_real:,}."
    )
    headline = worst.reason if isinstance(worst, NotApplicable) else COPIES_WORDS[worst]
    return GanFinding(Aspect.COPIES, worst, NEARER, pixels.share, real, headline, evidence)


def by_space(report: GenerativeReport) -> dict[str, Memorisation | NotApplicable]:
    """Distances to training images in both spaces."""
    return {"pixels": report.memorisation_pixels, "features": report.memorisation_features}


def deciding_space(report: GenerativeReport) -> str:
    """The space whose count the finding on copies is of: the worse one, pixels in a tie."""
    levels = {space: copies_level(found) for space, found in by_space(report).items()}
    order = (Level.WORSE, Level.OPEN, Level.AS_REAL)
    return next((space for level in order for space, own in levels.items() if own is level), "pixels")


def copies_level(found: Memorisation | NotApplicable) -> Level | NotApplicable:
    """What the share of samples in one space says."""
    if isinstance(found, NotApplicable):
        return found
    share, usual = found.share, found.expected_share
    if isinstance(share, NotApplicable):
        return share
    return Level.WORSE if share.low > usual else Level.AS_REAL if share.high < usual else Level.OPEN


def _missing(aspect: Aspect, measure: str, why: NotApplicable) -> GanFinding:
    return GanFinding(aspect, why, measure, why, why, f"Not applicable: {why.reason}.", "")
