"""A comparison's numbers as tables of a document."""

from collections.abc import Sequence

from pneumo_core.evaluation.calibration import Calibration
from pneumo_core.evaluation.comparison import Comparison, Side
from pneumo_core.evaluation.metrics import classification_table
from pneumo_core.evaluation.significance import DeLong, McNemar, SeedDifference, Spread
from pneumo_core.evaluation.wording import (
    NAMES,
    classification_cells,
    difference_text,
    estimate_text,
    or_reason,
    p_cell,
    percent,
    plain,
    score_text,
    signed,
    spread_text,
    value_text,
)
from pneumo_core.records import Estimate, Metric, NotApplicable
from pneumo_core.reporting.document import Cell, Data, Table, estimate_cells
from pneumo_core.reporting.facts import RunFacts, fact, facts_text

__all__ = [
    "agreement",
    "areas",
    "calibration",
    "classification",
    "confusions",
    "figures",
    "operating_points",
    "seeds",
    "sides",
    "validation_calibration",
]


def sides(comparison: Comparison) -> Table:
    """What A and B are."""

    def column(side: Side) -> tuple[str, ...]:
        return (
            side.name,
            ", ".join(side.run_ids),
            ", ".join(map(str, side.seeds)),
            f"{side.n:,}",
            f"{side.n_patients:,}",
            f"{side.n_pneumonia:,} ({percent(side.n_pneumonia / side.n)})",
            "yes: test images chose epochs, so the figures flatter" if side.selected_on_test else "no",
        )

    names = ("what", "runs", "seeds", "images", "patients", "PNEUMONIA", "selected on test")
    rows = tuple(zip(names, column(comparison.a), column(comparison.b), strict=True))
    return Table("sides", f"What is compared, on split {comparison.split.value}", ("", "A", "B"), rows)


def figures(comparison: Comparison) -> Table:
    """Each figure of A and B with its interval, the difference with its interval, and p."""
    rows: list[tuple[str, ...]] = []
    data: list[tuple[Cell, ...]] = []
    for metric in Metric:
        a, b = comparison.a.figures[metric], comparison.b.figures[metric]
        difference = comparison.differences[metric]
        moved = difference.estimate
        rows.append(
            (
                NAMES[metric],
                estimate_text(metric, a),
                estimate_text(metric, b),
                difference_text(metric, moved),
                p_cell(difference.p),
            )
        )
        data.append((metric.value, *estimate_cells(a), *estimate_cells(b), *estimate_cells(moved), plain(difference.p)))
    ends = [f"{name}{end}" for name in ("a", "b", "difference") for end in ("", "_low", "_high", "_n")]
    mean = "mean over runs, " if len(comparison.a.run_ids) > 1 or len(comparison.b.run_ids) > 1 else ""
    return Table(
        "figures",
        f"Figures on split {comparison.split.value}: {mean}95 % interval in brackets",
        ("figure", "A", "B", "B \N{MINUS SIGN} A", "p"),
        tuple(rows),
        notes=(
            (
                f"n = {comparison.a.n:,} images of {comparison.a.n_patients:,} patients (A), {comparison.b.n:,} of "
                f"{comparison.b.n_patients:,} (B). Differences of shares are in percentage points. Intervals and p are over "
                "patients; seeds stand apart below."
            ),
        ),
        data=Data(("figure", *ends, "p"), tuple(data)),
    )


def agreement(comparison: Comparison) -> Table:
    """McNemar's table of each pair of runs."""
    rows: list[tuple[str, ...]] = []
    data: list[tuple[Cell, ...]] = []
    for pair in comparison.pairs:
        calls = pair.mcnemar
        if isinstance(calls, McNemar):
            counts = (calls.both_right, calls.only_a, calls.only_b, calls.both_wrong)
            tests = (calls.p, calls.p_clustered, pair.mcnemar_holm)
            rows.append((pair.a, pair.b, *(f"{count:,}" for count in counts), *map(p_cell, tests)))
            data.append((pair.a, pair.b, *counts, *map(plain, tests)))
        else:
            rows.append((pair.a, pair.b, *[""] * 4, or_reason(calls), "", ""))
            data.append((pair.a, pair.b, *[None] * 4, or_reason(calls), None, None))
    counts_of = ("both right", "only A", "only B", "both wrong")
    return Table(
        "agreement",
        "Who was right, image by image (McNemar)",
        ("A", "B", *counts_of, "p", "p, clustered", "p, Holm"),
        tuple(rows),
        notes=(
            (
                "p is McNemar's exact test, images taken as independent; clustered allows for several images of a patient "
                "(Obuchowski); Holm adjusts p for the number of pairs."
            ),
        ),
        data=Data(
            ("a", "b", "both_right", "only_a", "only_b", "both_wrong", "p", "p_clustered", "p_holm"), tuple(data)
        ),
    )


