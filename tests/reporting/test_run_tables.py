"""What runs were trained with and on, cell by cell from numbers of which no two are alike."""

from typing import Any

from pneumo_core.config.classifier import Preset
from pneumo_core.config.ensemble import EnsembleConfig
from pneumo_core.config.presets import preset_config
from pneumo_core.records import Architecture
from pneumo_core.reporting.run_tables import facts_of
from pneumo_core.runs.submission import RunData


def facts_by_name(preset: Preset, manifest: dict[str, Any]) -> dict[str, str]:
    config = preset_config(Architecture.BASELINE, preset)
    table = facts_of("baseline-0123456789ab", RunData("abc", is_phantom=True), config, manifest)
    assert table.columns == ("fact", "value")
    return dict(table.rows)


def test_facts_are_read_from_the_manifest() -> None:
    manifest = {
        "parameters": 5_677_329,
        "trainable_parameters": 5_676_881,
        "images": {"train": 5216, "val": 621, "test": 624},
        "seed": 0,
        "training_duration_s": 1234.5,
        "export_duration_s": 67.0,
        "first_epoch_of_last_session": 3,
        "peak_memory_bytes": 3 * 2**20,
        "device": {"backend": "tensorflow", "precision": "float32", "versions": {"keras": "3.15.1"}},
    }
    facts = facts_by_name(Preset.REPORT, manifest)
    assert facts["parameters"] == "5,677,329"
    assert facts["parameters trainable"] == "5,676,881"
    assert facts["parameters not trainable"] == "448"
    assert facts["export and prediction"] == "67 s"
    assert [facts[f"images in {split}"].partition(",")[0] for split in ("val", "test")] == ["621", "624"]
    assert facts["images in val"] == "621, the test images themselves"
    assert facts["data"] == "abc, phantoms"
    assert facts["training"] == "21 min (resumed after epoch 3; the last session)"
    assert facts["peak memory"] == "3.15 MB"
    assert facts["keras"] == "3.15.1"
    assert facts["python"] == "not recorded"


def test_an_empty_manifest_makes_up_nothing() -> None:
    facts = facts_by_name(Preset.SOUND, {})
    known = {"run", "data", "most epochs"}
    assert all("not recorded" in value for name, value in facts.items() if name not in known)


def test_an_ensemble_has_members_and_no_training() -> None:
    config = EnsembleConfig(
        ("compact-0123456789ab", "vgg16-0123456789ab"), Preset.SOUND, seed=0, val_fraction=0.15, image_size=150
    )
    manifest = {"parameters": 12, "trainable_parameters": 10, "export_duration_s": 3.0, "device": {"kind": "cpu"}}
    rows = dict(facts_of("ensemble-0123456789ab", RunData("abc"), config, manifest).rows)
    assert rows["members"] == "compact-0123456789ab, vgg16-0123456789ab"
    assert rows["parameters"] == "12"
    assert not {"most epochs", "training", "resume", "parameters trainable", "parameters not trainable"} & set(rows)
