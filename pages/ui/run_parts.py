"""What stands below a run's curves: its last batch, its facts, and the files to look at elsewhere."""

import math
import shlex
from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages.ui.tables import facts_frame
from pneumo_core.jobs.runs import RunView, logs
from pneumo_core.runs.store import read_manifest

_LOG_TAIL = 4000  # Characters; the download has the rest.
_FACTS = ("device", "precision", "training", "resume", "peak memory")


def number(event: Mapping[str, Any], name: str) -> float | None:
    """A number of an event that was read from a file, where it is one."""
    value = event.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def show_batch(event: Mapping[str, Any]) -> None:
    """How far the epoch is, and what the batch said."""
    shapes = {
        "step": "batch {:,.0f}",
        "steps": "of {:,.0f}",
        "loss": "· loss {:.3f}",
        "loss_generator": "· generator's loss {:.3f}",
        "loss_discriminator": "· discriminator's {:.3f}",
        "images_per_s": "· {:,.0f} images/s",
    }
    said = [shape.format(value) for name, shape in shapes.items() if (value := number(event, name)) is not None]
    st.caption(" ".join(said))


def show_facts(item: RunView) -> None:
    """Where the run worked, what it took, and what may be said of it if it was resumed."""
    manifest = read_manifest(item.run)
    facts = facts_frame(item, manifest).set_index("fact")
    added = ["images in train"] if manifest.get("images_added_by") else []
    st.table(facts.loc[[*added, *_FACTS]], alt="Facts of the run")


def show_files(item: RunView) -> None:
    """The end of the worker's log, and how to see the run in TensorBoard."""
    if text := logs(item.run_id):
        with st.expander("Worker's log"):
            st.code(text[-_LOG_TAIL:], language=None)
            st.download_button(
                "Download all of it",
                lambda: logs(item.run_id),
                f"{item.run_id}.log",
                "text/plain",
                on_click="ignore",
                key=f"log {item.run_id}",
            )
    if item.run.tensorboard.is_dir():
        with st.expander("TensorBoard"):
            st.caption("In a shell on this machine, after 'pip install tensorboard':")
            st.code(f"tensorboard --logdir {shlex.quote(str(item.run.tensorboard))}", language="bash", wrap_lines=True)
