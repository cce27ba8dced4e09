"""Numbers of a Graph as its integers will hold them, while it is trained.

    forward:   y = s (clip(round(x / s) + z) - z)            halves to even, as QuantizeLinear
    backward:  dy/dx = 1 where nothing was clipped, else 0    the straight-through estimator

Biases in int32 are left as they are: their step is too fine to be seen.
Source: Jacob et al. 2018, https://arxiv.org/abs/1712.05877, section 3.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from exporter.array import Array
from exporter.graph import Graph
from exporter.graph.edit import const
from exporter.graph.qdq import Affine, Edge, Quantization, layer_of
from exporter.train.call import Carried
from exporter.train.roles import Role

FINE = "int32"
"""The type of stored biases."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the numbers of one tensor may lie.

    Attributes:
        scale: Distance of neighbours, in a shape that is broadcast over the tensor.
        low: The least number, in steps from 0.
        high: The largest.
    """

    scale: Array
    low: float
    high: float

    def __call__(self, x: Any) -> Any:
        """The nearest numbers on the grid; gradients as in the module's head."""

        def rounded(x: Any) -> tuple[Any, Callable[[Any], Any]]:
            steps = tf.round(x / self.scale)
            kept = tf.clip_by_value(steps, self.low, self.high)
            return kept * self.scale, lambda dy: tf.where(steps == kept, dy, 0.0)

        return tf.custom_gradient(rounded)(tf.convert_to_tensor(x))


class Rounding:
    """A Quantization as the bridge asks it.

    Args:
        graph: The float Graph that it is of.
        how: Scales and zero points; they stay as they are.
        roles: Of the Graph's weights, by initializer name.
    """

    def __init__(self, graph: Graph, how: Quantization, roles: Mapping[str, Role]) -> None:
        inits = graph.model.graph.initializers
        coarse = {name: numbers for name, numbers in how.constants.items() if numbers.dtype != FINE}
        self.constants = {name: numbers for name, numbers in coarse.items() if name not in roles}
        self.weights = {name: _grid(coarse[name], const(inits[name]), roles[name]) for name in roles if name in coarse}
        self.values = {name: _grid(numbers) for name, numbers in how.values.items()}
        self.edges = {edge: _grid(numbers) for edge, numbers in how.edges.items()}
        self._edge = {(edge.value, reader): edge for edge in how.edges for reader in edge.readers}

    def edge(self, value: ir.Value, reader: ir.Node) -> Edge | None:
        """The edge on a value's way to a node, where there is one."""
        return self._edge.get((str(value.name), layer_of(reader)))

    def constant(self, name: str, array: Array) -> Array:
        """A constant that is not trained."""
        how = self.constants.get(name)
        return array if how is None else how.dequantize(how.quantize(array))

    def weight(self, name: str, tensor: Any) -> Any:
        """A weight, in the form of its role."""
        return self.weights[name](tensor) if name in self.weights else tensor

    def value(self, name: str, x: Carried) -> Carried:
        """A computed value or an input, as everybody sees it."""
        return x.like(self.values[name](x.value)) if name in self.values else x


def _grid(how: Affine, array: Array | None = None, role: Role | None = None) -> Grid:
    """Of an activation; of a weight in the form of its role."""
    zero = int(how.zero_point.reshape(-1)[0])  # of weights the same for all channels
    low, high = (float(end - zero) for end in how.limits)
    scale = np.asarray(how.scale, np.float32)
    if array is not None and role is not None and how.axis is not None:
        scale = _narrowed(role.to_tensor(np.broadcast_to(how.along(array.ndim)[0], array.shape)))
    return Grid(scale, low, high)


def _narrowed(scale: Array) -> Array:
    """Axes along which nothing changes, down to one element."""
    for axis in range(scale.ndim):
        first = scale.take([0], axis)
        scale = first if (scale == first).all() else scale
    return scale
