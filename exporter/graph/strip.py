"""Quantization taken out of a Graph again: the inverse of `exporter.graph.qdq`.

Source: ONNX DequantizeLinear-19, https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html
"""

import numpy as np
import onnx_ir as ir

from exporter.graph.edit import add_constant, const
from exporter.graph.model import Graph
from exporter.graph.qdq import Affine, Edge, Quantization, layer_of

Edges = list[tuple[ir.Value, list[ir.Node], Affine]]
"""Value, readers and numbers of what will be an edge: names are known when all pairs are out."""


def strip(graph: Graph) -> tuple[Graph, Quantization]:
    """The inverse of `insert`: a float Graph, its constants rounded, and the Quantization that was in it."""
    result = graph.clone()
    body = result.model.graph
    values: dict[str, Affine] = {}
    edges: Edges = []
    constants: dict[str, Affine] = {}
    for node in list(body):
        if node.op_type == "DequantizeLinear" and const(node.inputs[0]) is not None:
            _unfold(result, node, constants)
        elif _is_pair(node):
            _unpair(result, node, values, edges)
    named = {Edge(str(value.name), frozenset(layer_of(n) for n in readers)): how for value, readers, how in edges}
    return result, Quantization(values, named, constants)


def is_quantized(graph: Graph) -> bool:
    """Whether anything of a Graph is stored in integers."""
    return any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in graph.nodes)


def _is_pair(node: ir.Node) -> bool:
    """Whether a node is the DequantizeLinear of a QuantizeLinear-DequantizeLinear pair with constant scales."""
    if node.op_type != "DequantizeLinear" or node.inputs[0] is None:
        return False
    before = node.inputs[0].producer()
    return before is not None and before.op_type == "QuantizeLinear" and const(before.inputs[1]) is not None


def affine_of(node: ir.Node) -> Affine:
    """Scale and zero point of a QuantizeLinear or DequantizeLinear; an axis counts only where there is one scale a channel.

    Raises:
        ValueError: If they are computed.
    """
    scale = const(node.inputs[1])
    zero = const(node.inputs[2]) if len(node.inputs) > 2 else None
    if scale is None or (zero is None and len(node.inputs) > 2 and node.inputs[2] is not None):
        raise ValueError(f"{node.name} has a computed scale or zero point")
    stored = node.outputs[0] if node.op_type == "QuantizeLinear" else node.inputs[0]
    assert stored is not None
    if zero is None:
        zero = np.zeros(scale.shape, np.uint8 if stored.dtype is None else stored.dtype.numpy())
    one = scale.ndim == 0 or scale.size == 1
    found = node.attributes.get("axis")
    axis = None if one else (found.as_int() if found is not None else 1)
    return Affine(scale.reshape(()) if one else scale, zero.reshape(()) if one else zero, axis)


def _unfold(graph: Graph, node: ir.Node, constants: dict[str, Affine]) -> None:
    """DequantizeLinear of a constant to a float constant."""
    how = affine_of(node)
    out, stored = node.outputs[0], const(node.inputs[0])
    assert stored is not None
    name = str(out.name)
    out.name = f"{name}__gone"
    kept = add_constant(graph, name, how.dequantize(stored))
    out.replace_all_uses_with(kept)
    _drop(graph, node)
    constants[str(kept.name)] = how


def _unpair(graph: Graph, node: ir.Node, values: dict[str, Affine], edges: Edges) -> None:
    """Take one pair out; the value before it gets its name back."""
    how, stored, out = affine_of(node), node.inputs[0], node.outputs[0]
    assert stored is not None
    quantize = stored.producer()
    assert quantize is not None
    assert quantize.inputs[0] is not None
    value, body = quantize.inputs[0], graph.model.graph
    readers = list(dict.fromkeys(u for u, _ in out.uses()))
    others = any(u is not quantize for u, _ in value.uses()) or value.is_graph_output()
    outside, name = out.is_graph_output(), str(out.name)
    if outside:
        for index, port in enumerate(body.outputs):
            if port is out:
                body.outputs[index] = value
    out.replace_all_uses_with(value)
    _drop(graph, node)
    if not stored.uses():
        _drop(graph, quantize)
    if (others and not outside) or str(value.name) in values:
        edges.append((value, readers, how))
        return
    if value.producer() is not None and (str(value.name).endswith("__raw") or outside):
        value.name = name
    values[str(value.name)] = how


def _drop(graph: Graph, node: ir.Node) -> None:
    """Remove a node and the constants that nothing else reads."""
    inputs = [v for v in node.inputs if v is not None]
    graph.model.graph.remove(node, safe=True)
    for value in inputs:
        if value.const_value is not None and not value.uses() and not value.is_graph_output():
            graph.model.graph.initializers.pop(str(value.name), None)
