"""One way to write limits.

Given:   Clip with inputs left out, Max(x, c), Min(x, c), Clip(Clip(x)), Clip(Relu(x)), Relu(Clip(x)), Clip(x, 0, inf)
Result:  Clip(x, lowest, highest) with two scalar constants, infinite where open; Relu(x) for 0 to infinity
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from exporter.graph import Graph, attr, const_input
from exporter.passes.rewrite import NodePass, Phase, become, number, scalar

_OPEN = (-np.inf, np.inf)


@dataclass(frozen=True, slots=True)
class NormaliseClip(NodePass):
    """Exact. Left alone: limits that are computed, or one a channel."""

    phase: ClassVar[Phase] = Phase.CLEAN
    ops: ClassVar[frozenset[str]] = frozenset({"Clip", "Relu", "Max", "Min"})

    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """See `NodePass`."""
        limits, x = limits_of(node), node.inputs[0]
        if limits is None or x is None:
            return 0
        before = x.producer()
        inner = limits_of(before) if before is not None else None
        if inner is not None and before is not None:
            x = before.inputs[0]
            limits = (min(max(limits[0], inner[0]), limits[1]), max(min(limits[1], inner[1]), limits[0]))
        if limits == (0, np.inf):
            return 0 if node.op_type == "Relu" and inner is None else become(node, "Relu", [x])
        if node.op_type == "Clip" and inner is None and all(_is_scalar(node, i) for i in (1, 2)):
            return 0
        name = node.outputs[0].name
        return become(node, "Clip", [x, number(graph, f"{name}_min", limits[0]), number(graph, f"{name}_max", limits[1])])


def _is_scalar(node: ir.Node, index: int) -> bool:
    array = const_input(node, index)
    return array is not None and array.shape == ()


def limits_of(node: ir.Node) -> tuple[float, float] | None:
    """What a node limits its first input to, (lowest, highest); None when it is no limit or one that is not constant and scalar."""
    if node.op_type == "Relu":
        return 0.0, np.inf
    if node.op_type in ("Max", "Min") and len(node.inputs) == 2:
        limit = scalar(const_input(node, 1))
        found = (limit, np.inf) if node.op_type == "Max" else (-np.inf, limit)
        return None if limit is None or _widens(node) else found  # type: ignore[return-value]
    if node.op_type != "Clip":
        return None
    ends = []
    for i, name in ((1, "min"), (2, "max")):
        given = len(node.inputs) > i and node.inputs[i] is not None
        end = scalar(const_input(node, i)) if given else float(attr(node, name, _OPEN[i - 1]))
        if end is None:
            return None
        ends.append(end)
    return ends[0], ends[1]


def _widens(node: ir.Node) -> bool:
    """Whether the constant broadcasts the value to another shape."""
    x = node.inputs[0]
    return x is None or x.shape is None or x.shape != node.outputs[0].shape
