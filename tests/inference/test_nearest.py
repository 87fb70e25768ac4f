"""The side proposed for a comparison differs from the given one in as little as there is."""

import pytest

from pneumo_core.config.classifier import Balance, Preset
from pneumo_core.inference.nearest import nearest
from pneumo_core.records import Architecture
from tests.made_runs import made_predictions, made_run

pytestmark = pytest.mark.usefixtures("no_published")

Side = tuple[str, ...]


def made(**changes: object) -> Side:
    return (made_run(made_predictions(n=12), **changes).run_id,)  # type: ignore[arg-type]


def test_the_arm_alone_comes_before_another_seed_and_everything_else() -> None:
    given, arm = made(), made(balance=Balance.OVERSAMPLE)
    other_split = made(balance=Balance.OVERSAMPLE, split_seed=4)
    others = [other_split, made(seed=1), made(epochs=3), made(balance=Balance.CLASS_WEIGHT, epochs=3), given]
    assert nearest(given, [*others, arm]) == arm
    assert nearest(arm, [*others, arm]) == given


def test_without_the_arm_alone_the_fewest_differences_count() -> None:
    given = made()
    one, two = made(epochs=3), made(epochs=3, image_size=96)
    three = made(preset=Preset.REPORT, architecture=Architecture.VGG16, data_id="1" * 12)
    assert nearest(given, [three, two, one]) == one
    assert nearest(given, [three, two]) == two
    assert nearest(given, [three]) == three
    assert nearest(two, [given, one]) == one


def test_ties_are_for_as_many_runs_and_the_same_seeds() -> None:
    seeds = [made(seed=seed)[0] for seed in range(2)]
    arms = [made(seed=seed, balance=Balance.OVERSAMPLE, split_seed=0)[0] for seed in range(2)]
    group = (arms[0], arms[1])
    assert nearest((seeds[0],), [(arms[1],), group, (arms[0],)]) == (arms[0],)
    both = tuple(made(seed=seed, split_seed=0)[0] for seed in range(2))
    assert nearest(both, [(arms[1],), group, (arms[0],)]) == group


def test_a_side_that_shares_a_run_is_none_to_compare_with() -> None:
    one, other = made(), made(seed=1)
    assert nearest(one, [one, one + other]) is None


def test_ties_of_equal_runs_are_for_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    given, older, newer = made(), made(epochs=3), made(epochs=4)
    times = {older[0]: 1.0, newer[0]: 2.0}

    def submitted(run: object) -> object:
        return type("Read", (), {"submitted_at": times[run.run_id]})  # type: ignore[attr-defined]

    monkeypatch.setattr("pneumo_core.inference.nearest.read_submission", submitted)
    assert nearest(given, [older, newer]) == nearest(given, [newer, older]) == newer
