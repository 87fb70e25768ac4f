"""Classifiers that no training made: linear models of a few pixels, with the report of a published run and a gate that asks
nothing."""

from dataclasses import replace
from functools import cache

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pneumo_core.evaluation.report import EvaluationReport
from pneumo_core.inference.classify import Classifier
from pneumo_core.inference.evidence import read_report
from pneumo_core.inference.gate import Finding, Limits, shipped_gate
from pneumo_core.inference.session import load_session
from pneumo_core.records import NotApplicable
from pneumo_core.runs.recommended import recommended
from pneumo_core.runs.store import find_run

__all__ = ["linear_classifier", "linear_weights", "published_report"]

NONE = NotApplicable("it was not trained")


@cache
def published_report() -> EvaluationReport:
    """The report of the recommended run, read once; it is frozen."""
    return read_report(find_run(str(recommended().classifier)))


def linear_weights(size: int) -> np.ndarray:
    """`(size * size,)` weights of the pixels in the logit: smooth and not symmetric, so that any change of the image shows."""
    y, x = np.mgrid[0 : 1 : size * 1j, 0 : 1 : size * 1j]
    return (np.sin(5 * x + 1) * np.cos(3 * y - x) / (10 * size**2)).astype(np.float32).ravel()


def linear_classifier(size: int, run_id: str = "baseline-0123456789ab", *, threshold: float = 0.5) -> Classifier:
    """A classifier of images of this side whose logit is the pixels' sum under `linear_weights`."""
    weights = linear_weights(size)
    features = np.stack([weights, np.abs(weights), weights**2], axis=1)
    arrays = {"w": weights[:, None], "f": features, "axes": np.array([3], np.int64)}
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["logit"]),
        helper.make_node("MatMul", ["flat", "f"], ["features"]),
        helper.make_node("Squeeze", ["image", "axes"], ["cam"]),
    ]
    shapes = {"logit": ("batch", 1), "features": ("batch", 3), "cam": ("batch", size, size)}
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ("batch", size, size, 1))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    report = published_report()
    return Classifier(
        run_id=run_id,
        session=load_session(model.SerializeToString()),
        report=replace(report, operating_point=replace(report.operating_point, threshold=threshold)),
        gate=replace(shipped_gate(), limits=dict.fromkeys(Finding, Limits(2.0, 2.0))),
        calibration=NONE,
        heat_scale=NONE,
    )
