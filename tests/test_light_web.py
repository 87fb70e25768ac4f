"""The web process imports no training framework: it starts in seconds, fits a small host, and no training takes it down."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import FinishedRun
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(path.name for path in (ROOT / "pages").glob("*.py"))

FRAMEWORKS = {"tensorflow", "keras", "jax", "torch", "sklearn", "scipy.stats", "pydicom"}
"""What pages never load, pydicom but for a DICOM file. A second each or more, and up to hundreds of megabytes."""

VISIT = """
import json, sys
from pathlib import Path
from tests.waiting import app_test

TABS = {
    # All but Images, whose heat maps ask the models.
    "compare.py": ("Curves", "Operating point", "Calibration", "Slices", "Take away"),
    "report.py": ("Its figures beside ours", "Contradictions", "Published results", "Claim checker"),
    "evaluate.py": ("Right and wrong calls", "Curves", "Training", "Images", "Take away"),
}
page = app_test(Path("app.py").resolve()).run()
told = {"loaded": {}}

def note(name):
    assert not page.exception, (name, page.exception)
    assert not page.error, (name, [error.value for error in page.error])
    told["loaded"][name] = sorted(sys.modules)

note("app.py")
run, *names = sys.argv[1:]
for name in sorted(names, key=lambda name: name == "predict.py"):
    page.switch_page(f"pages/{name}")
    page.query_params["run"] = run
    page.run()
    note(name)
    for tab in TABS.get(name, ()):
        one = app_test(Path("app.py").resolve())
        one.query_params["show"] = tab
        if name == "evaluate.py":
            one.query_params["run"] = run
        one.switch_page(f"pages/{name}").run()
        assert not one.exception, (tab, one.exception)
        # The claim checker's example is one that cannot be true, told as an error.
        assert tab == "Claim checker" or not one.error, (tab, [error.value for error in one.error])
        told["loaded"][name] = sorted(sys.modules)
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def loaded(finished_run: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Modules that are loaded after each page, visited in turn in a fresh process; Predict comes last."""
    artifacts = tmp_path_factory.mktemp("light") / "artifacts"
    shutil.copytree(finished_run.artifacts, artifacts)
    environment = {**os.environ, "PNEUMO_ARTIFACTS": str(artifacts), "PNEUMO_DATA": str(finished_run.data)}
    result = subprocess.run(
        [sys.executable, "-c", VISIT, finished_run.run_id, *PAGES],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    shutil.rmtree(artifacts)
    assert result.returncode == 0, result.stderr[-4000:]
    return {name: set(modules) for name, modules in json.loads(result.stdout.splitlines()[-1])["loaded"].items()}


def test_every_page_in_the_menu_is_visited(loaded: dict[str, set[str]]) -> None:
    menu = (ROOT / "app.py").read_text()
    assert set(loaded) == {"app.py", *PAGES}
    assert [name for name in PAGES if f'("{name.removesuffix(".py")}", ' not in menu] == []


def test_no_page_loads_a_training_framework(loaded: dict[str, set[str]]) -> None:
    # The visit did reach the pages' own libraries, so an empty answer is no accident.
    assert {"streamlit", "pandas", "plotly", "onnxruntime"} <= loaded["predict.py"]
    for name, modules in loaded.items():
        assert not modules & FRAMEWORKS, name


def test_only_predict_loads_the_inference_runtime(loaded: dict[str, set[str]]) -> None:
    for name, modules in loaded.items():
        assert ("onnxruntime" in modules) is (name == "predict.py"), name
