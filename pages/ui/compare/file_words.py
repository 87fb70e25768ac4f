"""Words for the two sides of a comparison in the names of files."""

from collections.abc import Sequence

from pneumo_core.records import Split
from pneumo_core.reporting.file_names import pair_words
from pneumo_core.runs.store import find_run
from pneumo_core.runs.submission import classifier_config


def compared_words(a: Sequence[str], b: Sequence[str], split: Split) -> tuple[str, ...]:
    """Words for the runs of both sides and the split, as the names of a comparison's documents have them."""
    configs = ([classifier_config(find_run(run_id)) for run_id in side] for side in (a, b))
    return "compare", *pair_words(*configs), split.value
