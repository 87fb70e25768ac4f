"""Expected errors as people read them in the browser."""

import re
from contextlib import suppress
from pathlib import Path

from pages.ui.pictures import plain
from pneumo_core.errors import ConfigError, PneumoError
from pneumo_core.settings import settings

_PROJECT = Path(__file__).resolve().parents[2]
_FILE = re.compile(r"[\w-]+\.\w+\b")


def error_text(error: PneumoError | str) -> str:
    """An error as Markdown: a capital first, no folder of the server, and what it quotes is not read as Markdown."""
    return plain(_capital(without_folders(str(error))))


def without_folders(text: str, *others: Path) -> str:
    """Text in which the server's own folders have short names: where they lie is nobody's business but the host's.

    Args:
        text: The message, before its Markdown is escaped.
        others: More folders, which are replaced by their names: a data set's root.
    """
    named: list[tuple[Path, str]] = [*((folder, folder.name) for folder in others), (_PROJECT, "."), (Path.home(), "~")]
    with suppress(ConfigError):  # It is the error that is shown.
        known = settings()
        kept = {known.artifacts, known.artifacts.resolve()}
        named = [*((folder, "artifacts") for folder in kept), *named]
        if known.data is not None:
            named.insert(0, (known.data, known.data.name))
    for folder, name in sorted(named, key=lambda pair: -len(str(pair[0]))):
        if len(folder.parts) > 1:
            text = name.join(re.split(rf"(?<![\w.~/-]){re.escape(str(folder))}(?![\w.-])", text))
    return text


def _capital(text: str) -> str:
    first = text.split(" ", 1)[0]
    if "/" in first:
        return text  # A path.
    if _FILE.fullmatch(first):
        return f"The file {text}"
    if re.fullmatch(r"[a-z]+(_[a-z]+)+", first):
        text = text.replace("_", " ", first.count("_"))
    return text[:1].upper() + text[1:]
