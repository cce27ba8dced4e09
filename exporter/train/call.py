"""One node on its way through TensorFlow: its operands in their layouts, and what it refuses."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from exporter.array import Array
from exporter.graph import attr, shape_of
from exporter.graph.shapes import PROBE
from exporter.train.layout import Axes, Shape, channels_last, plain
from exporter.train.roles import Role


class Refused(Exception):  # noqa: N818 - no error of its own: the caller names the layer
    """Why a node cannot be trained."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A tensor and its layout: axis i of `value` holds axis `axes[i]` of the Graph's value."""

    value: Any
    axes: Axes

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.axes)

    def to(self, axes: Axes) -> "Carried":
        """The same in another layout."""
        if axes == self.axes:
            return self
        return Carried(tf.transpose(self.value, [self.axes.index(a) for a in axes]), axes)

    def last(self) -> "Carried":
        """With the channels at the end."""
        return self.to(channels_last(self.rank))

    def plain(self) -> "Carried":
        """In the Graph's order."""
        return self.to(plain(self.rank))

    def place(self, axis: int) -> int:
        """Where a Graph axis stands; negative ones count from the end."""
        return self.axes.index(axis % self.rank)

    def like(self, value: Any) -> "Carried":
        """Another tensor of the same layout."""
        return Carried(value, self.axes)


@dataclass(frozen=True, slots=True)
class Weight:
    """A variable, in the form that its role says."""

    value: Any
    role: Role


Operand = Carried | Weight | Array | None


@dataclass(slots=True)
class Call:
    """A node with its operands.

    Attributes:
        node: The Graph's node.
        operands: One an input: computed, a weight, a constant, or absent.
        training: Batch norms use the batch, and learn.
        momentum: Of all batch norms; None for each one's own.
        batch: Number of samples, a scalar tensor.
    """

    node: ir.Node
    operands: list[Operand] = field(default_factory=list)
    training: bool = False
    momentum: Any = None
    batch: Any = None

    def attr(self, name: str, default: Any = None) -> Any:
        """An attribute's plain value."""
        return attr(self.node, name, default)

    def operand(self, index: int) -> Operand:
        """None beyond the last."""
        return self.operands[index] if index < len(self.operands) else None

    def tensor(self, index: int = 0) -> Carried:
        """An operand as a tensor, whatever it is.

        Raises:
            Refused: If it is absent or a kernel.
        """
        found = self.operand(index)
        if isinstance(found, Carried):
            return found
        value = found.value if isinstance(found, Weight) else found
        if value is None or (isinstance(found, Weight) and found.role.form != "plain"):
            raise Refused(f"its input {index} is no tensor")
        return Carried(tf.convert_to_tensor(value), plain(len(value.shape)))

    def weight(self, index: int) -> Any:
        """A weight's tensor.

        Raises:
            Refused: If it is computed or absent.
        """
        found = self.operand(index)
        if isinstance(found, Weight):
            return found.value
        raise Refused(f"its input {index} is computed, a constant is needed")

    def const(self, index: int) -> Array | None:
        """A constant, None where it is absent.

        Raises:
            Refused: If it is computed.
        """
        found = self.operand(index)
        if found is None or isinstance(found, np.ndarray):
            return found
        raise Refused(f"its input {index} is computed, a constant is needed")

    def shape_in(self, index: int = 0) -> Shape:
        """Shape of an input, PROBE for the batch."""
        value = self.node.inputs[index]
        assert value is not None
        return shape_of(value, PROBE) if value.const_value is None else tuple(int(str(d)) for d in value.const_value.shape)

    def shape_out(self, index: int = 0) -> Shape:
        """Shape of an output, PROBE for the batch."""
        return shape_of(self.node.outputs[index], PROBE)
