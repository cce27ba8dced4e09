"""Which layers onnxruntime has integer kernels for.

Source: onnxruntime, docs/ContribOperators.md (QLinearAdd, QLinearConcat, ...) and core/providers/cpu/quantization.
"""

import numpy as np
import onnx_ir as ir

from exporter.formats.points import Ranges, Weights
from exporter.graph import attr, const, const_input, shape_of
from exporter.graph.qdq import layer_of

PRODUCTS = ("Conv", "Gemm", "MatMul")
"""What int8 is for."""

MOVES = {
    "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Gather", "Pad", "Expand", "Tile", "MaxPool",
    "DepthToSpace", "SpaceToDepth", "ChannelShuffle", "Identity",
}  # fmt: skip
"""Operators that give out numbers that they were given, or 0: integers pass through as they are."""

ALIKE = ("AveragePool", "GlobalAveragePool", "LeakyRelu", "Sigmoid", "Concat")
"""Other operators with integer kernels, whatever their constants."""


def is_move(node: ir.Node) -> bool:
    """Whether a node only moves the numbers of its first input."""
    if node.op_type == "Resize":
        return str(attr(node, "mode", "nearest")) == "nearest" and attr(node, "coordinate_transformation_mode") != "tf_crop_and_resize"
    if node.op_type == "Pad":
        value = const_input(node, 2)
        return value is None or not value.any()
    moved = node.op_type in MOVES and const(node.inputs[0]) is None
    return moved and not (node.op_type == "MaxPool" and len(node.outputs) > 1)


def is_clamp(node: ir.Node) -> bool:
    """Whether a node is a Relu or a Clip with constant ends."""
    return node.op_type == "Relu" or (node.op_type == "Clip" and all(v is None or const(v) is not None for v in node.inputs[1:]))


def runs_in_integers(node: ir.Node, ranges: Ranges) -> bool:
    """Whether onnxruntime has integers for a layer, with no loss but rounding to its output's scale."""
    if node.op_type in ("Conv", "Gemm"):
        return weights_of(node) is not None
    if node.op_type == "MatMul":
        return const(node.inputs[0]) is None and (const(node.inputs[1]) is None or weights_of(node) is not None)
    if node.op_type in ("Add", "Mul"):
        return _binary(node, ranges)
    return node.op_type in ALIKE and not node.domain


def _binary(node: ir.Node, ranges: Ranges) -> bool:
    """A constant operand has one scale for all of it: rounding it must not show beside the rounding of the output."""
    constants = [a for v in node.inputs if (a := const(v)) is not None]
    if not constants:
        return True
    if len(constants) == 2 or not node.outputs[0].shape:
        return False
    array, seen = constants[0], ranges.get(str(node.outputs[0].name))
    if array.size == 1:
        return True
    return node.op_type == "Add" and seen is not None and float(array.max() - array.min()) <= seen[1] - seen[0]


def weights_of(node: ir.Node) -> Weights | None:
    """The constants of a layer with weights; None where onnxruntime computes it in float only."""
    found = {"Conv": _conv, "Gemm": _gemm, "MatMul": _matmul}.get(node.op_type)
    return None if found is None else found(node)


def products_of(node: ir.Node) -> int:
    """How many numbers a layer with weights multiplies, for one sample."""
    weight = const_input(node, 1)
    assert weight is not None
    out = shape_of(node.outputs[0])
    return int(np.prod(out)) * (weight[0].size if node.op_type == "Conv" else weight.size // out[-1])


def _conv(node: ir.Node) -> Weights | None:
    """Weights (out, in, kernel...); im2col has the channels of one kernel position side by side."""
    weight, bias = const_input(node, 1), const_input(node, 2)
    if weight is None or (bias is None and len(node.inputs) > 2 and node.inputs[2] is not None):
        return None
    alone = weight.shape[1] == 1 and attr(node, "group", 1) == weight.shape[0] > 1  # a kernel of its own, exact in 32 bits
    return _weights(node, 0, None if alone else (*range(2, weight.ndim), 1))


def _gemm(node: ir.Node) -> Weights | None:
    """y = x w + b, or w transposed."""
    weight, bias = const_input(node, 1), const_input(node, 2)
    plain = attr(node, "alpha", 1.0) == 1 and attr(node, "beta", 1.0) == 1 and not attr(node, "transA", 0)
    if weight is None or not plain or const(node.inputs[0]) is not None:
        return None
    axis = 0 if attr(node, "transB", 0) else 1
    if len(node.inputs) > 2 and node.inputs[2] is not None and (bias is None or bias.size != weight.shape[axis]):
        return None
    return _weights(node, axis, (1 - axis,))


def _matmul(node: ir.Node) -> Weights | None:
    weight = const_input(node, 1)
    return None if weight is None or weight.ndim != 2 else _weights(node, 1, (0,))


def _weights(node: ir.Node, axis: int, pairs: tuple[int, ...] | None) -> Weights:
    x, weight = node.inputs[:2]
    assert x is not None
    assert weight is not None
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    return Weights(layer_of(node), str(x.name), str(weight.name), axis, None if bias is None else str(bias.name), pairs=pairs)
