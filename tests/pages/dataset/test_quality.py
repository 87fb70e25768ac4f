"""Quality: the images in the order of a measure, as pictures that open and as a table."""

import pytest

from pneumo_core.data.index import DataIndex
from pneumo_core.data.measures import measure
from tests.pages.dataset.page import page, shown_image
from tests.pages.opening import texts, whole


def test_what_is_not_measured_is_said(index: DataIndex) -> None:
    assert "measure the images under 'Audit'" in texts(page("Quality"), "info")


@pytest.mark.parametrize("order", ["sharpness", "border", "width"])
@pytest.mark.parametrize("lowest", [False, True])
def test_images_are_ordered_by_a_measure(index: DataIndex, order: str, lowest: bool) -> None:
    table = index.table.merge(measure(index), on="image_id")
    expected = table.sort_values([order, "image_id"], ascending=[lowest, True])["image_id"].tolist()
    at = page("Quality", order=order, **({"lowest": "true"} if lowest else {}))
    assert at.dataframe[0].value["image"].tolist() == expected
    tiles = [str(item.key) for item in at.button if "open_quality_" in str(item.key)]
    assert tiles == [f"open_quality_{number}_{name}" for number, name in enumerate(expected[:12])]


def test_an_image_opens(index: DataIndex) -> None:
    measure(index)
    at = page("Quality")
    first = next(item for item in at.button if "open_quality_" in str(item.key))
    whole(first.click().run())
    assert at.session_state["view"] == "Images"
    assert shown_image(at) == str(first.key).removeprefix("open_quality_0_")
