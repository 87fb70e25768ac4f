"""The benchmarks still run; what they measure is shown by README, never asserted."""

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from benchmarks import accuracy, audit, inputs
from benchmarks.browser import CHROMIUM
from benchmarks.compare import written_runs
from benchmarks.features import Cost
from benchmarks.inputs import forward_flop
from benchmarks.leaning import changes, matched
from benchmarks.leaning import main as leaning
from benchmarks.report_way import build
from benchmarks.runs import sample
from pneumo_core.config.architecture import baseline_layers, vgg16_layers
from pneumo_core.config.classifier import Balance
from pneumo_core.evaluation.metrics import auroc
from pneumo_core.inference.compared import compare_runs
from pneumo_core.inference.evidence import read_report
from pneumo_core.models.baseline import build_baseline
from pneumo_core.records import Estimate, Metric, NotApplicable, Split
from pneumo_core.runs.store import find_run
from tests.conftest import FinishedRun
from tests.waiting import PATIENCE_S

PROJECT = Path(__file__).resolve().parent.parent
COMMANDS = sorted(
    path.stem for path in (PROJECT / "benchmarks").glob("*.py") if ".parse_args()" in path.read_text(encoding="utf-8")
)


def test_there_are_commands() -> None:
    assert {"app", "baseline", "compare", "engine", "features", "inputs"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", [f"benchmarks.{name}", "--help"])
    with pytest.raises(SystemExit, match="0"):
        importlib.import_module(f"benchmarks.{name}").main()
    assert f"python -m benchmarks.{name} " in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Please import:DeprecationWarning")  # Keras' old generator, which the report used.
def test_inputs_on_phantoms(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "figures.json"
    command = ("benchmarks.inputs", f"--json={figures}", "--images=16", "--batch-size=8", "--repeats=1")
    monkeypatch.setattr(sys, "argv", [*command])
    monkeypatch.setenv("PNEUMO_DATA", str(tiny_data))
    monkeypatch.setattr(inputs, "CPU_SIDES", (256, 512))
    inputs.main()
    told = json.loads(figures.read_text())
    assert told["training_images"] == 16
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(told)
    assert all(value > 0 for name, value in told.items() if name.endswith(("_per_s", "_ratio")))


@pytest.mark.slow
@pytest.mark.browser
def test_comparing_made_up_runs(tmp_path: Path) -> None:
    if not any(map(shutil.which, CHROMIUM)):
        pytest.skip(f"install Chromium (apt-get install chromium): none of {', '.join(CHROMIUM)} is on the PATH")
    figures = tmp_path / "figures.json"
    result = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.compare", f"--json={figures}"),
            *("--runs=2", "--images=60", "--repeats=1"),
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    told = json.loads(figures.read_text())
    assert [line.split()[0] for line in result.stdout.splitlines()] == list(told)
    pages = {f"page_{runs}_runs_{figure}" for runs in (2, 4) for figure in ("first_s", "again_s", "resident_mib")}
    assert {"compare_2_runs_s", "compare_4_runs_s", *pages} <= told.keys()
    assert all(value > 0 for value in told.values())


def test_made_up_runs_are_the_same_images_and_patients() -> None:
    a, b = (written_runs(balance, 2, 60) for balance in (Balance.NONE, Balance.OVERSAMPLE))
    comparison = compare_runs(a, b)
    assert (comparison.a.run_ids, comparison.b.run_ids) == (a, b)
    assert comparison.paired
    assert comparison.n_both == comparison.a.n == 60
    assert comparison.a.seeds == comparison.b.seeds == (0, 1)
    assert 1 < comparison.a.n / comparison.a.n_patients < 2


def test_sample_keeps_the_shares_and_the_files(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(tiny_data))
    whole = list((tiny_data / "train").glob("*/*"))
    normal = sum(path.parent.name == "NORMAL" for path in whole)
    for images in (24, 40):
        links = list((sample(images, tmp_path) / "train").glob("*/*"))
        assert abs(len(links) - images) <= 1
        assert abs(sum(path.parent.name == "NORMAL" for path in links) - images * normal / len(whole)) <= 1
        assert {path.resolve() for path in links} <= {path.resolve() for path in whole}
    assert sample(0, tmp_path) == tiny_data


def test_the_reports_network_is_ours() -> None:
    """To the parameter (study of the report: 5,677,329)."""
    assert build(150).count_params() == build_baseline().count_params() == 5_677_329


def test_arithmetic_of_vgg16_is_the_published_one() -> None:
    """15.35 billion multiply-adds of its convolutions at 224 pixels (He et al. 2016, arXiv:1512.03385: 15.3)."""
    convolutions = [layer for layer in vgg16_layers(224) if layer.kind == "Conv2D"]
    assert forward_flop(convolutions) / 2 == pytest.approx(15.35e9, rel=1e-3)


def test_arithmetic_of_the_baseline_is_its_kernels() -> None:
    model = build_baseline()
    expected = sum(
        2 * int(np.prod(layer.kernel.shape)) * int(np.prod(layer.output.shape[1:-1]))
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)
    )
    assert forward_flop(baseline_layers()) == expected


def test_a_cost_is_the_formula() -> None:
    cost = Cost(fixed_s=5, features_s=0.1, epoch_s=0.01)
    assert cost.training_s(100, 20, epochs=10, views=2) == pytest.approx(5 + 220 * 0.1 + 10 * 120 * 0.01)


@pytest.fixture(scope="module")
def tested() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 200)
    return pd.DataFrame(
        {
            "image_id": [f"test/{number}" for number in range(200)],
            "patient_id": [f"p{number // 2}" for number in range(200)],
            "label": label,
            "probability": np.clip(0.3 * label + rng.normal(0.35, 0.2, 200), 0, 1),
        }
    )


