"""Channels picked out of order, as a channel shuffle and a plain slice: engines have both, and few a strided slice or a gather.

    Given:   y = Slice(x, channels i, i + s, i + 2s, ...), or Gather(x, those, axis=1)        s divides the channels C of x
    Result:  y = Slice(ChannelShuffle(x, group=C / s), channels i * C / s to (i + 1) * C / s)

Likewise any other run of channels of a shuffle. Slices of one value share the shuffle, as ShuffleNet's channel split does.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import DOMAIN, Graph, add_constant, attr, const_input, insert_node, shape_of
from exporter.passes.moves import run_of_shuffle
from exporter.passes.normalise_reshape import batched
from exporter.passes.rewrite import NodePass, Phase, become


@dataclass(frozen=True, slots=True)
class SliceShuffles(NodePass):
    """Exact: data is moved only. Left alone: other axes, and channels that are no run of a shuffle."""

    phase: ClassVar[Phase] = Phase.CLEAN
    ops: ClassVar[frozenset[str]] = frozenset({"Slice", "Gather"})

    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """See `NodePass`."""
        x = node.inputs[0]
        if x is None or not batched(x):
            return 0
        channels = shape_of(x)[1]
        picked = _picked(node, channels)
        found = run_of_shuffle(picked, channels) if picked is not None and len(picked) > 1 else None
        if found is None or picked is None:
            return 0
        group, first = found
        shuffled = _shuffled(graph, node, x, group)
        bounds = (first, first + len(picked), 1)
        constants = [add_constant(graph, f"{node.outputs[0].name}_{i}", np.array([v], np.int64)) for i, v in enumerate(bounds)]
        return become(node, "Slice", [shuffled, *constants])


def _picked(node: ir.Node, channels: int) -> Array | None:
    """The channels that a node takes, in order; None when it takes anything else, or neighbours."""
    if node.op_type == "Gather":
        indices = const_input(node, 1)
        return indices % channels if indices is not None and indices.ndim == 1 and attr(node, "axis", 0) == 1 else None
    starts, ends, axes, steps = (const_input(node, i) for i in range(1, 5))
    if starts is None or ends is None or axes is None or steps is None or axes.tolist() != [1] or steps[0] < 2:
        return None
    return np.arange(channels)[int(starts[0]) : int(min(ends[0], channels)) : int(steps[0])]


def _shuffled(graph: Graph, node: ir.Node, x: ir.Value, group: int) -> ir.Value:
    """The shuffle of x that stands already, or a new one."""
    for user in x.consumers():
        if user.op_type == "ChannelShuffle" and attr(user, "group") == group:
            return user.outputs[0]
    made = insert_node(graph, node, "ChannelShuffle", [x], f"{x.name}_shuffled", domain=DOMAIN, group=group)
    made.shape = x.shape
    return made
