"""Answers to addresses that ask for what is not there, in one way for all pages."""

from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import streamlit as st
from streamlit.navigation.page import StreamlitPage
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.ui.pictures import plain


def not_there(what: str, requested: str, there: str, *, button: str, names: Sequence[str]) -> None:
    """Answer an address that names what is not there: what was requested, what is there, and a button.

    Args:
        what: Kind of what is missing, such as ``finished run``.
        requested: Its name in the address.
        there: What there is instead, in a sentence.
        button: Label of the button that opens it.
        names: Query parameters that the button removes.
    """
    st.warning(plain(f"There is no {what} {requested[:60]!r}. {there}"), icon=":material/link_off:")
    st.button(button, type="primary", key=f"instead of {what}", on_click=_forget, args=(tuple(names),))


def unknown_page(shown: StreamlitPage) -> str | None:
    """Name of the page that the address asks for, where there is none and the first is shown instead."""
    context = get_script_run_ctx()
    requested = context.pages_manager.intended_page_name if context else None
    return None if requested in (None, "", shown.url_path) else requested


def bad_link(what: str, requested: str, there: str, *, button: str, names: Sequence[str]) -> NoReturn:
    """The same, and the page ends there: see `not_there`."""
    not_there(what, requested, there, button=button, names=names)
    st.stop()


def check_words(name: str, options: Iterable[object], what: str) -> None:
    """Answer a value in the address that a control does not offer; the control ignores it, and an empty value asks for nothing.

    Args:
        name: Of the query parameter.
        options: What the control offers.
        what: Kind of what it offers, such as ``tab``.
    """
    known = [str(option) for option in options]
    for requested in st.query_params.get_all(name):
        if requested and {requested, requested.lower()}.isdisjoint(known):
            _ignored(
                name, what, requested, f"There is {' or '.join(filter(None, (', '.join(known[:-1]), known[-1])))}."
            )
            return


def check_number(name: str, low: float, high: float, what: str) -> None:
    """The same of a number, from `low` to `high`."""
    for requested in st.query_params.get_all(name):
        try:
            is_there = not requested or low <= float(requested) <= high
        except ValueError:
            is_there = False
        if not is_there:
            _ignored(name, what, requested, f"It goes from {_limit(low)} to {_limit(high)}.")
            return


def _limit(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,g}"


def _ignored(name: str, what: str, requested: str, there: str) -> None:
    not_there(what, requested, f"{there} The rest of the address is used.", button="Use the usual one", names=[name])


def _forget(names: Sequence[str]) -> None:
    for name in names:
        st.query_params.pop(name, None)
        for key in (f"chosen_{name}", f"compared_{name}"):
            st.session_state.pop(key, None)


def linked_number(label: str, high: int, usual: int, *, key: str, what: str, **more: Any) -> int:
    """A whole number from 0 to `high` that is kept in the address, where `what` names it if it is not there.

    Streamlit 1.67 raises OverflowError if an address gives an integer as 1e400, so its number is a float.
    """
    check_number(key, 0, high, what)
    whole: dict[str, Any] = {"step": 1.0, "format": "%.0f", "key": key, "bind": "query-params"}
    # A default besides the least would be reported where code sets the number too.
    return int(st.number_input(label, 0.0, float(high), float(usual) if usual else "min", **whole, **more))
