import json
import os
from pathlib import Path

import pytest

from pneumo_core.config import Preset
from pneumo_core.presets import preset_config
from pneumo_core.records import Architecture, Estimate, Label, Split
from pneumo_core.reference import EXPECTED, OFFICIAL_COUNTS, OFFICIAL_TOTAL
from pneumo_core.run_config import config_from_dict
from pneumo_core.store import RunDirectory, published_root


def test_the_total_is_what_the_literature_reports() -> None:
    # Kermany et al. (2018) took 5,232 images for training, of which Kaggle's copy sets 16 aside as val, 624 to test.
    assert OFFICIAL_TOTAL == 5856
    assert sum(count for (split, _), count in OFFICIAL_COUNTS.items() if split is not Split.TEST) == 5232
    assert sum(count for (split, _), count in OFFICIAL_COUNTS.items() if split is Split.TEST) == 624
    assert set(OFFICIAL_COUNTS) == {(split, label) for split in Split for label in Label}


@pytest.mark.skipif("PNEUMO_REAL_DATA" not in os.environ, reason="PNEUMO_REAL_DATA names no copy of the data set")
@pytest.mark.parametrize("split", [Split.TRAIN, Split.VAL])
@pytest.mark.parametrize("label", list(Label))
def test_the_counts_are_those_of_the_real_data(split: Split, label: Label) -> None:
    folder = Path(os.environ["PNEUMO_REAL_DATA"]) / split.value / label.name
    assert len(list(folder.glob("*.jpeg"))) == OFFICIAL_COUNTS[split, label]


def test_what_is_expected_is_what_the_published_runs_gave() -> None:
    compared = 0
    for run in map(RunDirectory, published_root().iterdir()):
        config = config_from_dict(json.loads(run.config.read_text())["config"])
        expected = EXPECTED.get((config.architecture, config.preset))
        if expected is None or config != preset_config(config.architecture, config.preset):
            continue
        compared += 1
        report, manifest = (json.loads(path.read_text()) for path in (run.report, run.manifest))
        for name in ("accuracy", "auroc"):
            measured = {part: round(value, 3) for part, value in report["splits"]["test"][name].items()}
            assert getattr(expected, name) == Estimate(**measured)
        events = [json.loads(line) for line in run.events.read_text().splitlines()]
        assert expected.epochs == len({event["epoch"] for event in events if event["kind"] == "epoch"})
        assert expected.duration_s == round(manifest["training_duration_s"])
    assert compared


def test_every_expectation_has_an_interval_around_its_value() -> None:
    assert (Architecture.BASELINE, Preset.SOUND) in EXPECTED
    for expected in EXPECTED.values():
        for estimate in (expected.accuracy, expected.auroc):
            assert 0.5 < estimate.low < estimate.value < estimate.high < 1
        assert expected.accuracy.n == expected.auroc.n
        assert 1 <= expected.epochs <= expected.duration_s
