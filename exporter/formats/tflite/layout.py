"""The layout rule: a value is a tensor and the order of its axes there.

ONNX Transpose emits nothing, it renames axes. An op asks `permute` for the order it needs: the only place that emits TRANSPOSE, or
RESHAPE where only axes of length 1 move.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from exporter.array import Array
from exporter.formats.tflite.ops import Axes

NHWC: Axes = (0, 2, 3, 1)
NLC_AS_NHWC: Axes = (0, -1, 2, 1)
"""A sequence (N, C, L) as a picture of height 1."""


def plain(rank: int) -> Axes:
    """ONNX's own order."""
    return tuple(range(rank))


def preferred(rank: int) -> Axes:
    """The order that values of a rank have by choice: NHWC for pictures, else ONNX's own."""
    return NHWC if rank == 4 else plain(rank)


def spatial(rank: int) -> Axes:
    """The order convolutions and pools work in: rank 4, channels last."""
    return NHWC if rank == 4 else NLC_AS_NHWC


def physical(shape: Sequence[int], axes: Axes) -> tuple[int, ...]:
    """The tensor's shape for a value's shape."""
    return tuple(1 if a < 0 else shape[a] for a in axes)


def wide(shape: Sequence[int], axes: Axes) -> Axes:
    """The axes longer than 1, in physical order: all that matters for where the bytes are."""
    return tuple(a for a in axes if a >= 0 and shape[a] != 1)


def collapse(shape: Sequence[int], perm: Sequence[int]) -> tuple[list[int], list[int]]:
    """The same transpose with unit axes dropped and axes that stay side by side merged.

    Returns:
        Shape and permutation of the smallest equivalent transpose, e.g. ((12, 4, 5), (1, 0, 2)) merged from 6 axes.
    """
    moved = [p for p in perm if shape[p] != 1]
    groups: list[list[int]] = []
    kept = [i for i, d in enumerate(shape) if d != 1]
    for p in moved:
        if groups and kept.index(groups[-1][-1]) + 1 == kept.index(p):
            groups[-1].append(p)
        else:
            groups.append([p])
    order = sorted(range(len(groups)), key=lambda g: groups[g][0])
    sizes = []
    for g in order:
        size = 1
        for a in groups[g]:
            size *= shape[a]
        sizes.append(size)
    return sizes, [order.index(g) for g in range(len(groups))]


def reshape_groups(a: Sequence[int], b: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Factor two shapes of equal product into the smallest groups of axes with equal products, unit axes left out.

    E.g. (1, 6, 4, 5) and (1, 2, 3, 20) give [([1], [1, 2]), ([2, 3], [3])].
    """
    ia, ib = [i for i, d in enumerate(a) if d != 1], [i for i, d in enumerate(b) if d != 1]
    groups = []
    while ia or ib:
        ga, gb = [ia.pop(0)], [ib.pop(0)]
        pa, pb = a[ga[0]], b[gb[0]]
        while pa != pb:
            if pa < pb:
                ga.append(ia.pop(0))
                pa *= a[ga[-1]]
            else:
                gb.append(ib.pop(0))
                pb *= b[gb[-1]]
        groups.append((ga, gb))
    return groups


@dataclass(frozen=True, slots=True)
class Flat:
    """A value (1, n) flattened in physical order: dense layers that read it permute their weights instead of the data.

    Attributes:
        parts: Shape (batch left out) and order of axes of what was flattened; several where such values were concatenated.
    """

    parts: tuple[tuple[tuple[int, ...], Axes], ...]

    def order(self) -> Array:
        """ONNX's index of the element at each place."""
        found, start = [], 0
        for shape, axes in self.parts:
            size = int(np.prod(shape))
            found.append(start + np.arange(size).reshape(shape).transpose(axes).ravel())
            start += size
        return np.concatenate(found)

    def columns(self, weights: Array) -> Array:
        """Dense weights (out, n) with the columns in this order; a view of any shape where that is possible."""
        if len(self.parts) > 1:
            return weights[:, self.order()]
        shape, axes = self.parts[0]
        return weights.reshape(len(weights), *shape).transpose(0, *(a + 1 for a in axes))