def areas(comparison: Comparison) -> Table:
    """DeLong's comparison of each pair of runs."""
    rows: list[tuple[str, ...]] = []
    data: list[tuple[Cell, ...]] = []
    for pair in comparison.pairs:
        ranks = pair.delong
        if isinstance(ranks, DeLong):
            moved = ranks.difference
            tests = (ranks.p, ranks.p_clustered, pair.delong_holm)
            each = (value_text(Metric.AUROC, area) for area in (ranks.auroc_a, ranks.auroc_b))
            rows.append((pair.a, pair.b, *each, difference_text(Metric.AUROC, moved), *map(p_cell, tests)))
            numbers = (ranks.auroc_a.value, ranks.auroc_b.value, moved.value, moved.low, moved.high)
            data.append((pair.a, pair.b, *numbers, *map(plain, tests)))
        else:
            rows.append((pair.a, pair.b, "", "", "", or_reason(ranks), "", ""))
            data.append((pair.a, pair.b, *[None] * 5, or_reason(ranks), None, None))
    ends = ("auroc_a", "auroc_b", "difference", "difference_low", "difference_high")
    return Table(
        "auroc-pairs",
        "Area under the ROC curve, pair by pair (DeLong)",
        ("A", "B", "AUROC A", "AUROC B", "B \N{MINUS SIGN} A (95 %)", "p", "p, clustered", "p, Holm"),
        tuple(rows),
        data=Data(("a", "b", *ends, "p", "p_clustered", "p_holm"), tuple(data)),
    )


def seeds(comparison: Comparison) -> Table:
    """How each figure varies over seeds, and Welch's test."""
    rows: list[tuple[str, ...]] = []
    data: list[tuple[Cell, ...]] = []
    for metric in Metric:
        spreads = (comparison.a.spread[metric], comparison.b.spread[metric])
        moved = comparison.seeds[metric]
        each = tuple(
            or_reason(one) if isinstance(one, NotApplicable) else spread_text(metric, one.mean, one.sd)
            for one in spreads
        )
        numbers: list[Cell] = []
        for one in spreads:
            numbers += [one.mean, one.sd, one.k] if isinstance(one, Spread) else [or_reason(one), None, None]
        if isinstance(moved, SeedDifference):
            rows.append((NAMES[metric], *each, difference_text(metric, moved), p_cell(moved.p)))
            data.append((metric.value, *numbers, moved.value, moved.low, moved.high, moved.p))
        else:
            rows.append((NAMES[metric], *each, or_reason(moved), ""))
            data.append((metric.value, *numbers, or_reason(moved), None, None, None))
    of_side = [f"{side}_{part}" for side in ("a", "b") for part in ("mean", "sd", "runs")]
    k_a, k_b = len(comparison.a.run_ids), len(comparison.b.run_ids)
    return Table(
        "seeds",
        f"Spread over seeds: {k_a} run{'s' * (k_a > 1)} of A, {k_b} of B; mean ± standard deviation",
        ("figure", "A", "B", "B \N{MINUS SIGN} A (95 % over seeds)", "p (Welch)"),
        tuple(rows),
        data=Data(("figure", *of_side, "difference", "difference_low", "difference_high", "p"), tuple(data)),
    )


def confusions(comparison: Comparison) -> Table:
    """Counts of each run."""
    rows = tuple(
        (
            letter,
            run_id,
            str(seed),
            score_text(threshold),
            *(f"{getattr(counts, name):,}" for name in ("tn", "fp", "fn", "tp")),
        )
        for letter, side in _lettered(comparison)
        for run_id, seed, threshold, counts in zip(
            side.run_ids, side.seeds, side.thresholds, side.confusions, strict=True
        )
    )
    columns = ("", "run", "seed", "threshold", "TN", "FP", "FN", "TP")
    return Table("confusion", "Confusion matrices: counts of each run, PNEUMONIA is positive", columns, rows)


def classification(comparison: Comparison) -> Table:
    """The classification table of each run in the layout of the report of 2020."""
    found = [
        (letter, run_id, row)
        for letter, side in _lettered(comparison)
        for run_id, counts in zip(side.run_ids, side.confusions, strict=True)
        for row in classification_table(counts)
    ]
    columns = ("precision", "recall", "f1-score")
    return Table(
        "classification",
        "Classification tables in the layout of the report of 2020 (section 3.5)",
        ("", "run", "row", *columns, "support"),
        tuple((letter, run_id, row.name, *classification_cells(row)) for letter, run_id, row in found),
        data=Data(
            ("side", "run", "row", "precision", "recall", "f1", "support"),
            tuple(
                (letter, run_id, row.name, plain(row.precision), plain(row.recall), plain(row.f1), row.support)
                for letter, run_id, row in found
            ),
        ),
    )


