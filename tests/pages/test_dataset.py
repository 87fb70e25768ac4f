import io
import json
import math
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from pages.ui.dataset.download import progress_text
from pages.ui.dataset.explore import count_figure, count_table
from pages.ui.dataset.file_facts import features, giveaways, histogram, quantile_table, scatter
from pages.ui.dataset.filters import Filters, matching
from pages.ui.pictures import picture, plain, thumbnail
from pneumo_core.data import phantom
from pneumo_core.data.audit import Severity, audit
from pneumo_core.data.download import DownloadProgress, DownloadStage
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.patients import shared_by_prefix, shared_patients, shared_without_prefix
from pneumo_core.data.source import connect, connected_id, kaggle_folder
from pneumo_core.errors import DataError
from pneumo_core.records import Estimate, Label, NotApplicable
from pneumo_core.runs.files import hold_lock
from pneumo_core.runs.store import datasets_root
from tests.conftest import PHANTOMS
from tests.waiting import app_test

APP = Path(__file__).resolve().parents[2] / "app.py"
ODD_NAME = "IM-0003-*one*_[two](x)_$3$"


@pytest.fixture(autouse=True)
def _fresh_caches() -> None:
    """Pages share caches among the users of a server; tests are not users of the same one."""
    st.cache_data.clear()
    st.cache_resource.clear()


