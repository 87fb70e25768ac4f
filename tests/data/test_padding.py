"""A picture in its padded square; `tests/inference/test_padding.py` holds decoded images and maps against it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pneumo_core.data.padding import inside, padded


@given(height=st.integers(1, 50), width=st.integers(1, 50))
def test_a_picture_lies_in_the_middle_and_comes_out_again(height: int, width: int) -> None:
    content = np.full((height, width), 7, np.uint8)
    square = padded(content)
    assert square.shape == (max(height, width),) * 2
    np.testing.assert_array_equal(square[inside(content.shape)], content)
    assert int(square.sum()) == 7 * height * width
    assert abs(int(np.argwhere(square)[:, 0].sum() * 2) - height * width * (max(height, width) - 1)) <= height * width
