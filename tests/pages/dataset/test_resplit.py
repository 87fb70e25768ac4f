"""The form of saved splits: saved, listed with what they do, deleted; and offered by Train."""

import pytest
from streamlit.testing.v1 import AppTest

from pneumo_core.data.index import DataIndex
from pneumo_core.data.measures import measure
from pneumo_core.data.resplit import WORDS, make_split
from pneumo_core.data.saved_splits import SplitKind, save_split, saved_splits
from pneumo_core.runs.store import splits_root
from tests.pages.dataset.page import button, page
from tests.pages.opening import labels, opened, press, texts
from tests.pages.train.page import opened_for_one

SAVE = "Save this split"


def choose(at: AppTest, kind: SplitKind) -> AppTest:
    return at.radio(key="split rule").set_value(kind).run()


def test_a_split_is_saved_listed_and_deleted(index: DataIndex) -> None:
    at = choose(page("Splits"), SplitKind.BLOCKS)
    at.number_input(key="split seed").set_value(2)
    at.slider(key="split share").set_value(30)
    press(at, SAVE)
    (split,) = saved_splits(index.data_id)
    assert split == make_split(index, SplitKind.BLOCKS, "blocks-2-30", seed=2, fraction=0.3)
    assert "Saved as blocks-2-30." in texts(at, "success")
    assert "Blocks, seed 2, 30 % to be held out" in texts(at, "markdown")
    assert at.dataframe[-1].value["part"].tolist() == ["train", "val"]
    at.text_input(key="split name").set_value("mine")
    press(at, SAVE)
    assert [one.name for one in saved_splits(index.data_id)] == ["blocks-2-30", "mine"]
    press(at, "Delete")
    assert "Deleted blocks-2-30" in texts(at, "success")
    (left,) = saved_splits(index.data_id)
    (splits_root() / f"mine-{left.digest}.json").write_text("{}")
    at.run()
    assert "must hold a split" in texts(at, "warning")


def test_a_name_that_is_taken_or_odd_is_refused_in_a_line(index: DataIndex) -> None:
    save_split(make_split(index, SplitKind.PATIENTS, "mine"))
    at = choose(page("Splits"), SplitKind.BLOCKS)
    for name, words in (("mine", "must be new"), ("My split", "small letters")):
        at.text_input(key="split name").set_value(name)
        press(at, SAVE)
        assert words in texts(at, "error")
    assert len(saved_splits(index.data_id)) == 1


@pytest.mark.parametrize("kind", [SplitKind.DEDUPLICATED, SplitKind.SHARPNESS])
def test_a_rule_that_needs_measures_asks_for_them(index: DataIndex, kind: SplitKind) -> None:
    at = choose(page("Splits"), kind)
    assert SAVE not in labels(at)
    assert "needs the measures of every image" in texts(at, "info")
    measure(index)
    press(choose(page("Splits"), kind), SAVE)
    assert [split.kind for split in saved_splits(index.data_id)] == [kind]


def test_every_rule_is_explained(index: DataIndex) -> None:
    assert WORDS.keys() == set(SplitKind)
    assert list(page("Splits").radio(key="split rule").options) == [kind.value for kind in SplitKind]


def test_a_server_that_trains_nothing_saves_nothing(index: DataIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_ALLOW_TRAINING", "0")
    at = page("Splits")
    assert button(at, SAVE).disabled
    assert "saves no split" in texts(at, "caption")


def test_train_offers_a_split_once_one_is_saved(index: DataIndex) -> None:
    assert "saved split" not in {box.key for box in opened_for_one().selectbox}
    split = save_split(make_split(index, SplitKind.BLOCKS))
    at = opened_for_one()
    at.selectbox(key="saved split").set_value(split.name).run()
    assert "split blocks-0" in texts(at)
    labels = index.table[(index.table["split"] == "train") & ~index.table["image_id"].isin(split.val)]["label"]
    numbers = f"{(labels == 0).sum()} images of NORMAL and {(labels == 1).sum()} of PNEUMONIA"
    assert numbers in "\n".join(map(str, at.radio(key="balance").proto.captions))
    at.number_input(key="seeds").set_value(2).run()
    # All seeds hold out its patients.
    assert "same patients" not in {toggle.key for toggle in at.toggle}
    assert not at.exception


def test_findings_lead_to_their_evidence(index: DataIndex) -> None:
    at = page("Audit")
    first = next(item for item in at.button if item.label.startswith("See "))
    place = first.label.removeprefix("See ")
    first.click().run()
    assert at.session_state["view"] == place
    assert opened("dataset", view=place)
