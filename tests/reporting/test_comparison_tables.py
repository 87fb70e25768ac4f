"""Every cell of a comparison's tables, recomputed from numbers of which no two are alike."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from pneumo_core.evaluation.calibration import Calibration
from pneumo_core.evaluation.comparison import Comparison, Difference, Pair, Side
from pneumo_core.evaluation.metrics import Confusion
from pneumo_core.evaluation.reliability import ProbabilityScores, Reliability, reliability
from pneumo_core.evaluation.significance import DeLong, McNemar, SeedDifference, Spread
from pneumo_core.evaluation.verdict import figure_p
from pneumo_core.evaluation.wording import line_text
from pneumo_core.records import Estimate, Metric, NotApplicable
from pneumo_core.reporting import comparison_tables
from pneumo_core.reporting.comparison_tables import probabilities
from pneumo_core.reporting.facts import RunFacts
from pneumo_core.reporting.study_document import Compared, study_document

SCORES = {"auroc", "auprc", "brier", "log_loss"}
MISSING = NotApplicable("no reason")


def counting(start: int) -> Callable[[], float]:
    """Numbers in (0, 1) with three decimals, each once."""
    numbers = count(start)
    return lambda: next(numbers) / 1000


def signed(value: float, digits: int) -> str:
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def shown(metric: Metric, found: Estimate) -> str:
    if metric.value in SCORES:
        return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"
    return f"{100 * found.value:.1f} % ({100 * found.low:.1f} to {100 * found.high:.1f})"


def moved(metric: Metric, found: Estimate | SeedDifference) -> str:
    scale, digits = (1, 3) if metric.value in SCORES else (100, 1)
    value, low, high = (signed(scale * number, digits) for number in (found.value, found.low, found.high))
    return f"{value} ({low} to {high})"


def p(value: float) -> str:
    return (f"{value:.3f}" if value < 0.1 else f"{value:.2f}")[1:]


def cells(found: Estimate) -> tuple[float, float, float, int]:
    return found.value, found.low, found.high, found.n


def estimate(number: Callable[[], float]) -> Estimate:
    return Estimate(number(), number(), number(), int(1000 * number()))


def side(number: Callable[[], float], like: Side, letter: str) -> Side:
    ids = tuple(f"{letter}-{seed}" for seed in range(2))
    whole = [int(1000 * number()) for _ in range(8)]
    reliability = next(part for part in like.reliability if isinstance(part, Reliability))
    return replace(
        like,
        name=f"side {letter}",
        run_ids=ids,
        seeds=(int(1000 * number()), int(1000 * number())),
        thresholds=(number(), number()),
        selected_on_test=letter == "B",
        n=int(1000 * number()) + 1000,
        n_patients=int(1000 * number()),
        n_pneumonia=int(1000 * number()),
        figures={metric: estimate(number) for metric in Metric},
        spread={metric: Spread(number(), number(), number(), number(), 2) for metric in Metric},
        confusions=(Confusion(*whole[:4]), Confusion(*whole[4:])),
        reliability=tuple(
            replace(
                reliability,
                brier=number(),
                log_loss=number(),
                ece=number(),
                slope=estimate(number),
                intercept=replace(estimate(number), value=-number()),
            )
            for _ in ids
        ),
    )


@pytest.fixture(scope="module")
def compared(three_runs: Compared) -> Comparison:
    number = counting(101)
    a, b = (
        side(number, like, letter) for letter, like in (("A", three_runs.comparison.a), ("B", three_runs.comparison.b))
    )

    def pair(place: int) -> Pair:
        whole = [int(1000 * number()) for _ in range(4)]
        ranks = DeLong(estimate(number), estimate(number), estimate(number), number(), number())
        calls = McNemar(*whole, number(), number())
        return Pair(a.run_ids[place], b.run_ids[place], calls, ranks, number(), number())

    return replace(
        three_runs.comparison,
        a=a,
        b=b,
        differences={metric: Difference(estimate(number), number()) for metric in Metric},
        seeds={metric: SeedDifference(number(), -number(), number(), number(), 2, 2) for metric in Metric},
        pairs=(pair(0), pair(1)),
    )


def test_sides(compared: Comparison) -> None:
    rows = comparison_tables.sides(compared).rows
    for place, one in enumerate((compared.a, compared.b), start=1):
        share = f"{100 * one.n_pneumonia / one.n:.1f} %"
        assert [row[place] for row in rows] == [
            one.name,
            ", ".join(one.run_ids),
            f"{one.seeds[0]}, {one.seeds[1]}",
            f"{one.n:,}",
            f"{one.n_patients}",
            f"{one.n_pneumonia} ({share})",
            "yes, so the figures are optimistic" if place == 2 else "no",
        ]


def test_figures(compared: Comparison) -> None:
    table = comparison_tables.figures(compared)
    assert table.data is not None
    assert [row[0] for row in table.data.rows] == [metric.value for metric in Metric]
    for metric, row, data in zip(Metric, table.rows, table.data.rows, strict=True):
        a, b, found = compared.a.figures[metric], compared.b.figures[metric], compared.differences[metric]
        assert isinstance(a, Estimate)
        assert isinstance(b, Estimate)
        assert isinstance(found.estimate, Estimate)
        one_p = figure_p(compared, metric)
        assert isinstance(one_p, float)
        assert row[1:] == (shown(metric, a), shown(metric, b), moved(metric, found.estimate), p(one_p))
        assert data[1:] == (*cells(a), *cells(b), *cells(found.estimate), one_p)


def test_agreement_and_areas(compared: Comparison) -> None:
    agreement, areas = comparison_tables.agreement(compared), comparison_tables.areas(compared)
    assert agreement.columns[2:6] == ("both right", "only A", "only B", "both wrong")
    assert agreement.data is not None
    assert areas.data is not None
    for place, pair in enumerate(compared.pairs):
        calls, ranks = pair.mcnemar, pair.delong
        assert isinstance(calls, McNemar)
        assert isinstance(ranks, DeLong)
        assert isinstance(calls.p_clustered, float)
        assert isinstance(ranks.p_clustered, float)
        assert isinstance(pair.mcnemar_holm, float)
        assert isinstance(pair.delong_holm, float)
        counts = (calls.both_right, calls.only_a, calls.only_b, calls.both_wrong)
        tests = (calls.p, calls.p_clustered, pair.mcnemar_holm)
        assert agreement.rows[place] == (pair.a, pair.b, *map(str, counts), *map(p, tests))
        assert agreement.data.rows[place] == (pair.a, pair.b, *counts, *tests)
        tests = (ranks.p, ranks.p_clustered, pair.delong_holm)
        each = (f"{ranks.auroc_a.value:.3f}", f"{ranks.auroc_b.value:.3f}", moved(Metric.AUROC, ranks.difference))
        assert areas.rows[place] == (pair.a, pair.b, *each, *map(p, tests))
        numbers = (ranks.auroc_a.value, ranks.auroc_b.value, *cells(ranks.difference)[:3])
        assert areas.data.rows[place] == (pair.a, pair.b, *numbers, *tests)


def test_pairs_without_tests_say_why(compared: Comparison) -> None:
    none = replace(compared, pairs=(Pair("a", "b", MISSING, MISSING, MISSING, MISSING),))
    for table in (comparison_tables.agreement(none), comparison_tables.areas(none)):
        assert "n/a: no reason" in table.rows[0]


def test_seeds(compared: Comparison) -> None:
    table = comparison_tables.seeds(compared)
    assert table.data is not None
    for metric, row, data in zip(Metric, table.rows, table.data.rows, strict=True):
        a, b, found = compared.a.spread[metric], compared.b.spread[metric], compared.seeds[metric]
        assert isinstance(a, Spread)
        assert isinstance(b, Spread)
        assert isinstance(found, SeedDifference)
        scale, digits, unit = (1, 3, "") if metric.value in SCORES else (100, 1, " %")
        each = (f"{scale * one.mean:.{digits}f} ± {scale * one.sd:.{digits}f}{unit}" for one in (a, b))
        assert row[1:] == (*each, moved(metric, found), p(found.p))
        assert data[1:] == (a.mean, a.sd, 2, b.mean, b.sd, 2, found.value, found.low, found.high, found.p)


def test_confusions_and_classification(compared: Comparison) -> None:
    counted, table = comparison_tables.confusions(compared), comparison_tables.classification(compared)
    assert counted.columns == ("", "run", "seed", "threshold", "TN", "FP", "FN", "TP")
    assert table.data is not None
    places = [(letter, one, place) for letter, one in (("A", compared.a), ("B", compared.b)) for place in range(2)]
    for at, (letter, one, place) in enumerate(places):
        counts = one.confusions[place]
        of_run = (str(one.seeds[place]), f"{one.thresholds[place]:.3f}")
        assert counted.rows[at] == (
            *(letter, one.run_ids[place], *of_run),
            *map(str, (counts.tn, counts.fp, counts.fn, counts.tp)),
        )
        normal, pneumonia, accuracy = table.data.rows[5 * at : 5 * at + 3]
        assert normal == (
            *(letter, one.run_ids[place], "NORMAL", counts.tn / (counts.tn + counts.fn)),
            counts.tn / (counts.tn + counts.fp),
            pytest.approx(2 * counts.tn / (2 * counts.tn + counts.fp + counts.fn)),
            counts.tn + counts.fp,
        )
        assert pneumonia[3:5] == (counts.tp / (counts.tp + counts.fp), counts.tp / (counts.tp + counts.fn))
        assert pneumonia[6] == counts.tp + counts.fn
        assert accuracy[5] == pytest.approx((counts.tp + counts.tn) / counts.n)
        assert table.rows[5 * at][3:6] == tuple(f"{value:.2f}" for value in normal[3:6])


def test_operating_points_and_calibration(compared: Comparison, three_runs: Compared) -> None:
    number = counting(11)
    rates = (Metric.SENSITIVITY, Metric.SPECIFICITY, Metric.PPV, Metric.NPV)
    facts: list[RunFacts] = []
    for like, run_id in zip(three_runs.facts_a * 2, (*compared.a.run_ids, *compared.b.run_ids), strict=False):
        assert like.on_split is not None
        measured = replace(like.on_split.rates, **{metric.value: estimate(number) for metric in rates})
        scores = {"brier": estimate(number), "log_loss": estimate(number)}
        facts.append(replace(like, run_id=run_id, on_split=replace(like.on_split, rates=measured, **scores)))
    points = comparison_tables.operating_points(compared, facts)
    table = comparison_tables.calibration(compared, facts)
    assert points.data is not None
    assert table.data is not None
    places = [(letter, one, place) for letter, one in (("A", compared.a), ("B", compared.b)) for place in range(2)]
    for at, (letter, one, place) in enumerate(places):
        run_id, measured = one.run_ids[place], facts[at].on_split
        assert measured is not None
        found = [getattr(measured.rates, metric) for metric in rates]
        threshold = one.thresholds[place]
        texts = (f"{shown(metric, rate)}, n = {rate.n}" for metric, rate in zip(rates, found, strict=True))
        assert points.rows[at] == (letter, run_id, "youden", f"{threshold:.3f}", *texts)
        numbers = (cell for rate in found for cell in cells(rate))
        assert points.data.rows[at] == (letter, run_id, "youden", threshold, *numbers)
        part = one.reliability[place]
        assert isinstance(part, Reliability)
        assert isinstance(part.slope, Estimate)
        assert isinstance(part.intercept, Estimate)
        assert isinstance(measured.brier, Estimate)
        assert isinstance(measured.log_loss, Estimate)
        fitted = [
            f"{line.value:.2f} ({line.low:.2f} to {line.high:.2f})".replace("-", "\N{MINUS SIGN}")
            for line in (part.slope, part.intercept)
        ]
        scored = (shown(Metric.BRIER, measured.brier), shown(Metric.LOG_LOSS, measured.log_loss), f"{part.ece:.3f}")
        assert table.rows[at] == (letter, run_id, *scored, *fitted)
        ends = (*cells(measured.brier)[1:3], *cells(measured.log_loss)[1:3])
        lines = (*cells(part.slope)[:3], *cells(part.intercept)[:3])
        assert table.data.rows[at] == (letter, run_id, part.brier, part.log_loss, part.ece, *ends, *lines)


def test_validation_calibration(one_run: Compared) -> None:
    (facts,) = one_run.facts_a
    found = facts.calibration
    assert isinstance(found, Calibration)
    before = replace(found.before, brier=0.111, log_loss=0.222, ece=0.333)
    after = replace(found.after, brier=0.444, log_loss=0.555, ece=0.666)
    line = replace(found.calibrator, slope=0.789, intercept=-0.123, n=1234)
    told = replace(
        facts,
        calibration=replace(found, calibrators=dict.fromkeys(found.calibrators, line), before=before, after=after),
    )
    table = comparison_tables.validation_calibration([told])
    assert table.data is not None
    kind = found.calibrator.kind.value
    assert line_text(line) in {
        "no calibration",
        "temperature 1.27",
        "Platt's slope 0.789 and intercept \N{MINUS SIGN}0.123",
    }
    arrow = "\N{NO-BREAK SPACE}→ "
    assert table.rows[0] == (
        facts.run_id,
        f"{line_text(line)}; 1,234 val images",
        f"{before.brier:.3f}{arrow}{after.brier:.3f}",
        f"{before.log_loss:.3f}{arrow}{after.log_loss:.3f}",
        f"{before.ece:.3f}{arrow}{after.ece:.3f}",
    )
    both = (before.brier, after.brier, before.log_loss, after.log_loss, before.ece, after.ece)
    assert table.data.rows[0] == (facts.run_id, kind, 0.789, -0.123, 1234, *both)


def test_summary_of_a_study(compared: Comparison, three_runs: Compared) -> None:
    document = study_document([replace(three_runs, comparison=compared)])
    (table,) = [block for block in document.blocks if getattr(block, "name", "") == "summary"]
    a, b, found = (
        compared.a.figures[Metric.ACCURACY],
        compared.b.figures[Metric.ACCURACY],
        compared.differences[Metric.ACCURACY].estimate,
    )
    over_seeds = compared.seeds[Metric.ACCURACY]
    assert isinstance(a, Estimate)
    assert isinstance(b, Estimate)
    assert isinstance(found, Estimate)
    assert isinstance(over_seeds, SeedDifference)
    texts = (shown(Metric.ACCURACY, a), shown(Metric.ACCURACY, b), moved(Metric.ACCURACY, found))
    tests = (p(over_seeds.p), p(over_seeds.p), "Welch over seeds")
    assert table.rows == (("side A", "side B", "2 / 2", *texts, *tests),)  # type: ignore[union-attr]


def test_scores_of_probabilities() -> None:
    y_true, patients = np.array([0, 1] * 20), np.arange(40)
    found = reliability(y_true, np.where(y_true, 1.0, -0.5) + np.sin(np.arange(40)), patients)
    assert not isinstance(found, NotApplicable)
    assert isinstance(found.slope, Estimate)
    assert isinstance(found.intercept, Estimate)
    one, other = Estimate(0.12, 0.11, 0.14, 120), Estimate(0.34, 0.33, 0.36, 340)
    table = probabilities({"A, raw, test": ProbabilityScores(found, one, other)})
    assert table.columns == ("", "A, raw, test")

    def text(found: Estimate) -> str:
        return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})".replace("-", "\N{MINUS SIGN}")

    assert dict(table.rows) == {
        "Brier score": text(one),
        "Log loss": text(other),
        "ECE, ten bins": f"{found.ece:.3f}",
        "Slope": text(found.slope),
        "Intercept, slope held at 1": text(found.intercept),
    }
