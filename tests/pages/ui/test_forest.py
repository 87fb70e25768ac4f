"""Forest plots of findings: how rows are named where there is little room."""

import pytest

from pages.ui.forest import forest_figure
from pneumo_core.records import Estimate
from pneumo_core.reporting import story
from pneumo_core.reporting.story import Mark


@pytest.mark.parametrize(
    ("row", "compact", "shown"),
    [
        ("VGG16, seed 0", True, "VGG16, seed 0"),
        ("VGG16, seed 0", False, "VGG16<br>seed 0"),
        ("Baseline CNN, recommended", True, "Baseline CNN<br>recommended"),
    ],
)
def test_a_long_name_of_a_row_takes_two_lines(row: str, compact: bool, shown: str) -> None:
    figure = forest_figure([Mark(row, story.TEST, Estimate(0.9, 0.8, 0.95, 100))], title="", compact=compact)
    assert list(figure.layout.yaxis.ticktext) == [shown]


def test_what_was_picked_on_test_has_a_look_of_its_own() -> None:
    series = (story.PICKED_ON_TEST, story.HELD_OUT, "ours, with DCGAN images")
    figure = forest_figure([Mark("VGG16", name, Estimate(0.9, 0.8, 0.95, 100)) for name in series], title="")
    assert len({line.marker.color for line in figure.data}) == len(series)
