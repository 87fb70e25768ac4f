"""The tree of errors is the one that its file draws, and only its base needs to be caught."""

import inspect

from pneumo_core import errors
from pneumo_core.errors import ImageError, PneumoError

INDENT = 4

DEFINED = {
    name: kind for name, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__
}


def drawn_tree() -> dict[str, str]:
    """Each name in the docstring's drawing with the name it hangs from."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        words = line.replace("│", " ").replace("├──", "   ").replace("└──", "   ").split()
        if not words or words[0] not in DEFINED:
            continue
        depth = (len(line) - len(line.lstrip(" │├└─"))) // INDENT - 1
        path[depth:] = [words[0]]
        parents[words[0]] = path[depth - 1] if depth else "Exception"
    return parents


def test_the_drawing_is_the_tree() -> None:
    assert drawn_tree() == {name: kind.__bases__[0].__name__ for name, kind in DEFINED.items()}


def test_every_error_has_the_base_and_keeps_its_message() -> None:
    for kind in DEFINED.values():
        assert issubclass(kind, PneumoError)
        error = ImageError("damaged", "what is wrong") if kind is ImageError else kind("what is wrong")
        assert str(error) == "what is wrong"


def test_errors_of_the_system_are_not_among_them() -> None:
    """A bug must not pass for an expected error."""
    assert not issubclass(PneumoError, OSError | ValueError | RuntimeError)


def test_image_errors_have_a_code_beside_the_message() -> None:
    assert ImageError("damaged", "what is wrong").reason == "damaged"
