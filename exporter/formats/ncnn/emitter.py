"""From Graph nodes to ncnn layers: names, shapes, and what cannot be said.

ncnn has no batch axis and at most four axes. A Reshape emits nothing: its output is the same blob with another shape in mind, and
a layer that needs the shape asks for it (`shaped`), which adds ncnn's Reshape once. So Flatten before a dense layer and the unit
axes behind a global pooling cost nothing.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats.artifact import Problem
from exporter.formats.ncnn.layer import Blob, Layer, Param, Weight, raw
from exporter.graph import DOMAIN, Graph, const, shape_of
from exporter.graph.qdq import Affine, Quantization, layer_of

MAX_AXES = 4
MAX_NAME = 200
"""ncnn reads names of up to 255 bytes."""

RESERVED = re.compile(r"(in|out)\d+")


class UnsupportedError(Exception):
    """A layer that cannot be expressed; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A layer that ncnn can run in integers.

    Attributes:
        node: The node; the layer goes by the name of its first output.
        axis: Of the weights' output channels.
        share: Output channels in a row that share one scale.
        bias: Initializer, or None.
    """

    node: ir.Node
    axis: int
    share: int
    bias: str | None


class Emitter:
    """Collects the layers of one graph.

    Attributes:
        quantization: What is to run in integers; `graph` is the float Graph without the pairs.
        layers: What was emitted, in an order that runs.
        problems: Layers that could not be expressed, and notes on slow ones.
        where: Value name to its blob.
        offers: Layers that could run in integers, whether they are to or not.
    """

    def __init__(self, graph: Graph, quantization: Quantization | None = None) -> None:
        self.graph = graph
        self.quantization = quantization or Quantization()
        self.offers: list[Offer] = []
        self.layers: list[Layer] = []
        self.problems: list[Problem] = []
        self.where: dict[str, Blob] = {}
        self.absorbed: set[ir.Node] = set()
        self.node: ir.Node | None = None
        self._reshaped: dict[tuple[str, tuple[int, ...]], Blob] = {}
        self._layer_names: set[str] = set()
        self._blob_names: set[str] = set()

    # Values

    def blob(self, value: ir.Value | None) -> Blob:
        """The value's blob, in whatever shape it is; a constant becomes a MemoryData layer."""
        if value is None:
            raise UnsupportedError("an input is missing")
        array = const(value)
        if array is not None and value.name not in self.where:
            self.where[value.name or ""] = self.constant(array[0] if array.ndim and array.shape[0] == 1 else array)
        if value.name not in self.where:
            raise UnsupportedError(f"its input {value.name} could not be expressed")
        return self.where[value.name]

    def shaped(self, value: ir.Value | None) -> Blob:
        """The value's blob in the value's own shape."""
        found = self.blob(value)
        assert value is not None
        return self.reshaped(found, dims(value))

    def reshaped(self, blob: Blob, shape: Sequence[int]) -> Blob:
        """The same elements in another shape, by a Reshape layer unless it is that shape already."""
        shape = tuple(shape) or (1,)
        if blob.shape == shape:
            return blob
        if len(shape) > MAX_AXES:
            raise UnsupportedError(f"needs a tensor of {len(shape)} axes besides the batch, ncnn has {MAX_AXES}")
        key = (blob.name, shape)
        if key not in self._reshaped:
            self._reshaped[key] = self.emit("Reshape", [blob], shape, dict(_sizes(shape)), name=f"{blob.name}_reshape")
        return self._reshaped[key]

    def constant(self, array: Array) -> Blob:
        """A MemoryData layer that holds an array."""
        shape = array.shape or (1,)
        if len(shape) > MAX_AXES:
            raise UnsupportedError(f"needs a constant of {len(shape)} axes, ncnn has {MAX_AXES}")
        return self.emit("MemoryData", [], shape, dict(_sizes(shape)), [raw(array)], name=f"{self._base()}_constant")

    def put(self, value: ir.Value, blob: Blob) -> None:
        """Say where a value lives."""
        if math.prod(blob.shape) != math.prod(dims(value)):
            raise UnsupportedError(f"its output has {math.prod(blob.shape)} elements a sample where {math.prod(dims(value))} are expected")
        self.where[value.name or ""] = blob

    # Layers

    def emit(
        self,
        kind: str,
        inputs: Sequence[Blob],
        shape: Sequence[int],
        params: Mapping[int, Param] | None = None,
        weights: Sequence[Weight] = (),
        *,
        name: str | None = None,
    ) -> Blob:
        """Add a layer with one output of the given shape."""
        return self.emit_many(kind, inputs, [shape], params, weights, name=name)[0]

    def emit_many(
        self,
        kind: str,
        inputs: Sequence[Blob],
        shapes: Sequence[Sequence[int]],
        params: Mapping[int, Param] | None = None,
        weights: Sequence[Weight] = (),
        *,
        name: str | None = None,
    ) -> list[Blob]:
        """Add a layer with one output for each shape."""
        base = name or self._base()
        hints = [v.name or base for v in self.node.outputs] if self.node is not None and name is None else [base]
        hints += [base] * (len(shapes) - len(hints))
        outputs = [Blob(_unique(hint, self._blob_names), tuple(s) or (1,)) for hint, s in zip(hints, shapes, strict=False)]
        layer = Layer(kind, _unique(base, self._layer_names), [b.name for b in inputs], [b.name for b in outputs], dict(params or {}))
        layer.weights = list(weights)
        self.layers.append(layer)
        return outputs

    def note(self, reason: str) -> None:
        """Record that the current layer works but leaves ncnn's fast path."""
        self._problem(reason, fatal=False)

    def rounded_input(self, node: ir.Node) -> Affine | None:
        """How a node sees its first input rounded, None where it sees it in float."""
        name = str(node.inputs[0].name) if node.inputs[0] is not None else ""
        for edge, how in self.quantization.edges.items():
            if edge.value == name and layer_of(node) in edge.readers:
                return how
        return self.quantization.values.get(name)

    # The whole graph

    def run(self, ops: Mapping[str, Callable[["Emitter", ir.Node], None]]) -> None:
        """Emit every node; layers that cannot be expressed land in `problems`, and so do only they, not what follows them."""
        for i, port in enumerate(self.graph.inputs):
            self._input(i, port.name)
        for node in self.graph.nodes:
            self.node = node
            if node not in self.absorbed:
                self._node(node, ops)
        self.node = None
        for port in self.graph.outputs:
            self._output(port.name)

    def _node(self, node: ir.Node, ops: Mapping[str, Callable[["Emitter", ir.Node], None]]) -> None:
        try:
            if node.op_type not in ops or node.domain not in ("", "ai.onnx", DOMAIN):
                raise UnsupportedError("ncnn has no such layer, or this writer does not know it")
            for value in node.outputs:
                dims(value)
            ops[node.op_type](self, node)
        except (UnsupportedError, ValueError) as problem:
            self._problem(str(problem), fatal=True)
            self._stand_in(node)

    def _stand_in(self, node: ir.Node) -> None:
        """Give the outputs of a node that failed a blob, so that later layers are checked on their own merits."""
        for value in node.outputs:
            try:
                shape = dims(value)
            except (UnsupportedError, ValueError):
                shape = (1,)
            self.where.setdefault(value.name or "", Blob(f"?{value.name}", shape))

    def _input(self, index: int, name: str) -> None:
        value = next(v for v in self.graph.model.graph.inputs if v.name == name)
        shape: tuple[int, ...] = (1,)
        try:
            shape = dims(value)
            if len(shape) > MAX_AXES:
                raise UnsupportedError(f"an input of {len(shape)} axes besides the batch, ncnn has {MAX_AXES}")
        except (UnsupportedError, ValueError) as problem:
            self.problems.append(Problem(name, "Input", str(problem)))
        self.layers.append(Layer("Input", f"in{index}", [], [f"in{index}"], dict(_sizes(shape[-MAX_AXES:]))))
        self.where[name] = Blob(f"in{index}", shape)

    def _output(self, name: str) -> None:
        """Every output keeps its shape."""
        value = next(v for v in self.graph.model.graph.outputs if v.name == name)
        try:
            self.where[name] = self.shaped(value)
        except (UnsupportedError, ValueError) as problem:
            self.problems.append(Problem(name, "Output", str(problem)))

    def _problem(self, reason: str, *, fatal: bool) -> None:
        assert self.node is not None
        problem = Problem(self._base(), self.node.op_type, reason, fatal)
        if problem not in self.problems:
            self.problems.append(problem)

    def _base(self) -> str:
        if self.node is None:
            return "layer"
        return self.node.name or self.node.outputs[0].name or self.node.op_type


