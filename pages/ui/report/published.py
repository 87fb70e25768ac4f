"""Published results beside ours, and the claim checker: are the figures of a paper possible for its images?"""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from pages.ui.cached import findings_of_study, side_of_runs
from pages.ui.components import show_error
from pages.ui.pictures import plain
from pages.ui.table import data_frame, download_table
from pneumo_core.errors import DataError
from pneumo_core.evaluation.claims import EXAMPLES, MOST_IMAGES, ClaimCheck, Multiple, check_claim
from pneumo_core.evaluation.findings import Arm
from pneumo_core.evaluation.wording import interval_text, percent
from pneumo_core.records import Label, Metric, NotApplicable, Split
from pneumo_core.reference import FINDINGS, OFFICIAL_COUNTS
from pneumo_core.reporting.published_results import OFFICIAL_IMAGES, footnotes, published_table

_PNEUMONIA = OFFICIAL_COUNTS[Split.TEST, Label.PNEUMONIA]


def published_panel() -> None:
    """Published results beside ours, each with its comparability and what it was selected on."""
    st.caption(
        f"In percent, measured on the {OFFICIAL_IMAGES} official test images unless a note says otherwise. {_PNEUMONIA} of "
        f"them are PNEUMONIA, so always predicting PNEUMONIA gives {percent(_PNEUMONIA / OFFICIAL_IMAGES)}. Figures of 96 "
        "to 99 % almost always come from a new random split or from an epoch picked on test. Do not compare these."
    )
    table = published_table([("ours", side_of_runs(arm.run_ids), False) for arm in _ours()], Split.TEST)
    data = data_frame(table)
    numbers, notes = footnotes([tuple(row) for row in data.itertuples(index=False)])
    st.table(compact(data, numbers), alt=table.caption)
    st.caption("  \n".join(f"{place}. {plain(note)}" for place, note in enumerate(notes, start=1)))
    download_table(table, "report")
    with st.expander("Published findings: do generated images help, and do the models generalize?"):
        st.markdown("\n".join(f"- [{plain(item.source)}]({item.url}): {plain(item.words)}" for item in FINDINGS))


def compact(data: pd.DataFrame, notes: Sequence[Sequence[int]]) -> pd.DataFrame:
    """Published results in four columns, which fit a phone; a source's name stands at its first result."""
    names, rows, last = [], [], ""
    for row, numbers in zip(data.to_dict("records"), notes, strict=True):
        source = plain(row["source"])
        linked = f"[{source}]({row['link']})" if row["link"] else source
        name = f"{linked}: {plain(row['model'])}" if source != last or not row["link"] else plain(row["model"])
        marks = f" (note{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))})" if numbers else ""
        others = (f"{metric} {row[metric]}" for metric in ("sensitivity", "specificity", "AUROC") if row[metric])
        names.append(f"{name}{marks}")
        rows.append([plain(row["accuracy"]), plain("; ".join(others)), plain(row["selected on"])])
        last = source
    return pd.DataFrame(rows, index=names, columns=["accuracy", "other figures", "selected on"])


def _ours() -> list[Arm]:
    """The published runs on original images."""
    return [arm for arm in findings_of_study().arms if arm.is_original]


def claim_checker() -> None:
    """Input of a claim, and whether it is possible; the claim is in the address."""
    st.caption(
        "Enter figures as printed in a paper: their digits determine their precision. Empty means not claimed. The initial "
        "values are the claim of the paper that published the data set (Kermany et al. 2018)."
    )
    typed = {}
    columns = st.columns(5)
    for column, (name, usual) in zip(
        columns, (("accuracy", "92.8 %"), ("sensitivity", "93.2 %"), ("specificity", "90.1 %")), strict=False
    ):
        typed[name] = column.text_input(
            name.capitalize(), usual, max_chars=20, key=f"claim_{name}", bind="query-params", placeholder="not claimed"
        )
    n = columns[3].number_input(
        "Images",
        1,
        MOST_IMAGES,
        OFFICIAL_IMAGES,
        key="claim_n",
        bind="query-params",
        help="Number of test images of the claim.",
    )
    sick = columns[4].text_input(
        "Of them PNEUMONIA",
        str(_PNEUMONIA),
        max_chars=9,
        key="claim_pneumonia",
        bind="query-params",
        placeholder="not known",
        help=f"{_PNEUMONIA} of the {OFFICIAL_IMAGES} official test images. Leave it empty if the paper does not give it.",
    )
    try:
        check = check_claim(n=int(n or 0), n_pneumonia=_count(sick), **typed)
    except DataError as error:
        show_error(error)
        return
    _result(check)


def multiples_frame(multiples: Sequence[Multiple]) -> pd.DataFrame:
    """Whether each claimed rate is a whole number of images."""

    def fits(found: Multiple) -> str:
        if not found.fits:
            return "none"
        counts = f"{found.least:,}" if found.least == found.most else f"{found.least:,} to {found.most:,}"
        return f"{counts} (any rate fits: few digits)" if found.always_fits else counts

    columns = {
        "claimed": [f"{found.name} {found.rate}" for found in multiples],
        "of images": [f"{found.of:,}" for found in multiples],
        "counts that round to it": [fits(found) for found in multiples],
        "nearest": [
            f"{found.nearest:,}" + (f", {percent(found.nearest / found.of, 3)}" if found.of else "")
            for found in multiples
        ],
    }
    return pd.DataFrame(columns)


def tables_frame(check: ClaimCheck) -> pd.DataFrame:
    """The listed 2x2 tables."""
    rows = [
        {"TP": table.tp, "FN": table.fn, "TN": table.tn, "FP": table.fp, "PNEUMONIA": table.tp + table.fn}
        for table in check.examples
    ]
    return pd.DataFrame(rows)


def _result(check: ClaimCheck) -> None:
    (st.success if check.tables else st.error)(plain(check.verdict))
    where = f"n = {check.n:,}, as claimed"
    if check.multiples:
        st.table(multiples_frame(check.multiples), hide_index=True, alt=f"Whether rates are whole numbers, {where}")
    words = []
    if not isinstance(check.interval, NotApplicable):
        words.append(
            f"95 % interval of the accuracy at {where}: {interval_text(Metric.ACCURACY, check.interval)} (Wilson), "
            "wider if patients have several images."
        )
    if not isinstance(check.commonest, NotApplicable):
        words.append(f"Always predicting the more frequent class gives {percent(check.commonest)}.")
    words.append(
        "A figure that was truncated instead of rounded can differ by another half unit, which is not allowed here."
    )
    st.caption(" ".join(words))
    if check.examples:
        few = f"{len(check.examples)} of {check.tables:,}" if check.tables > EXAMPLES else "All"
        st.markdown(f"**{few} tables that give the claim** · {where}")
        st.dataframe(
            tables_frame(check), hide_index=True, width="content", alt=f"2x2 tables that give the claim, {where}"
        )


def _count(text: str) -> int | None:
    digits = text.strip().replace(",", "")
    if not digits:
        return None
    if not (digits.isascii() and digits.isdigit()):
        raise DataError(f"PNEUMONIA images must be a whole number, or empty. Received: n_pneumonia={text[:20]!r}")
    return int(digits)
