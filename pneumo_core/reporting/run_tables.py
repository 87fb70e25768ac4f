"""What runs were asked, trained on and run on, as tables of a document."""

from collections.abc import Mapping, Sequence
from typing import Any

from pneumo_core.records import Split
from pneumo_core.reporting.document import KeyValues, Table
from pneumo_core.reporting.facts import UNRECORDED, RunFacts, epochs, fact, facts_text

__all__ = ["flat", "runs", "settings", "versions"]


def settings(facts: Sequence[RunFacts], name: str = "settings") -> tuple[Table, KeyValues]:
    """The settings in which runs differ, a column for each set of runs that differ in their seed alone, and the others."""
    groups: dict[tuple[tuple[str, str], ...], list[RunFacts]] = {}
    for run in facts:
        asked = tuple((key, value) for key, value in sorted(flat(run.config).items()) if key != "seed")
        groups.setdefault(asked, []).append(run)
    columns = [dict(asked) for asked in groups]
    keys = sorted({key for column in columns for key in column})
    body = [(key, *(column.get(key, UNRECORDED) for column in columns)) for key in keys]
    seeds = ("seed", *(", ".join(facts_text(fact(run.config, "seed")) for run in runs) for runs in groups.values()))
    heads = [", ".join(run.run_id for run in members) for members in groups.values()]
    return (
        Table(
            f"{name}-differ",
            "Settings that differ",
            ("setting", *heads),
            (seeds, *(row for row in body if len(set(row[1:])) > 1)),
        ),
        KeyValues(
            f"{name}-alike",
            "Settings" if len(facts) == 1 else "Settings alike in all runs",
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
            found[prefix + key] = "none" if value is None else facts_text(value)
    return found


def runs(facts: Sequence[RunFacts], name: str = "runs") -> Table:
    """Where each run's images, parameters and minutes went."""
    rows = []
    for run in facts:
        images = [facts_text(fact(run.manifest, "images", split.value), ",") for split in Split]
        added = fact(run.manifest, "images_added")
        device = fact(run.manifest, "device") or {}
        duration, memory = fact(run.manifest, "training_duration_s"), fact(run.manifest, "peak_memory_bytes")
        rows.append(
            (
                run.run_id,
                " / ".join(images) + (f", {added:,} added" if added else ""),
                facts_text(fact(run.manifest, "parameters"), ","),
                facts_text(fact(run.manifest, "trainable_parameters"), ","),
                str(len(epochs(run))),
                facts_text(duration, ",.0f", "\N{NO-BREAK SPACE}s"),
                facts_text(
                    memory / 2**20 if isinstance(memory, int | float) else memory, ",.0f", "\N{NO-BREAK SPACE}MiB"
                ),
                f"{facts_text(device.get('kind'))}, {facts_text(device.get('precision'))}",
            )
        )
    images_of = f"images in {' / '.join(split.value for split in Split)}"
    columns = ("run", images_of, "parameters", "trainable", "epochs", "training", "memory", "device")
    return Table(name, "Runs: data, size, cost and hardware", columns, tuple(rows))


def versions(facts: Sequence[RunFacts], name: str = "versions") -> Table:
    """Data sets, machines and versions, each value once with the runs that it is of."""
    found: dict[tuple[str, str], list[str]] = {}
    for run in facts:
        phantom = ", phantoms, not X-rays" if run.data.get("is_phantom") else ""
        device = fact(run.manifest, "device") or {}
        values = {
            "data set": facts_text(run.data.get("name")) + phantom,
            "data id": facts_text(run.data.get("data_id")),
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
    return Table(name, "Data, machine and versions", ("what", "value", "runs"), rows)
