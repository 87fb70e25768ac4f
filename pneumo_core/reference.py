"""Published numbers that others are held against, as data with their source."""

from typing import Final

from pneumo_core.records import Label, Split

__all__ = ["OFFICIAL_COUNTS", "OFFICIAL_TOTAL"]

OFFICIAL_COUNTS: Final[dict[tuple[Split, Label], int]] = {
    (Split.TRAIN, Label.NORMAL): 1341,
    (Split.TRAIN, Label.PNEUMONIA): 3875,
    (Split.VAL, Label.NORMAL): 8,
    (Split.VAL, Label.PNEUMONIA): 8,
    (Split.TEST, Label.NORMAL): 234,
    (Split.TEST, Label.PNEUMONIA): 390,
}
"""Images per split and class of the Kaggle data set ``paultimothymooney/chest-xray-pneumonia``, version 2.

Source: the files of https://www.kaggle.com/datasets/paultimothymooney/chest-xray-pneumonia, made from Kermany, Zhang
and Goldbaum (2018), doi:10.17632/rscbjbr9sj.2. (That page's text says 5,863 images; its archive holds 5,856.)
"""

OFFICIAL_TOTAL: Final = sum(OFFICIAL_COUNTS.values())
"""Images of all splits and classes together: 5,856."""
