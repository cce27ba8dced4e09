"""One way to write reductions and global pooling.

Given:   ReduceX with axes negative or left out;  ReduceMean / ReduceMax over all spatial axes;  a pool as big as its input
Result:  ReduceX(x, axes >= 0);  GlobalAveragePool / GlobalMaxPool (+ Reshape where keepdims=0)
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from exporter.graph import Graph, add_constant, attr, const_input, shape_of
from exporter.passes.normalise_reshape import batched
from exporter.passes.rewrite import NodePass, Phase, become, follow, rank_of

_GLOBAL = {"ReduceMean": "GlobalAveragePool", "ReduceMax": "GlobalMaxPool", "AveragePool": "GlobalAveragePool", "MaxPool": "GlobalMaxPool"}
REDUCTIONS = frozenset({
    "ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum",
    "ReduceLogSumExp",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class NormaliseReduce(NodePass):
    """Exact to float rounding. Left alone: computed axes, reductions of the batch axis, values without a channel axis."""

    phase: ClassVar[Phase] = Phase.CLEAN
    ops: ClassVar[frozenset[str]] = REDUCTIONS | {"AveragePool", "MaxPool"}

    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """See `NodePass`."""
        if node.op_type in REDUCTIONS:
            return _reduction(graph, node)
        x = node.inputs[0]
        dims = batched(x)
        if dims is None or len(dims) < 2 or len(node.outputs) != 1 or tuple(attr(node, "kernel_shape", ())) != tuple(dims[1:]):
            return 0
        y = batched(node.outputs[0])
        if any(attr(node, "pads", ())) or set(attr(node, "dilations", ())) > {1} or y is None or any(d != 1 for d in y[1:]):
            return 0
        return become(node, _GLOBAL[node.op_type], [x])


def _reduction(graph: Graph, node: ir.Node) -> int:
    x, axes = node.inputs[0], axes_of(node)
    if x is None or axes is None:
        return 0
    keep, rank = attr(node, "keepdims", 1), rank_of(x)
    if node.op_type in _GLOBAL and rank in (3, 4) and axes == tuple(range(2, rank)) and batched(x) is not None:
        op, shape = _GLOBAL[node.op_type], [*list(x.shape or ())[:2], *[1] * (rank - 2)]
        become(node, op, [x])
        if not keep:
            dims = np.array([0, *shape_of(node.outputs[0])[1:]], np.int64)
            follow(graph, node, "Reshape", [add_constant(graph, f"{node.outputs[0].name}_shape", dims)])
            node.outputs[0].shape = ir.Shape(shape)
        return 1
    given = const_input(node, 1)
    if given is not None and tuple(given) == axes and "noop_with_empty_axes" not in node.attributes:
        return 0
    constant = add_constant(graph, f"{node.outputs[0].name}_axes", np.array(axes, np.int64))
    return become(node, node.op_type, [x, constant], keepdims=keep)


def axes_of(node: ir.Node) -> tuple[int, ...] | None:
    """The axes that a ReduceX node reduces, sorted and not negative; None when computed, none at all or of unknown rank."""
    rank, given = rank_of(node.inputs[0]), const_input(node, 1)
    if rank < 0 or (given is None and len(node.inputs) > 1 and node.inputs[1] is not None):
        return None
    listed = attr(node, "axes", ()) if given is None else given.tolist()
    if not len(listed):
        return None if attr(node, "noop_with_empty_axes", 0) else tuple(range(rank))
    return tuple(sorted(int(a) % rank for a in listed))
