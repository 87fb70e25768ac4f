"""The frame around every page: titles, the sidebar's foot, About, and the recommended runs as first choices."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import pneumo_core
from pneumo_core.runs.recommended import recommended
from tests.pages.opening import opened

ROOT = Path(__file__).resolve().parent.parent.parent


def foot(at: AppTest) -> str:
    return "\n".join(item.value.replace("\\", "") for item in at.sidebar.caption)


def test_the_foot_has_data_purpose_and_version(with_finished_run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(with_finished_run.data))
    at = opened("evaluate")
    images = [path for path in with_finished_run.data.glob("*/*/*") if path.is_file()]
    assert f"Data: phantoms (synthetic), {len(images):,} images of" in foot(at)
    assert "Not a medical device" in foot(at)
    assert f"Version {pneumo_core.__version__}" in foot(at)


def test_without_data_the_foot_says_so(no_published: Path) -> None:
    assert "Data: none connected" in foot(opened("overview"))


def test_data_that_cannot_be_read_do_not_keep_a_page_from_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(tmp_path / "gone"))
    at = opened("compare")
    assert "cannot be read" in foot(at)
    assert not at.exception
    assert at.selectbox


@pytest.mark.parametrize("page", ["evaluate", "predict"])
def test_pages_open_with_the_recommended_classifier(page: str) -> None:
    at = opened(page)
    assert at.selectbox[0].value == recommended().classifier


def test_the_gan_lab_opens_with_the_recommended_dcgan() -> None:
    assert opened("gan").selectbox[0].value == recommended().dcgan


def test_the_version_is_that_of_the_project() -> None:
    assert f'version = "{pneumo_core.__version__}"' in (ROOT / "pyproject.toml").read_text()
    assert f"[{pneumo_core.__version__}]" in (ROOT / "CHANGELOG.md").read_text()
