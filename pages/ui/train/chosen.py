"""The run in the address."""

from collections.abc import Sequence

from pages.ui.address import not_there
from pages.ui.components import show_error
from pages.ui.train.queue import on_top
from pages.ui.train.remove import delete_button
from pages.ui.train.runs import run_details, run_panel
from pneumo_core.errors import PneumoError, RunNotFoundError
from pneumo_core.jobs.runs import RunView, view


def chosen_panel(run_id: str, known: Sequence[RunView]) -> None:
    """The chosen run, and the button that deletes it; of one whose card is on top of the page, only the details.

    Args:
        run_id: The run, or what an address calls one.
        known: Every run.
    """
    try:
        item = view(run_id)
    except RunNotFoundError:
        not_there("run", run_id, f"There are {len(known):,} runs.", button="Show all runs", names=["run"])
        return
    except PneumoError as error:
        show_error(error)
        return
    if run_id in {each.run_id for each in on_top(known)}:
        run_details(item)
        return
    run_panel(run_id)
    delete_button(item)
