"""What finished runs give to take away: comparisons, studies, model cards and checklists, gathered from their files."""

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from pneumo_core.data.index import load_index
from pneumo_core.errors import DataError
from pneumo_core.evaluation.against_report import against_report, counterpart
from pneumo_core.evaluation.calibration import apply
from pneumo_core.evaluation.comparison import Comparison, Side
from pneumo_core.evaluation.figures import Evidence, labels_of
from pneumo_core.evaluation.plain import encode
from pneumo_core.evaluation.reliability import reliability
from pneumo_core.evaluation.slices import slices
from pneumo_core.files import read_json
from pneumo_core.inference.compared import compare_runs, comparison_to_dict, evidence_of
from pneumo_core.inference.evidence import read_calibration, read_report
from pneumo_core.inference.image_facts import image_facts
from pneumo_core.records import NotApplicable, Split
from pneumo_core.reporting.claim import claim_checklist
from pneumo_core.reporting.comparison_document import comparison_document
from pneumo_core.reporting.document import Document, tables
from pneumo_core.reporting.facts import RunFacts
from pneumo_core.reporting.html import to_html
from pneumo_core.reporting.model_card import model_card
from pneumo_core.reporting.pdf import to_pdf
from pneumo_core.reporting.study_document import Compared, study_document
from pneumo_core.reporting.tables import files, table_csv
from pneumo_core.run_config import config_to_dict
from pneumo_core.status import read_events
from pneumo_core.store import RunDirectory, classifier_config, find_run, read_manifest

__all__ = ["compared", "comparison_files", "comparison_record", "run_facts", "run_files", "study_files"]

_SIZE: Final = 150
"""Side of the squares whose sharpness is measured: what both networks see."""


def run_facts(run_id: str) -> RunFacts:
    """A finished classifier's records.

    Raises:
        RunNotFoundError: There is no such run.
        RunError: It is a DCGAN's, or not finished.
        CorruptError: A file is not the one that was written.
    """
    run = find_run(run_id)
    data = _data(run)
    return RunFacts(
        run_id=run_id,
        config=config_to_dict(classifier_config(run)),
        manifest=read_manifest(run),
        # A document is given away: what the folder is called is enough, where it lies is nobody's business.
        data={**data, "name": str(data.get("root", "")).rsplit("/", 1)[-1]},
        events=tuple(read_events(run)),
        calibration=read_calibration(run),
    )


def compared(a: Sequence[str], b: Sequence[str], split: Split = Split.TEST) -> Compared:
    """A comparison with the records of its runs; see `inference.compared.compare_runs` for the errors."""
    comparison = compare_runs(a, b, split=split)
    facts = [tuple(map(run_facts, side.run_ids)) for side in (comparison.a, comparison.b)]
    return Compared(comparison, facts[0], facts[1])


def comparison_record(comparison: Comparison) -> dict[str, Any]:
    """Every number of a comparison as plain data.

    Beside the comparison itself: each run's operating point, calibration and slices, and each side against the report of 2020.

    Raises:
        RunNotFoundError, RunError, CorruptError, DataError: A run's files have changed since it was compared.
    """
    sides = {"a": comparison.a, "b": comparison.b}
    return {
        **comparison_to_dict(comparison),
        "runs": [
            {"side": letter, **_run_record(run_id, comparison.split)}
            for letter, side in sides.items()
            for run_id in side.run_ids
        ],
        "against_report": {letter: encode(_against(side)) for letter, side in sides.items()},
    }


def comparison_files(one: Compared) -> dict[str, bytes]:
    """A comparison to take away: HTML, PDF, JSON, tables, figures, a model card of each run and the CLAIM checklist."""
    facts = tuple({facts.run_id: facts for facts in (*one.facts_a, *one.facts_b)}.values())
    document = comparison_document(one.comparison, one.facts_a, one.facts_b)
    made = files(document, comparison_record(one.comparison))
    made |= _checklist(facts, one.comparison)
    for run in facts:
        made |= _card(run)
    return made


def study_files(several: Sequence[Compared]) -> dict[str, bytes]:
    """Several comparisons to take away as one study, likewise.

    Raises:
        DataError: There is no comparison.
    """
    facts = {facts.run_id: facts for one in several for facts in (*one.facts_a, *one.facts_b)}
    records = [comparison_record(one.comparison) for one in several]
    made = files(study_document(several), {"comparisons": records})
    made |= _checklist(tuple(facts.values()), several[0].comparison)
    for run in facts.values():
        made |= _card(run)
    return made


def run_files(run_id: str) -> dict[str, bytes]:
    """A run's model card and its CLAIM checklist; see `run_facts` for the errors."""
    facts = run_facts(run_id)
    return _card(facts) | _checklist((facts,))


def _card(facts: RunFacts) -> dict[str, bytes]:
    return _readable(f"model-card-{facts.run_id}", model_card(facts, read_report(find_run(facts.run_id))))


def _checklist(facts: Sequence[RunFacts], comparison: Comparison | None = None) -> dict[str, bytes]:
    document = claim_checklist(facts, comparison)
    (table,) = tables(document)
    return {**_readable("claim-checklist", document), "claim-checklist.csv": table_csv(table).encode()}


def _readable(name: str, document: Document) -> dict[str, bytes]:
    return {f"{name}.html": to_html(document).encode(), f"{name}.pdf": to_pdf(document)}


def _data(run: RunDirectory) -> dict[str, Any]:
    data = read_json(run.config).get("data")
    return data if isinstance(data, dict) else {}


def _run_record(run_id: str, split: Split) -> dict[str, Any]:
    run, evidence = find_run(run_id), evidence_of(run_id, split)
    rows = evidence.predictions
    calibration = read_calibration(run)
    chosen = calibration if isinstance(calibration, NotApplicable) else calibration.calibrator
    logit, patients = rows["logit"].to_numpy(), rows["patient_id"].to_numpy(dtype=str)
    calibrated = (
        chosen if isinstance(chosen, NotApplicable) else reliability(labels_of(rows), apply(chosen, logit), patients)
    )
    parts, missing = slices(rows.assign(split=split.value), _image_facts(run, evidence), evidence.threshold)
    return {
        "run_id": run_id,
        "config": config_to_dict(classifier_config(run)),
        "operating_point": encode(read_report(run).operating_point),
        "calibration": encode(calibration),
        "calibrated_reliability": encode(calibrated),
        "slices": encode(parts),
        "missing_slices": {group: encode(reason) for group, reason in missing},
    }


def _image_facts(run: RunDirectory, evidence: Evidence) -> pd.DataFrame | None:
    """Facts of the images from the run's data set, or None where it is not on this machine as it was."""
    try:
        index = load_index(str(_data(run).get("data_id")))
        return image_facts(index, evidence.predictions["image_id"].tolist(), size=_SIZE)
    except DataError:
        return None


def _against(side: Side) -> Any:
    run = find_run(side.run_ids[0])
    if _data(run).get("is_phantom"):
        return NotApplicable("it was trained and tested on phantoms, and the report on X-rays")
    repeated = counterpart(classifier_config(run))
    return repeated if isinstance(repeated, NotApplicable) else against_report(side.figures, repeated)
