"""Predict: what a model reads in X-rays, with heat maps, or a refusal with its reason. Nothing is stored."""

import streamlit as st

from pages.ui.address import check_words
from pages.ui.cached import loaded_classifier
from pages.ui.components import caveats, data_badge, disclaimer, open_linked_tab, pick_finished_run, shown_errors
from pages.ui.memory import give_back_memory
from pages.ui.pictures import plain
from pages.ui.places import beside
from pages.ui.predict.answer import show_caution, show_verdict
from pages.ui.predict.batch import show_batch
from pages.ui.predict.folds import show_folds
from pages.ui.predict.kept import Case, answer_of, kept, open_cases, pixels_of
from pages.ui.predict.picture import as_jpeg, short, show_picture
from pages.ui.predict.samples import pick_sample
from pages.ui.predict.scope import show_scope
from pages.ui.predict.sides import show_others
from pages.ui.predict.take import offer_sheet, offer_table
from pages.ui.predict.upload import show_samples, show_uploader
from pages.ui.state import needed_index, require_frame
from pneumo_core.data.images import read_indexed
from pneumo_core.data.index import DataIndex
from pneumo_core.inference.classify import Classifier
from pneumo_core.records import Split

require_frame()

_REFUSED = 320
"""Width of a refused image, in pixels: enough to see why."""

SOURCES = ("Upload an X-ray", "Sample from the data set")


def show_case(case: Case, model: Classifier) -> None:
    """A case: a warning first, the image under its heat map, the verdict, and the rest folded."""
    prediction = answer_of(model, case)
    st.header(plain(short(case.title)), anchor=False)
    if case.origin:
        st.badge(case.origin, icon=":material/science:", color="violet")
    show_caution(case, prediction)
    pixels = pixels_of(case)
    if pixels is None:
        return
    if prediction.cam is None:
        st.image(as_jpeg(pixels), width=_REFUSED, caption=plain(short(case.title)), alt="The refused image")
        return
    picture, words = beside(gap="large")
    with picture:
        show_picture(case, pixels, prediction, model)
    with words:
        show_verdict(case, prediction, model)
        with st.container(horizontal=True):
            offer_sheet(case, prediction, model)
    show_others(case, model)
    show_folds(case, prediction, model, pixels)


def show_sample(model: Classifier, index: DataIndex, *, from_patients: bool) -> None:
    """An image of the connected data, with its label beside the prediction."""
    data_badge(index)
    if index.is_phantom and from_patients:
        st.info(
            "This model was trained on X-rays of patients, and these samples are synthetic phantoms: its predictions only "
            "show how the page works. Connect X-rays on Dataset, or choose a model trained on phantoms."
        )
    record = pick_sample(index, Split.TEST)
    content = read_indexed(index.root, record.image_id, record.sha256)
    show_case(Case(f"image {record.image_id} {record.sha256}", record.image_id, content, record.label), model)


st.title("Predict")
disclaimer()
with shown_errors():
    view = pick_finished_run("Model", with_model=True)
    if kept().cases:
        with st.expander("What this model saw, and where your images stay"):
            show_scope(view)
    else:
        show_scope(view)
    open_linked_tab("source", SOURCES[1], named="image")
    check_words("source", SOURCES, "tab")
    upload, sample = st.tabs(SOURCES, key="source", bind="query-params")
    with upload:
        show_uploader()
        if kept().cases:
            st.button("Close", icon=":material/close:", on_click=open_cases, args=([],), key="close")
        answer = st.empty()  # What stood there is gone before the new file is classified.
        if upload.open and not kept().cases:
            show_samples()
    model = loaded_classifier(view.run_id)  # This takes a moment the first time; the content above is already shown.
    if upload.open and kept().cases:
        with answer.container():
            opened: Case | None = kept().cases[0]
            if len(kept().cases) > 1:
                opened = show_batch(model)
                offer_table(model)
            if opened is not None:
                show_case(opened, model)
    if sample.open:
        with sample:
            show_sample(model, needed_index(), from_patients=not view.data.is_phantom)
    caveats(view)
give_back_memory()
