"""Samples and Real or generated: a run in each of its states, new samples, hostile addresses, and a whole game."""

import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from pages.ui.gan.game import Game
from pneumo_core.data.phantom import write_phantoms
from pneumo_core.data.synthetic import is_synthetic
from pneumo_core.inference.generator import generate, latents, load_generator
from pneumo_core.inference.samples import sample_zip
from pneumo_core.records import RunState
from pneumo_core.runs.files import hold_lock
from pneumo_core.runs.status import update_status
from pneumo_core.runs.store import RunDirectory
from tests.pages.conftest import SHEET_EPOCHS, forget
from tests.pages.opening import opened, press, texts
from tests.waiting import app_test

pytestmark = pytest.mark.usefixtures("kept_caches")

SECTIONS = ("Timeline", "New samples", "Between two samples", "Real beside generated")
GAME = "Real or generated"


def pictures(page: AppTest) -> list[tuple[str, str]]:
    """Alternative text and address of each picture; equal pictures have equal addresses."""
    return [(image.alt or part.proto.alt, image.url) for part in page.get("image") for image in part.proto.imgs]


def address(image: np.ndarray) -> str:
    """Address of a picture that is shown as it is."""

    def one(image):
        import streamlit

        streamlit.image(image, output_format="PNG", alt="any")

    return pictures(app_test(one, args=(image,)).run())[0][1]


def sheet(run: RunDirectory, epoch: int) -> np.ndarray:
    return np.kron(np.asarray(Image.open(run.sheet(epoch))), np.ones((2, 2), np.uint8))


# --- Samples, by the state of the run ---------------------------------------------------------------------------------


def test_without_a_run_it_says_what_to_do(no_published: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(tiny_data))
    for show in ("Samples", GAME):
        assert "There is no DCGAN yet" in texts(opened("gan", show=show))


def test_the_timeline_shows_the_sheet_of_the_epoch_in_the_address_and_loads_no_generator(
    finished_gan: RunDirectory,
) -> None:
    finished_gan.model.write_bytes(b"damaged, and noticed as soon as it is loaded")
    page = opened("gan")
    assert not page.error
    slider = page.select_slider(key="sheet")
    assert (slider.options, slider.value) == ([str(epoch) for epoch in SHEET_EPOCHS], SHEET_EPOCHS[-1])
    assert [url for _, url in pictures(page)] == [address(sheet(finished_gan, SHEET_EPOCHS[-1]))]
    assert "64 generated images after epoch 40 of 120" in texts(page)
    page = opened("gan", sheet="10")
    assert [url for _, url in pictures(page)] == [address(sheet(finished_gan, 10))]
    assert "after epoch 10 of 120" in pictures(page)[0][0]


@pytest.mark.parametrize("section", SECTIONS[1:])
def test_a_damaged_generator_is_one_clear_line(finished_gan: RunDirectory, section: str) -> None:
    finished_gan.model.write_bytes(b"damaged")
    forget()
    page = opened("gan", samples=section)
    (error,) = page.error
    assert "model.onnx must have the SHA-256" in error.value.replace("\\", "")
    assert "\n" not in error.value


def test_a_damaged_sheet_is_one_clear_line(finished_gan: RunDirectory) -> None:
    finished_gan.sheet(40).write_bytes(b"damaged")
    assert "sheet-00040.png must have the SHA-256" in opened("gan").error[0].value.replace("\\", "")
    finished_gan.manifest.unlink()
    assert "an image must be a PNG, JPEG, WebP" in opened("gan").error[0].value.replace("\\", "")


def test_a_run_that_goes_on_or_has_failed_shows_what_it_has_drawn(finished_gan: RunDirectory) -> None:
    finished_gan.manifest.unlink()
    finished_gan.model.unlink()
    finished_gan.sheet(40).unlink()
    with hold_lock(finished_gan.run_lock):
        update_status(finished_gan, state=RunState.RUNNING)
        page = opened("gan")
        assert "after epoch 10 of 120" in texts(page)
        shutil.copy(finished_gan.sheet(10), finished_gan.sheet(20))
        press(page, "Load newer sheets")
        assert page.select_slider(key="sheet").options == ["1", "10", "20"]
    update_status(finished_gan, state=RunState.FAILED, error="samples must differ")
    page = opened("gan")
    assert "after epoch 20 of 120" in texts(page)
    assert "Load newer sheets" not in [button.label for button in page.button]
    for query in ({"samples": section} for section in SECTIONS[1:]):
        page = opened("gan", **query)
        assert "needs a finished DCGAN. This one is failed." in texts(page)
        assert not pictures(page)
    assert "needs a finished DCGAN" in texts(opened("gan", show=GAME))
    for epoch in (1, 10, 20):
        finished_gan.sheet(epoch).unlink()
    assert "There are no samples yet" in texts(opened("gan"))


