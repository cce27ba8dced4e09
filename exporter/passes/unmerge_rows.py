"""A layer over the last axis, written over the rows of all axes, batch included: by TensorFlow's Tensordot, by PyTorch's BatchNorm1d.

Given:   Reshape(Gemm(Reshape(x, [-1, C]), W, b), [0, h, w, K]),   x of shape [N, h, w, C]
Result:  Transpose(Conv1x1(Transpose(x), W, b)),                   channels first in between
Given:   the same with x of shape [N, T, C]
Result:  MatMul(x, Wᵀ) + b
Given:   Reshape(BatchNormalization(Reshape(MatMul(x, W), [-1, K]), ...), [0, T, K])
Result:  MatMul(x, s * W) + t,   s and t as in `fold_batch_norm`
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import CHANNELS_FIRST, Graph, add_constant, const_input, insert_node, shape_of, sole_consumer
from exporter.passes.affine import batch_norm_affine
from exporter.passes.match import made_by
from exporter.passes.normalise_gemm import transposed
from exporter.passes.rewrite import NodePass, Phase, become, rank_of

CHANNELS_LAST = (0, 2, 3, 1)


@dataclass(frozen=True, slots=True)
class UnmergeRows(NodePass):
    """Exact. Left alone: rows that are read elsewhere too, or whose axes change on the way out."""

    phase: ClassVar[Phase] = Phase.CLEAN
    ops: ClassVar[frozenset[str]] = frozenset({"Gemm", "BatchNormalization"})

    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """See `NodePass`."""
        weights, split = const_input(node, 1), sole_consumer(node.outputs[0])
        merge = made_by(node.inputs[0], "Reshape", "Flatten")
        if weights is None or merge is None or split is None or split.op_type != "Reshape" or split.inputs[0] is not node.outputs[0]:
            return 0
        x, y = merge.inputs[0], split.outputs[0]
        if x is None or rank_of(x) not in (3, 4) or rank_of(y) != rank_of(x):
            return 0
        if node.op_type == "BatchNormalization":
            return _norm(graph, node, split, x) if shape_of(y) == shape_of(x) else 0
        if shape_of(y) != (*shape_of(x)[:-1], weights.shape[0]) or shape_of(x)[-1] != weights.shape[1]:
            return 0
        bias = const_input(node, 2) if len(node.inputs) > 2 else None
        return _convolution(graph, split, x, weights, bias) if rank_of(x) == 4 else _product(graph, split, x, weights, bias)


def _convolution(graph: Graph, split: ir.Node, x: ir.Value, weights: Array, bias: Array | None) -> int:
    """The closing Reshape becomes the Transpose back."""
    name = split.outputs[0].name or "rows"
    first = insert_node(graph, split, "Transpose", [x], f"{name}_channels_first", perm=list(CHANNELS_FIRST[4]))
    inputs = [first, add_constant(graph, f"{name}_kernel", np.ascontiguousarray(weights[:, :, None, None]))]
    if bias is not None:
        inputs.append(add_constant(graph, f"{name}_bias", bias))
    y = insert_node(graph, split, "Conv", inputs, f"{name}_conv", kernel_shape=[1, 1])
    return become(split, "Transpose", [y], perm=list(CHANNELS_LAST))


def _product(graph: Graph, split: ir.Node, x: ir.Value, weights: Array, bias: Array | None) -> int:
    """The closing Reshape becomes the MatMul, or the Add after it."""
    name = split.outputs[0].name or "rows"
    factors = [x, add_constant(graph, f"{name}_weight", transposed(weights))]
    if bias is None:
        return become(split, "MatMul", factors)
    y = insert_node(graph, split, "MatMul", factors, f"{name}_product")
    return become(split, "Add", [y, add_constant(graph, f"{name}_bias", bias)])


def _norm(graph: Graph, node: ir.Node, split: ir.Node, x: ir.Value) -> int:
    """Folded at once: no engine has a batch norm over the last axis."""
    product, affine = made_by(x, "MatMul"), batch_norm_affine(node)
    weights = const_input(product, 1) if product is not None else None
    if product is None or affine is None or weights is None or weights.ndim != 2 or affine.scale.size != weights.shape[1]:
        return 0
    name = split.outputs[0].name or "rows"
    scaled = add_constant(graph, f"{name}_weight", np.asarray(weights * affine.scale, np.float32))
    y = insert_node(graph, split, "MatMul", [product.inputs[0], scaled], f"{name}_product")
    return become(split, "Add", [y, add_constant(graph, f"{name}_bias", np.asarray(affine.shift, np.float32))])
