"""Each term of the glossary is used, defined once, and used by its name alone."""

import ast
from pathlib import Path

from pneumo_core.records import Metric
from pneumo_core.reporting.glossary import TERMS
from tests.conftest import ROOT

SOURCES = [*(ROOT / "pages").rglob("*.py"), *(ROOT / "pneumo_core" / "reporting").glob("*.py")]


def looked_up(path: Path) -> set[str]:
    """Terms that a file reads by name."""
    tree = ast.parse(path.read_text())
    return {
        node.slice.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == "TERMS"
        and isinstance(node.slice, ast.Constant)
    }


def test_every_term_is_used_and_every_use_is_defined() -> None:
    """Metrics are looked up by the metric of a tile; `test_every_metric_on_a_tile_is_defined` holds them."""
    used = set().union(*map(looked_up, SOURCES))
    assert used == {str(name) for name in TERMS if name not in set(Metric)}


def test_every_metric_on_a_tile_is_defined() -> None:
    from pages.ui.compare.figures import HEADLINE
    from pages.ui.evaluate.figures import _OTHERS, _TILES

    shown = {*_TILES, *_OTHERS}
    assert shown == {metric for metric in Metric if metric in TERMS}
    assert set(HEADLINE) <= shown


def test_no_two_terms_say_the_same_and_they_are_few() -> None:
    assert len(TERMS) <= 38
    sentences = [sentence for text in TERMS.values() for sentence in text.rstrip(".").split(". ")]
    repeated = {sentence for sentence in sentences if sentences.count(sentence) > 1}
    assert repeated <= {"It depends on the prevalence"}
    assert all(text.endswith(".") and len(text) <= 320 for text in TERMS.values())