def write_image(path: Path, seed: int, size: tuple[int, int] = (48, 40), mode: str = "L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, size=(size[1], size[0]), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, format="JPEG")


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """72 images with something of everything that the page must show, and files that are no images."""
    root = tmp_path / "odd"
    seed = 0
    names = {
        "train/NORMAL": [f"IM-{number // 2:04}-000{number % 2 + 1}" for number in range(30)] + [ODD_NAME],
        "train/PNEUMONIA": [f"person{number}_bacteria_{number}" for number in range(20)]
        + [f"person{number}_virus_{number}" for number in range(10)],
        "val/NORMAL": ["NORMAL2-IM-0900-0001"],
        "test/NORMAL": ["IM-0000-0009", "IM-0901-0001", "IM-0902-0001"],
        "test/PNEUMONIA": [f"person{number}_virus_{number}" for number in range(100, 105)] + ["odd name", "copy"],
    }
    for folder, stems in names.items():
        for stem in stems:
            seed += 1
            wide = (64, 48) if "PNEUMONIA" in folder else (48, 40)
            write_image(root / folder / f"{stem}.jpeg", seed, wide, "RGB" if stem == "odd name" else "L")
    shutil.copy(root / "train/PNEUMONIA/person3_bacteria_3.jpeg", root / "test/PNEUMONIA/copy.jpeg")
    (root / "train/NORMAL/empty.jpeg").touch()
    (root / "train/NORMAL/words.jpeg").write_text("no image")
    (root / "test/NORMAL/.DS_Store").write_text("mac")
    return root


@pytest.fixture
def index(odd: Path) -> DataIndex:
    """The odd data set, connected."""
    built = build_index(odd)
    connect(built)
    return built


def page(view: str | None = None, **query: str | list[str]) -> AppTest:
    """The page as a browser finds it at an address."""
    at = app_test(APP)
    at.switch_page("pages/dataset.py")
    for name, value in {**({"view": view} if view else {}), **query}.items():
        at.query_params[name] = value
    return whole(at.run())


def whole(at: AppTest) -> AppTest:
    """The page, after checking that no bug ended it."""
    assert not at.exception, at.exception
    return at


def texts(at: AppTest, *kinds: str) -> str:
    kinds = kinds or ("error", "warning", "info", "success", "markdown", "caption")
    return "\n".join(said(element) for kind in kinds for element in at.get(kind))


def said(element: object) -> str:
    """What a reader sees of an element's text: without the escapes that keep it from being read as Markdown."""
    return re.sub(r"\\([^a-zA-Z0-9\s])", r"\1", str(element.value))


def button(at: AppTest, label: str) -> "st.testing.v1.element_tree.Button":
    found = [item for item in at.button if item.label == label]
    assert len(found) == 1, [item.label for item in at.button]
    return found[0]


def tiles(at: AppTest) -> list[str]:
    """Ids of the images that the page offers to open, in order."""
    return [str(item.key).removeprefix("open_grid_") for item in at.button if str(item.key).startswith("open_grid_")]


def look_at(at: AppTest, view: str) -> None:
    """Open another tab."""
    at.session_state["view"] = view
    whole(at.run())


def shown_image(at: AppTest) -> str:
    """Id of the image that the address names."""
    return at.query_params["image"]


# --- Summary ----------------------------------------------------------------------------------------------------------


def test_summary_counts_every_split_class_and_patient(index: DataIndex, odd: Path) -> None:
    at = page()
    shown = at.table[0].value
    assert shown.columns.tolist() == ["train", "val", "test", "all"]
    for split in ("train", "val", "test"):
        counted = {
            label: sum(1 for path in (odd / split / label).glob("*.jpeg") if path.stat().st_size > 100)
            for label in ("NORMAL", "PNEUMONIA")
        }
        assert {label: shown.loc[label, split] for label in counted} == {
            label: str(number) for label, number in counted.items()
        }
        assert shown.loc["images", split] == str(sum(counted.values()))
    assert shown.loc["images", "all"] == "72"
    assert shown.loc[["of it bacteria", "of it virus", "of it unknown"], "train"].tolist() == ["20", "10", "0"]
    assert shown.loc[["of it bacteria", "of it virus", "of it unknown"], "test"].tolist() == ["0", "5", "2"]
    assert shown.loc["PNEUMONIA, share", "val"] == "0.0 %"
    # By the file names: IM 0 to 14 and the odd one, persons 0 to 19 by cause, one number for all three prefixes.
    assert shown.loc["patients", "train"] == str(15 + 1 + 20 + 10)
    assert [metric.value for metric in at.metric] == [
        "72",
        str(index.table["patient_id"].nunique()),
        str(index.table["pooled_id"].nunique()),
        "2",
    ]


def test_findings_are_shown_in_the_order_of_the_audit_severe_ones_as_warnings(index: DataIndex) -> None:
    at = page()
    found = audit(index)
    severe = [finding for finding in found if finding.severity is Severity.MISLEADING]
    assert [said(element) for element in at.warning] == [f"{one.message} {one.consequence}" for one in severe]
    assert [one.code for one in severe] == ["duplicates-span-splits", "patients-span-splits"]
    (lines,) = (
        said(element).splitlines() for element in at.markdown if "badge" in element.value and "- " in element.value
    )
    rest = found[len(severe) :]
    for finding, line in zip(rest, lines, strict=False):
        assert f" {finding.severity.value}] {finding.message}" in line
    assert "'Images' shows them" in next(line for line in lines if "byte-identical" in line)
    assert len(lines) == len(rest) + 1
    assert "'Sizes and modes'" in lines[-1]
    assert "fine" not in texts(at, "markdown")


def test_the_page_counts_shared_patients_as_the_model_card_does(index: DataIndex, tmp_path: Path) -> None:
    assert shared_by_prefix(shared_patients(index.table)) in texts(page(), "warning")
    for split, name in (("train", "IM-0001-0001"), ("test", "IM-0002-0001")):
        write_image(tmp_path / f"apart/{split}/NORMAL/{name}.jpeg", int(name[6]))
        write_image(
            tmp_path / f"apart/{split}/PNEUMONIA/person1_{'virus' if split == 'train' else 'bacteria'}_1.jpeg", 9
        )
    connect(build_index(tmp_path / "apart"))
    shared = shared_patients(build_index(tmp_path / "apart").table)
    assert (shared.patients, shared.pooled) == (0, 1)
    assert shared_by_prefix(shared) in texts(page(), "markdown")
    assert shared_without_prefix(shared) in texts(page(), "markdown")


def test_files_that_were_left_out_are_listed_with_reasons(index: DataIndex) -> None:
    left_out, ignored = (table.value for table in page().dataframe)
    assert dict(zip(left_out["file"], left_out["reason"], strict=True)) == {
        "train/NORMAL/empty.jpeg": "empty",
        "train/NORMAL/words.jpeg": "not an image",
    }
    assert ignored.to_numpy().tolist() == [["macOS files", 1]]


def test_count_table_of_an_empty_split_has_no_share(index: DataIndex) -> None:
    table = index.table[index.table["split"] != "val"]
    row = count_table(table).set_index("split").loc["val"]
    assert row["images"] == 0
    assert row["PNEUMONIA, share"] == "no images"


@pytest.mark.parametrize("as_shares", [False, True])
def test_stacked_bars_add_up(index: DataIndex, as_shares: bool) -> None:
    figure = count_figure(index.table, as_shares=as_shares)
    lengths = np.sum([bar.x for bar in figure.data], axis=0)
    np.testing.assert_allclose(lengths, [1, 1, 1] if as_shares else [61, 1, 10])
    assert [bar.name for bar in figure.data] == [
        "NORMAL",
        "PNEUMONIA, bacteria",
        "PNEUMONIA, virus",
        "PNEUMONIA, unknown",
    ]


def test_phantoms_are_badged_and_shown_where_nothing_is_connected(
    tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(tiny_data))
    at = page()
    assert "phantoms" in texts(at, "markdown")
    assert at.metric[0].value == str(PHANTOMS)


# --- Images -----------------------------------------------------------------------------------------------------------


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


# --- Sizes and modes --------------------------------------------------------------------------------------------------


def slow_auroc(table: pd.DataFrame, values: pd.Series) -> float:
    sick = values[table["label"] == Label.PNEUMONIA]
    well = values[table["label"] == Label.NORMAL]
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a in sick for b in well]
    return sum(wins) / len(wins)


