"""Quality: the images ordered by a measure, the first of them as pictures."""

import streamlit as st

from pages.ui.address import check_words
from pages.ui.dataset.pairs import show_tiles
from pages.ui.table import download
from pneumo_core.data.audit.quality import outlying
from pneumo_core.data.index import DataIndex
from pneumo_core.data.measures import MEASURES, SHARES, stored_measures
from pneumo_core.records import Label
from pneumo_core.reporting.file_names import file_name

_UNLIKE = "unlike the others"
_FILE = {"width": "pixels a row", "height": "rows of pixels", "bytes": "size of the file"}
_MARKS = {"marks": "letters and other small bright marks that were found"}
_MOST_ROWS = 500
_MOST_PICTURES = 12


def show_quality(index: DataIndex) -> None:
    """A measure and a direction, then pictures and a table in this order."""
    found = stored_measures(index)
    if found is None:
        st.info("Brightness, contrast and sharpness are not known yet: measure the images under 'Audit'.")
        return
    far = outlying(found).set_index("image_id")
    table = index.table.rename(columns={"size_bytes": "bytes"})
    rows = table[["image_id", "split", "label", *_FILE]].join(
        found.set_index("image_id")[[*MEASURES, "marks"]], on="image_id"
    )
    rows = rows.join(far.rename(columns={"distance": _UNLIKE}), on="image_id")
    words = (
        {_UNLIKE: "distance from the median in the farthest measure, in standard deviations"}
        | MEASURES
        | _MARKS
        | _FILE
    )
    check_words("order", list(words), "order")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        order = st.selectbox("Order by", list(words), key="order", bind="query-params", width=260)
        ascending = st.toggle("Lowest first", key="lowest", bind="query-params")
    st.caption(f"{order}: {words[order]}. Gray levels are from 0 to 255, measured at 224 pixels.")
    ordered = rows.sort_values([order, "image_id"], ascending=[ascending, True]).reset_index(drop=True)
    show_tiles(index, ordered["image_id"].head(_MOST_PICTURES).tolist(), place="quality")
    shown = ordered.head(_MOST_ROWS).assign(label=lambda table: [Label(value).name for value in table["label"]])
    shown = shown.rename(columns={"image_id": "image", "label": "class", "measure": "farthest in"})
    shown.insert(1, order, shown.pop(order))  # In view on a phone too.
    formats = {name: st.column_config.NumberColumn(format="percent") for name in SHARES}
    formats |= {
        name: st.column_config.NumberColumn(format="%.2f") for name in (*MEASURES, _UNLIKE) if name not in SHARES
    }
    st.dataframe(shown, hide_index=True, column_config=formats, alt=f"Images ordered by {order}")
    if len(ordered) > _MOST_ROWS:
        st.caption(f"The first {_MOST_ROWS:,} of {len(ordered):,}; the file has all.")
    name = file_name("dataset", index.root.name, index.data_id, "measures", kind="csv")
    download("Every measure (CSV)", lambda: ordered.to_csv(index=False), name)
