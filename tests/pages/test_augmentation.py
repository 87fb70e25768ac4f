"""Augmentation as a visitor meets it: presets, controls, notes, files in and out, and addresses that lie."""

import json
import re
import shutil
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from streamlit.testing.v1 import AppTest

from pages.ui.augmentation.effect import View, augmented, description, gray_figure, gray_levels
from pages.ui.augmentation.history import History
from pages.ui.augmentation.settings import GROUPS, PRESETS, SLIDERS, TOGGLES, Setting, preset_setting
from pneumo_core.augmentation.mixup import draw_mix
from pneumo_core.augmentation.plausibility import plausibility
from pneumo_core.augmentation.transform import AugmentParameters, augment, draw_parameters
from pneumo_core.config.augment import AUGMENTATIONS, AugmentConfig
from pneumo_core.config.augment_file import read_augmentation, write_augmentation
from pneumo_core.config.classifier import Preset
from pneumo_core.config.presets import preset_config
from pneumo_core.data.images import load_array
from pneumo_core.data.index import build_index
from pneumo_core.errors import ConfigError
from pneumo_core.records import Architecture
from tests.pages.opening import opened, press, whole
from tests.waiting import app_test

pytestmark = pytest.mark.usefixtures("kept_caches")

PICTURES = 4 * (1 + 3)  # Of a setting: an original and three views of four images.
CUSTOM = AugmentConfig(zoom=0.1234, rotation_deg=33.0, vertical_flip=True, blur_sigma=0.123)


@pytest.fixture(autouse=True)
def phantoms(tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(tiny_data))


def setting(at: AppTest) -> AugmentConfig:
    """What the controls of the augmentation stand on."""
    controls = [*at.slider, *at.toggle]
    return AugmentConfig(**{control.key: control.value for control in controls if control.key != "mixup"})


def own(at: AppTest) -> list[Any]:
    """The pictures of the setting that is shown."""
    pictures = at.get("image")
    assert len(pictures) == PICTURES
    return pictures


def notes(at: AppTest) -> list[str]:
    return [line for item in at.markdown for line in item.value.splitlines() if line.startswith("- ")]


def assert_notes(at: AppTest, config: AugmentConfig, mixup: float = 0.0) -> None:
    """Every operation in use has its name, its verdict as a word and its reason."""
    shown = [re.fullmatch(r"- \*\*(.+)\*\* :\w+-badge\[(\w+)\] (.+)", note) for note in notes(at)]
    expected = [(note.operation, note.verdict.value, note.reason) for note in plausibility(config, mixup)]
    assert [match.groups() for match in shown if match] == expected


def said(at: AppTest) -> str:
    kinds = ("error", "info", "success", "header", "caption")
    return "\n".join(str(item.value).replace("\\", "") for kind in kinds for item in at.get(kind))


REPORT, SOUND, BEST = "Use the report's", "Use sound ones", "Use the best"


def upload(at: AppTest, content: bytes) -> AppTest:
    at.file_uploader[0].set_value(("setting.json", content, "application/json"))
    return whole(at.run())


# --- What is shown ----------------------------------------------------------------------------------------------------


def test_the_own_setting_is_open_first_and_starts_with_nothing() -> None:
    at = opened("augmentation")
    assert not at.error
    assert [tab.label for tab in at.tabs] == ["My own", "Report", "Sound", "Best"]
    assert [item.value for item in at.header] == ["Your settings (none)"]
    assert notes(at) == []
    assert setting(at) == AUGMENTATIONS["none"]
    assert "Nothing is changed" in said(at)
    assert "phantoms" in at.markdown[0].value
    assert "--augment pneumo-augmentation-none.json" in at.code[0].value


@pytest.mark.parametrize(
    ("tab", "title", "name"),
    [("Report", "As the report did", "report"), ("Sound", "Sound", "sound"), ("Best", "Best", "jitter")],
)
def test_each_preset_has_a_tab_with_its_verdicts_and_pictures(tab: str, title: str, name: str) -> None:
    at = opened("augmentation", setting=tab)
    assert not at.error
    assert [item.value for item in at.header] == [title]
    assert_notes(at, AUGMENTATIONS[name], preset_config(Architecture.BASELINE, PRESETS[name]).mixup)
    assert len(own(at)) == PICTURES
    assert not at.slider
    assert any("Vertical flip" in note and "implausible" in note for note in notes(at)) is (name == "report")


