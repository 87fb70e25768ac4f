"""Pages opened at an address, and what a reader sees of them."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

from tests.waiting import app_test

APP = Path(__file__).resolve().parents[2] / "app.py"
KINDS = ("markdown", "caption", "info", "success", "warning", "error")


def opened(name: str, /, **query: str | list[str]) -> AppTest:
    """A page as a browser finds it at an address."""
    page = app_test(APP)
    page.query_params.update(query)
    return whole(page.switch_page(f"pages/{name}.py").run())


def whole(page: AppTest) -> AppTest:
    """The page, after checking that no bug ended it."""
    assert not page.exception, page.exception
    return page


def press(page: AppTest, label: str) -> AppTest:
    """The page after a click on the first button of that label."""
    return whole(next(button for button in page.button if button.label == label).click().run())


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def texts(page: AppTest, *kinds: str) -> str:
    """All that the page says in words, without the escapes that keep it from being read as Markdown."""
    return "\n".join(item.value.replace("\\", "") for kind in kinds or KINDS for item in page.get(kind))
