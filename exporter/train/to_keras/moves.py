"""Shapes, cutting, joining, padding, reducing."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import layers

from exporter.graph import const
from exporter.graph.shapes import PROBE
from exporter.train.call import Call, Refused
from exporter.train.layout import transposed
from exporter.train.to_keras.arithmetic import rescaled
from exporter.train.to_keras.builder import Builder, Held

RUNS = 16
"""Indices that are more than so many runs are not cut out and joined."""


def reshape(b: Builder, call: Call) -> Held:
    """Reshape and its like."""
    return b.reshaped(call, b.get(call.node.inputs[0]))


def transpose(b: Builder, call: Call) -> Held:
    """The axes get new names; whoever needs another order permutes."""
    x = b.get(call.node.inputs[0])
    perm = call.attr("perm") or tuple(reversed(range(x.rank)))
    if perm[0] != 0:
        raise Refused("it moves the batch axis")
    return Held(x.value, transposed(x.axes, perm))


def channel_shuffle(b: Builder, call: Call) -> Held:
    """Reshape, Permute, Reshape."""
    x, group = b.last(b.get(call.node.inputs[0])), int(call.attr("group"))
    return x.like(_turned(b, x, (*x.sizes[:-1], group, x.sizes[-1] // group), (*range(1, x.rank - 1), x.rank, x.rank - 1), x.sizes))


def _turned(b: Builder, x: Held, split: Sequence[int], dims: Sequence[int], joined: Sequence[int]) -> Any:
    parts = b.reshape(x.value, split, "_split")
    return b.reshape(b.apply(layers.Permute, parts, "_turn", dims=tuple(dims)), joined, "")


def depth_to_space(b: Builder, call: Call) -> Held:
    """Blocks of channels become squares of pixels."""
    x, s = b.last(b.get(call.node.inputs[0])), int(call.attr("blocksize"))
    h, w, c = x.sizes
    few = c // s**2
    if call.attr("mode", "DCR") == "DCR":
        return x.like(_turned(b, x, (h, w, s, s, few), (1, 3, 2, 4, 5), (h * s, w * s, few)))
    return x.like(_turned(b, x, (h, w, few, s, s), (1, 4, 2, 5, 3), (h * s, w * s, few)))


def space_to_depth(b: Builder, call: Call) -> Held:
    """The way back."""
    x, s = b.last(b.get(call.node.inputs[0])), int(call.attr("blocksize"))
    h, w, c = x.sizes
    return x.like(_turned(b, x, (h // s, s, w // s, s, c), (1, 3, 2, 4, 5), (h // s, w // s, c * s * s)))


def concat(b: Builder, call: Call) -> Held:
    """Concatenate."""
    found = [b.get(v) for v in call.node.inputs]
    first, axis = found[0], int(call.attr("axis"))
    if axis % first.rank == 0:
        raise Refused("it joins samples")
    if len(found) == 1:
        return first
    return first.like(b.apply(layers.Concatenate, [b.to(x, first.axes).value for x in found], axis=first.place(axis)))


def split(b: Builder, call: Call) -> list[Held]:
    """A Cropping for each part."""
    x, axis = b.get(call.node.inputs[0]), int(call.attr("axis", 0))
    place, start, parts = x.place(axis), 0, []
    for i in range(len(call.node.outputs)):
        size = call.shape_out(i)[axis % x.rank]
        parts.append(x.like(cut(b, x.value, place, start, start + size)))
        start += size
    return parts


def slice_(b: Builder, call: Call) -> Held:
    """Cropping; every n-th by a Reshape and a Cropping."""
    x, shape = b.get(call.node.inputs[0]), call.shape_in()
    starts, ends, named, steps = (const(v) for v in (*call.node.inputs[1:], *[None] * 4)[:4])
    if starts is None or ends is None:
        raise Refused("its limits are computed, constants are needed")
    value = x.value
    for i, axis in enumerate(range(len(starts)) if named is None else [int(a) % x.rank for a in named]):
        low, high, step = slice(int(starts[i]), int(ends[i]), 1 if steps is None else int(steps[i])).indices(shape[axis])
        if axis == 0 and (low, high, step) != (0, shape[0], 1):
            raise Refused("it cuts the batch")
        if axis:
            value = _taken(b, value, x.place(axis), np.arange(low, high, step))
    return x.like(value)


def gather(b: Builder, call: Call) -> Held:
    """Runs of indices cut out and joined."""
    x, index = b.get(call.node.inputs[0]), const(call.node.inputs[1])
    axis = int(call.attr("axis", 0)) % x.rank
    if index is None or axis == 0:
        raise Refused("its indices are computed, or pick samples")
    wide = _taken(b, x.value, x.place(axis), np.asarray(index).reshape(-1) % call.shape_in()[axis])
    more = index.ndim - 1
    names = [[a if a < axis else a + more] if a != axis else list(range(axis, axis + index.ndim)) for a in x.axes]
    order = tuple(a for group in names for a in group)
    return Held(b.reshape(wide, [call.shape_out()[a] for a in order[1:]]), order)


def _taken(b: Builder, value: Any, place: int, index: Any) -> Any:
    steps = np.diff(index)
    if len(index) > 1 and steps[0] > 1 and (steps == steps[0]).all():
        return _every(b, value, place, index)
    ends = np.flatnonzero(steps != 1) + 1
    runs = np.split(index, ends)
    if len(runs) > RUNS or not len(index):
        raise Refused(f"its indices are {len(runs)} runs; up to {RUNS} can be cut out and joined")
    parts = [cut(b, value, place, int(run[0]), int(run[-1]) + 1) for run in runs]
    return parts[0] if len(parts) == 1 else b.apply(layers.Concatenate, parts, "_join", axis=place)


def _every(b: Builder, value: Any, place: int, index: Any) -> Any:
    """Every n-th: in rows of n, the first column."""
    first, step, count = int(index[0]), int(index[1] - index[0]), len(index)
    sizes, whole = tuple(value.shape[1:]), count * step
    left = first % step if first + whole > sizes[place - 1] else 0
    if first - left + whole > sizes[place - 1]:
        value = _sides(b, layers.ZeroPadding2D, value, place, (0, first - left + whole - sizes[place - 1]))
    rows = cut(b, value, place, first - left, first - left + whole)
    parted = b.reshape(rows, (*sizes[: place - 1], count, step, *sizes[place:]), "_rows")
    return b.reshape(cut(b, parted, place + 1, left, left + 1), (*sizes[: place - 1], count, *sizes[place:]), "_columns")


def cut(b: Builder, value: Any, place: int, low: int, high: int) -> Any:
    """Elements `low` to `high` of a physical axis."""
    size = value.shape[place]
    return value if (low, high) == (0, size) else _sides(b, layers.Cropping2D, value, place, (low, size - high))


def _sides(b: Builder, kind: Any, value: Any, place: int, ends: tuple[int, int]) -> Any:
    """Crop or pad one axis: of a picture as it is (channels as the width of a channels-first one), else of rows made of it."""
    setting, suffix = ("cropping", "_crop") if kind is layers.Cropping2D else ("padding", "_pad")
    config: dict[str, Any] = {setting: (ends, (0, 0)) if len(value.shape) == 4 and place == 1 else ((0, 0), ends)}
    if len(value.shape) == 4:
        return b.apply(kind, value, suffix, data_format="channels_last" if place < 3 else "channels_first", **config)
    sizes = tuple(value.shape[1:])
    before, size, after = int(np.prod(sizes[: place - 1], dtype=int)), sizes[place - 1], int(np.prod(sizes[place:], dtype=int))
    flat = b.reshape(value, (before, size, after), "_flat")
    y = b.apply(kind, flat, suffix, **config)
    return b.reshape(y, (*sizes[: place - 1], y.shape[2], *sizes[place:]), "_whole")


def pad(b: Builder, call: Call) -> Held:
    """ZeroPadding; of another value moved there and back. Negative pads crop."""
    x = b.get(call.node.inputs[0])
    amounts, value, named = (const(v) for v in (*call.node.inputs[1:], *[None] * 3)[:3])
    if amounts is None or call.attr("mode", "constant") != "constant":
        raise Refused("Keras pads with zeros only, by a constant number of them")
    axes = list(range(x.rank)) if named is None else [int(a) % x.rank for a in named]
    filler = 0.0 if value is None or value.size == 0 else float(value.reshape(-1)[0])
    y = x.value if filler == 0 else rescaled(b, x.value, offset=np.array(-filler), suffix="_from")
    for i, axis in enumerate(axes):
        low, high = int(amounts[i]), int(amounts[i + len(axes)])
        if axis == 0 and (low or high):
            raise Refused("it pads the batch")
        if axis:
            y = _padded(b, y, x.place(axis), low, high)
    return x.like(y if filler == 0 else rescaled(b, y, offset=np.array(filler), suffix="_to"))


def _padded(b: Builder, y: Any, place: int, low: int, high: int) -> Any:
    y = cut(b, y, place, max(-low, 0), y.shape[place] - max(-high, 0))
    ends = (max(low, 0), max(high, 0))
    return _sides(b, layers.ZeroPadding2D, y, place, ends) if any(ends) else y


def repeat(b: Builder, call: Call) -> Held:
    """Tile and Expand: joined with itself."""
    x, shape = b.get(call.node.inputs[0]), call.shape_out()
    if len(shape) != x.rank or shape[0] != PROBE:
        raise Refused("it adds axes or repeats samples")
    y = x.value
    for place, axis in list(enumerate(x.axes))[1:]:
        times = shape[axis] // y.shape[place]
        if times > RUNS:
            raise Refused(f"it repeats {times} times; up to {RUNS} are joined")
        y = y if times == 1 else b.apply(layers.Concatenate, [y] * times, "", axis=place)
    return x.like(y)
