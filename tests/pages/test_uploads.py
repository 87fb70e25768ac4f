"""Nothing of an upload is written, logged or kept in Streamlit's caches by the page that answers it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pneumo_core.data.images import decode_gray
from tests.conftest import ROOT, FinishedRun
from tests.data.dicom_files import IDENTITY, dicom
from tests.data.image_files import encode
from tests.waiting import PATIENCE_S

WATCH = ROOT / "tests" / "watch"

VISIT = """
import logging, os, sys
from pathlib import Path
from streamlit.runtime.caching.cache_data_api import _data_caches
from streamlit.runtime.caching.cache_resource_api import _resource_caches
from tests.waiting import app_test

run, folder, log, watched = sys.argv[1:]
logging.basicConfig(filename=log, level=logging.DEBUG)
page = app_test(Path("app.py").resolve()).run()
page.switch_page("pages/predict.py")
page.query_params["run"] = run
page.run()

def upload(path):
    file = (path.name, path.read_bytes(), "image/png")
    box = page.file_uploader[0]
    box.set_value([file] if box.multiple_files else file)
    page.run()
    assert not page.exception, page.exception
    assert path.name in page_text(), path.name

def page_text():
    values = [element.value for kind in ("error", "markdown", "caption", "metric") for element in page.get(kind)]
    captions = [image.caption for block in page.get("image") for image in block.proto.imgs]
    return " ".join(map(str, values + captions)).replace("\\\\", "")

def entries():
    every = [*_data_caches._function_caches.values(), *_resource_caches._function_caches.values()]
    caches = {name: cache for session in every for name, cache in session.items()}
    return {name: list(getattr(cache, "storage", cache)._mem_cache) for name, cache in caches.items()}

first, *others = sorted(Path(folder).iterdir())
upload(first)  # It loads what any answer needs.
before = entries()
assert any(before.values())
Path(watched).write_bytes(b"")
for path in others:
    upload(path)
assert entries() == before
print("answered", len(others))
"""


@pytest.fixture(scope="module")
def uploads(finished_run: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An X-ray in several formats, and what is refused."""
    folder = tmp_path_factory.mktemp("uploads")
    paths = sorted((finished_run.data / "test").rglob("*.jpeg"))[:2]
    first, second = (decode_gray(path.read_bytes(), path.name) for path in paths)
    for name, data in {
        "0.png": encode(first),
        "secret-1.png": encode(second),
        "secret-2.png": dicom(second),  # The bytes say what it is, and the page may look at the suffix.
        "secret-3.png": encode(second, "TIFF"),
        "secret-4.png": b"a secret letter",
        "secret-5.png": encode(second)[:500],
        "secret-6.png": dicom(second, NumberOfFrames=7),
    }.items():
        (folder / name).write_bytes(data)
    return folder


def test_nothing_of_an_upload_is_written_logged_or_cached(
    finished_run: FinishedRun, uploads: Path, tmp_path: Path
) -> None:
    log, watched = tmp_path / "log", tmp_path / "watched"
    result = subprocess.run(
        [sys.executable, "-c", VISIT, finished_run.run_id, str(uploads), str(log), str(watched)],
        cwd=ROOT,
        env={
            **os.environ,
            "PNEUMO_ARTIFACTS": str(finished_run.artifacts),
            "PNEUMO_DATA": str(finished_run.data),
            "PYTHONPATH": str(WATCH),
            "WATCHED": str(watched),
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert result.stdout == "answered 6\n", result.stderr[-4000:]
    assert watched.read_text() == ""
    said = log.read_text() + result.stderr
    assert "secret" not in said
    for value in IDENTITY.values():
        assert value not in said


def test_the_watch_sees_a_file_that_is_opened_for_writing(tmp_path: Path) -> None:
    code = "import sys, tempfile; tempfile.TemporaryFile().close(); open(sys.argv[1], 'w').close(); open(sys.argv[1])"
    environment = {
        **os.environ,
        "PYTHONPATH": str(WATCH),
        "WATCHED": str(tmp_path / "watched"),
        "TMPDIR": str(tmp_path),
    }
    command = [sys.executable, "-c", code, str(tmp_path / "x")]
    subprocess.run(command, env=environment, check=True, timeout=PATIENCE_S)
    *_, unnamed, named = (tmp_path / "watched").read_text().splitlines()  # Those before try the folder out.
    assert unnamed.startswith(str(tmp_path))
    assert named == str(tmp_path / "x")
