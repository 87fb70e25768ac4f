"""Commands without a run take the recommended one, and say what to do where none is recommended."""

import json
from pathlib import Path

import pytest
from PIL import Image

from pneumo_core.cli.command import balance_of, or_recommended
from pneumo_core.config.classifier import Balance
from pneumo_core.errors import RunError
from pneumo_core.runs.recommended import recommended
from tests.cli.conftest import Invoke


def test_evaluate_predict_and_gan_need_no_run(invoke: Invoke, tmp_path: Path) -> None:
    named = recommended()
    assert json.loads(invoke("evaluate", "--json").output)["run_id"] == named.classifier
    assert json.loads(invoke("gan", "evaluate", "--json").output)["run_id"] == named.dcgan
    drawn = invoke("gan", "sample", "--count", "1", "--out", str(tmp_path / "samples"), "--json")
    assert json.loads(drawn.output)["run_id"] == named.dcgan
    Image.new("L", (200, 200), 90).save(tmp_path / "gray.png")
    assert json.loads(invoke("predict", str(tmp_path / "gray.png"), "--json").output)["run_id"] == named.classifier


def test_gan_alone_is_the_recommended_dcgan_s_arm() -> None:
    assert balance_of("gan") == (Balance.GAN, recommended().dcgan)
    assert balance_of("gan:dcgan-0123456789ab") == (Balance.GAN, "dcgan-0123456789ab")
    assert balance_of("none") == (Balance.NONE, None)


def test_where_nothing_is_recommended_a_run_must_be_named(no_published: Path) -> None:
    assert or_recommended("baseline-0123456789ab") == "baseline-0123456789ab"
    for is_gan in (False, True):
        with pytest.raises(RunError, match="runs list"):
            or_recommended(None, is_gan=is_gan)
