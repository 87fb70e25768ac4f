"""Parts of the Predict page: how far the model's heat maps can be trusted, a second map, and shortcut probes.

The second map and the probes are made only where the reader asks for them, and are kept nowhere.
"""

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.ui.cached import of_runs
from pages.ui.pictures import plain
from pages.ui.table import show_rows
from pneumo_core.data.images import Decoded
from pneumo_core.evaluation.calibration import apply
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.trust import Outcome, Trust
from pneumo_core.evaluation.wording import probability_text
from pneumo_core.inference.classify import Classifier, Prediction
from pneumo_core.inference.heatmap import HeatScale, heatmap, of_image
from pneumo_core.inference.occlusion import POSITIONS, occlusion
from pneumo_core.inference.overlay import overlay
from pneumo_core.inference.shortcuts import NAMES, Probed, meaning, probed
from pneumo_core.inference.spots import Spot, agreement, marked, strongest
from pneumo_core.inference.trust import read_trust
from pneumo_core.records import Label, NotApplicable
from pneumo_core.reporting.glossary import TERMS
from pneumo_core.reporting.trust_tables import headline, summary, trust_table
from pneumo_core.runs.store import find_run

_OWN_SCALE = NotApplicable("what a region takes from the logit has no common scale")
_OPACITY = 0.5


@of_runs(st.cache_data, max_entries=32, show_spinner=False)
def trust_of(run_id: str) -> Trust | NotApplicable:
    """The tests of a finished run's heat maps; see `inference.trust.read_trust` for the errors."""
    return read_trust(find_run(run_id))


def show_badge(run_id: str) -> None:
    """Which tests of the heat maps the model passed, in a line and as a table."""
    trust = trust_of(run_id)
    if isinstance(trust, NotApplicable):
        st.badge(headline(trust), icon=":material/help:", color="gray", help=TERMS["tests of heat maps"])
        st.caption(plain(summary(trust)))
        return
    if trust.among(Outcome.FAILED, Outcome.NOT_SHOWN):
        st.badge(headline(trust), icon=":material/rule:", color="orange", help=TERMS["tests of heat maps"])
    else:
        st.badge(headline(trust), icon=":material/verified:", color="green", help=TERMS["tests of heat maps"])
    st.caption(plain(summary(trust)))
    table = trust_table(trust)
    show_rows(table)
    for note in table.notes:
        st.caption(plain(note))


def show_heat_tools(model: Classifier, prediction: Prediction, image: Decoded, pixels: NDArray[np.uint8]) -> None:
    """A second heat map of the same model beside Grad-CAM, where the reader asks for it.

    Args:
        model: The model.
        prediction: Its answer for the image, with a heat map.
        image: The image, decoded as the model takes it.
        pixels: The image as it is shown, of any size.
    """
    asked = st.toggle("Compare with a second method", key="heat occlusion", help=TERMS["occlusion"])
    if not asked or prediction.cam is None:
        return
    words = f"Covering one of {POSITIONS**2} regions after another…"
    bar = st.progress(0.0, words)

    def progress(done: int, total: int) -> None:
        bar.progress(done / total, words)

    second = of_image(occlusion(model.session, image.square, progress=progress), image)
    bar.empty()
    columns = st.columns(2, gap="medium")
    for column, name, values, scale in zip(
        columns, ("Grad-CAM", "Occlusion"), (prediction.cam, second), (model.heat_scale, _OWN_SCALE), strict=True
    ):
        with column:
            _show_map(name, values, scale, pixels)
    st.markdown(plain(agreement(prediction.cam, second).words))
    st.caption(
        "Left and right as seen in the image: the patient's right is usually at its left. Occlusion is drawn on its own "
        "scale, in full color at its strongest spot."
    )


def _show_map(
    name: str, values: NDArray[np.float32], scale: HeatScale | NotApplicable, pixels: NDArray[np.uint8]
) -> None:
    """A map over its image, with a ring around the strongest spot and the place in words."""
    height, width = pixels.shape
    blended = overlay(pixels, heatmap(values, scale, width, height), opacity=_OPACITY)
    spot = strongest(values)
    if isinstance(spot, Spot):
        caption = f"{name}: strongest {spot.words}"
        blended = marked(blended, spot)
    else:
        caption = f"{name}: {spot.reason}"
    st.image(blended, width="stretch", caption=caption, alt=f"The X-ray with a heat map; {caption}")


def show_probes(model: Classifier, prediction: Prediction, gray: NDArray[np.uint8]) -> None:
    """Ask the model about changed images, where the reader asks for it.

    Args:
        model: The model.
        prediction: Its answer for the image, which was not refused.
        gray: The image as the model takes it, `(size, size)`.
    """
    if not st.toggle("Try shortcuts", key="shortcut probes", help=TERMS["shortcut"]) or prediction.logit is None:
        return
    before = prediction.logit
    st.caption("The model was trained on no image like these, so a probe is a hint and no proof.")
    cells = st.grid(4, min_column_width=150, gap="small")
    for found in probed(model.session, gray):
        with cells.cell():
            _show_probe(model, before, found)


def _show_probe(model: Classifier, before: float, found: Probed) -> None:
    texts = [probability_text(_likelihood(model, logit)) for logit in (before, found.logit)]
    classes = [_label(model, logit) for logit in (before, found.logit)]
    name = NAMES[found.probe]
    st.image(found.image, width="stretch", alt=f"The X-ray, {name.lower()}")
    st.markdown(f"**{name}**  \n{plain(f'{texts[0]} → {texts[1]}')}")
    st.caption(meaning(found.probe, pneumonia=classes[0] is Label.PNEUMONIA, changed=classes[0] is not classes[1]))


def _likelihood(model: Classifier, logit: float) -> float:
    """The probability that the page shows first: calibrated where the run is."""
    raw = np.asarray(logit)
    if isinstance(model.calibration, NotApplicable):
        return float(probability(raw))
    return float(probability(apply(model.calibration.calibrator, raw)))


def _label(model: Classifier, logit: float) -> Label:
    """The class at the run's operating point."""
    return Label(int(probability(np.asarray(logit)) >= model.operating_point.threshold))
