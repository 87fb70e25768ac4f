"""Summary of a data set: counts, patients, pitfalls, and excluded files."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.ui.charts import laid_out
from pages.ui.components import choice
from pages.ui.dataset.audit import BADGES, known_checks
from pages.ui.table import download
from pneumo_core.data.audit import Check, Outcome, Severity
from pneumo_core.data.index import DataIndex
from pneumo_core.evaluation.wording import percent
from pneumo_core.records import FOLDERS, Label, Subtype
from pneumo_core.reporting.audit_tables import in_words, plain_check
from pneumo_core.reporting.drawing import COLORS
from pneumo_core.reporting.file_names import file_name
from pneumo_core.reporting.glossary import TERMS

_REASSURING = {"patients-span-splits", "near-duplicates-span-splits"}
"""Checks that are shown though they found nothing."""

_PATTERNS = {Subtype.NONE: "", Subtype.BACTERIA: "", Subtype.VIRUS: "/", Subtype.UNKNOWN: "x"}


def count_table(table: pd.DataFrame) -> pd.DataFrame:
    """Images and patients per split, and of all, from an index's table."""
    rows = []
    for name, part in [*((split.value, table[table["split"] == split.value]) for split in FOLDERS), ("all", table)]:
        pneumonia = int((part["label"] == Label.PNEUMONIA).sum())
        rows.append(
            {
                "split": name,
                "images": len(part),
                "NORMAL": len(part) - pneumonia,
                "PNEUMONIA": pneumonia,
                **{
                    f"of it {subtype.value}": int((part["subtype"] == subtype.value).sum())
                    for subtype in Subtype
                    if subtype is not Subtype.NONE
                },
                "PNEUMONIA, share": percent(pneumonia / len(part)) if len(part) else "no images",
                "patients": part["patient_id"].nunique(),
                "patients, prefix dropped": part["pooled_id"].nunique(),
            }
        )
    return pd.DataFrame(rows)


def count_figure(table: pd.DataFrame, *, as_shares: bool) -> go.Figure:
    """Stacked bars, one a split: NORMAL, and PNEUMONIA by its subtype."""
    splits = [split.value for split in FOLDERS]
    sizes = table.groupby(["split", "label", "subtype"]).size()
    totals = table.groupby("split").size()
    figure = go.Figure()
    for label in Label:
        for subtype in Subtype:
            counts = [int(sizes.get((split, int(label), subtype.value), 0)) for split in splits]
            if not any(counts):
                continue
            shares = [count / totals[split] if count else 0.0 for split, count in zip(splits, counts, strict=True)]
            name = label.name if subtype is Subtype.NONE else f"{label.name}, {subtype.value}"
            figure.add_bar(
                y=splits,
                x=shares if as_shares else counts,
                orientation="h",
                name=name,
                marker={
                    "color": COLORS[label],
                    "pattern": {"shape": _PATTERNS[subtype], "fillmode": "overlay", "fgcolor": "white", "size": 6},
                },
                customdata=list(zip(counts, shares, strict=True)),
                hovertemplate=f"%{{y}}, {name}: %{{customdata[0]:,}} images (%{{customdata[1]:.1%}})<extra></extra>",
            )
    what = ("share of the split's images", ".0%") if as_shares else ("images", ",")
    figure.update_xaxes(title=what[0], tickformat=what[1])
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(barmode="stack", legend_traceorder="normal")
    return laid_out(figure, 200, 1.05, top=8)


def count_rows(counts: pd.DataFrame) -> pd.DataFrame:
    """`count_table` for reading: a row for each count, a column for each split, so that it fits on a phone."""
    shown = counts.loc[:, [bool(np.any(counts[name] != 0)) for name in counts]]
    texts = shown.set_index("split").map(lambda value: value if isinstance(value, str) else f"{value:,}")
    return texts.T.rename_axis(None)


