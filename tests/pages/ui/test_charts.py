"""Charts say what the data say: their points are counted again, slowly or by scikit-learn, and their colors can be seen."""

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from pages.ui import charts
from pneumo_core.config.classifier import OperatingRule
from pneumo_core.evaluation.curves import probability_bins
from pneumo_core.evaluation.histogram import histogram
from pneumo_core.evaluation.metrics import Confusion
from pneumo_core.evaluation.report import SplitReport, evaluate
from pneumo_core.records import Label, NotApplicable, Split

ROOT = Path(__file__).resolve().parent.parent.parent.parent
THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]


def predictions(labels: list[int], logits: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image_id": [f"test/x/{number:03}.jpeg" for number in range(len(labels))],
            "patient_id": [f"p{number}" for number in range(len(labels))],
            "split": "test",
            "label": labels,
            "subtype": "none",
            "logit": logits,
        }
    )


def split_report(labels: list[int], logits: list[float]) -> SplitReport:
    report = evaluate(predictions(labels, logits), run_id="baseline-0", rule=OperatingRule.HALF, selected_on_test=False)
    return report.splits[Split.TEST]


@pytest.fixture(scope="module")
def sample() -> tuple[list[int], list[float], SplitReport]:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 60).tolist()
    # Rounded, so that some probabilities are equal.
    logits = (rng.normal(size=60) + np.array(labels)).round(1).tolist()
    return labels, logits, split_report(labels, logits)


def named(figure: go.Figure, name: str) -> go.Scatter:
    (trace,) = [trace for trace in figure.data if trace.name and trace.name.startswith(name)]
    return trace


def luminance(color: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "color", [*charts.COLORS.values(), charts.SYNTHETIC, charts.MODEL, charts.REFERENCE, charts.RIGHT, charts.WRONG]
)
def test_every_color_can_be_seen_in_both_themes(color: str, theme: str) -> None:
    assert contrast(color, THEME[theme]["backgroundColor"]) >= 3


def test_the_area_under_the_roc_trace_is_the_auroc(sample) -> None:
    labels, logits, part = sample
    trace = named(charts.roc(part), "model")
    assert np.trapezoid(trace.y, trace.x) == pytest.approx(roc_auc_score(labels, logits))


def test_the_area_under_the_steps_of_the_pr_trace_is_the_average_precision(sample) -> None:
    labels, logits, part = sample
    trace = named(charts.pr(part), "model")
    assert trace.line.shape == "vh", "each rise in recall is drawn at the precision it leads to"
    area = sum(height * (right - left) for left, right, height in zip(trace.x, trace.x[1:], trace.y[1:], strict=False))
    assert trace.x[0] == 0
    assert area == pytest.approx(average_precision_score(labels, logits))


def test_the_operating_point_and_its_bars_are_the_counted_rates_and_their_intervals(sample) -> None:
    labels, logits, part = sample
    pairs = list(zip(labels, logits, strict=True))
    sick = [logit for label, logit in pairs if label == 1]
    called = [label for label, logit in pairs if logit >= 0]
    sensitivity = sum(logit >= 0 for logit in sick) / len(sick)
    false_alarms = sum(label == 0 for label in called) / labels.count(0)
    roc, pr = named(charts.roc(part), "operating point"), named(charts.pr(part), "operating point")
    assert (roc.x[0], roc.y[0]) == (pytest.approx(false_alarms), pytest.approx(sensitivity))
    assert (pr.x[0], pr.y[0]) == (pytest.approx(sensitivity), pytest.approx(sum(called) / len(called)))
    assert roc.x[0] + roc.error_x.array[0] == pytest.approx(1 - part.specificity.low)
    assert roc.x[0] - roc.error_x.arrayminus[0] == pytest.approx(1 - part.specificity.high)
    assert pr.y[0] + pr.error_y.array[0] == pytest.approx(part.ppv.high)
    assert pr.y[0] - pr.error_y.arrayminus[0] == pytest.approx(part.ppv.low)


def test_chance_is_the_diagonal_and_the_prevalence(sample) -> None:
    labels, _, part = sample
    diagonal, level = named(charts.roc(part), "chance"), named(charts.pr(part), "chance")
    assert (diagonal.x, diagonal.y) == ((0, 1), (0, 1))
    assert level.y == (pytest.approx(sum(labels) / len(labels)),) * 2


@pytest.mark.parametrize("draw", [charts.roc, charts.pr])
def test_a_single_class_has_no_curve_but_a_reason(draw) -> None:
    figure = draw(split_report([0, 0, 0], [-1.0, 0.5, 1.0]))
    assert isinstance(figure, NotApplicable)
    assert "PNEUMONIA" in figure.reason


def test_an_operating_point_that_calls_nothing_is_left_out_of_the_pr_curve() -> None:
    figure = charts.pr(split_report([0, 1, 0, 1], [-3.0, -2.0, -1.0, -0.5]))
    assert [trace.name for trace in figure.data if trace.name.startswith("operating")] == []