def test_every_picture_says_what_it_shows() -> None:
    for query, is_changed in (({"setting": "Report"}, True), ({}, False)):
        texts = [item.proto.imgs[0].alt or item.proto.alt for item in opened("augmentation", **query).get("image")]
        assert len(set(texts)) == PICTURES
        assert all(re.match(r"Image \d, (NORMAL|PNEUMONIA), (original|view \d: .+)", text) for text in texts)
        assert {text.split(", ")[1] for text in texts} == {"NORMAL", "PNEUMONIA"}
        assert any("upside down" in text for text in texts) is is_changed
        assert all(text.endswith("unchanged") for text in texts if "view" in text) is not is_changed


def test_pictures_are_what_training_would_get(tiny_data: Path) -> None:
    index = build_index(tiny_data)
    images = load_array(index.root, index.table["image_id"].tolist(), data_id=index.data_id, size=150)[:8]
    for name, config in AUGMENTATIONS.items():
        shown = augmented(images, Setting(config), 5, 2)
        trained = augment(images, config, np.random.default_rng([5, 2]))
        assert np.abs(shown.images - trained).max() <= 0.5, name
        few = augmented(images[:3], Setting(config), 5, 2)
        np.testing.assert_array_equal(few.images, shown.images[:3])
        assert (
            shown.parameters.flip_vertical == AUGMENTATIONS["report"].vertical_flip
        ).any() or not config.vertical_flip


def test_originals_are_squared_as_every_preset_trains_on_them(tiny_data: Path) -> None:
    index = build_index(tiny_data)
    sizes = {preset_config(Architecture.BASELINE, preset).image_size for preset in Preset}
    assert sizes == {150}
    squares = load_array(index.root, index.table["image_id"].tolist(), data_id=index.data_id, size=150)

    def pictures(images):
        import streamlit

        for image in images:
            streamlit.image(image, width="stretch")

    known = {item.value[0] for item in app_test(pictures, args=(squares,)).run().get("image")}
    shown = own(opened("augmentation"))
    assert {item.value[0] for item in shown} <= known
    assert len({item.value[0] for item in shown}) == 4


def test_mixup_mixes_the_views_as_training_does(tiny_data: Path) -> None:
    index = build_index(tiny_data)
    images = load_array(index.root, index.table["image_id"].tolist(), data_id=index.data_id, size=150)[:4]
    setting = Setting(AUGMENTATIONS["sound"], 0.5)
    view, plain = augmented(images, setting, 5, 2), augmented(images, Setting(setting.augment), 5, 2)
    share, order = draw_mix(0.5, 4, np.random.default_rng([5, 2, 1]))
    assert share < 1
    expected = share * plain.images + (1 - share) * plain.images[order]
    assert np.abs(view.images - expected).max() <= 1
    for i, other in enumerate(order.tolist()):
        words = f"mixed with {round(100 * (1 - share))} % of image {other + 1}"
        assert (words in description(view, i)) is (other != i)
        assert "mixed" not in description(plain, i)


def test_mixup_is_shown_undone_and_trained_with() -> None:
    at = opened("augmentation")
    before = [item.value for item in own(at)]
    whole(at.slider(key="mixup").set_value(0.4).run())
    assert setting(at) == AugmentConfig()
    assert [item.value for item in own(at)] != before
    assert_notes(at, AugmentConfig(), 0.4)
    assert "--augment pneumo-augmentation-none.json --mixup 0.4" in at.code[0].value
    assert opened("augmentation", mixup="0.4").slider(key="mixup").value == 0.4
    press(at, "Undo")
    assert at.slider(key="mixup").value == 0
    press(at, BEST)
    assert at.slider(key="mixup").value == preset_setting("jitter").mixup > 0
    assert setting(at) == AUGMENTATIONS["jitter"]
    whole(upload(at, write_augmentation(CUSTOM)))
    assert at.slider(key="mixup").value == preset_setting("jitter").mixup  # No file holds it.
    press(at, SOUND)
    assert at.slider(key="mixup").value == 0


