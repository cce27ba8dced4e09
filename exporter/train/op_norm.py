"""Normalisations. Batch norm is TensorFlow's fused one, which is most of what makes a step quick."""

from typing import Any

import tensorflow as tf

from exporter.train.call import Call, Carried, Refused
from exporter.train.op_elementwise import spread

MOST_MOMENTUM = 0.95
"""Statistics follow within some twenty batches, even where the net was made for a slower pace: retraining has few steps, and statistics
that lag behind the weights make its checks, and so the choice of the best weights, worthless."""


def batch_norm(call: Call) -> Carried:
    """BatchNormalization: by the batch while training, which its statistics follow; else by the statistics."""
    x = call.tensor().last()
    scale, shift, mean, variance = (call.weight(i) for i in range(1, 5))
    flat = x.value if x.rank == 4 else tf.reshape(x.value, (-1, 1, 1, x.value.shape[-1]))
    y, batch_mean, batch_variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=flat, scale=scale, offset=shift, mean=mean, variance=variance, epsilon=float(call.attr("epsilon", 1e-5)),
        data_format="NHWC", is_training=call.training,
    )  # fmt: skip
    if call.training:
        momentum = min(call.attr("momentum", 0.9), MOST_MOMENTUM) if call.momentum is None else call.momentum
        mean.assign(mean * momentum + batch_mean * (1 - momentum))
        variance.assign(variance * momentum + batch_variance * (1 - momentum))
    return x.like(y if x.rank == 4 else tf.reshape(y, (-1, *x.value.shape[1:])))


def layer_norm(call: Call) -> Carried:
    """LayerNormalization over the axes from `axis` on."""
    if any(v.uses() or v.is_graph_output() for v in call.node.outputs[1:]):
        raise Refused("its second or third output is used")
    x = call.tensor()
    y = _standard(x, range(int(call.attr("axis", -1)) % x.rank, x.rank), call.attr("epsilon", 1e-5))
    y = y * spread(call.tensor(1), x)
    return x.like(y if call.operand(2) is None else y + spread(call.tensor(2), x))


def instance_norm(call: Call) -> Carried:
    """InstanceNormalization: each channel of each sample by itself."""
    x = call.tensor().last()
    return x.like(_standard(x, range(2, x.rank), call.attr("epsilon", 1e-5)) * call.weight(1) + call.weight(2))


def group_norm(call: Call) -> Carried:
    """GroupNormalization of opset 18: one scale and bias a group."""
    x, groups = call.tensor().last(), int(call.attr("num_groups"))
    shape = x.value.shape
    parts = tf.reshape(x.value, (-1, *shape[1:-1], groups, shape[-1] // groups))
    over = [*range(1, x.rank - 1), x.rank]
    mean, variance = tf.nn.moments(parts, over, keepdims=True)
    y = (parts - mean) * tf.math.rsqrt(variance + call.attr("epsilon", 1e-5))
    scale, bias = (tf.reshape(call.weight(i), (groups, -1)) for i in (1, 2))
    return x.like(tf.reshape(y * scale + bias, (-1, *shape[1:])))


def _standard(x: Carried, over: Any, epsilon: float) -> Any:
    mean, variance = tf.nn.moments(x.value, [x.place(a) for a in over], keepdims=True)
    return (x.value - mean) * tf.math.rsqrt(variance + epsilon)


def lp_norm(call: Call) -> Carried:
    """LpNormalization: divided by its length along an axis."""
    x = call.tensor()
    place = x.place(int(call.attr("axis", -1)))
    if int(call.attr("p", 2)) == 1:
        return x.like(x.value / tf.reduce_sum(tf.abs(x.value), place, keepdims=True))
    return x.like(x.value / tf.sqrt(tf.reduce_sum(tf.square(x.value), place, keepdims=True)))


def lrn(call: Call) -> Carried:
    """LRN over channels; TensorFlow's alpha is not divided by the window's size."""
    x, size = call.tensor().last(), int(call.attr("size"))
    if size % 2 == 0 or x.rank != 4:
        raise Refused(f"its size is {size} and its rank {x.rank}; odd sizes of pictures are known")
    alpha, beta, bias = (float(call.attr(k, d)) for k, d in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)))
    return x.like(tf.nn.local_response_normalization(x.value, size // 2, bias, alpha / size, beta))
