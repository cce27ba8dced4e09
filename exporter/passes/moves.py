"""Moves of data: run one on an array of indices, and name the move that an array of indices is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import permutations
from math import prod
from typing import Any

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import BATCH, DOMAIN, attr, const_input, shape_of

SAMPLES = 2
"""Batch that is replayed: two, to see that no sample moves into another."""


@dataclass(frozen=True, slots=True)
class Move:
    """One node that moves data: its operator, constant inputs (int64) and attributes."""

    op: str
    constants: tuple[Array, ...] = ()
    attrs: dict[str, Any] = field(default_factory=dict)
    domain: str = ""


def _reshape(node: ir.Node, x: Array) -> list[Array] | None:
    dims = shape_of(node.outputs[0], SAMPLES) if is_static(node.outputs[0]) else ()
    return [x.reshape(dims)] if dims and prod(dims) == x.size else None


def _transpose(node: ir.Node, x: Array) -> list[Array] | None:
    return [x.transpose(attr(node, "perm"))]


def _gather(node: ir.Node, x: Array) -> list[Array] | None:
    picked = const_input(node, 1)
    return None if picked is None else [np.take(x, picked, axis=attr(node, "axis", 0))]


def _slice(node: ir.Node, x: Array) -> list[Array] | None:
    starts, ends, axes, steps = (const_input(node, i) for i in range(1, 5))
    if starts is None or ends is None or (len(node.inputs) > 3 and node.inputs[3] is not None and axes is None):
        return None
    index: list[slice] = [slice(None)] * x.ndim
    for i, axis in enumerate(axes if axes is not None else range(len(starts))):
        step = 1 if steps is None else int(steps[i])
        if step < 1:
            return None
        index[int(axis)] = slice(int(starts[i]), int(min(ends[i], 1 << 40)), step)
    return [x[tuple(index)]]


def _split(node: ir.Node, x: Array) -> list[Array] | None:
    axis, sizes = attr(node, "axis", 0), const_input(node, 1)
    cuts = np.cumsum(sizes)[:-1] if sizes is not None else None
    if cuts is None:
        return np.split(x, len(node.outputs), axis) if x.shape[axis] % len(node.outputs) == 0 else None
    return np.split(x, cuts, axis)


REPLAYED: dict[str, Callable[[ir.Node, Array], list[Array] | None]] = {
    "Reshape": _reshape, "Flatten": _reshape, "Squeeze": _reshape, "Unsqueeze": _reshape, "Transpose": _transpose, "Gather": _gather,
    "Slice": _slice, "Split": _split,
}  # fmt: skip
"""Operators that only move data, each on an array: None where constants are missing."""


def moved(node: ir.Node, x: Array) -> list[Array] | None:
    """A node's results on an array whose axis 0 is a batch of 1; None where it cannot be told."""
    results = REPLAYED[node.op_type](node, x) if all(map(is_static, node.outputs)) else None
    return results if results is not None and [r.shape for r in results] == [shape_of(o, SAMPLES) for o in node.outputs] else None


def is_static(value: ir.Value) -> bool:
    """Whether every axis is known but for the batch."""
    return value.shape is not None and all(isinstance(d, int) or str(d).endswith(BATCH) for d in value.shape)


def of_one_sample(result: Array, size: int) -> Array | None:
    """The indices of the first sample, where the second has the same ones, moved on by a sample's size; None otherwise."""
    same = len(result) == SAMPLES and np.array_equal(result[1], result[0] + size)
    return result[:1] if same else None


def recognise(result: Array, shape: tuple[int, ...]) -> Move | None:
    """The one move of a source that gives these indices into it.

    Args:
        result: Indices into the source's elements; axis 0 has length 1.
        shape: The source's shape, axis 0 of length 1.
    """
    whole = result.size == prod(shape)
    if whole and np.array_equal(result.reshape(-1), np.arange(result.size)):
        same = result.shape == shape
        return Move("Identity") if same else Move("Reshape", (np.array([0, *result.shape[1:]], np.int64),))
    channels = _channels(result, shape)
    if channels is not None:
        return _of_channels(channels, shape[1])
    if not whole:
        return None
    return _of_blocks(result, shape) or _as_transpose(result, shape)


def _channels(result: Array, shape: tuple[int, ...]) -> Array | None:
    """The source channel of each channel, where whole channels move."""
    if result.ndim != len(shape) or result.ndim < 2 or result.shape[2:] != shape[2:] or not result.size:
        return None
    area = prod(shape[2:])
    rows = result.reshape(result.shape[1], area)
    first = rows[:, 0]
    return first // area if np.array_equal(rows, first[:, None] + np.arange(area)) and not (first % area).any() else None


def _of_channels(picked: Array, count: int) -> Move:
    steps = set(np.diff(picked).tolist())
    if len(picked) == 1 or (len(steps) == 1 and min(steps) > 0):
        step = int(picked[1] - picked[0]) if len(picked) > 1 else 1
        return Move("Slice", tuple(np.array([v], np.int64) for v in (picked[0], picked[-1] + 1, 1, step)))
    found = run_of_shuffle(picked, count) if len(picked) == count else None
    if found is not None:
        return Move("ChannelShuffle", (), {"group": found[0]}, DOMAIN)
    return Move("Gather", (picked.astype(np.int64),), {"axis": 1})


def run_of_shuffle(picked: Array, count: int) -> tuple[int, int] | None:
    """The channel shuffle of `count` channels that has these in a row: its group and where they begin; None when there is none."""
    for each in range(2, count // 2 + 1):
        if count % each == 0:
            order = np.arange(count).reshape(-1, each).T.reshape(-1)
            first = int(np.argmax(order == picked[0]))
            if np.array_equal(order[first : first + len(picked)], picked):
                return count // each, first
    return None


def _of_blocks(result: Array, shape: tuple[int, ...]) -> Move | None:
    """DepthToSpace or SpaceToDepth."""
    if result.ndim != 4 or len(shape) != 4:
        return None
    (c, h, w), (_, rows, columns) = shape[1:], result.shape[1:]
    source = np.arange(result.size, dtype=result.dtype)
    if rows > h and rows % h == 0 and columns == w * (b := rows // h) and c % (b * b) == 0:
        deep = source.reshape(b, b, -1, h, w).transpose(2, 3, 0, 4, 1), source.reshape(-1, b, b, h, w).transpose(0, 3, 1, 4, 2)
        for mode, wanted in zip(("DCR", "CRD"), deep, strict=True):
            if np.array_equal(result[0], wanted.reshape(result.shape[1:])):
                return Move("DepthToSpace", (), {"blocksize": b, "mode": mode})
    if rows < h and h % rows == 0 and w == columns * (b := h // rows):
        wanted = source.reshape(c, rows, b, columns, b).transpose(2, 4, 0, 1, 3)
        if np.array_equal(result[0], wanted.reshape(result.shape[1:])):
            return Move("SpaceToDepth", (), {"blocksize": b})
    return None


def _as_transpose(result: Array, shape: tuple[int, ...]) -> Move | None:
    if result.ndim != len(shape) or result.ndim > 5:
        return None
    source = np.arange(result.size, dtype=result.dtype).reshape(shape)
    for rest in permutations(range(1, len(shape))):
        perm = (0, *rest)
        if tuple(shape[p] for p in perm) == result.shape and np.array_equal(source.transpose(perm), result):
            return Move("Transpose", (), {"perm": list(perm)})
    return None
