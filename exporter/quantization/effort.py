"""What a partly quantized Graph costs to run, in float multiply-accumulates: an estimate for comparing mixed precisions, not a latency."""

from math import prod

import onnx_ir as ir

from exporter.formats.points import Points
from exporter.graph import Graph, shape_of
from exporter.graph.ops import MOVES
from exporter.graph.qdq import layer_of
from exporter.quantization.sensitivity import macs_of

INT8 = 0.4
"""Of a multiply-accumulate in integers: published ARM tables have int8 1.5 to 4 times as fast as float32."""

CONVERSION = 8.0
"""Of one element quantized or dequantized: five bytes moved and one rounding, against one multiply-accumulate of a product in cache."""


def effort(graph: Graph, points: Points) -> float:
    """Products at their precision, and every element that changes between integers and reals on its way."""
    integer = set(points.layers)
    products = sum(macs * (INT8 if layer in integer else 1.0) for layer, macs in macs_of(graph).items())
    return products + CONVERSION * sum(_elements(v) for v in conversions(graph, points))


def idle(graph: Graph, points: Points) -> list[str]:
    """Layers in integers, with products, that save less than converting what they read and write would cost; in the Graph's order.

    Whether it is converted depends on their neighbours. Layers without products only pass integers on.
    """
    macs, nodes = macs_of(graph), {layer_of(n): n for n in graph.nodes}
    found = []
    for layer in points.layers:
        touched = sum(_elements(v) for v in (nodes[layer].inputs[0], nodes[layer].outputs[0]) if v is not None)
        if 0 < (1 - INT8) * macs[layer] < CONVERSION * touched:
            found.append(layer)
    return found


def conversions(graph: Graph, points: Points) -> list[ir.Value]:
    """Values that an engine quantizes or dequantizes: a side computes in reals. One that needs both is there twice."""
    integer = set(points.layers)
    rounded = {name for g in points.groups for name in g.values}
    found = []
    for value in (*graph.model.graph.inputs, *(o for n in graph.nodes for o in n.outputs)):
        if value.name not in rounded:
            continue
        if not _made_in_integers(value, integer, rounded):
            found.append(value)
        if value.is_graph_output() or any(not _reads_integers(n, integer, rounded) for n in value.consumers()):
            found.append(value)
    return found


def _made_in_integers(value: ir.Value, integer: set[str], rounded: set[str]) -> bool:
    """Whether a layer in integers makes it, perhaps through an activation that belongs to the layer, or a move of numbers."""
    at: ir.Value | None = value
    while at is not None and (node := at.producer()) is not None:
        if layer_of(node) in integer:
            return True
        at = node.inputs[0] if node.inputs else None
        if at is not None and str(at.name) in rounded and node.op_type not in MOVES:
            return False  # it reads integers and computes in reals
    return False


def _reads_integers(node: ir.Node, integer: set[str], rounded: set[str]) -> bool:
    return layer_of(node) in integer or (node.op_type in MOVES and str(node.outputs[0].name) in rounded)


def _elements(value: ir.Value) -> int:
    return prod(shape_of(value))
