"""Reductions and global pools, in whatever layout they meet."""

from collections.abc import Callable, Collection
from typing import Any

import tensorflow as tf

from exporter.train.call import Call, Carried

REDUCE: dict[str, Callable[..., Any]] = {
    "ReduceMean": tf.reduce_mean, "ReduceSum": tf.reduce_sum, "ReduceMax": tf.reduce_max, "ReduceMin": tf.reduce_min,
    "ReduceProd": tf.reduce_prod, "ReduceLogSumExp": tf.reduce_logsumexp,
    "ReduceL1": lambda x, *a, **k: tf.reduce_sum(tf.abs(x), *a, **k),
    "ReduceL2": lambda x, *a, **k: tf.sqrt(tf.reduce_sum(tf.square(x), *a, **k)),
    "ReduceSumSquare": lambda x, *a, **k: tf.reduce_sum(tf.square(x), *a, **k),
    "ReduceLogSum": lambda x, *a, **k: tf.math.log(tf.reduce_sum(x, *a, **k)),
}  # fmt: skip
"""ONNX operator to a function of tensor, axes and `keepdims`."""


def reduce(call: Call) -> Carried:
    """Operators of the table REDUCE."""
    x, named = call.tensor(), call.const(1)
    axes = call.attr("axes", ()) if named is None else named.tolist()
    if not axes and call.attr("noop_with_empty_axes", 0):
        return x
    over = {int(a) % x.rank for a in axes} or set(range(x.rank))
    return _reduced(x, over, REDUCE[call.node.op_type], keep=bool(call.attr("keepdims", 1)))


def global_pool(call: Call) -> Carried:
    """GlobalAveragePool and GlobalMaxPool."""
    x = call.tensor()
    function = tf.reduce_mean if call.node.op_type == "GlobalAveragePool" else tf.reduce_max
    return _reduced(x, set(range(2, x.rank)), function, keep=True)


def _reduced(x: Carried, over: Collection[int], function: Callable[..., Any], *, keep: bool) -> Carried:
    y = function(x.value, [x.place(a) for a in sorted(over)], keepdims=keep)
    if keep:
        return x.like(y)
    left = [a for a in range(x.rank) if a not in over]
    return Carried(y, tuple(left.index(a) for a in x.axes if a not in over))
