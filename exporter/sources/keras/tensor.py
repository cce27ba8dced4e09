"""A value while a Keras model is lowered: which Graph value it is, and how its axes lie."""

from dataclasses import dataclass

import onnx_ir as ir

from exporter.graph import shape_of


class RefusedError(Exception):
    """A layer that cannot be lowered; the message is the reason, without the layer's name."""


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """One Keras tensor.

    Attributes:
        value: The Graph value that holds it.
        perm: Graph axis i holds Keras axis perm[i]; so Permute costs nothing until somebody needs another order.
        packed: Set on a flattened map: the Graph dims (without batch) and the perm that it had before. Its elements lie in Graph
            order; `layout.order` tells the Keras order.
    """

    value: ir.Value
    perm: tuple[int, ...]
    packed: tuple[tuple[int, ...], tuple[int, ...]] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Graph dims, with 1 for the batch axis."""
        return shape_of(self.value)

    @property
    def dims(self) -> tuple[int, ...]:
        """Keras dims, with 1 for the batch axis."""
        shape = self.shape
        return tuple(shape[self.perm.index(a)] for a in range(len(shape)))

    @property
    def rank(self) -> int:
        """Number of axes, the batch axis included."""
        return len(self.perm)

    def axis(self, keras_axis: int) -> int:
        """The Graph axis that holds a Keras axis; negative axes count from the end.

        Raises:
            RefusedError: If there is no such axis.
        """
        if not -self.rank <= keras_axis < self.rank:
            raise RefusedError(f"axis {keras_axis} of a tensor of rank {self.rank}")
        return self.perm.index(keras_axis % self.rank)
