"""How the ids of channels pass each operator."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.channels.layers import Layer, layer_at
from exporter.channels.ties import Ties
from exporter.graph import BATCH, attr, const_input, shape_of
from exporter.passes.moves import REPLAYED, SAMPLES, moved

SAME = frozenset((
    "Abs", "AveragePool", "BatchNormalization", "Celu", "Clip", "Dropout", "Elu", "Erf", "Exp", "Gelu", "GlobalAveragePool",
    "GlobalMaxPool", "HardSigmoid", "HardSwish", "Identity", "InstanceNormalization", "LeakyRelu", "MaxPool", "Mish", "Neg", "Pad",
    "Relu", "Resize", "Selu", "Sigmoid", "Softplus", "Softsign", "Sqrt", "Tanh", "ThresholdedRelu",
))  # fmt: skip
"""Operators that keep channels apart and where they are, whatever constants they read."""

SPATIAL = frozenset((
    "AveragePool", "BatchNormalization", "GlobalAveragePool", "GlobalMaxPool", "InstanceNormalization", "MaxPool", "Pad", "Resize",
))  # fmt: skip
"""Those of them that take axis 1 for the channels."""

BINARY = frozenset(("Add", "Div", "Max", "Mean", "Min", "Mul", "Pow", "PRelu", "Sub", "Sum"))
"""Element by element, with broadcasting."""

REDUCE = frozenset(("ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum"))
ALONG = frozenset(("LogSoftmax", "Softmax"))
"""Operators along one axis."""


@dataclass(slots=True)
class Walk:
    """What is known so far.

    Attributes:
        ties: Of the ids.
        ids: By value name; values that cannot be followed are left out.
        balanced: Ids of (groups, k), each row of which must keep equally many.
        locks: Name and reason of what was locked.
        apart: Whether depthwise layers make channels of their own, in place of passing on those that they read.
    """

    ties: Ties
    ids: dict[str, Array]
    balanced: list[Array]
    locks: list[tuple[str, str]]
    apart: bool = False

    def get(self, value: ir.Value | None) -> Array | None:
        """The value's ids, if it could be followed."""
        return None if value is None else self.ids.get(value.name or "")

    def set(self, value: ir.Value, ids: Array) -> None:
        """Ids of a value, of its rank; where they vary along several axes, all but the longest are tied, so that it stays a box."""
        varying = sorted((i for i, n in enumerate(ids.shape) if n > 1), key=lambda i: ids.shape[i])
        for axis in varying[:-1]:
            first = ids.take([0], axis)
            self.ties.tie(ids, first)
            ids = first
        self.ids[str(value.name)] = ids

    def start(self, value: ir.Value) -> None:
        """Locked ids for an input of the Graph, on axis 1."""
        shape = shape_of(value)
        if len(shape) > 1:
            self.set(value, self.ties.fresh(shape[1]).reshape([-1 if i == 1 else 1 for i in range(len(shape))]))
            self.lock(value, "is an input")

    def lock(self, value: ir.Value | None, reason: str) -> None:
        """All channels of a value stay."""
        ids = self.get(value)
        if ids is not None and value is not None:
            self.ties.lock(ids)
            self.locks.append((str(value.name), reason))

    def along(self, value: ir.Value | None, axis: int) -> Array | None:
        """Ids along an axis in full length; None (and the value locked) where they vary along others."""
        ids = self.get(value)
        if ids is None or value is None:
            return None
        shape = shape_of(value)
        axis %= len(shape)
        if ids.size != ids.shape[axis]:
            self.lock(value, "has channels on an axis that the next layer does not read them from")
            return None
        return np.broadcast_to(ids.reshape(-1), (shape[axis],))


