"""Uploads on Predict: one, several, refused ones, turned ones, samples; and what the session keeps of them."""

import io
import zipfile
from collections import Counter

import numpy as np
import pytest
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.testing.v1 import AppTest

from pages.ui.cached import loaded_classifier
from pages.ui.predict import kept, sides
from pages.ui.state import UPLOADS
from pneumo_core.data.images import Decoded
from pneumo_core.data.phantom import first_phantoms
from pneumo_core.inference.classify import Classifier, Prediction, classify_decoded
from pneumo_core.inference.spots import Spot
from tests.data.dicom_files import dicom
from tests.data.image_files import encode
from tests.pages.opening import labels, opened, press, texts, whole

pytestmark = pytest.mark.usefixtures("kept_caches", "with_finished_run")

_, (FIRST, SECOND, *_OTHERS) = first_phantoms(3)
VERDICTS = {"Reads as PNEUMONIA", "Reads as NORMAL", "Close to the threshold"}


def drop(page: AppTest, *files: tuple[str, bytes]) -> AppTest:
    """The page after these files were dropped together."""
    page.file_uploader[0].set_value([(name, content, "image/png") for name, content in files])
    return whole(page.run())


def names(page: AppTest) -> list[str]:
    """Of the open cases, as headers."""
    return [header.value.replace("\\", "") for header in page.header]


