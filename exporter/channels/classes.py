"""Every channel of every value as an id; ids that live and die together are tied.

A value's ids are an array of the value's rank, axis 0 (the batch) of length 1; any other axis has its full length, or 1 where all along it
share their id. So a feature map of 64 channels has ids of shape (1, 64, 1, 1), and flattened to 64 * 7 * 7 features (1, 3136). Data that
moves moves its ids; a sum ties them. What cannot be followed is locked: it stays as it is.
Source: Fang et al. 2023, https://arxiv.org/abs/2301.12900 (dependency groups), here one tie a channel instead of one a layer.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.channels.follow import Walk, follow
from exporter.channels.layers import Layer, layers_of
from exporter.channels.ties import Ties
from exporter.graph import Graph, shape_of

SUMS = frozenset(("Add", "Sum"))


@dataclass(frozen=True, slots=True)
class Lock:
    """Why some channels stay.

    Attributes:
        name: The node or value where the walk ended.
        reason: In words.
    """

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Channels:
    """The channels of a Graph.

    Attributes:
        graph: The graph.
        layers: Its layers with weights, by name.
        classes: By value name, the class of each channel: arrays as described above, of class numbers. Values that could not be followed
            are left out, and keep all they have.
        locked: Whether a class must stay, bool (classes,).
        summed: Whether values of a class are added to one another, bool (classes,).
        balanced: Arrays (groups, k) of classes, of which each row must keep equally many: what grouped convolutions read and make.
        locks: What is locked, and why.
    """

    graph: Graph
    layers: Mapping[str, Layer]
    classes: Mapping[str, Array]
    locked: Array
    summed: Array
    balanced: tuple[Array, ...]
    locks: tuple[Lock, ...]

    def along(self, value: ir.Value, axis: int) -> Array | None:
        """Classes along one axis of a value, int64 (length,); None where the value is not followed or others vary too."""
        found = self.classes.get(value.name or "")
        return None if found is None else spread(found, shape_of(value), axis)

    def made(self, layer: Layer) -> Array | None:
        """Classes of a layer's output channels."""
        return self.along(layer.node.outputs[0], layer.channel_axis)

    def read(self, layer: Layer) -> Array | None:
        """Classes of a layer's input channels."""
        value = layer.node.inputs[0]
        return None if value is None else self.along(value, layer.channel_axis)


def channels_of(graph: Graph, *, apart: bool = False) -> Channels:
    """Follow every channel of a cleaned Graph; inputs and outputs are locked.

    Args:
        graph: The Graph.
        apart: Whether depthwise layers make channels of their own, as suits scales; else they pass on those that they read.
    """
    walk = Walk(Ties(), {}, [], [], apart)
    for value in graph.model.graph.inputs:
        walk.start(value)
    for node in graph.nodes:
        follow(walk, node)
    for value in graph.model.graph.outputs:
        walk.lock(value, "is an output")
    numbers, locked = walk.ties.classes()
    classes = {name: numbers[ids] for name, ids in walk.ids.items()}
    return Channels(
        graph, layers_of(graph), classes, locked, _summed(graph, classes, len(locked)),
        tuple(numbers[ids] for ids in walk.balanced), tuple(Lock(name, reason) for name, reason in walk.locks),
    )  # fmt: skip


def _summed(graph: Graph, classes: Mapping[str, Array], count: int) -> Array:
    found = np.zeros(count, bool)
    for node in graph.nodes:
        read = [v for v in node.inputs if v is not None and v.const_value is None]
        if node.op_type in SUMS and len(read) > 1 and (ids := classes.get(node.outputs[0].name or "")) is not None:
            found[ids] = True
    return found


def spread(ids: Array, shape: tuple[int, ...], axis: int) -> Array | None:
    """Ids along one axis, at its full length; None where they vary along another one too."""
    axis %= len(shape)
    if any(n > 1 for i, n in enumerate(ids.shape) if i != axis):
        return None
    return np.broadcast_to(ids.reshape(-1), (shape[axis],))
