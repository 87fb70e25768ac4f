"""Rows of degraded copies, and the sharpness beside predictions: against one image at a time, whatever the chunks."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pneumo_core.augmentation.stress import COPIES, copies_of, degraded_copy, original_id
from pneumo_core.config.classifier import Preset
from pneumo_core.config.presets import preset_config
from pneumo_core.inference import stress
from pneumo_core.inference.session import load_session, run_session
from pneumo_core.records import Architecture
from tests.conftest import FinishedRun
from tests.made_runs import made_predictions, with_stress


@pytest.mark.parametrize("chunk", [1, 4, 64])
def test_rows_are_those_of_each_copy_alone(
    finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(stress, "_CHUNK", chunk)
    session = load_session(finished_run.path / "model.onnx")
    pixels = np.random.default_rng(0).integers(0, 256, (9, 150, 150), np.uint8)
    rows = np.array([8, 2, 5, 0, 3])
    images = made_predictions(splits=("val",), n=5).drop(columns=["split", "logit"]).set_index(rows)
    reported: list[tuple[Any, ...]] = []
    found = stress.stress_rows(session, pixels, rows, images, 3, lambda *facts: reported.append(facts))
    assert len(found) == 15
    assert (found["split"] == "stress").all()
    by_id = images.assign(row=rows).set_index("image_id")
    for row in found.to_dict("records"):
        original = by_id.loc[original_id(row["image_id"])]
        for name in ("patient_id", "label", "subtype"):
            assert row[name] == original[name]
        copy = degraded_copy(pixels[original["row"]], row["image_id"])
        assert row["logit"] == pytest.approx(run_session(session, copy[None]).logit[0], abs=1e-4)
    done = [one for one, _, _ in reported]
    assert done == sorted(done)
    assert {(total, what) for _, total, what in reported} == {(15, "predicting stress")}


def test_a_quick_run_has_one_copy_of_each_image() -> None:
    copies = {preset: copies_of(preset) for preset in Preset}
    assert copies == {preset: 1 if preset is Preset.QUICK else COPIES for preset in Preset}


@pytest.mark.parametrize("with_model", [True, False])
@pytest.mark.parametrize("preset", [Preset.SOUND, Preset.REPORT])
def test_what_predictions_lack(preset: Preset, with_model: bool) -> None:
    config = preset_config(Architecture.BASELINE, preset)
    table = with_stress(made_predictions())
    alone = table[table["split"] != "stress"]

    def is_complete(rows: pd.DataFrame) -> bool:
        return stress.is_complete(rows, config, with_model=with_model)

    assert is_complete(table)
    assert not is_complete(table.drop(columns="sharpness"))
    assert is_complete(alone) is not (with_model and preset is Preset.SOUND)
