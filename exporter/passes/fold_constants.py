"""Compute what depends on constants only.

Given:   c = Transpose(W);  y = Mul(c, 2)      W an initializer
Result:  y an initializer
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import Graph, add_constant, attr
from exporter.graph.context import Context
from exporter.passes.rewrite import Phase

_KEPT = frozenset({
    "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "RandomNormal", "RandomUniform", "RandomNormalLike",
    "RandomUniformLike", "Bernoulli", "Multinomial", "If", "Loop", "Scan", "MatMul", "Gemm", "Conv",
})  # fmt: skip
"""Not computed: random, nested, meant as they are, or summed in an order that depends on threads."""

_GROWTH = 1 << 20
"""Elements that a result may have more than its inputs: a broadcast is kept where computing it would bloat the file."""


@dataclass(frozen=True, slots=True)
class FoldConstants:
    """Exact. Left alone: results far bigger than their inputs, and matrix products."""

    phase: ClassVar[Phase] = Phase.CLEAN

    def __call__(self, graph: Graph, context: Context | None = None) -> int:
        """See `Pass`."""
        return sum(self._fold(graph, node) for node in graph.nodes if _constant(node))

    def _fold(self, graph: Graph, node: ir.Node) -> int:
        arrays = [None if v is None or v.const_value is None else v.const_value.numpy() for v in node.inputs]
        results = _results(node, arrays)
        size = sum(a.size for a in arrays if a is not None)
        if sum(r.size for r in results) > size + _GROWTH:
            return 0
        for value, result in zip(node.outputs, results, strict=False):
            if value.uses():
                value.replace_all_uses_with(add_constant(graph, f"{value.name}_value", np.asarray(result)))
        if graph.model.graph is node.graph:
            node.graph.remove(node, safe=True)
        return 1


def _constant(node: ir.Node) -> bool:
    if node.domain not in ("", "ai.onnx") or node.op_type in _KEPT or any(o.is_graph_output() for o in node.outputs):
        return False
    if not node.inputs:
        return node.op_type == "Constant"
    return all(v is None or v.const_value is not None for v in node.inputs)


def _results(node: ir.Node, arrays: list[Array | None]) -> list[Array]:
    first = arrays[0] if arrays else None
    if node.op_type == "Transpose" and first is not None:
        return [first.transpose(attr(node, "perm", tuple(range(first.ndim))[::-1]))]
    if node.op_type == "Identity" and first is not None:
        return [first]
    return _by_reference(node, arrays)


def _by_reference(node: ir.Node, arrays: list[Array | None]) -> list[Array]:
    """Any operator, by onnx's own reference implementation."""
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    names = [(v.name or "") if v is not None else "" for v in node.inputs]
    feeds = {name: array for name, array in zip(names, arrays, strict=True) if array is not None}
    inputs = [helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for k, a in feeds.items()]
    outputs = [helper.make_empty_tensor_value_info(o.name or "") for o in node.outputs]
    body = helper.make_graph([ir.to_proto(node)], "constant", inputs, outputs)
    opset = node.graph.opset_imports[""] if node.graph is not None else 20
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", opset)])
    return [np.asarray(r) for r in ReferenceEvaluator(model).run(None, feeds)]
