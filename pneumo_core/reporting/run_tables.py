"""Settings, data, cost and hardware of runs, as tables of a document."""

from collections.abc import Mapping, Sequence
from typing import Any

from pneumo_core.config.classifier import TrainConfig
from pneumo_core.config.ensemble import EnsembleConfig
from pneumo_core.config.run import RunConfig
from pneumo_core.evaluation.curves import epochs
from pneumo_core.evaluation.wording import duration, file_size
from pneumo_core.records import FOLDERS
from pneumo_core.reference import described_copy
from pneumo_core.reporting.document import KeyValues, Table
from pneumo_core.reporting.facts import UNRECORDED, RunFacts, fact, facts_text, recorded
from pneumo_core.runs.submission import RunData


def settings(facts: Sequence[RunFacts]) -> tuple[Table, KeyValues]:
    """The settings that differ, with a column for each set of runs that differ only in their seed, and the common settings."""
    groups: dict[tuple[tuple[str, str], ...], list[RunFacts]] = {}
    for run in facts:
        values = tuple((key, value) for key, value in sorted(flat(run.config).items()) if key != "seed")
        groups.setdefault(values, []).append(run)
    columns = [dict(values) for values in groups]
    keys = sorted({key for column in columns for key in column})
    body = [(key, *(column.get(key, UNRECORDED) for column in columns)) for key in keys]
    seeds = ("seed", *(", ".join(facts_text(fact(run.config, "seed")) for run in runs) for runs in groups.values()))
    heads = [", ".join(run.run_id for run in members) for members in groups.values()]
    return (
        Table(
            "settings-differ",
            "Settings that differ",
            ("setting", *heads),
            (seeds, *(row for row in body if len(set(row[1:])) > 1)),
        ),
        KeyValues(
            "settings-alike",
            "Settings" if len(facts) == 1 else "Settings common to all runs",
            tuple((row[0], row[1]) for row in body if len(set(row[1:])) == 1),
        ),
    )


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """A config's settings by their dotted names."""
    found: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            several = isinstance(value, list | tuple)
            found[prefix + key] = "none" if value is None else ", ".join(value) if several else facts_text(value)
    return found


def runs(facts: Sequence[RunFacts]) -> Table:
    """Images, parameters, durations and hardware of each run."""
    rows = []
    for run in facts:
        images = [facts_text(fact(run.manifest, "images", split.value), ",") for split in FOLDERS]
        added = fact(run.manifest, "images_added")
        device = fact(run.manifest, "device") or {}
        rows.append(
            (
                run.run_id,
                " / ".join(images) + (f", {added:,} added" if added else ""),
                facts_text(fact(run.manifest, "parameters"), ","),
                facts_text(fact(run.manifest, "trainable_parameters"), ","),
                str(len(epochs(run.events))),
                recorded(fact(run.manifest, "training_duration_s"), duration),
                recorded(fact(run.manifest, "peak_memory_bytes"), file_size),
                f"{facts_text(device.get('kind'))}, {facts_text(device.get('precision'))}",
            )
        )
    images_of = f"images in {' / '.join(split.value for split in FOLDERS)}"
    columns = ("run", images_of, "parameters", "trainable", "epochs", "training", "memory", "device")
    return Table("runs", "Runs: data, size, cost and hardware", columns, tuple(rows))


def versions(facts: Sequence[RunFacts]) -> Table:
    """Data sets, machines and versions, each value once, with its runs."""
    found: dict[tuple[str, str], list[str]] = {}
    for run in facts:
        phantom = ", phantoms, not X-rays" if run.data.get("is_phantom") else ""
        device = fact(run.manifest, "device") or {}
        values = {
            "data set": facts_text(run.data.get("name")) + phantom,
            "data id": described_copy(facts_text(run.data.get("data_id"))),
            "processor": facts_text(device.get("name")),
            "system": facts_text(device.get("system")),
            "backend": facts_text(device.get("backend")),
            "Python": facts_text(device.get("python")),
            **{name: str(version) for name, version in (device.get("versions") or {}).items()},
        }
        for key, value in values.items():
            found.setdefault((key, value), []).append(run.run_id)
    rows = tuple(
        (key, value, "all" if len(ids) == len(facts) else ", ".join(ids)) for (key, value), ids in found.items()
    )
    return Table("versions", "Data, machine and versions", ("what", "value", "runs"), rows)


def facts_of(run_id: str, data: RunData, config: RunConfig | None, manifest: Mapping[str, Any]) -> Table:
    """A run's details from its manifest and config, for people; missing values are marked."""

    def text(*names: str, shape: str = "") -> str:
        return facts_text(fact(manifest, *names), shape)

    if isinstance(config, EnsembleConfig):
        made = {"members": ", ".join(config.members)}
    else:
        made = {"most epochs": facts_text(config.epochs if config else None)}
    total, trainable = fact(manifest, "parameters"), fact(manifest, "trainable_parameters")
    fixed = total - trainable if isinstance(total, int) and isinstance(trainable, int) else None
    first = fact(manifest, "first_epoch_of_last_session")
    resumed = f" (resumed after epoch {first}; the last session)" if isinstance(first, int) and first else ""
    versions = fact(manifest, "device", "versions")
    rows = {
        "run": run_id,
        "data": described_copy(facts_text(data.data_id or None)) + (", phantoms" if data.is_phantom else ""),
        "seed": text("seed"),
        **made,
        **{f"images in {split.value}": text("images", split.value, shape=",") for split in FOLDERS},
        "parameters": text("parameters", shape=","),
        "parameters trainable": text("trainable_parameters", shape=","),
        "parameters not trainable": facts_text(fixed, ","),
        "backend": text("device", "backend"),
        "device": f"{text('device', 'kind')}: {text('device', 'name')}",
        "precision": text("device", "precision"),
        "training": recorded(fact(manifest, "training_duration_s"), duration) + resumed,
        "resume": text("resume"),
        "export and prediction": recorded(fact(manifest, "export_duration_s"), duration),
        "peak memory": recorded(fact(manifest, "peak_memory_bytes"), file_size),
        "python": text("device", "python"),
        "system": text("device", "system"),
        **({name: str(version) for name, version in versions.items()} if isinstance(versions, Mapping) else {}),
    }
    if isinstance(config, EnsembleConfig):  # It trains nothing.
        for name in ("parameters trainable", "parameters not trainable", "training", "resume"):
            del rows[name]
    added = manifest.get("images_added")
    if (by := manifest.get("images_added_by")) and added:
        rows["images in train"] += f", and {facts_text(added, ',')} synthetic images of {by}"
    if isinstance(config, TrainConfig) and config.selected_on_test:
        rows["images in val"] += ", the test images themselves"
    return Table("facts", "Facts of the run", ("fact", "value"), tuple(rows.items()))
