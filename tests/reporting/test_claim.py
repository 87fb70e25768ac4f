"""The CLAIM checklist."""

import csv
import io
from dataclasses import replace

from pneumo_core.data.patients import shared_words
from pneumo_core.records import NotApplicable, SharedPatients
from pneumo_core.reporting.claim import Answer, claim_checklist, claim_items
from pneumo_core.reporting.document import table_csv, tables
from pneumo_core.reporting.study_document import Compared


def test_items_are_numbered_1_to_42_and_each_has_an_answer(one_run: Compared) -> None:
    for comparison in (one_run.comparison, None):
        items = claim_items(one_run.facts_a, comparison)
        assert [item.number for item in items] == list(range(1, 43))
        assert all(item.asks and item.where for item in items)


def test_items_stand_in_the_checklist_s_sections(one_run: Compared) -> None:
    items = claim_items(one_run.facts_a, one_run.comparison)
    counts = {section: sum(item.section == section for item in items) for section in (item.section for item in items)}
    assert counts == {
        "title and abstract": 2,
        "introduction": 2,
        "study design": 2,
        "data": 7,
        "reference standard": 5,
        "data partitions": 3,
        "model": 3,
        "training": 3,
        "evaluation": 5,
        "results: data": 2,
        "results: performance": 3,
        "discussion": 2,
        "other information": 3,
    }


def test_items_have_the_numbers_of_the_paper(one_run: Compared) -> None:
    items = {item.number: item for item in claim_items(one_run.facts_a, one_run.comparison)}
    asks = {
        1: "The kind of artificial intelligence is named",
        3: "Background, intended use and clinical role",
        5: "Prospective or retrospective",
        7: "Sources",
        11: "Definition of data elements",
        14: "Definition",
        19: "Intended sample size",
        22: "Full description of the network",
        25: "Training in detail: augmentation, settings, number of models",
        28: "Metrics",
        33: "Flow of cases, with a diagram",
        35: "Figures on every part of the data",
        38: "Limits",
        41: "Where the protocol can be read",
    }
    assert {number: items[number].asks for number in asks} == asks
    assert items[41].where == "no protocol was registered before; settings and code are complete"


def test_what_was_not_done_is_told(one_run: Compared) -> None:
    answers = {item.number: item.answer for item in claim_items(one_run.facts_a, one_run.comparison)}
    # No annotators of our own, sample size, external data, flow diagram, demographics, registration.
    for number in (16, 18, 19, 32, 33, 34, 40):
        assert answers[number] is Answer.NOT_DONE


def test_a_run_validated_on_test_has_no_disjoint_parts(one_run: Compared) -> None:
    (run,) = one_run.facts_a
    sound, flattered = (
        claim_items([replace(run, config={**run.config, "validation": where})])[20] for where in ("patients", "test")
    )
    assert sound.number == 21
    assert sound.answer is Answer.DONE
    assert flattered.answer is Answer.NOT_DONE
    assert run.run_id in flattered.where


def test_the_level_of_the_parts_goes_by_the_patients_that_test_shares_with_train(one_run: Compared) -> None:
    (run,) = one_run.facts_a
    shared = SharedPatients(patients=2, of_patients=60, pooled=11, of_pooled=54)
    for found, answer in (
        (replace(shared, patients=0), Answer.DONE),
        (shared, Answer.NOT_DONE),
        (NotApplicable("no index"), Answer.PARTLY),
    ):
        item = claim_items([replace(run, shared_patients=found)])[20]
        assert item.answer is answer
        assert shared_words(found) in item.where


def test_answers_follow_the_records(one_run: Compared) -> None:
    (run,) = one_run.facts_a
    items = {item.number: item for item in claim_items([run])}
    assert "keras 3.15.1" in items[23].where
    assert "23,760,705" in items[22].where
    assert "0123456789ab" in items[7].where
    bare = {item.number: item for item in claim_items([replace(run, manifest={})])}
    assert bare[23].answer is Answer.PARTLY
    assert {item.number for item in claim_items([])} == set(range(1, 43))


def test_checklist_as_csv_has_a_row_an_item(one_run: Compared) -> None:
    (table,) = tables(claim_checklist(one_run.facts_a, one_run.comparison))
    rows = list(csv.DictReader(io.StringIO(table_csv(table), newline="")))
    assert len(rows) == 42
    assert {row["answer"] for row in rows} <= {answer.value for answer in Answer}


def test_an_ensemble_says_of_what_it_is_and_what_it_chose(one_run: Compared) -> None:
    (run,) = one_run.facts_a
    config = {"architecture": "ensemble", "members": ["baseline-0123456789ab", "vgg16-0123456789ab"], "preset": "best"}
    by_asks = {item.asks: item for item in claim_items([run, replace(run, run_id="ensemble-1", config=config)])}
    found = by_asks["Ensembles"]
    assert found.answer is Answer.DONE
    assert found.where == "mean of the members' logits: ensemble-1 of baseline-0123456789ab, vgg16-0123456789ab"
    assert "an ensemble chooses its threshold alone" in by_asks["How the final model was chosen"].where
    # What only a training has is not missed in it.
    assert "not recorded" not in by_asks["Initial values"].where
    alone = {item.asks: item for item in claim_items([run])}
    assert alone["Ensembles"].answer is Answer.NOT_APPLICABLE
