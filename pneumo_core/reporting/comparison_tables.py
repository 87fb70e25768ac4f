"""A comparison's numbers as tables of a document."""

from collections.abc import Mapping, Sequence

from pneumo_core.config.ensemble import RULE
from pneumo_core.evaluation.comparison import Comparison, Pair, Side
from pneumo_core.evaluation.curves import each_run
from pneumo_core.evaluation.metrics import classification_table
from pneumo_core.evaluation.reliability import ProbabilityScores, Reliability
from pneumo_core.evaluation.verdict import figure_p
from pneumo_core.evaluation.wording import (
    NAMES,
    classification_cells,
    difference_text,
    estimate_text,
    line_text,
    or_reason,
    p_cell,
    percent,
    plain,
    score_text,
    spread_text,
    value_text,
)
from pneumo_core.records import Estimate, Metric, NotApplicable
from pneumo_core.reporting.document import Cell, Table, estimate_cells, estimate_columns, numbered
from pneumo_core.reporting.evaluation_tables import OPERATING
from pneumo_core.reporting.facts import RunFacts, fact, facts_text

_COUNTS = ("tn", "fp", "fn", "tp")

Row = tuple[Sequence[str], Sequence[Cell]]
"""Texts and numbers of a table's row."""


def sides(comparison: Comparison) -> Table:
    """The two sides."""

    def column(side: Side) -> tuple[str, ...]:
        return (
            side.name,
            ", ".join(side.run_ids),
            ", ".join(map(str, side.seeds)),
            f"{side.n:,}",
            f"{side.n_patients:,}",
            f"{side.n_pneumonia:,} ({percent(side.n_pneumonia / side.n)})",
            "yes, so the figures are optimistic" if side.selected_on_test else "no",
        )

    names = ("name", "runs", "seeds", "images", "patients", "PNEUMONIA", "selected on test")
    rows = tuple(zip(names, column(comparison.a), column(comparison.b), strict=True))
    return Table("sides", f"The compared sides, on split {comparison.split.value}", ("", "A", "B"), rows)


def figures(comparison: Comparison) -> Table:
    """Each figure of A and B with its interval, the difference with its interval, and its one p."""

    def row(metric: Metric) -> Row:
        a, b = comparison.a.figures[metric], comparison.b.figures[metric]
        moved, p = comparison.differences[metric].estimate, figure_p(comparison, metric)
        texts = (estimate_text(metric, a), estimate_text(metric, b), difference_text(metric, moved), p_cell(p))
        numbers = (*estimate_cells(a), *estimate_cells(b), *estimate_cells(moved), plain(p))
        return (NAMES[metric], *texts), (metric.value, *numbers)

    mean = "mean over runs, " if len(comparison.a.run_ids) > 1 or len(comparison.b.run_ids) > 1 else ""
    return numbered(
        "figures",
        f"Figures on split {comparison.split.value}: {mean}95 % interval in brackets",
        ("figure", "A", "B", "B \N{MINUS SIGN} A", "p"),
        ("figure", *estimate_columns(("a", "b", "difference")), "p"),
        map(row, Metric),
        (
            (
                f"n = {comparison.a.n:,} images of {comparison.a.n_patients:,} patients (A), {comparison.b.n:,} of "
                f"{comparison.b.n_patients:,} (B). Differences of shares are in percentage points. Intervals are over "
                "patients; the variation over seeds is reported separately below. p is as in the verdict; that of figures that "
                "it does not name is not adjusted for their number."
            ),
        ),
    )


def agreement(comparison: Comparison) -> Table:
    """McNemar's table of each pair of runs."""

    def row(pair: Pair) -> Row:
        calls, of = pair.mcnemar, (pair.a, pair.b)
        if isinstance(calls, NotApplicable):
            return (*of, *[""] * 4, or_reason(calls), "", ""), (*of, *[None] * 4, or_reason(calls), None, None)
        counts = (calls.both_right, calls.only_a, calls.only_b, calls.both_wrong)
        tests = (calls.p, calls.p_clustered, pair.mcnemar_holm)
        return (*of, *(f"{count:,}" for count in counts), *map(p_cell, tests)), (*of, *counts, *map(plain, tests))

    return numbered(
        "agreement",
        "Agreement, image by image (McNemar)",
        ("A", "B", "both right", "only A", "only B", "both wrong", "p", "p, clustered", "p, Holm"),
        ("a", "b", "both_right", "only_a", "only_b", "both_wrong", "p", "p_clustered", "p_holm"),
        map(row, comparison.pairs),
        (
            (
                "p is McNemar's exact test, images taken as independent; clustered allows for several images of a patient "
                "(Obuchowski); Holm adjusts the larger of both for the number of pairs."
            ),
        ),
    )


