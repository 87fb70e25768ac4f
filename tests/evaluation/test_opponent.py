"""What files alone tell: all where sizes differ by class, nothing where they do not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pneumo_core.data.audit import Outcome, Severity
from pneumo_core.evaluation.opponent import LEAST, Opponent, opponent, opponent_check
from pneumo_core.records import Estimate, NotApplicable


def rows(told: float = 0.0, patients: int = 150, seed: int = 0) -> pd.DataFrame:
    """Two files a patient; those of NORMAL are larger by `told` standard deviations."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"patient_id": np.repeat(np.arange(patients), 2).astype(str)})
    number = table["patient_id"].astype(int)
    table["label"] = number % 2
    table["split"] = np.where(number % 5 == 0, "test", "train")
    table["width"] = rng.integers(900, 1100, len(table))
    table["height"] = rng.integers(900, 1100, len(table))
    table["mode"] = rng.choice(["L", "RGB"], len(table))
    table["sharpness"] = rng.normal(5, 1, len(table))
    table["size_bytes"] = np.exp(rng.normal(12, 0.2, len(table)) + 0.2 * told * (table["label"] == 0)).astype(int)
    return table


def figures(table: pd.DataFrame) -> Opponent:
    found = opponent(table)
    assert isinstance(found, Opponent)
    return found


def test_sizes_that_tell_the_class_are_found() -> None:
    found = figures(rows(2.0))
    assert isinstance(found.held_out, Estimate)
    assert isinstance(found.test, Estimate)
    assert min(found.held_out.low, found.test.low) > 0.7
    # Ranking by the size alone does as well.
    assert found.held_out.n == (rows()["split"] == "train").sum()
    check = opponent_check(found)
    assert (check.outcome, check.severity) == (Outcome.ISSUE, Severity.CAUTION)
    assert "copies of one size" not in check.sentence


@pytest.mark.parametrize("seed", range(3))
def test_files_that_tell_nothing_pass(seed: int) -> None:
    assert opponent_check(figures(rows(seed=seed))).outcome is Outcome.PASSED


def test_a_mode_of_one_class_is_enough() -> None:
    table = rows()
    table["mode"] = np.where(table["label"] == 1, "RGB", "L")
    found = figures(table).held_out
    assert isinstance(found, Estimate)
    assert found.value > 0.99


def test_what_test_shows_alone_is_found_too() -> None:
    found = replace(figures(rows()), test=Estimate(0.9, 0.8, 0.97, 60))
    assert opponent_check(found).severity is Severity.CAUTION


def test_resized_copies_are_said() -> None:
    found = figures(rows(2.0).assign(width=224, height=224))
    assert found.one_size
    assert "copies of one size: the originals may tell more" in opponent_check(found).sentence


def test_too_few_patients_or_no_test_images_are_said() -> None:
    few = opponent(rows(patients=2 * LEAST))
    assert isinstance(few, NotApplicable)
    assert opponent_check(few).outcome is Outcome.NOT_APPLICABLE
    table = rows(2.0)
    found = figures(table[table["split"] == "train"])
    assert isinstance(found.test, NotApplicable)