def test_another_run_starts_at_its_own_last_sheet(finished_gan: RunDirectory) -> None:
    other = RunDirectory(finished_gan.path.with_name("dcgan-0123456789ab"))
    shutil.copytree(finished_gan.path, other.path)
    other.manifest.unlink()
    for epoch, renamed in zip(SHEET_EPOCHS, (2, 5, 9), strict=True):
        other.sheet(epoch).rename(other.sheet(renamed))
    page = opened("gan", run=finished_gan.run_id, sheet="10")
    page.selectbox[0].set_value(other.run_id).run()
    assert not page.exception
    assert "after epoch 9 of 120" in texts(page)


# --- Samples, drawn anew ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("truncation", "limit"), [("none", None), ("0.50", 0.5)])
def test_an_address_shows_the_samples_it_names(
    finished_gan: RunDirectory, truncation: str, limit: float | None
) -> None:
    query = {"sample_seed": "7", "samples_page": "3"} | ({} if limit is None else {"truncation": truncation})
    page = opened("gan", samples="New samples", **query)
    generator = load_generator(finished_gan)
    expected = generate(generator, latents(generator.latent_dim, 7, 64, 32, limit))
    shown = pictures(page)
    assert [alt for alt, _ in shown] == [f"generated image, {number}" for number in range(64, 96)]
    for place in (0, 31):
        assert shown[place][1] == address(np.kron(expected[place], np.ones((2, 2), np.uint8)))
    assert "Samples 64 to 95 of seed 7" in texts(page)


def test_one_sample_is_enlarged_and_saved_as_it_is_in_a_zip(finished_gan: RunDirectory) -> None:
    page = press(opened("gan", samples="New samples", sample_seed="7", truncation="0.7"), "5")
    assert page.query_params["sample"] == "5"
    with zipfile.ZipFile(io.BytesIO(sample_zip(finished_gan, 1, 7, 0.7, 5))) as bundle:
        name = next(name for name in bundle.namelist() if name.endswith(".png"))
        png = bundle.read(name)
    assert is_synthetic(name)

    def button(data, name):
        import streamlit

        streamlit.download_button("This sample (PNG)", data, name, "image/png", on_click="ignore")

    expected = app_test(button, args=(png, name)).run()
    assert page.get("download_button")[0].proto.url == expected.get("download_button")[0].proto.url
    pixels = np.asarray(Image.open(io.BytesIO(png)))
    assert [url for _, url in pictures(page)] == [address(np.kron(pixels, np.ones((8, 8), np.uint8)))]
    assert dict(page.table[0].value.to_numpy())["Seed"] == "7"
    press(page, "Next")
    assert page.query_params["sample"] == "6"
    press(press(page, "Previous"), "Back to the samples")
    assert "sample" not in page.query_params
    assert len(pictures(page)) == 32


def test_back_leads_to_the_samples_page(finished_gan: RunDirectory) -> None:
    page = press(opened("gan", samples="New samples", sample="200"), "Back to the samples")
    assert "Samples 192 to 223 of seed 0" in texts(page)


def test_the_way_from_one_sample_to_another_starts_and_ends_with_them(finished_gan: RunDirectory) -> None:
    page = opened("gan", samples="Between two samples", sample_seed="2", **{"from": "3", "to": "9"})
    shown = pictures(page)
    assert len({url for _, url in shown}) == len(shown) == 8
    generator = load_generator(finished_gan)
    for place, number in ((0, 3), (-1, 9)):
        (end,) = generate(generator, latents(generator.latent_dim, 2, number, 1))
        assert shown[place] == (f"generated image, sample {number}", address(np.kron(end, np.ones((2, 2), np.uint8))))


def test_real_stand_beside_generated_and_others_can_be_drawn(finished_gan: RunDirectory) -> None:
    page = opened("gan", samples="Real beside generated", wall="16")
    before = pictures(page)
    assert [alt.split()[:2] for alt, _ in before] == [["16", "of"], ["Generated", "images"]]
    assert "real training images of class PNEUMONIA" in before[0][0]
    assert [word for word in ("[:material/radiology: real]", "generated]") if word not in texts(page)] == []
    press(page, "Draw others")
    assert float(page.query_params["sample_seed"]) == 1
    assert not {url for _, url in before} & {url for _, url in pictures(page)}


