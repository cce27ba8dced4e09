"""One index taken of an axis that a Reshape made, taken before it: queries, keys and values of an attention.

    Given:   t = Transpose(Reshape(x, [0, ..., k, ...]), perm);  y = Slice(t, i to i + 1 on the axis of size k)
    Result:  y = Reshape(Transpose(Reshape(Slice(x, a k-th of an axis), [0, ...]), perm without it), shape of y)

Likewise without the Transpose. Every value on the way has an axis less: engines take four beside the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from exporter.graph import Graph, add_constant, attr, const_input, insert_node
from exporter.passes.match import made_by
from exporter.passes.normalise_reshape import batched
from exporter.passes.rewrite import NodePass, Phase, become

Dims = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Made:
    """How an axis came about: the Reshape's input and dims (without the batch), the Transpose after it, and both axes' numbers."""

    x: ir.Value
    dims: Dims
    perm: tuple[int, ...]
    made: int
    source: int
    width: int


@dataclass(frozen=True, slots=True)
class SliceEarly(NodePass):
    """Exact: data is moved only. Left alone: slices of more than one index, and an index whose elements lie scattered in x."""

    phase: ClassVar[Phase] = Phase.CLEAN
    ops: ClassVar[frozenset[str]] = frozenset({"Slice", "Split"})

    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """See `NodePass`."""
        if node.op_type == "Split":
            return sum(self.rewrite(graph, one) for one in _as_slices(graph, node))
        taken, out = _one_index(node), batched(node.outputs[0])
        way = _way(node.inputs[0], taken[0]) if taken is not None else None
        if taken is None or way is None or out is None:
            return 0
        first = (taken[1] % way.dims[way.made - 1]) * way.width
        part = _slice(graph, node, way.x, f"{node.outputs[0].name}_early", (first, first + way.width, way.source, 1))
        return _write(graph, node, part, way, out)


def _one_index(node: ir.Node) -> tuple[int, int] | None:
    """The axis of a Slice and the one index that it takes of it."""
    starts, ends, axes, steps = (const_input(node, i) for i in range(1, 5))
    if starts is None or ends is None or axes is None or starts.size != 1 or (steps is not None and steps.item() != 1):
        return None
    start, axis = int(starts.item()), int(axes.item())
    return (axis, start) if int(ends.item()) == start + 1 and axis > 0 else None


def _way(value: ir.Value | None, axis: int) -> _Made | None:
    """How a value's axis was made by a Reshape that splits an axis of x, with or without a Transpose after it."""
    turn = made_by(value, "Transpose")
    split = made_by(turn.inputs[0] if turn is not None else value, "Reshape")
    x = split.inputs[0] if split is not None else None
    dims, before = batched(split.outputs[0]) if split is not None else None, batched(x)
    if x is None or dims is None or before is None or len(dims) <= len(before):
        return None
    perm = tuple(int(a) for a in attr(turn, "perm")) if turn is not None else tuple(range(len(dims) + 1))
    made = perm[axis]
    if perm[0] != 0 or made == 0:
        return None
    count, lead = dims[made - 1], prod(dims[: made - 1])
    fits = [c for c, d in enumerate(before) if prod(before[:c]) == lead and d % count == 0]
    return _Made(x, tuple(dims), perm, made, fits[-1] + 1, before[fits[-1]] // count) if fits else None


def _as_slices(graph: Graph, node: ir.Node) -> list[ir.Node]:
    """The slices that took the place of a Split into single indices; none where they could not be taken early."""
    axis, outputs = int(attr(node, "axis", 0)), [batched(v) for v in node.outputs]
    if axis <= 0 or any(d is None or d[axis - 1] != 1 for d in outputs) or any(v.is_graph_output() for v in node.outputs):
        return []
    x, slices = node.inputs[0], []
    if x is None or _way(x, axis) is None:
        return []
    for i, old in enumerate(node.outputs):
        part = _slice(graph, node, x, f"{old.name}_slice", (i, i + 1, axis, 1))
        part.shape = old.shape
        old.replace_all_uses_with(part)
        slices.append(part.producer())
    graph.model.graph.remove(node, safe=True)
    return [one for one in slices if one is not None]


def _slice(graph: Graph, node: ir.Node, x: ir.Value, name: str, bounds: tuple[int, ...]) -> ir.Value:
    constants = [add_constant(graph, f"{name}_{i}", np.array([v], np.int64)) for i, v in enumerate(bounds)]
    return insert_node(graph, node, "Slice", [x, *constants], name)


def _write(graph: Graph, node: ir.Node, part: ir.Value, way: _Made, out: Sequence[int]) -> int:
    """Reshape and Transpose without the axis, then the shape that the Slice had."""
    name = node.outputs[0].name
    kept = [0, *(d for i, d in enumerate(way.dims, 1) if i != way.made)]
    apart = insert_node(graph, node, "Reshape", [part, add_constant(graph, f"{name}_parts", np.array(kept, np.int64))], f"{name}_apart")
    order = [a - (a > way.made) for a in way.perm if a != way.made]
    if order != sorted(order):
        apart = insert_node(graph, node, "Transpose", [apart], f"{name}_turned", perm=order)
    return become(node, "Reshape", [apart, add_constant(graph, f"{name}_shape", np.array([0, *out], np.int64))])
