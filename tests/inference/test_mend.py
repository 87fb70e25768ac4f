"""What the gate advises, done: each disturbed image comes back as it was, and passes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pneumo_core.data.images import decode_gray
from pneumo_core.data.phantom import first_phantoms
from pneumo_core.inference.gate import WORDS, Answer, Finding, judge, shipped_gate
from pneumo_core.inference.mend import MENDABLE, mended, mended_file
from tests.data.image_files import encode

_, (PHANTOM, *_OTHERS) = first_phantoms(2)
DISTURBED: dict[Finding, NDArray[np.uint8]] = {
    Finding.TURNED_90: np.rot90(PHANTOM),
    Finding.TURNED_180: np.rot90(PHANTOM, 2),
    Finding.TURNED_270: np.rot90(PHANTOM, 3),
    Finding.FLIPPED: np.flipud(PHANTOM),
    Finding.INVERTED: 255 - PHANTOM,
}


def test_every_finding_that_a_change_can_mend_is_here() -> None:
    assert set(DISTURBED) == MENDABLE
    assert {
        finding for finding, words in WORDS.items() if words.advice.split()[0] in {"turn", "mirror", "invert"}
    } == MENDABLE


@pytest.mark.parametrize("finding", DISTURBED)
def test_following_the_advice_gives_the_image_back(finding: Finding) -> None:
    disturbed = np.ascontiguousarray(DISTURBED[finding])
    assert judge(shipped_gate(), disturbed).finding is finding
    gray = mended(disturbed, [finding])
    assert np.array_equal(gray, PHANTOM)
    assert judge(shipped_gate(), gray).answer is Answer.OK
    assert np.array_equal(decode_gray(mended_file(encode(disturbed), "x.png", [finding]), "x.png"), PHANTOM)


def test_findings_are_mended_in_their_order() -> None:
    fault = np.ascontiguousarray(np.flipud(np.rot90(PHANTOM)))
    assert np.array_equal(mended(fault, [Finding.FLIPPED, Finding.TURNED_90]), PHANTOM)
    assert mended(fault, []) is fault