def test_own_views_of_a_preset_are_the_preset_s() -> None:
    at = opened("augmentation", zoom="0.3", vertical_flip="true")
    assert setting(at) == AUGMENTATIONS["report"]
    report = [item.value for item in own(opened("augmentation", setting="Report"))]
    assert [item.value for item in own(at)] == report
    assert "Your settings (report)" in said(at)
    other = opened("augmentation", zoom="0.3", vertical_flip="true", draw="1")
    assert [item.value for item in own(other)][::4] == report[::4]
    assert [item.value for item in own(other)] != report


def test_class_and_sample_choose_the_images() -> None:
    def originals(at: AppTest) -> list[str]:
        return [item.value[0] for item in own(at)[::4]]

    def classes(at: AppTest) -> list[str]:
        alts = [(item.proto.imgs[0].alt or item.proto.alt).split(", ")[1] for item in own(at)[::4]]
        assert [item.value for item in at.caption if item.value in {"NORMAL", "PNEUMONIA"}] == alts
        return alts

    assert classes(opened("augmentation", of="NORMAL")) == ["NORMAL"] * 4
    assert classes(opened("augmentation", of="PNEUMONIA")) == ["PNEUMONIA"] * 4
    both = opened("augmentation")
    assert sorted(classes(both)) == ["NORMAL"] * 2 + ["PNEUMONIA"] * 2
    assert originals(both) == originals(opened("augmentation"))
    whole(both.number_input(key="sample").set_value(1).run())
    assert set(originals(both)) != set(originals(opened("augmentation")))


# --- Controls ---------------------------------------------------------------------------------------------------------


def test_each_field_has_one_control_with_the_config_s_own_limits() -> None:
    assert set(SLIDERS) | set(TOGGLES) == {field.name for field in fields(AugmentConfig)}
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted([*SLIDERS, *TOGGLES, "mixup"])
    for name, (_, high, step, _) in SLIDERS.items():
        assert getattr(AugmentConfig(**{name: high}), name) == high
        with pytest.raises(ConfigError):
            AugmentConfig(**{name: np.nextafter(high, np.inf).item()})
        assert 0 < step < high


@pytest.mark.parametrize("name", [*SLIDERS, *TOGGLES])
def test_each_control_changes_the_pictures_and_the_notes(name: str) -> None:
    # The aspect matters to a zoom only.
    at = opened("augmentation", zoom="0.5") if name == "zoom_keeps_aspect" else opened("augmentation")
    before = [item.value for item in own(at)]
    value = True if name in TOGGLES else SLIDERS[name][1] / 2
    control = at.toggle(key=name) if name in TOGGLES else at.slider(key=name)
    whole(control.set_value(value).run())
    config = setting(at)
    assert getattr(config, name) == value
    assert [item.value for item in own(at)] != before
    assert [item.value for item in own(at)][::4] == before[::4]
    assert_notes(at, config)


def enabled(at: AppTest) -> tuple[bool, bool]:
    """Whether there is something to undo, and to redo."""
    undo, redo = (next(item for item in at.button if item.label == label) for label in ("Undo", "Redo"))
    return not undo.disabled, not redo.disabled


def test_undo_takes_back_one_step_at_a_time_and_redo_does_them_again() -> None:
    at = opened("augmentation", contrast="0.4")
    mine = setting(at)
    assert enabled(at) == (False, False)
    press(at, SOUND)
    whole(at.slider(key="blur_sigma").set_value(2.0).run())
    moved = setting(at)
    press(at, REPORT)
    steps = [mine, AUGMENTATIONS["sound"], moved, AUGMENTATIONS["report"]]
    assert setting(at) == steps[-1]
    for place in (2, 1, 0):
        assert setting(press(at, "Undo")) == steps[place]
        assert enabled(at) == (place > 0, True)
    for place in (1, 2, 3):
        assert setting(press(at, "Redo")) == steps[place]
        assert enabled(at) == (True, place < 3)


def test_what_was_undone_is_dropped_by_another_change() -> None:
    at = press(press(opened("augmentation"), REPORT), "Undo")
    whole(at.toggle(key="horizontal_flip").set_value(True).run())
    assert enabled(at) == (True, False)
    assert setting(press(at, "Undo")) == AugmentConfig()
    assert setting(press(at, "Redo")) == AugmentConfig(horizontal_flip=True)


