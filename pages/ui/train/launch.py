"""Start of the form's runs: cost, device, and the button for the state of the runs."""

import streamlit as st

from pages.ui.components import has_model
from pages.ui.notes import span_words
from pages.ui.pictures import plain
from pages.ui.state import may_train
from pages.ui.train.form import Choice, choose
from pneumo_core.config.ensemble import EnsembleConfig
from pneumo_core.config.gan import GanConfig
from pneumo_core.config.hardware import Hardware, training_hardware
from pneumo_core.config.naming import arm_name, departures, unlike_report
from pneumo_core.config.run import RunConfig, TrainedConfig, run_id
from pneumo_core.data.index import DataIndex, require_trainable
from pneumo_core.errors import ConfigError, RunNotFoundError
from pneumo_core.evaluation.wording import file_size
from pneumo_core.jobs.cost import estimate_cost, required_bytes
from pneumo_core.jobs.runs import Executor, submit, view
from pneumo_core.records import Architecture, RunState
from pneumo_core.settings import named_vgg16_weights
from pneumo_core.study import Study, progress

_STARTED = "run_to_show"
_BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX"}
_HERE = "This server does not train. Clone the project and run it locally to train models."


_TRAINING = {
    "done": "Already trained: the same preset, data, seed and settings give the same run.",
    "again": "Train it here, with its model",
    "resume": "Resume training",
    "start": "Start training",
}
_ENSEMBLE = {
    "done": "Already combined: the same members give the same run.",
    "again": "Combine them here, for its model",
    "resume": "Resume",
    "start": "Combine them",
}
"""Words of a run's button."""


def take_started() -> bool:
    """Whether a run was just started, followed or opened and should be shown; True once."""
    return bool(st.session_state.pop(_STARTED, False))


def launch_panel(index: DataIndex) -> None:
    """The form, the cost and the button.

    Raises:
        PneumoError: The data cannot train, a setting cannot be used, or a run did not start.
    """
    require_trainable(index)
    choice = choose(index)
    study = progress(choice.configs, index)
    with st.container(border=True):
        _show_cost(choice, index)
        if len(study.members) == 1:
            run_button(choice.configs[0], index, choice.executor)
        else:
            st.fragment(_show_study, run_every="3s" if study.is_live else None)(choice, index)
            _several(choice, index, study)


@st.cache_data(max_entries=1, show_spinner=False)
def hardware() -> Hardware:
    """Hardware of a training on this machine; detected once."""
    return training_hardware()


def _show_cost(choice: Choice, index: DataIndex) -> None:
    config = choice.configs[int(choice.is_pair)]
    what = "Each run" if len(choice.configs) > 1 + choice.is_pair else "The run"
    lines = cost_lines(config, index, choice.executor, what=what)
    if choice.is_pair:
        # The side on original images, which has fewer of them.
        lines = [f"Original: {work_line(choice.configs[0], index, what=what)}", f"Balanced: {lines[0]}", *lines[1:]]
    if changed := departures(config):
        lines.append(f"Different from the preset: {', '.join(changed)}.")
    if words := unlike_report(config):
        lines.append(words)
    st.caption("  \n".join(map(plain, lines)))
    if config.architecture is Architecture.VGG16:
        _show_weights()


def cost_lines(config: TrainedConfig, index: DataIndex, executor: Executor, *, what: str = "The run") -> list[str]:
    """Cost of a run, and its device."""
    return [work_line(config, index, what=what), _where(executor)]


def work_line(config: TrainedConfig, index: DataIndex, *, what: str = "The run") -> str:
    """Epochs, images, time and disk of a run."""
    cost = estimate_cost(config, index)
    source = (
        "measured on this machine" if cost.is_measured else "rough: first run here, from the speed of published runs"
    )
    most, last = ("", "measuring samples") if isinstance(config, GanConfig) else ("at most ", "predictions")
    disk = file_size(required_bytes(config, index))
    return (
        f"{what} takes {span_words(cost.total)} ({source}): {most}{cost.epochs} epochs of {cost.train_images:,} images, and "
        f"loading, export and {last} ({span_words(cost.finish)}). It needs up to {disk} of disk."
    )


