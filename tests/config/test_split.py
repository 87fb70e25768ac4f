"""A saved split as a setting: equal by content, named for people, and refused where it is malformed."""

from typing import Any

import pytest

from pneumo_core.config.split import MOST_LETTERS, NamedSplit, require_split_name
from pneumo_core.errors import ConfigError
from tests.hostile import refuses

DIGEST = "0123456789ab"


def test_two_of_one_content_are_equal_whatever_their_names() -> None:
    one, renamed, other = NamedSplit("one", DIGEST), NamedSplit("two", DIGEST), NamedSplit("one", "f" * 12)
    assert one == renamed != other
    assert len({one, renamed, other}) == 2
    assert str(renamed) == "two"


@pytest.mark.parametrize("digest", ["", DIGEST.upper(), "0" * 11, "0" * 13, "x" * 12, 12, None])
def test_its_hash_has_twelve_digits(digest: Any) -> None:
    with refuses(ConfigError, "12 hexadecimal digits"):
        NamedSplit("one", digest)


@pytest.mark.parametrize("name", ["a", "0", "blocks-0-30", "x" * MOST_LETTERS])
def test_names(name: str) -> None:
    require_split_name(name)
    assert NamedSplit(name, DIGEST).name == name


@pytest.mark.parametrize(
    "name", ["", "A", "-a", "a b", "a_b", "a/b", "a.b", "\u00e4", "x" * (MOST_LETTERS + 1), 3, None]
)
def test_what_is_no_name(name: Any) -> None:
    with refuses(ConfigError, "small letters"):
        NamedSplit(name, DIGEST)
