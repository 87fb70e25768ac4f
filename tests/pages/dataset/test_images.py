"""Images: filters, grid, one image with its relatives, files that have changed."""

import io
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pages.ui.dataset.filters import Filters, matching
from pages.ui.pictures import picture, plain, thumbnail
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.errors import DataError
from pneumo_core.records import Label
from tests.pages.dataset.page import ODD_NAME, button, page, said, shown_image, tiles, write_image
from tests.pages.opening import texts, whole


def slow_match(table: pd.DataFrame, filters: Filters) -> list[str]:
    rows = table.to_dict("records")
    copies = Counter(row["sha256"] for row in rows)
    kept = [
        row
        for row in rows
        if (not filters.splits or row["split"] in filters.splits)
        and (not filters.labels or Label(row["label"]).name in filters.labels)
        and (not filters.subtypes or row["subtype"] in filters.subtypes)
        and (not filters.copies or copies[row["sha256"]] > 1)
        and any(filters.text.strip().lower() in row[name].lower() for name in ("patient_id", "image_id"))
    ]
    keys: dict[str, Callable[[dict[str, object]], object]] = {
        "name": lambda row: row["image_id"],
        "patient": lambda row: row["patient_id"],
        "smallest file": lambda row: row["size_bytes"],
        "largest file": lambda row: -int(str(row["size_bytes"])),
    }
    return [row["image_id"] for row in sorted(kept, key=keys[filters.order])]


@pytest.mark.parametrize(
    "filters",
    [
        Filters(),
        Filters(splits=("test",)),
        Filters(splits=("train", "val"), labels=("NORMAL",)),
        Filters(subtypes=("virus",), order="largest file"),
        Filters(text=" PERSON10", order="patient"),
        Filters(text="im-0", order="smallest file"),
        Filters(text=".*["),
        Filters(text="*one*_[two](x)"),
        Filters(copies=True),
        Filters(copies=True, splits=("test",)),
        Filters(labels=("NORMAL",), subtypes=("virus",)),
    ],
)
def test_filters_keep_what_a_plain_loop_keeps(index: DataIndex, filters: Filters) -> None:
    assert matching(index.table, filters)["image_id"].tolist() == slow_match(index.table, filters)


def test_grid_shows_24_images_a_page(index: DataIndex) -> None:
    at = page("Images")
    ids = index.table["image_id"].tolist()
    assert tiles(at) == ids[:24]
    assert len(at.get("image")) == 24
    assert tiles(page("Images", page="3")) == ids[48:]
    whole(at.pagination[0].set_value(2).run())
    assert tiles(at) == ids[24:48]


def test_filters_come_from_the_address(index: DataIndex) -> None:
    at = page("Images", split="test", **{"class": "PNEUMONIA"}, subtype="virus", order="largest file")
    asked = Filters(splits=("test",), labels=("PNEUMONIA",), subtypes=("virus",), order="largest file")
    assert tiles(at) == slow_match(index.table, asked)
    assert tiles(page("Images", patient="virus-104")) == ["test/PNEUMONIA/person104_virus_104.jpeg"]


def test_unknown_values_in_the_address_are_dropped(index: DataIndex) -> None:
    at = page("Images", split="../etc", order="; drop", page="99", subtype="x")
    assert tiles(at) == index.table["image_id"].tolist()[:24]
    assert tiles(page("Images", page="minus one")) == tiles(at)
    assert page("No such view").metric[0].value == "72"


def test_changing_a_filter_starts_at_the_first_page_and_leaves_the_image(index: DataIndex) -> None:
    at = page("Images", page="2", image="train/PNEUMONIA/person1_virus_1.jpeg")
    whole(at.text_input[0].set_value("person1").run())
    assert "image" not in at.query_params
    assert tiles(at) == slow_match(index.table, Filters(text="person1"))[:24]


def test_nothing_found_says_what_to_do_and_clearing_brings_all_back(index: DataIndex) -> None:
    at = page("Images", patient="nobody", split="val")
    assert "No image passes these filters" in texts(at, "info")
    whole(button(at, "Clear filters").click().run())
    assert tiles(at) == index.table["image_id"].tolist()[:24]


def test_image_opens_with_its_record_neighbours_and_relatives(index: DataIndex) -> None:
    at = page("Images", split="test")
    asked = "test/PNEUMONIA/copy.jpeg"
    whole(at.button(f"open_grid_{asked}").click().run())
    assert shown_image(at) == asked
    facts = dict(at.table[0].value.itertuples(index=False))
    row = index.table.set_index("image_id").loc[asked]
    assert facts["Class"] == "PNEUMONIA"
    assert facts["Pixels"] == "64 × 48"
    assert facts["Bytes"] == f"{row['size_bytes']:,}"
    assert at.code[0].value == row["sha256"]
    assert "not all in the same split" in texts(at, "caption")
    assert at.button("open_sha256_train/PNEUMONIA/person3_bacteria_3.jpeg")
    ids = slow_match(index.table, Filters(splits=("test",)))
    whole(button(at, "Next").click().run())
    assert shown_image(at) == ids[ids.index(asked) + 1]
    whole(button(at, "Previous").click().run())
    whole(button(at, "Previous").click().run())
    assert shown_image(at) == ids[ids.index(asked) - 1]


