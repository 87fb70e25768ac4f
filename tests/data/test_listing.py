"""Labels from a CSV file: what it says is the data set, and what it gets wrong is named with its line."""

from pathlib import Path

import pytest

from pneumo_core.data.index import DataIndex, build_index, find_source, load_index, require_trainable, unread_files
from pneumo_core.data.listing import read_listing
from pneumo_core.data.source import chosen_data, connect
from pneumo_core.errors import DataError
from pneumo_core.records import Label, Split, Subtype
from tests.data.image_files import encode, gray
from tests.hostile import refuses

ROWS = [
    ("scans/a.png", "NORMAL", "train", "p1"),
    ("scans/b.png", "PNEUMONIA", "train", "p2"),
    ("scans/deep/c.png", "NORMAL", "test", "p3"),
    ("d.png", "VIRUS", "test", ""),
]


def write(folder: Path, text: str | None = None, separator: str = ",") -> Path:
    """A CSV file beside the images that it lists, and one that it does not."""
    for number, name in enumerate([*(row[0] for row in ROWS), "scans/extra.png"]):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encode(gray(seed=number)))
    lines = [("path", "label", "split", "patient"), *ROWS]
    listing = folder / "labels.csv"
    listing.write_text("\n".join(separator.join(line) for line in lines) if text is None else text)
    return listing


def facts(index: DataIndex) -> list[tuple[object, ...]]:
    return [*index.table[["image_id", "label", "split", "subtype", "patient_id"]].itertuples(index=False, name=None)]


EXPECTED = [
    ("d.png", Label.PNEUMONIA, "test", "virus", "file:d.png"),
    ("scans/a.png", Label.NORMAL, "train", "none", "listed-p1"),
    ("scans/b.png", Label.PNEUMONIA, "train", "unknown", "listed-p2"),
    ("scans/deep/c.png", Label.NORMAL, "test", "none", "listed-p3"),
]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_what_it_lists_is_the_data_set(tmp_path: Path, separator: str) -> None:
    listing = write(tmp_path, separator=separator)
    assert unread_files(find_source(listing)) == 4
    index = build_index(listing)
    assert facts(index) == EXPECTED
    assert (index.root, index.source) == (tmp_path.resolve(), listing.resolve())
    assert [(row.files, row.reason) for row in index.left_out] == [(1, "not listed in it")]
    assert load_index(index.data_id).source == index.source
    assert unread_files(find_source(listing)) == 0
    assert index.pixels(32).shape == (4, 32, 32)
    require_trainable(index)


def test_words_may_be_written_otherwise(tmp_path: Path) -> None:
    text = (
        "\ufeffsep=,\nSplit, PATH ,Label,Notes\nTraining,scans\\a.png,0,x\nvalidation,scans/b.png,pneumonia,\n\n"
        f"Test,{tmp_path.as_posix()}/d.png, Bacterial ,\n"
    )
    places, _ = read_listing(write(tmp_path, text))
    assert [(place.image_id, place.split, place.label, place.subtype, place.patient) for place in places] == [
        ("d.png", Split.TEST, Label.PNEUMONIA, Subtype.BACTERIA, None),
        ("scans/a.png", Split.TRAIN, Label.NORMAL, None, None),
        ("scans/b.png", Split.VAL, Label.PNEUMONIA, None, None),
    ]


def test_the_id_is_one_of_what_it_says_too(tmp_path: Path) -> None:
    ids = set()
    for row in (ROWS[0], ("scans/a.png", "NORMAL", "val", "p1"), ("scans/a.png", "NORMAL", "train", "p9")):
        text = "path,label,split,patient\n" + "\n".join(",".join(line) for line in [row, *ROWS[1:]])
        ids.add(build_index(write(tmp_path, text)).data_id)
    assert len(ids) == 3


def test_other_classes_and_splits_are_counted(tmp_path: Path) -> None:
    text = "path,label,split\nscans/a.png,NORMAL,train\nscans/b.png,COVID,train\nd.png,COVID,test\nx.png,NORMAL,later\n"
    _, left_out = read_listing(write(tmp_path, text))
    assert [(row.place, row.files, row.advice) for row in left_out] == [
        ("label 'COVID'", 2, "write NORMAL or PNEUMONIA in labels.csv"),
        ("split 'later'", 1, "write train, val or test in labels.csv"),
        ("images beside the CSV file", 2, ""),
    ]


def test_many_other_words_are_counted_together(tmp_path: Path) -> None:
    rows = "".join(f"{number}.png,class {number},train\n" for number in range(500))
    _, left_out = read_listing(write(tmp_path, "path,label,split\nd.png,0.0,train\n" + rows))
    assert len(left_out) < 25
    assert sum(row.files for row in left_out if "label" in row.place or "other" in row.place) == 500


def test_phantoms_are_known_wherever_they_lie(tmp_path: Path) -> None:
    (tmp_path / "PHANTOM-NORMAL-0001-0001.jpeg").write_bytes(encode(gray()))
    listing = tmp_path / "labels.csv"
    listing.write_text("path,label,split\nPHANTOM-NORMAL-0001-0001.jpeg,NORMAL,train\n")
    assert build_index(listing).is_phantom


def test_a_listed_file_that_is_not_there_is_unreadable(tmp_path: Path) -> None:
    text = "path,label,split\nscans/a.png,NORMAL,train\ngone.png,NORMAL,train\n"
    (file,) = build_index(write(tmp_path, text)).unreadable
    assert (file.image_id, file.reason) == ("gone.png", "not_readable")


@pytest.mark.parametrize(
    ("text", "received"),
    [
        ("", "without ['path', 'label', 'split']"),
        ("path,label\nscans/a.png,NORMAL\n", "without ['split']"),
        ("path,label,split\n", "0 rows"),
        ("path,label,split\nscans/a.png,COVID,train\n", "1 of them with label 'COVID'; write NORMAL or PNEUMONIA"),
        ("path,label,split\n../a.png,NORMAL,train\n", "'../a.png' in line 2"),
        ("path,label,split\n/etc/a.png,NORMAL,train\n", "'/etc/a.png' in line 2"),
        ("path,label,split\nC:\\a.png,NORMAL,train\n", "in line 2"),
        ("path,label,split\n,NORMAL,train\n", "must have a path. Received: '' in line 2"),
        ("path,label,split,label\nd.png,NORMAL,train,1\n", "with ['label'] several times"),
        (
            'path,label,split,note\nd.png,NORMAL,train,"12 inch\nscans/a.png,NORMAL,train,x\n',
            "a quote may lack its other",
        ),
        ('path,label,split,note\nd.png,NORMAL,train,"a\nb"\n', "must be one line"),
        ("path,label,split\nd.png,NORMAL,train\nd.png,NORMAL,test\n", "'d.png' in lines 2 and 3"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, received: str) -> None:
    with refuses(DataError, received):
        build_index(write(tmp_path, text))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    listing = write(tmp_path)
    listing.write_bytes("path,label,split\nüber.png,NORMAL,train\n".encode("latin-1"))
    with refuses(DataError, "save it as UTF-8"):
        build_index(listing)


def test_it_can_be_connected(tmp_path: Path) -> None:
    listing = write(tmp_path)
    connect(build_index(listing))
    assert chosen_data(None).folder == listing.resolve()
    listing.unlink()
    with refuses(DataError, "nothing at", "labels.csv"):
        chosen_data(None)
