"""Quantization said in the Graph: QuantizeLinear and DequantizeLinear pairs on values, DequantizeLinear behind integer constants.

    q = clip(round(x / scale) + zero_point),   x = (q - zero_point) * scale

`insert` puts a Quantization into a float Graph, `exporter.graph.strip` takes it out again; a writer works on the stripped Graph and looks
scales up.
Source: ONNX QuantizeLinear-19, https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph.edit import add_constant, const, names_of, unique_name
from exporter.graph.model import Graph

LIMITS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "int32": (-(2**31), 2**31 - 1)}
"""Smallest and largest number of each type."""


@dataclass(frozen=True, slots=True)
class Affine:
    """How integers stand for reals: x = (q - zero_point) * scale.

    Attributes:
        scale: float32, shape () for one a tensor, (channels,) for one a channel.
        zero_point: Integers of the stored type, of the scale's shape.
        axis: The channels' axis where there is one scale a channel, else None.
        narrow: Whether the smallest number is left out: int8 from -127, as symmetric weights have it.
    """

    scale: Array
    zero_point: Array
    axis: int | None = None
    narrow: bool = False

    @property
    def dtype(self) -> str:
        """numpy name of the stored type, e.g. "int8"."""
        return self.zero_point.dtype.name

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest stored number."""
        low, high = LIMITS[self.dtype]
        return low + self.narrow, high

    def quantize(self, x: Array) -> Array:
        """Reals to the nearest stored numbers, halves to even; out of range to the ends."""
        scale, zero = self.along(x.ndim)
        q = np.clip(np.rint(x / scale.astype(np.float64)) + zero, *self.limits)
        return np.asarray(q, self.dtype)

    def dequantize(self, q: Array) -> Array:
        """Stored numbers to float32."""
        scale, zero = self.along(q.ndim)
        return np.asarray((q.astype(np.int64) - zero) * scale.astype(np.float64), np.float32)

    def along(self, rank: int) -> tuple[Array, Array]:
        """Scale, and zero point as int64, in a shape that is broadcast over an array of so many axes."""
        zero = self.zero_point.astype(np.int64)
        if self.axis is None:
            return self.scale, zero
        shape = [-1 if i == self.axis else 1 for i in range(rank)]
        return self.scale.reshape(shape), zero.reshape(shape)


def affine(scale: float, zero_point: int, dtype: str = "int8", *, narrow: bool = False) -> Affine:
    """One scale for a whole tensor."""
    return Affine(np.array(scale, np.float32), np.array(zero_point, dtype), None, narrow)


def same(a: Affine, b: Affine) -> bool:
    """Whether two stand for the same reals by the same integers."""
    return (a.dtype, a.axis) == (b.dtype, b.axis) and np.array_equal(a.scale, b.scale) and np.array_equal(a.zero_point, b.zero_point)


@dataclass(frozen=True, slots=True)
class Edge:
    """A value as some of its readers see it.

    Attributes:
        value: Name of the value.
        readers: Layers that read it so; a layer goes by the name of its first output.
    """

    value: str
    readers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Quantization:
    """What of a Graph is stored in integers.

    Attributes:
        values: By value name: computed values and inputs; every reader, and the world outside, sees them rounded.
        edges: Rounded, or rounded once more, on the way to some readers only.
        constants: By initializer name: weights, biases (int32) and other constants.
    """

    values: Mapping[str, Affine] = field(default_factory=dict)
    edges: Mapping[Edge, Affine] = field(default_factory=dict)
    constants: Mapping[str, Affine] = field(default_factory=dict)


def layer_of(node: ir.Node) -> str:
    """What a layer goes by: the name of its first output; node names may be missing or twice."""
    return str(node.outputs[0].name)


def insert(graph: Graph, quantization: Quantization) -> Graph:
    """A new Graph with the pairs in it. A rounded value keeps its name; what computes it is named `NAME__raw` then.

    An input keeps its name itself; its rounded form is `NAME__dq`, as is that of an edge. Integer constants are `NAME__q`.
    """
    return placed(graph, quantization)[0]


