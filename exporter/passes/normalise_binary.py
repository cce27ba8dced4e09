"""One way to write arithmetic with constants.

    Given:   Sub(x, c);  Div(x, c);  Add(c, x);  Mul(c, x);  Sum / Max / Min / Mean of any number
    Result:  Add(x, -c);  Mul(x, 1/c);  Add(x, c);  Mul(x, c);  chains of two (Mean: Adds, then Mul)

Sub(c, x) and Div(c, x) stay.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import Graph, add_constant, const, const_input, insert_node
from exporter.passes.rewrite import NodePass, Phase, become, follow, number

_CHAINS = {"Sum": "Add", "Mean": "Add", "Max": "Max", "Min": "Min"}


@dataclass(frozen=True, slots=True)
class NormaliseBinary(NodePass):
    """Exact but for Div: x * (1/c) may differ from x / c by one unit in the last place."""

    phase: ClassVar[Phase] = Phase.CLEAN
    ops: ClassVar[frozenset[str]] = frozenset({"Add", "Mul", "Sub", "Div", *_CHAINS})

    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """See `NodePass`."""
        if node.op_type in _CHAINS and (len(node.inputs) > 2 or node.op_type in ("Sum", "Mean")):
            return _chain(graph, node)
        if node.op_type in ("Add", "Mul", "Max", "Min"):
            return _constant_last(node)
        c = const_input(node, 1)
        if c is None or c.dtype != np.float32:
            return 0
        if node.op_type == "Sub":
            return _second(graph, node, "Add", -c)
        with np.errstate(divide="ignore", over="ignore"):
            inverse = (1 / c.astype(np.float64)).astype(np.float32)
        usable = np.isfinite(inverse).all() and (np.abs(inverse) >= np.finfo(np.float32).tiny).all()
        return _second(graph, node, "Mul", inverse) if usable else 0


def _second(graph: Graph, node: ir.Node, op: str, array: Array) -> int:
    name = node.inputs[1].name if node.inputs[1] is not None else None
    return become(node, op, [node.inputs[0], add_constant(graph, f"{name or node.name}_{op.lower()}", array)])


def _constant_last(node: ir.Node) -> int:
    if len(node.inputs) != 2 or const(node.inputs[0]) is None or const(node.inputs[1]) is not None:
        return 0
    return become(node, node.op_type, [node.inputs[1], node.inputs[0]])


def _chain(graph: Graph, node: ir.Node) -> int:
    """n inputs as n - 1 nodes of two; one is what it is."""
    op, mean, count = _CHAINS[node.op_type], node.op_type == "Mean", len(node.inputs)
    if count == 1:
        return become(node, "Identity", [node.inputs[0]])
    total, *rest = node.inputs
    for i, value in enumerate(rest[:-1]):
        total = insert_node(graph, node, op, [total, value], f"{node.outputs[0].name}_{i + 1}")
    become(node, op, [total, rest[-1]])
    if mean:
        follow(graph, node, "Mul", [number(graph, f"{node.outputs[0].name}_share", 1 / count)])
    return 1
