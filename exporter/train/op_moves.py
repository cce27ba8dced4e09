"""Operators that move numbers: shapes, transposes, shuffles, depth and space."""

import tensorflow as tf

from exporter.graph.shapes import PROBE
from exporter.train.call import Call, Carried
from exporter.train.layout import plain, reshaping, transposed
from exporter.train.op_elementwise import spread


def reshape(call: Call) -> Carried:
    """Reshape, Flatten, Squeeze and Unsqueeze: the output's shape says all."""
    x = call.tensor()
    way = reshaping(call.shape_in(), call.shape_out(), x.axes)
    return Carried(tf.reshape(x.to(way.order).value, way.dims), way.axes)


def transpose(call: Call) -> Carried:
    """Transpose: the axes get new names."""
    x = call.tensor()
    perm = call.attr("perm") or tuple(reversed(range(x.rank)))
    return Carried(x.value, transposed(x.axes, perm))


def channel_shuffle(call: Call) -> Carried:
    """y[j * group + i] = x[i * k + j] for k channels a group."""
    x, group = call.tensor().last(), int(call.attr("group"))
    shape, channels = x.value.shape[1:-1], x.value.shape[-1]
    parts = tf.reshape(x.value, (-1, *shape, group, channels // group))
    rank = x.rank + 1
    turned = tf.transpose(parts, [*range(rank - 2), rank - 1, rank - 2])
    return x.like(tf.reshape(turned, (-1, *shape, channels)))


def depth_to_space(call: Call) -> Carried:
    """DepthToSpace in both orders of its channels."""
    x, block = call.tensor().last(), int(call.attr("blocksize"))
    if call.attr("mode", "DCR") == "DCR":
        return x.like(tf.nn.depth_to_space(x.value, block))
    h, w, channels = x.value.shape[1:]
    parts = tf.reshape(x.value, (-1, h, w, channels // block**2, block, block))
    turned = tf.transpose(parts, (0, 1, 4, 2, 5, 3))
    return x.like(tf.reshape(turned, (-1, h * block, w * block, channels // block**2)))


def space_to_depth(call: Call) -> Carried:
    """SpaceToDepth."""
    x = call.tensor().last()
    return x.like(tf.nn.space_to_depth(x.value, int(call.attr("blocksize"))))


def expand(call: Call) -> Carried:
    """Expand: the output's shape, the batch as large as it is."""
    shape = call.shape_out()
    x, rank = call.tensor(), len(shape)
    axes = x.axes if x.rank == rank else plain(rank)
    placed = x.value if x.rank == rank else spread(x, Carried(None, axes))
    return Carried(tf.broadcast_to(placed, [call.batch if shape[a] == PROBE else shape[a] for a in axes]), axes)


def tile(call: Call) -> Carried:
    """Tile."""
    x, repeats = call.tensor(), call.const(1)
    assert repeats is not None
    return x.like(tf.tile(x.value, [int(repeats[a]) for a in x.axes]))