def test_a_preset_that_is_set_already_is_no_step() -> None:
    at = press(press(opened("augmentation"), REPORT), REPORT)
    assert setting(press(at, "Undo")) == AugmentConfig()
    assert enabled(at) == (False, True)


def test_undo_and_redo_have_keys() -> None:
    keys = {item.label: item.proto.shortcut for item in opened("augmentation").button}
    assert (keys["Undo"].lower(), keys["Redo"].lower()) == ("ctrl+z", "ctrl+shift+z")


@given(st.lists(st.integers(0, 4) | st.sampled_from(["undo", "redo"]), max_size=40))
def test_the_history_is_that_of_two_stacks(actions: list[int | str]) -> None:
    history, past, now, future = History((AugmentConfig(),)), [], AugmentConfig(), []
    for action in actions:
        if action == "undo":
            history = history.moved(-1)
            if past:
                future.append(now)
                now = past.pop()
        elif action == "redo":
            history = history.moved(1)
            if future:
                past.append(now)
                now = future.pop()
        else:
            other = AugmentConfig(zoom=int(action) / 10)
            history = history.noted(other)
            if other != now:
                past, now, future = [*past, now], other, []
        assert (history.current, history.can_undo, history.can_redo) == (now, bool(past), bool(future))


def test_a_history_keeps_its_newest_steps() -> None:
    history = History((AugmentConfig(),))
    for number in range(500):
        history = history.noted(AugmentConfig(rotation_deg=float(number % 100 + 1)))
    assert len(history.steps) == 200
    assert history.current == AugmentConfig(rotation_deg=100.0)


def test_the_setting_survives_a_change_of_page() -> None:
    at = press(opened("augmentation", of="NORMAL", draw="3"), REPORT)
    whole(at.switch_page("pages/overview.py").run())
    whole(at.switch_page("pages/augmentation.py").run())
    assert setting(at) == AUGMENTATIONS["report"]
    assert at.number_input(key="draw").value == 3


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"zoom": "9"}, ["There is no zoom '9'. It goes from 0 to 0.9."]),
        ({"zoom": "abc"}, ["There is no zoom 'abc'. It goes from 0 to 0.9."]),
        ({"zoom": "-1"}, ["zoom '-1'"]),
        ({"zoom": "nan"}, ["zoom 'nan'"]),
        ({"zoom": "inf"}, ["zoom 'inf'"]),
        ({"of": "normal"}, ["There is no class 'normal'. There is all, NORMAL or PNEUMONIA."]),
        ({"rotation_deg": "<script>"}, ["There is no rotation '<script>'. It goes from 0 to 180."]),
        ({"vertical_flip": "maybe"}, ["'maybe'. There is true or false."]),
        (
            {"sample": "-5", "draw": "1e400", "of": "../etc"},
            ["class '../etc'", "There is no sample '-5'. It goes from 0 to 999,999.", "seed of the changes '1e400'"],
        ),
        ({"sample": "nan", "draw": "-inf"}, ["sample 'nan'", "seed of the changes '-inf'"]),
        ({"sample": "2.5", "draw": "9" * 400}, ["seed of the changes '999"]),
        ({"blur_sigma": "9" * 400}, ["There is no blur up to '999"]),
        ({"mixup": "2"}, ["There is no mixup '2'. It goes from 0 to 1."]),
    ],
)
def test_values_in_the_address_that_no_control_can_have_are_told_and_dropped(
    query: dict[str, str], told: list[str]
) -> None:
    at = opened("augmentation", contrast="0.4", **query)
    assert setting(at) == AugmentConfig(contrast=0.4)
    assert not at.error
    assert len(own(at)) == PICTURES
    texts = [warning.value.replace("\\", "") for warning in at.warning]
    for text, part in zip(texts, told, strict=True):
        assert part in text
        assert "\n" not in text
        assert len(text) < 160
    assert [item.label for item in at.button].count("Use the usual one") == len(told)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"zoom": "0.9", "vertical_flip": "TRUE", "of": "NORMAL", "sample": "999999", "draw": "0"},
        {"rotation_deg": "180.0", "vertical_flip": "", "blur_sigma": "0", "horizontal_flip": "false", "of": ""},
        {"zoom": ""},
        {"run": "of another page"},
    ],
)
def test_an_address_that_the_controls_can_have_is_not_complained_of(query: dict[str, str]) -> None:
    at = opened("augmentation", **query)
    assert not at.warning
    kept = {name: float(value) for name, value in query.items() if value and name in SLIDERS}
    assert {name: getattr(setting(at), name) for name in kept} == kept


