"""What a TFLite file stores in int8, told in the Graph's terms: values, initializers, layers by the names of their first outputs."""

from collections.abc import Set as AbstractSet

import numpy as np
import onnx_ir as ir

from exporter.formats.points import Group, Points, Ranges, Requantize, Scheme, Weights
from exporter.formats.tflite.int8_groups import Groups, integer_groups
from exporter.formats.tflite.int8_rules import FREE, JOIN, MOVES, WEIGHTED, computed
from exporter.formats.tflite.int8_scales import from_range
from exporter.formats.tflite.lower import lower
from exporter.formats.tflite.ops import TfOp, TfTensor
from exporter.graph import Graph, const
from exporter.graph.qdq import layer_of


def points(graph: Graph, ranges: Ranges, keep_float: AbstractSet[str]) -> Points:
    """See `exporter.formats.Rounder.points`. Layers that cannot be expressed are left out: `write` names them. So are those that only move
    numbers: they lose nothing, and stay float by themselves where float is all around them."""
    model, _ = lower(graph, int8=True)
    integer, groups = integer_groups(model, ranges, keep_float)
    ops = [op for op in model.ops if op in integer]
    order = {layer_of(n): i for i, n in enumerate(graph.nodes)}
    layers = sorted({op.layers[0] for op in ops if op.layers[0] in order and op.kind not in MOVES}, key=order.__getitem__)
    weights = tuple(w for op in ops for w in _weights(op, groups))
    taken = {w.weight for w in weights} | {w.bias for w in weights}
    names = dict.fromkeys(name for op in ops if op.kind in FREE for name in _constants(op) if name not in taken)
    return Points(Scheme(), tuple(layers), _groups(groups, ranges), weights, tuple(_requantized(graph, ops, groups)), tuple(names))


def value_of(t: TfTensor) -> str | None:
    """The value whose rounding is the tensor's: the first that it held, others are the same numbers under other axes."""
    return str(t.values[0].name) if t.values else None


def _groups(groups: Groups, ranges: Ranges) -> tuple[Group, ...]:
    """With the range that follows from the op where nobody has seen any of the values."""
    found = []
    for members in groups.members():
        names = tuple(name for t in members if (name := value_of(t)) is not None)
        if names:
            root = groups.find(members[0])
            fixed, known = groups.fixed.get(root), groups.range[root]
            if fixed is None and known is not None and ranges.keys().isdisjoint(names):
                how = from_range(*known)
                fixed = float(how.scale), int(how.zero_point)
            found.append(Group(names, fixed=fixed))
    return tuple(found)


def _weights(op: TfOp, groups: Groups) -> list[Weights]:
    """The layer's constants. A bias that is no initializer of its own, one number a channel, is rounded by the writer alone: to int32,
    which loses nothing. So are weights that stand for one factor a channel: 127 times their scale."""
    layer = WEIGHTED.get(op.kind)
    if layer is None:
        return _operands(op) if op.kind == "BATCH_MATMUL" else []
    weight, bias, x = op.inputs[layer.weights].origin, op.inputs[layer.bias].origin, op.inputs[layer.input]
    if weight is None:
        return []
    fed = [t for t in groups.tensors if groups.find(t) is groups.find(x) and t.values]
    name = value_of(x) or (value_of(fed[0]) if fed else None)
    plain = weight.index is not None and np.array_equal(weight.index, np.arange(op.inputs[layer.bias].shape[0]))
    if name is None or not plain:
        bias = None  # a bias has the order of the weights' axis, or is not spoken of
    return [Weights(op.layers[0], name or "", weight.name, weight.axis, None if bias is None else bias.name)]


def _operands(op: TfOp) -> list[Weights]:
    """A product's constant side: symmetric, one scale."""
    fed = next((name for t in computed(op.inputs) if (name := value_of(t)) is not None), "")
    return [Weights(op.layers[0], fed, t.origin.name, None) for t in op.inputs if t.origin is not None]


def _constants(op: TfOp) -> list[str]:
    return [t.origin.name for t in op.inputs if t.origin is not None and t.data is not None and t.data.dtype == np.float32]


def _requantized(graph: Graph, ops: list[TfOp], groups: Groups) -> list[Requantize]:
    """Parts of a Concat that do not share its scale, where the Graph's layer reads them as they are."""
    nodes = {layer_of(n): n for n in graph.nodes}
    found = []
    for op in ops:
        like = value_of(op.outputs[0])
        if op.kind not in JOIN or like is None or op.layers[0] not in nodes:
            continue
        for t in computed(op.inputs):
            read = _read_by(t, nodes[op.layers[0]])
            if read is not None and groups.find(t) is not groups.find(op.outputs[0]):
                found.append(Requantize(read, op.layers[0], like))
    return found


def _read_by(t: TfTensor, node: ir.Node) -> str | None:
    return next((str(v.name) for v in node.inputs if v is not None and const(v) is None and v in t.values[:1]), None)
