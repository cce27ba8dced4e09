"""Slices, splits, stacks and other operations on axes, for the operations of both frameworks."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from exporter.sources.keras.builder import Builder
from exporter.sources.keras.layout import arrange, layer_channels, reshape, unpack
from exporter.sources.keras.merging import concatenate
from exporter.sources.keras.shaping import cut
from exporter.sources.keras.tensor import RefusedError, Tensor


def getitem(b: Builder, x: Tensor, key: Any) -> Tensor:
    """Basic indexing as Python writes it: slices, ints, an ellipsis, new axes."""
    items = _full_key(key if isinstance(key, list | tuple) else [key], x.rank)
    ranges: dict[int, tuple[int, int, int]] = {}
    dims: list[int] = []
    axis = 0
    for item in items:
        if item is None:
            dims.append(1)
            continue
        size = x.dims[axis]
        if isinstance(item, slice):
            if axis == 0:
                _whole_batch(item)
            else:
                ranges[axis] = _range(item, size)
                dims.append(len(range(*item.indices(size))))
        else:
            index = int(item) % size
            if axis == 0:
                raise RefusedError("an index on the batch axis")
            ranges[axis] = (index, index + 1, 1)
        axis += 1
    return reshape(b, cut(b, x, ranges), dims)


def _whole_batch(item: slice) -> None:
    if item.start not in (None, 0) or item.stop is not None or item.step not in (None, 1):
        raise RefusedError("a slice of the batch axis")


def _range(item: slice, size: int) -> tuple[int, int, int]:
    """Start, stop and step for ONNX: a backward slice down to the first element stops before it."""
    start, stop, step = item.indices(size)
    return (start, stop, step) if step > 0 else (start, stop if stop >= 0 else -size - 1, step)


def _full_key(items: Sequence[Any], rank: int) -> list[Any]:
    """The key with slices as `slice`, and one item an axis."""
    full = [_item(i) for i in items]
    real = sum(1 for i in full if i is not None and i is not Ellipsis)
    rest = [slice(None)] * (rank - real)
    if Ellipsis in full:
        at = full.index(Ellipsis)
        return [*full[:at], *rest, *full[at + 1 :]]
    return [*full, *rest]


def _item(item: Any) -> Any:
    """A stored slice (tf_keras writes dicts) as a slice."""
    if isinstance(item, dict):
        item = slice(item["start"], item["stop"], item["step"])
    if isinstance(item, slice):
        bounds = [v if v is None else v.numpy() if hasattr(v, "numpy") else v for v in (item.start, item.stop, item.step)]
        if any(isinstance(v, Tensor) for v in bounds):
            raise RefusedError("a slice whose ends are computed from tensors")
        return slice(*(v if v is None else int(v) for v in bounds))
    if item is None or item is Ellipsis or isinstance(item, int | np.integer):
        return item
    raise RefusedError(f"an index of type {type(item).__name__}")


def expand(b: Builder, x: Tensor, axis: int) -> Tensor:
    """A new axis of length 1."""
    axis = axis % (x.rank + 1)
    if axis == 0:
        raise RefusedError("a new axis before the batch")
    return reshape(b, x, (*x.dims[1:axis], 1, *x.dims[axis:]))


def squeeze(b: Builder, x: Tensor, axis: Any) -> Tensor:
    """Without the named axes of length 1, or without all of them."""
    axes = range(1, x.rank) if axis is None or axis == [] else [int(a) % x.rank for a in np.ravel(np.asarray(axis)).tolist()]
    gone = [a for a in axes if a > 0 and x.dims[a] == 1]
    return reshape(b, x, [d for a, d in enumerate(x.dims) if a > 0 and a not in gone])


def stack(b: Builder, tensors: Sequence[Tensor], axis: int) -> Tensor:
    """Tensors side by side on a new axis."""
    place = axis % (tensors[0].rank + 1)
    return concatenate(b, [expand(b, t, place) for t in tensors], place)


def split(b: Builder, x: Tensor, sizes: Sequence[int], axis: int) -> list[Tensor]:
    """Consecutive pieces of the given sizes."""
    x = unpack(b, x)
    place = x.axis(axis)
    if place == 0:
        raise RefusedError("a split of the batch axis")
    return list(b.emit("Split", [x, b.ints("sizes", sizes)], x.perm, outputs=len(sizes), axis=place))


def sizes_between(cuts: Sequence[int], length: int) -> list[int]:
    """Piece lengths of numpy's split at indices."""
    bounds = [0, *cuts, length]
    return [hi - lo for lo, hi in itertools.pairwise(bounds)]


def flip(b: Builder, x: Tensor, axes: Sequence[int]) -> Tensor:
    """Reversed along axes."""
    return cut(b, x, {a % x.rank: (x.dims[a] - 1, -x.dims[a] - 1, -1) for a in axes})


def depth_to_space(b: Builder, x: Tensor, block: int, *, inverse: bool = False, data_format: str = "NHWC") -> Tensor:
    """TensorFlow's depth_to_space, or space_to_depth: the block's position is the slow part of the channel index."""
    holder = type("Layout", (), {"data_format": "channels_first" if data_format == "NCHW" else "channels_last"})
    x = arrange(b, x, layer_channels(holder, x.rank))
    if inverse:
        return b.one("SpaceToDepth", [x], x.perm, blocksize=block)
    return b.one("DepthToSpace", [x], x.perm, blocksize=block, mode="DCR")
