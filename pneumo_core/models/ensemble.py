"""Several exported classifiers as one: means of their logits and heat maps, their features side by side.

The graph is made of the members' own, node by node; no training framework is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, compose, helper, numpy_helper, version_converter

from pneumo_core.runs.files import write_atomic

_OUTPUTS: Final = ("logit", "cam", "features")


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A model of an ensemble.

    Attributes:
        model: As `models.export` writes it, its weights float32 constants.
        full: Value of its `cam` that is drawn in full color, above 0.
    """

    model: onnx.ModelProto
    full: float

    @property
    def image_size(self) -> int:
        """Side of the square images that it takes, in pixels."""
        return _sides(self.model.graph.input[0])[1]

    @property
    def map_size(self) -> int:
        """Side of its square `cam`."""
        return self._output("cam")[1]

    @property
    def features(self) -> int:
        """Length of its `features`."""
        return self._output("features")[1]

    def _output(self, name: str) -> tuple[int, ...]:
        (found,) = (output for output in self.model.graph.output if output.name == name)
        return _sides(found)


def write_ensemble(members: Sequence[Member], path: Path) -> None:
    """Write models as one, in one step; it has the inputs and outputs of each (`models.export`).

    With the members' numbers of features d1, d2 and so on, the file maps `image` `(batch, S, S, 1)` in [0, 255], S the largest
    member's size, to float32

    * `logit` `(batch, 1)`: the mean of theirs;
    * `cam` `(batch, h, h)` in [0, 1], h the side of the largest map: the mean of theirs, each without its negative part, as a
      share of its own full color, enlarged bilinearly and cut off at full color, as `inference.heatmap.heatmap` does;
    * `features` `(batch, d1 + d2 + ...)`: theirs side by side, in the order of the members.

    A smaller member gets the image reduced by a triangle filter as wide as its pixels, which is Pillow's bilinear reduction.

    Args:
        members: The models, at least two.
        path: File to write.

    Raises:
        StoreError: The file cannot be written.
    """
    opset = max(_opset(member.model) for member in members)
    image_size, map_size = (max(getattr(one, name) for one in members) for name in ("image_size", "map_size"))
    shapes = {"logit": (1,), "cam": (map_size, map_size), "features": (sum(one.features for one in members),)}
    written = helper.make_model(
        onnx.GraphProto(
            name="ensemble",
            input=[_values("image", (image_size, image_size, 1))],
            output=[_values(name, shape) for name, shape in shapes.items()],
        ),
        producer_name="pneumo_core",
        doc_string=f"Gray pixels in [0, 255] to the mean logit of {len(members)} classifiers, the mean of their heat maps, and "
        "their features.",
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=max(member.model.ir_version for member in members),
    )
    graph = written.graph  # Filled in place: a graph that is built first would be copied with its weights.
    sources: dict[int, str] = {image_size: "image"}
    found: dict[str, list[str]] = {name: [] for name in _OUTPUTS}
    for number, member in enumerate(members, start=1):
        prefix = f"member{number}/"
        # Members of one size share the reduced image.
        if (size := member.image_size) not in sources:
            sources[size] = _resized(graph, "image", image_size, size, "bijc,hi,wj->bhwc", f"image/{size}")
        model = member.model
        if _opset(model) != opset:  # Exported by an earlier version.
            model = version_converter.convert_version(model, opset)
        outputs = _included(graph, model, prefix, sources[size])
        share = _node(
            graph,
            "Div",
            f"{prefix}cam/share",
            _node(graph, "Relu", f"{prefix}cam/positive", outputs["cam"]),
            _constant(graph, f"{prefix}cam/full", np.asarray(member.full, np.float32)),
        )
        if member.map_size != map_size:
            share = _resized(graph, share, member.map_size, map_size, "bij,hi,wj->bhw", f"{prefix}cam/enlarged")
        full_color = _constant(graph, f"{prefix}cam/one", np.ones((), np.float32))
        outputs["cam"] = _node(graph, "Min", f"{prefix}cam/heat", share, full_color)
        for name, values in outputs.items():
            found[name].append(values)
    _node(graph, "Mean", "logit", *found["logit"])
    _node(graph, "Mean", "cam", *found["cam"])
    _node(graph, "Concat", "features", *found["features"], axis=1)

    data = written.SerializeToString()
    onnx.checker.check_model(data)
    write_atomic(path, data)


def resizing(source: int, target: int) -> NDArray[np.float32]:
    """Weights of each of `source` pixels in each of `target`, of a bilinear resizing along one axis.

    A triangle, as wide as two of the coarser grid's pixels, at the target's centers (as in Pillow's `BILINEAR`).

    Returns:
        `(target, source)` float32, each row with the sum 1.
    """
    step = source / target
    centers = (np.arange(target) + 0.5) * step
    distances = np.abs(np.arange(source) + 0.5 - centers[:, np.newaxis])
    weights = np.maximum(0.0, 1 - distances / max(1.0, step))
    rows: NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return rows


def _resized(graph: onnx.GraphProto, x: str, source: int, target: int, equation: str, name: str) -> str:
    """Write a bilinear resizing of square images or maps.

    Not ONNX' Resize: ONNX Runtime's reduction differs from Pillow's by up to 10 gray levels. Not MatMul either, whose constants
    count as weights of a network (`inference.shuffled`).
    """
    weights = _constant(graph, f"{name}/weights", resizing(source, target))
    return _node(graph, "Einsum", name, x, weights, weights, equation=equation)


def _included(graph: onnx.GraphProto, model: onnx.ModelProto, prefix: str, image: str) -> dict[str, str]:
    """Write the nodes and weights of a model, named with a prefix, and return the names of its outputs."""
    own = compose.add_prefix(model, prefix).graph
    source = own.input[0].name
    for node in own.node:
        node.input[:] = [image if name == source else name for name in node.input]
    graph.node.extend(own.node)
    graph.initializer.extend(own.initializer)
    return {name: f"{prefix}{name}" for name in _OUTPUTS}


def _opset(model: onnx.ModelProto) -> int:
    """Version of ONNX' operators that a model uses."""
    return int(next(opset.version for opset in model.opset_import if not opset.domain))


def _node(graph: onnx.GraphProto, kind: str, name: str, *inputs: str, **attributes: Any) -> str:
    """Write a node and return the name that it shares with its result."""
    graph.node.append(helper.make_node(kind, inputs, [name], name, **attributes))
    return name


def _constant(graph: onnx.GraphProto, name: str, value: NDArray[np.float32]) -> str:
    """Write a constant and return its name."""
    graph.initializer.append(numpy_helper.from_array(value, name))
    return name


def _values(name: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ("batch", *shape))


def _sides(values: onnx.ValueInfoProto) -> tuple[int, ...]:
    """Shape of an input or output; 0 for what differs between batches."""
    return tuple(side.dim_value for side in values.type.tensor_type.shape.dim)