def areas(comparison: Comparison) -> Table:
    """DeLong's comparison of each pair of runs."""

    def row(pair: Pair) -> Row:
        ranks, of = pair.delong, (pair.a, pair.b)
        if isinstance(ranks, NotApplicable):
            return (*of, "", "", "", or_reason(ranks), "", ""), (*of, *[None] * 5, or_reason(ranks), None, None)
        moved, tests = ranks.difference, (ranks.p, ranks.p_clustered, pair.delong_holm)
        each = (value_text(Metric.AUROC, area) for area in (ranks.auroc_a, ranks.auroc_b))
        numbers = (ranks.auroc_a.value, ranks.auroc_b.value, moved.value, moved.low, moved.high)
        texts = (*of, *each, difference_text(Metric.AUROC, moved), *map(p_cell, tests))
        return texts, (*of, *numbers, *map(plain, tests))

    ends = ("auroc_a", "auroc_b", "difference", "difference_low", "difference_high")
    return numbered(
        "auroc-pairs",
        "Area under the ROC curve, pair by pair (DeLong)",
        ("A", "B", "AUROC A", "AUROC B", "B \N{MINUS SIGN} A (95 %)", "p", "p, clustered", "p, Holm"),
        ("a", "b", *ends, "p", "p_clustered", "p_holm"),
        map(row, comparison.pairs),
        (
            (
                "p takes images as independent; clustered allows for several images of a patient (Obuchowski). The interval "
                "has the larger of both variances; Holm adjusts the larger p for the number of pairs."
            ),
        ),
    )


def seeds(comparison: Comparison) -> Table:
    """Variation of each figure over seeds, and Welch's test."""

    def row(metric: Metric) -> Row:
        texts, numbers = [NAMES[metric]], list[Cell]([metric.value])
        for one in (comparison.a.spread[metric], comparison.b.spread[metric]):
            if isinstance(one, NotApplicable):
                texts.append(or_reason(one))
                numbers += [or_reason(one), None, None]
            else:
                texts.append(spread_text(metric, one.mean, one.sd))
                numbers += [one.mean, one.sd, one.k]
        moved = comparison.seeds[metric]
        if isinstance(moved, NotApplicable):
            return (*texts, or_reason(moved), ""), (*numbers, or_reason(moved), None, None, None)
        shown = (*texts, difference_text(metric, moved), p_cell(moved.p))
        return shown, (*numbers, moved.value, moved.low, moved.high, moved.p)

    of_side = [f"{side}_{part}" for side in ("a", "b") for part in ("mean", "sd", "runs")]
    k_a, k_b = len(comparison.a.run_ids), len(comparison.b.run_ids)
    return numbered(
        "seeds",
        f"Spread over seeds: {k_a} run{'s' * (k_a > 1)} of A, {k_b} of B; mean ± standard deviation",
        ("figure", "A", "B", "B \N{MINUS SIGN} A (95 % over seeds)", "p (Welch)"),
        ("figure", *of_side, "difference", "difference_low", "difference_high", "p"),
        map(row, Metric),
    )


def confusions(comparison: Comparison) -> Table:
    """Counts of each run."""
    thresholds = comparison.a.thresholds + comparison.b.thresholds
    rows = tuple(
        (letter, run_id, str(seed), score_text(threshold), *(f"{getattr(counts, name):,}" for name in _COUNTS))
        for (letter, run_id, seed, counts), threshold in zip(
            each_run(comparison, "confusions"), thresholds, strict=True
        )
    )
    columns = ("", "run", "seed", "threshold", *map(str.upper, _COUNTS))
    return Table("confusion", "Confusion matrices: counts of each run, PNEUMONIA is positive", columns, rows)


def classification(comparison: Comparison) -> Table:
    """The classification table of each run in the layout of the report of 2020."""
    columns = ("precision", "recall", "f1")
    return numbered(
        "classification",
        "Classification tables in the layout of the report of 2020 (section 3.5)",
        ("", "run", "row", "precision", "recall", "f1-score", "support"),
        ("side", "run", "row", *columns, "support"),
        (
            (
                (letter, run_id, row.name, *classification_cells(row)),
                (letter, run_id, row.name, *(plain(getattr(row, name)) for name in columns), row.support),
            )
            for letter, run_id, _, counts in each_run(comparison, "confusions")
            for row in classification_table(counts)
        ),
    )


def operating_points(comparison: Comparison, facts: Sequence[RunFacts]) -> Table:
    """Each run's threshold, how it was chosen, and its rates, with intervals and n where they were measured."""
    known = {run.run_id: run for run in facts}
    missing = NotApplicable("it was not measured on this split")

    def row(letter: str, run_id: str, threshold: float) -> Row:
        run = known.get(run_id)
        rule = _rule(run) if run else ""
        measured = run.on_split if run else None
        found = {metric: getattr(measured.rates, metric) if measured else missing for metric in OPERATING}
        texts = (estimate_text(metric, one, with_n=True) for metric, one in found.items())
        numbers = (cell for one in found.values() for cell in estimate_cells(one))
        return (letter, run_id, rule, score_text(threshold), *texts), (letter, run_id, rule, threshold, *numbers)

    share = percent(comparison.a.n_pneumonia / comparison.a.n)
    return numbered(
        "operating-points",
        f"Operating points and their rates on split {comparison.split.value}, with 95 % intervals",
        ("", "run", "rule", "threshold", *(NAMES[metric] for metric in OPERATING)),
        ("side", "run", "rule", "threshold", *estimate_columns(metric.value for metric in OPERATING)),
        (row(letter, run_id, threshold) for letter, run_id, _, threshold in each_run(comparison, "thresholds")),
        (f"PPV and NPV hold for this split's prevalence of PNEUMONIA ({share}), which is far above that of a clinic.",),
    )


