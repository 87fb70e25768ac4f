"""The side that a comparison is best made with: the one that differs from a given side in the fewest things."""

from collections.abc import Sequence

from pneumo_core.inference.contrast import Made, nearness
from pneumo_core.runs.store import find_run
from pneumo_core.runs.submission import classifier_config, read_data, read_submission


def nearest(side: Sequence[str], known: Sequence[Sequence[str]]) -> tuple[str, ...] | None:
    """Which of the known sides, each given by its run ids, to compare a side with; None if each shares a run with it.

    The one that differs from it in its balancing arm alone, else in the fewest things. Ties: as many runs, the same seeds,
    published, newest.

    Raises:
        RunNotFoundError, RunError, CorruptError: A run cannot be read.
    """
    runs = {run_id: find_run(run_id) for ids in (side, *known) for run_id in ids}
    configs = {run_id: classifier_config(run) for run_id, run in runs.items()}

    def made(ids: Sequence[str]) -> Made:
        return Made(tuple(configs[run_id] for run_id in ids), read_data(runs[ids[0]]))

    def seeds(ids: Sequence[str]) -> set[int]:
        return {configs[run_id].seed for run_id in ids}

    given = made(side)

    def rank(ids: Sequence[str]) -> tuple[object, ...]:
        return (
            *nearness(given, made(ids)),
            abs(len(ids) - len(side)),
            seeds(ids) != seeds(side),
            not all(runs[run_id].is_published for run_id in ids),
            -max(read_submission(runs[run_id]).submitted_at for run_id in ids),
            tuple(ids),
        )

    others = [tuple(ids) for ids in known if not set(ids) & set(side)]
    return min(others, key=rank) if others else None