def test_nothing_differs_from_itself(tested: pd.DataFrame) -> None:
    found = accuracy.differences("same", tested, tested.sample(frac=1, random_state=1))
    for measure in ("accuracy", "auroc"):
        assert found[f"same_{measure}_difference"] == NotApplicable(
            "it is 0, and redrawing the patients does not tell how it varies"
        )
        assert f"same_{measure}_difference_holds_0" not in found


def test_differences_are_those_of_the_estimates(tested: pd.DataFrame) -> None:
    worse = tested.assign(probability=1 - tested["probability"])
    found = accuracy.differences("worse", tested, worse)
    for measure in ("accuracy", "auroc"):
        first, second = (accuracy.estimates("x", table)[f"x_{measure}"].value for table in (tested, worse))
        difference = found[f"worse_{measure}_difference"]
        assert difference.value == pytest.approx(second - first)
        assert difference.low < difference.value < difference.high < 0
        assert found[f"worse_{measure}_difference_holds_0"] == "no"


def test_the_difference_of_areas_is_bootstrapped_over_patients(tested: pd.DataFrame) -> None:
    rng = np.random.default_rng(5)
    other = tested.assign(probability=np.clip(tested["probability"] + rng.normal(0, 0.1, len(tested)), 0, 1))
    found = accuracy.differences("noisy", tested, other)["noisy_auroc_difference"]
    patients = tested["patient_id"].unique()
    slow = []
    for _ in range(400):
        drawn = pd.Series(rng.choice(patients, len(patients))).value_counts()
        times = tested["patient_id"].map(drawn).fillna(0).to_numpy().astype(int)
        areas = [
            auroc(*(np.repeat(table[column].to_numpy(), times) for column in ("label", "probability")))
            for table in (other, tested)
        ]
        slow.append(areas[0] - areas[1])
    assert (found.low, found.high) == pytest.approx(np.percentile(slow, (2.5, 97.5)), abs=0.01)


def test_predictions_of_other_images_are_refused(tested: pd.DataFrame) -> None:
    with pytest.raises(SystemExit, match="of the same images"):
        accuracy.differences("less", tested, tested.iloc[1:])


def test_gray_levels_of_another_image() -> None:
    rng = np.random.default_rng(0)
    image, like = rng.integers(0, 256, (2, 40, 40)).astype(np.uint8)
    like = like // 4 + 100
    assert (matched(image, image) == image).all()
    found = matched(image, like)
    assert abs(float(np.median(found)) - float(np.median(like))) <= 1
    assert (found.min(), found.max()) == (like.min(), like.max())
    order = np.argsort(image, axis=None, kind="stable")
    assert (np.diff(found.ravel()[order].astype(int)) >= 0).all()  # What was brighter stays as bright or brighter.


def test_changes_are_of_the_frame_as_they_are_called() -> None:
    """A white disc becomes an ellipse, or larger or smaller."""
    y, x = np.mgrid[:60, :60] - 29.5
    disc = np.where(x**2 + y**2 < 15**2, np.uint8(255), np.uint8(0))
    made = dict(changes(np.stack([disc, disc]), np.array([0, 1])))

    def sides(image: np.ndarray) -> tuple[int, int]:
        return int((image.max(axis=0) > 127).sum()), int((image.max(axis=1) > 127).sum())

    for name, images in made.items():
        width, height = sides(images[0])
        if name.startswith("stretched"):
            assert width / height == pytest.approx(float(name.split()[-1]), rel=0.05)
        if name.startswith("enlarged"):
            assert width / 30 == pytest.approx(float(name.split()[-1]), rel=0.05)
    assert (made["as they are"][0] == disc).all()


def test_what_a_model_leans_on_begins_with_its_own_figures(
    with_finished_run: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PNEUMO_ARTIFACTS", str(with_finished_run.artifacts))
    found = tmp_path / "figures.json"
    options = ("--run", with_finished_run.run_id, "--data", str(with_finished_run.data), "--json", str(found))
    monkeypatch.setattr(sys, "argv", ["leaning", *options])
    leaning()
    figures = json.loads(found.read_text())
    part = read_report(find_run(with_finished_run.run_id)).splits[Split.VAL]
    for name in ("sensitivity", "specificity"):
        expected = part.figures[Metric(name)]
        assert isinstance(expected, Estimate)
        assert figures[f"as they are: {name}"]["value"] == pytest.approx(expected.value)
        assert figures[f"as they are: {name}"]["n"] == expected.n
    assert "histograms of the other class: auroc" in capsys.readouterr().out


def test_the_audit_s_cost_is_that_of_every_part() -> None:
    figures = audit.cost(400)
    assert len(figures) == 7
    assert all(name.startswith("records_400_") and value > 0 for name, value in figures.items())
