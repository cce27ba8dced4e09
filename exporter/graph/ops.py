"""Facts of operators that every part needs."""

import onnx_ir as ir

from exporter.graph.model import DOMAIN, OPSET

TENSOR_WORK = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""Operators that multiply tensors; the time of all others is non-tensor work."""

MOVES = frozenset({
    "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Split", "Concat", "Gather", "Pad", "Expand", "Tile",
    "DepthToSpace", "SpaceToDepth", "ChannelShuffle", "Identity", "Dropout",
})  # fmt: skip
"""Operators that only move data: no arithmetic is counted."""

FREE = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout"})
"""Operators that an engine does by renaming, without touching the data."""


def is_standard(node: ir.Node, opset: int = OPSET) -> bool:
    """Whether a node is an operator of the ONNX standard at this opset."""
    from onnx import defs

    return node.domain in ("", "ai.onnx") and bool(defs.has(node.op_type, opset, ""))


def is_composite(node: ir.Node) -> bool:
    """Whether a node is one of our own operators, which have a body of standard ones."""
    return node.domain == DOMAIN
