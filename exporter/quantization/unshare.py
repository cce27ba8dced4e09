"""Constants of their own for layers that would need different scales of a shared one.

Given:   two layers with one bias b, and inputs of different scales
Result:  the second reads b_2, a copy: biases are stored with s_in * s_w, so one array cannot serve both
"""

from dataclasses import replace

import onnx_ir as ir

from exporter.formats.points import Points, Weights
from exporter.graph import Graph, add_constant
from exporter.graph.qdq import layer_of
from exporter.quantization.assign import array_of


def unshare(graph: Graph, points: Points) -> Points:
    """Copy shared constants, in the Graph given, where layers need numbers of their own; returns the points with the new names.

    Biases stored as int32 are always their layer's own. Weights stay shared while layers store them alike.
    """
    weights: dict[str, Weights] = {}
    biases: set[str] = set()
    result = []
    for w in points.weights:
        weight, bias = w.weight, w.bias
        if _how(weights.setdefault(weight, w)) != _how(w):
            weight = _copy(graph, weight, w.layer)
        if bias is not None and w.bias_int32 and bias in biases:
            bias = _copy(graph, bias, w.layer)
        if bias is not None:
            biases.add(bias)
        result.append(replace(w, weight=weight, bias=bias))
    return replace(points, weights=tuple(result))


def _how(w: Weights) -> tuple[object, ...]:
    return w.axis, w.narrow, w.share, w.dtype


def _copy(graph: Graph, name: str, layer: str) -> str:
    """A copy of a constant for one layer, which may be a chain of nodes (a product, then the addition of its bias)."""
    value = graph.model.graph.initializers[name]
    node = next(n for n in graph.nodes if layer_of(n) == layer)
    reader = reader_of(node, value)
    own = add_constant(graph, name, array_of(graph, name))
    for index, read in enumerate(reader.inputs):
        if read is value:
            reader.replace_input_with(index, own)
    return str(own.name)


def reader_of(node: ir.Node, value: ir.Value) -> ir.Node:
    """The layer's node that reads a constant: the first one from `node` downwards; it may be an Add behind a product.

    Raises:
        ValueError: If the layer does not read it.
    """
    at: ir.Node | None = node
    while at is not None and value not in at.inputs:
        users = at.outputs[0].consumers()
        at = users[0] if len(users) == 1 else None
    if at is None:
        raise ValueError(f"layer {layer_of(node)} does not read {value.name}")
    return at
