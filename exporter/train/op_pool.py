"""Pools."""

import numpy as np
import tensorflow as tf

from exporter.array import Array
from exporter.train.call import Call, Carried, Refused
from exporter.train.windows import Window, back, picture, window


def max_pool(call: Call) -> Carried:
    """MaxPool; pads never win."""
    if any(v.uses() or v.is_graph_output() for v in call.node.outputs[1:]):
        raise Refused("its second output, the indices, is used")
    w, x = pool_window(call), call.tensor()
    padded, mode = w.padded(picture(x), float(np.finfo(np.float32).min))
    return back(x, tf.nn.max_pool2d(padded, w.kernel, w.strides, mode))


def average_pool(call: Call) -> Carried:
    """AveragePool: a sum divided by the taps that count."""
    w, x = pool_window(call), call.tensor()
    counted = bool(call.attr("count_include_pad", 0))
    if w.mode == "VALID" or (w.mode == "SAME" and not counted):  # TensorFlow's SAME leaves pads out
        return back(x, tf.nn.avg_pool2d(picture(x), w.kernel, w.strides, w.mode))
    y = tf.nn.avg_pool2d(tf.pad(picture(x), w.pads), w.kernel, w.strides, "VALID")
    area, counts = w.kernel[0] * w.kernel[1], counts_of(w, counted=counted)
    return back(x, y if (counts == area).all() else y * (area / counts)[..., None].astype(np.float32))


def pool_window(call: Call) -> Window:
    """The node's window.

    Raises:
        Refused: If its taps are apart.
    """
    w = window(call, call.attr("kernel_shape"))
    if w.dilations != (1, 1):
        raise Refused("its taps are apart; pools without dilation are known")
    return w


def counts_of(w: Window, *, counted: bool) -> Array:
    """How many taps ONNX divides by at every place of the output, (height, width): those on the input, or on its pads too."""
    sides = []
    for i in range(2):
        low, high = (-w.begin[i], w.size[i] + w.declared[i]) if counted else (0, w.size[i])
        start = np.arange(w.out[i]) * w.strides[i] - w.begin[i]
        sides.append(np.minimum(start + w.kernel[i], high) - np.maximum(start, low))
    return np.outer(*sides)