def test_giveaways_are_aurocs_of_single_features(index: DataIndex) -> None:
    table = index.table.copy()
    table["width"] = 48
    values = features(table)
    for name, direction, estimate in giveaways("altered", "all", table):
        if name == "width (pixels)":
            assert isinstance(estimate, NotApplicable)
            assert direction == "equal"
            continue
        assert isinstance(estimate, Estimate)
        expected = slow_auroc(table, values[name])
        assert direction == ("more" if expected >= 0.5 else "less")
        assert math.isclose(estimate.value, max(expected, 1 - expected), rel_tol=1e-12)
        assert estimate.low <= estimate.value <= estimate.high
        assert estimate.n == 72


def test_page_warns_where_files_give_the_class_away(index: DataIndex) -> None:
    at = page("Sizes and modes", files_of="train")
    assert "AUROC of 1.00" in said(at.warning[0])
    shown = at.dataframe[0].value
    assert shown["split"].tolist() == ["train"] * 5
    assert set(shown["n"]) == {"61"}
    modes = at.dataframe[-1].value
    assert modes.to_numpy().tolist() == [["L", 31, 30]]


def test_page_does_not_warn_of_phantoms(tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(tiny_data))
    assert page("Sizes and modes").warning == []


def test_split_with_one_class_or_no_image_says_so(index: DataIndex) -> None:
    shown = page("Sizes and modes", files_of="val").dataframe[0].value
    assert shown["AUROC"].str.startswith("n/a: ").all()
    shutil.rmtree(index.root / "val")
    connect(build_index(index.root))
    assert "val has no image" in texts(page("Sizes and modes", files_of="val"), "info")


def test_features_are_drawn_by_name_from_the_address(index: DataIndex) -> None:
    at = page("Sizes and modes", feature="width (pixels)")
    assert at.selectbox[0].value == "width (pixels)"
    spread = at.dataframe[1].value.set_index("class")
    assert spread.loc["NORMAL", "median"] == "48"
    assert spread.loc["PNEUMONIA", "maximum"] == "64"
    assert page("Sizes and modes", feature="../x").selectbox[0].value == "file size (kB)"


