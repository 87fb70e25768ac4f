"""The GAN lab's Measures, Copies and Train, and DCGANs beside classifiers: in the table, the queue and the balancing arm."""

import io
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import fields, is_dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.gan.copies import distance_figure
from pages.ui.run_parts import facts as facts_table
from pneumo_core.config.classifier import Balance, Preset, TrainConfig
from pneumo_core.config.gan import GanConfig, gan_config
from pneumo_core.config.presets import preset_config
from pneumo_core.data.gan_arm import follow_gan
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.phantom import write_phantoms
from pneumo_core.data.splits import gan_rows
from pneumo_core.evaluation.curves import gan_points
from pneumo_core.evaluation.generator.measures import FeatureMeasures
from pneumo_core.evaluation.generator.memorisation import Memorisation
from pneumo_core.evaluation.plain import encode
from pneumo_core.evaluation.wording import score_text, three_digits
from pneumo_core.inference.gan_measures import read_learned
from pneumo_core.inference.gan_record import GanMeasures, read_measures
from pneumo_core.jobs.runs import view
from pneumo_core.records import Architecture, Estimate, Label, NotApplicable, RunState
from pneumo_core.reporting.document import table_csv
from pneumo_core.reporting.gan_findings import gan_findings
from pneumo_core.reporting.gan_tables import measures_table
from pneumo_core.runs.files import hold_lock, read_json, write_json
from pneumo_core.runs.status import Status, append_event, read_status, update_status, write_status
from pneumo_core.runs.store import RunDirectory, write_manifest
from tests.conftest import ask_for_run
from tests.pages.conftest import SHEET_EPOCHS, forget
from tests.pages.opening import labels, opened, press
from tests.pages.opening import texts as said

pytestmark = pytest.mark.usefixtures("kept_caches")

QUICK = gan_config(Preset.QUICK)


def texts(page: AppTest) -> str:
    return said(page).replace("\N{NO-BREAK SPACE}", " ")


def links(page: AppTest) -> list[tuple[str, str, str]]:
    return [(link.proto.label, link.proto.page, link.proto.query_string) for link in page.get("page_link")]


def pictures(page: AppTest) -> list[str]:
    return [image.proto.imgs[0].alt or image.proto.alt for image in page.get("image")]


