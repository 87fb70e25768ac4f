"""Documents to download: comparisons, studies, model cards and checklists of finished runs."""

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from pneumo_core.config.run import config_to_dict
from pneumo_core.data.index import load_index
from pneumo_core.data.patients import shared_patients
from pneumo_core.errors import DataError
from pneumo_core.evaluation.against_report import against_parameters, against_report
from pneumo_core.evaluation.calibration import Calibration, apply
from pneumo_core.evaluation.comparison import Comparison, Evidence, Side
from pneumo_core.evaluation.curves import epochs
from pneumo_core.evaluation.operating import decision_curve, rates
from pneumo_core.evaluation.plain import encode
from pneumo_core.evaluation.prevalence import at_prevalence
from pneumo_core.evaluation.reliability import probability_scores, reliability
from pneumo_core.evaluation.slices import slices
from pneumo_core.inference.compared import compare_runs, comparison_to_dict, evidence_of
from pneumo_core.inference.evidence import read_calibration, read_report
from pneumo_core.inference.image_facts import image_facts
from pneumo_core.records import NotApplicable, SharedPatients, Split
from pneumo_core.reference import COPY_PATIENTS, FINDINGS, INCONSISTENCIES, PUBLISHED
from pneumo_core.reporting.claim import claim_checklist
from pneumo_core.reporting.comparison_document import comparison_document, unique
from pneumo_core.reporting.document import Document, table_csv, tables
from pneumo_core.reporting.facts import RunFacts, SplitFacts
from pneumo_core.reporting.html import to_html
from pneumo_core.reporting.model_card import model_card
from pneumo_core.reporting.pdf import to_pdf
from pneumo_core.reporting.reference_blocks import counterpart_of
from pneumo_core.reporting.study_document import Compared, study_document
from pneumo_core.reporting.tables import files
from pneumo_core.runs.status import read_events
from pneumo_core.runs.store import RunDirectory, find_run, read_manifest
from pneumo_core.runs.submission import classifier_config, read_data

_PREVALENCES: Final = (0.05, 0.1, 0.2, 0.5)
"""Prevalences of PNEUMONIA at which predictive values are reported, from a ward's to a balanced data set's."""


def run_facts(run_id: str, split: Split | None = None) -> RunFacts:
    """Facts of a finished classifier's run, with the results of its predictions of `split` if one is given.

    Raises:
        RunNotFoundError: There is no such run.
        RunError: It is a DCGAN's, not finished, or has no predictions of the split.
        CorruptError: A file does not match its hash.
        DataError: Its predictions are not as required.
    """
    run = find_run(run_id)
    data, calibration = read_data(run), read_calibration(run)
    measured = None
    if split is not None:
        evidence = evidence_of(run_id, split)
        measured = split_facts(evidence, split, calibration, _image_facts(run, evidence))
    return RunFacts(
        run_id=run_id,
        config=config_to_dict(classifier_config(run)),
        manifest=read_manifest(run),
        data={"data_id": data.data_id, "name": data.name, "is_phantom": data.is_phantom},
        events=tuple(read_events(run)),
        calibration=calibration,
        shared_patients=_shared_patients(data.data_id),
        on_split=measured,
    )


def split_facts(
    evidence: Evidence, split: Split, calibration: Calibration | NotApplicable, images: pd.DataFrame | None
) -> SplitFacts:
    """Results of a run's predictions of a split that accompany a comparison.

    Args:
        evidence: The predictions, with the run's threshold.
        split: Their split.
        calibration: The run's calibration.
        images: Facts of the images (`evaluation.slices.FACTS`), or None if they are not available.

    Raises:
        DataError: The predictions or facts are not as required.
    """
    rows = evidence.predictions
    labels, logit, patients, chance = evidence.y_true, evidence.logit, evidence.patients, evidence.probability
    chosen = calibration if isinstance(calibration, NotApplicable) else calibration.calibrator
    parts, missing = slices(rows.assign(split=split.value), images, evidence.threshold)
    raw = probability_scores(labels, logit, patients)
    found = rates(labels, chance, patients, evidence.threshold)
    return SplitFacts(
        split=split,
        rates=found,
        predictive_values=tuple(at_prevalence(found, prevalence) for prevalence in (*_PREVALENCES, found.prevalence)),
        brier=raw.brier,
        log_loss=raw.log_loss,
        calibrated_reliability=(
            chosen if isinstance(chosen, NotApplicable) else reliability(labels, apply(chosen, logit), patients)
        ),
        decision_curve=decision_curve(labels, chance, patients),
        slices=parts,
        missing_slices=missing,
    )


def compared(a: Sequence[str], b: Sequence[str], split: Split = Split.TEST) -> Compared:
    """A comparison with the facts of its runs; see `inference.compared.compare_runs` for the errors."""
    return _with_facts(compare_runs(a, b, split=split))


