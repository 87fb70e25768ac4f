"""Findings survive their file: every value, reasons in place of missing ones included."""

import json

import pytest

from pneumo_core.config.classifier import Balance, Preset
from pneumo_core.errors import DataError
from pneumo_core.evaluation.comparison import Direction
from pneumo_core.evaluation.findings import SCHEMA, Arm, Contrast, Findings, Source, Transfer
from pneumo_core.evaluation.plain import decode, encode
from pneumo_core.records import Architecture, Estimate, Metric, NotApplicable

FIGURES = {Metric.ACCURACY: Estimate(0.9, 0.8, 0.95, 30), Metric.AUROC: NotApplicable("one class is missing")}
ARM = Arm(Architecture.VGG16, Preset.SOUND, Balance.GAN, False, ("vgg16-1", "vgg16-2"), 20, FIGURES)
CONTRAST = Contrast(ARM, ARM, NotApplicable("few patients"), claimed=True, direction=Direction.LOWER)
TRANSFER = Transfer("vgg16-1", Architecture.VGG16, 3, Estimate(1.0, 0.9, 1.0, 9), NotApplicable("no image"))
FOUND = Findings(SCHEMA, (ARM,), (CONTRAST,), (), (TRANSFER,), (Source("vgg16-1", "ab"),))


def test_what_is_written_is_read_back() -> None:
    assert decode(Findings, json.loads(json.dumps(encode(FOUND))), "findings") == FOUND


@pytest.mark.parametrize("name", ["schema", "arms", "balancing", "sources"])
def test_a_file_without_a_field_is_refused(name: str) -> None:
    plain = encode(FOUND)
    del plain[name]
    with pytest.raises(DataError, match="findings must hold exactly"):
        decode(Findings, plain, "findings")
