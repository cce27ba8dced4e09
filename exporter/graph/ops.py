"""Facts of operators."""

import onnx_ir as ir

from exporter.graph.model import DOMAIN, OPSET


def is_standard(node: ir.Node, opset: int = OPSET) -> bool:
    """Whether a node is an operator of the ONNX standard at this opset."""
    from onnx import defs

    return node.domain in ("", "ai.onnx") and bool(defs.has(node.op_type, opset, ""))


def is_composite(node: ir.Node) -> bool:
    """Whether a node is one of our own operators, which have a body of standard ones."""
    return node.domain == DOMAIN