def dims(value: ir.Value) -> tuple[int, ...]:
    """The value's shape without its batch axis; (1,) where nothing else is left.

    Raises:
        UnsupportedError: If axis 0 is not the batch.
    """
    shape = shape_of(value)
    if not shape or shape[0] != 1:
        raise UnsupportedError(f"axis 0 of {value.name} {list(value.shape or ())} is not the batch, which ncnn leaves out")
    return shape[1:] or (1,)


def axis_of(axis: int, rank: int) -> int:
    """A Graph axis as ncnn's, which has no batch axis.

    Raises:
        UnsupportedError: If it is the batch axis.
    """
    axis = axis + rank if axis < 0 else axis
    if axis == 0:
        raise UnsupportedError("works along the batch axis")
    return axis - 1


def _sizes(shape: Sequence[int]) -> list[tuple[int, int]]:
    """Sizes as parameters: 0 = w, 1 = h, 11 = d, 2 = c."""
    numbers = {1: (0,), 2: (1, 0), 3: (2, 1, 0), 4: (2, 11, 1, 0)}[len(shape)]
    return sorted(zip(numbers, (int(n) for n in shape), strict=True))


def _unique(hint: str, taken: set[str]) -> str:
    """A name of safe characters, near `hint`, that is not taken; takes it."""
    base = re.sub(r"[^A-Za-z0-9_.\-]+", "_", hint)[:MAX_NAME] or "layer"
    if RESERVED.fullmatch(base):
        base += "_"
    name, i = base, 2
    while name in taken:
        name, i = f"{base}_{i}", i + 1
    taken.add(name)
    return name


def constants(node: ir.Node, index: int, what: str) -> Array:
    """The node's constant input `index`.

    Raises:
        UnsupportedError: If it is missing or computed.
    """
    found = const(node.inputs[index]) if index < len(node.inputs) else None
    if found is None:
        raise UnsupportedError(f"its {what} is computed, not constant")
    return found


def integers(node: ir.Node, index: int, what: str) -> list[int]:
    """The node's constant input `index` as a list of ints."""
    return [int(i) for i in np.atleast_1d(constants(node, index, what))]
