"""The study's `findings`: those that ship follow from the published runs, and others are computed for other evidence."""

import shutil
from pathlib import Path

import pytest

from pneumo_core.config.classifier import Balance, Preset
from pneumo_core.config.presets import preset_config
from pneumo_core.evaluation.findings import SCHEMA
from pneumo_core.inference import findings as module
from pneumo_core.inference.compared import compare_runs
from pneumo_core.inference.evidence import read_report
from pneumo_core.inference.findings import SHOWN, findings, store_findings
from pneumo_core.records import Architecture, Metric, Split
from pneumo_core.runs.files import is_there, read_json, write_json
from pneumo_core.runs.store import find_run, runs_root
from tests.closeness import assert_close
from tests.pages.ui.finished_runs import finish

GAN_RUN = "dcgan-0123456789ab"


def publish(folder: Path, *run_ids: str) -> None:
    for run_id in run_ids:
        shutil.move(runs_root() / run_id, folder / run_id)


@pytest.fixture
def pair(no_published: Path) -> tuple[list[str], list[str]]:
    """Two seeds of the report's baseline without and with generated images, published."""
    arms = ({}, {"balance": Balance.GAN, "gan_run": GAN_RUN})
    sides = tuple(
        [finish(preset_config(Architecture.BASELINE, Preset.REPORT, seed=seed, **arm)) for seed in (0, 1)]
        for arm in arms
    )
    publish(no_published, *sides[0], *sides[1])
    return sides


def test_what_ships_follows_from_the_published_runs() -> None:
    shipped = findings()
    assert shipped.schema == SCHEMA
    assert {source.run_id for source in shipped.sources} >= {run for arm in shipped.arms for run in arm.run_ids}
    # A bootstrap's ends are quantiles of sums over images, whose order may differ between processors.
    assert_close(module._computed(shipped.sources), shipped, relative=1e-9)


def test_contrasts_are_those_of_the_compare_page(pair: tuple[list[str], list[str]]) -> None:
    found = findings()
    compared = compare_runs(*pair)
    (contrast,) = found.balancing
    assert contrast.accuracy == compared.differences[Metric.ACCURACY].estimate
    assert (contrast.claimed, contrast.direction) == (compared.verdict.claimed, compared.verdict.direction)
    for arm, side in ((contrast.a, compared.a), (contrast.b, compared.b)):
        assert arm.figures == {metric: side.figures[metric] for metric in SHOWN}
        assert (arm.run_ids, arm.n_patients, arm.selected_on_test) == (side.run_ids, side.n_patients, True)
    assert (contrast.a.balance, contrast.b.balance) == (Balance.NONE, Balance.GAN)
    assert found.networks == found.transfers == ()


def test_a_single_run_with_validation_patients_is_an_arm_and_a_transfer(no_published: Path) -> None:
    run = finish(preset_config(Architecture.VGG16, Preset.SOUND, seed=5))
    publish(no_published, run)
    report = read_report(find_run(run))
    (arm,), (transfer,) = findings().arms, findings().transfers
    assert arm.figures == {metric: report.splits[Split.TEST].figures[metric] for metric in SHOWN}
    assert (transfer.run_id, transfer.architecture, transfer.seed) == (run, Architecture.VGG16, 5)
    assert transfer.val == report.splits[Split.VAL].figures[Metric.SPECIFICITY]
    assert transfer.test == report.splits[Split.TEST].figures[Metric.SPECIFICITY]
    assert transfer.val != transfer.test


def test_a_run_of_the_recipe_is_an_arm_and_no_transfer_of_ordinary_validation(no_published: Path) -> None:
    run = finish(preset_config(Architecture.COMPACT, Preset.BEST))
    publish(no_published, run)
    (arm,) = findings().arms
    assert (arm.run_ids, arm.preset, arm.is_original, findings().transfers) == ((run,), Preset.BEST, True, ())


def test_networks_are_compared_under_the_procedure_of_the_report(
    pair: tuple[list[str], list[str]], no_published: Path
) -> None:
    others = [finish(preset_config(Architecture.VGG16, Preset.REPORT, seed=seed)) for seed in (2, 3)]
    publish(no_published, *others)
    (contrast,) = findings().networks
    assert (list(contrast.a.run_ids), list(contrast.b.run_ids)) == (pair[0], others)
    assert contrast.accuracy == compare_runs(pair[0], others).differences[Metric.ACCURACY].estimate


def test_runs_of_ones_own_and_other_settings_are_left_out(
    pair: tuple[list[str], list[str]], no_published: Path
) -> None:
    before = findings()
    finish(preset_config(Architecture.BASELINE, Preset.REPORT, seed=7))
    publish(no_published, finish(preset_config(Architecture.BASELINE, Preset.REPORT, seed=2, epochs=3)))
    publish(no_published, finish(preset_config(Architecture.BASELINE, Preset.QUICK)))
    assert findings() == before


def test_nothing_published_gives_no_finding(no_published: Path) -> None:
    found = findings()
    assert (found.arms, found.balancing, found.networks, found.transfers, found.sources) == ((), (), (), (), ())


def test_stored_findings_are_read_until_the_evidence_or_the_schema_changes(
    pair: tuple[list[str], list[str]], no_published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = store_findings()
    path = no_published / "findings.json"
    assert is_there(path)
    computed = []
    compute = module._computed
    monkeypatch.setattr(module, "_computed", lambda sources: computed.append(sources) or compute(sources))
    assert findings() == stored
    assert not computed
    write_json(path, {**read_json(path), "schema": SCHEMA - 1})
    assert findings() == stored
    assert len(computed) == 1
    write_json(path, {"schema": SCHEMA})
    assert findings() == stored
    store_findings()
    publish(no_published, finish(preset_config(Architecture.BASELINE, Preset.REPORT, seed=2)))
    assert len(findings().balancing[0].a.run_ids) == 3
