"""The study's findings as cards, and the forest plot behind them."""

from typing import Final, NamedTuple

import streamlit as st

from pages.ui.cached import findings_of_study
from pages.ui.components import picture_name
from pages.ui.forest import forest_figure, forest_table
from pages.ui.pictures import plain
from pneumo_core.evaluation.findings import Findings
from pneumo_core.evaluation.wording import unbroken
from pneumo_core.records import NotApplicable
from pneumo_core.reporting.story import Card, cards, forest
from pneumo_core.runs.recommended import recommended

_WHERE: Final = "published runs, 95 % intervals over patients"

_LEAST: Final = 224
"""Least width of a card, in pixels: two stand beside each other on a page of 820 pixels with its sidebar, three without."""


class _Link(NamedTuple):
    page: str
    label: str
    query: dict[str, str]
    axis: str
    zero: bool = False


def show_cards() -> None:
    """The three findings, each with one number, one picture and a link to where it is shown."""
    found = findings_of_study()
    grid = st.grid(3, min_column_width=_LEAST, gap="small")
    for card, link in zip(cards(found, recommended().classifier), _links(found), strict=True):
        with grid.container(border=True, height="stretch"):
            if isinstance(card, NotApplicable):
                st.info(f"Not applicable: {card.reason}.")
            else:
                _show_card(card, link)


def show_forest() -> None:
    """Accuracy of the report and of every published arm."""
    marks = forest(findings_of_study())
    if not marks:
        return
    title = "Accuracy on test, with and without generated images"
    st.header(title)
    figure, name = forest_figure(marks, title="accuracy, %"), picture_name("overview", title)
    st.plotly_chart(figure, config=name, key="forest", alt=f"{title}, {_WHERE}")
    st.caption(
        f"{_WHERE.capitalize()}; means over the runs, which differ in their seed. 'report' repeats the procedure of 2020, "
        "which selects its epoch on the test images, so its figures are optimistic; 'sound' selects everything on held-out "
        "patients, 'best' on degraded copies of their images, and both differ in other settings too. The report gives no "
        "intervals. Intervals that overlap do not prove that two procedures are equal."
    )
    with st.expander("The same as a table"):
        st.table(forest_table(marks).set_index("run"), alt=f"{title}, {_WHERE}")


def _links(found: Findings) -> tuple[_Link, ...]:
    """Where each card is shown in full."""
    sides = {}
    if found.balancing:
        first = found.balancing[0]
        sides = {"a": ",".join(first.a.run_ids), "b": ",".join(first.b.run_ids)}
    run = recommended().classifier
    return (
        _Link("pages/report.py", "The report, claim by claim", {}, "accuracy, %"),
        _Link("pages/compare.py", "Compare them", sides, "points", zero=True),
        _Link("pages/evaluate.py", "See the model's figures", {"run": run} if run else {}, "specificity, %"),
    )


def _show_card(card: Card, link: _Link) -> None:
    st.header(unbroken(card.title), anchor=False)
    st.metric(card.title, unbroken(card.value), label_visibility="collapsed")
    st.caption(plain(unbroken(f"95 % interval {card.interval}; {card.words}. {card.note}")))
    figure = forest_figure(card.marks, title=link.axis, zero=link.zero, compact=True)
    st.plotly_chart(figure, config={"displayModeBar": False}, key=link.axis, alt=f"{card.title}. {_alt(card)}")
    st.page_link(link.page, label=link.label, icon=":material/arrow_forward:", query_params=link.query)


def _alt(card: Card) -> str:
    table = forest_table(card.marks)
    return "; ".join(f"{row['run']}, {row['of']}: {row['value']}" for row in table.to_dict("records"))
