"""A comparison as a document: the conclusion first, then its evidence."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from pneumo_core.evaluation.comparison import Comparison, Side
from pneumo_core.evaluation.curves import epochs
from pneumo_core.evaluation.wording import STRESS_NOTE
from pneumo_core.records import NotApplicable, Split
from pneumo_core.reporting import comparison_tables, plots, run_tables, split_tables
from pneumo_core.reporting.document import Block, Bullets, Document, Heading, KeyValues, Paragraph, Picture, Row, Table
from pneumo_core.reporting.facts import RunFacts, fact
from pneumo_core.reporting.published_results import published_blocks
from pneumo_core.reporting.reference_blocks import against_blocks, inconsistencies

LIMITS: Final = (
    "Research and education only. Not a medical device, not for diagnosis.",
    (
        "One data set of children's chest X-rays from one hospital, labeled by others. No external validation: on images of "
        "another place, other machines or adults the figures may be very different."
    ),
    (
        "The test images are consecutive cases, not a random sample, and files of both classes differ in size and compression, "
        "which a model can use as a shortcut."
    ),
    "The prevalence of PNEUMONIA is far above that of a clinic, so predictive values and net benefit do not transfer.",
    "No reader study: the performance of a radiologist on the same images, or with this tool, is unknown.",
)
"""Limits of all results from this data set."""


def comparison_document(comparison: Comparison, facts_a: Sequence[RunFacts], facts_b: Sequence[RunFacts]) -> Document:
    """The document of a comparison.

    Args:
        comparison: The comparison.
        facts_a: Records of A's runs, in the order of its run ids.
        facts_b: Records of B's runs, in the same way.
    """
    facts = unique(facts_a, facts_b)
    blocks = (
        *comparison_blocks(comparison, facts_a, facts_b),
        Heading("The report itself"),
        inconsistencies(),
        *published_blocks(comparison, (_is_phantom(facts_a), _is_phantom(facts_b))),
        *provenance(facts),
        Heading("Limits"),
        Bullets(limits((comparison,), facts)),
        Heading("Methods"),
        Paragraph(comparison.methods),
    )
    subtitle = (
        f"A: {comparison.a.name}. B: {comparison.b.name}. {comparison.a.n:,} and {comparison.b.n:,} images of split "
        f"{comparison.split.value}. Every difference is B minus A."
    )
    return Document("Comparison of chest X-ray classifiers", subtitle, blocks)


def _is_phantom(facts: Sequence[RunFacts]) -> bool:
    return any(run.data.get("is_phantom") for run in facts)


def unique(*groups: Sequence[RunFacts]) -> tuple[RunFacts, ...]:
    """Runs of several groups, each once, in their order."""
    return tuple({run.run_id: run for group in groups for run in group}.values())


def comparison_blocks(
    comparison: Comparison, facts_a: Sequence[RunFacts], facts_b: Sequence[RunFacts]
) -> tuple[Block, ...]:
    """The parts that belong to one comparison, from its verdict to the report of 2020."""
    a, b = comparison.a, comparison.b
    facts = unique(facts_a, facts_b)
    return (
        Heading("Verdict"),
        *warned(comparison),
        Paragraph(comparison.verdict.sentence, lead=True),
        *((Bullets(comparison.verdict.notes),) if comparison.verdict.notes else ()),
        Heading("The question"),
        Paragraph(f"What changes from A, {a.name}, to B, {b.name}? Pairing: {comparison.pairing}."),
        comparison_tables.sides(comparison),
        Heading("Figures and differences"),
        comparison_tables.figures(comparison),
        Picture(
            "differences",
            "Differences B \N{MINUS SIGN} A with 95 % intervals over patients; a thin bar below, with enough runs, is "
            "the 95 % interval over seeds. A claim needs both, and the tests.",
            "Forest plot of the difference of each figure; the numbers are in the table of figures.",
            partial(plots.forest, comparison),
        ),
        Heading("Paired statistics"),
        comparison_tables.agreement(comparison),
        comparison_tables.areas(comparison),
        Heading("Spread over seeds"),
        Paragraph(
            "The variation of a figure over the seeds of the training is a different source of uncertainty than the choice of "
            "patients, and is reported separately."
        ),
        *_seeds(comparison),
        Heading("Errors by class"),
        Picture(
            "confusion-matrices",
            "Confusion matrices; shares are of the true class.",
            "Confusion matrices of A and B side by side; the counts are in the table below.",
            partial(plots.confusions, comparison),
        ),
        comparison_tables.confusions(comparison),
        comparison_tables.classification(comparison),
        Heading("Curves"),
        *_curves(comparison),
        Heading("Calibration"),
        *_reliability(comparison),
        comparison_tables.calibration(comparison, facts),
        comparison_tables.validation_calibration(facts),
        Heading("Operating points"),
        comparison_tables.operating_points(comparison, facts),
        *_benefit(comparison, facts_a, facts_b),
        *split_tables.slice_blocks(facts),
        Heading("Training"),
        *_histories((("A", a, facts_a), ("B", b, facts_b))),
        *against_blocks(comparison, facts_a, facts_b),
    )


def warned(comparison: Comparison) -> tuple[Paragraph, ...]:
    """The warning of a comparison whose sides differ in more than what is compared, to stand above its verdict."""
    warning = comparison.contrast.warning
    return (Paragraph(f"Warning: {warning}", lead=True),) if warning else ()


def provenance(facts: Sequence[RunFacts]) -> tuple[Block, ...]:
    """Settings of every run, and its hardware and versions."""
    return (
        Heading("Runs"),
        run_tables.runs(facts),
        *run_tables.settings(facts),
        run_tables.versions(facts),
    )


def limits(comparisons: Sequence[Comparison], facts: Sequence[RunFacts]) -> tuple[str, ...]:
    """Limits of the results, with the numbers of these comparisons."""
    found = list(LIMITS[:1])
    if _is_phantom(facts):
        found.append("Some of these images are phantoms, drawn by a program: the figures do not apply to X-rays.")
    every = [side for comparison in comparisons for side in (comparison.a, comparison.b)]
    fewest, patients = min(side.n for side in every), min(side.n_patients for side in every)
    found.append(f"The figures are based on as few as {fewest:,} images of {patients:,} patients.")
    if selected := sorted({side.name for side in every if side.selected_on_test}):
        found.append(f"Selected on test, so the test figures are optimistic: {'; '.join(selected)}.")
    if any(comparison.split is Split.VAL for comparison in comparisons):
        found.append(
            "Figures on val are optimistic: epochs and thresholds were selected there, or on degraded copies of these images. "
            "The model cards have those on test."
        )
    if any(comparison.split is Split.STRESS for comparison in comparisons):
        found.append(STRESS_NOTE)
    if seeds := min(len(side.run_ids) for side in every):
        found.append(f"As few as {seeds} training run{'s' * (seeds > 1)} per side.")
    if shared := _shared_by_seeds(facts):
        found.append(f"The seeds share {' and '.join(shared)}, whose variation is not in the figures.")
    return (*found, *LIMITS[1:])


def _shared_by_seeds(facts: Sequence[RunFacts]) -> list[str]:
    """What runs of several seeds have in common although another seed could have given another."""
    if len({fact(run.config, "seed") for run in facts}) < 2:
        return []
    configs = [run.config for run in facts]
    # Without a seed of its own the split has the run's, or a saved one says it.
    splits = {
        str(
            fact(config, "named_split")
            or (config["seed"] if fact(config, "split_seed") is None else config["split_seed"])
        )
        for config in configs
        if fact(config, "validation") == "patients"
    }
    generators = {gan for config in configs if (gan := fact(config, "gan_run"))}
    one_split = ["one split of the patients"] if len(splits) == 1 else []
    return one_split + [f"one DCGAN ({gan})" for gan in generators if len(generators) == 1]


def nested(blocks: Sequence[Block], prefix: str) -> tuple[Block, ...]:
    """Blocks one level deeper, the names of their files with a prefix."""

    def named(block: Block) -> Block:
        match block:
            case Heading():
                return replace(block, level=block.level + 1)
            case Table() | KeyValues() | Picture():
                return replace(block, name=f"{prefix}-{block.name}")
            case Row():
                return replace(
                    block, pictures=tuple(replace(one, name=f"{prefix}-{one.name}") for one in block.pictures)
                )
            case _:
                return block

    return tuple(map(named, blocks))


def _missing(a: Sequence[object], b: Sequence[object]) -> str | None:
    """The reason why there is nothing to draw, if no run has data; else None."""
    reasons = [one.reason for one in (*a, *b) if isinstance(one, NotApplicable)]
    return "; ".join(dict.fromkeys(reasons)) if len(reasons) == len(a) + len(b) else None


def _curves(comparison: Comparison) -> tuple[Block, ...]:
    found: list[Paragraph] = []
    drawn: list[Picture] = []
    for name, title, draw, a, b in (
        ("roc", "ROC curves", plots.roc, comparison.a.roc, comparison.b.roc),
        ("precision-recall", "Precision-recall curves", plots.pr, comparison.a.pr, comparison.b.pr),
    ):
        if reason := _missing(a, b):
            found.append(Paragraph(f"{title}: n/a: {reason}."))
        else:
            caption = f"{title} of every run on split {comparison.split.value}."
            caption += " Points: the runs' operating points." if name == "roc" else ""
            alt = f"{title} of A, dashed, and of B, solid; their areas are in the table of figures."
            drawn.append(Picture(name, caption, alt, partial(draw, comparison)))
    return (*found, *_row(drawn))


def _row(drawn: Sequence[Picture]) -> tuple[Row, ...]:
    return (Row(tuple(drawn)),) if drawn else ()


def _seeds(comparison: Comparison) -> tuple[Block, ...]:
    if reason := _missing(tuple(comparison.a.spread.values()), tuple(comparison.b.spread.values())):
        return (Paragraph(f"n/a: {reason}."),)
    return (
        comparison_tables.seeds(comparison),
        Picture(
            "seeds",
            "Accuracy of every run.",
            "Dot plot of the accuracy of each run of A and of B; the counts are in the table of confusion matrices.",
            partial(plots.seeds, comparison),
        ),
    )


def _reliability(comparison: Comparison) -> tuple[Block, ...]:
    if reason := _missing(comparison.a.reliability, comparison.b.reliability):
        return (Paragraph(f"Reliability diagram: n/a: {reason}."),)
    return _row(
        (
            Picture(
                "reliability",
                "Observed frequency of PNEUMONIA by predicted probability, and the images in each bin.",
                "Reliability diagram of A, dashed, and B, solid; slope, intercept and ECE are in the table of calibration.",
                partial(plots.reliability, comparison),
            ),
            Picture(
                "probabilities",
                "Images of each class by probability; dashed lines are the runs' thresholds.",
                "Histograms of the probabilities of NORMAL and PNEUMONIA images, A left and B right.",
                partial(plots.probabilities, comparison),
            ),
        )
    )


def _benefit(comparison: Comparison, facts_a: Sequence[RunFacts], facts_b: Sequence[RunFacts]) -> tuple[Block, ...]:
    unmeasured = NotApplicable("it was not measured on this split")
    a, b = (
        tuple(run.on_split.decision_curve if run.on_split else unmeasured for run in facts)
        for facts in (facts_a, facts_b)
    )
    if reason := _missing(a, b):
        return (Paragraph(f"Decision curve: n/a: {reason}."),)
    return (
        Picture(
            "decision-curve",
            "Net benefit by threshold probability, at this split's prevalence of PNEUMONIA (Vickers and Elkin 2006).",
            "Decision curves of A, dashed, and B, solid, against treating all and treating none.",
            partial(plots.decision_curve, comparison, (a, b)),
        ),
    )


def _histories(sides: Sequence[tuple[str, Side, Sequence[RunFacts]]]) -> tuple[Block, ...]:
    known = [any(epochs(run.events) for run in facts) for _, _, facts in sides]
    missing = (
        Paragraph(f"{letter}: no epochs are recorded.")
        for (letter, _, _), there in zip(sides, known, strict=True)
        if not there
    )
    return (*missing, *_row([_history(*side) for side, there in zip(sides, known, strict=True) if there]))


def _history(letter: str, side: Side, facts: Sequence[RunFacts]) -> Picture:
    test = any(fact(run.config, "validation") == "test" for run in facts)
    caption = f"Training of {letter}, {side.name}: dotted on training, solid on held-out images"
    caption += ", which are the test images themselves." if test else ", or degraded copies of them."
    alt = f"Loss and accuracy by epoch of each run of {letter}."
    draw = partial(plots.history, f"{letter}: {side.name}", facts)
    return Picture(f"history-{letter.lower()}", caption, alt, draw)
