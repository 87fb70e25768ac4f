"""Pieces that several pages draw."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui.address import bad_link, check_words
from pages.ui.error_text import error_text
from pages.ui.pictures import plain
from pneumo_core.config.classifier import Preset, TrainConfig
from pneumo_core.config.ensemble import EnsembleConfig
from pneumo_core.config.gan import GAN_PRESETS
from pneumo_core.config.naming import unlike_report
from pneumo_core.config.presets import PRESETS, members_caveats
from pneumo_core.config.run import full_name
from pneumo_core.data.index import DataIndex
from pneumo_core.errors import PneumoError
from pneumo_core.jobs.runs import RunView, views
from pneumo_core.jobs.runs import view as run_view
from pneumo_core.records import NotApplicable, RunState, Split
from pneumo_core.reference import COPIES
from pneumo_core.reporting.file_names import file_stem
from pneumo_core.reporting.glossary import TERMS
from pneumo_core.runs.files import is_there
from pneumo_core.runs.recommended import recommended

if TYPE_CHECKING:
    from plotly.graph_objects import Figure  # Half a second, which pages that draw no chart save.

DISCLAIMER = "Research and education only. Not a medical device; not for diagnosis."

T = TypeVar("T")

KEPT: dict[str, Any] = {"persist_state": "session"}
"""Options of a form's control whose value survives a change of page."""

STATE_COLORS = {
    RunState.SUCCEEDED: "green",
    RunState.RUNNING: "blue",
    RunState.EXPORTING: "blue",
    RunState.QUEUED: "gray",
    RunState.TRAINED: "violet",
    RunState.INTERRUPTED: "orange",
    RunState.CANCELLED: "orange",
    RunState.FAILED: "red",
}


def show_error(error: PneumoError | str) -> None:
    """An error; what it quotes may come from an address or a file, and is not read as Markdown."""
    st.error(error_text(error))


@contextmanager
def shown_errors() -> Iterator[None]:
    """Show an expected error as one line and end the page there; anything else is a bug and keeps its traceback."""
    try:
        yield
    except PneumoError as error:
        show_error(error)
        st.stop()


def open_tab(key: str, titles: Sequence[str]) -> tuple[str, DeltaGenerator]:
    """Tabs, and the title and place of the open one: it alone is drawn, and its code loaded, when it is first opened.

    Args:
        key: Name of the open tab in the address.
        titles: Of the tabs.
    """
    check_words(key, titles, "tab")
    tabs = dict(zip(titles, st.tabs(titles, key=key, bind="query-params"), strict=True))
    return next(((title, tab) for title, tab in tabs.items() if tab.open), (titles[0], tabs[titles[0]]))


def open_linked_tab(key: str, title: str, named: str) -> None:
    """Open the tab that shows what a link names, such as an image, unless the link says which tab to open.

    Once for each thing that is named: then the reader may open another tab. Stands above `open_tab`.

    Args:
        key: Name of the open tab in the address.
        title: Of the tab.
        named: Query parameter of what it shows.
    """
    requested, seen = st.query_params.get(named), f"tab opened for {named}"
    is_new = key not in st.session_state or st.session_state.get(seen) != requested
    if requested and is_new and key not in st.query_params:
        st.session_state[key] = title
    st.session_state[seen] = requested


def tab_button(label: str, title: str, *, key: str = "", icon: str | None = None, is_primary: bool = False) -> None:
    """A button that opens a tab of the same page (``?show=``): Streamlit draws a link to the open page as if it were selected.

    Args:
        label: Of the button.
        title: Of the tab.
        key: What tells it from others of the same label and tab.
        icon: Before the label.
        is_primary: Whether it is the page's one primary button.
    """
    style: Literal["primary", "tertiary"] = "primary" if is_primary else "tertiary"
    st.button(label, type=style, icon=icon, key=f"open {title} {label} {key}", on_click=_open, args=(title,))


def _open(title: str) -> None:
    st.session_state["show"] = title


def disclaimer() -> None:
    """The line that stands wherever a prediction is shown."""
    st.warning(DISCLAIMER, icon=":material/medical_information:")


def run_name(view: RunView) -> str:
    """A run in a few words."""
    if view.config is None:
        return view.run_id
    data = "phantoms" if view.data.is_phantom else "X-rays"
    config = view.config
    # The seed of an ensemble is that of the choice of patients.
    seed = "" if isinstance(config, EnsembleConfig) else f" · seed {config.seed}"
    return f"{full_name(config)}{seed} · {data} · {view.run_id[-6:]}"


def gan_link(view: RunView, label: str = "Open it in the GAN lab") -> None:
    """A link to a DCGAN in the GAN lab: to its samples, or to its training where it has not finished."""
    query = {"run": view.run_id} if view.state is RunState.SUCCEEDED else {"run": view.run_id, "show": "Train"}
    st.page_link("pages/gan.py", label=label, query_params=query)