@pytest.fixture
def classified(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was classified."""
    counted: Counter[str] = Counter()

    def counting(model: Classifier, image: Decoded, name: str) -> Prediction:
        counted[name] += 1
        return classify_decoded(model, image, name)

    monkeypatch.setattr(kept, "classify_decoded", counting)
    return counted


def test_before_an_upload_it_says_what_the_model_saw_and_does_elsewhere_and_where_an_image_stays() -> None:
    page = opened("predict")
    assert "Not a medical device" in texts(page)
    assert "**It learned from** synthetic phantoms" in texts(page)
    assert "AUROC of .95 on it and .54 on children of another source" in texts(page)
    assert "never stored, logged or shown to others" in texts(page)
    assert not page.metric


def test_a_second_file_takes_the_place_of_the_first_even_if_it_is_refused() -> None:
    page = drop(opened("predict"), ("first.png", encode(FIRST)))
    assert names(page) == ["first.png"]
    assert page.metric[0].value in VERDICTS
    page = drop(page, ("letter.txt", b"a letter"))
    assert names(page) == ["letter.txt"]
    assert "Refused: " in texts(page, "error")
    assert not page.metric
    assert "first.png" not in texts(page)
    assert [case.name for case in page.session_state[UPLOADS].cases] == ["letter.txt"]
    assert not any("first.png" in repr(key) for key in page.session_state[UPLOADS].made)
    assert not drop(page, ("second.png", encode(SECOND))).error


def test_a_file_is_taken_out_of_streamlits_own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    removed = []
    remove = MemoryUploadedFileManager.remove_file

    def removing(manager: MemoryUploadedFileManager, session_id: str, file_id: str) -> None:
        removed.append(file_id)
        remove(manager, session_id, file_id)

    monkeypatch.setattr(MemoryUploadedFileManager, "remove_file", removing)
    drop(opened("predict"), ("a.png", encode(FIRST)), ("b.png", encode(SECOND)))
    assert len(set(removed)) == 2


def test_a_file_is_classified_once_whatever_is_opened_or_moved(classified: Counter[str]) -> None:
    page = opened("predict")
    page.session_state["fold Your own threshold"] = True
    page = drop(page, ("first.png", encode(FIRST)))
    whole(page.slider(key="opacity").set_value(0.8).run())
    own = next(slider for slider in page.slider if slider.label == "Threshold")
    page = whole(own.set_value(0.0).run())
    assert "reads as **PNEUMONIA**" in texts(page)
    assert classified == {"first.png": 1}


def test_the_reader_s_own_threshold_is_one_file_s() -> None:
    page = drop(opened("predict"), ("first.png", encode(FIRST)))
    page.session_state["fold Your own threshold"] = True
    page = whole(page.run())
    usual = page.slider[-1].value
    page = whole(page.slider[-1].set_value(0.01 if usual > 0.5 else 0.99).run())
    page = drop(page, ("second.png", encode(SECOND)))
    assert page.slider[-1].label == "Threshold"
    assert page.slider[-1].value == usual


def test_the_strongest_spot_is_marked_where_it_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Spot] = []

    def marking(picture: np.ndarray, spot: Spot) -> np.ndarray:
        seen.append(spot)
        return np.zeros_like(picture)

    sent: list[np.ndarray] = []
    monkeypatch.setattr("pages.ui.predict.picture.strongest", lambda _: Spot(0.9, 0.1))
    monkeypatch.setattr("pages.ui.predict.picture.marked", marking)
    monkeypatch.setattr("pages.ui.predict.picture.as_jpeg", lambda pixels: sent.append(pixels) or encode(FIRST))
    drop(opened("predict"), ("first.png", encode(FIRST)))
    assert seen == [Spot(0.9, 0.1)]
    assert not sent[-1].any()


def test_an_image_upside_down_is_turned_on_a_click_and_comes_back_on_another() -> None:
    page = drop(opened("predict"), ("down.png", encode(np.ascontiguousarray(np.rot90(FIRST, 2)))))
    assert "upside down" in texts(page, "error")
    assert "As uploaded" not in labels(page)
    page = press(page, "Turn it by 180 degrees")
    assert not page.error
    assert page.metric[0].value in VERDICTS
    assert "Turn it by 180 degrees" not in labels(page)
    assert names(page) == ["down.png, turned by 180 degrees"]
    page = press(page, "As uploaded")
    assert names(page) == ["down.png"]
    assert "upside down" in texts(page, "error")
    assert not page.metric


def test_two_faults_are_mended_one_after_the_other_and_undone_together() -> None:
    fault = encode(np.ascontiguousarray(np.rot90(255 - FIRST, 2)))
    page = drop(opened("predict"), ("both.png", fault))
    for _ in range(2):
        page = whole(page.button(key="mend").click().run())
    assert page.metric[0].value in VERDICTS
    assert "upside down" not in texts(page)
    assert press(page, "As uploaded").error


def test_samples_need_no_data_and_are_marked_as_synthetic() -> None:
    page = opened("predict")
    assert [label for label in labels(page) if label.startswith("Phantom")] == ["Phantom 1", "Phantom 2", "Phantom 3"]
    page = press(page, "Phantom 2")
    assert page.metric[0].value in VERDICTS
    assert "Synthetic: a phantom" in texts(page, "markdown")
    assert "Phantom 1" not in labels(page)
    assert "Phantom 1" in labels(press(page, "Close"))


def test_what_a_dicom_file_says_stays_when_its_image_is_turned() -> None:
    page = drop(opened("predict"), ("down", dicom(np.ascontiguousarray(np.rot90(FIRST, 2)), PatientAge="054Y")))
    assert "From the file: " in texts(page, "caption")
    assert "54 years" in texts(page, "caption")
    page = press(page, "Turn it by 180 degrees")
    assert page.metric[0].value in VERDICTS
    assert "Be careful: " in texts(page, "warning")
    assert "54 years" in texts(page, "caption")


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"ward/{name}.png", content)
    return buffer.getvalue()


def test_a_zip_is_opened_into_its_images_and_a_bad_one_is_refused_with_what_to_do() -> None:
    page = drop(opened("predict"), ("all.zip", zipped(a=encode(FIRST), b=encode(SECOND))))
    assert list(page.dataframe[0].value["file"]) == ["all.zip/ward/a.png", "all.zip/ward/b.png"]
    page = drop(page, ("none.zip", zipped()))
    assert not page.dataframe
    assert "What to do: " in texts(page, "error")


def test_a_model_beside_the_chosen_one_is_read_from_the_address_and_says_whether_they_agree(
    with_finished_run, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "baseline-000000000000"
    monkeypatch.setattr(sides, "_others", lambda _: {other: "Another"})
    monkeypatch.setattr(sides, "loaded_classifier", lambda _: loaded_classifier(with_finished_run.run_id))
    page = drop(opened("predict", beside=other), ("first.png", encode(FIRST)))
    assert page.multiselect(key="beside").value == [other]
    assert "**Both models agree: " in texts(page)
    assert len(page.table[0].value) == 2


@pytest.mark.parametrize(
    ("fold", "words"),
    [
        ("How far to trust the heat map", "heat map"),
        ("How stable the answer is", "No other seed of this model is at hand."),
        ("Nearest training images", "nearest of"),
    ],
)
def test_what_is_folded_is_there_once_opened(fold: str, words: str) -> None:
    page = opened("predict")
    page = drop(page, ("first.png", encode(FIRST)))
    before = texts(page)
    page.session_state[f"fold {fold}"] = True
    page = whole(page.run())
    assert words in texts(page).replace(before, "")
    assert texts(page) != before


def test_in_the_table_a_warning_stands_before_its_verdict_and_number() -> None:
    small = np.ascontiguousarray(FIRST[::2, ::2])  # Smaller than any training image.
    page = drop(opened("predict"), ("a.png", encode(FIRST)), ("small.png", encode(small)))
    (table,) = page.dataframe
    columns = list(table.value.columns)
    assert columns.index("answer") < columns.index("probability")
    first, warned = table.value["answer"]
    assert first in VERDICTS
    start, _, verdict = warned.partition(": ")
    assert (start, verdict in VERDICTS) == ("Be careful", True)
    page = whole(page.radio[-1].set_value("Be careful").run())
    assert list(page.dataframe[0].value["file"]) == ["small.png"]


def test_several_files_give_a_table_with_a_filter_by_answer(classified: Counter[str]) -> None:
    page = drop(
        opened("predict"),
        ("a.png", encode(FIRST)),
        ("letter.txt", b"a letter"),
        ("b.png", encode(SECOND)),
        ("c.txt", b""),
    )
    (table,) = page.dataframe
    assert list(table.value["file"]) == ["a.png", "letter.txt", "b.png", "c.txt"]
    assert list(table.value["answer"].isin(VERDICTS)) == [True, False, True, False]
    assert list(table.value["picture"].notna()) == [True, False, True, False]
    assert table.value["picture"][0].startswith("data:image/jpeg;base64,")
    page = whole(page.radio[-1].set_value("Refused").run())
    assert list(page.dataframe[0].value["file"]) == ["letter.txt", "c.txt"]
    assert page.dataframe[0].value["probability"].isna().all()
    assert classified == {"a.png": 1, "b.png": 1}
    assert not page.metric
