"""Summary of a data set: counts, patients, pitfalls, and excluded files."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from operator import itemgetter

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.ui.charts import laid_out
from pages.ui.table import download
from pneumo_core.data.audit import Finding, audit
from pneumo_core.data.index import DataIndex
from pneumo_core.evaluation.wording import percent
from pneumo_core.records import Label, Split, Subtype
from pneumo_core.reporting.drawing import COLORS
from pneumo_core.reporting.glossary import TERMS

_ADVICE = {
    "empty": "Training needs both classes in train and in test.",
    "duplicates-span-splits": "A model may be tested on its training images: test figures are optimistic.",
    "duplicates-span-labels": "One of the two labels is wrong.",
    "patients-span-splits": "A model may recognize the child instead of the disease: test figures are optimistic.",
}
"""Consequence of a severe finding for figures."""
_POINTERS = {"duplicates": "'Images' shows them: turn on 'Only byte-identical copies'."}
_PATTERNS = {Subtype.NONE: "", Subtype.BACTERIA: "", Subtype.VIRUS: "/", Subtype.UNKNOWN: "x"}


def count_table(table: pd.DataFrame) -> pd.DataFrame:
    """Images and patients per split, and of all, from an index's table."""
    rows = []
    for name, part in [*((split.value, table[table["split"] == split.value]) for split in Split), ("all", table)]:
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
    splits = [split.value for split in Split]
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
    return laid_out(figure, 240, 1.05, top=8)


def show_summary(index: DataIndex) -> None:
    """Counts, patients, pitfalls, and excluded files."""
    table = index.table
    totals = (
        ("Images", len(table), "Files that could be read."),
        ("Patients", table["patient_id"].nunique(), TERMS["patient"]),
        ("Patients, prefix dropped", table["pooled_id"].nunique(), TERMS["patient, prefix dropped"]),
        (
            "Unreadable files",
            len(index.unreadable),
            "Files that are not usable images; listed below with their reasons.",
        ),
    )
    for column, (name, value, words) in zip(st.columns(4), totals, strict=True):
        column.metric(name, f"{value:,}", help=words)

    findings = audit(index)
    _show_findings(findings)
    counts = count_table(table)
    _show_counts(table, counts)
    _show_left_out(index)

    facts = {
        "data_id": index.data_id,
        "is_phantom": index.is_phantom,
        "counts": counts.to_dict("records"),
        "findings": [asdict(finding) for finding in findings],
        "unreadable": [asdict(file) for file in index.unreadable],
        "ignored": index.ignored,
    }
    left, right = st.columns([1, 3])
    with left:
        download("This summary (JSON)", json.dumps(facts, indent=2), f"{index.data_id}.json", "application/json")
    with right:
        download("Every record (CSV)", lambda: table.to_csv(index=False), f"{index.data_id}.csv", "text/csv")


def _show_findings(findings: Sequence[Finding]) -> None:
    st.subheader("Pitfalls")
    said = []
    for finding in findings:
        advice = _ADVICE.get(finding.code, "") if finding.severe else _POINTERS.get(finding.code, "")
        said.append((f"{finding.message} {advice}".strip(), finding.severe))
    if not findings:
        said.append(("The official counts, no duplicates, and no patient in both train and test.", False))
    said.append(("The files themselves may reveal the class: see 'Sizes and modes'.", False))
    # In the audit's order, because a finding may refer to the previous one.
    for is_severe, group in groupby(said, key=itemgetter(1)):
        if is_severe:
            for message, _ in group:
                st.warning(message, icon=":material/warning:")
        else:
            st.markdown("\n".join(f"- {message}" for message, _ in group))


def _show_counts(table: pd.DataFrame, counts: pd.DataFrame) -> None:
    st.subheader("Images by split, class and subtype")
    as_shares = st.segmented_control("Show", ["counts", "shares"], default="counts", required=True) == "shares"
    st.plotly_chart(
        count_figure(table, as_shares=as_shares),
        config={"displayModeBar": False},
        alt="Stacked bars of the images of each split by class and subtype; the table below has the numbers.",
    )
    numbers = {str(name): st.column_config.NumberColumn(format="localized") for name in counts.select_dtypes("number")}
    st.dataframe(counts, hide_index=True, column_config=numbers, alt="Images and patients per split")
    st.caption(
        "Subtypes and patients are taken from the file names. PPV and NPV depend on the prevalence of PNEUMONIA, which differs "
        "between the splits."
    )


def _show_left_out(index: DataIndex) -> None:
    st.subheader("Files left out")
    if index.unreadable:
        st.dataframe(
            pd.DataFrame([asdict(file) for file in index.unreadable]).rename(columns={"image_id": "file"}),
            hide_index=True,
            alt="Unreadable files with their reasons",
        )
    else:
        st.caption("Every file in the class folders could be read.")
    if index.ignored:
        ignored = pd.DataFrame({"left out on purpose": list(index.ignored), "files": list(index.ignored.values())})
        st.dataframe(ignored, hide_index=True, width="content", alt="Files left out on purpose, by reason")