def data_badge(index: DataIndex | None) -> None:
    """Which data set the page is about; None where the first phantoms stand in for it while it is being prepared."""
    if index is None or index.is_phantom:
        st.badge("built-in phantoms: synthetic, not patients", icon=":material/science:", color="violet")
    else:
        st.badge(f"{index.source.name} · {len(index.table):,} images · id {index.data_id}", color="green")


def caveats(view: RunView) -> None:
    """What a run's figures must be read with."""
    cautions(view)
    about_run(view)


def cautions(view: RunView) -> None:
    """What a run's figures must not be read without: that they are of phantoms, or were selected on test."""
    if view.config is None:
        return
    if view.data.is_phantom:
        st.info("On synthetic phantoms: what this run says is about drawings, not about patients.")
    if isinstance(view.config, TrainConfig) and view.config.selected_on_test:
        st.warning(
            "Selected on test: this run chose its epoch and learning rates on the test images, as the report did."
        )


def about_run(view: RunView) -> None:
    """The copy of the data that a run is of, its members if it is an ensemble, and its preset."""
    if view.config is None:
        return
    if copy := COPIES.get(view.data.data_id):
        st.caption(f"Trained and evaluated on {copy} (data id {view.data.data_id}).")
    if isinstance(view.config, EnsembleConfig):
        _show_members(view.config)
        summary = (
            "It trains nothing: threshold and calibration are chosen on degraded copies of validation. Of its members:"
        )
        words = members_caveats(view.config)
    elif isinstance(view.config, TrainConfig):
        summary = PRESETS[view.config.preset].summary
        words = PRESETS[view.config.preset].caveats_of(view.config.architecture)
        if unlike := unlike_report(view.config):
            words = (*words, unlike)
    else:
        summary, words = GAN_PRESETS[view.config.preset].summary, GAN_PRESETS[view.config.preset].caveats
    with st.expander(f"About the preset '{view.config.preset.value}'"):
        st.markdown("\n".join([summary, "", *(f"- {caveat}" for caveat in words)]))


def _show_members(config: EnsembleConfig) -> None:
    """Links to an ensemble's members; one that is no longer here has none."""
    with st.expander(f"Members ({len(config.members)})"):
        for member in config.members:
            try:
                label = run_name(run_view(member))
            except PneumoError:
                st.caption(f"{member}: not on this machine; the ensemble does not need it.")
                continue
            st.page_link("pages/evaluate.py", label=label, query_params={"run": member})


def has_model(view: RunView) -> bool:
    """Whether a finished run can predict; some are published as evidence only, without their model."""
    return not view.run.is_published or is_there(view.run.model)


def predict_link(view: RunView, label: str, icon: str | None = None) -> None:
    """A link that classifies X-rays with a finished run, or the reason why it cannot."""
    if has_model(view):
        st.page_link("pages/predict.py", label=label, icon=icon, query_params={"run": view.run_id})
        return
    st.caption(
        "Cannot predict: published as evidence, without its model. Train the same settings here to get one.",
        width="content",
    )


def choice(label: str, options: Iterable[T], *, default: T | None = None, **more: Any) -> T:
    """One of a few options in a row, always one of them.

    Streamlit's segments write the primary color on a tint of itself, which no color that also carries white text makes
    readable on a dark page (WCAG 2.2, 1.4.3), so these are radio buttons.

    Args:
        label: Of the control.
        options: What to choose from.
        default: The first choice, or None for the first option.
        more: For `st.radio`.
    """
    known = list(options)
    if more.get("bind"):
        check_words(more["key"], map(more.get("format_func", str), known), label.lower())
    index = 0 if default is None else known.index(default)
    chosen: T = st.radio(label, known, index, horizontal=True, **more)
    return chosen


def pick_split(known: Sequence[Split], key: str, words: Callable[[Split], str] = str) -> Split:
    """Let the reader choose a split; the choice is in the address (``?split=``), and a page remembers its own."""
    remembered = f"chosen {key}"
    if st.session_state.get(key) not in known:
        requested = st.query_params.get("split", st.session_state.get(remembered))
        if requested is not None and requested not in known:
            there = f"There are figures on {' and '.join(split.value for split in known)}."
            if requested != st.session_state.get(remembered):
                bad_link("split", requested, there, button=f"Show {known[0].value}", names=["split"])
            # It was chosen for another run, which has it.
            st.warning(f"There are no figures on {plain(repr(requested))}; showing {known[0].value}.")
        st.session_state[key] = next((split for split in known if split == requested), known[0])
    note = f"stress: {TERMS['stress']}" if Split.STRESS in known else None
    chosen = choice("Split", known, format_func=words, key=key, help=note)
    st.session_state[remembered] = st.query_params["split"] = chosen.value
    return chosen