def follow(walk: Walk, node: ir.Node) -> None:
    """Give the outputs of a node their ids; where that cannot be, lock what it reads."""
    layer = layer_at(node)
    if layer is not None:
        _layer(walk, layer)
        return
    computed = [v for v in node.inputs if v is not None and v.const_value is None]
    rule = _RULES.get(node.op_type)
    if rule is None or not all(map(_plain, (*computed, *node.outputs))) or not rule(walk, node, computed):
        for value in computed:
            walk.lock(value, f"is read by {node.op_type} {node.name}, which cannot be followed")


def _plain(value: ir.Value) -> bool:
    """Whether a value has samples, and only samples, on axis 0."""
    return value.name == "" or (value.shape is not None and len(value.shape) > 0 and str(value.shape[0]) == BATCH)


def _layer(walk: Walk, layer: Layer) -> None:
    x, out = layer.node.inputs[0], layer.node.outputs[0]
    read = walk.along(x, layer.channel_axis)
    if layer.depthwise and not walk.apart:
        made = None if read is None else np.repeat(read, layer.rows // layer.columns)
    else:
        made = walk.ties.fresh(layer.rows)
        if layer.groups > 1:
            walk.balanced += [ids.reshape(layer.groups, -1) for ids in (read, made) if ids is not None]
    if made is not None:
        rank, axis = len(shape_of(out)), layer.channel_axis
        walk.set(out, made.reshape([len(made) if i == axis % rank else 1 for i in range(rank)]))


def _same(walk: Walk, node: ir.Node, computed: list[ir.Value]) -> bool:
    ids = walk.get(node.inputs[0])
    if len(computed) > 1 or ids is None or shape_of(computed[0])[:2] != shape_of(node.outputs[0])[:2]:
        return False
    if node.op_type in SPATIAL and ids.size != ids.shape[1]:
        return False
    walk.set(node.outputs[0], ids)
    return True


def _binary(walk: Walk, node: ir.Node, computed: list[ir.Value]) -> bool:
    out, known = node.outputs[0], [walk.get(v) for v in computed]
    rank = len(shape_of(out))
    if any(ids is None for ids in known):
        return False
    wide = [(v, ids.reshape([1] * (rank - ids.ndim) + list(ids.shape))) for v, ids in zip(computed, known, strict=True) if ids is not None]
    several = [(v, ids) for v, ids in wide if ids.size > 1]
    if not several or len({ids.shape for _, ids in several}) > 1:
        return False
    for value, ids in wide:
        if ids.size == 1:
            walk.lock(value, f"is read by every channel of {node.op_type} {node.name}")
        else:
            walk.ties.tie(several[0][1], ids)
    walk.set(out, several[0][1])
    return True


def _concat(walk: Walk, node: ir.Node, computed: list[ir.Value]) -> bool:
    out = node.outputs[0]
    axis, rank = attr(node, "axis") % len(shape_of(out)), len(shape_of(out))
    known = [walk.get(v) for v in node.inputs]
    if all(
        ids is not None and ids.shape[axis] == 1 and ids.size > 1 for ids in known
    ):  # along another axis: the same channels in each part
        parts = [ids for ids in known if ids is not None]
        if len({p.shape for p in parts}) > 1:
            return False
        for part in parts[1:]:
            walk.ties.tie(parts[0], part)
        walk.set(out, parts[0])
        return True
    if any(ids is not None and ids.size != ids.shape[axis] for ids in known):
        return False
    joined = [_part(walk, v, axis) for v in node.inputs if v is not None]
    walk.set(out, np.concatenate(joined).reshape([-1 if i == axis else 1 for i in range(rank)]))
    return True


def _part(walk: Walk, value: ir.Value, axis: int) -> Array:
    """Ids of a concatenation's part; new locked ones where it is not followed."""
    ids, length = walk.get(value), shape_of(value)[axis]
    if ids is not None:
        return np.broadcast_to(ids.reshape(-1), (length,))
    ids = walk.ties.fresh(length)
    walk.ties.lock(ids)
    return ids


def _move(walk: Walk, node: ir.Node, computed: list[ir.Value]) -> bool:
    x = node.inputs[0]
    ids = walk.get(x)
    if ids is None or x is None or len(computed) > 1:
        return False
    if node.op_type == "Slice" and _strided(node, ids):
        return False
    one = np.broadcast_to(ids, shape_of(x))
    beyond = len(walk.ties.parent)
    results = moved(node, np.concatenate([one + i * beyond for i in range(SAMPLES)]))
    if results is None or any(not np.array_equal(r[1], r[0] + beyond) for r in results):
        return False
    for out, result in zip(node.outputs, results, strict=True):
        walk.set(out, _short(result[:1]))
    return True


def _strided(node: ir.Node, ids: Array) -> bool:
    """Whether a Slice skips channels: a cleaned Graph has shuffles instead."""
    axes, steps = const_input(node, 3), const_input(node, 4)
    if steps is None or axes is None:
        return steps is not None
    return any(int(step) != 1 and ids.shape[int(axis)] > 1 for axis, step in zip(axes, steps, strict=True))


def _short(ids: Array) -> Array:
    """Axes along which all ids are the same, shortened to 1."""
    for axis in range(1, ids.ndim):
        first = ids.take([0], axis)
        if ids.shape[axis] > 1 and np.array_equal(np.broadcast_to(first, ids.shape), ids):
            ids = first
    return ids


def _shuffle(walk: Walk, node: ir.Node, computed: list[ir.Value]) -> bool:
    ids = walk.along(node.inputs[0], 1)
    if ids is None:
        return False
    rows = ids.reshape(attr(node, "group"), -1)
    walk.ties.tie(rows, rows[:1])
    walk.set(node.outputs[0], rows.T.reshape(1, -1, *(1,) * (len(shape_of(node.outputs[0])) - 2)))
    return True


def _reduce(walk: Walk, node: ir.Node, computed: list[ir.Value]) -> bool:
    ids, axes = walk.get(node.inputs[0]), const_input(node, 1)
    if ids is None or axes is None:
        return False
    gone = {int(a) % ids.ndim for a in axes}
    if 0 in gone or any(ids.shape[a] > 1 for a in gone):
        return False
    kept = attr(node, "keepdims", 1)
    walk.set(node.outputs[0], ids if kept else ids.reshape([n for i, n in enumerate(ids.shape) if i not in gone]))
    return True


def _beside(walk: Walk, node: ir.Node, computed: list[ir.Value]) -> bool:
    ids = walk.get(node.inputs[0])
    if ids is None or ids.shape[attr(node, "axis", -1)] > 1:
        return False
    walk.set(node.outputs[0], ids)
    return True


def _to_space(walk: Walk, node: ir.Node, computed: list[ir.Value]) -> bool:
    ids = walk.along(node.inputs[0], 1)
    if ids is None:
        return False
    square = attr(node, "blocksize") ** 2
    blocks = ids.reshape(square, -1) if attr(node, "mode", "DCR") == "DCR" else ids.reshape(-1, square).T
    walk.ties.tie(blocks, blocks[:1])
    walk.set(node.outputs[0], blocks[0].reshape(1, -1, 1, 1))
    return True


def _to_depth(walk: Walk, node: ir.Node, computed: list[ir.Value]) -> bool:
    ids = walk.along(node.inputs[0], 1)
    if ids is None:
        return False
    walk.set(node.outputs[0], np.tile(ids, attr(node, "blocksize") ** 2).reshape(1, -1, 1, 1))
    return True


_Rule = Callable[[Walk, ir.Node, list[ir.Value]], bool]

_RULES: dict[str, _Rule] = {
    **dict.fromkeys(SAME, _same), **dict.fromkeys(BINARY, _binary), **dict.fromkeys(REPLAYED, _move), **dict.fromkeys(REDUCE, _reduce),
    **dict.fromkeys(ALONG, _beside), "ChannelShuffle": _shuffle, "Concat": _concat, "DepthToSpace": _to_space, "SpaceToDepth": _to_depth,
}  # fmt: skip
"""Operator to the rule that gives its outputs ids; False where it cannot."""
