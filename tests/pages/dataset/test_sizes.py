"""Sizes and modes: what files give away of the class."""

import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pages.ui.dataset import file_facts, sizes
from pages.ui.dataset.file_facts import features, giveaways, histogram, quantile_table, scatter
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.source import connect
from pneumo_core.records import Estimate, Label, NotApplicable
from tests.pages.dataset.page import page, said, write_image
from tests.pages.opening import texts


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


def test_of_very_many_images_as_many_are_ranked_as_is_quick(index: DataIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (file_facts, sizes):
        monkeypatch.setattr(module, "MOST_RANKED", 50)
    at = page("Sizes and modes")
    assert set(at.dataframe[0].value["n"]) == {"50"}
    assert f"Of the {len(index.table):,} images, 50 were drawn at random." in texts(at, "caption")
    found = giveaways("sampled", "all", index.table)
    assert {estimate.n for _, _, estimate in found if isinstance(estimate, Estimate)} == {50}
