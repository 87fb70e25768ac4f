"""Parts below a run's curves: its last batch, its details, and its files."""

import shlex
from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages.ui.table import download, text_frame
from pneumo_core.evaluation.curves import event_number
from pneumo_core.jobs.runs import RunView, logs
from pneumo_core.reporting.document import Table
from pneumo_core.reporting.file_names import file_name, run_words
from pneumo_core.reporting.run_tables import facts_of
from pneumo_core.runs.store import read_manifest

_LOG_TAIL = 4000  # Characters; the download has the rest.
_FACTS = ("device", "precision", "training", "resume", "peak memory")


def show_batch(event: Mapping[str, Any]) -> None:
    """Progress of the epoch, and the values of the last batch."""
    shapes = {
        "step": "batch {:,.0f}",
        "steps": "of {:,.0f}",
        "loss": "· loss {:.3f}",
        "loss_generator": "· generator's loss {:.3f}",
        "loss_discriminator": "· discriminator's {:.3f}",
        "images_per_s": "· {:,.0f} images/s",
    }
    said = [shape.format(value) for name, shape in shapes.items() if (value := event_number(event, name)) is not None]
    st.caption(" ".join(said))


def facts(item: RunView) -> Table:
    """What was trained on what, where and for how long."""
    return facts_of(item.run_id, item.data, item.config, read_manifest(item.run))


def show_facts(item: RunView) -> None:
    """Device and duration of the run, and the effect of a resume."""
    table = facts(item)
    added = ["images in train"] if read_manifest(item.run).get("images_added_by") else []
    frame = text_frame(table).set_index("fact")
    # An ensemble has no training.
    st.table(frame.loc[[*added, *(name for name in _FACTS if name in frame.index)]], alt=table.caption)


def show_files(item: RunView) -> None:
    """The end of the worker's log, and how to see the run in TensorBoard."""
    if text := logs(item.run_id):
        with st.expander("Worker's log"):
            st.code(text[-_LOG_TAIL:], language=None)
            name = file_name("train", *run_words(item.config, item.run_id), "log", kind="txt")
            download("Download the whole log", lambda: logs(item.run_id), name)
    if item.run.tensorboard.is_dir():
        with st.expander("TensorBoard"):
            st.caption("In a shell on this machine, after 'pip install tensorboard':")
            st.code(f"tensorboard --logdir {shlex.quote(str(item.run.tensorboard))}", language="bash", wrap_lines=True)
