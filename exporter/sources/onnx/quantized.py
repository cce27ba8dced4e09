"""A quantized ONNX file in the Graph's terms: a float model, and what of it is stored in integers.

Two forms are read: QuantizeLinear-DequantizeLinear pairs (QDQ), and operators on integers (QLinearConv, QLinearAdd, ...). The second is
rewritten into the first, node by node, then the pairs are taken out. Operators between that only move integers move floats instead.

    Given:   y = QLinearConv(x, s, z, w, ...)
    Result:  y = QuantizeLinear(Conv(DequantizeLinear(x, s, z), DequantizeLinear(w, ...)), ...)
"""

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.errors import SourceError
from exporter.graph import Graph, const
from exporter.graph.qdq import Affine, Quantization, same
from exporter.graph.strip import affine_of, strip
from exporter.sources.onnx.clamps import restore_clamps
from exporter.sources.onnx.qoperators import OPERATORS, Builder
from exporter.sources.onnx.walk import named

DOMAINS = ("", "ai.onnx", "com.microsoft")

MOVES = {"Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Gather", "MaxPool", "Concat", "Identity", "Pad"}
"""Operators that are allowed on integers: they give out numbers that they were given."""


def unquantize(model: ir.Model) -> Quantization | None:
    """Make a model float, in place; returns what of it was stored in integers, None for a model without.

    Raises:
        SourceError: If something computes on integers in a way that has no float form; names the nodes.
    """
    graph = model.graph
    if not any(_is_quantized(node) for node in graph):
        return None
    _lift_constants(graph)
    _to_pairs(graph)
    _settle_pairs(graph)
    restore_clamps(graph)
    plain, quantization = strip(Graph(model, (), (), "source"))
    model.graph = plain.model.graph
    return quantization


def _is_quantized(node: ir.Node) -> bool:
    return node.domain in DOMAINS and (node.op_type in ("QuantizeLinear", "DequantizeLinear") or node.op_type in OPERATORS)