def _where(executor: Executor) -> str:
    if executor is Executor.RAY:
        return "It runs on a machine of the Ray cluster."
    found = hardware()
    precision = {"mixed_bfloat16": "bfloat16 mixed with float32"}.get(found.precision, found.precision)
    note = f" {found.note}." if found.note else ""
    return f"It runs on the {found.kind.upper()} {found.name}, in {precision}, with Keras on {_BACKENDS[found.backend]}.{note}"


def _show_weights() -> None:
    try:
        named = named_vgg16_weights()
    except ConfigError as error:
        st.warning(plain(str(error)))
        return
    if named is None:
        st.caption("PNEUMO_VGG16_WEIGHTS is not set: Keras downloads the ImageNet weights (59 MB) unless it has them.")


def run_button(config: RunConfig, index: DataIndex, executor: Executor) -> None:
    """The button of a single run: start, resume, follow or open.

    Raises:
        PneumoError: The run did not start.
    """
    name, words = run_id(config, index.data_id), _ENSEMBLE if isinstance(config, EnsembleConfig) else _TRAINING
    try:
        found = view(name)
    except RunNotFoundError:
        found = None
    state = found and found.state
    if found and state is RunState.SUCCEEDED:
        st.success(words["done"])
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button("Open it", type="primary"):
                _show(name)
            if not has_model(found) and may_train() and st.button(words["again"]):
                _start(config, index, executor)
    elif state and state.is_live:
        st.info(f"This run is {state.value}.")
        if st.button("Follow it", type="primary"):
            _show(name)
    elif not may_train():
        st.info(_HERE)
    elif st.button(words["resume"] if state else words["start"], type="primary"):
        _start(config, index, executor)


def _start(config: RunConfig, index: DataIndex, executor: Executor) -> None:
    with st.spinner("Starting the worker…"):
        started = submit(config, index, executor=executor)
    _show(started.run_id)


def _show(run_id: str) -> None:
    """Show the run."""
    st.query_params["run"] = run_id
    st.session_state[_STARTED] = True
    st.rerun()


def _show_study(choice: Choice, index: DataIndex) -> None:
    """Live progress of the runs of several seeds."""
    study = progress(choice.configs, index)
    states = {"succeeded": "finished"}
    counts = ", ".join(f"{count} {states.get(state, state)}" for state, count in study.states.items())
    pace = "one after another" if study.parallel == 1 else f"{study.parallel} at a time"
    left = "" if study.is_finished else f" · {span_words(study.remaining)} for the rest, {pace}"
    first, last = choice.configs[0].seed, choice.configs[-1].seed
    chosen = f"seed {first}" if first == last else f"seeds {first} to {last}"
    st.progress(study.fraction, f"{len(study.members)} runs, {chosen}: {counts}{left}")


def _several(choice: Choice, index: DataIndex, study: Study) -> None:
    """The button of several runs: start what is new and resume what stopped, or compare what is finished."""
    missing = [member for member in study.members if member.view is None or member.view.is_resumable]
    if study.is_finished:
        st.success("All are trained.")
        if choice.is_pair and st.button("Open the pair in Compare", type="primary", icon=":material/compare_arrows:"):
            a, b = study.sides
            st.switch_page("pages/compare.py", query_params={"a": ",".join(a), "b": ",".join(b)})
    elif not missing:
        later = " Once they are trained, the button to compare them appears here." if choice.is_pair else ""
        st.info(f"All are trained or in progress.{later}")
    elif not may_train():
        st.info(_HERE)
    else:
        verb = "Start" if all(member.view is None for member in missing) else "Start or resume"
        noun = "run" if len(missing) == 1 else "runs"
        arms = dict.fromkeys(arm_name(member.config) for member in missing)
        which = f": {' and '.join(arms)}" if choice.is_pair else ""
        if st.button(f"{verb} {len(missing)} {noun}{which}", type="primary"):
            bar = st.progress(0.0, "Starting the workers…")
            for number, member in enumerate(missing, start=1):
                submit(member.config, index, executor=choice.executor)
                bar.progress(number / len(missing), f"Started {number} of {len(missing)}")
            st.rerun()  # Their card is on top of the page.
