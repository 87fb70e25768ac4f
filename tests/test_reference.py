import os
from pathlib import Path

import pytest

from pneumo_core.records import Label, Split
from pneumo_core.reference import OFFICIAL_COUNTS, OFFICIAL_TOTAL


def test_the_total_is_what_the_literature_reports() -> None:
    # Kermany et al. (2018) took 5,232 images for training, of which Kaggle's copy sets 16 aside as val, 624 to test.
    assert OFFICIAL_TOTAL == 5856
    assert sum(count for (split, _), count in OFFICIAL_COUNTS.items() if split is not Split.TEST) == 5232
    assert sum(count for (split, _), count in OFFICIAL_COUNTS.items() if split is Split.TEST) == 624
    assert set(OFFICIAL_COUNTS) == {(split, label) for split in Split for label in Label}


@pytest.mark.skipif("PNEUMO_REAL_DATA" not in os.environ, reason="PNEUMO_REAL_DATA names no copy of the data set")
@pytest.mark.parametrize("split", [Split.TRAIN, Split.VAL])
@pytest.mark.parametrize("label", list(Label))
def test_the_counts_are_those_of_the_real_data(split: Split, label: Label) -> None:
    folder = Path(os.environ["PNEUMO_REAL_DATA"]) / split.value / label.name
    assert len(list(folder.glob("*.jpeg"))) == OFFICIAL_COUNTS[split, label]
