"""Facts of operators."""

import onnx_ir as ir

from exporter.graph.model import DOMAIN, OPSET

MOVES = frozenset({"Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
"""Operators that only carry numbers elsewhere: their output has their input's statistics."""


def is_standard(node: ir.Node, opset: int = OPSET) -> bool:
    """Whether a node is an operator of the ONNX standard at this opset."""
    from onnx import defs

    return node.domain in ("", "ai.onnx") and bool(defs.has(node.op_type, opset, ""))


def is_composite(node: ir.Node) -> bool:
    """Whether a node is one of our own operators, which have a body of standard ones."""
    return node.domain == DOMAIN


def computed_by(value: ir.Value) -> ir.Node | None:
    """The node that computes a value's numbers, behind those that only carry them; None for an input or a constant."""
    node = value.producer()
    while node is not None and node.op_type in MOVES and node.inputs[0] is not None:
        node = node.inputs[0].producer()
    return node