def _lift_constants(graph: ir.Graph) -> None:
    """Constant nodes to initializers: scales are looked up there."""
    for node in list(graph):
        found = node.attributes.get("value") if node.op_type == "Constant" and not node.domain else None
        out = node.outputs[0]
        if found is None or out.is_graph_output():
            continue
        tensor, name = ir.Tensor(found.as_tensor().numpy(), name=out.name), out.name
        value = ir.Value(name=name, shape=ir.Shape(tensor.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
        out.replace_all_uses_with(value)
        graph.remove(node, safe=True)
        graph.register_initializer(value)


def _to_pairs(graph: ir.Graph) -> None:
    """Every integer value between a QuantizeLinear and its readers: what it stands for; all that computes on it: in float."""
    stands: dict[ir.Value, Affine] = {}
    strange: list[str] = []
    for node in list(graph):
        if node.domain in DOMAINS and node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            node.domain = ""
            _linear(graph, node, stands, strange)
        elif node.domain in DOMAINS and node.op_type in OPERATORS:
            builder = Builder(graph, node)
            OPERATORS[node.op_type](builder)
            stands[builder.stored] = builder.how
        elif any(v in stands for v in node.inputs if v is not None):
            if _is_move(node, stands):
                _move(graph, node, stands)
            else:
                strange.append(named(node))
    strange += [f"output {v.name}" for v in graph.outputs if v in stands]
    if strange:
        raise SourceError(f"integers are computed on without their scale: {', '.join(strange)}", hint="export the float model")


def _linear(graph: ir.Graph, node: ir.Node, stands: dict[ir.Value, Affine], strange: list[str]) -> None:
    """Note what a QuantizeLinear's integers stand for; fold those of constants; check that a DequantizeLinear agrees."""
    stored = node.inputs[0]
    assert stored is not None
    if any(v is not None and const(v) is None for v in node.inputs[1:]):
        return  # dynamic: refused by name later on
    array = const(stored)
    if node.op_type == "QuantizeLinear":
        how = affine_of(node)
        if array is not None:
            _replace(graph, node, how.quantize(array))
        else:
            stands[node.outputs[0]] = how
    elif array is not None and (node.attributes.get("block_size") or np.asarray(const(node.inputs[1])).ndim > 1):
        _replace(graph, node, _by_blocks(node, array))
    elif stored.is_graph_input():
        _from_integers(graph, node)
    elif array is None and not (stored in stands and same(stands[stored], _uniform(affine_of(node)))):
        strange.append(named(node))
    elif array is None:
        builder = Builder(graph, node)
        builder.take_over(builder.dequantize(stored, stands[stored]))


def _uniform(how: Affine) -> Affine:
    """One scale where all channels have the same."""
    if how.axis is None or how.scale.size == 0 or (how.scale != how.scale[0]).any() or (how.zero_point != how.zero_point[0]).any():
        return how
    return Affine(how.scale[0].reshape(()), how.zero_point[0].reshape(()))


def _by_blocks(node: ir.Node, stored: Array) -> Array:
    """Weights with a scale each block: to float at once, no other format stores them so."""
    scale = np.asarray(const(node.inputs[1]))
    zero = const(node.inputs[2]) if len(node.inputs) > 2 else None
    axis = node.attributes["axis"].as_int() if "axis" in node.attributes else 1
    size = node.attributes["block_size"].as_int()

    def spread(a: Array) -> Array:
        return np.repeat(a, size, axis).take(np.arange(stored.shape[axis]), axis)

    offset = 0 if zero is None else spread(zero).astype(np.int32)
    return ((stored.astype(np.int32) - offset) * spread(scale)).astype(np.float32)


def _replace(graph: ir.Graph, node: ir.Node, array: Array) -> None:
    """A constant in a node's place."""
    out = node.outputs[0]
    tensor = ir.Tensor(array, name=out.name)
    value = ir.Value(name=out.name, shape=ir.Shape(array.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
    out.replace_all_uses_with(value)
    graph.remove(node, safe=True)
    graph.register_initializer(value)


def _from_integers(graph: ir.Graph, node: ir.Node) -> None:
    """DequantizeLinear of an integer input: (x - zero point) * scale, in float."""
    builder = Builder(graph, node)
    how = affine_of(node)
    x = builder.node("Cast", [node.inputs[0]], "float", to=int(ir.DataType.FLOAT))
    shifted = builder.node("Sub", [x, builder.constant("offset", how.zero_point.astype(np.float32))], "shifted")
    real = builder.node("Mul", [shifted, builder.constant("factor", how.scale)], "real")
    builder.take_over(real)


def _is_move(node: ir.Node, stands: dict[ir.Value, Affine]) -> bool:
    """Whether a node gives out the integers that it gets, all of one scale."""
    if node.op_type not in MOVES or node.domain or node.inputs[0] not in stands:
        return False
    first = stands[node.inputs[0]]
    return all(same(stands[v], first) if v in stands else const(v) is not None for v in node.inputs if v is not None)


def _move(graph: ir.Graph, node: ir.Node, stands: dict[ir.Value, Affine]) -> None:
    """Let an operator move floats: a pair's two halves change places with it."""
    first = node.inputs[0]
    assert first is not None
    how, builder = stands[first], Builder(graph, node)
    for index, value in enumerate(node.inputs):
        array = const(value)
        if value in stands:
            node.replace_input_with(index, builder.dequantize(value, how))
        elif array is not None and (node.op_type == "Concat" or (node.op_type == "Pad" and index == 2)):
            node.replace_input_with(index, builder.constant("value", how.dequantize(array)))
    for out in node.outputs:
        stands[builder.quantize_after(out, how)] = how


def _settle_pairs(graph: ir.Graph) -> None:
    """One DequantizeLinear behind each QuantizeLinear: exporters give every reader its own."""
    for node in list(graph):
        if node.op_type != "QuantizeLinear":
            continue
        halves = [u for u in node.outputs[0].consumers() if u.op_type == "DequantizeLinear"]
        halves.sort(key=lambda n: not n.outputs[0].is_graph_output())
        for other in halves[1:]:
            if not other.outputs[0].is_graph_output():
                other.outputs[0].replace_all_uses_with(halves[0].outputs[0])
                graph.remove(other, safe=True)
