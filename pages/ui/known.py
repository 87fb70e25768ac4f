"""Content of pages without a data set: the report's data set, the presets' results, a few phantoms."""

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from pages.ui.pictures import plain
from pneumo_core.config.naming import NETWORKS
from pneumo_core.config.presets import preset_config
from pneumo_core.data.source import default_folder
from pneumo_core.evaluation.wording import duration, percent, percent_text, score_text
from pneumo_core.records import FOLDERS, Label, Split
from pneumo_core.reference import COPIES, EXPECTED, OFFICIAL_COUNTS, REPORT_COUNTS


def official_counts() -> pd.DataFrame:
    """Images of the report's data set per split and of all, in as few columns as a phone shows."""
    rows = []
    for name, splits in [*((split.value, (split,)) for split in FOLDERS), ("all", FOLDERS)]:
        normal, pneumonia = (sum(OFFICIAL_COUNTS[split, label] for split in splits) for label in Label)
        counts = {"NORMAL": f"{normal:,}", "PNEUMONIA": f"{pneumonia:,}", "images": f"{normal + pneumonia:,}"}
        rows.append({"split": name, **counts})
    return pd.DataFrame(rows)


def show_official_counts() -> None:
    """The report's data set as a table."""
    st.header("The report's data set")
    # Plain tables: they appear with the page, before the browser has loaded the library for sortable tables.
    st.table(official_counts(), hide_index=True, alt="Images of the report's data set per split")
    shares = (f"{percent(_share(split))} of {split.value}" for split in FOLDERS)
    reported = REPORT_COUNTS[Split.TRAIN, Label.NORMAL]
    st.caption(
        "Chest X-rays of children (Kermany et al. 2018, doi:10.17632/rscbjbr9sj.2), as Kaggle serves them. PNEUMONIA are "
        f"{', '.join(shares)}. The report counted {reported:,} NORMAL training images in its own copy."
    )


def _share(split: Split) -> float:
    """Share of PNEUMONIA."""
    return OFFICIAL_COUNTS[split, Label.PNEUMONIA] / sum(OFFICIAL_COUNTS[split, label] for label in Label)


def show_preset_results() -> None:
    """Results of each preset on the X-rays, as a table."""
    rows = [
        {
            "run": f"{NETWORKS[architecture]}, {preset.value}",
            "test accuracy": percent_text(known.accuracy),
            "test AUROC": score_text(known.auroc),
            "n": f"{known.accuracy.n:,}",
            "selected on": "test"
            if (usual := preset_config(architecture, preset)).selected_on_test
            else usual.choose_on.value,
            "training": f"{known.epochs} epochs, {duration(known.duration_s)}",
        }
        for (architecture, preset), known in EXPECTED.items()
    ]
    st.header("Results of each preset on the X-rays")
    st.table(pd.DataFrame(rows), hide_index=True, alt="Results of each preset on the X-rays")
    machine = next(iter(EXPECTED.values())).machine
    st.caption(
        f"One run each, on {machine}; 95 % intervals, clustered by patient. Selected on test, a figure is optimistic; val and "
        "stress have patients of their own. "
        f"The images: {next(iter(COPIES.values()))}."
    )


@st.cache_data(max_entries=1, show_spinner=False)
def phantom_sample() -> tuple[tuple[Label, ...], list[NDArray[np.uint8]]]:
    """The first training phantoms, drawn here and now; see `data.phantom.first_phantoms`."""
    from pneumo_core.data.phantom import first_phantoms  # Draws with a library that most pages never need.

    return first_phantoms(8)


def show_phantom_sample() -> None:
    """A few phantoms as pictures."""
    labels, images = phantom_sample()
    labels, images = labels[:8], images[:8]
    st.header("Examples of phantoms")
    grid = st.grid(len(images), min_column_width=110, gap="xsmall")
    for number, (label, pixels) in enumerate(zip(labels, images, strict=True), start=1):
        grid.image(pixels, caption=label.name, width="stretch", alt=f"Phantom {number}, {label.name}")
    st.caption("Synthetic chest radiographs, drawn by this project; figures from them do not apply to patients.")


def no_data_note() -> None:
    """The default data of pages that need images, and how to connect a data set."""
    if (folder := default_folder()) is not None:
        st.markdown(f"**{plain(folder.name)}** has not been read yet: the first page that needs its images reads them.")
        return
    st.markdown(
        "No data set is connected. Pages that need images work on 600 built-in phantoms, synthetic radiographs that are "
        "drawn when a page first needs them."
    )
    st.page_link("pages/dataset.py", label="Connect X-rays on Dataset", query_params={"view": "Connect data"})