def images_elsewhere(data_ids: Sequence[str]) -> None:
    """What to do where the images of the shown runs are not on this machine."""
    ids = plain(" or ".join(data_id or "unknown" for data_id in data_ids))
    st.info(
        "The images of these runs are not on this machine, so they cannot be shown. Connect the same data set on Dataset "
        f"(id {ids}) and they appear here."
    )
    st.page_link("pages/dataset.py", label="Go to Dataset")


def pick_finished_run(label: str = "Run", *, with_model: bool = False) -> RunView:
    """Let the reader choose a classifier's finished run; the choice is in the address (``?run=``) and survives a change of
    page.

    With `with_model`, only runs with their model are offered; otherwise those come first.

    Opens with the recommended run. Ends the page with what to do next where there is none, or where the address names another.
    """
    everything = views()
    known = [view for view in everything if not view.is_gan]
    requested = st.query_params.get("run") or st.session_state.get("chosen_run")
    if problem := next((view.problem for view in known if view.run_id == requested), ""):
        show_error(problem)
        st.stop()
    runs = [view for view in known if view.state is RunState.SUCCEEDED and not view.problem]
    runs = sorted((view for view in runs if has_model(view) or not with_model), key=has_model, reverse=True)
    usual = recommended().classifier
    ids = [view.run_id for view in runs]
    if "run" not in st.query_params and requested not in ids:
        requested = None  # A choice of another page, which this one does not have.
    if requested is not None and requested not in ids:
        _no_such_run(requested, everything, len(ids), with_model=with_model)
    if not runs:
        st.info("No finished run yet. Train one first: the quick preset takes about a minute.")
        st.page_link("pages/train.py", label="Go to Train", icon=":material/model_training:")
        st.stop()
    first = requested or (usual if usual in ids else ids[0])
    names = {view.run_id: run_name(view) + " · recommended" * (view.run_id == usual) for view in runs}
    chosen = st.selectbox(label, ids, index=ids.index(first), format_func=names.__getitem__)
    st.session_state["chosen_run"] = chosen
    if st.query_params.get("run") != chosen:
        st.query_params["run"] = chosen
    return runs[ids.index(chosen)]


def _no_such_run(requested: str, everything: Sequence[RunView], count: int, *, with_model: bool) -> NoReturn:
    """Answer a link to a run that this page cannot show."""
    view = next((view for view in everything if view.run_id == requested), None)
    why = ""
    if view is not None and view.is_gan:
        why = "It is a DCGAN: it generates images and does not classify. "
        gan_link(view)
    elif view is not None and view.state is RunState.SUCCEEDED:
        why = "It is published without its model and cannot predict. "
    elif view is not None:
        why = f"Its state is '{view.state.value}'; Train shows it. "
    what = "classifier that can predict" if with_model else "finished classifier"
    there = f"{why}There {'is one' if count == 1 else f'are {count}' if count else 'is none'} to choose from."
    bad_link(what, requested, there, button="Open the usual one", names=["run"])


def choose_preset(key: str, captions: Mapping[Preset, str]) -> Preset:
    """The presets of a form, each with its caption; the quick one is the first choice."""
    names = list(captions)
    first, words = names.index(Preset.QUICK), list(captions.values())
    preset: Preset = st.radio("Preset", names, first, format_func=str, captions=words, key=key, **KEPT)
    return preset


def whole_number(label: str, low: int, high: int, usual: int, *, key: str, words: str | None = None) -> int:
    """A whole number of a form, with its help text."""
    return int(st.number_input(label, low, high, usual, help=words, key=key, **KEPT))


def seed_number(label: str, key: str) -> int:
    """The seed of a form."""
    return whole_number(label, 0, 2**31 - 1, 0, key=key, words=TERMS["seed"])


def picture_name(*words: object) -> dict[str, Any]:
    """Plotly's configuration of a chart that can be saved as a picture, with the file's words as for `file_name`."""
    return {"toImageButtonOptions": {"filename": file_stem(*words)}}


def chart(
    figure: "Figure | NotApplicable",
    table: pd.DataFrame,
    *,
    title: str,
    where: str,
    caption: str,
    of: Sequence[object],
) -> None:
    """A chart with its title, n and split, what to take from it, and the same as a table.

    Args:
        figure: The chart, or why there is none.
        table: Its points.
        title: What it shows.
        where: n and split.
        caption: What to take from it.
        of: Words for the page and what it is of, for the name of the picture that the chart's mode bar saves.
    """
    st.markdown(f"**{title}** · {where}")
    if isinstance(figure, NotApplicable):
        st.info(f"Not applicable: {figure.reason}.")
        return
    name = picture_name(*of, title)
    st.plotly_chart(figure, config=name, key=f"chart {title}", alt=f"{title}, {where}. {caption}")
    st.caption(caption)
    with st.expander(f"{title} as a table"):
        st.dataframe(table, hide_index=True, key=f"table {title}", alt=f"{title}, {where}")
