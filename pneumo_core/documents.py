"""Documents to download: comparisons, studies, model cards and checklists of finished runs."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode

import pandas as pd

from pneumo_core.config.ensemble import ClassifierConfig
from pneumo_core.config.gan import GanConfig
from pneumo_core.config.run import config_from_dict, config_to_dict
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
from pneumo_core.inference.trust import read_trust
from pneumo_core.records import NotApplicable, SharedPatients, Split
from pneumo_core.reference import COPY_PATIENTS, FINDINGS, INCONSISTENCIES, PUBLISHED
from pneumo_core.reporting.claim import claim_checklist
from pneumo_core.reporting.comparison_document import comparison_document, unique
from pneumo_core.reporting.document import table_csv, tables
from pneumo_core.reporting.facts import RunFacts, SplitFacts
from pneumo_core.reporting.file_names import file_stem, pair_words, run_words, study_words
from pneumo_core.reporting.model_card import model_card
from pneumo_core.reporting.reference_blocks import counterpart_of
from pneumo_core.reporting.study_document import Compared, study_document
from pneumo_core.reporting.tables import Step, files, readable, step_count
from pneumo_core.runs.status import read_events
from pneumo_core.runs.store import RunDirectory, find_run, read_manifest
from pneumo_core.runs.submission import classifier_config, read_data

Progress = Callable[[float, float, str], None]
"""Function of the amount done, the total and the step that comes next; it may raise, to stop the work."""

_COMPARING: Final = 0.2
"""Share of the time of a comparison's documents that the statistics take."""

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
    config = classifier_config(run)  # First: of a DCGAN's run, no other file is missed.
    data, calibration = read_data(run), read_calibration(run)
    measured = None
    if split is not None:
        evidence = evidence_of(run_id, split)
        measured = split_facts(evidence, split, calibration, _image_facts(run, evidence))
    return RunFacts(
        run_id=run_id,
        config=config_to_dict(config),
        manifest=read_manifest(run),
        data={"data_id": data.data_id, "name": data.name, "is_phantom": data.is_phantom},
        events=tuple(read_events(run)),
        calibration=calibration,
        shared_patients=_shared_patients(data.data_id),
        on_split=measured,
        trust=read_trust(run),
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


def comparison_files(
    pairs: Sequence[tuple[Sequence[str], Sequence[str]]],
    split: Split = Split.TEST,
    *,
    app_url: str | None = None,
    progress: Progress = lambda *_: None,
) -> dict[str, bytes]:
    """Files of a comparison, or of several as one study.

    HTML, PDF, JSON, tables, figures, a model card of each run and the CLAIM checklist; their names say what is in them.

    Args:
        pairs: Run ids of both sides of each comparison.
        split: Split to compare on.
        app_url: Address of the app, for links to its pages, or None for a document without links.
        progress: See `Progress`.

    Raises:
        RunNotFoundError, RunError, CorruptError, DataError: See `inference.compared.compare_runs`; there is no pair.
    """
    several = []
    for number, (a, b) in enumerate(pairs):
        progress(_COMPARING * number / len(pairs), 1, f"comparing {number + 1} of {len(pairs)}")
        several.append(compared(a, b, split))
    configs = [[_config(run) for run in facts] for one in several for facts in (one.facts_a, one.facts_b)]
    facts = unique(*(group for one in several for group in (one.facts_a, one.facts_b)))
    if len(several) == 1:
        (one,) = several
        words = ("compare", *pair_words(*configs), split.value)
        document, record = comparison_document(one.comparison, one.facts_a, one.facts_b), _record(one)
    else:
        document = study_document(several)
        words = ("study", *study_words([_config(run) for run in facts]), split.value)
        record = {"comparisons": [_record(one) for one in several]}
    links = [_compare_link(app_url, one) for one in several] if app_url else []
    document = replace(document, links=(*links, *_run_links(app_url, facts)) if len(several) == 1 else tuple(links))
    step = _counted(step_count(document) + 1, progress)
    made = files(document, file_stem(*words), record, step=step)
    return made | _cards(facts, several[0].comparison, words[1:], app_url, step)


def run_files(run_id: str, *, app_url: str | None = None, progress: Progress = lambda *_: None) -> dict[str, bytes]:
    """A run's model card and its CLAIM checklist; see `run_facts` for the errors and `comparison_files` for the arguments."""
    facts = (run_facts(run_id),)
    return _cards(facts, None, run_words(_config(facts[0])), app_url, _counted(1, progress))


def _counted(total: int, progress: Progress) -> Step:
    """Steps after the comparisons, as progress."""
    numbers = iter(range(total))
    return lambda message: progress(_COMPARING + (1 - _COMPARING) * next(numbers) / total, 1, message)


def _cards(
    facts: Sequence[RunFacts], comparison: Comparison | None, words: Sequence[str], app_url: str | None, step: Step
) -> dict[str, bytes]:
    """The checklist and a model card of each run; where runs have one name, their ids tell the cards apart."""
    checklist, stem = claim_checklist(facts, comparison), file_stem("claim-checklist", *words)
    documents = {stem: checklist}
    names = [run_words(_config(run)) for run in facts]
    for run, name in zip(facts, names, strict=True):
        card = model_card(run, read_report(find_run(run.run_id)))
        told_apart = run.run_id.rpartition("-")[2] if names.count(name) > 1 else None
        documents[file_stem("model-card", *name, told_apart)] = replace(card, links=_run_links(app_url, (run,)))
    (table,) = tables(checklist)
    return {**readable(documents, step=step), f"{stem}.csv": table_csv(table).encode()}


def _compare_link(app_url: str, one: Compared) -> tuple[str, str]:
    a, b = one.comparison.a, one.comparison.b
    query = urlencode(
        {"a": ",".join(a.run_ids), "b": ",".join(b.run_ids), "split": one.comparison.split.value}, safe=","
    )
    return f"Compare {a.name} with {b.name}", f"{app_url.rstrip('/')}/compare?{query}"


def _run_links(app_url: str | None, facts: Sequence[RunFacts]) -> tuple[tuple[str, str], ...]:
    if not app_url:
        return ()
    return tuple(
        (f"Evaluate {run.run_id}", f"{app_url.rstrip('/')}/evaluate?{urlencode({'run': run.run_id})}") for run in facts
    )


def _config(facts: RunFacts) -> ClassifierConfig:
    config = config_from_dict(dict(facts.config))
    if isinstance(config, GanConfig):
        raise DataError(f"documents require classifiers. Received: run_id={facts.run_id!r}")
    return config


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