def test_images_of_one_size_are_said_to_be(tmp_path: Path) -> None:
    for number in range(4):
        write_image(tmp_path / "same/train/NORMAL" / f"IM-{number:04}-0001.jpeg", number)
        write_image(tmp_path / "same/train/PNEUMONIA" / f"person{number}_virus_1.jpeg", 9 + number)
    connect(build_index(tmp_path / "same"))
    at = page("Sizes and modes", feature="height (pixels)")
    assert "Every image is 48 × 40 pixels" in texts(at, "info")
    assert "Every image has height (pixels) 40" in texts(at, "info")


def test_histogram_counts_every_image_once_in_the_same_bins(index: DataIndex) -> None:
    sizes = features(index.table)["file size (kB)"]
    numbers = {label: sizes[index.table["label"] == label].to_numpy() for label in Label}
    figure, table = histogram(numbers, "file size (kB)")
    for label, bar in zip(Label, figure.data, strict=True):
        assert table[f"{label.name} images"].sum() == len(numbers[label])
        assert math.isclose(sum(bar.y), 1)
    edges = [*table["from"], table["to"].iloc[-1]]
    low, high = edges[3], edges[4]
    inside = sum(low <= value < high for value in numbers[Label.NORMAL])
    assert table["NORMAL images"][3] == inside
    assert (edges[0], edges[-1]) == (sizes.min(), sizes.max())


def test_quantiles_of_a_missing_class_are_words() -> None:
    table = quantile_table({Label.NORMAL: np.array([1.0, 2.0, 3.0]), Label.PNEUMONIA: np.array([])})
    assert table.loc[0, ["n", "minimum", "median", "maximum"]].tolist() == [3, "1", "2", "3"]
    assert table.loc[1, "median"] == "no images"


def test_scatter_draws_at_most_2000_points(index: DataIndex) -> None:
    many = pd.concat([index.table] * 40, ignore_index=True)
    assert len(many) > 2000
    figure, drawn = scatter(many)
    assert drawn == 2000 == sum(len(trace.x) for trace in figure.data)
    assert scatter(index.table)[1] == 72


# --- Connecting -------------------------------------------------------------------------------------------------------


def test_folder_is_indexed_connected_and_shown_at_once(odd: Path, tiny_data: Path) -> None:
    connect(build_index(tiny_data))
    at = page()
    look_at(at, "Images")
    whole(at.text_input[0].set_value("phantom").run())
    look_at(at, "Connect data")
    at.text_input[0].set_value(f'  "{odd}" ')
    whole(button(at, "Index and connect").click().run())
    assert connected_id() == build_index(odd).data_id
    assert "Connected: 72 images." in texts(at, "success")
    assert at.metric[0].value == "72"
    look_at(at, "Images")
    assert len(tiles(at)) == 24, "filters of the old data set must not hide the new one"
    assert "Connected" not in texts(at), "said once is enough"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "A folder is required"),
        (" '' ", "A folder is required"),
        ("/no/such/folder", "no folder there"),
        ("relative/folder", "whole path"),
        ("../../etc", "whole path"),
        ("~nobody-of-that-name/x", "must be readable"),
        ("/" + "x" * 999, "must be readable"),
        ("/a\0b", "A folder is required"),
        ("{tmp}/file", "no folder there"),
        ("{tmp}/bare", "train, val and test"),
        ("{tmp}/hollow", "needs PNG or JPEG files"),
        ("{tmp}/broken", "at least one readable image"),
    ],
)
def test_folder_that_cannot_be_connected_is_refused_in_one_line(
    index: DataIndex, tmp_path: Path, typed: str, words: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "bare").mkdir()
    (tmp_path / "hollow/train/NORMAL").mkdir(parents=True)
    (tmp_path / "broken/train/NORMAL").mkdir(parents=True)
    (tmp_path / "broken/train/NORMAL/a.jpeg").write_text("x")
    at = page("Connect data")
    at.text_input[0].set_value(typed.format(tmp=tmp_path))
    whole(button(at, "Index and connect").click().run())
    assert len(at.error) == 1
    assert words in said(at.error[0])
    assert "Received: " in said(at.error[0])
    assert "\n" not in said(at.error[0])
    assert connected_id() == index.data_id


