"""What the colors of heat maps mean, in words."""

import numpy as np

from pages.ui.heat import pair_text, scale_text
from pneumo_core.inference.heatmap import HeatScale, described
from pneumo_core.records import NotApplicable, Split

SCALE = HeatScale(full=0.05, quantile=0.95, split=Split.VAL, n=761)
NONE = NotApplicable("it is old")
CAM = np.array([[-1, 0.01], [0.02, 0]], np.float32)


def test_an_image_says_how_strong_its_strongest_spot_is() -> None:
    words = scale_text(SCALE, CAM)
    assert words.startswith(f"Full color, at the right: {described(SCALE)}.")
    assert words.endswith("The strongest spot of this image is at 40 % of it.")
    assert scale_text(SCALE, 5 * CAM).endswith("is at 200 % of it.")
    assert scale_text(NONE, CAM).endswith("since it is old. A weak map therefore looks as strong as a strong one.")
    for scale in (SCALE, NONE):
        assert scale_text(scale, -np.abs(CAM)).startswith("The heat map is empty")


def test_two_runs_say_whether_their_maps_can_be_compared() -> None:
    both = pair_text({"A": SCALE, "B": HeatScale(9.0, 0.95, Split.VAL, 30)})
    assert "for A, the 95th percentile of the strongest spot over 761 validation images of this run; for B, " in both
    assert both.endswith("On these scales the maps of A and B can be compared, as can those of two images.")
    assert pair_text({"A": SCALE, "B": NONE}).endswith("cannot be compared: B without a common scale.")
    assert pair_text({"A": NONE, "B": NONE}).endswith("cannot be compared: A and B without a common scale.")
    assert "compared" not in pair_text({"B": SCALE})
