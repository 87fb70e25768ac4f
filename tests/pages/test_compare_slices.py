"""Compare's slices: counted again by hand, with the images and without, and what cannot be shown."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from pneumo_core.config.classifier import Preset
from pneumo_core.data.index import build_index
from pneumo_core.inference.compared import evidence_of
from pneumo_core.records import Split
from tests.pages.comparing import compared, pair_of_runs
from tests.pages.opening import texts

pytestmark = pytest.mark.usefixtures("kept_caches")

SHOW = "Slices"


@pytest.fixture
def on_nowhere(no_published: Path) -> tuple[str, str]:
    return pair_of_runs(Preset.SOUND, ("val", "test"))


@pytest.fixture
def on_phantoms(no_published: Path, tiny_data: Path) -> tuple[str, str]:
    index = build_index(tiny_data)
    images = index.table[["image_id", "patient_id", "label", "subtype", "split"]].assign(
        split=lambda table: table["split"].replace("train", "val")
    )
    return pair_of_runs(Preset.SOUND, (), images, index.data_id)


def sliced(page: AppTest) -> dict[str, pd.Series]:
    """Rows of the visible tables by slice."""
    tables = [table.value for table in page.table if "patients" in table.value.columns]
    return {str(name): row for table in tables for name, row in table.iterrows()}


def test_subtypes_and_patients_are_counted_as_by_hand(on_nowhere: tuple[str, str]) -> None:
    page = compared(*on_nowhere, SHOW)
    rows = sliced(page)
    images = evidence_of(on_nowhere[0], Split.TEST).predictions
    of_patient = images.groupby("patient_id")["image_id"].transform("size")
    for name, inside in (
        ("bacteria", images["subtype"] == "bacteria"),
        ("1 image", of_patient == 1),
        ("3 or more images", of_patient >= 3),
    ):
        assert rows[name]["images"].split(",")[0] == str(inside.sum())
        for letter, run_id in zip("AB", on_nowhere, strict=True):
            run = evidence_of(run_id, Split.TEST)
            chance = 1 / (1 + np.exp(-run.predictions["logit"].to_numpy(dtype=float)))
            called = chance[inside & (images["label"] == 1)] >= run.threshold
            assert rows[name][f"Sensitivity of {letter}"].startswith(f"{100 * called.mean():.1f} % (")


def test_the_smallest_slice_of_each_group_is_marked(on_nowhere: tuple[str, str]) -> None:
    rows = sliced(compared(*on_nowhere, SHOW))
    patients = {name: row["images"] for name, row in rows.items() if "image" in name}
    least = min(patients.values(), key=lambda words: int(words.split(",")[0]))
    assert "smallest" in least
    assert all("few" in words for words in patients.values() if int(words.split(",")[0]) < 30)


def test_without_the_images_it_says_which_groups_are_missing_and_what_to_do(on_nowhere: tuple[str, str]) -> None:
    page = compared(*on_nowhere, SHOW)
    assert texts(page).count("the data set of these predictions is not connected") == 3
    assert "Connect the data set" in texts(page)
    assert "dataset" in [link.proto.page for link in page.get("page_link")]


def test_with_the_images_there_are_quarters_of_size_and_sharpness(on_phantoms: tuple[str, str]) -> None:
    page = compared(*on_phantoms, SHOW)
    assert "not connected" not in texts(page)
    quarters = [name for name in sliced(page) if name.startswith("lowest quarter")]
    assert len(quarters) == 2


def test_another_figure_can_be_chosen_and_what_does_not_apply_says_why(on_nowhere: tuple[str, str]) -> None:
    page = compared(*on_nowhere, SHOW)
    page.radio(key="slice_of").set_value("specificity").run()
    assert not page.exception
    assert "no image of the slice is NORMAL" in texts(page)
    assert "Specificity of A" in sliced(page)["1 image"]
