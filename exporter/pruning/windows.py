"""What a layer reads and makes at a few places of each sample, as rows of numbers."""

from dataclasses import dataclass
from math import prod

import numpy as np

from exporter.array import Array
from exporter.channels.layers import Layer
from exporter.graph import attr, shape_of


@dataclass(frozen=True, slots=True)
class Places:
    """Places of a layer's output map, other ones for each sample.

    Attributes:
        layer: A Conv with explicit pads, or a product.
        count: How many of each sample, at most.
        seed: Of the draw.
    """

    layer: Layer
    count: int
    seed: int

    def draw(self, sample: int) -> tuple[Array, ...]:
        """Coordinates of the places of one sample, an array for each axis of the map; () where there is no map."""
        value = self.layer.node.outputs[0]
        extents = shape_of(value)[1:-1] if self.layer.channel_axis == -1 else shape_of(value)[2:]
        if not extents:
            return ()
        random = np.random.default_rng([self.seed, sample, *self.layer.name.encode()])
        area = prod(extents)
        return np.unravel_index(np.sort(random.permutation(area)[: self.count]), extents)

    def made(self, y: Array, first: int) -> Array:
        """The layer's output at the places: (rows of numbers, channels).

        Args:
            y: Output of a batch.
            first: Number of its first sample.
        """
        y = np.moveaxis(y, self.layer.channel_axis, -1)
        return np.concatenate([one[self.draw(first + i)].reshape(-1, y.shape[-1]) for i, one in enumerate(y)])

    def read(self, x: Array, first: int) -> Array:
        """The windows that the layer reads there: (rows of numbers, channels, places of the kernel)."""
        if self.layer.node.op_type != "Conv":
            return np.concatenate([one[self.draw(first + i)].reshape(-1, x.shape[-1], 1) for i, one in enumerate(x)])
        kernel = self.layer.kernel
        rank = len(kernel)
        pads, strides, steps = (
            attr(self.layer.node, k, (d,) * n) for k, d, n in (("pads", 0, 2 * rank), ("strides", 1, rank), ("dilations", 1, rank))
        )
        x = np.pad(x, [(0, 0), (0, 0), *zip(pads[:rank], pads[rank:], strict=True)])
        return np.concatenate([_windows(one, self.draw(first + i), kernel, strides, steps) for i, one in enumerate(x)])


def _windows(x: Array, places: tuple[Array, ...], kernel: tuple[int, ...], strides: tuple[int, ...], steps: tuple[int, ...]) -> Array:
    """Windows of one padded sample (channels, *map) at some places: (places, channels, places of the kernel)."""
    rank = len(kernel)
    index: list[Array] = []
    for axis, place in enumerate(places):
        along = place[:, None] * strides[axis] + np.arange(kernel[axis]) * steps[axis]
        index.append(along.reshape(len(place), *(kernel[axis] if a == axis else 1 for a in range(rank))))
    seen = np.moveaxis(x, 0, -1)[tuple(index)]
    return seen.reshape(len(places[0]), -1, len(x)).swapaxes(1, 2)
