"""Convolutions. TensorFlow has no gradient of grouped ones on a CPU: 1x1 go as one product, others group by group."""

from typing import Any

import tensorflow as tf

from exporter.train.call import Call, Carried
from exporter.train.windows import Window, back, picture, two, window


def conv(call: Call) -> Carried:
    """Conv over one or two axes: plain, grouped or depthwise."""
    x, kernel = call.tensor(), call.weight(1)
    w = window(call, tuple(kernel.shape[2 - (x.rank - 2) : 2]))
    groups = int(call.attr("group", 1))
    y = _convolved(picture(x), kernel, w, groups, depthwise=len(kernel.shape) == 4 and _is_depth(call))
    return back(x, _biased(call, y))


def _is_depth(call: Call) -> bool:
    role = getattr(call.operand(1), "role", None)
    return role is not None and role.form == "depth"


def _biased(call: Call, y: Any) -> Any:
    return y if call.operand(2) is None else tf.nn.bias_add(y, call.weight(2))


def _convolved(x: Any, kernel: Any, w: Window, groups: int, *, depthwise: bool) -> Any:
    if depthwise:
        return _depthwise(x, kernel, w)
    if groups == 1:
        return _plain(x, kernel, w)
    if w.kernel == (1, 1) and w.mode == "VALID":
        return _products(x[:, :: w.strides[0], :: w.strides[1]], kernel, groups)
    pairs = zip(tf.split(x, groups, 3), tf.split(kernel, groups, 3), strict=True)
    return tf.concat([_plain(part, some, w) for part, some in pairs], 3)


def _plain(x: Any, kernel: Any, w: Window) -> Any:
    if w.dilations == (1, 1):
        return tf.nn.conv2d(x, kernel, w.strides, w.mode or w.pads)
    x, mode = w.padded(x)
    if w.strides == (1, 1):
        return tf.nn.convolution(x, kernel, padding=mode, dilations=w.dilations)
    return _strided(tf.nn.convolution(tf.pad(x, w.pads) if mode == "SAME" else x, kernel, padding="VALID", dilations=w.dilations), w)


def _depthwise(x: Any, kernel: Any, w: Window) -> Any:
    """TensorFlow steps equally along both axes, and by 1 where taps are apart; the rest is left out afterwards."""
    x, mode = w.padded(x)
    if w.strides[0] == w.strides[1] and (w.strides == (1, 1) or w.dilations == (1, 1)):
        return tf.nn.depthwise_conv2d(x, kernel, [1, *w.strides, 1], mode, dilations=w.dilations)
    x = tf.pad(x, w.pads) if mode == "SAME" else x
    return _strided(tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "VALID", dilations=w.dilations), w)


def _strided(y: Any, w: Window) -> Any:
    return y[:, :: w.strides[0], :: w.strides[1]][:, : w.out[0], : w.out[1]]


def _products(x: Any, kernel: Any, groups: int) -> Any:
    """Grouped 1x1: one product a group, all at once."""
    h, width, channels = x.shape[1:]
    each = channels // groups
    parts = tf.reshape(x, (-1, h, width, groups, each))
    y = tf.einsum("nhwgc,cgo->nhwgo", parts, tf.reshape(kernel, (each, groups, -1)))
    return tf.reshape(y, (-1, h, width, kernel.shape[3]))


def conv_transpose(call: Call) -> Carried:
    """ConvTranspose: everything a kernel reaches, of which the node's pads cut the edges."""
    x, kernel = call.tensor(), call.weight(1)
    n = x.rank - 2
    strides = two(call.attr("strides") or (1,) * n, 1)
    kernel = _spread(kernel, two(call.attr("dilations") or (1,) * n, 1))
    picked, groups = picture(x), int(call.attr("group", 1))
    parts = zip(tf.split(picked, groups, 3), tf.split(kernel, groups, 3), strict=True)
    whole = [_transposed(part, some, strides) for part, some in parts] if groups > 1 else [_transposed(picked, kernel, strides)]
    begin = two((call.attr("pads") or (0,) * (2 * n))[:n], 0)
    y = _cut(tf.concat(whole, 3) if groups > 1 else whole[0], begin, two(call.shape_out()[2:], 1))
    return back(x, _biased(call, y))


def _spread(kernel: Any, dilations: tuple[int, int]) -> Any:
    """Zeros between the taps."""
    if dilations == (1, 1):
        return kernel
    (kh, kw, a, b), (dh, dw) = kernel.shape, dilations
    wide = tf.pad(tf.reshape(kernel, (kh, 1, kw, 1, a, b)), [[0, 0], [0, dh - 1], [0, 0], [0, dw - 1], [0, 0], [0, 0]])
    return tf.reshape(wide, (kh * dh, kw * dw, a, b))[: (kh - 1) * dh + 1, : (kw - 1) * dw + 1]


def _transposed(x: Any, kernel: Any, strides: tuple[int, int]) -> Any:
    size = [(x.shape[i + 1] - 1) * strides[i] + max(kernel.shape[i], strides[i]) for i in range(2)]
    shape = tf.stack([tf.shape(x)[0], *size, kernel.shape[2]])
    y = tf.nn.conv2d_transpose(x, kernel, shape, strides, "VALID")
    return tf.ensure_shape(y, (None, *size, kernel.shape[2]))


def _cut(y: Any, begin: tuple[int, int], out: tuple[int, int]) -> Any:
    """Rows and columns from `begin` on; zeros where no kernel reaches."""
    beyond = [max(b + o - have, 0) for b, o, have in zip(begin, out, y.shape[1:3], strict=True)]
    if any(beyond):
        y = tf.pad(y, [[0, 0], [0, beyond[0]], [0, beyond[1]], [0, 0]])
    return y[:, begin[0] : begin[0] + out[0], begin[1] : begin[1] + out[1]]
