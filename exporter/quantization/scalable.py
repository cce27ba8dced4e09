"""Channels that may be given another scale: layers make them, layers read them, and nothing between minds.

f(s x) = s f(x) for s > 0 is what an operator between must hold. Sums tie the channels that they add, concatenations and moves of data
take them along: a residual stream has one scale a channel, whichever layers write and read it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import onnx_ir as ir

from exporter.array import Array
from exporter.channels.classes import Channels, channels_of
from exporter.channels.layers import Layer, layer_at
from exporter.graph import Graph, attr, const, const_input
from exporter.passes.moves import REPLAYED

ALONE = frozenset((
    "AveragePool", "ChannelShuffle", "DepthToSpace", "Dropout", "GlobalAveragePool", "GlobalMaxPool", "Identity", "LeakyRelu", "MaxPool",
    "PRelu", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "Relu", "Resize", "SpaceToDepth", *REPLAYED,
))  # fmt: skip
"""Operators that are homogeneous in the first of their inputs, which alone is computed."""

TOGETHER = frozenset(("Add", "Concat", "Max", "Mean", "Min", "Sub", "Sum"))
"""Operators that are homogeneous in all inputs together."""


@dataclass(frozen=True)
class Scalable:
    """What of a Graph may be scaled.

    Attributes:
        channels: Its channels; what a depthwise layer makes has scales of its own.
        free: Whether a class of channels may be scaled, bool (classes,).
        limits: Upper ends of Clips, by the name of their outputs.
    """

    channels: Channels
    free: Array
    limits: dict[str, float]

    @cached_property
    def readers(self) -> tuple[Layer, ...]:
        """Layers that read channels which may be scaled."""
        return tuple(layer for layer in self.channels.layers.values() if self.any(layer.node.inputs[0]))

    @property
    def values(self) -> tuple[str, ...]:
        """What these layers read, once each."""
        return tuple(dict.fromkeys(str(layer.node.inputs[0].name) for layer in self.readers if layer.node.inputs[0] is not None))

    def any(self, value: ir.Value | None) -> bool:
        """Whether any channel of a value may be scaled."""
        found = None if value is None else self.channels.classes.get(str(value.name))
        return found is not None and bool(self.free[found].any())


def scalable(graph: Graph) -> Scalable:
    """Find them in a cleaned Graph."""
    channels = channels_of(graph, apart=True)
    free, limits = ~channels.locked, dict[str, float]()
    for value in _held(graph, channels):
        if (found := channels.classes.get(str(value.name))) is not None:
            free[found] = False
    result = Scalable(channels, free, limits)
    for node in graph.nodes:
        high = const_input(node, 2) if node.op_type == "Clip" else None
        if high is not None and result.any(node.outputs[0]):
            limits[str(node.outputs[0].name)] = float(high)
    return result


def _held(graph: Graph, channels: Channels) -> Iterator[ir.Value]:
    """Values of which no channel may be scaled."""
    for node in graph.nodes:
        layer, touched = layer_at(node), [v for v in (*node.inputs, *node.outputs) if v is not None]
        if not (_homogeneous(node) if layer is None else _own(layer)):
            yield from touched
        for value in touched:
            ids = channels.classes.get(str(value.name))
            if ids is not None and ids.size > 1 and ids.size != ids.shape[1]:
                yield value  # channels on an axis that readers of a Graph's values do not look for


def _own(layer: Layer) -> bool:
    """Whether a layer's constants are its own, and a bias one number a channel."""
    constants = [v for v in layer.node.inputs[1:] if v is not None]
    bias = None if layer.bias is None else const(layer.bias)
    return (bias is None or bias.size == layer.rows) and all(len(v.uses()) == 1 and not v.is_graph_output() for v in constants)


def _homogeneous(node: ir.Node) -> bool:
    """Whether f(s x) = s f(x); a Clip from 0 is, below its end."""
    computed = [v for v in node.inputs if v is not None and v.const_value is None]
    if node.op_type in TOGETHER:
        return len(computed) == len(node.inputs)
    if node.op_type == "Clip":
        low, high = const_input(node, 1), const_input(node, 2)
        return low is not None and high is not None and float(low) == 0.0 < float(high)
    if node.op_type == "Pad":
        value = const_input(node, 2)
        return attr(node, "mode", "constant") != "constant" or value is None or float(value) == 0.0
    return node.op_type in ALONE and computed == [node.inputs[0]]
