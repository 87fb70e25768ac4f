"""The order of the queue; what a view says of each state is in test_runs, of a cluster in test_ray_jobs."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pneumo_core.jobs.views import RunView, queue_places
from pneumo_core.records import RunState
from pneumo_core.runs.status import Status
from pneumo_core.runs.store import RunDirectory


def item(number: int, state: RunState, ticket: int | None) -> RunView:
    run = RunDirectory(Path(f"baseline-{number:012x}"))
    return RunView(run, state, status=None if ticket is None else Status(state, ticket=ticket))


@given(
    tickets=st.lists(st.tuples(st.integers(1, 10**9), st.sampled_from(RunState)), unique_by=lambda pair: pair[0]),
    damaged=st.booleans(),
)
def test_places_are_the_waiting_in_the_order_of_their_tickets(
    tickets: list[tuple[int, RunState]], damaged: bool
) -> None:
    known = [item(number, state, ticket) for number, (ticket, state) in enumerate(tickets)]
    if damaged:  # Its status cannot be read, so it is told last.
        known.insert(0, item(10**6, RunState.QUEUED, None))
    places = queue_places(known)
    assert sorted(places.values()) == list(range(1, len(places) + 1))
    assert set(places) == {view.run_id for view in known if view.state is RunState.QUEUED}
    for number, (ticket, state) in enumerate(tickets):
        if state is RunState.QUEUED:
            earlier = sum(other < ticket and waits is RunState.QUEUED for other, waits in tickets)
            assert places[known[number + damaged].run_id] == earlier + 1
    if damaged:
        assert places[known[0].run_id] == len(places)
