"""One way to write a dense layer.

Given:   Gemm of any transA, transB, alpha, beta and C;  MatMul(x, B) or Add(MatMul(x, B), c), x of rank 2, B constant
Result:  Gemm(x, W, b), transB=1, W constant [out, in], b absent or constant [out]
         Gemm with a computed B or C: MatMul or Gemm, then Mul and Add
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import Graph, attr, const, const_input, insert_node, sole_consumer
from exporter.passes.rewrite import NodePass, Phase, absorb, become, follow, number, rank_of, set_weight


@dataclass(frozen=True, slots=True)
class NormaliseGemm(NodePass):
    """Exact to float rounding. Left alone: MatMul of rank 3 and more, or of a constant from the left."""

    phase: ClassVar[Phase] = Phase.CLEAN
    ops: ClassVar[frozenset[str]] = frozenset({"Gemm", "MatMul"})

    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """See `NodePass`."""
        if node.op_type == "MatMul":
            return self._matmul(graph, node)
        x, weights = node.inputs[0], node.inputs[1]
        if x is None or weights is None:
            return 0
        if attr(node, "transA", 0):
            node.replace_input_with(0, _transposed_value(graph, node, x))
            node.attributes.pop("transA")
            return 1
        if const(weights) is None:
            return self._computed_weights(graph, node)
        return self._weights(graph, node) + self._bias(graph, node)

    def _matmul(self, graph: Graph, node: ir.Node) -> int:
        """A MatMul of rank 2 with constant weights, and a bias added to it, is a Gemm."""
        weights = const_input(node, 1)
        if rank_of(node.inputs[0]) != 2 or weights is None or weights.ndim != 2:
            return 0
        become(node, "Gemm", list(node.inputs), transB=1)
        set_weight(graph, node, 1, transposed(weights))
        add = sole_consumer(node.outputs[0])
        other = next((v for v in add.inputs if v is not node.outputs[0]), None) if add is not None and add.op_type == "Add" else None
        bias = _as_bias(const(other), weights.shape[1])
        if add is not None and bias is not None:
            node.resize_inputs(3)
            node.replace_input_with(2, other)
            absorb(add, node)
            set_weight(graph, node, 2, bias)
        return 1

    def _weights(self, graph: Graph, node: ir.Node) -> int:
        """transB=1 and alpha=1, by constants."""
        weights, alpha = const_input(node, 1), np.float32(attr(node, "alpha", 1.0))
        if weights is None or (attr(node, "transB", 0) and alpha == 1):
            return 0
        array = weights if attr(node, "transB", 0) else transposed(weights)
        become(node, "Gemm", list(node.inputs), transB=1, beta=attr(node, "beta", 1.0))
        set_weight(graph, node, 1, array if alpha == 1 else array * alpha)
        return 1

    def _bias(self, graph: Graph, node: ir.Node) -> int:
        """C constant of rank 1, beta=1; a computed C is added after."""
        beta, changed = np.float32(attr(node, "beta", 1.0)), 0
        if "beta" in node.attributes:
            node.attributes.pop("beta")
            changed = int(beta != 1)
        value = node.inputs[2] if len(node.inputs) > 2 else None
        if value is None:
            return changed
        bias, weights = const(value), const_input(node, 1)
        fitted = _as_bias(bias, weights.shape[0]) if weights is not None else None
        if fitted is None:
            return _add_after(graph, node, value, float(beta))
        if bias is not None and (bias.shape != fitted.shape or beta != 1):
            set_weight(graph, node, 2, fitted if beta == 1 else fitted * beta)
            return 1
        return changed

    def _computed_weights(self, graph: Graph, node: ir.Node) -> int:
        """alpha * x B + beta * C, as MatMul, Mul and Add."""
        x, weights = node.inputs[:2]
        third = node.inputs[2] if len(node.inputs) > 2 else None
        alpha, beta = attr(node, "alpha", 1.0), attr(node, "beta", 1.0)
        if weights is not None and attr(node, "transB", 0):
            weights = _transposed_value(graph, node, weights)
        become(node, "MatMul", [x, weights])
        if third is not None:
            _add_after(graph, node, third, beta)
        if alpha != 1:
            follow(graph, node, "Mul", [number(graph, f"{node.name}_alpha", alpha)])
        return 1


def _add_after(graph: Graph, node: ir.Node, value: ir.Value, beta: float) -> int:
    """The third input leaves a Gemm and is added to its result."""
    if len(node.inputs) > 2:
        node.resize_inputs(2)
    if beta != 1:
        value = insert_node(graph, node, "Mul", [value, number(graph, f"{node.name}_beta", beta)], f"{node.name}_scaled")
    follow(graph, node, "Add", [value])
    return 1


def _transposed_value(graph: Graph, node: ir.Node, value: ir.Value) -> ir.Value:
    return insert_node(graph, node, "Transpose", [value], f"{value.name}_transposed", perm=[1, 0])


def transposed(weights: Array) -> Array:
    """A contiguous [b, a] from an [a, b], by blocks: numpy's own copy of a big transposed array is several times slower."""
    result = np.empty(weights.shape[::-1], np.float32)
    step = 256
    for i in range(0, weights.shape[0], step):
        for j in range(0, weights.shape[1], step):
            result[j : j + step, i : i + step] = weights[i : i + step, j : j + step].T
    return result


def _as_bias(array: Array | None, width: int) -> Array | None:
    """An array that broadcasts over the rows, as one of rank 1; None when it does not."""
    if array is None or array.ndim > 2 or (array.ndim == 2 and array.shape[0] != 1) or array.size not in (1, width):
        return None
    return array if array.shape == (width,) else np.ascontiguousarray(np.broadcast_to(array.reshape(-1), (width,)))