def test_where_the_real_images_are_not_it_says_so_and_goes_on(
    finished_gan: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_phantoms(tmp_path / "others", seed=8, count=40)
    monkeypatch.setenv("PNEUMO_DATA", str(tmp_path / "others"))
    page = opened("gan", samples="Real beside generated")
    assert "connect the data set that it was trained on" in page.info[0].value.replace("\\", "")
    assert [alt.split()[0] for alt, _ in pictures(page)] == ["Generated"]
    page = opened("gan", show=GAME)
    assert "connect the data set that it was trained on" in page.info[0].value.replace("\\", "")
    assert not pictures(page)


@pytest.mark.parametrize(
    "query",
    [
        {"samples": "nonsense"},
        {"samples": ["New samples", "x"]},
        {"sheet": "11"},
        {"sheet": "../../etc"},
        {"samples": "New samples", "sample_seed": "-1"},
        {"samples": "New samples", "sample_seed": str(2**40), "truncation": "99"},
        {"samples": "New samples", "truncation": "nan"},
        {"samples": "New samples", "samples_page": "1000000000"},
        {"samples": "Between two samples", "from": "-3", "to": "1e9"},
        {"samples": "Real beside generated", "wall": "1000000"},
    ],
)
def test_an_address_that_means_nothing_still_shows_samples(
    finished_gan: RunDirectory, query: dict[str, str | list[str]]
) -> None:
    page = opened("gan", **query)
    assert not page.error
    assert pictures(page)


@pytest.mark.parametrize("sample", ["x", "-1", "10000000", "٣", "<script>", "9" * 5000])
def test_an_unknown_sample_is_one_clear_line(finished_gan: RunDirectory, sample: str) -> None:
    page = opened("gan", samples="New samples", sample=sample)
    assert not page.error
    (answer,) = (item.value for item in page.warning if item.icon == ":material/link_off:")
    assert "They are numbered from 0 to 9,999,999" in answer
    assert len(answer) < 500
    assert len(pictures(press(page, "Show the samples"))) == 32


# --- Real or generated ------------------------------------------------------------------------------------------------


def game_of(page: AppTest, run: RunDirectory) -> Game:
    game = page.session_state[f"game {run.run_id}"]
    assert isinstance(game, Game)
    return game


def answer(page: AppTest, run: RunDirectory, right: Callable[[Game], bool]) -> AppTest:
    game = game_of(page, run)
    return press(page, "Generated" if game.is_generated == right(game) else "Real")


def assert_each_picture_is_shown_with_what_it_was(
    page: AppTest, run: RunDirectory, played: list[tuple[str, bool]]
) -> None:
    """And with what was said of it: each kind that was shown, and whether the answer was right."""
    shown = pictures(page)
    assert len(shown) == 20
    for number, ((alt, _), (kind, right)) in enumerate(zip(shown, played, strict=True), start=1):
        other = "real" if kind == "generated" else "generated"
        assert alt == f"Round {number}, {kind}, {'correct' if right else f'you said {other}'}"
    game = game_of(page, run)
    generator = load_generator(run)
    for number, answered in enumerate(game.answers):
        if answered.is_generated:
            (drawn,) = generate(generator, latents(generator.latent_dim, game.seed, number, 1))
            assert shown[number][1] == address(np.kron(drawn, np.ones((2, 2), np.uint8)))


def test_a_game_is_played_to_its_verdict(finished_gan: RunDirectory) -> None:
    page = press(opened("gan", show=GAME), "Start")
    assert game_of(page, finished_gan).rounds == 20
    played = []
    for number in range(20):
        assert f"Round {number + 1} of 20" in texts(page)
        played.append(("generated" if game_of(page, finished_gan).is_generated else "real", number != 4))
        answer(page, finished_gan, lambda game: len(game.answers) != 4)
        assert ("Wrong: " if number == 4 else "Correct: ") in texts(page)
        assert page.metric[0].value == f"{number + (number < 4)} of {number + 1}"
    assert "You can tell real from generated" in texts(page)
    assert "95.0 % (76.4 to 99.1), 95 % interval (Wilson), n = 20" in texts(page)
    rows = page.table[0].value["images"].tolist()
    assert sorted(int(row.split()[0]) for row in rows) == [0, 1]
    assert sum(int(row.split()[-1]) for row in rows) == 20
    assert_each_picture_is_shown_with_what_it_was(page, finished_gan, played)
    press(page, "Start over")
    assert "Start" in [button.label for button in page.button]


def test_an_answer_can_be_taken_back_and_its_image_is_not_shown_again(finished_gan: RunDirectory) -> None:
    page = opened("gan", show=GAME)
    press(page.radio(key="rounds").set_value(10).run(), "Start")
    assert next(button for button in page.button if "Undo" in button.label).disabled
    seen = pictures(page)
    answer(page, finished_gan, lambda _: False)
    press(page, "Undo the last answer")
    assert "Round 1 of 10" in texts(page)
    assert not {url for _, url in seen} & {url for _, url in pictures(page)}
    for _ in range(10):
        answer(page, finished_gan, lambda _: True)
    assert "Undone answers: 1" in texts(page)
    assert [one.image for one in game_of(page, finished_gan).answers] == list(range(1, 11))


def test_nothing_but_the_image_tells_what_it_is(finished_gan: RunDirectory) -> None:
    page = press(opened("gan", show=GAME), "Start")
    told: dict[bool, Any] = {}
    for seed in range(20):
        page.session_state[f"game {finished_gan.run_id}"] = game = Game(seed, 20)
        page.run()
        ((alt, url),) = pictures(page)
        image = page.get("image")[0].proto
        image.imgs[0].url = ""
        facts = (alt, texts(page), url.rpartition(".")[2], len(url), image.SerializeToString())
        assert told.setdefault(game.is_generated, facts) == facts
    assert told[True] == told[False]


def test_a_game_stands_as_it_was_left(finished_gan: RunDirectory) -> None:
    page = press(opened("gan", show=GAME), "Start")
    answer(page, finished_gan, lambda _: True)
    left = pictures(page)
    page.switch_page("pages/overview.py").run()
    page.query_params["show"] = GAME
    page.switch_page("pages/gan.py").run()
    assert "Round 2 of 20" in texts(page)
    assert pictures(page) == left
