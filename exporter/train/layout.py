"""Which axis of a Graph value each axis of a TensorFlow tensor holds, and how a Reshape goes without moving numbers.

Axis i of a tensor with layout `axes` holds axis `axes[i]` of the Graph's value, so a Transpose only gives the axes new names.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exporter.graph.shapes import PROBE

Axes = tuple[int, ...]
Shape = tuple[int, ...]


def channels_last(rank: int) -> Axes:
    """Channels at the end: (0, 2, 3, 1) for pictures; vectors and rows stay as they are."""
    return tuple(range(rank)) if rank < 3 else (0, *range(2, rank), 1)


def plain(rank: int) -> Axes:
    """The Graph's own order."""
    return tuple(range(rank))


def transposed(axes: Axes, perm: Sequence[int]) -> Axes:
    """The layout of the same tensor seen as the Transpose of its value."""
    return tuple(list(perm).index(a) for a in axes)


@dataclass(frozen=True, slots=True)
class Reshaping:
    """How a tensor becomes another shape.

    Attributes:
        order: Layout that it must have first.
        dims: Its new physical shape, -1 where the batch is.
        axes: Its new layout.
    """

    order: Axes
    dims: tuple[int, ...]
    axes: Axes


def reshaping(before: Shape, after: Shape, axes: Axes) -> Reshaping:
    """Reshape along the way that moves least: only axes that are merged or split together must stand side by side.

    Args:
        before: Shape of the Graph's value, PROBE for the batch.
        after: Its new shape, of as many elements.
        axes: The tensor's layout.
    """
    parts = sorted(_parts(before, after), key=lambda part: min(map(axes.index, part[0])))
    wanted = [a for old, _ in parts for a in old]
    there = [a for a in axes if before[a] != 1]
    order = axes if there == wanted else (*wanted, *(a for a in axes if before[a] == 1))
    named = _with_ones([a for _, new in parts for a in new], after)
    dims = tuple(-1 if after[a] % PROBE == 0 else after[a] for a in named)
    return Reshaping(order, dims, named)


def _parts(before: Shape, after: Shape) -> Iterator[tuple[list[int], list[int]]]:
    """Runs of old axes and the runs of new axes of the same size, in the Graph's order; axes of size 1 are in none."""
    olds = iter([a for a, d in enumerate(before) if d != 1])
    news = iter([a for a, d in enumerate(after) if d != 1])
    for first in olds:
        old, new = [first], [next(news)]
        left, right = before[old[0]], after[new[0]]
        while left != right:
            if left < right:
                old.append(next(olds))
                left *= before[old[-1]]
            else:
                new.append(next(news))
                right *= after[new[-1]]
        yield old, new


def _with_ones(named: Sequence[int], shape: Shape) -> Axes:
    """Axes of size 1 put where they make the usual layout, at the end where there is none."""
    rank = len(shape)
    for usual in (channels_last(rank), plain(rank)):
        if [a for a in usual if shape[a] != 1] == list(named):
            return usual
    return (*named, *(a for a in range(rank) if shape[a] == 1))


def beside(axes: Axes, rank: int) -> tuple[Axes, tuple[bool, ...]]:
    """How a value of fewer axes stands beside one of layout `axes` (ONNX aligns to the right).

    Returns:
        The order of its own axes, and for each axis of the other whether it has one there.
    """
    missing = len(axes) - rank
    return tuple(a - missing for a in axes if a >= missing), tuple(a >= missing for a in axes)
