import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumo_core.data.radiograph import draw_phantom
from pneumo_core.errors import ConfigError
from pneumo_core.records import Subtype

KNOWN = [Subtype.NONE, Subtype.BACTERIA, Subtype.VIRUS]


def draw(subtype: Subtype, patient: int, film: int = 0, *, difficulty: float = 0.0) -> np.ndarray:
    return draw_phantom(
        np.random.default_rng([film, 1]),
        subtype=subtype,
        height=160,
        width=200,
        difficulty=difficulty,
        patient_rng=np.random.default_rng([patient, 0]),
    )


def lightening(subtype: Subtype, patient: int, difficulty: float = 0.0) -> np.ndarray:
    """What the findings change in the very same exposure of the very same patient, in gray levels."""
    return draw(subtype, patient, difficulty=difficulty).astype(float) - draw(Subtype.NONE, patient)


@settings(max_examples=25)
@given(
    subtype=st.sampled_from(KNOWN),
    height=st.integers(64, 300),
    width=st.integers(64, 300),
    difficulty=st.floats(0, 1),
    seed=st.integers(0, 2**32),
)
def test_any_size_gives_a_picture_with_contrast(
    subtype: Subtype, height: int, width: int, difficulty: float, seed: int
) -> None:
    pixels, again = (
        draw_phantom(np.random.default_rng(seed), subtype=subtype, height=height, width=width, difficulty=difficulty)
        for _ in range(2)
    )
    assert pixels.shape == (height, width)
    assert pixels.dtype == np.uint8
    assert pixels.std() > 20
    assert (pixels == again).all()


def test_a_large_film_can_be_drawn() -> None:
    pixels = draw_phantom(np.random.default_rng(0), subtype=Subtype.VIRUS, height=2048, width=2048)
    assert pixels.shape == (2048, 2048)
    assert pixels.std() > 20


def test_what_is_dense_is_bright_and_the_heart_lies_to_the_right_of_the_picture() -> None:
    mean = np.mean([draw(Subtype.NONE, patient, film=patient) for patient in range(24)], axis=0)

    def level(x: float, y: float) -> float:
        column, row = int(x * 200), int(y * 160)
        return float(mean[row - 4 : row + 4, column - 4 : column + 4].mean())

    lung, heart, spine, belly = level(0.28, 0.5), level(0.58, 0.68), level(0.50, 0.5), level(0.35, 0.95)
    assert level(0.98, 0.04) < lung < heart
    assert lung + 50 < min(heart, spine, belly)
    assert level(0.62, 0.68) > level(0.38, 0.68) + 30


def test_a_patient_stays_the_same_from_film_to_film() -> None:
    def likeness(one: np.ndarray, other: np.ndarray) -> float:
        # Large shapes only: grain and marker differ from film to film.
        small = [image.reshape(20, 8, 25, 8).mean(axis=(1, 3)).ravel() for image in (one, other)]
        return float(np.corrcoef(small)[0, 1])

    films = [[draw(Subtype.BACTERIA, patient, film) for film in range(6)] for patient in range(6)]
    same = [likeness(a, b) for patient in films for a, b in pairwise(patient)]
    different = [likeness(a[film], b[film]) for a, b in pairwise(films) for film in range(6)]
    assert np.mean(same) > np.mean(different) + 0.02
    assert all((a != b).mean() > 0.5 for patient in films for a, b in pairwise(patient))


@pytest.mark.parametrize("subtype", [Subtype.BACTERIA, Subtype.VIRUS])
def test_findings_lighten_the_lungs_and_nothing_else(subtype: Subtype) -> None:
    for patient in range(8):
        change = lightening(subtype, patient)
        assert change[:, 10:190].max() > 25
        assert change.mean() > 0.5
        assert np.abs(change[:16]).mean() < 1.5  # Neck and shoulders.
        assert np.abs(change[:, 95:105]).mean() < change[:, 40:80].mean() + change[:, 120:160].mean()  # The spine.


def test_bacteria_sit_in_places_and_virus_in_both_lungs() -> None:
    def evenness(change: np.ndarray) -> float:
        halves = change[:, :100].clip(0).sum(), change[:, 100:].clip(0).sum()
        return min(halves) / max(halves)

    bacteria = [lightening(Subtype.BACTERIA, patient) for patient in range(16)]
    virus = [lightening(Subtype.VIRUS, patient) for patient in range(16)]
    assert np.median([evenness(change) for change in virus]) > 0.6
    assert np.median([evenness(change) for change in bacteria]) < 0.4


@pytest.mark.parametrize("subtype", [Subtype.BACTERIA, Subtype.VIRUS])
def test_findings_fade_with_difficulty(subtype: Subtype) -> None:
    amounts = [
        np.mean([np.abs(lightening(subtype, patient, difficulty)).mean() for patient in range(24)])
        for difficulty in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert all(easier > harder for easier, harder in pairwise(amounts))
    assert amounts[-1] < 0.6 * amounts[0]


def test_difficulty_changes_nothing_in_clear_lungs() -> None:
    assert (draw(Subtype.NONE, 3, difficulty=0.0) == draw(Subtype.NONE, 3, difficulty=1.0)).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("height", 63),
        ("height", 2049),
        ("width", 100.0),
        ("width", True),
        ("difficulty", 1.5),
        ("difficulty", float("nan")),
        ("subtype", Subtype.UNKNOWN),
    ],
)
def test_arguments_out_of_range_are_refused(name: str, value: object) -> None:
    arguments = {"subtype": Subtype.NONE, "height": 100, "width": 100, "difficulty": 0.5, name: value}
    shown = "'unknown'" if value is Subtype.UNKNOWN else repr(value)
    with pytest.raises(ConfigError, match=re.escape(f"Received: {name}={shown}")):
        draw_phantom(np.random.default_rng(0), **arguments)
