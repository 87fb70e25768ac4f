"""The gate's answers: each class of a head is named once, and what is wrong with an image is a code of its use."""

from pneumo_core.config.gate import HEADS, INPUT_SIZE
from pneumo_core.inference.gate import Finding


def test_the_classes_that_say_what_is_wrong_are_the_findings_in_order() -> None:
    assert HEADS["orientation"][1:] == tuple(Finding)[2:6]
    assert HEADS["frame"][1:] == tuple(Finding)[-2:]
    assert all(len(set(names)) == len(names) for names in HEADS.values())


def test_the_network_can_halve_the_input_five_times() -> None:
    assert INPUT_SIZE % 32 == 0
