"""Products of matrices."""

from typing import Any

import tensorflow as tf

from exporter.train.call import Call, Carried, Refused, Weight
from exporter.train.layout import plain


def gemm(call: Call) -> Carried:
    """alpha A B + beta C."""
    a, b = call.tensor(0).plain().value, call.tensor(1).plain().value
    y = tf.matmul(a, b, transpose_a=bool(call.attr("transA", 0)), transpose_b=bool(call.attr("transB", 0)))
    alpha, beta = float(call.attr("alpha", 1.0)), float(call.attr("beta", 1.0))
    y = y if alpha == 1 else y * alpha
    if call.operand(2) is not None:
        c = call.tensor(2).plain().value
        y = y + (c if beta == 1 else c * beta)
    return Carried(y, plain(2))


def matmul(call: Call) -> Carried:
    """MatMul; rows times one matrix is one product, not one a sample."""
    a, b = call.tensor(0).plain(), call.tensor(1).plain()
    if min(a.rank, b.rank) < 2:
        raise Refused("one of its operands is a vector")
    if isinstance(call.operand(1), Weight) and b.rank == 2 and a.rank > 2:
        return Carried(_rows(a.value, b.value), a.axes)
    return Carried(tf.matmul(a.value, b.value), plain(max(a.rank, b.rank)))


def _rows(a: Any, b: Any) -> Any:
    flat = tf.matmul(tf.reshape(a, (-1, a.shape[-1])), b)
    return tf.reshape(flat, (-1, *a.shape[1:-1], b.shape[1]))