def test_a_refused_value_is_told_once() -> None:
    at = opened("augmentation", zoom="9")
    assert at.warning
    assert "zoom" not in at.query_params
    whole(at.number_input(key="draw").set_value(1).run())
    assert not at.warning


def test_the_address_follows_presets_undo_and_files() -> None:
    at = opened("augmentation", contrast="0.4")
    steps = [partial(press, at, name) for name in (SOUND, REPORT, "Undo", "Redo")]
    for step in (*steps, lambda: upload(at, write_augmentation(CUSTOM)), lambda: press(at, "Undo")):
        step()
        assert setting(opened("augmentation", **at.query_params)) == setting(at)
        assert len(at.query_params) > 0


# --- Files ------------------------------------------------------------------------------------------------------------


def test_the_download_is_a_file_that_training_accepts() -> None:
    at = upload(opened("augmentation"), write_augmentation(CUSTOM))

    def button(data):
        import streamlit

        streamlit.download_button(
            "Save", data, "pneumo-augmentation-custom.json", "application/json", on_click="ignore"
        )

    expected = app_test(button, args=(write_augmentation(setting(at)),)).run()
    assert at.get("download_button")[0].proto.url == expected.get("download_button")[0].proto.url
    assert read_augmentation(write_augmentation(setting(at))) == CUSTOM


def test_an_opened_file_becomes_the_setting_and_can_be_undone() -> None:
    at = upload(opened("augmentation", shift="0.2"), write_augmentation(CUSTOM))
    assert setting(at) == CUSTOM
    assert "Opened" in said(at)
    assert "Your settings (custom)" in said(at)
    # The file stays, and what is moved afterwards stays moved.
    whole(at.slider(key="contrast").set_value(0.5).run())
    assert setting(at).contrast == 0.5
    assert setting(press(at, "Undo")) == CUSTOM
    assert setting(press(at, "Undo")) == AugmentConfig(shift=0.2)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "does not parse"),
        (b"\x89PNG\r\n", "does not parse"),
        (write_augmentation(CUSTOM)[:-9], "does not parse"),
        (b"{" * 5000, "4,096 bytes"),
        (json.dumps({"kind": "augmentation", "schema": 1}).encode(), "missing="),
        (write_augmentation(CUSTOM).replace(b"0.1234", b"NaN"), "zoom=nan"),
        (write_augmentation(CUSTOM).replace(b"33.0", b'"**bold**"'), "rotation_deg='**bold**'"),
    ],
)
def test_a_damaged_file_is_one_clear_line_and_changes_nothing(content: bytes, told: str) -> None:
    at = upload(opened("augmentation", shift="0.2"), content)
    (error,) = at.error
    assert told in error.value.replace("\\", "")
    assert "\n" not in error.value
    assert "**" not in error.value
    assert setting(at) == AugmentConfig(shift=0.2)
    assert len(own(at)) == PICTURES


# --- Data that is not as it was ---------------------------------------------------------------------------------------


def test_an_image_that_is_gone_is_one_clear_line(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_data, copy)
    monkeypatch.setenv("PNEUMO_DATA", str(copy))
    at = opened("augmentation", of="NORMAL")
    for path in (copy / "train" / "PNEUMONIA").iterdir():
        path.unlink()
    whole(at.radio(key="of").set_value("PNEUMONIA").run())
    (error,) = at.error
    assert "connect the folder again" in error.value


def test_a_data_set_without_images_to_train_on_says_so(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_data / "test", tmp_path / "copy" / "test")
    monkeypatch.setenv("PNEUMO_DATA", str(tmp_path / "copy"))
    (error,) = opened("augmentation").error
    assert "images of train" in error.value


