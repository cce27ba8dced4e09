"""What channels answer to samples: the data that entropy is taken from."""

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.channels.follow import SAME
from exporter.channels.layers import Layer, layers_of
from exporter.graph import Graph, shape_of
from exporter.pruning.streaming import streamed


def responses(graph: Graph, samples: Mapping[str, Array]) -> dict[str, Array]:
    """Each layer's channels behind its batch norm and activation, averaged over the map.

    Args:
        graph: The Graph.
        samples: Inputs by Graph input name, in Graph layout.

    Returns:
        (samples, rows) by layer name, float64.
    """
    layers = layers_of(graph)
    settled = {name: str(_settled(layer).name) for name, layer in layers.items()}
    parts: dict[str, list[Array]] = {name: [] for name in settled}
    for _, found in streamed(graph, list(settled.values()), samples):
        for name, value in settled.items():
            parts[name].append(_pooled(found[value], layers[name].channel_axis))
    return {name: np.concatenate(each) for name, each in parts.items()}


def _settled(layer: Layer) -> ir.Value:
    """The layer's output, or what batch norm and activations that alone read it make of it."""
    value = layer.node.outputs[0]
    while True:
        users = value.consumers()
        if len(value.uses()) != 1 or value.is_graph_output() or users[0].op_type not in SAME or users[0].inputs[0] is not value:
            return value
        if shape_of(users[0].outputs[0]) != shape_of(value):
            return value
        value = users[0].outputs[0]


def _pooled(x: Array, axis: int) -> Array:
    """Averaged over all axes but samples and channels."""
    x = np.moveaxis(x, axis, 1)
    return np.asarray(x.reshape(*x.shape[:2], -1).mean(2, dtype=np.float64))