def calibration(comparison: Comparison, facts: Sequence[RunFacts]) -> Table:
    """Calibration of each run's raw probabilities."""
    measured = {run.run_id: run.on_split for run in facts}

    def row(letter: str, run_id: str, part: Reliability | NotApplicable) -> Row:
        of = (letter, run_id)
        if isinstance(part, NotApplicable):
            return (*of, or_reason(part), *[""] * 4), (*of, or_reason(part), *[None] * 12)
        shown, bounds = [score_text(score) for score in (part.brier, part.log_loss, part.ece)], list[Cell]()
        run = measured.get(run_id)
        for place, one in enumerate((run.brier, run.log_loss) if run else ()):
            bounds += estimate_cells(one)[1:3]
            if isinstance(one, Estimate):
                shown[place] = score_text(one)
        lines = (part.slope, part.intercept)
        ends = (cell for line in lines for cell in estimate_cells(line)[:3])
        numbers = (part.brier, part.log_loss, part.ece, *(bounds or [None] * 4), *ends)
        return (*of, *shown, *(score_text(line, 2) for line in lines)), (*of, *numbers)

    scored = ("brier_low", "brier_high", "log_loss_low", "log_loss_high")
    ends = ("slope", "slope_low", "slope_high", "intercept", "intercept_low", "intercept_high")
    return numbered(
        "calibration",
        f"Calibration of the raw probabilities on split {comparison.split.value}",
        ("", "run", "Brier", "log loss", "ECE", "slope (95 %)", "intercept (95 %)"),
        ("side", "run", "brier", "log_loss", "ece", *scored, *ends),
        (row(letter, run_id, part) for letter, run_id, _, part in each_run(comparison, "reliability")),
        (
            (
                "Slope 1 is right; below 1 the probabilities are too extreme. Intercept: calibration-in-the-large, with the "
                "slope held at 1; below 0 the probabilities are too high on the whole."
            ),
        ),
    )


def probabilities(measured: Mapping[str, ProbabilityScores]) -> Table:
    """How good probabilities are, raw and calibrated; a column each, by its heading."""
    names = ("Brier score", "Log loss", "ECE, ten bins", "Slope", "Intercept, slope held at 1")
    columns = []
    for scores in measured.values():
        found = scores.reliability
        lines = (found,) * 3 if isinstance(found, NotApplicable) else (found.ece, found.slope, found.intercept)
        columns.append([score_text(one) for one in (scores.brier, scores.log_loss, *lines)])
    rows = tuple(zip(names, *columns, strict=True))
    caption = "Calibration of both runs, raw and calibrated, with 95 % intervals"
    return Table("probabilities", caption, ("", *measured), rows)


def validation_calibration(facts: Sequence[RunFacts]) -> Table:
    """Effect of the calibration fitted on validation, or on degraded copies of it, by cross-validation."""
    names = ("brier", "log_loss", "ece")

    def row(run: RunFacts) -> Row:
        found = run.calibration
        if isinstance(found, NotApplicable):
            return (run.run_id, or_reason(found), *[""] * 3), (run.run_id, or_reason(found), *[None] * 9)
        line = found.calibrator
        shown = (
            f"{score_text(getattr(found.before, name))}\N{NO-BREAK SPACE}→ {score_text(getattr(found.after, name))}"
            for name in names
        )
        kind = f"{line_text(line)}; {line.n:,} {line.split.value} images"
        both = [getattr(part, name) for name in names for part in (found.before, found.after)]
        return (run.run_id, kind, *shown), (run.run_id, line.kind.value, line.slope, line.intercept, line.n, *both)

    ends = [f"{name}_{when}" for name in names for when in ("before", "after")]
    return numbered(
        "validation-calibration",
        "Calibration fitted on held-out patients: before → after, each image by a fit without its patient",
        ("run", "calibration", "Brier", "log loss", "ECE"),
        ("run", "calibration", "slope", "intercept", "n", *ends),
        map(row, facts),
    )


def _rule(run: RunFacts) -> str:
    """How a run's threshold was chosen; an ensemble's config does not say it, since it is that of every ensemble."""
    return RULE.value if fact(run.config, "members") else facts_text(fact(run.config, "operating_rule"))
