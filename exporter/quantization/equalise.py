"""Cross-layer equalisation: channels of one value brought to like sizes, as they share one scale; exact in float.

    Given:   v = f(Conv(x, W1, b1)),  y = Conv(v, W2, b2),   v read by nothing else, f positively homogeneous
    Result:  W1[i] / s_i,  b1[i] / s_i,  W2[:, i] * s_i

Weights have a scale each output channel, so dividing W1's rows costs nothing; what s_i trades is the size a_i of v's channel against the
size r_i of W2's column: s_i = sqrt(a_i / r_i). A depthwise W2 has a scale each channel itself: there s_i = a_i alone. A Clip from 0 to c is
homogeneous only while c is out of reach: s_i is chosen so that a channel's largest number, and `MARGIN` more, stays within.

Source: Nagel et al. 2019, https://arxiv.org/abs/1906.04721, section 4.1, with ranges of activations in place of W1's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats.points import Range
from exporter.graph import Graph, attr, const, const_input, sole_consumer
from exporter.graph.evaluate import Evaluator
from exporter.quantization.assign import union
from exporter.quantization.switchboard import CHUNK

HOMOGENEOUS = frozenset({"Relu", "LeakyRelu"})
"""f(c x) = c f(x) for every c > 0."""

MARGIN = 1.1
"""Of a channel's largest number below a Clip: others may be larger than those seen."""

LEAST = 1 / 32
"""No channel is divided by less than this share of the largest divisor: rare numbers would leave the range."""

AT_ONCE = 4
"""Samples of which all values are held at once."""

SWEEPS = 2
"""Over all pairs: a convolution is second in one pair and first in the next."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two convolutions with one value between.

    Attributes:
        first: Makes the value, through an activation or none.
        second: Reads it, alone.
        value: Its name.
        limit: Upper end of a Clip between; infinite without one.
    """

    first: ir.Node
    second: ir.Node
    value: str
    limit: float

    @property
    def depthwise(self) -> bool:
        """Whether each channel of the value has output channels of its own."""
        return int(attr(self.second, "group", 1)) > 1


def pairs(graph: Graph) -> list[Pair]:
    """All pairs that can be equalised, in the Graph's order."""
    return [pair for node in graph.nodes if _scalable(node) and (pair := _pair(node)) is not None]


def exact(graph: Graph) -> bool:
    """Whether equalising a Graph's pairs leaves it as it is for all inputs, those beyond a Clip too."""
    return all(np.isinf(pair.limit) for pair in pairs(graph))


def equalised(graph: Graph, samples: Mapping[str, Array]) -> tuple[Graph, tuple[str, ...]]:
    """A Graph with like channels, and the names of the values that changed; the one given stays as it is.

    Args:
        graph: The float Graph.
        samples: What the sizes of channels are measured on, by Graph input name.
    """
    result = graph.clone()
    found = pairs(result)
    if not found:
        return result, ()
    sizes = channel_sizes(result, [p.value for p in found], samples)
    for _ in range(SWEEPS):
        for pair in found:
            scale = _divisors(pair, sizes[pair.value])
            _apply(result, pair, scale)
            sizes[pair.value] = sizes[pair.value] / scale
    return result, tuple(p.value for p in found)


def channel_sizes(graph: Graph, values: list[str], samples: Mapping[str, Array]) -> dict[str, Array]:
    """Largest magnitude of every channel (axis 1) of some values, float64."""
    evaluator = Evaluator(graph, values)
    sizes: dict[str, Array] = {}
    for i in range(0, len(next(iter(samples.values()))), CHUNK):
        for name, x in evaluator.run({k: v[i : i + CHUNK] for k, v in samples.items()}).items():
            here = np.abs(x).max(axis=tuple(a for a in range(x.ndim) if a != 1)).astype(np.float64)
            sizes[name] = np.maximum(sizes.get(name, here), here)
    return sizes


def spans(graph: Graph, values: list[str], samples: Mapping[str, Array]) -> dict[str, Range]:
    """Smallest and largest element of some values."""
    evaluator = Evaluator(graph, [v for v in values if v not in samples])
    found = {v: (float(samples[v].min()), float(samples[v].max())) for v in values if v in samples}
    for i in range(0, len(next(iter(samples.values()))), AT_ONCE):
        for name, x in evaluator.run({k: v[i : i + AT_ONCE] for k, v in samples.items()}).items():
            found[name] = union([(float(x.min()), float(x.max())), *([found[name]] if name in found else [])])
    return found


def _pair(first: ir.Node) -> Pair | None:
    value, limit = first.outputs[0], np.inf
    reader = sole_consumer(value)
    if reader is not None and reader.op_type in HOMOGENEOUS:
        value = reader.outputs[0]
    elif reader is not None and reader.op_type == "Clip":
        low, high = const_input(reader, 1), const_input(reader, 2)
        if low is None or high is None or float(low) != 0.0:
            return None
        value, limit = reader.outputs[0], float(high)
    second = sole_consumer(value)
    if second is None or not _scalable(second) or second.inputs[0] is not value:
        return None
    group, weight = int(attr(second, "group", 1)), const_input(second, 1)
    own = const_input(first, 1)
    if weight is None or own is None or (group > 1 and (weight.shape[1] != 1 or group != own.shape[0])):
        return None
    return Pair(first, second, str(value.name), limit)


def _scalable(node: ir.Node) -> bool:
    """A convolution whose constants are its own."""
    if node.op_type != "Conv":
        return False
    constants = [v for v in node.inputs[1:] if v is not None]
    return all(const(v) is not None and len(v.uses()) == 1 and not v.is_graph_output() for v in constants)


def _divisors(pair: Pair, size: Array) -> Array:
    """s_i of each channel, at most 1; channels that were always 0 keep their size."""
    weight = const(pair.second.inputs[1])
    assert weight is not None
    wanted = size.copy()
    if not pair.depthwise:
        column = np.abs(weight).max(axis=(0, *range(2, weight.ndim))).astype(np.float64)
        wanted = np.sqrt(size / np.where(column > 0, column, 1.0) * (column > 0))
    top = float(wanted.max(initial=0.0))
    if top == 0:
        return np.ones_like(size)
    scale = np.where(wanted > 0, np.maximum(wanted / top, LEAST), 1.0)
    if np.isfinite(pair.limit):
        scale = np.maximum(scale, np.minimum(MARGIN * size / pair.limit, 1.0))
    return np.asarray(scale)


def _apply(graph: Graph, pair: Pair, scale: Array) -> None:
    along = (-1, *[1] * (_array(pair.first, 1).ndim - 1))
    _set(graph, pair.first, 1, _array(pair.first, 1) / scale.reshape(along))
    if len(pair.first.inputs) > 2 and pair.first.inputs[2] is not None:
        _set(graph, pair.first, 2, _array(pair.first, 2) / scale)
    weight = _array(pair.second, 1)
    if pair.depthwise:
        factor = np.repeat(scale, weight.shape[0] // len(scale)).reshape(-1, *[1] * (weight.ndim - 1))
    else:
        factor = scale.reshape(1, -1, *[1] * (weight.ndim - 2))
    _set(graph, pair.second, 1, weight * factor)


def _array(node: ir.Node, index: int) -> Array:
    array = const(node.inputs[index])
    assert array is not None
    return array.astype(np.float64)


def _set(graph: Graph, node: ir.Node, index: int, array: Array) -> None:
    value = node.inputs[index]
    assert value is not None
    value.const_value = ir.tensor(array.astype(np.float32), name=value.name)
