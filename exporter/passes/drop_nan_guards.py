"""A softmax guarded against rows that are masked whole, where no row is.

Given:   p = Softmax(a @ b + mask); y = Where(IsNaN(p), 0, p)
Result:  y = p

PyTorch's exporters write such guards behind attention (wav2vec2), masked or not. A row of scores of which one is finite and none is
above all numbers gives no NaN.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from exporter.graph import Graph, attr, const, shape_of
from exporter.passes.match import made_by
from exporter.passes.rewrite import NodePass, Phase, become

PRODUCTS = ("MatMul", "Gemm", "Conv")
"""Finite for any activations that do not overflow."""

THROUGH = ("Add", "Sub", "Mul", "Neg", "Reshape", "Transpose", "Identity")


@dataclass(frozen=True, slots=True)
class DropNanGuards(NodePass):
    """Exact but where activations overflow. Left alone: masks that are computed from the model's inputs."""

    phase: ClassVar[Phase] = Phase.CLEAN
    ops: ClassVar[frozenset[str]] = frozenset({"Where"})

    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """See `NodePass`."""
        guard, kept = made_by(node.inputs[0], "IsNaN"), node.inputs[2]
        softmax = made_by(kept, "Softmax")
        if guard is None or softmax is None or guard.inputs[0] is not kept:
            return 0
        scores = softmax.inputs[0]
        if scores is None or int(attr(softmax, "axis", -1)) % len(shape_of(scores)) != len(shape_of(scores)) - 1:
            return 0
        return become(node, "Identity", [kept]) if _alive(scores) else 0


def _alive(scores: ir.Value) -> bool:
    """Whether every row along the last axis has a finite number, and none is NaN or above all numbers."""
    add = made_by(scores, "Add")
    if add is not None:
        for mask, rest in ((add.inputs[0], add.inputs[1]), (add.inputs[1], add.inputs[0])):
            data = const(mask) if mask is not None else None
            if data is not None and data.ndim and rest is not None and _finite(rest):
                return not np.isneginf(data).all(axis=-1).any() and bool((data < np.inf).all())
    return _finite(scores)


def _finite(value: ir.Value) -> bool:
    data = const(value)
    if data is not None:
        return bool(np.isfinite(data).all())
    if made_by(value, *PRODUCTS) is not None:
        return True
    node = made_by(value, *THROUGH)
    if node is None:
        return False
    sources = node.inputs[:1] if node.op_type == "Reshape" else node.inputs
    return all(v is not None and _finite(v) for v in sources)
