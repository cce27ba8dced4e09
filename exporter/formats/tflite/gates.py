"""Hard-swish as int8 computes it: by a gate that is rounded on its way.

    Given:   y = HardSwish(x)
    Result:  g = HardSigmoid(x),  y = Mul(x, g)       one layer still, y

XNNPACK has no HARD_SWISH in int8. In steps of 6/255 relu6(x + 3) is what g is in steps of 1/255: the same integers, so that a pair on g
says all that the file rounds.
"""

import onnx_ir as ir

from exporter.graph import Graph, attr, unique_name
from exporter.graph.edit import names_of, sole_consumer
from exporter.graph.qdq import layer_of

_SIXTH = 1e-6


def spell_out(graph: Graph) -> None:
    """See `exporter.formats.Rounder.spell_out`."""
    taken = names_of(graph)
    for node in list(graph.nodes):
        if node.op_type == "HardSwish" and node.domain in {"", "ai.onnx"}:
            _spell(graph, node, taken)


def _spell(graph: Graph, node: ir.Node, taken: set[str]) -> None:
    x, y = node.inputs[0], node.outputs[0]
    assert x is not None
    name = unique_name(graph, f"{y.name}__gate", taken)
    gate = ir.node("HardSigmoid", [x], {"alpha": 1 / 6, "beta": 0.5}, name=name)
    product = ir.node("Mul", [x, gate.outputs[0]], name=node.name)
    made, g, own = product.outputs[0], gate.outputs[0], y.name
    g.name, g.shape, g.type = name, y.shape, y.type
    made.shape, made.type = y.shape, y.type
    y.replace_all_uses_with(made, replace_graph_outputs=True)
    graph.model.graph.insert_after(node, [gate, product])
    graph.model.graph.remove(node, safe=True)
    made.name = own


def gate_of(node: ir.Node) -> ir.Value | None:
    """The gate of a hard-swish's product; None for other nodes."""
    if node.op_type != "Mul" or len(node.inputs) != 2:
        return None
    x, gate = node.inputs
    maker = None if gate is None else gate.producer()
    if maker is None or maker.op_type != "HardSigmoid" or maker.inputs[0] is not x or sole_consumer(maker.outputs[0]) is not node:
        return None
    usual = abs(float(attr(maker, "alpha", 0.2)) - 1 / 6) < _SIXTH and float(attr(maker, "beta", 0.5)) == 0.5
    return gate if usual else None


def layer_name(node: ir.Node) -> str:
    """What a node's layer goes by: a gate is part of its product."""
    reader = sole_consumer(node.outputs[0]) if node.op_type == "HardSigmoid" else None
    return layer_of(reader if reader is not None and gate_of(reader) is node.outputs[0] else node)
