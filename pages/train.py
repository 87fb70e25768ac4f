"""Train: choose what to train, see what it costs, follow it live, cancel, resume, or open what is already trained."""

import streamlit as st

from pages.ui.architecture import architecture_figure, architecture_table
from pages.ui.components import data_badge, shown_errors
from pages.ui.runs import duration, run_panel, runs_table
from pages.ui.state import current_index, may_train, require_frame
from pneumo_core.architecture import baseline_layers
from pneumo_core.config import AUGMENTATIONS, Preset, TrainConfig, run_id
from pneumo_core.data.index import DataIndex, require_trainable
from pneumo_core.jobs.cost import estimate_cost
from pneumo_core.jobs.runs import submit, views
from pneumo_core.presets import PRESETS, preset_config
from pneumo_core.records import Architecture, RunState
from pneumo_core.status import run_state
from pneumo_core.store import run_directory

require_frame()


def chosen_config() -> TrainConfig:
    """The form: what to train."""
    left, right = st.columns([2, 1], gap="large")
    with left:
        preset = st.radio(
            "Preset",
            list(Preset),
            index=list(Preset).index(Preset.QUICK),
            format_func=lambda preset: preset.value,
            captions=[PRESETS[preset].summary for preset in Preset],
        )
    with right:
        seed = st.number_input(
            "Seed", 0, 2**31 - 1, 0, help="Seed of weights, order, augmentation, dropout and validation."
        )
        usual = preset_config(Architecture.BASELINE, preset)
        epochs = st.number_input(
            "Most epochs", 1, 1000, usual.epochs, help="Training stops sooner when the validation loss no longer falls."
        )
        augment = st.selectbox(
            "Augmentation",
            list(AUGMENTATIONS),
            index=list(AUGMENTATIONS.values()).index(usual.augment),
            help="'report' zooms and flips vertically as in 2020; the other two report settings are its trials.",
        )
    with st.expander(f"What '{preset.value}' stands for"):
        st.markdown("\n".join(f"- {caveat}" for caveat in PRESETS[preset].caveats))
    return preset_config(
        Architecture.BASELINE, preset, seed=int(seed), epochs=int(epochs), augment=AUGMENTATIONS[augment]
    )


def start(config: TrainConfig, index: DataIndex) -> None:
    """The button: start, follow, resume or open, whichever the run's state asks for."""
    require_trainable(index)
    cost = estimate_cost(config, index)
    asked = run_directory(run_id(config, index.data_id))
    state = run_state(asked) if asked.config.exists() else None
    source = "measured on this machine" if cost.is_measured else "typical for two cores; none measured here yet"
    st.caption(
        f"At most {cost.epochs} epochs of {cost.train_images:,} images, about {duration(cost.duration_s)} of training "
        f"({source}) and half a minute to load and export, 2.7 GB of memory, 0.2 GB of disk. Run id {asked.run_id}."
    )
    if state is not None and st.query_params.get("run") == asked.run_id:
        st.caption(f"This run is {state.value}; it is shown below.")
    elif state is RunState.SUCCEEDED:
        st.success("Already trained: the same preset, data, seed and settings give the same run.")
        if st.button("Open it", type="primary"):
            st.query_params["run"] = asked.run_id
            st.rerun()
    elif not may_train():
        st.info("This server does not train. Clone the project and run it locally to train models.")
    elif state is not None and state.is_live:
        st.info(f"This run is {state.value}.")
        if st.button("Follow it", type="primary"):
            st.query_params["run"] = asked.run_id
            st.rerun()
    elif st.button("Resume training" if state else "Start training", type="primary"):
        with st.spinner("Starting the worker…"):
            view = submit(config, index)
        st.query_params["run"] = view.run_id
        st.rerun()


st.title("Train")
with shown_errors():
    index = current_index()
    data_badge(index)
    form, network = st.tabs(["New run", "The network"])
    with form:
        start(chosen_config(), index)
    with network:
        layers = baseline_layers()
        st.caption(
            "The report's figure 3, drawn from the layers that training builds. "
            "Height is the side of a layer's output, width its channels."
        )
        st.plotly_chart(architecture_figure(layers), width="stretch", config={"displayModeBar": False})
        architecture_table(layers)
    st.subheader("Runs")
    known = views()
    if not known:
        st.info("No run yet. Start one above: the quick preset takes about a minute.")
    else:
        shown = st.query_params.get("run")
        picked = runs_table(known)
        if picked and picked != shown:
            st.query_params["run"] = shown = picked
        if shown:
            run_panel(shown)
