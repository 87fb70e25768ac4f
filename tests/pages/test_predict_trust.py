"""Parts of the Predict page on trust, in a page of their own: badge, second map, probes."""

import pytest
from streamlit.testing.v1 import AppTest

from pneumo_core.evaluation.trust import trust_to_dict
from pneumo_core.inference.shortcuts import NAMES
from pneumo_core.inference.trust import FEW_PATIENTS
from pneumo_core.reporting.trust_tables import headline, summary
from pneumo_core.runs.files import write_json
from pneumo_core.runs.store import RunDirectory
from tests.evaluation.test_trust import TRUST
from tests.made_runs import make_maps_positive, vouch_for
from tests.pages.opening import texts, whole
from tests.waiting import app_test


def parts(run_id: str) -> None:
    """A page of these parts, for one phantom."""
    import numpy as np
    from PIL import Image

    from pages.ui.cached import loaded_classifier
    from pages.ui.predict.trust import show_badge, show_heat_tools, show_probes
    from pneumo_core.data.images import Decoded
    from pneumo_core.data.phantom import first_phantoms
    from pneumo_core.inference.classify import Prediction
    from pneumo_core.inference.gate import Answer
    from pneumo_core.inference.session import run_session

    model = loaded_classifier(run_id)
    side = model.session.image_size
    pixels = first_phantoms(1)[1][0]
    gray = np.asarray(Image.fromarray(pixels).resize((side, side)))
    output = run_session(model.session, gray[None])
    prediction = Prediction(Answer.OK, logit=float(output.logit[0]), cam=output.cam[0])
    show_badge(run_id)
    show_heat_tools(model, prediction, Decoded(gray, side, side, 0.0, 0.0, (), ()), pixels)
    show_probes(model, prediction, gray)


@pytest.fixture
def run(with_finished_run) -> RunDirectory:
    run = RunDirectory(with_finished_run.path)
    make_maps_positive(run)
    return run


def opened_parts(run: RunDirectory) -> AppTest:
    return whole(app_test(parts, kwargs={"run_id": run.run_id}).run())


def captions(page: AppTest) -> list[str]:
    return [image.caption for block in page.get("image") for image in block.proto.imgs]


def test_nothing_is_asked_until_the_reader_asks(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for name in ("occlusion", "probed"):
        monkeypatch.setattr(f"pages.ui.predict.trust.{name}", lambda *_, name=name, **__: asked.append(name))
    page = opened_parts(run)
    assert not asked
    assert not page.get("image")
    assert f"The heat maps are not tested: {FEW_PATIENTS.reason}." in texts(page)


def test_the_badge_is_of_the_stored_tests(run: RunDirectory) -> None:
    write_json(run.trust, trust_to_dict(TRUST))
    vouch_for(run)
    page = opened_parts(run)
    assert headline(TRUST) in texts(page)
    assert summary(TRUST) in texts(page)
    (table,) = page.table
    assert set(table.value["result"]) == {"passed"}


def test_a_second_map_is_shown_with_both_strongest_spots_and_their_agreement(run: RunDirectory) -> None:
    page = whole(opened_parts(run).toggle(key="heat occlusion").set_value(True).run())
    first, second = captions(page)
    assert first.startswith("Grad-CAM: strongest ")
    assert second.startswith("Occlusion: ")
    assert "The two maps " in texts(page)
    assert "rank correlation" in texts(page)


def test_probes_show_the_probability_before_and_after_each(run: RunDirectory) -> None:
    page = whole(opened_parts(run).toggle(key="shortcut probes").set_value(True).run())
    assert len(page.get("image")) == len(NAMES)
    for name in NAMES.values():
        (shown,) = [item.value for item in page.markdown if item.value.startswith(f"**{name}**")]
        assert shown.count(" %") == 2
    assert texts(page).count("The answer") + texts(page).count("Without the lungs the answer") >= len(NAMES)