def operating_points(comparison: Comparison, facts: Sequence[RunFacts]) -> Table:
    """Each run's threshold, how it was chosen, and its rates, with intervals and n where they were measured."""
    known = {run.run_id: run for run in facts}
    metrics = (Metric.SENSITIVITY, Metric.SPECIFICITY, Metric.PPV, Metric.NPV)
    share = percent(comparison.a.n_pneumonia / comparison.a.n)
    rows: list[tuple[str, ...]] = []
    data: list[tuple[Cell, ...]] = []
    for letter, side in _lettered(comparison):
        for run_id, threshold in zip(side.run_ids, side.thresholds, strict=True):
            run = known.get(run_id)
            rule = facts_text(fact(run.config, "operating_rule")) if run else ""
            measured = run.on_split if run else None
            missing = NotApplicable("it was not measured on this split")
            found = [getattr(measured.rates, metric) if measured else missing for metric in metrics]
            shown = (estimate_text(metric, one, with_n=True) for metric, one in zip(metrics, found, strict=True))
            rows.append((letter, run_id, rule, score_text(threshold), *shown))
            data.append((letter, run_id, rule, threshold, *(cell for one in found for cell in estimate_cells(one))))
    ends = [f"{metric.value}{end}" for metric in metrics for end in ("", "_low", "_high", "_n")]
    return Table(
        "operating-points",
        f"Operating points and their rates on split {comparison.split.value}, with 95 % intervals",
        ("", "run", "rule", "threshold", *(NAMES[metric] for metric in metrics)),
        tuple(rows),
        notes=(f"PPV and NPV hold for this split's share of PNEUMONIA ({share}), which is far above a clinic's.",),
        data=Data(("side", "run", "rule", "threshold", *ends), tuple(data)),
    )


def calibration(comparison: Comparison, facts: Sequence[RunFacts]) -> Table:
    """How far each run's raw probabilities agree with what is observed."""
    measured = {run.run_id: run.on_split for run in facts}
    rows: list[tuple[str, ...]] = []
    data: list[tuple[Cell, ...]] = []
    for letter, side in _lettered(comparison):
        for run_id, part in zip(side.run_ids, side.reliability, strict=True):
            if isinstance(part, NotApplicable):
                rows.append((letter, run_id, or_reason(part), *[""] * 4))
                data.append((letter, run_id, or_reason(part), *[None] * 12))
                continue
            scores = (part.brier, part.log_loss, part.ece)
            lines = (part.slope, part.intercept)
            shown, numbers = [score_text(score) for score in scores], list[Cell]()
            if run := measured.get(run_id):
                shown[:2] = (
                    estimate_text(Metric.BRIER, run.brier) if isinstance(run.brier, Estimate) else shown[0],
                    estimate_text(Metric.LOG_LOSS, run.log_loss) if isinstance(run.log_loss, Estimate) else shown[1],
                )
                numbers = [*estimate_cells(run.brier)[1:3], *estimate_cells(run.log_loss)[1:3]]
            rows.append((letter, run_id, *shown, *(score_text(line, 2) for line in lines)))
            bounds = numbers or [None] * 4
            data.append(
                (letter, run_id, *scores, *bounds, *estimate_cells(part.slope)[:3], *estimate_cells(part.intercept)[:3])
            )
    scored = ("brier_low", "brier_high", "log_loss_low", "log_loss_high")
    ends = ("slope", "slope_low", "slope_high", "intercept", "intercept_low", "intercept_high")
    return Table(
        "calibration",
        f"Calibration of the raw probabilities on split {comparison.split.value}",
        ("", "run", "Brier", "log loss", "ECE", "slope (95 %)", "intercept (95 %)"),
        tuple(rows),
        notes=(
            (
                "Slope 1 is right; below 1 the probabilities are too extreme. Intercept: calibration-in-the-large, with the "
                "slope held at 1; below 0 the probabilities are too high on the whole."
            ),
        ),
        data=Data(("side", "run", "brier", "log_loss", "ece", *scored, *ends), tuple(data)),
    )


def validation_calibration(facts: Sequence[RunFacts]) -> Table:
    """What a calibration fitted on validation changes there, by cross-validation."""
    rows: list[tuple[str, ...]] = []
    data: list[tuple[Cell, ...]] = []
    for run in facts:
        found = run.calibration
        if not isinstance(found, Calibration):
            rows.append((run.run_id, or_reason(found), *[""] * 3))
            data.append((run.run_id, or_reason(found), *[None] * 9))
            continue
        line, names = found.calibrator, ("brier", "log_loss", "ece")
        shown = (
            f"{score_text(getattr(found.before, name))}\N{NO-BREAK SPACE}→ {score_text(getattr(found.after, name))}"
            for name in names
        )
        kind = signed(f"{line.kind.value}: slope {line.slope:.3f}, intercept {line.intercept:+.3f}; {line.n:,} images")
        rows.append((run.run_id, kind, *shown))
        both = [getattr(part, name) for name in names for part in (found.before, found.after)]
        data.append((run.run_id, line.kind.value, line.slope, line.intercept, line.n, *both))
    ends = [f"{name}_{when}" for name in ("brier", "log_loss", "ece") for when in ("before", "after")]
    return Table(
        "validation-calibration",
        "Calibration fitted on validation: before → after, each image by a fit without its patient",
        ("run", "calibration", "Brier", "log loss", "ECE"),
        tuple(rows),
        data=Data(("run", "calibration", "slope", "intercept", "n", *ends), tuple(data)),
    )


def _lettered(comparison: Comparison) -> tuple[tuple[str, Side], tuple[str, Side]]:
    return ("A", comparison.a), ("B", comparison.b)
