"""Operators of each element by itself: two operands, choices, comparisons."""

from typing import Any

import numpy as np
import tensorflow as tf

from exporter.array import Array
from exporter.train.call import Call, Carried, Weight
from exporter.train.layout import beside, channels_last

BINARY = {
    "Add": tf.add, "Sub": tf.subtract, "Mul": tf.multiply, "Div": tf.divide, "Max": tf.maximum, "Min": tf.minimum, "Pow": tf.pow,
    "And": tf.logical_and, "Or": tf.logical_or, "Xor": tf.math.logical_xor, "Greater": tf.greater, "GreaterOrEqual": tf.greater_equal,
    "Less": tf.less, "LessOrEqual": tf.less_equal, "Equal": tf.equal,
}  # fmt: skip
"""ONNX operator to TensorFlow's of the same meaning."""


def binary(call: Call) -> Carried:
    """Operators of the table BINARY; Max and Min of any number of operands."""
    like, operands = together(call, range(len(call.operands)))
    function, y = BINARY[call.node.op_type], operands[0]
    for other in operands[1:]:
        y = function(y, other)
    return like.like(y)


def where(call: Call) -> Carried:
    """Where."""
    like, (condition, yes, no) = together(call, range(3))
    return like.like(tf.where(condition, yes, no))


def together(call: Call, indices: Any) -> tuple[Carried, list[Any]]:
    """Operands that broadcast against each other, and one that has their layout.

    The layout is that of the largest computed operand: the others are moved.
    """
    operands = [call.operand(i) for i in indices]
    rank = max(_rank(x) for x in operands)
    computed = [x for x in operands if isinstance(x, Carried)] or [call.tensor(0)]
    largest = max(computed, key=lambda x: (x.rank, np.prod([d or 1 for d in x.value.shape])))
    axes = largest.axes if largest.rank == rank else channels_last(rank)
    like = Carried(largest.value, axes)
    return like, [_placed(x, like) for x in operands]


def _rank(x: Any) -> int:
    return x.rank if isinstance(x, Carried) else len((x.value if isinstance(x, Weight) else x).shape)


def _placed(x: Any, like: Carried) -> Any:
    if isinstance(x, np.ndarray):
        return _constant(x, like)
    if isinstance(x, Weight):
        x = Carried(tf.convert_to_tensor(x.value), tuple(range(len(x.value.shape))))
    return spread(x, like)


def _constant(x: Array, like: Carried) -> Array:
    """One number stays without axes: TensorFlow's optimiser stumbles over (1, 1, 1, 1) after a BiasAdd."""
    if x.size == 1:
        return x.reshape(())
    return x.reshape((1,) * (like.rank - x.ndim) + x.shape).transpose(like.axes)


def spread(x: Carried, like: Carried) -> Any:
    """A tensor beside another: its axes in the other's order, 1 where it has none."""
    if x.rank == like.rank:
        return x.to(like.axes).value
    order, there = beside(like.axes, x.rank)
    moved = x.to(order).value
    sizes = iter([-1 if d is None else d for d in moved.shape])
    return tf.reshape(moved, [next(sizes) if has else 1 for has in there])
