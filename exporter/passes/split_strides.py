"""Every s-th channel, as a channel shuffle and a plain slice: engines have both, and few a strided slice.

    Given:   y = Slice(x, channels i, i + s, i + 2s, ...)        s divides the channels C of x
    Result:  y = Slice(ChannelShuffle(x, group=C / s), channels i * C / s to (i + 1) * C / s)

Slices of one value share the shuffle, as ShuffleNet's channel split does.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from exporter.graph import DOMAIN, Graph, add_constant, attr, const_input, insert_node, shape_of
from exporter.passes.normalise_reshape import batched
from exporter.passes.rewrite import NodePass, Phase, become


@dataclass(frozen=True, slots=True)
class SplitStrides(NodePass):
    """Exact: data is moved only. Left alone: strides of other axes, or that leave channels over."""

    phase: ClassVar[Phase] = Phase.CLEAN
    ops: ClassVar[frozenset[str]] = frozenset({"Slice"})

    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """See `NodePass`."""
        x, steps, axes, starts = node.inputs[0], const_input(node, 4), const_input(node, 3), const_input(node, 1)
        if x is None or batched(x) is None or steps is None or axes is None or starts is None or steps.size != 1 or axes[0] != 1:
            return 0
        channels, step, first = shape_of(x)[1], int(steps[0]), int(starts[0])
        first += channels if first < 0 else 0
        if step < 2 or channels % step or first >= step or shape_of(node.outputs[0])[1] != channels // step:
            return 0
        each = channels // step
        shuffled = _shuffled(graph, node, x, each)
        bounds = (first * each, (first + 1) * each, 1)
        constants = [add_constant(graph, f"{node.outputs[0].name}_{i}", np.array([v], np.int64)) for i, v in enumerate(bounds)]
        return become(node, "Slice", [shuffled, *constants])


def _shuffled(graph: Graph, node: ir.Node, x: ir.Value, group: int) -> ir.Value:
    """The shuffle of x that stands already, or a new one."""
    for user in x.consumers():
        if user.op_type == "ChannelShuffle" and attr(user, "group") == group:
            return user.outputs[0]
    made = insert_node(graph, node, "ChannelShuffle", [x], f"{x.name}_shuffled", domain=DOMAIN, group=group)
    made.shape = x.shape
    return made