def test_first_and_last_image_have_one_neighbour(index: DataIndex) -> None:
    ids = index.table["image_id"].tolist()
    first, last = page("Images", image=ids[0]), page("Images", image=ids[-1])
    assert (button(first, "Previous").disabled, button(first, "Next").disabled) == (True, False)
    assert (button(last, "Previous").disabled, button(last, "Next").disabled) == (False, True)


def test_back_leads_to_the_page_of_the_image(index: DataIndex) -> None:
    asked = index.table["image_id"].iloc[60]
    at = page("Images", image=asked)
    whole(button(at, "Back to the grid").click().run())
    assert asked in tiles(at)
    assert "image" not in at.query_params


def test_patients_other_images_are_shown_across_splits(index: DataIndex) -> None:
    at = page("Images", image="train/NORMAL/IM-0000-0001.jpeg")
    assert at.button("open_patient_id_train/NORMAL/IM-0000-0002.jpeg")
    assert at.button("open_patient_id_test/NORMAL/IM-0000-0009.jpeg")
    assert "2 found, not all in the same split" in texts(at, "caption")
    alone = page("Images", image="val/NORMAL/NORMAL2-IM-0900-0001.jpeg")
    assert "one image" in texts(alone, "caption")


@pytest.mark.parametrize(
    "asked",
    [
        "../secret.jpeg",
        "train/../../secret.jpeg",
        "train/NORMAL/../NORMAL/IM-0000-0001.jpeg",
        "train/NORMAL/empty.jpeg",
        "train/NORMAL/none.jpeg",
        "/etc/passwd",
        "*bold* `code` :red[x]",
        "x" * 5000,
    ],
)
def test_image_that_the_index_does_not_list_is_never_opened(index: DataIndex, odd: Path, asked: str) -> None:
    write_image(odd.parent / "secret.jpeg", 1)
    at = page("Images", image=asked)
    assert at.get("image") == []
    message = said(at.warning[0])
    assert f"There is no image {asked[:60]!r}" in message
    assert "\n" not in message
    assert len(message) < 500
    whole(button(at, "Back to the grid").click().run())
    assert len(tiles(at)) == 24


def test_names_are_not_read_as_markdown(index: DataIndex) -> None:
    at = page("Images", patient="*one*")
    opened = at.button(f"open_grid_train/NORMAL/{ODD_NAME}.jpeg")
    assert "\\*one\\*" in opened.label
    assert "\\[two\\]" in opened.label
    assert plain("a_b:red[x] $y$ <b>") == r"a\_b\:red\[x\] \$y\$ \<b\>"


def test_thumbnail_is_a_small_square_on_black(odd: Path, index: DataIndex) -> None:
    row = index.table.set_index("image_id").loc["train/PNEUMONIA/person1_virus_1.jpeg"]
    small = np.asarray(Image.open(io.BytesIO(thumbnail(str(odd), row.name, row["sha256"]))))
    assert small.shape == (224, 224)
    assert small[:20].max() < 16, "64 by 48 pixels leave a band above"
    assert small[112].mean() > 64
    whole_image = Image.open(io.BytesIO(picture(str(odd), row.name, row["sha256"])))
    assert whole_image.size == (64, 48)


def test_large_picture_is_bounded_and_keeps_its_shape(tmp_path: Path) -> None:
    write_image(tmp_path / "train/NORMAL/large.jpeg", 1, (2400, 1200))
    built = build_index(tmp_path)
    data = picture(str(tmp_path), built.table["image_id"][0], built.table["sha256"][0])
    assert Image.open(io.BytesIO(data)).size == (1600, 800)


@pytest.mark.parametrize("damage", ["gone", "changed", "cut"])
def test_file_that_changed_since_is_told_and_the_rest_is_shown(index: DataIndex, odd: Path, damage: str) -> None:
    asked = "test/NORMAL/IM-0901-0001.jpeg"
    row = index.table.set_index("image_id").loc[asked]
    if damage == "gone":
        (odd / asked).unlink()
    elif damage == "changed":
        write_image(odd / asked, 999)
    else:
        (odd / asked).write_bytes((odd / asked).read_bytes()[:50])
    with pytest.raises(DataError, match="connect the folder again"):
        thumbnail(str(odd), asked, row["sha256"])
    at = page("Images")
    assert len(at.error) == 1
    assert len(at.get("image")) == 23
    detail = page("Images", image=asked)
    assert "connect the folder again" in said(detail.error[0])
    assert detail.get("image") == []


def test_folder_that_is_gone_is_told_with_what_to_do(index: DataIndex, odd: Path) -> None:
    shutil.rmtree(odd)
    at = page()
    assert "Received: folder='odd', which is missing" in said(at.error[0])
    assert str(odd) not in texts(at)
    assert "Connect data" in said(at.error[0])
    assert at.metric[0].value == "72"
    assert page("Images").get("image") == []
    assert button(page("Connect data"), "Use the phantoms").disabled is False