@pytest.fixture
def index(no_published: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> DataIndex:
    """The small data set, connected, and no run."""
    monkeypatch.setenv("PNEUMO_DATA", str(tiny_data))
    return build_index(tiny_data)


@pytest.fixture
def alive() -> Iterator[ExitStack]:
    """Holds the locks of the runs that are to look alive."""
    with ExitStack() as held:
        yield held


def finished(config: TrainConfig | GanConfig, index: DataIndex, **facts: object) -> RunDirectory:
    """A run with a manifest, as far as a form or a table reads one."""
    run = ask_for_run(config, index)
    if isinstance(config, GanConfig):
        learned = index.table.iloc[gan_rows(index.table, replace(config, batch_size=2))]
        learned[["image_id", "patient_id", "sha256"]].to_parquet(run.learned, index=False)
        write_manifest(run, facts)
    else:
        write_json(run.manifest, {"run_id": run.run_id, "files": {}, **facts})
    return run


def unfinished(run: RunDirectory, state: RunState, error: str = "") -> None:
    """Make a finished DCGAN one that is not."""
    run.manifest.unlink()
    write_status(run, Status(state, ticket=read_status(run).ticket, epoch=20, epochs=40, steps=4, error=error))


def rewritten(run: RunDirectory, measures: GanMeasures) -> None:
    """Put other measures into a finished run."""
    write_json(run.measures, encode(measures))
    facts = {name: value for name, value in read_json(run.manifest).items() if name not in {"files", "run_id"}}
    run.manifest.unlink()
    write_manifest(run, facts)


def estimates(value: Any) -> Iterator[Estimate]:
    """Every estimate anywhere in a value."""
    if isinstance(value, Estimate):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from estimates(getattr(value, field.name))


# --- Measures ---------------------------------------------------------------------------------------------------------


def test_measures_show_every_number_of_the_report_in_its_space(finished_gan: RunDirectory) -> None:
    page = opened("gan", show="Measures")
    assert not page.error
    report = read_measures(finished_gan).report
    assert isinstance(report.features, FeatureMeasures)
    assert "Feature space: **a projection**" in texts(page)
    assert "are not comparable" in texts(page)
    table = page.table[0].value.map(lambda words: words.replace("\\", ""))
    row = table.set_index("measure").loc["KID"]
    kid = report.features.kid
    assert [
        float(number) for number in re.findall(r"-?[\d.]+", row["value"].replace("\N{MINUS SIGN}", "-"))
    ] == pytest.approx([kid.value, kid.low, kid.high], abs=0.0006)
    assert row["n"] == f"{report.features.kid.n:,}"
    assert "meaning" not in table.columns
    assert all(f"**{name}**".replace("\N{NO-BREAK SPACE}", " ") in texts(page) for name in table["measure"])
    assert row["beside it"].startswith(f"floor: {score_text(report.features.kid_floor.value)} (")
    assert f"The check for collapse {'passes' if report.collapse.passes else 'fails'}" in texts(page)
    assert "Not applicable: no classifier." in texts(page)
    assert report.methods in texts(page)
    names = [button.proto.label for button in page.get("download_button")]
    assert names == ["Measures (CSV)", "Measures (JSON)"]


def test_the_tables_lose_no_estimate(finished_gan: RunDirectory) -> None:
    measures = read_measures(finished_gan)
    table = measures_table(measures.run_id, measures.report, measures.real_called_pneumonia)
    frame = pd.read_csv(io.StringIO(table_csv(table)))
    shown = {
        (line[f"{part}value"], line[f"{part}low"], line[f"{part}high"])
        for line in frame.to_dict("records")
        for part in ("", "beside_", "ratio_")
    }
    features = measures.report.features
    assert isinstance(features, FeatureMeasures)
    for estimate in estimates(replace(measures.report, features=replace(features, **_means(features)))):
        assert (estimate.value, estimate.low, estimate.high) in shown
    assert set(frame["feature space"]) == {"a projection"}
    assert set(frame["run"]) == {finished_gan.run_id}
    assert frame.set_index("measure").loc["Called PNEUMONIA", "not applicable"] == "no classifier"
    assert all(len(row[-1]) > 20 for row in table.rows)


def _means(features: FeatureMeasures) -> dict[str, NotApplicable]:
    """Ratios to a floor's mean are left to the JSON: one ratio is enough for a table."""
    return dict.fromkeys(("kid_ratio_to_mean", "fid_ratio_to_mean"), NotApplicable("left out"))


def test_measures_of_an_older_version_say_so(finished_gan: RunDirectory) -> None:
    assert "older version" not in texts(opened("gan", show="Measures"))
    for schema, lacks in ((1, "ten halves"), (2, "only some quantiles")):
        rewritten(finished_gan, replace(read_measures(finished_gan), schema=schema))
        page = opened("gan", show="Measures")
        assert f"runs refresh {finished_gan.run_id}" in page.warning[0].value
        assert lacks in page.warning[0].value


def test_the_three_findings_stand_above_the_tabs_in_the_words_of_the_core(finished_gan: RunDirectory) -> None:
    findings = gan_findings(read_measures(finished_gan).report)
    for tab in ("Samples", "Measures", "Copies"):
        page = opened("gan", show=tab)
        said = texts(page)
        for finding in findings:
            assert finding.headline in said
            assert finding.evidence in said
        assert said.count("**Quality**") == said.count("**Variety**") == said.count("**Copies**") == 1


def test_an_unfinished_dcgan_has_no_findings_yet(finished_gan: RunDirectory) -> None:
    unfinished(finished_gan, RunState.FAILED, "Samples must differ from each other")
    assert "**Quality**" not in texts(opened("gan"))


def test_percent_signs_stay_beside_their_numbers(finished_gan: RunDirectory) -> None:
    cells = opened("gan", show="Measures").table[0].value.to_numpy().ravel().tolist()
    assert any("\N{NO-BREAK SPACE}%" in cell for cell in cells)
    assert not any(" %" in cell for cell in cells)


def test_a_collapsed_generator_a_classifier_and_no_features_are_told(finished_gan: RunDirectory) -> None:
    measures = read_measures(finished_gan)
    report = replace(
        measures.report,
        features=NotApplicable("no weights are here"),
        memorisation_features=NotApplicable("no weights are here"),
        called_pneumonia=Estimate(0.25, 0.18, 0.33, 128),
        collapse=replace(measures.report.collapse, passes=False, reason="all are alike"),
    )
    judged = replace(
        measures,
        classifier="baseline-0123456789ab",
        real_called_pneumonia=Estimate(0.91, 0.8, 0.95, 70),
        report=report,
    )
    rewritten(finished_gan, judged)
    page = opened("gan", show="Measures")
    assert "The check for collapse fails: all are alike." in page.error[0].value.replace("\\", "")
    assert "Feature space: **none, because no weights are here**" in texts(page)
    assert "**25.0 % (18.0 to 33.0)** of 128 generated images" in texts(page)
    assert "**91.0 % (80.0 to 95.0)** of the real images (n = 70) at the same size. All are of class PNEUM" in texts(
        page
    )
    assert ("Evaluate that classifier", "evaluate", "run=baseline-0123456789ab") in links(page)
    page = opened("gan", show="Copies", space="features")
    assert "Not applicable: no weights are here." in texts(page)


@pytest.mark.parametrize("tab", ["Measures", "Copies"])
def test_what_is_not_finished_has_no_measures_yet(finished_gan: RunDirectory, tab: str) -> None:
    unfinished(finished_gan, RunState.FAILED, "Samples must differ from each other")
    page = opened("gan", show=tab)
    assert "needs a finished DCGAN. This one is failed." in texts(page)
    press(page, "Show its training")
    assert "Resume" in labels(page)


@pytest.mark.parametrize("tab", ["Measures", "Copies"])
def test_damaged_measures_are_one_clear_line(finished_gan: RunDirectory, tab: str) -> None:
    finished_gan.measures.write_text(finished_gan.measures.read_text().replace("0.", "1.", 1))
    forget()
    page = opened("gan", show=tab)
    assert "'Measures' shows the reason" in texts(page)
    (error,) = page.error
    assert "SHA-256" in error.value.replace("\\", "")


# --- Copies -----------------------------------------------------------------------------------------------------------


def test_copies_show_the_nearest_pairs_side_by_side(finished_gan: RunDirectory) -> None:
    page = opened("gan", show="Copies", space="pixels")
    assert not page.error
    found, learned = read_measures(finished_gan).report.memorisation_pixels, read_learned(finished_gan)
    order = np.argsort(found.distance, kind="stable")
    captions = [caption.value.replace("\\", "") for caption in page.caption if " · distance " in caption.value]
    assert len(captions) == 6
    for number, words in zip(order, captions, strict=False):
        assert words.startswith(f"sample {number:,} · distance {three_digits(found.distance[number])}")
        assert PurePosixPath(learned["image_id"].iloc[found.nearest[number]]).name in words
    told = pictures(page)
    assert told[0] == f"generated image, sample {order[0]}"
    assert told[1] == f"its nearest training image, {learned['image_id'].iloc[found.nearest[order[0]]]}"
    assert len(told) == 12
    assert "1 % of the real ones" in texts(page)
    page.radio(key="space").set_value("features").run()
    assert not page.exception
    assert "By features: " in texts(page)


def test_flagged_pairs_are_marked_and_the_share_is_judged(finished_gan: RunDirectory) -> None:
    measures = read_measures(finished_gan)
    found = measures.report.memorisation_pixels
    flagged = replace(found, flagged=(True,) * len(found.flagged), share=Estimate(1.0, 0.97, 1.0, len(found.flagged)))
    rewritten(finished_gan, replace(measures, report=replace(measures.report, memorisation_pixels=flagged)))
    page = opened("gan", show="Copies")
    assert page.radio(key="space").value == "pixels"
    assert len(re.findall(r":red\[\*\*nearer than [\w. %]+ real images\*\*\]", texts(page))) == 6
    assert "may be copies" in page.warning[0].value
    assert "flagged" not in texts(page)


def test_the_cumulative_curves_have_a_step_for_each_image(finished_gan: RunDirectory) -> None:
    found = read_measures(finished_gan).report.memorisation_pixels
    assert len(found.real_distance) == len(read_learned(finished_gan))
    generated, real = distance_figure(found, "#000000", "unit").data[:2]
    for trace, distances in ((generated, found.distance), (real, found.real_distance)):
        assert list(trace.x) == sorted(distances)
        at_most = [sum(other <= one for other in distances) / len(distances) for one in trace.x]
        assert list(trace.y) == pytest.approx(at_most)
        assert trace.line.shape == "hv"
    older = distance_figure(replace(found, real_distance=()), "#000000", "unit").data[1]
    assert (list(older.x), older.line.shape) == (list(found.real_quantiles), "linear")


def test_measures_without_all_distances_say_so_under_the_curve(finished_gan: RunDirectory) -> None:
    assert "only the quantiles" not in texts(opened("gan", show="Copies", space="pixels"))
    measures = read_measures(finished_gan)
    older = replace(measures.report.memorisation_pixels, real_distance=())
    rewritten(finished_gan, replace(measures, schema=2, report=replace(measures.report, memorisation_pixels=older)))
    page = opened("gan", show="Copies", space="pixels")
    assert "For the real images only the quantiles in the table are known" in texts(page)


def test_without_the_data_set_the_nearest_are_named(
    finished_gan: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    write_phantoms(other, seed=8, count=40)
    monkeypatch.setenv("PNEUMO_DATA", str(other))
    page = opened("gan", show="Copies", space="pixels")
    assert "No real images to compare with" in texts(page)
    assert [link[:2] for link in links(page)].count(("Connect its training images on Dataset", "dataset")) == 1
    assert len(pictures(page)) == 6
    found = read_measures(finished_gan).report.memorisation_pixels
    nearest = found.nearest[int(np.argmin(found.distance))]
    assert PurePosixPath(read_learned(finished_gan)["image_id"].iloc[nearest]).name in texts(page)


@pytest.mark.parametrize(("share", "space"), [(0.01, "pixels"), (0.5, "features")])
def test_the_tab_opens_with_the_count_that_the_finding_on_copies_is_of(
    finished_gan: RunDirectory, share: float, space: str
) -> None:
    measures = read_measures(finished_gan)
    assert isinstance(measures.report.memorisation_features, Memorisation)
    report = replace(
        measures.report,
        memorisation_pixels=replace(measures.report.memorisation_pixels, share=Estimate(0.02, 0.012, 0.03, 128)),
        memorisation_features=replace(
            measures.report.memorisation_features, share=Estimate(share, share - 0.009, share + 0.1, 128)
        ),
    )
    if space == "features":
        report = replace(
            report, memorisation_pixels=replace(report.memorisation_pixels, share=Estimate(0.002, 0.001, 0.004, 128))
        )
    rewritten(finished_gan, replace(measures, report=report))
    page = opened("gan", show="Copies")
    headline = gan_findings(report)[2].headline
    assert page.radio(key="space").value == space
    assert texts(page).count(headline) == 2
    assert "the worse of the two" not in texts(page)
    page.radio(key="space").set_value("features" if space == "pixels" else "pixels").run()
    assert f"The finding above is that by {space}, the worse of the two." in texts(page)


@pytest.mark.parametrize("connected", ["its own", "phantoms", "other X-rays"])
def test_the_lab_names_the_data_of_the_shown_dcgan_and_warns_where_others_are_connected(
    finished_gan: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connected: str
) -> None:
    config = read_json(finished_gan.config)
    config["data"] |= {"root": "/somewhere/x-rays", "is_phantom": False}
    write_json(finished_gan.config, config)
    if connected != "its own":
        write_phantoms(tmp_path / "other", seed=8, count=40)
        monkeypatch.setenv("PNEUMO_DATA", str(tmp_path / "other"))
    if connected == "other X-rays":
        monkeypatch.setattr(DataIndex, "is_phantom", False)
    page = opened("gan")
    assert f"trained on x-rays · id {view(finished_gan.run_id).data.data_id}" in texts(page)
    offered = [link[:2] for link in links(page)]
    assert (("Connect these data", "dataset") in offered) is (connected == "phantoms")
    assert (("Connect other data", "dataset") in offered) is (connected == "other X-rays")
    warned = [warning.value.replace("\\", "") for warning in page.warning]
    assert any("The connected data are others: other (id " in words for words in warned) is (
        connected == "other X-rays"
    )


def test_an_empty_lab_leads_to_the_form(index: DataIndex) -> None:
    page = opened("gan")
    press(page, "Train a DCGAN")
    assert "New DCGAN" in [header.value for header in page.header]


# --- Train ------------------------------------------------------------------------------------------------------------


def test_the_form_tells_the_cost_and_finds_what_is_trained(finished_gan: RunDirectory) -> None:
    page = opened("gan", show="Train")
    page.radio(key="gan_label").set_value(Label.PNEUMONIA).run()
    assert not page.exception
    assert "120 epochs of" in texts(page)
    assert "loading, export and measuring samples" in texts(page)
    assert "It runs on the CPU" in texts(page)
    assert "Already trained" in texts(page)
    page.number_input(key="gan_seed").set_value(1).run()
    assert "Start training" in labels(page)
    page.number_input(key="gan_seed").set_value(0).run()
    press(page, "Open it")
    assert page.query_params["run"] == finished_gan.run_id
    assert "Losses, scores and spread" in texts(page)
    assert f"64 generated images after epoch {SHEET_EPOCHS[-1]}" in texts(page)
    assert "Evaluate it" not in [label for label, _, _ in links(page)]


def test_what_cannot_be_learned_from_is_told_above_the_run(finished_gan: RunDirectory) -> None:
    page = opened("gan", show="Train")
    page.radio(key="gan_preset").set_value(Preset.REPORT).run()  # There are fewer images of NORMAL than its batch.
    assert not page.exception
    (error,) = page.error
    assert "at least one full batch" in error.value
    assert "Start training" not in labels(page)
    assert "Losses, scores and spread" in texts(page)


def test_a_server_that_does_not_train_offers_no_start(index: DataIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_ALLOW_TRAINING", "0")
    page = opened("gan", show="Train")
    page.radio(key="gan_label").set_value(Label.PNEUMONIA).run()
    assert not page.exception
    assert "does not train" in texts(page)
    assert "Start training" not in labels(page)


def test_a_dcgan_that_works_is_followed_live(finished_gan: RunDirectory, alive: ExitStack) -> None:
    unfinished(finished_gan, RunState.RUNNING)
    update_status(finished_gan, message="training", step=2)
    event = {"kind": "batch", "epoch": 20, "step": 2, "steps": 4, "loss_generator": 0.75, "loss_discriminator": 1.25}
    append_event(finished_gan, event)
    alive.enter_context(hold_lock(finished_gan.run_lock))
    page = opened("gan", show="Train")
    (bar,) = [bar.proto for bar in page.main.get("progress")]
    assert bar.value == 51
    assert bar.text.startswith("training: epoch 21 of 40")
    assert "batch 2 of 4 · generator's loss 0.750 · discriminator's 1.250" in texts(page)
    assert len(page.get("plotly_chart")) == 1
    assert {"Cancel"} <= set(labels(page))
    press(page, "Cancel")
    assert finished_gan.cancel.exists()
    assert "Cancelling…" in labels(page)


def test_a_collapsed_training_says_so_and_offers_to_resume(finished_gan: RunDirectory) -> None:
    unfinished(finished_gan, RunState.FAILED, "Samples must differ from each other. Received: 0.020")
    finished_gan.trained.unlink(missing_ok=True)
    page = opened("gan", show="Train")
    assert "Samples must differ from each other" in page.error[-1].value
    assert "Resume" in labels(page)


def test_a_damaged_sheet_is_one_clear_line(finished_gan: RunDirectory) -> None:
    unfinished(finished_gan, RunState.CANCELLED)
    finished_gan.sheet(SHEET_EPOCHS[-1]).write_bytes(b"\x89PNG nonsense")
    page = opened("gan", show="Train")
    assert finished_gan.sheet(SHEET_EPOCHS[-1]).name in page.error[-1].value.replace("\\", "")


def test_epochs_are_told_once_and_nonsense_is_empty() -> None:
    events = [
        {"kind": "epoch", "epoch": 0, "spread": 0.5},
        {"kind": "batch", "epoch": 1},
        {"kind": "epoch", "epoch": 1, "spread": 0.1},
        {"kind": "epoch", "epoch": 1, "spread": 0.6, "score_real": "high"},
    ]
    frame = gan_points(events)
    assert frame["epoch"].tolist() == [1, 2]
    assert frame["spread"].tolist() == [0.5, 0.6]
    assert frame["score_real"].isna().all()


# --- Beside classifiers -----------------------------------------------------------------------------------------------


def test_the_runs_table_and_the_queue_list_it_with_a_link(finished_gan: RunDirectory, alive: ExitStack) -> None:
    asked = ask_for_run(replace(QUICK, seed=3), build_index(Path(read_json(finished_gan.config)["data"]["root"])))
    alive.enter_context(hold_lock(asked.run_lock))
    page = opened("train", show="Runs")
    table = page.dataframe[0].value.set_index("id")
    assert table.loc[finished_gan.run_id, "run"] == "DCGAN · quick · PNEUMONIA"
    assert table.loc[asked.run_id, "seed"] == 3
    assert "DCGAN · quick · seed 3" in texts(page)
    assert ("Open it in the GAN lab", "gan", f"run={asked.run_id}&show=Train") in links(page)
    page = opened("train", run=finished_gan.run_id)
    assert ("Open it in the GAN lab", "gan", f"run={finished_gan.run_id}") in links(page)
    assert not page.get("plotly_chart")


@pytest.mark.parametrize("name", ["evaluate", "predict"])
def test_pages_about_classifiers_refuse_it(finished_gan: RunDirectory, name: str) -> None:
    page = opened(name, run=finished_gan.run_id)
    assert f"{finished_gan.run_id!r}. It is a DCGAN" in texts(page)
    assert ("Open it in the GAN lab", "gan", f"run={finished_gan.run_id}") in links(page)
    assert not page.selectbox
    page = opened(name)
    assert "No finished run yet" in texts(page)


def test_overview_counts_it_apart(finished_gan: RunDirectory) -> None:
    page = opened("overview")
    assert not page.dataframe
    assert "1 DCGAN: samples and measures in the GAN lab" in [label for label, _, _ in links(page)]


def test_synthetic_training_images_are_counted_as_such(index: DataIndex) -> None:
    config = preset_config(Architecture.BASELINE, Preset.SOUND, balance=Balance.GAN, gan_run="dcgan-0123456789ab")
    facts = {"images": {"train": 4434}, "images_added": 2534, "images_added_by": "dcgan-0123456789ab"}
    run = finished(config, index, **facts)
    told = dict(facts_table(view(run.run_id)).rows)
    assert told["images in train"] == "4,434, and 2,534 synthetic images of dcgan-0123456789ab"
    page = opened("train", run=run.run_id)
    assert page.table[0].value["value"]["images in train"] == told["images in train"]
    write_json(run.manifest, {**read_json(run.manifest), "images_added_by": ""})
    assert dict(facts_table(view(run.run_id)).rows)["images in train"] == "4,434"


# --- The balancing arm ------------------------------------------------------------------------------------------------


def arm(page: AppTest, balance: Balance, preset: Preset = Preset.SOUND) -> AppTest:
    page.radio(key="preset").set_value(preset).run()
    return page.radio(key="balance").set_value(balance).run()


def test_without_a_dcgan_the_arm_says_how_to_make_one(index: DataIndex) -> None:
    page = arm(opened("train"), Balance.GAN)
    assert not page.exception
    assert "Train one in the GAN lab" in texts(page)
    assert ("Train a DCGAN", "gan", "show=Train") in links(page)
    assert "Start training" not in labels(page)


def test_the_arm_asks_for_runs_that_hold_out_what_the_dcgan_has_not_seen(index: DataIndex) -> None:
    gan = finished(gan_config(Preset.SOUND, seed=5), index)
    asked = preset_config(Architecture.BASELINE, Preset.SOUND, balance=Balance.GAN, gan_run=gan.run_id, gap_percent=25)
    for seed in (4, 5, 6):
        config = follow_gan(replace(asked, seed=seed))
        assert (config.seed if config.split_seed is None else config.split_seed) == 5
        finished(config, index)
    page = arm(opened("train"), Balance.GAN)
    page.radio(key="gap").set_value(25)
    page.number_input(key="seed").set_value(4)
    page.toggle(key="pair").set_value(False)
    page.number_input(key="seeds").set_value(3).run()
    assert not page.exception
    assert not page.error
    assert "which closes 25 % of the gap" in page.radio(key="balance").proto.captions[list(Balance).index(Balance.GAN)]
    assert "All are trained." in texts(page)
    assert (
        "gan 25 %" in " ".join(page.selectbox[0].options) or gan.run_id[-6:] in page.selectbox(key="gan_run").options[0]
    )


@pytest.mark.parametrize(
    ("gan", "preset", "words"),
    [
        (gan_config(Preset.SOUND, label=Label.PNEUMONIA), Preset.SOUND, "Samples must be of the smaller class"),
        (gan_config(Preset.REPORT), Preset.SOUND, "must not be trained on a classifier's validation patients"),
    ],
)
def test_a_dcgan_that_does_not_suit_is_refused_before_the_start(
    index: DataIndex, gan: GanConfig, preset: Preset, words: str
) -> None:
    finished(gan, index)
    page = arm(opened("train"), Balance.GAN, preset)
    assert not page.exception
    assert words in page.error[0].value.replace("\\", "")
    assert "Start training" not in labels(page)


def test_a_share_of_the_gap_counts_for_every_arm_that_adds_images(index: DataIndex) -> None:
    config = preset_config(Architecture.BASELINE, Preset.SOUND, balance=Balance.OVERSAMPLE, gap_percent=50)
    finished(config, index)
    page = arm(opened("train"), Balance.OVERSAMPLE)
    assert "Already trained" not in texts(page)
    page.toggle(key="pair").set_value(False)
    page.radio(key="gap").set_value(50).run()
    assert not page.exception
    assert "Already trained" in texts(page)
    page.radio(key="balance").set_value(Balance.NONE).run()
    assert not page.exception
    assert "Start training" in labels(page)
