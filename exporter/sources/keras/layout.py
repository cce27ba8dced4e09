"""Axes: bring tensors into the order an operator wants, reshape with as little movement as possible."""

from collections.abc import Sequence
from math import prod

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import CHANNELS_FIRST
from exporter.sources.keras.builder import Builder
from exporter.sources.keras.tensor import RefusedError, Tensor


def identity(rank: int) -> tuple[int, ...]:
    """The perm of a tensor that lies as Keras has it."""
    return tuple(range(rank))


def canonical(b: Builder, rank: int) -> tuple[int, ...]:
    """The perm of inputs and outputs of a rank: channels first, whatever the model's own layout."""
    return identity(rank) if b.channels_first or rank not in CHANNELS_FIRST else CHANNELS_FIRST[rank]


def channel_perm(rank: int, channel_axis: int) -> tuple[int, ...]:
    """The perm that puts a Keras axis right behind the batch and keeps the others in order."""
    c = channel_axis % rank
    return (0, c, *(a for a in range(1, rank) if a != c))


def layer_channels(layer: object, rank: int) -> tuple[int, ...]:
    """The channels-first perm for a layer with a `data_format`."""
    return channel_perm(rank, 1 if getattr(layer, "data_format", None) == "channels_first" else -1)


def arrange(b: Builder, x: Tensor, perm: Sequence[int]) -> Tensor:
    """The tensor with this perm; a Transpose where it lies otherwise."""
    x = unpack(b, x)
    if x.perm == tuple(perm):
        return x
    order = [x.perm.index(a) for a in perm]
    if _only_unit_axes_move(x.shape, order):
        return Tensor(b.one("Reshape", [x, b.ints("shape", [0, *(x.shape[i] for i in order[1:])])], perm).value, tuple(perm))
    return b.one("Transpose", [x], perm, perm=order)


def _only_unit_axes_move(shape: Sequence[int], order: Sequence[int]) -> bool:
    return order[0] == 0 and (real := [i for i in order[1:] if shape[i] > 1]) == sorted(real)


def follow(x: Tensor, rows: Array) -> Array:
    """A matrix with a row for each Keras element of a tensor of rank 2: its rows in the order in which these lie there."""
    if x.packed is None:
        return rows
    dims, perm = x.packed
    keras = [dims[perm.index(a) - 1] for a in range(1, len(perm))]
    lies = rows.T.reshape(-1, *keras).transpose(0, *perm[1:])
    return lies.reshape(-1, prod(dims)).T


def order(x: Tensor) -> Array | None:
    """Of a packed tensor: element j of its axis 1 is Keras element order[j]; None when they lie as Keras has them."""
    return None if x.packed is None else follow(x, np.arange(prod(x.packed[0]))[:, None]).ravel()


def unpack(b: Builder, x: Tensor) -> Tensor:
    """A flattened tensor with its elements in Keras order, for operators that cannot follow the packing."""
    if x.packed is None:
        return x
    dims, perm = x.packed
    unflat = Tensor(b.one("Reshape", [x, b.ints("shape", [0, *dims])], perm).value, perm)
    plain = arrange(b, unflat, identity(len(perm)))
    return b.one("Reshape", [plain, b.ints("shape", [0, prod(dims)])], identity(2))


def constant_like(b: Builder, x: Tensor, array: Array, role: str, owner: object = None) -> ir.Value:
    """A constant in Keras axes, which broadcasts against x as numpy does, laid out as x is."""
    array = np.asarray(array, np.float32)
    if array.ndim > x.rank:
        array = array.reshape(array.shape[array.ndim - x.rank :]) if all(d == 1 for d in array.shape[: array.ndim - x.rank]) else array
    if array.ndim > x.rank:
        raise RefusedError(f"a constant of shape {array.shape} on a tensor of rank {x.rank}")
    if array.size == 1:
        return b.constant(role, array.reshape(()), owner)
    array = array.reshape((1,) * (x.rank - array.ndim) + array.shape)
    if array.shape[0] != 1:
        raise RefusedError(f"a constant of shape {array.shape} has a batch axis of its own")
    packing = order(x)
    if packing is not None:
        return b.constant(role, array[:, packing] if array.shape[1] > 1 else array, owner)
    array = array.transpose(x.perm)[0]
    return b.constant(role, array, owner)


