"""Tables of a data set's audit, and its checks as plain data."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from pneumo_core.data.audit import Check, Outcome
from pneumo_core.data.index import DataIndex
from pneumo_core.data.measures import MEASURES, name_of, value_of
from pneumo_core.data.saved_splits import SavedSplit, split_parts
from pneumo_core.evaluation.opponent import SEES, Opponent
from pneumo_core.evaluation.shift import ClassShift
from pneumo_core.evaluation.wording import p_cell, percent, score_text
from pneumo_core.reporting.document import Table

if TYPE_CHECKING:
    import pandas as pd

SHIFT_METHOD: Final = (
    "Means, the distance (Kolmogorov-Smirnov, 0 to 1) and p, adjusted for all measures of both classes by Holm's method, are "
    "of one image a patient. The AUROC is that of a logistic model of all measures, each patient scored by a model that was "
    "fitted without it (classifier two-sample test), with a 95 % interval over patients."
)
MEASURE_WORDS: Final = tuple(f"{name_of(name)}: {words}" for name, words in MEASURES.items())
OPPONENT_WORDS: Final = (
    f"The opponent sees no picture, only {SEES}. A network that does not beat it may have learned how files were made."
)


def plain_check(check: Check) -> dict[str, Any]:
    """A check as plain data, as `data audit --json` prints it."""
    return {
        "code": check.code,
        "outcome": check.outcome.value,
        "severity": check.severity.value,
        "n": check.n,
        "sentence": in_words(check),
        "examples": list(check.examples),
    }


def in_words(check: Check) -> str:
    """What a check found, and what follows."""
    return f"{check.sentence} {check.consequence}".strip()


def patient_words(checks: Iterable[Check]) -> tuple[str, ...]:
    """What the audit says of patients in several splits and of unknown ones, a text each."""
    by_code = {check.code: check for check in checks}
    known = (by_code.get(code) for code in ("patients-span-splits", "pooled-patients-span-splits", "patients-unknown"))
    return tuple(in_words(check) for check in known if check is not None)


def check_tables(data_id: str, checks: Iterable[Check]) -> list[Table]:
    """What was found, the most severe first; then what passed, and what could not be looked at."""
    every = list(checks)
    found = [check for check in every if check.outcome in {Outcome.ISSUE, Outcome.TIP}]
    columns = ("severity", "check", "images", "in words")
    rows = tuple((check.severity.value, check.code, f"{check.n:,}", in_words(check)) for check in found)
    tables = [Table("found", f"What the audit of the data set {data_id} found", columns, rows)] if found else []
    others = (
        ("passed", "What it looked for and did not find", Outcome.PASSED),
        ("not_applicable", "What it could not look for", Outcome.NOT_APPLICABLE),
    )
    for name, caption, outcome in others:
        if chosen := [check for check in every if check.outcome is outcome]:
            lines = tuple((check.code, in_words(check)) for check in chosen)
            tables.append(Table(name, caption, ("check", "in words"), lines))
    return tables


def split_table(index: DataIndex, split: SavedSplit, sharpness: "pd.Series[float] | None" = None) -> Table:
    """What a saved split trains and validates on and leaves out; see `data.saved_splits.split_parts`."""
    parts = split_parts(index, split, sharpness)
    rows = tuple(tuple(map(_cell, part.values())) for part in parts if part["patients"] or part["part"] != "left out")
    caption = f"{split.kind.value.capitalize()}, seed {split.seed}, {percent(split.fraction, 0)} to be held out"
    return Table("split", caption, tuple(parts[0]), rows)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def shift_table(shift: ClassShift) -> Table:
    """The measures of a class in train and in test, the largest distance first."""
    caption = (
        f"{shift.label.name}, {shift.n_train:,} images of train and {shift.n_test:,} of test. All measures together tell them "
        f"apart with an AUROC of {score_text(shift.auroc)}; .5 is no difference."
    )
    rows = tuple(
        (
            name_of(test.measure),
            value_of(test.measure, test.train),
            value_of(test.measure, test.test),
            f"{test.distance:.2f}",
            p_cell(test.p),
        )
        for test in shift.measures
    )
    columns = ("measure", "train, mean", "test, mean", "distance", "p")
    return Table(f"shift_{shift.label.name.lower()}", caption, columns, rows)


def opponent_table(files: Opponent, networks: Sequence[tuple[str, str, str]] = ()) -> Table:
    """What the files alone tell, above networks: name, AUROC on held-out patients and on test."""
    caption = "AUROC with 95 % intervals over patients"
    if networks:
        caption += "; networks that were trained on this data set, the best on test first"
    rows = (("the files alone", score_text(files.held_out), score_text(files.test)), *networks)
    copies = ("These files are copies of one size: the originals may tell more.",) if files.one_size else ()
    return Table("opponent", caption, ("model", "AUROC, held-out patients", "AUROC, test"), rows, copies)
