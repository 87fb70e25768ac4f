"""Setting files: what is written comes back, and whatever else comes is refused with one line."""

import json
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumo_core.config.augment import ADDED_LATER, AUGMENTATIONS, AugmentConfig
from pneumo_core.config.augment_file import named_augmentation, read_augmentation, write_augmentation
from pneumo_core.errors import ConfigError
from tests.hostile import assert_one_line, refuses, without_rights

LIMITS = {"zoom": 0.9, "rotation_deg": 180.0, "shift": 0.5, "contrast": 0.9, "brightness": 0.5, "blur_sigma": 5.0}
SETTINGS = st.builds(
    AugmentConfig,
    **{name: st.floats(0.0, high) for name, high in LIMITS.items()},
    **{name: st.booleans() for name in ("zoom_keeps_aspect", "horizontal_flip", "vertical_flip")},
)
WHOLE = {"kind": "augmentation", "schema": 1, **asdict(AUGMENTATIONS["sound"])}


def changed(**values: object) -> bytes:
    """A file that is whole but for these values."""
    return json.dumps({**WHOLE, **values}).encode()


def without(*keys: str) -> bytes:
    return json.dumps({key: value for key, value in WHOLE.items() if key not in keys}).encode()


# --- What is written comes back ---------------------------------------------------------------------------------------


@given(SETTINGS)
def test_a_setting_comes_back(config: AugmentConfig) -> None:
    assert read_augmentation(write_augmentation(config)) == config


@given(SETTINGS)
def test_the_file_is_small_plain_json_with_every_field(config: AugmentConfig) -> None:
    data = write_augmentation(config)
    content = json.loads(data)
    assert content.pop("kind") == "augmentation"
    assert content.pop("schema") == 1
    assert content == {field.name: getattr(config, field.name) for field in fields(AugmentConfig)}
    assert len(data) < 1024
    assert data.endswith(b"}\n")


def test_a_file_of_an_earlier_version_has_nothing_of_what_was_added_later() -> None:
    every = replace(AUGMENTATIONS["sound"], **dict.fromkeys(ADDED_LATER, 0.25))
    content = json.loads(write_augmentation(every))
    earlier = {name: value for name, value in content.items() if name not in ADDED_LATER}
    assert read_augmentation(json.dumps(earlier).encode()) == AUGMENTATIONS["sound"]
    assert read_augmentation(write_augmentation(every)) == every


def test_a_file_on_disk_is_read_like_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "my setting.json"
    path.write_bytes(write_augmentation(AUGMENTATIONS["report"]))
    assert read_augmentation(path) == AUGMENTATIONS["report"]


def test_order_whitespace_whole_numbers_and_a_byte_order_mark_do_not_matter() -> None:
    content = dict(reversed({**WHOLE, "zoom": 0, "rotation_deg": 7}.items()))
    data = b"\xef\xbb\xbf" + json.dumps(content, indent=8).encode()
    config = read_augmentation(data)
    assert (config.zoom, config.rotation_deg, config.shift) == (0.0, 7.0, 0.05)


# --- What is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "does not parse"),
        (b"zoom: 0.3", "does not parse"),
        (b"\xff\xfe\xff", "does not parse"),
        (b"\x89PNG\r\n\x1a\n", "does not parse"),
        (write_augmentation(AUGMENTATIONS["sound"])[:-4], "does not parse"),
        (b"[" * 4000, "does not parse"),
        (b'{"kind": "augmentation", "zoom": 0.1, "zoom": 0.9}', "twice"),
        (b"null", "kind='augmentation'"),
        (b"[1, 2]", "kind='augmentation'"),
        (b'"augmentation"', "kind='augmentation'"),
        (b"{}", "kind='augmentation'"),
        (changed(kind="train"), "kind='augmentation'"),
        (changed(kind=["augmentation"]), "kind='augmentation'"),
        (without("kind"), "kind='augmentation'"),
        (changed(schema=2), "schema=2"),
        (changed(schema="1"), "schema='1'"),
        (without("schema"), "schema=None"),
        (without("zoom"), "missing=['zoom']"),
        (without("zoom", "shift"), "missing=['shift', 'zoom']"),
        (changed(mixup=0.2), "unknown=['mixup']"),
        (changed(**{"line\nbreak": 1}), r"unknown=['line\nbreak']"),
        (changed(zoom=float("nan")), "zoom=nan"),
        (changed(zoom=float("inf")), "zoom=inf"),
        (changed(zoom=10**400), "zoom=1000"),
        (changed().replace(b'"zoom": 0.1', b'"zoom": 1e999'), "zoom=inf"),
        (changed(zoom=0.91), "zoom=0.91"),
        (changed(zoom=-0.1), "zoom=-0.1"),
        (changed(rotation_deg=181), "rotation_deg=181"),
        (changed(blur_sigma="1"), "blur_sigma='1'"),
        (changed(shift=None), "shift=None"),
        (changed(contrast=True), "contrast=True"),
        (changed(brightness=[0.1]), "brightness=[0.1]"),
        (changed(vertical_flip=1), "vertical_flip=1"),
        (changed(zoom_keeps_aspect="yes"), "zoom_keeps_aspect='yes'"),
        (changed() + b" " * 4096, "4,096 bytes"),
        (b"\0" * 10**6, "4,096 bytes"),
    ],
)
@pytest.mark.parametrize("from_disk", [False, True])
def test_anything_else_is_refused(data: bytes, message: str, from_disk: bool, tmp_path: Path) -> None:
    path = tmp_path / "setting.json"
    path.write_bytes(data)
    with refuses(ConfigError, message):
        read_augmentation(path if from_disk else data)


@given(
    st.binary(max_size=60) | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_no_bytes_end_in_anything_but_a_setting_or_a_config_error(data: bytes) -> None:
    with pytest.raises(ConfigError):
        read_augmentation(data)


@pytest.mark.parametrize("name", ["gone.json", "a\nb.json", "zero\0byte", "x" * 5000, "."])
def test_what_cannot_be_opened_is_refused(name: str, tmp_path: Path) -> None:
    with refuses(ConfigError, "must be readable"):
        read_augmentation(tmp_path / name)


def test_a_file_without_the_right_to_read_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "setting.json"
    path.write_bytes(changed())
    path.chmod(0)
    with without_rights(), pytest.raises(ConfigError) as refused:
        read_augmentation(path)
    assert_one_line(refused.value, "ermission denied")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="an endless file is /dev/zero, which this system has not")
def test_an_endless_file_is_not_read_to_its_end() -> None:
    with pytest.raises(ConfigError, match="4,096 bytes"):
        read_augmentation(Path("/dev/zero"))


# --- By name ----------------------------------------------------------------------------------------------------------


def test_a_known_name_is_that_setting_whatever_lies_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sound").write_bytes(write_augmentation(AUGMENTATIONS["report"]))
    assert {name: named_augmentation(name) for name in AUGMENTATIONS} == AUGMENTATIONS
    assert named_augmentation("./sound") == AUGMENTATIONS["report"]


def test_a_name_that_is_neither_is_refused_with_what_there_is() -> None:
    with refuses(ConfigError, "augment='reprot'", "'report-rotation-40'", "file"):
        named_augmentation("reprot")


def test_a_damaged_file_is_refused_as_such(tmp_path: Path) -> None:
    path = tmp_path / "setting.json"
    path.write_bytes(b"{")
    with pytest.raises(ConfigError, match="does not parse"):
        named_augmentation(str(path))
    with pytest.raises(ConfigError, match="must be readable"):
        named_augmentation(str(tmp_path))