def test_same_images_elsewhere_are_shown_from_there(index: DataIndex, odd: Path, tmp_path: Path) -> None:
    assert page().metric[0].value == "72"
    moved = tmp_path / "moved"
    odd.rename(moved)
    at = page("Connect data")
    assert "which is missing" in said(at.error[0])
    at.text_input[0].set_value(str(moved))
    whole(button(at, "Index and connect").click().run())
    assert connected_id() == index.data_id
    assert not at.error
    assert len(page("Images").get("image")) == 24


@pytest.mark.slow
def test_phantoms_are_drawn_and_connected_by_a_click(index: DataIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phantom, "write_phantoms", partial(phantom.write_phantoms, count=60))
    at = page("Connect data")
    whole(button(at, "Use the phantoms").click().run())
    assert "phantoms" in texts(at, "markdown")
    assert at.metric[0].value == "60"
    assert connected_id() not in {None, index.data_id}


def test_server_that_takes_no_data_says_why_and_does_nothing(
    index: DataIndex, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMO_ALLOW_TRAINING", "0")
    at = page("Connect data")
    assert "PNEUMO_ALLOW_TRAINING" in texts(at, "info")
    labels = ("Index and connect", "Use the phantoms", "Download")
    assert [button(at, label).disabled for label in labels] == [True] * 3
    assert at.text_input[0].disabled
    # A browser that was tampered with can click all the same.
    at.text_input[0].proto.disabled = False
    at.text_input[0].set_value(str(tiny_data))
    for label in labels:
        pressed = button(at, label)
        pressed.proto.disabled = False
        whole(pressed.click().run())
    assert connected_id() == index.data_id
    assert not kaggle_folder().exists()
    assert not (datasets_root() / "phantom").exists()


# --- The download -----------------------------------------------------------------------------------------------------


@pytest.fixture
def no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_CONFIG_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def credentials(no_credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "made up")


def write_status(stage: str, done: int = 0, total: int = 0, error: str = "") -> None:
    kaggle_folder().mkdir(parents=True, exist_ok=True)
    facts = {"stage": stage, "done": done, "total": total, "error": error, "updated_at": 1.0}
    (kaggle_folder() / "download.json").write_text(json.dumps(facts))


@pytest.fixture
def running() -> Iterator[None]:
    """A download that is half done, as far as its files and its lock say."""
    write_status("downloading", 1_200_000_000, 2_400_000_000)
    with hold_lock(kaggle_folder() / "download.lock"):
        yield


def test_running_download_shows_progress_and_can_be_cancelled(
    index: DataIndex, credentials: None, running: None
) -> None:
    at = page("Connect data")
    bar = at.main.get("progress")[0]
    assert bar.value == 50
    assert bar.text == "Downloading: 1.20 of 2.40 GB (50 %)"
    whole(at.button("cancel_download").click().run())
    assert (kaggle_folder() / "cancel").exists()
    assert at.button("cancel_download").disabled


def test_download_that_ends_while_one_looks_is_connected(index: DataIndex, credentials: None, tiny_data: Path) -> None:
    write_status("downloading", 1, 2)
    with hold_lock(kaggle_folder() / "download.lock"):
        at = page("Connect data")
        assert at.main.get("progress")
    write_status("done", PHANTOMS, PHANTOMS)
    shutil.copytree(tiny_data, kaggle_folder() / "chest_xray")
    whole(at.run())
    # Another look finds it there, and offers it rather than take it without having been asked.
    whole(button(at, "Connect the downloaded copy").click().run())
    assert f"Connected: {PHANTOMS} images." in texts(at, "success")
    assert "Downloaded, and connected." in texts(page("Connect data"), "success")
    assert connected_id() == build_index(tiny_data).data_id  # Last, because the index's folder is now this one.


def test_failed_download_says_why_and_offers_another_try(index: DataIndex, credentials: None) -> None:
    write_status("downloading", 5, 10, error="The disk must have room. Received: none")
    at = page("Connect data")
    assert said(at.error[0]) == "The disk must have room. Received: none"
    assert button(at, "Try again").disabled is False


def test_stopped_download_can_be_gone_on_with(index: DataIndex, credentials: None) -> None:
    write_status("downloading", 600_000_000, 2_400_000_000)
    at = page("Connect data")
    assert "the received part is kept" in said(at.warning[0])
    assert "0.60 of 2.40 GB" in said(at.warning[0])
    assert button(at, "Resume the download").disabled is False


def test_damaged_status_is_told_and_can_be_replaced(index: DataIndex, credentials: None) -> None:
    write_status("downloading")
    (kaggle_folder() / "download.json").write_text('{"stage": 3}')
    at = page("Connect data")
    assert "download.json must hold" in said(at.error[0])
    assert button(at, "Download").disabled is False


def test_missing_credentials_are_explained_before_and_after_a_try(index: DataIndex, no_credentials: None) -> None:
    at = page("Connect data")
    assert "Create a token at [kaggle.com/settings]" in texts(at, "caption")
    assert "datasets/kaggle" in texts(at, "markdown")
    whole(button(at, "Download").click().run())
    for _ in range(100):
        if at.error:
            break
        whole(at.run())
    assert [said(error) for error in at.error] == ["The last try ended without a token: see step 1."]
    assert button(at, "Try again").disabled is False


def steps(at: AppTest) -> list[str]:
    """State of each of the three steps."""
    titles = [said(element) for element in at.markdown if re.match(r"\*\*\d · ", element.value)]
    return [re.search(r" (\w+)\]$", title)[1] for title in titles]  # type: ignore[index]


def test_the_steps_to_kaggles_data_say_how_far_they_are(
    index: DataIndex, no_credentials: None, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert steps(page("Connect data")) == ["now", "waiting", "waiting"]
    monkeypatch.setenv("KAGGLE_API_TOKEN", "made up")
    assert steps(page("Connect data")) == ["done", "now", "waiting"]
    shutil.copytree(tiny_data, kaggle_folder() / "chest_xray")
    at = page("Connect data")
    assert steps(at) == ["done", "done", "now"]
    whole(button(at, "Connect the downloaded copy").click().run())
    assert steps(page("Connect data")) == ["done", "done", "done"]
    build_index(tiny_data)  # Last, because the index's folder is now the other one.


@pytest.mark.parametrize("folder", ["artifacts", "home"])
def test_no_folder_of_the_server_is_shown(index: DataIndex, no_credentials: None, tmp_path: Path, folder: str) -> None:
    place = datasets_root() if folder == "artifacts" else tmp_path / "home/x"
    write_status("downloading", 5, 10, error=f"{place} must have room. Received: {str(place)!r}; free some")
    at = page("Connect data")
    named = "artifacts/datasets" if folder == "artifacts" else "~/x"
    assert said(at.error[0]) == f"{named} must have room. Received: '{named}'; free some"
    assert str(tmp_path) not in texts(at)
    assert not at.code


@pytest.mark.parametrize(
    ("progress", "fraction", "words"),
    [
        (DownloadProgress(DownloadStage.CREDENTIALS, 0, 0), 0.0, "Asking Kaggle"),
        (DownloadProgress(DownloadStage.DOWNLOADING, 3_000_000, 0), 0.0, "Downloading: 3 MB so far"),
        (DownloadProgress(DownloadStage.UNPACKING, 3, 2), 1.0, "Unpacking: 0.00 of 0.00 GB (100 %)"),
        (DownloadProgress(DownloadStage.VERIFYING, 2928, 5856), 0.5, "Counting the images: 2,928 of 5,856"),
    ],
)
def test_progress_in_words(progress: DownloadProgress, fraction: float, words: str) -> None:
    assert progress_text(progress) == (fraction, words)