def test_confusion_cells_hold_counts_and_shares_of_their_row() -> None:
    figure = charts.confusion(Confusion(tn=8, fp=2, fn=5, tp=15))
    cells = {(note.y, note.x): note.text for note in figure.layout.annotations}
    assert cells == {
        ("NORMAL", "predicted NORMAL"): "\N{CHECK MARK} recognized<br><b>8</b><br>80.0 % of 10",
        ("NORMAL", "predicted PNEUMONIA"): "\N{MULTIPLICATION X} false alarms<br><b>2</b><br>20.0 % of 10",
        ("PNEUMONIA", "predicted NORMAL"): "\N{MULTIPLICATION X} missed<br><b>5</b><br>25.0 % of 20",
        ("PNEUMONIA", "predicted PNEUMONIA"): "\N{CHECK MARK} found<br><b>15</b><br>75.0 % of 20",
    }
    (heatmap,) = figure.data
    by_cell = {(row, column): heatmap.z[i][j] for i, row in enumerate(heatmap.y) for j, column in enumerate(heatmap.x)}
    assert by_cell == {
        ("NORMAL", "predicted NORMAL"): pytest.approx(0.88),
        ("NORMAL", "predicted PNEUMONIA"): pytest.approx(-0.52),
        ("PNEUMONIA", "predicted NORMAL"): pytest.approx(-0.55),
        ("PNEUMONIA", "predicted PNEUMONIA"): pytest.approx(0.85),
    }
    assert (heatmap.colorscale[0][1], heatmap.colorscale[-1][1]) == (charts.WRONG, charts.RIGHT)
    assert not {charts.WRONG, charts.RIGHT} & {*charts.COLORS.values(), charts.SIDE_A, charts.SIDE_B, charts.SYNTHETIC}


def test_a_class_without_images_has_no_share() -> None:
    figure = charts.confusion(Confusion(tn=3, fp=1, fn=0, tp=0))
    texts = [note.text for note in figure.layout.annotations if note.y == "PNEUMONIA"]
    assert [text.partition("<br>")[2] for text in texts] == ["<b>0</b><br>no image"] * 2


@given(st.integers(0, 1000), st.sampled_from(list(Label)))
def test_text_on_a_cell_reads_at_any_share(of_thousand: int, label: Label) -> None:
    if label is Label.NORMAL:
        counts = Confusion(tn=of_thousand, fp=1000 - of_thousand, fn=1, tp=1)
    else:
        counts = Confusion(tn=1, fp=1, fn=of_thousand, tp=1000 - of_thousand)
    figure = charts.confusion(counts)
    (note,) = [n for n in figure.layout.annotations if n.y == label.name and n.x == "predicted NORMAL"]
    few, full = figure.data[0].colorscale[1][1], charts.RIGHT if label is Label.NORMAL else charts.WRONG
    share = abs(figure.data[0].z[list(figure.data[0].y).index(label.name)][0])
    assert share == pytest.approx(0.4 + 0.6 * of_thousand / 1000)
    mixed = [round((1 - share) * int(few[at : at + 2], 16) + share * int(full[at : at + 2], 16)) for at in (1, 3, 5)]
    # 4.5 is what WCAG 2.2 asks of text; the color is rounded to whole steps here.
    assert contrast("#" + "".join(f"{channel:02x}" for channel in mixed), note.font.color) >= 4.49


def events(*losses: float) -> list[dict[str, object]]:
    return [
        {
            "kind": "epoch",
            "epoch": epoch,
            "loss": 1.0,
            "val_loss": loss,
            "accuracy": 0.5,
            "val_accuracy": 0.6,
            "learning_rate": 1e-3,
            "duration_s": 2.0,
        }
        for epoch, loss in enumerate(losses)
    ]


def test_history_marks_the_kept_epoch_in_every_panel() -> None:
    figure = charts.history(events(0.9, 0.4, 0.7), selected_on_test=False)
    assert {shape.x0 for shape in figure.layout.shapes} == {2}
    assert len(figure.layout.shapes) == 3
    names = {trace.name for trace in figure.data}
    assert names == {"train", "validation", "best epoch 2"}
    val_loss = next(trace for trace in figure.data if trace.name == "validation")
    assert (list(val_loss.x), list(val_loss.y)) == ([1, 2, 3], [0.9, 0.4, 0.7])


def test_history_says_selected_on_test_where_it_was() -> None:
    chosen = charts.history(events(0.9, 0.4), selected_on_test=False, choose_on=Split.STRESS)
    assert "stress" in {trace.name for trace in chosen.data}
    names = {trace.name for trace in charts.history(events(0.9, 0.4), selected_on_test=True).data}
    assert names == {"train", "validation (the test images)", "best epoch 2, selected on test"}


def test_history_of_no_epoch_and_without_validation_is_drawn_without_a_mark() -> None:
    assert not charts.history([], selected_on_test=False).layout.shapes
    lone = [{"kind": "epoch", "epoch": 0, "loss": 1.0, "accuracy": 0.5}]
    assert not charts.history(lone, selected_on_test=False).layout.shapes


def test_the_threshold_runs_through_both_classes() -> None:
    bins = probability_bins([histogram(np.array([0, 1, 1]), np.array([0.1, 0.9, 1.0]))])
    figure = charts.probabilities(bins, 0.3871)
    assert [shape.x0 for shape in figure.layout.shapes] == [0.3871] * 2
    assert {trace.name for trace in figure.data} == {"NORMAL (n = 1)", "PNEUMONIA (n = 2)", "threshold 0.387"}
    colors = {trace.name.split()[0]: trace.marker.color for trace in figure.data if trace.type == "bar"}
    assert colors == {label.name: charts.COLORS[label] for label in Label}
