"""Overview: the study's findings from the published evidence, runs by group, and its states without them."""

import re
from pathlib import Path

import pandas as pd
from streamlit.testing.v1 import AppTest

from pneumo_core.config.classifier import Preset
from pneumo_core.config.presets import preset_config
from pneumo_core.evaluation.report import report_from_dict
from pneumo_core.evaluation.wording import percent, unbroken
from pneumo_core.inference.findings import findings
from pneumo_core.records import Architecture, NotApplicable, RunState, Split
from pneumo_core.reporting.story import cards
from pneumo_core.runs.files import read_json
from pneumo_core.runs.recommended import recommended
from pneumo_core.runs.store import find_run, run_directory
from tests.pages.opening import opened
from tests.pages.ui.finished_runs import finish


def plain(text: str) -> str:
    return text.replace("\\", "")


def tables(page: AppTest) -> list[pd.DataFrame]:
    """The tables of runs, a network each."""
    found = [table.value for table in page.table]
    return [table.map(plain) for table in found if "accuracy on test" in table]


def test_with_nothing_connected_it_tells_the_three_findings() -> None:
    page = opened("overview")
    assert not page.error
    said = cards(findings(), recommended().classifier)
    assert [heading.value for heading in page.header][:3] == [unbroken(card.title) for card in said]
    assert [metric.value for metric in page.metric][:3] == [unbroken(card.value) for card in said]
    captions = plain("\n".join(caption.value for caption in page.caption if caption.value.startswith("95")))
    for card in said:
        assert unbroken(f"95 % interval {card.interval}; {card.words}") in captions
        assert " %" not in captions, "a percent sign could stand alone at the head of a line"
    assert len(page.get("plotly_chart")) == 4
    assert any("Not a medical device" in plain(caption.value) for caption in page.main.caption)
    primary = [button.label for button in page.button if button.proto.type == "primary"]
    assert primary == ["Try it on an X-ray"]


def test_the_strip_shows_a_phantom_its_heat_map_and_a_generated_image() -> None:
    pictures = [image for block in opened("overview").get("image") for image in block.proto.imgs]
    captions = [plain(image.caption) for image in pictures]
    assert [caption.split(" ", 1)[0] for caption in captions] == ["phantom", "what", "generated"]
    assert all("synthetic" in captions[place] for place in (0, 2))


def test_the_button_leads_to_predict() -> None:
    page = opened("overview")
    next(button for button in page.button if button.label == "Try it on an X-ray").click()
    assert page.run().title[0].value == "Predict"


def test_with_nothing_at_all_it_says_what_to_do(no_published: Path) -> None:
    page = opened("overview")
    assert not page.error
    infos = [plain(info.value) for info in page.info]
    assert infos[:3] == [
        "Not applicable: no run by the report's procedure is published.",
        "Not applicable: no pair of runs without and with generated images is published.",
        "Not applicable: no run with validation patients is published.",
    ]
    assert infos[3] == "No run yet. On Train, the quick preset takes about a minute."
    assert any("phantom" in plain(markdown.value) for markdown in page.markdown)


def test_a_finished_run_is_a_row_with_interval_n_and_what_it_was_selected_on(with_finished_run) -> None:
    page = opened("overview")
    (table,) = tables(page)
    (row,) = table.to_dict("records")
    report = report_from_dict(read_json(find_run(with_finished_run.run_id).report))
    accuracy, auroc = report.splits[Split.TEST].accuracy, report.splits[Split.TEST].auroc
    assert table.index[0].endswith(":green-badge[succeeded]")
    interval = f"{percent(accuracy.low).removesuffix(' %')} to {percent(accuracy.high).removesuffix(' %')}"
    assert row["accuracy on test"] == f"{percent(accuracy.value)} (95 % interval {interval})"
    assert isinstance(auroc, NotApplicable), "too few patients"
    assert row["AUROC on test"] == f"n/a: {auroc.reason}"
    images = [path for path in with_finished_run.data.glob("test/*/*") if path.is_file()]
    assert row["runs"] == f"1 run, n = {len(images)}, epoch chosen on validation"


def test_seeds_are_folded_to_their_mean_least_and_greatest(no_published: Path) -> None:
    runs = [finish(preset_config(Architecture.BASELINE, Preset.REPORT, seed=seed)) for seed in range(3)]
    finish(preset_config(Architecture.BASELINE, Preset.SOUND))
    values = [report_from_dict(read_json(run_directory(run).report)).splits[Split.TEST].accuracy.value for run in runs]
    page = opened("overview")
    (table,) = tables(page)
    assert len(table) == 2
    row = table[table["runs"].str.startswith("3 seeds")].iloc[0]
    assert row["accuracy on test"] == (
        f"mean {percent(sum(values) / 3)} (seeds from {100 * min(values):.1f} to {100 * max(values):.1f})*"
    )
    # A click opens them: several on Compare, one on Evaluate.
    assert f"](compare?a={','.join(runs)})" in row.name
    (other,) = (name for name in table.index if name != row.name)
    assert re.search(r"\]\(evaluate\?run=baseline-[0-9a-f]{12}\) ", other)
    assert "interval" not in row["accuracy on test"]
    assert min(values) != max(values)
    assert row["runs"].endswith("epoch chosen on test")
    # A choice opens them.
    page.selectbox(key="opened_runs").select_index(0).run()
    assert not page.exception
    links = [link.proto.label for link in page.get("page_link")]
    assert sum(run[-6:] in label for run in runs for label in links) == 3


def test_runs_stand_under_their_network_and_can_be_sorted(no_published: Path) -> None:
    finish(preset_config(Architecture.VGG16, Preset.SOUND))
    for preset in Preset:
        finish(preset_config(Architecture.BASELINE, preset, seed=list(Preset).index(preset)))
    page = opened("overview")
    assert [heading.value for heading in page.subheader] == ["Baseline CNN", "VGG16"]
    baseline, vgg16 = tables(page)
    assert (len(baseline), len(vgg16)) == (len(Preset), 1)
    assert list(baseline.index) == sorted(baseline.index)
    page.radio(key="sort_runs").set_value("accuracy").run()
    values = [float(text.partition(" ")[0]) for text in tables(page)[0]["accuracy on test"]]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) > 1


def test_the_plot_of_all_arms_has_one_heading() -> None:
    page = opened("overview")
    assert [heading.value for heading in page.header].count("Accuracy on test, with and without generated images") == 1
    assert not any(item.value.startswith("**Accuracy on test") for item in page.markdown)


def test_a_damaged_run_is_told_in_its_row(with_finished_run) -> None:
    report = with_finished_run.path / "report.json"
    report.write_text(report.read_text().replace("0.", "1.", 1))
    page = opened("overview")
    assert tables(page)[0].index[0].endswith(":red-badge[damaged]")


def test_every_state_has_a_color() -> None:
    from pages.ui.overview.runs import STATE_OPTIONS

    assert set(STATE_OPTIONS) == {state.value for state in RunState} | {"damaged"}
