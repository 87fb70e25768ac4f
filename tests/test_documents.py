"""What runs give to take away: records gathered from their files, without what is nobody's business."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pneumo_core.config.classifier import Balance
from pneumo_core.data.index import build_index
from pneumo_core.data.patients import shared_patients
from pneumo_core.documents import compared, comparison_files, comparison_record, run_facts, run_files
from pneumo_core.errors import DataError, RunNotFoundError
from pneumo_core.evaluation.against_report import against_report, counterpart
from pneumo_core.evaluation.plain import encode
from pneumo_core.evaluation.probability import probability
from pneumo_core.inference.compared import compare_runs, evidence_of
from pneumo_core.inference.evidence import read_calibration, read_report
from pneumo_core.records import NotApplicable, SharedPatients, Split
from pneumo_core.reference import COPY_PATIENTS, FINDINGS, INCONSISTENCIES
from pneumo_core.runs.files import read_json, write_json
from pneumo_core.runs.store import RunDirectory, read_manifest
from pneumo_core.runs.submission import classifier_config
from tests.made_runs import made_predictions, made_run

pytestmark = pytest.mark.usefixtures("no_published")


def two_runs() -> tuple[RunDirectory, RunDirectory]:
    return made_run(made_predictions()), made_run(made_predictions(skill=1.6), balance=Balance.OVERSAMPLE)


@pytest.mark.parametrize(
    ("root", "name"),
    [("/home/somebody/chest_xray", "chest_xray"), ("chest_xray", "chest_xray"), ("/somebody's/data set", "data set")],
)
def test_facts_name_the_data_folder_and_not_where_it_lies(root: str, name: str) -> None:
    run, _ = two_runs()
    asked = read_json(run.config)
    write_json(run.config, {**asked, "data": {**asked["data"], "root": root}})
    facts = run_facts(run.run_id)
    assert facts.data["name"] == name
    assert facts.manifest == read_manifest(run)
    assert facts.calibration == read_calibration(run)
    assert [event["epoch"] for event in facts.events] == [0, 1, 2]


def test_shared_patients_are_counted_in_the_runs_data_set_or_known_of_the_published_one(tiny_data: Path) -> None:
    run, _ = two_runs()
    asked = read_json(run.config)

    def found_for(data_id: str) -> SharedPatients | NotApplicable:
        write_json(run.config, {**asked, "data": {**asked["data"], "data_id": data_id}})
        return run_facts(run.run_id).shared_patients

    index = build_index(tiny_data)
    assert found_for(index.data_id) == shared_patients(index.table)
    ((copy, known),) = COPY_PATIENTS.items()
    assert found_for(copy) == known
    assert isinstance(found_for("fedcba987654"), NotApplicable)


def test_facts_of_no_run() -> None:
    with pytest.raises(RunNotFoundError):
        run_facts("baseline-ffffffffffff")


def test_a_comparison_has_the_facts_of_every_run_by_seed() -> None:
    none = [made_run(made_predictions(seed=seed), seed=seed).run_id for seed in (1, 0)]
    other = made_run(made_predictions(skill=1.6), balance=Balance.OVERSAMPLE).run_id
    found = compared(none, [other])
    assert [facts.run_id for facts in found.facts_a] == [none[1], none[0]]
    assert [facts.run_id for facts in found.facts_b] == [other]


@pytest.mark.parametrize("split", [Split.TEST, Split.VAL])
def test_the_record_holds_each_run_s_own_numbers(split: Split) -> None:
    a, b = two_runs()
    comparison = compare_runs([a.run_id], [b.run_id], split=split)
    record = comparison_record(comparison)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["verdict"] == encode(comparison.verdict)
    for letter, run, found in zip("ab", (a, b), record["runs"], strict=True):
        assert (found["side"], found["run_id"]) == (letter, run.run_id)
        assert found["operating_point"] == encode(read_report(run).operating_point)
        assert found["calibration"] == encode(read_calibration(run))
        assert {one["group"] for one in found["slices"]} >= {"subtype"}
        assert sum(one["n"] for one in found["slices"] if one["group"] == "subtype") == comparison.a.n_pneumonia
        assert {"image size", "sharpness", "color"} <= set(found["missing_slices"])
        rows = evidence_of(run.run_id, split).predictions
        labels, values = rows["label"].to_numpy(), probability(rows["logit"].to_numpy())
        called = values >= found["rates"]["threshold"]
        sensitivity, specificity = called[labels == 1].mean(), 1 - called[labels == 0].mean()
        assert found["rates"]["sensitivity"]["value"] == pytest.approx(sensitivity)
        assert found["rates"]["specificity"]["value"] == pytest.approx(specificity)
        shares = [one["prevalence"] for one in found["predictive_values"]]
        assert shares == [0.05, 0.1, 0.2, 0.5, pytest.approx(labels.mean())]
        for one, share in zip(found["predictive_values"], shares, strict=True):
            sick, well = share * sensitivity, (1 - share) * (1 - specificity)
            assert one["ppv"]["value"] == pytest.approx(sick / (sick + well))
            assert one["npv"]["low"] <= one["npv"]["value"] <= one["npv"]["high"]
            assert one["npv"]["low"] < one["npv"]["high"]
        assert found["brier"]["value"] == pytest.approx(((values - labels) ** 2).mean())
        benefit = found["decision_curve"]
        at = benefit["threshold"].index(0.3)
        counted = [(1 if label else -0.3 / 0.7) * (value >= 0.3) for label, value in zip(labels, values, strict=True)]
        assert benefit["model"][at] == pytest.approx(sum(counted) / len(counted))
        assert [epoch["epoch"] for epoch in found["history"]] == [0, 1, 2]
    assert "/nowhere" not in json.dumps(record)


def test_the_record_sets_figures_against_the_report_where_it_has_that_training() -> None:
    a, b = two_runs()
    comparison = compare_runs([a.run_id], [b.run_id])
    found = comparison_record(comparison)["against_report"]
    repeated = counterpart(classifier_config(a))
    assert not isinstance(repeated, NotApplicable)
    assert found["a"] == encode(against_report(comparison.a.figures, repeated))
    assert "oversample" in found["b"]["not_applicable"]


def test_the_record_holds_parameters_inconsistencies_and_what_others_published() -> None:
    a, b = two_runs()
    record = comparison_record(compare_runs([a.run_id], [b.run_id]))
    of_a, of_b = (run["parameters_against_report"] for run in record["runs"])
    assert [row["report"] for row in of_a] == [5_677_329, 5_676_881, 448]
    assert "oversample" in of_b["not_applicable"]
    assert [one["title"] for one in record["inconsistencies"]] == [one.title for one in INCONSISTENCIES]
    assert record["published"][0]["accuracy"] == 92.8
    assert {one["url"] for one in record["findings"]} == {one.url for one in FINDINGS}


def test_phantoms_are_not_set_against_the_report() -> None:
    a, b = (
        made_run(made_predictions(skill=skill), seed=seed, is_phantom=True, data_id="1" * 12)
        for seed, skill in enumerate((1.2, 1.6))
    )
    found = comparison_record(compare_runs([a.run_id], [b.run_id]))["against_report"]
    assert all("phantoms" in found[letter]["not_applicable"] for letter in "ab")


def test_a_study_of_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="Received"):
        comparison_files([])


def test_runs_of_one_name_have_cards_of_their_own_and_every_step_is_said() -> None:
    a, b = made_run(made_predictions()), made_run(made_predictions(skill=1.6), data_id="1" * 12)
    said: list[tuple[float, str]] = []
    made = comparison_files(
        [([a.run_id], [b.run_id])],
        app_url="https://app.example/base/",
        progress=lambda done, total, message: said.append((done / total, message)),
    )
    for run in (a, b):
        assert f"pneumo-model-card-baseline-sound-none-seed0-{run.run_id[-12:]}.pdf" in made
    shares = [share for share, _ in said]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] < 1
    figures = [name for name in made if name.endswith(".svg")]
    assert len(said) == 1 + len(figures) + 1 + 1  # The comparison, its figures and text, the other documents.
    (page,) = (content.decode() for name, content in made.items() if "compare" in name and name.endswith("test.html"))
    assert f'href="https://app.example/base/compare?a={a.run_id}&amp;b={b.run_id}&amp;split=test"' in page
    assert f'href="https://app.example/base/evaluate?run={a.run_id}"' in page
    assert all(name.rpartition("/")[2].startswith("pneumo-") for name in made)


def test_a_step_can_stop_the_work() -> None:
    run, _ = two_runs()
    said: list[str] = []

    def stop(_done: float, _total: float, message: str) -> None:
        said.append(message)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_files(run.run_id, progress=stop)
    assert said == ["typesetting model cards and checklists, 2 documents"]


def test_without_an_address_there_are_no_links() -> None:
    run, _ = two_runs()
    made = run_files(run.run_id)
    assert not any(b'href="http' in content for name, content in made.items() if name.endswith(".html"))


def test_a_run_that_is_gone_since_is_told() -> None:
    a, b = two_runs()
    comparison = compare_runs([a.run_id], [b.run_id])
    gone = replace(comparison, a=replace(comparison.a, run_ids=("baseline-ffffffffffff",)))
    with pytest.raises(RunNotFoundError):
        comparison_record(gone)
