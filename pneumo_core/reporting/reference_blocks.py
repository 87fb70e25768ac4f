"""A comparison's two sides against the report of 2020, as blocks of a document."""

from collections.abc import Mapping, Sequence
from typing import Any

from pneumo_core.config.gan import GanConfig
from pneumo_core.config.naming import NETWORKS
from pneumo_core.config.run import config_from_dict
from pneumo_core.evaluation.against_report import Row, against_parameters, against_report, counterpart, protocol_notes
from pneumo_core.evaluation.comparison import Comparison, Side
from pneumo_core.evaluation.wording import or_reason, plain, score_text, signed
from pneumo_core.records import NotApplicable, Split
from pneumo_core.reference import INCONSISTENCIES, ReportRun
from pneumo_core.reporting.document import Block, Bullets, Cell, Heading, Paragraph, Table, estimate_cells, numbered
from pneumo_core.reporting.facts import RunFacts


def against_blocks(
    comparison: Comparison, facts_a: Sequence[RunFacts], facts_b: Sequence[RunFacts]
) -> tuple[Block, ...]:
    """Each side beside the training of the report that it reproduces, or the reason why there is none."""
    blocks: list[Block] = [Heading("Against the report of 2020")]
    if comparison.split is not Split.TEST:
        return (
            *blocks,
            Paragraph(f"n/a: the report's figures are from test images, these from {comparison.split.value}."),
        )
    for letter, side, facts in (("A", comparison.a, facts_a), ("B", comparison.b, facts_b)):
        blocks += _side(letter, side, facts[0])
    notes = [protocol_notes(selected_on_test=side.selected_on_test, n=side.n) for side in (comparison.a, comparison.b)]
    return (*blocks, Bullets(tuple(dict.fromkeys(note for of_side in notes for note in of_side))))


def inconsistencies() -> Table:
    """Inconsistencies of the report."""
    return Table(
        "inconsistencies",
        "Inconsistencies of the report of 2020",
        ("subject", "report", "facts", "consequence"),
        tuple((one.title, one.says, one.so, one.matters) for one in INCONSISTENCIES),
    )


def report_table(letter: str, side: Side, run: ReportRun) -> Table:
    """Each figure of a training of the report beside ours, as fractions, like in the report."""

    def row(found: Row) -> tuple[Sequence[str], Sequence[Cell]]:
        of, reported = (found.name, found.place), f"{found.report:.{found.decimals}f}"
        if isinstance(found.difference, NotApplicable):
            numbers = (found.report, *estimate_cells(found.ours), None, None)
            return (*of, reported, score_text(found.ours), "", ""), (*of, *numbers)
        difference = signed(f"{found.difference:+z.3f}")
        numbers = (found.report, *estimate_cells(found.ours), found.difference, str(plain(found.inside)))
        return (*of, reported, score_text(found.ours), difference, found.words), (*of, *numbers)

    runs = "" if len(side.run_ids) == 1 else f", mean of {len(side.run_ids)} runs"
    return numbered(
        f"against-report-{letter.lower()}",
        f"{letter}, {side.name}, beside the report's {NETWORKS[run.architecture]}, "
        f"{'balanced' if run.balanced else 'original'} data",
        ("figure", "place", "report", "ours (95 %)", "ours \N{MINUS SIGN} report", "the report's value is"),
        ("figure", "place", "report", "ours", "ours_low", "ours_high", "n", "difference", "inside"),
        map(row, against_report(side.figures, run)),
        (f"Ours: n = {side.n:,} test images{runs}. Class 0 is NORMAL, class 1 PNEUMONIA.",),
    )


def parameters_table(letter: str, manifest: Mapping[str, Any], run: ReportRun) -> Table:
    """Parameter counts of the report's network and ours."""
    return Table(
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
            for row in against_parameters(manifest, run.architecture)
        ),
    )


def counterpart_of(facts: RunFacts) -> ReportRun | NotApplicable:
    """The training of the report that a run reproduces, or why there is none."""
    config = config_from_dict(dict(facts.config))
    if isinstance(config, GanConfig):
        return NotApplicable("the report gives no figures of its DCGAN")
    return counterpart(config, is_phantom=bool(facts.data.get("is_phantom")))


def _side(letter: str, side: Side, facts: RunFacts) -> list[Block]:
    run = counterpart_of(facts)
    if isinstance(run, NotApplicable):
        return [Paragraph(f"{letter}, {side.name}: n/a: {run.reason}.")]
    return [report_table(letter, side, run), parameters_table(letter, facts.manifest, run)]