# --- Gray levels and words --------------------------------------------------------------------------------------------


@given(hnp.arrays(np.uint8, (2, 5, 4)), hnp.arrays(np.uint8, (2, 5, 4)))
def test_gray_levels_are_shares_of_the_pixels(before: np.ndarray, after: np.ndarray) -> None:
    table = gray_levels(before, after)
    for name, pixels in (("before", before), ("after", after)):
        counted = [
            sum(1 for pixel in pixels.ravel() if low <= pixel <= high)
            for low, high in zip(table["from"], table["to"], strict=True)
        ]
        np.testing.assert_allclose(table[name], np.array(counted) / pixels.size)
    assert table["from"].iloc[0] == 0
    assert table["to"].iloc[-1] == 255


@pytest.mark.parametrize(("tab", "name"), [("My own", "your setting"), ("Report", "report"), ("Best", "jitter")])
def test_gray_levels_are_counted_where_they_are_open(tab: str, name: str) -> None:
    at = opened("augmentation", setting=tab)
    assert not at.get("plotly_chart")
    at.session_state[f"gray levels, {name}"] = True
    at.run()
    assert len(at.get("plotly_chart")) == 1
    assert not at.error
    assert "train, n = 64 images" in "\n".join(item.value for item in at.markdown)


def test_flips_change_no_gray_level() -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 9, 9), dtype=np.uint8)
    flipped = augmented(images, Setting(AugmentConfig(vertical_flip=True, horizontal_flip=True)), 0, 0)
    assert flipped.parameters.flip_vertical.any()
    table = gray_levels(images, flipped.images)
    np.testing.assert_array_equal(table["before"], table["after"])
    assert [line.name for line in gray_figure(table).data] == ["before", "after"]


def unmixed(parameters: AugmentParameters) -> View:
    """A view with these changes, whose pixels do not matter."""
    return View(np.zeros((len(parameters), 1, 1), np.uint8), parameters, 1.0, np.arange(len(parameters)))


def test_words_name_what_was_drawn_and_nothing_else() -> None:
    words = {
        "zoom": "magnified",
        "rotation_deg": "turned",
        "shift": "moved",
        "horizontal_flip": "mirrored",
        "vertical_flip": "upside down",
        "contrast": "contrast times",
        "brightness": "gray levels",
        "blur_sigma": "blurred",
        "aspect": "stretched",
        "resolution": "reduced",
        "sharpness": "detail",
        "gamma": "gamma",
        "noise": "noise",
        "jpeg": "JPEG",
        "cutout": "square",
    }
    assert set(words) == {*SLIDERS, *TOGGLES} - {"zoom_keeps_aspect"}
    for name, word in words.items():
        config = AugmentConfig(**{name: True if name in TOGGLES else SLIDERS[name][1]})
        view = unmixed(draw_parameters(config, 8, np.random.default_rng(1)))
        texts = [description(view, i) for i in range(8)]
        assert any(word in text for text in texts)
        assert not any(other in text for text in texts for other in set(words.values()) - {word})
    nothing = draw_parameters(AugmentConfig(zoom_keeps_aspect=True), 1, np.random.default_rng())
    assert description(unmixed(nothing), 0) == "unchanged"


def test_words_have_the_directions_right() -> None:
    """Against the pixels: a bright dot says where the picture went."""
    image = np.zeros((1, 101, 101), np.uint8)
    image[0, 48:53, 68:73] = 255
    for seed in range(12):
        config = AugmentConfig(shift=0.2) if seed % 2 else AugmentConfig(rotation_deg=30.0)
        view = augmented(image, Setting(config), seed, 0)
        y, x = np.argwhere(view.images[0] > 128).mean(axis=0)
        words = description(view, 0)
        if seed % 2:
            across, down = map(int, re.findall(r"([+-]?\d+) %", words.replace("\N{MINUS SIGN}", "-")))
            assert (across, down) == (
                pytest.approx(100 * (x - 70) / 101, abs=1),
                pytest.approx(100 * (y - 50) / 101, abs=1),
            )
        else:
            # The dot lies right of the center: counterclockwise lifts it.
            assert ("counterclockwise" in words) == (y < 50)
