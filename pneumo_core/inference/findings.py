"""The study's findings, from the published runs: computed, or read if they were stored for the same evidence."""

from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Final

from pneumo_core.config.classifier import Balance, Preset, TrainConfig
from pneumo_core.config.presets import preset_config
from pneumo_core.errors import DataError
from pneumo_core.evaluation.comparison import Comparison, Side
from pneumo_core.evaluation.findings import SCHEMA, Arm, Contrast, Findings, Source, Transfer
from pneumo_core.evaluation.plain import decode, encode
from pneumo_core.inference.compared import balanced_pairs, compare_runs, groups, side_of
from pneumo_core.inference.evidence import read_report
from pneumo_core.records import Architecture, Estimate, Metric, NotApplicable, Split
from pneumo_core.runs import store
from pneumo_core.runs.files import file_sha256, is_there, read_json, write_json
from pneumo_core.runs.store import RunDirectory
from pneumo_core.runs.submission import classifier_config, trained_config

SHOWN: Final = (Metric.ACCURACY, Metric.SENSITIVITY, Metric.SPECIFICITY, Metric.AUROC)
"""Figures of an arm."""


def findings() -> Findings:
    """The findings of the published runs, as stored if these runs are still the same, else computed in some seconds.

    Raises:
        StoreError: A published run or the stored findings cannot be read.
        RunError, DataError: Runs cannot be compared.
    """
    sources = tuple(Source(run.run_id, file_sha256(run.manifest)) for run in _published())
    if is_there(_path()):
        with suppress(DataError):  # Of another schema.
            stored: Findings = decode(Findings, read_json(_path()), "findings")
            if (stored.schema, stored.sources) == (SCHEMA, sources):
                return stored
    return _computed(sources)


def store_findings() -> Findings:
    """Compute the findings if the runs have changed, and store them beside the runs; see `findings` for the errors."""
    found = findings()
    if not is_there(_path()) or read_json(_path()) != encode(found):
        write_json(_path(), encode(found))
    return found


def _path() -> Path:
    return store.published_root() / "findings.json"


def _published() -> list[RunDirectory]:
    """The classifiers that ship, with one of the presets that the report's question is examined with, unchanged."""
    runs = [run for run in store.finished_runs() if run.is_published and run.architecture is not Architecture.DCGAN]
    return [run for run in runs if _is_of_the_study(run)]


def _is_of_the_study(run: RunDirectory) -> bool:
    config = classifier_config(run)
    if not isinstance(config, TrainConfig):
        return False
    usual = preset_config(
        config.architecture, config.preset, seed=config.seed, balance=config.balance, gan_run=config.gan_run
    )
    return config == replace(usual, split_seed=config.split_seed) and config.preset is not Preset.QUICK


def _computed(sources: tuple[Source, ...]) -> Findings:
    known = {group.run_ids: group for group in groups(_published())}
    arms: dict[tuple[str, ...], Arm] = {}
    balancing = []
    for original, generated in balanced_pairs(list(known.values())):
        if generated.balance is not Balance.GAN:
            continue
        comparison = compare_runs(original.run_ids, generated.run_ids)
        sides = _arm(comparison.a), _arm(comparison.b)
        arms |= {side.run_ids: side for side in sides}
        balancing.append(_contrast(comparison, *sides))
    # One run's figures as its own report has them.
    alone = [ids for ids in known if ids not in arms]
    arms |= {ids: _arm(side_of(ids)) if len(ids) > 1 else _single(store.find_run(ids[0])) for ids in alone}
    first, second = (
        next((arm for arm in arms.values() if _key(arm) == (network, Preset.REPORT, Balance.NONE)), None)
        for network in (Architecture.BASELINE, Architecture.VGG16)
    )
    networks = [_contrast(compare_runs(first.run_ids, second.run_ids), first, second)] if first and second else []
    by_key = sorted(arms.values(), key=_key)
    held_out = [arm for arm in by_key if arm.preset is Preset.SOUND and arm.balance is Balance.NONE]
    runs = chain.from_iterable(arm.run_ids for arm in held_out)
    transfers = tuple(map(_transfer, map(store.find_run, runs)))
    return Findings(SCHEMA, tuple(by_key), tuple(balancing), tuple(networks), transfers, sources)


def _key(arm: Arm) -> tuple[Architecture, Preset, Balance]:
    return arm.architecture, arm.preset, arm.balance


def _arm(side: Side) -> Arm:
    return _of_run(side.run_ids, side.n_patients, side.figures)


def _single(run: RunDirectory) -> Arm:
    part = read_report(run).splits[Split.TEST]
    return _of_run((run.run_id,), part.n_patients, part.figures)


def _of_run(run_ids: tuple[str, ...], n_patients: int, figures: dict[Metric, Estimate | NotApplicable]) -> Arm:
    config = trained_config(store.find_run(run_ids[0]))
    return Arm(
        architecture=config.architecture,
        preset=config.preset,
        balance=config.balance,
        selected_on_test=config.selected_on_test,
        run_ids=run_ids,
        n_patients=n_patients,
        figures={metric: figures[metric] for metric in SHOWN},
    )


def _contrast(comparison: Comparison, a: Arm, b: Arm) -> Contrast:
    verdict = comparison.verdict
    difference = comparison.differences[Metric.ACCURACY].estimate
    return Contrast(a, b, difference, verdict.claimed, verdict.direction)


def _transfer(run: RunDirectory) -> Transfer:
    splits = read_report(run).splits
    val, test = (splits[split].figures[Metric.SPECIFICITY] for split in (Split.VAL, Split.TEST))
    config = classifier_config(run)
    return Transfer(run.run_id, config.architecture, config.seed, val, test)