def together(b: Builder, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Tensors of one rank and one perm, so that an element-wise operator can take them; lower ranks get leading unit axes."""
    first = max(tensors, key=lambda t: (t.rank, prod(t.shape)))
    if all(t.packed == first.packed and t.shape == first.shape and t.perm == first.perm for t in tensors):
        return list(tensors)
    return [arrange(b, _raise_rank(b, t, first.rank), first.perm if first.packed is None else identity(2)) for t in tensors]


def _raise_rank(b: Builder, x: Tensor, rank: int) -> Tensor:
    if x.rank == rank:
        return x
    return reshape(b, x, (*(1,) * (rank - x.rank), *x.dims[1:]))


def reshape(b: Builder, x: Tensor, dims: Sequence[int]) -> Tensor:
    """Reshape in Keras order to `dims` (without batch).

    Axes that are only split, or merged with neighbours that lie next to each other, cost no movement; flattening to one axis keeps
    the Graph's element order and says so in `packed`.
    """
    dims = tuple(int(d) for d in dims)
    if prod(dims) != prod(x.shape[1:]):
        raise RefusedError(f"a reshape of {list(x.dims[1:])} to {list(dims)} changes the number of elements")
    if x.packed is not None:
        if len(dims) == 1:
            return x
        kept, perm = x.packed
        x = Tensor(b.one("Reshape", [x, b.ints("shape", [0, *kept])], perm).value, perm)
    if dims == x.dims[1:]:
        return x
    groups = _groups(x.dims[1:], dims)
    lies = [a for a in x.perm[1:] if x.dims[a] > 1]
    wanted = _gather_groups(lies, [g[0] for g in groups])
    if wanted != lies:
        if len(dims) == 1:
            flat = b.one("Reshape", [x, b.ints("shape", [0, prod(dims)])], identity(2))
            return Tensor(flat.value, flat.perm, (x.shape[1:], x.perm))
        units = [a for a in range(1, x.rank) if x.dims[a] == 1]
        x = arrange(b, x, (0, *wanted, *units))
    by_first = {g[0][0]: g[1] for g in groups}
    perm = _place_units(b, [a for s in wanted if s in by_first for a in by_first[s]], len(dims) + 1)
    shape = [0, *(dims[a - 1] for a in perm[1:])]
    if tuple(shape[1:]) == x.shape[1:] and len(perm) == x.rank:
        return Tensor(x.value, perm)
    return b.one("Reshape", [x, b.ints("shape", shape)], perm)


Group = tuple[list[int], list[int]]


def _groups(source: Sequence[int], target: Sequence[int]) -> list[Group]:
    """The smallest groups of non-unit axes with equal product: (source axes, target axes), numbered from 1."""
    left = [(a + 1, d) for a, d in enumerate(source) if d > 1]
    right = [(a + 1, d) for a, d in enumerate(target) if d > 1]
    groups: list[Group] = []
    while left:
        (a, p), (c, q) = left.pop(0), right.pop(0)
        group: Group = ([a], [c])
        while p != q:
            side, axes = (left, group[0]) if p < q else (right, group[1])
            axis, size = side.pop(0)
            axes.append(axis)
            p, q = (p * size, q) if side is left else (p, q * size)
        groups.append(group)
    return groups


def _gather_groups(lies: Sequence[int], groups: Sequence[Sequence[int]]) -> list[int]:
    """The axes as they lie, with the members of each group pulled together, in order, where its first one is met."""
    of = {a: g for g in groups for a in g}
    result: list[int] = []
    for a in lies:
        if a not in result:
            result.extend(of[a])
    return result


def _place_units(b: Builder, real: Sequence[int], rank: int) -> tuple[int, ...]:
    """A perm with the non-unit axes in this order: canonical if that fits, unit axes last otherwise."""
    for perm in (canonical(b, rank), identity(rank)):
        if [a for a in perm if a in real] == list(real):
            return perm
    return (0, *real, *(a for a in range(1, rank) if a not in real))