def show_summary(index: DataIndex) -> None:
    """What affects how far figures can be trusted, the worst first; then the counts; the rest is folded."""
    table = index.table
    checks, is_measured = known_checks(index)
    _show_findings(checks, is_measured=is_measured)
    counts = count_table(table)
    _show_counts(table, counts, len(index.unreadable))
    _show_left_out(index)
    facts = {
        "data_id": index.data_id,
        "is_phantom": index.is_phantom,
        "counts": counts.to_dict("records"),
        "checks": [plain_check(check) for check in checks],
        "unreadable": [asdict(file) for file in index.unreadable],
        "left_out": [asdict(row) for row in index.left_out],
    }
    with st.container(horizontal=True):
        words = ("dataset", index.root.name, index.data_id)
        download("This summary (JSON)", json.dumps(facts, indent=2), file_name(*words, "summary", kind="json"))
        download("Every record (CSV)", lambda: table.to_csv(index=False), file_name(*words, "records", kind="csv"))


def _show_findings(checks: Sequence[Check], *, is_measured: bool) -> None:
    """What was found, the worst first, and where nothing is wrong, that; 'Audit' has the rest."""
    st.header("Can figures from these images be trusted?", anchor=False)
    severe = [check for check in checks if check.severity is Severity.MISLEADING]
    for check in severe:
        st.warning(in_words(check), icon=":material/warning:")
    found = [check for check in checks if check.outcome in {Outcome.ISSUE, Outcome.TIP} and check not in severe]
    said = [f"{BADGES[check.severity]} {in_words(check)}" for check in found]
    said += [
        f"{BADGES[Severity.NONE]} {check.sentence}" for check in checks if check.code in _REASSURING and not check.n
    ]
    if all(check.severity in {Severity.NOTE, Severity.NONE} for check in checks):
        said.append(f"{BADGES[Severity.NONE]} Nothing found that makes figures misleading.")
    st.markdown("\n".join(f"- {words}" for words in said))
    if not is_measured:
        st.caption("Near duplicates, quality and shift are not known yet.")
    label = "All checks, and their images" if is_measured else "Measure the images under Audit"
    st.button(label, type="tertiary", icon=":material/fact_check:", on_click=_open_audit)


def _open_audit() -> None:
    st.session_state["view"] = "Audit"


def _show_counts(table: pd.DataFrame, counts: pd.DataFrame, unreadable: int) -> None:
    st.header("Images by split, class and subtype", anchor=False)
    totals = (
        ("Images", len(table), "Files that could be read."),
        ("Patients", table["patient_id"].nunique(), TERMS["patient"]),
        ("Patients, prefix dropped", table["pooled_id"].nunique(), TERMS["patient, prefix dropped"]),
        ("Unreadable files", unreadable, "Files that are not usable images; listed below with their reasons."),
    )
    grid = st.grid(len(totals), min_column_width=190)
    for name, value, words in totals:
        grid.metric(name, f"{value:,}", help=words)
    as_shares = choice("Show", ["counts", "shares"], label_visibility="collapsed") == "shares"
    st.plotly_chart(
        count_figure(table, as_shares=as_shares),
        config={"displayModeBar": False},
        alt="Stacked bars of the images of each split by class and subtype; the table below has the numbers.",
    )
    with st.expander("The numbers as a table"):
        st.table(count_rows(counts), alt="Images and patients per split")
        st.caption(
            "Subtypes and patients are taken from the file names. PPV and NPV depend on the prevalence of PNEUMONIA, which "
            "differs between the splits."
        )


def _show_left_out(index: DataIndex) -> None:
    """Files that are not in the counts; nothing where there are none."""
    if index.unreadable:
        with st.expander(f"Unreadable files ({len(index.unreadable):,})"):
            st.dataframe(
                pd.DataFrame([asdict(file) for file in index.unreadable]).rename(columns={"image_id": "file"}),
                hide_index=True,
                alt="Unreadable files with their reasons",
            )
    if index.left_out:
        with st.expander(f"Files that are no part of it ({sum(row.files for row in index.left_out):,})"):
            rows = pd.DataFrame([asdict(row) for row in index.left_out]).rename(columns={"advice": "to include them"})
            st.dataframe(rows, hide_index=True, alt="Files that are no part of the data set, with reasons")
