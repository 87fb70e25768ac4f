"""Compare's calibration: what is stored, before and after, and runs that cannot be calibrated."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss
from streamlit.testing.v1 import AppTest

from pneumo_core.config.classifier import Preset
from pneumo_core.evaluation.calibration import CalibrationKind
from pneumo_core.evaluation.wording import score_text, three_digits
from pneumo_core.inference.compared import evidence_of
from pneumo_core.inference.evidence import read_calibration
from pneumo_core.records import NotApplicable, Split
from pneumo_core.runs.store import find_run
from tests.made_runs import made_run
from tests.pages.comparing import compared, pair_of_runs, predictions
from tests.pages.opening import texts

pytestmark = pytest.mark.usefixtures("kept_caches")

SHOW = "Calibration"


@pytest.fixture
def sound_pair(no_published: Path) -> tuple[str, str]:
    return pair_of_runs(Preset.SOUND, ("val", "test"))


def figures(page: AppTest) -> pd.DataFrame:
    (table,) = [table.value for table in page.table if "Slope" in table.value.index]
    return table


def test_before_and_after_are_those_of_the_stored_calibrator(sound_pair: tuple[str, str]) -> None:
    page = compared(*sound_pair, SHOW)
    table = figures(page)
    assert table.shape == (5, 4)
    for place, run_id in enumerate(sound_pair):
        stored = read_calibration(find_run(run_id))
        assert not isinstance(stored, NotApplicable)
        rows = evidence_of(run_id, Split.TEST).predictions
        logit = rows["logit"].to_numpy(dtype=float)
        line = stored.calibrator
        for column, logits in ((2 * place, logit), (2 * place + 1, line.slope * logit + line.intercept)):
            chance = 1 / (1 + np.exp(-logits))
            shown = table.iloc[:, column]
            assert shown["Brier score"].startswith(f"{brier_score_loss(rows['label'], chance):.3f} (")
            assert shown["Log loss"].startswith(f"{log_loss(rows['label'], chance):.3f} (")


def test_the_temperature_that_is_told_is_the_best_on_validation(sound_pair: tuple[str, str]) -> None:
    everything = texts(compared(*sound_pair, SHOW))
    for letter, run_id in zip("AB", sound_pair, strict=True):
        rows = evidence_of(run_id, Split.VAL).predictions
        logit = rows["logit"].to_numpy(dtype=float)

        def loss(heat: float, logit: np.ndarray = logit, label: pd.Series = rows["label"]) -> float:
            return float(log_loss(label, 1 / (1 + np.exp(-logit / heat))))

        best = minimize_scalar(loss, bounds=(0.05, 20), method="bounded").x
        stored = read_calibration(find_run(run_id))
        assert not isinstance(stored, NotApplicable)
        kind = f"temperature {three_digits(best)}" if stored.chosen == "temperature" else "Platt's slope"
        assert f"**{letter}**: {kind}" in everything
    assert everything.count("fitted on 60 images of") == 2


def test_the_diagrams_points_are_scikit_learns(sound_pair: tuple[str, str]) -> None:
    page = compared(*sound_pair, SHOW)
    tables = [frame.value for frame in page.dataframe if "mean probability" in frame.value]
    for run_id, table in zip(sound_pair, tables, strict=True):
        rows = evidence_of(run_id, Split.TEST).predictions
        chance = 1 / (1 + np.exp(-rows["logit"].to_numpy(dtype=float)))
        observed, mean = calibration_curve(rows["label"], chance, n_bins=10)
        raw = table[table["probabilities"] == "raw"]
        assert raw["observed"].tolist() == pytest.approx(observed.tolist())
        assert raw["mean probability"].tolist() == pytest.approx(mean.tolist())
        assert raw["n"].sum() == len(rows)


def test_a_run_that_no_calibration_helps_is_shown_as_it_is(no_published: Path) -> None:
    rows = predictions(("val", "test"), 0)
    # Logits that are right as they are: of four images at log 3 three are PNEUMONIA, at -log 3 one.
    place = np.arange(len(rows)) % 60 % 4
    high = np.arange(len(rows)) % 60 < 28
    label = np.where(high, place > 0, place == 0).astype(int)
    patient = [f"{number}" for number in np.arange(len(rows)) % 60]
    rows = rows.assign(
        label=label, subtype="none", patient_id=patient, logit=np.float32(np.log(3)) * np.where(high, 1, -1)
    )
    right, wrong = (made_run(rows.assign(logit=heat * rows["logit"]), seed=seed) for seed, heat in enumerate((1, 6)))
    page = compared(right.run_id, wrong.run_id, SHOW)
    found = read_calibration(right)
    assert not isinstance(found, NotApplicable)
    assert found.chosen is CalibrationKind.IDENTITY
    assert f"**A**: no calibration, decided on {found.calibrator.n} images of" in texts(page)
    kinds = [column.split(", ")[:2] for column in figures(page).columns]
    assert kinds[0] == ["A", "raw"]
    assert [letter for letter, _ in kinds] == ["A", "B", "B"]
    other = read_calibration(wrong)
    assert not isinstance(other, NotApplicable)
    for kind, loss in other.cross_validated.items():
        assert isinstance(loss, float)
        assert f"{kind.value} {score_text(loss)}" in texts(page)


def test_on_validation_it_says_that_the_figures_flatter(sound_pair: tuple[str, str]) -> None:
    page = compared(*sound_pair, SHOW, split="val")
    assert any("fitted on images of these patients" in info.value for info in page.info)


def test_runs_without_validation_images_say_why_and_show_the_raw_ones(no_published: Path) -> None:
    page = compared(*pair_of_runs(Preset.REPORT, ("test",)), SHOW)
    assert texts(page).count("is not calibrated: ") == 2
    assert "preset 'sound'" in texts(page)
    assert figures(page).columns.tolist() == [f"{letter}, raw, test (epoch chosen on it)" for letter in "AB"]
