"""A Transpose before a flattened dense layer is an order of its weights.

Given:   y = Gemm(Relu(Reshape(Transpose(x, p), [0, k])), W, b)      any operators by element, and any number of Gemms
Result:  y = Gemm(Relu(Reshape(x, [0, k])), W', b)                   W' = W with its columns in x's order
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import Graph, attr, const_input
from exporter.passes.normalise_reshape import batched
from exporter.passes.permute import UNARY, Perm, inverse
from exporter.passes.rewrite import NodePass, Phase, set_weight


@dataclass(frozen=True, slots=True)
class AbsorbTransposes(NodePass):
    """Exact: weights are moved only. Left alone: a flattened value that anything but a dense layer with constant weights gets."""

    phase: ClassVar[Phase] = Phase.CLEAN
    ops: ClassVar[frozenset[str]] = frozenset({"Reshape"})

    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """See `NodePass`."""
        x = node.inputs[0]
        before = x.producer() if x is not None else None
        logical, flat = batched(x), batched(node.outputs[0])
        if before is None or before.op_type != "Transpose" or logical is None or flat is None or len(flat) != 1:
            return 0
        perm = tuple(attr(before, "perm", ()))
        dense = _dense_readers(node.outputs[0])
        if not perm or perm[0] != 0 or dense is None:
            return 0
        for layer in dense:
            weights = const_input(layer, 1)
            if weights is not None:
                set_weight(graph, layer, 1, _reordered(weights, logical, perm))
        node.replace_input_with(0, before.inputs[0])
        return 1


def _dense_readers(value: ir.Value) -> list[ir.Node] | None:
    """The Gemms that a value comes to, through operators by element; None when it comes to anything else, or to none."""
    if value.is_graph_output():
        return None
    found: list[ir.Node] = []
    for user, index in value.uses():
        if user.op_type == "Gemm" and index == 0 and attr(user, "transB", 0) and const_input(user, 1) is not None:
            found.append(user)
            continue
        inner = _dense_readers(user.outputs[0]) if user.op_type in UNARY and len(user.outputs) == 1 else None
        if inner is None:
            return None
        found.extend(inner)
    return found or None


def _reordered(weights: Array, logical: list[int], perm: Perm) -> Array:
    """Columns that follow the logical axes (behind the batch), as they follow the stored ones."""
    order = inverse(perm)
    return np.ascontiguousarray(weights.reshape(len(weights), *logical).transpose(order)).reshape(len(weights), -1)