def placed(graph: Graph, quantization: Quantization) -> tuple[Graph, dict[str | Edge, ir.Node]]:
    """As `insert`, and the DequantizeLinear of every value, edge and constant in the new Graph."""
    result = graph.clone()
    values = {str(v.name): v for v in (*result.model.graph.inputs, *(o for n in result.nodes for o in n.outputs))}
    layers, taken = {layer_of(n): n for n in result.nodes}, names_of(result)
    rounded: dict[str, ir.Value] = {}
    found: dict[str | Edge, ir.Node] = {}
    for name, how in quantization.values.items():
        rounded[name] = _pair(result, taken, values[name], how)
        found[name] = _producer(rounded[name])
    for edge, how in quantization.edges.items():
        value = rounded.get(edge.value, values[edge.value])
        found[edge] = _producer(_pair(result, taken, value, how, [layers[name] for name in edge.readers]))
    for name, how in quantization.constants.items():
        found[name] = _constant(result, taken, result.model.graph.initializers[name], how)
    return result, found


def rounded_by(back: ir.Node) -> ir.Value:
    """What the pair of a DequantizeLinear rounds."""
    stored = back.inputs[0]
    assert stored is not None
    rounded = _producer(stored).inputs[0]
    assert rounded is not None
    return rounded


def _producer(value: ir.Value) -> ir.Node:
    node = value.producer()
    assert node is not None
    return node


def _pair(graph: Graph, taken: set[str], value: ir.Value, how: Affine, readers: Sequence[ir.Node] | None = None) -> ir.Value:
    """Put a pair behind a value, for all its readers or for some; returns the rounded value."""
    body, name = graph.model.graph, str(value.name)
    producer = value.producer()
    parameters = _parameters(graph, taken, name, how)
    quantize = ir.node("QuantizeLinear", [None, *parameters], {} if how.axis is None else {"axis": how.axis})
    dequantize = ir.node("DequantizeLinear", [quantize.outputs[0], *parameters], dict(quantize.attributes))
    stored, out = quantize.outputs[0], dequantize.outputs[0]
    stored.name, stored.shape, stored.type = unique_name(graph, f"{name}__q", taken), value.shape, ir.TensorType(_ir_type(how))
    quantize.name = stored.name
    out.shape, out.type = value.shape, ir.TensorType(ir.DataType.FLOAT)
    for user, index in list(value.uses()):
        if readers is None or user in readers:
            user.replace_input_with(index, out)
    whole = readers is None and producer is not None
    if whole and value.is_graph_output():
        for index, port in enumerate(body.outputs):
            if port is value:
                body.outputs[index] = out
    if whole:
        value.name = unique_name(graph, f"{name}__raw", taken)
        out.name = name
    else:
        out.name = unique_name(graph, f"{name}__dq", taken)
    dequantize.name = f"{stored.name}_back"
    quantize.replace_input_with(0, value)
    nodes = [quantize, dequantize]
    if producer is not None:
        body.insert_after(producer, nodes)
    else:
        body.insert_before(body[0], nodes)
    return out


def _parameters(graph: Graph, taken: set[str], name: str, how: Affine) -> list[ir.Value]:
    scale = add_constant(graph, f"{name}__scale", np.asarray(how.scale, np.float32), taken)
    return [scale, add_constant(graph, f"{name}__zero", how.zero_point, taken)]


def _ir_type(how: Affine) -> ir.DataType:
    return ir.DataType.from_numpy(how.zero_point.dtype)


def _constant(graph: Graph, taken: set[str], value: ir.Value, how: Affine) -> ir.Node:
    """Store a constant in integers, a DequantizeLinear behind it; a bias in int32 has no zero point to name."""
    body, name = graph.model.graph, str(value.name)
    array = const(value)
    if array is None:
        raise ValueError(f"{name} is no constant")
    stored = add_constant(graph, f"{name}__q", how.quantize(array), taken)
    parameters = _parameters(graph, taken, name, how)
    node = ir.node("DequantizeLinear", [stored, *parameters], {} if how.axis is None else {"axis": how.axis}, name=f"{name}__dequantize")
    out = node.outputs[0]
    out.shape, out.type = value.shape, ir.TensorType(ir.DataType.FLOAT)
    value.replace_all_uses_with(out)
    del body.initializers[name]
    out.name = name
    body.insert_before(body[0], node)
    return node
