"""A comparison's two sides against the report of 2020, as blocks of a document."""

from collections.abc import Sequence

from pneumo_core.config.classifier import TrainConfig
from pneumo_core.config.run import config_from_dict
from pneumo_core.evaluation.against_report import against_parameters, against_report, counterpart, protocol_notes
from pneumo_core.evaluation.comparison import Comparison, Side
from pneumo_core.evaluation.wording import or_reason, plain
from pneumo_core.records import Metric, NotApplicable, Split
from pneumo_core.reference import INCONSISTENCIES
from pneumo_core.reporting.document import Block, Bullets, Cell, Data, Heading, Paragraph, Table
from pneumo_core.reporting.facts import RunFacts

__all__ = ["against_blocks", "inconsistencies"]


def against_blocks(
    comparison: Comparison, facts_a: Sequence[RunFacts], facts_b: Sequence[RunFacts]
) -> tuple[Block, ...]:
    """Each side beside the training of the report that it repeats, or why there is none."""
    blocks: list[Block] = [Heading("Against the report of 2020")]
    if comparison.split is not Split.TEST:
        return (*blocks, Paragraph(f"n/a: the report's figures are of test images, these of {comparison.split.value}."))
    for letter, side, facts in (("A", comparison.a, facts_a), ("B", comparison.b, facts_b)):
        blocks += _side(letter, side, facts[0])
    notes = [protocol_notes(selected_on_test=side.selected_on_test, n=side.n) for side in (comparison.a, comparison.b)]
    return (*blocks, Bullets(tuple(dict.fromkeys(note for of_side in notes for note in of_side))))


def inconsistencies() -> Table:
    """What the report says against itself."""
    return Table(
        "inconsistencies",
        "What the report of 2020 says against itself",
        ("what", "it says", "what is so", "why it matters"),
        tuple((one.title, one.says, one.so, one.matters) for one in INCONSISTENCIES),
    )


def _side(letter: str, side: Side, facts: RunFacts) -> list[Block]:
    config = config_from_dict(dict(facts.config))
    run = (
        counterpart(config)
        if isinstance(config, TrainConfig)
        else NotApplicable("the report gives no figures of its DCGAN")
    )
    if isinstance(run, NotApplicable):
        return [Paragraph(f"{letter}, {side.name}: n/a: {run.reason}.")]
    rows: list[tuple[str, ...]] = []
    data: list[tuple[Cell, ...]] = []
    for row in against_report(side.figures, run):
        reported = f"{row.report:.{row.decimals}f}"
        if isinstance(row.ours, NotApplicable) or isinstance(row.difference, NotApplicable):
            rows.append(
                (
                    row.name,
                    row.place,
                    reported,
                    or_reason(row.ours) if isinstance(row.ours, NotApplicable) else "",
                    "",
                    "",
                )
            )
            data.append((row.name, row.place, row.report, row.words, None, None, None, None))
            continue
        ours = row.ours
        digits = 3 if row.metric is Metric.LOG_LOSS else row.decimals + 1
        difference = f"{row.difference:+.{digits}f}".replace("-", "\N{MINUS SIGN}")
        shown = f"{ours.value:.{digits}f} ({ours.low:.{digits}f} to {ours.high:.{digits}f})"
        rows.append((row.name, row.place, reported, shown, difference, row.words))
        data.append(
            (row.name, row.place, row.report, ours.value, ours.low, ours.high, row.difference, str(plain(row.inside)))
        )
    table = Table(
        f"against-report-{letter.lower()}",
        f"{letter}, {side.name}, beside the report's {run.architecture.value}, "
        f"{'balanced' if run.balanced else 'original'} data",
        ("figure", "place", "report", "ours (95 %)", "ours \N{MINUS SIGN} report", "is the report's inside?"),
        tuple(rows),
        notes=(f"Ours: n = {side.n:,} test images. Class 0 is NORMAL, class 1 PNEUMONIA.",),
        data=Data(("figure", "place", "report", "ours", "ours_low", "ours_high", "difference", "inside"), tuple(data)),
    )
    counts = against_parameters(facts.manifest, run.architecture)
    parameters = Table(
        f"against-parameters-{letter.lower()}",
        f"{letter}: parameters against the report's",
        ("parameters", "place", "report", "ours", "equal"),
        tuple(
            (
                row.name,
                row.place,
                f"{row.report:,}",
                or_reason(row.ours) if isinstance(row.ours, NotApplicable) else f"{row.ours:,}",
                or_reason(row.equal) if isinstance(row.equal, NotApplicable) else "yes" if row.equal else "no",
            )
            for row in counts
        ),
    )
    return [table, parameters]