def comparison_record(comparison: Comparison) -> dict[str, Any]:
    """Every number of a comparison as plain data.

    Apart from the comparison itself: the facts of each run (`SplitFacts`, its calibration and its epochs), each side beside the
    report of 2020 and its parameters, the report's inconsistencies, and published results.

    Raises:
        RunNotFoundError, RunError, CorruptError, DataError: A run's files have changed since it was compared.
    """
    return _record(_with_facts(comparison))


def comparison_files(one: Compared) -> dict[str, bytes]:
    """Files of a comparison: HTML, PDF, JSON, tables, figures, a model card of each run and the CLAIM checklist."""
    return _with_cards(comparison_document(one.comparison, one.facts_a, one.facts_b), _record(one), [one])


def study_files(several: Sequence[Compared]) -> dict[str, bytes]:
    """Files of several comparisons as one study, as for `comparison_files`.

    Raises:
        DataError: There is no comparison.
    """
    return _with_cards(study_document(several), {"comparisons": [_record(one) for one in several]}, several)


def run_files(run_id: str) -> dict[str, bytes]:
    """A run's model card and its CLAIM checklist; see `run_facts` for the errors."""
    facts = run_facts(run_id)
    return _card(facts) | _checklist((facts,))


def _with_cards(document: Document, record: dict[str, Any], several: Sequence[Compared]) -> dict[str, bytes]:
    facts = unique(*(group for one in several for group in (one.facts_a, one.facts_b)))
    made = files(document, record) | _checklist(facts, several[0].comparison)
    for run in facts:
        made |= _card(run)
    return made


def _card(facts: RunFacts) -> dict[str, bytes]:
    return _readable(f"model-card-{facts.run_id}", model_card(facts, read_report(find_run(facts.run_id))))


def _checklist(facts: Sequence[RunFacts], comparison: Comparison | None = None) -> dict[str, bytes]:
    document = claim_checklist(facts, comparison)
    (table,) = tables(document)
    return {**_readable("claim-checklist", document), "claim-checklist.csv": table_csv(table).encode()}


def _readable(name: str, document: Document) -> dict[str, bytes]:
    return {f"{name}.html": to_html(document).encode(), f"{name}.pdf": to_pdf(document)}


def _with_facts(comparison: Comparison) -> Compared:
    a, b = (
        tuple(run_facts(run_id, comparison.split) for run_id in side.run_ids) for side in (comparison.a, comparison.b)
    )
    return Compared(comparison, a, b)


def _record(one: Compared) -> dict[str, Any]:
    comparison = one.comparison
    sides = {"a": (comparison.a, one.facts_a), "b": (comparison.b, one.facts_b)}
    return {
        **comparison_to_dict(comparison),
        "runs": [{"side": letter, **_run_record(facts)} for letter, (_, runs) in sides.items() for facts in runs],
        "against_report": {letter: encode(_against(side, runs[0])) for letter, (side, runs) in sides.items()},
        "inconsistencies": encode(INCONSISTENCIES),
        "published": encode(PUBLISHED),
        "findings": encode(FINDINGS),
    }


def _run_record(facts: RunFacts) -> dict[str, Any]:
    repeated, measured = counterpart_of(facts), facts.on_split
    record = {
        "run_id": facts.run_id,
        "config": dict(facts.config),
        "operating_point": encode(read_report(find_run(facts.run_id)).operating_point),
        "calibration": encode(facts.calibration),
        "history": [dict(epoch) for epoch in epochs(facts.events).values()],
        "parameters_against_report": encode(
            repeated
            if isinstance(repeated, NotApplicable)
            else against_parameters(facts.manifest, repeated.architecture)
        ),
    }
    if measured is None:
        return record
    missing = {group: encode(reason) for group, reason in measured.missing_slices}
    return {**record, **encode(measured), "missing_slices": missing}


def _image_facts(run: RunDirectory, evidence: Evidence) -> pd.DataFrame | None:
    """Facts of the images from the run's data set, or None if it is missing on this machine or has changed."""
    try:
        index = load_index(read_data(run).data_id)
        return image_facts(index, evidence.predictions["image_id"].tolist())
    except DataError:
        return None


def _shared_patients(data_id: str) -> SharedPatients | NotApplicable:
    """Counted in the data set's index, or known of the published runs' copy."""
    if data_id in COPY_PATIENTS:
        return COPY_PATIENTS[data_id]
    try:
        return shared_patients(load_index(data_id).table)
    except DataError:
        return NotApplicable("the index of the run's data set is not on this machine")


def _against(side: Side, facts: RunFacts) -> Any:
    repeated = counterpart_of(facts)
    return repeated if isinstance(repeated, NotApplicable) else against_report(side.figures, repeated)
