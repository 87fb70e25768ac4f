"""VGG16's weights file: which one is found, what is read of it, and files that hold no such weights."""

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from pneumo_core.config.architecture import VGG16_BLOCKS
from pneumo_core.errors import ConfigError, CorruptError
from pneumo_core.models.vgg16_weights import FILE, found_file, read_weights
from tests.hostile import assert_one_line, without_rights


def test_each_layer_s_kernel_and_bias_are_read_in_order(vgg16_weights: Path) -> None:
    weights = read_weights(vgg16_weights)
    names = [f"block{block}_conv{n}" for block, (count, _) in enumerate(VGG16_BLOCKS, 1) for n in range(1, count + 1)]
    assert list(weights) == names
    with h5py.File(vgg16_weights) as file:
        for name, (kernel, bias) in weights.items():
            np.testing.assert_array_equal(kernel, file[name][f"{name}_W_1:0"][()])
            np.testing.assert_array_equal(bias, file[name][f"{name}_b_1:0"][()])


def without(path: Path, name: str) -> None:
    with h5py.File(path, "r+") as file:
        del file[name]


def reshaped(path: Path, name: str) -> None:
    with h5py.File(path, "r+") as file:
        kernel = file[name][f"{name}_W_1:0"][()]
        del file[name][f"{name}_W_1:0"]
        file[name][f"{name}_W_1:0"] = kernel[..., :-1]


def text_for_weights(path: Path, name: str) -> None:
    with h5py.File(path, "r+") as file:
        shape = file[name][f"{name}_b_1:0"].shape
        del file[name][f"{name}_b_1:0"]
        file[name].create_dataset(f"{name}_b_1:0", shape, h5py.string_dtype())


def rotten(path: Path, name: str) -> None:
    """The search tree of the layer's group is no tree any more."""
    with h5py.File(path) as file:
        where = h5py.h5g.get_objinfo(file[name].id).objno[0]
    data = path.read_bytes()
    tree = data.index(b"TREE", where)
    path.write_bytes(data[:tree] + b"ROOT" + data[tree + 4 :])


def not_a_number(path: Path, name: str) -> None:
    with h5py.File(path, "r+") as file:
        file[name][f"{name}_W_1:0"][0, 0, 0, 0] = np.nan


def cut(path: Path, name: str) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


@pytest.mark.parametrize(
    ("damage", "reported"),
    [
        (without, "block3_conv2"),
        (reshaped, "block3_conv2 has the shapes"),
        (text_for_weights, "block3_conv2 has the shapes"),
        (not_a_number, "block3_conv2 has weights that are not finite"),
        (rotten, "path="),
        (cut, "path="),
    ],
)
def test_a_damaged_layer_is_reported_in_one_line(
    vgg16_weights: Path, tmp_path: Path, damage: Callable[[Path, str], None], reported: str
) -> None:
    path = tmp_path / "vgg16.h5"
    shutil.copy(vgg16_weights, path)
    damage(path, "block3_conv2")
    with pytest.raises(CorruptError) as caught:
        read_weights(path)
    assert_one_line(caught.value, "PNEUMO_VGG16_WEIGHTS", FILE, str(path), reported)


@pytest.mark.parametrize("content", [b"\x89HDF\r\n\x1a\n", b"PK\x03\x04 a zip", b"not HDF5 at all\n" * 1000])
def test_what_is_no_hdf5_is_reported_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.h5"
    path.write_bytes(content)
    with pytest.raises(CorruptError) as caught:
        read_weights(path)
    assert_one_line(caught.value, "PNEUMO_VGG16_WEIGHTS", FILE, str(path))


def test_a_file_that_may_not_be_read_is_reported(vgg16_weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "secret.h5"
    shutil.copy(vgg16_weights, path)
    path.chmod(0)
    with without_rights(), pytest.raises(CorruptError) as caught:
        read_weights(path)
    assert_one_line(caught.value, "PNEUMO_VGG16_WEIGHTS", FILE, str(path))


def kernel(*shape: int) -> NDArray[np.float32]:
    return np.ones(shape, np.float32)


def first_layer(**arrays: NDArray[np.generic]) -> Callable[[h5py.File], None]:
    """A file whose first layer holds these arrays."""

    def write(file: h5py.File) -> None:
        group = file.create_group("block1_conv1")
        for name, array in arrays.items():
            group[name] = array

    return write


def nested(file: h5py.File) -> None:
    file.create_group("block1_conv1").create_group("block1_conv1")["kernel"] = kernel(3, 3, 3, 64)


def array_in_a_layer_s_place(file: h5py.File) -> None:
    file["block1_conv1"] = kernel(3, 3, 3, 64)


@pytest.mark.parametrize(
    "write",
    [
        lambda _: None,
        first_layer(),
        first_layer(kernel=kernel(3, 3, 3, 64)),
        first_layer(kernel=kernel(3, 3, 1, 64), bias=kernel(64)),
        first_layer(kernel=kernel(64, 3, 3, 3), bias=kernel(64)),
        first_layer(kernel=kernel(3, 3, 3, 64), bias=kernel(32)),
        first_layer(kernel=kernel(3, 3, 3, 64), bias=kernel(64), more=kernel(64)),
        first_layer(kernel=np.full((3, 3, 3, 64), np.nan, np.float32), bias=kernel(64)),
        first_layer(kernel=kernel(3, 3, 3, 64), bias=np.full(64, np.inf, np.float32)),
        first_layer(kernel=np.full((3, 3, 3, 64), b"text"), bias=kernel(64)),
        first_layer(kernel=kernel(3, 3, 3, 64), bias=kernel(64)),  # And nothing behind it.
        nested,
        array_in_a_layer_s_place,
    ],
    ids=[
        *("nothing", "no arrays", "no bias", "gray kernel", "channels first", "short bias", "three arrays"),
        *("NaN kernel", "infinite bias", "text", "one layer", "nested", "no group"),
    ],
)
def test_files_without_the_weights_are_reported(tmp_path: Path, write: Callable[[h5py.File], None]) -> None:
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        write(file)
    with pytest.raises(CorruptError) as caught:
        read_weights(path)
    assert_one_line(caught.value, "PNEUMO_VGG16_WEIGHTS", FILE, f"path={str(path)!r}")


@pytest.mark.parametrize("damage", ["missing", "a folder", "empty", "no HDF5", "cut short"])
def test_missing_and_damaged_files_are_reported(vgg16_weights: Path, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "weights.h5"
    if damage == "a folder":
        path.mkdir()
    elif damage != "missing":
        with vgg16_weights.open("rb") as file:
            path.write_bytes({"empty": b"", "no HDF5": b"mine", "cut short": file.read(10_000_000)}[damage])
    with pytest.raises(CorruptError) as caught:
        read_weights(path)
    assert_one_line(caught.value, "PNEUMO_VGG16_WEIGHTS", FILE, f"path={str(path)!r}")


def test_the_file_is_the_setting_s_then_keras_own_then_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    assert found_file() is None
    downloaded = tmp_path / "keras" / "models" / FILE
    downloaded.mkdir(parents=True)
    assert found_file() is None  # A folder is no file.
    downloaded.rmdir()
    downloaded.touch()
    assert found_file() == downloaded
    named = tmp_path / "mine.h5"
    named.touch()
    monkeypatch.setenv("PNEUMO_VGG16_WEIGHTS", str(named))
    assert found_file() == named
    named.unlink()
    with pytest.raises(ConfigError) as caught:  # Not another file's features, unasked.
        found_file()
    assert_one_line(caught.value, f"PNEUMO_VGG16_WEIGHTS must name a file. Received: path={str(named)!r}")
