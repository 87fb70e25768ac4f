"""Compare as its readers meet it: nothing to compare, links of all kinds, figures that are the comparison's, every tab."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.ui.compare.curves import DIFFERENCES, RANKING, RELIABILITY, SEEDS, TRAINING
from pneumo_core.config.classifier import Balance, Preset
from pneumo_core.config.gan import gan_config
from pneumo_core.config.run import config_to_dict, run_id
from pneumo_core.evaluation.wording import STRESS_NOTE, estimate_text, p_text
from pneumo_core.inference.compared import compare_runs
from pneumo_core.inference.evidence import read_report
from pneumo_core.records import Estimate, Metric, NotApplicable, Split
from pneumo_core.reporting.evaluation_tables import rates_on_test
from pneumo_core.runs.files import write_json
from pneumo_core.runs.store import RunDirectory, run_directory, write_manifest
from tests import made_runs
from tests.hostile import assert_one_line
from tests.made_runs import DATA_ID, made_predictions, with_stress
from tests.pages.comparing import dated_by_content, pair_of_runs
from tests.pages.conftest import forget
from tests.pages.opening import opened, texts

pytestmark = pytest.mark.usefixtures("no_published", "kept_caches")

TABS = (
    "Figures",
    "Curves",
    "Images",
    "Operating point",
    "Calibration",
    "Slices",
    "Take away",
)
TABS_OF_ONE_PAIR = ("Curves", "Images", "Operating point", "Calibration", "Slices")
HEADLINE = {
    "Accuracy": Metric.ACCURACY,
    "Sensitivity": Metric.SENSITIVITY,
    "Specificity": Metric.SPECIFICITY,
    "AUROC": Metric.AUROC,
}


def made_run(predictions: pd.DataFrame, **options: Any) -> RunDirectory:
    return dated_by_content(made_runs.made_run(predictions, **options))


def two_runs() -> tuple[RunDirectory, RunDirectory]:
    """Original against balanced, on the same images."""
    return made_run(made_predictions()), made_run(made_predictions(skill=1.6), balance=Balance.OVERSAMPLE)


def sides(page: AppTest) -> tuple[list[str], list[str]]:
    assert not page.exception
    return tuple(list(page.selectbox(key=f"side_{name}").value) for name in "ab")


def address(page: AppTest) -> dict[str, str]:
    return {name: value if isinstance(value, str) else value[-1] for name, value in page.query_params.items()}


def cells(page: AppTest) -> str:
    """All that its tables say."""
    return "\n".join(str(cell) for frame in page.dataframe for cell in frame.value.to_numpy().ravel())


def choose(page: AppTest, side: str, run: RunDirectory) -> None:
    """Choose a single run for a side, by the end of its id."""
    box = page.selectbox(key=f"side_{side}")
    (place,) = [number for number, name in enumerate(box.options) if name.endswith(run.run_id[-6:])]
    box.select_index(place).run()


def test_each_run_s_own_figures_stand_there_until_the_comparison_does(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = two_runs()
    with monkeypatch.context() as patch:
        patch.setattr("pages.ui.cached.comparison_of", lambda *_: st.stop())
        page = opened("compare", a=a.run_id, b=b.run_id)
    assert not page.exception
    table = page.table[0].value
    assert table.index.tolist() == [f"A: {a.run_id}", f"B: {b.run_id}"]
    for run, row in zip((a, b), table.to_numpy(), strict=True):
        figures = read_report(run).splits[Split.TEST].figures
        assert row.tolist() == [estimate_text(metric, figures[metric]) for metric in HEADLINE.values()]
    assert "comparison follows" in page.main.caption[-1].value
    page = opened("compare", a=a.run_id, b=b.run_id)
    assert "comparison follows" not in "".join(caption.value for caption in page.caption)


def numbers(text: str) -> list[float]:
    return [float(found) for found in re.findall(r"[-+]?\d+(?:\.\d+)?", text.replace("\N{MINUS SIGN}", "-"))]


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_runs_are_told_what_to_do(count: int) -> None:
    for _ in range(count):
        made_run(made_predictions())
    page = opened("compare")
    assert not page.metric
    assert "needs two finished runs" in texts(page)
    assert [link.proto.page for link in page.get("page_link")] == ["train"]


def test_every_number_of_the_headline_is_the_comparison_s() -> None:
    a, b = two_runs()
    page = opened("compare", a=a.run_id, b=b.run_id)
    assert sides(page) == ([a.run_id], [b.run_id])
    expected = compare_runs([a.run_id], [b.run_id])
    assert expected.verdict.sentence in texts(page)
    for note in expected.verdict.notes:
        assert note in texts(page)
    assert len(page.metric) == len(HEADLINE)
    below = [caption.value for caption in page.caption if re.search(r"^A .*\n", caption.value, re.MULTILINE)]
    for shown, words in zip(page.metric, below, strict=True):
        metric = HEADLINE[shown.label.split(",")[0]]
        scale, digits = (1, 3) if metric is Metric.AUROC else (100, 1)
        difference = expected.differences[metric].estimate
        assert isinstance(difference, Estimate)
        assert numbers(shown.value) == [round(scale * difference.value, digits)]
        shown_or_not, interval, of_a, of_b, place = words.split("\n")
        (finding,) = [one for one in expected.verdict.findings if one.metric is metric]
        assert (
            shown_or_not.strip()
            == f"**{'Difference' if finding.claimed else 'No difference'} shown**, {p_text(finding.p)} ({finding.test})"
        )
        assert numbers(interval)[:2] == [round(scale * end, digits) for end in (difference.low, difference.high)]
        for line, side in ((of_a, expected.a), (of_b, expected.b)):
            found = side.figures[metric]
            assert numbers(line) == [round(scale * value, digits) for value in (found.value, found.low, found.high)]
        assert place == f"test, n = {difference.n}"


def test_what_else_differs_stands_above_the_verdict() -> None:
    a, b = made_run(made_predictions()), made_run(made_predictions(skill=1.6), balance=Balance.OVERSAMPLE, epochs=2)
    page = opened("compare", a=a.run_id, b=b.run_id)
    warning, sentence = compare_runs([a.run_id], [b.run_id]).contrast.warning, page.info[0].value
    alerts = [node.value for node in page.main if node.type in {"warning", "info"}]
    assert [text.replace("\\", "") for text in alerts[:2]] == [warning, sentence.replace("\\", "")]
    assert "epochs (A 20, B 2)" in warning
    names = page.selectbox(key="side_b").options
    assert f"Baseline CNN · sound · oversampled · 2 epochs · seed 0 · {b.run_id[-6:]}" in names
    alike = opened("compare", a=a.run_id, b=two_runs()[1].run_id)
    assert not alike.warning


def test_groups_over_seeds_are_chosen_by_default_original_against_balanced() -> None:
    none = [made_run(made_predictions(seed=seed), seed=seed).run_id for seed in range(2)]
    more = [
        made_run(made_predictions(seed=seed, skill=1.6), seed=seed, balance=Balance.OVERSAMPLE).run_id
        for seed in range(2)
    ]
    made_run(made_predictions(), epochs=3)
    page = opened("compare")
    assert sides(page) == (none, more)
    assert address(page) == {"a": ",".join(none), "b": ",".join(more), "split": "test"}
    assert compare_runs(none, more).verdict.sentence in texts(page)
    page = opened("compare", a=more[1], b=",".join(reversed(none)), show="Images")
    assert sides(page) == ([more[1]], none)


def test_a_part_of_a_group_can_be_linked() -> None:
    runs = [made_run(made_predictions(seed=seed), seed=seed).run_id for seed in range(3)]
    other = made_run(made_predictions(skill=1.6), balance=Balance.OVERSAMPLE).run_id
    page = opened("compare", a=f"{runs[0]},{runs[2]}", b=other)
    assert sides(page) == ([runs[0], runs[2]], [other])
    assert compare_runs([runs[0], runs[2]], [other]).verdict.sentence in texts(page)


def refused(page: AppTest, *words: str) -> None:
    """One line, and nothing compared."""
    assert not page.exception
    (warning,) = page.warning
    text = warning.value.replace("\\", "")
    assert "\n" not in text
    assert all(part in text for part in words)
    assert not page.metric
    assert not page.selectbox


@pytest.mark.parametrize("asked", ["baseline-ffffffffffff", "../../etc", "<b>x</b>", "a,b,c", "x" * 3000])
def test_a_link_that_names_no_run_is_told_and_left_as_it_is(asked: str) -> None:
    a, b = two_runs()
    page = opened("compare", a=asked, b=b.run_id)
    refused(page, "There is no finished classifier", repr(asked.partition(",")[0][:60]), "there are 2 runs to compare")
    assert address(page) == {"a": asked, "b": b.run_id}
    page.button(key="instead of finished classifier").click().run()
    assert sides(page) == ([a.run_id], [b.run_id])
    assert not page.error
    assert address(page) == {"a": a.run_id, "b": b.run_id, "split": "test"}


def test_a_link_without_any_id_is_told() -> None:
    two_runs()
    refused(opened("compare", b=",,"), "There is no finished classifier", "',,'")


def test_a_link_of_a_dcgan_is_told() -> None:
    a, b = two_runs()
    config = gan_config(Preset.QUICK)
    gan = run_directory(run_id(config, DATA_ID))
    write_json(gan.config, {"config": config_to_dict(config), "data": {"data_id": DATA_ID}})
    write_manifest(gan, {})
    page = opened("compare", a=gan.run_id, b=b.run_id)
    refused(page, gan.run_id)
    page.button(key="instead of finished classifier").click().run()
    assert sides(page) == ([a.run_id], [b.run_id])
    assert not any("dcgan" in name for name in page.selectbox(key="side_a").options)


def assert_told_of_itself(page: AppTest, run_id: str) -> None:
    (warning,) = page.warning
    text = warning.value.replace("\\", "")
    assert text.startswith(f"There is no comparison with itself for the run {run_id!r}.")
    assert "choose another one for A or B" in text
    assert not page.metric
    assert not page.exception


def test_a_link_of_one_run_twice_is_told_and_the_button_compares_it_with_the_nearest() -> None:
    a, b = two_runs()
    page = opened("compare", a=a.run_id, b=a.run_id)
    assert sides(page) == ([a.run_id], [a.run_id])
    assert_told_of_itself(page, a.run_id)
    page.button(key="instead of comparison with itself for the run").click().run()
    assert sides(page) == ([a.run_id], [b.run_id])
    assert page.metric


def test_a_run_never_stands_beside_itself_whatever_is_chosen() -> None:
    a, b = two_runs()
    page = opened("compare")
    choose(page, "b", a)
    assert_told_of_itself(page, a.run_id)
    choose(page, "b", b)
    assert sides(page) == ([a.run_id], [b.run_id])
    assert page.metric


def test_the_side_that_a_link_does_not_name_differs_from_the_other_in_the_arm_alone() -> None:
    a, arm = two_runs()
    made_run(made_predictions(skill=1.5), balance=Balance.OVERSAMPLE, epochs=3, seed=5)
    other = made_run(made_predictions(skill=1.4), epochs=3)
    assert sides(opened("compare", a=a.run_id)) == ([a.run_id], [arm.run_id])
    assert sides(opened("compare", a=arm.run_id)) == ([arm.run_id], [a.run_id])
    assert sides(opened("compare", b=arm.run_id)) == ([a.run_id], [arm.run_id])
    assert sides(opened("compare", a=other.run_id)) == ([other.run_id], [a.run_id])


def test_a_group_beside_one_of_its_own_runs_is_refused_and_mended() -> None:
    group = [made_run(made_predictions(seed=seed), seed=seed) for seed in range(2)]
    other = made_run(made_predictions(skill=1.6), balance=Balance.OVERSAMPLE)
    page = opened("compare", a=",".join(run.run_id for run in group), b=group[1].run_id)
    assert not page.metric
    assert_told_of_itself(page, group[1].run_id)
    choose(page, "b", other)
    assert sides(page) == ([run.run_id for run in group], [other.run_id])
    assert page.metric


def test_swap_turns_every_difference_around() -> None:
    a, b = two_runs()
    page = opened("compare")
    before = [numbers(shown.value)[0] for shown in page.metric]
    page.button(key="swap").click().run()
    assert sides(page) == ([b.run_id], [a.run_id])
    assert address(page) == {"a": b.run_id, "b": a.run_id, "split": "test"}
    assert [numbers(shown.value)[0] for shown in page.metric] == [-value for value in before]


def test_val_is_offered_where_both_have_it() -> None:
    a, b = two_runs()
    page = opened("compare", split="val")
    assert list(page.radio(key="in_split").options) == ["test", "val"]
    assert compare_runs([a.run_id], [b.run_id], split=Split.VAL).verdict.sentence in texts(page)
    assert "figures are optimistic" in texts(page)
    for letter, run in (("A", a), ("B", b)):
        assert f"- {letter}, {run.run_id}, {rates_on_test(read_report(run))}" in texts(page)
    report = made_run(made_predictions(splits=("test",)), preset=Preset.REPORT)
    page = opened("compare", a=a.run_id, b=report.run_id, split="val")
    assert "There is no split 'val'. There are figures on test." in texts(page)
    page.button(key="instead of split").click().run()
    assert list(page.radio(key="in_split").options) == ["test"]
    everything = texts(page)
    assert compare_runs([a.run_id], [report.run_id]).verdict.sentence in everything
    assert "test (epoch chosen on it), n = 90" in everything


def test_the_split_of_evaluate_is_not_that_of_a_comparison() -> None:
    a, _ = two_runs()
    page = opened("evaluate", run=a.run_id, split="val")
    assert page.radio(key="split_shown").value == Split.VAL
    page.query_params.clear()
    page.switch_page("pages/compare.py").run()
    assert page.radio(key="in_split").value == Split.TEST


@pytest.mark.parametrize("split", ["train", "nonsense", "<b>"])
def test_an_unknown_split_is_answered_with_what_is_there(split: str) -> None:
    a, b = two_runs()
    page = opened("compare", split=split)
    assert f"There is no split {split!r}" in texts(page)
    assert not page.metric
    page.button(key="instead of split").click().run()
    assert compare_runs([a.run_id], [b.run_id]).verdict.sentence in texts(page)


@pytest.mark.parametrize("tab", ["Figures", "Images"])
def test_different_test_sets_are_not_paired_and_it_is_said_why(tab: str) -> None:
    a, b = made_run(made_predictions()), made_run(made_predictions(n=60, skill=1.6), preset=Preset.QUICK)
    page = opened("compare", a=a.run_id, b=b.run_id, show=tab)
    everything = texts(page)
    assert "on test images that are not paired (90 of A, 60 of B)" in everything
    assert "McNemar's test does not apply" in everything
    assert re.search(r"(n/a|Not applicable): [^\n]*90 of A, 60 of B, 60 of them in both", everything + cells(page))


def test_a_corrupt_file_names_its_run_and_another_can_be_chosen() -> None:
    a, b = two_runs()
    other = made_run(made_predictions(skill=1.4), seed=5)
    b.predictions.write_bytes(b.predictions.read_bytes()[:-20])
    forget()
    page = opened("compare", a=a.run_id, b=b.run_id)
    (error,) = page.error
    assert_one_line(error.value.replace("\\", ""), b.run_id, "predictions.parquet")
    assert not page.metric
    choose(page, "b", other)
    assert sides(page) == ([a.run_id], [other.run_id])
    assert not page.error
    assert page.metric


def one_class(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["label"] == 1].reset_index(drop=True)


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_of_one_class_opens_and_gives_a_reason(tab: str) -> None:
    a, b = (
        made_run(one_class(made_predictions(skill=skill, splits=["test"])), preset=Preset.REPORT, seed=seed)
        for seed, skill in enumerate((1.2, 1.6))
    )
    page = opened("compare", a=a.run_id, b=b.run_id, show=tab)
    assert {shown.label.split(",")[0]: shown.value for shown in page.metric if shown.value == "n/a"}.keys() == {
        "Specificity",
        "AUROC",
    }
    expected = compare_runs([a.run_id], [b.run_id]).a.figures[Metric.SPECIFICITY]
    assert isinstance(expected, NotApplicable)
    assert tab != "Figures" or f"n/a: {expected.reason}" in cells(page)


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_opens_without_models_and_data_and_says_what_is_missing(tab: str) -> None:
    a, b = two_runs()
    page = opened("compare", a=a.run_id, b=b.run_id, show=tab)
    everything = texts(page)
    assert len(page.metric) >= len(HEADLINE)
    missing = {"Images": "are not on this machine", "Slices": "Connect the data set"}
    assert missing.get(tab, "") in everything
    if tab in missing:
        assert "dataset" in [link.proto.page for link in page.get("page_link")]


@pytest.mark.parametrize("tab", ["Figures", *TABS_OF_ONE_PAIR])
def test_tabs_of_groups_let_a_pair_be_chosen(tab: str) -> None:
    none = [made_run(made_predictions(seed=seed), seed=seed).run_id for seed in range(2)]
    more = [
        made_run(made_predictions(seed=seed, skill=1.6), seed=seed, balance=Balance.OVERSAMPLE).run_id
        for seed in range(2)
    ]
    page = opened("compare", a=",".join(none), b=",".join(more), show=tab, curve="Training")
    assert sides(page) == (none, more)
    offered = [list(control.options) for control in page.radio if control.label == "Runs"]
    assert offered == ([["seed 0", "seed 1"]] if tab in TABS_OF_ONE_PAIR else [])


@pytest.mark.parametrize("count", [1, 2])
def test_curves_are_shown_one_kind_at_a_time_each_by_its_address(count: int) -> None:
    a = [made_run(made_predictions(seed=seed), seed=seed).run_id for seed in range(count)]
    b = [made_run(made_predictions(seed=seed), seed=seed, balance=Balance.OVERSAMPLE).run_id for seed in range(count)]
    kinds = {
        RANKING: ["ROC curves", "Precision-recall curves"],
        DIFFERENCES: ["Differences, B \N{MINUS SIGN} A"],
        SEEDS: ["Runs by seed"],
        RELIABILITY: ["Calibration"],
        TRAINING: ["Loss and accuracy"],
    }
    if count == 1:
        del kinds[SEEDS]
    for kind, titles in kinds.items():
        page = opened("compare", a=",".join(a), b=",".join(b), show="Curves", curve=kind)
        (control,) = [control for control in page.radio if control.key == "curve"]
        assert (list(control.options), control.value) == (list(kinds), kind)
        assert [text.value.split("**")[1] for text in page.markdown if "** · " in text.value] == titles
    assert f"**Loss and accuracy** · A seed {0}, B seed {0}" in texts(page)


def test_counts_of_each_run_are_in_a_table_that_fits_a_phone() -> None:
    none = [made_run(made_predictions(seed=seed), seed=seed).run_id for seed in range(2)]
    more = [made_run(made_predictions(), balance=Balance.OVERSAMPLE).run_id]
    page = opened("compare", a=",".join(none), b=",".join(more))
    (counts,) = [table.value for table in page.table if "TP" in table.value]
    assert list(counts.columns) == ["threshold", "TN", "FP", "FN", "TP"]
    assert [name[0] for name in counts.index] == ["A"] * len(none) + ["B"] * len(more)
    assert all(re.fullmatch(r"[AB], seed \d+", name) for name in counts.index)


def test_runs_are_compared_on_stress_image_by_image(no_published: Path) -> None:
    images = with_stress(made_predictions())
    a, b = pair_of_runs(Preset.SOUND, ("val",), images.drop(columns="logit"))
    page = opened("compare", a=a, b=b, split="stress")
    assert not page.error
    everything = texts(page)
    assert STRESS_NOTE in everything.replace("\\", "")
    assert "stress, n = 180" in everything
    comparison = compare_runs((a,), (b,), split=Split.STRESS)
    assert (comparison.paired, comparison.n_both) == (True, 180)
    assert (comparison.a.n, comparison.a.n_patients) == (180, 45)
