"""Ours beside the report's: the mapping of names by another library, rounding by a search, words by what they must say."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import classification_report

from pneumo_core.config.classifier import Balance, FineTuneConfig, Preset
from pneumo_core.config.ensemble import EnsembleConfig
from pneumo_core.config.presets import preset_config
from pneumo_core.evaluation.against_report import against_parameters, against_report, counterpart, protocol_notes
from pneumo_core.evaluation.comparison import Evidence
from pneumo_core.evaluation.weighted_metrics import measured, runs_of
from pneumo_core.records import Architecture, Estimate, Metric, NotApplicable
from pneumo_core.reference import REPORT_FIGURES, REPORT_RUNS, ReportRun

BASELINE = REPORT_RUNS[0]
GAN_RUN = "dcgan-0123456789ab"


def estimates(values: dict[Metric, float], half: float = 0.0) -> dict[Metric, Estimate | NotApplicable]:
    return {metric: Estimate(value, value - half, value + half, 624) for metric, value in values.items()}


def test_the_reports_own_baseline_gives_its_own_table() -> None:
    labels = np.repeat([0, 1], [234, 390])
    called = np.concatenate([np.repeat([0, 1], [180, 54]), np.repeat([0, 1], [10, 380])])
    names = [f"{place:03}" for place in range(624)]
    frame = pd.DataFrame(
        {"image_id": names, "patient_id": names, "label": labels, "subtype": "none", "logit": 2.0 * called - 1.0}
    )
    runs = runs_of([Evidence("baseline-0", 0, 0.5, True, frame)])
    ours = dict(zip(Metric, measured(runs, np.ones((1, 624)))[0, 0].tolist(), strict=True))
    rows = {row.name: row for row in against_report(estimates(ours), BASELINE)}

    theirs: dict[str, Any] = classification_report(labels, called, output_dict=True)
    for row, key in (("0", "0"), ("1", "1"), ("macro", "macro avg"), ("weighted", "weighted avg")):
        for part, column in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            found = rows[f"{part} {row}" if row in "01" else f"{row} {part}"]
            assert isinstance(found.ours, Estimate)
            assert found.ours.value == pytest.approx(theirs[key][column])
            assert found.inside is True, found
    assert rows["accuracy"].inside is True
    assert rows["loss"].report == 0.29
    assert rows["loss"].inside is False, "logits of 1 say nothing of the report's loss"
    assert rows["accuracy"].words == "inside our interval"


@pytest.mark.parametrize("run", REPORT_RUNS)
def test_every_figure_of_a_table_has_its_row_in_the_reports_order(run: ReportRun) -> None:
    rows = against_report({}, run)
    assert len(rows) == (14 if run == BASELINE else 13)
    known = [figure for figure in REPORT_FIGURES if figure.run == run and figure.name in {row.name for row in rows}]
    assert [(row.name, row.report, row.place) for row in rows] == [
        (figure.name, figure.value, figure.place) for figure in known
    ]
    assert all(isinstance(row.inside, NotApplicable) and "not computed" in row.words for row in rows)


@given(st.floats(0, 1), st.floats(0, 0.2), st.floats(0, 0.2))
def test_inside_is_what_a_search_over_all_that_rounds_to_the_reports_value_finds(
    value: float, below: float, above: float
) -> None:
    ours = Estimate(value, value - below, value + above, 318)
    row = against_report({Metric.ACCURACY: ours}, BASELINE)[0]
    # The report's .90 stands for .895 to .905.
    candidates = np.linspace(0.895, 0.905, 2001)
    found = bool(((candidates >= ours.low) & (candidates <= ours.high)).any())
    # An interval narrower than a step of the search may lie between two candidates.
    if ours.high - ours.low > 1e-5:
        assert row.inside is found
    assert row.difference == pytest.approx(value - 0.90)
    if row.inside is False:
        assert row.words == f"{'below' if ours.low > 0.9 else 'above'} our interval"


def test_the_ends_of_rounding_count_as_inside() -> None:
    for value, inside in ((0.905, True), (0.9051, False), (0.895, True), (0.8949, False)):
        (row, *_) = against_report(estimates({Metric.ACCURACY: value}), BASELINE)
        assert row.inside is inside, value


def test_what_cannot_be_computed_keeps_its_reason() -> None:
    row = against_report({Metric.ACCURACY: NotApplicable("one patient")}, BASELINE)[0]
    assert row.ours == row.inside == row.difference == NotApplicable("one patient")
    assert row.words == "not applicable: one patient"


@pytest.mark.parametrize("architecture", [Architecture.BASELINE, Architecture.VGG16])
@pytest.mark.parametrize("preset", [Preset.REPORT, Preset.SOUND, Preset.QUICK])
def test_which_training_of_the_report_a_run_repeats(architecture: Architecture, preset: Preset) -> None:
    original = preset_config(architecture, preset, balance=Balance.NONE)
    assert counterpart(original) == ReportRun(architecture, balanced=False)
    balanced = preset_config(architecture, preset, balance=Balance.GAN, gan_run=GAN_RUN)
    assert counterpart(balanced) == ReportRun(architecture, balanced=True)
    half = counterpart(replace(balanced, gap_percent=50))
    assert isinstance(half, NotApplicable)
    assert "50 %" in half.reason
    phantoms = counterpart(original, is_phantom=True)
    assert phantoms == NotApplicable("it was trained and tested on phantoms, and the report on X-rays")


@pytest.mark.parametrize("arm", [Balance.CLASS_WEIGHT, Balance.OVERSAMPLE, Balance.CLASSICAL])
def test_other_arms_have_no_counterpart(arm: Balance) -> None:
    found = counterpart(preset_config(Architecture.VGG16, Preset.SOUND, balance=arm))
    assert isinstance(found, NotApplicable)
    assert arm.value in found.reason


def test_a_network_of_our_own_and_trained_blocks_have_no_counterpart() -> None:
    ours = counterpart(preset_config(Architecture.COMPACT, Preset.SOUND))
    assert ours == NotApplicable("the report has no network like it")
    found = counterpart(preset_config(Architecture.VGG16, Preset.BEST, balance=Balance.NONE))
    assert isinstance(found, NotApplicable)
    assert "no layer of VGG16's base" in found.reason


def test_a_fine_tuned_network_has_no_counterpart() -> None:
    found = counterpart(preset_config(Architecture.VGG16, Preset.SOUND, fine_tune=FineTuneConfig(epochs=2)))
    assert isinstance(found, NotApplicable)


def test_parameters_are_compared_to_the_last_one() -> None:
    manifest = {"parameters": 5_677_329, "trainable_parameters": 5_676_881}
    rows = against_parameters(manifest, Architecture.BASELINE)
    assert [(row.report, row.ours, row.equal) for row in rows] == [
        (5_677_329, 5_677_329, True),
        (5_676_881, 5_676_881, True),
        (448, 448, True),
    ]
    odd = against_parameters(manifest | {"parameters": 5_677_330}, Architecture.BASELINE)
    assert [row.equal for row in odd] == [False, True, False]
    unknown = against_parameters({"parameters": "many"}, Architecture.VGG16)
    assert all(isinstance(row.ours, NotApplicable) and isinstance(row.equal, NotApplicable) for row in unknown)


def test_the_notes_say_which_protocol_flatters_and_whose_images_they_are() -> None:
    sound, report = (" ".join(protocol_notes(selected_on_test=selected, n=318)) for selected in (False, True))
    assert "Ours selected everything on patients held out of training and nothing on test. Such a" in sound
    assert "expected to score below one that is selected on test" in sound
    assert "below" in sound
    assert "reproduction" in report
    assert "below" not in report
    for words in (sound, report):
        assert "318 test images and the report's from 624" in words
    assert "318" not in " ".join(protocol_notes(selected_on_test=True, n=624))


def test_the_report_has_no_ensemble() -> None:
    config = EnsembleConfig(
        ("compact-0123456789ab", "vgg16-0123456789ab"), Preset.SOUND, seed=0, val_fraction=0.15, image_size=150
    )
    assert counterpart(config) == NotApplicable("the report combined no models")
