"""Convolutions, pools, resizing."""

from typing import Any

import numpy as np
from keras import layers

from exporter.array import Array
from exporter.train.call import Call, Refused
from exporter.train.op_pool import counts_of, pool_window
from exporter.train.op_resize import is_nearest, picked, places_of
from exporter.train.to_keras.arithmetic import rescaled
from exporter.train.to_keras.builder import Builder, Held, has
from exporter.train.windows import Window, two, window

_FLAT = {"Conv2D": "Conv1D", "DepthwiseConv2D": "DepthwiseConv1D", "Conv2DTranspose": "Conv1DTranspose", "MaxPooling2D": "MaxPooling1D",
         "AveragePooling2D": "AveragePooling1D", "ZeroPadding2D": "ZeroPadding1D", "Cropping2D": "Cropping1D"}  # fmt: skip
_NEVER_NEGATIVE = {"Relu", "Sigmoid", "Softmax", "HardSigmoid", "Exp", "Softplus", "Abs"}
_KEEPING_SIGN = {"MaxPool", "AveragePool", "Concat", "Reshape", "Transpose", "Add", "Mul", "Slice", "Split", "ChannelShuffle"}


def conv(b: Builder, call: Call) -> Held:
    """Conv2D or Conv1D, and their depthwise forms."""
    node, x = call.node, b.last(b.get(call.node.inputs[0]))
    arrays, names = b.weights(node, [1, 2] if has(node, 2) else [1])
    kernel, flat = arrays[0], x.rank == 3
    w = window(call, kernel.shape[1 if flat else 0 : 2])
    depthwise = b.roles[names[0]].form == "depth"
    kind = "DepthwiseConv2D" if depthwise else "Conv2D"
    shape = {"depth_multiplier": kernel.shape[3]} if depthwise else {"filters": kernel.shape[3], "groups": int(call.attr("group", 1))}
    uneven = depthwise and w.strides[0] != w.strides[1] and not flat
    apart = uneven or (w.dilations != (1, 1) and w.strides != (1, 1))  # Keras has no such steps: take every row, then some
    strides = (1, 1) if apart else w.strides
    value, padding = _padded(b, x.value, w, flat, same=not apart)
    sizes = {"kernel_size": w.kernel, "strides": strides, "dilation_rate": w.dilations}
    config = {**shape, **{k: _one(v, flat) for k, v in sizes.items()}, "padding": padding, "use_bias": len(arrays) > 1}
    arrays = [kernel[0] if flat else kernel, *arrays[1:]]
    y = b.apply(getattr(layers, _kind(kind, flat)), value, "", arrays, key=names, **config)
    return x.like(_every(b, y, w.strides, flat) if apart else y)


def _kind(name: str, flat: bool) -> str:
    return _FLAT[name] if flat else name


def _one(pair: tuple[int, int], flat: bool) -> Any:
    return pair[1] if flat else pair


def _every(b: Builder, y: Any, strides: tuple[int, int], flat: bool) -> Any:
    """Every n-th row and column: the largest of one."""
    return b.apply(getattr(layers, _kind("MaxPooling2D", flat)), y, "_stride", pool_size=_one((1, 1), flat), strides=_one(strides, flat))


def _padded(b: Builder, value: Any, w: Window, flat: bool, *, same: bool = True) -> tuple[Any, str]:
    """The tensor, with a layer of zeros where Keras's own "same" and "valid" don't do."""
    if w.mode == "VALID" or (same and w.mode == "SAME"):
        return value, str(w.mode).lower()
    pads = tuple((begin, max(end, 0)) for begin, end in zip(w.begin, w.end, strict=True))
    return b.apply(getattr(layers, _kind("ZeroPadding2D", flat)), value, "_pad", padding=pads[1] if flat else pads), "valid"


def conv_transpose(b: Builder, call: Call) -> Held:
    """Conv2DTranspose over everything that it reaches, cut at the edges."""
    node, x = call.node, b.last(b.get(call.node.inputs[0]))
    flat, n = x.rank == 3, x.rank - 2
    if int(call.attr("group", 1)) != 1 or any(d != 1 for d in call.attr("dilations") or ()):
        raise Refused("Keras has no transposed convolution of groups, nor one whose taps are apart")
    arrays, names = b.weights(node, [1, 2] if has(node, 2) else [1])
    kernel = arrays[0]
    strides, begin = two(call.attr("strides") or (1,) * n, 1), two((call.attr("pads") or (0,) * (2 * n))[:n], 0)
    config = {"kernel_size": _one(kernel.shape[:2], flat), "strides": _one(strides, flat), "filters": kernel.shape[2]}
    arrays = [kernel[0] if flat else kernel, *arrays[1:]]
    y = b.apply(getattr(layers, _kind("Conv2DTranspose", flat)), x.value, "", arrays, key=names, use_bias=len(arrays) > 1, **config)
    have = two(y.shape[1:-1], 1)
    cut = tuple((lo, h - lo - o) for h, lo, o in zip(have, begin, two(call.shape_out()[2:], 1), strict=True))
    if min(cut[0][1], cut[1][1]) < 0:
        raise Refused("its output goes beyond what its kernel reaches")
    if any(any(c) for c in cut):
        y = b.apply(getattr(layers, _kind("Cropping2D", flat)), y, "_crop", cropping=cut[1] if flat else cut)
    return x.like(y)


def max_pool(b: Builder, call: Call) -> Held:
    """MaxPooling; pads that are not Keras's own are zeros, where nothing is below them."""
    w, x = pool_window(call), b.last(b.get(call.node.inputs[0]))
    if w.mode is None and not _never_negative(call.node.inputs[0]):
        raise Refused("it pads values that may be negative, which Keras can only do with zeros")
    return x.like(_pool(b, "MaxPooling2D", _padded(b, x.value, w, x.rank == 3), w, flat=x.rank == 3))


def average_pool(b: Builder, call: Call) -> Held:
    """AveragePooling; where ONNX divides by another number of taps, a Rescaling by the map of quotients."""
    w, x = pool_window(call), b.last(b.get(call.node.inputs[0]))
    counted, flat = bool(call.attr("count_include_pad", 0)), x.rank == 3
    padded = _padded(b, x.value, w, flat, same=not counted)
    y = _pool(b, "AveragePooling2D", padded, w, flat=flat)
    area, counts = w.kernel[0] * w.kernel[1], counts_of(w, counted=counted)
    if padded[1] == "same" or w.mode == "VALID" or (counts == area).all():
        return x.like(y)
    quotients: Array = (area / counts)[..., None]
    return x.like(rescaled(b, y, scale=quotients[0] if flat else quotients))


def _pool(b: Builder, kind: str, padded: tuple[Any, str], w: Window, *, flat: bool) -> Any:
    config = {"pool_size": _one(w.kernel, flat), "strides": _one(w.strides, flat)}
    value, padding = padded
    return b.apply(getattr(layers, _kind(kind, flat)), value, padding=padding, **config)


def _never_negative(value: Any) -> bool:
    node = value.producer()
    if node is None:
        return False
    if node.op_type in _NEVER_NEGATIVE:
        return True
    if node.op_type == "Clip":
        low = node.inputs[1].const_value if has(node, 1) else None
        return low is not None and float(low.numpy().reshape(())) >= 0
    computed = [v for v in node.inputs if v is not None and v.const_value is None]
    constants = [v for v in node.inputs if v is not None and v.const_value is not None and node.op_type in ("Add", "Mul")]
    return node.op_type in _KEEPING_SIGN and not constants and all(_never_negative(v) for v in computed)


def resize(b: Builder, call: Call) -> Held:
    """UpSampling where a whole number of times, Resizing where that has the node's rounding."""
    places, size = places_of(call)
    x, flat = b.last(b.get(call.node.inputs[0])), len(call.shape_in()) == 3
    out = (len(places[0]), len(places[1]))
    times = (out[0] // size[0], out[1] // size[1])
    whole = all(t >= 1 and t * s == o for t, s, o in zip(times, size, out, strict=True))
    middle = [(np.arange(o) + 0.5) * s / o - 0.5 for o, s in zip(out, size, strict=True)]
    if is_nearest(call):
        index = picked(call, places, size)
        fits = all(np.array_equal(i, np.floor(m + 0.5)) for i, m in zip(index, middle, strict=True))
    else:
        fits = all(np.abs(np.clip(p, 0, s - 1) - np.clip(m, 0, s - 1)).max() < 1e-5 for p, m, s in zip(places, middle, size, strict=True))
    if not fits or (flat and not (whole and is_nearest(call))):
        raise Refused("its rounding is none of Keras's")
    mode = "nearest" if is_nearest(call) else "bilinear"
    if flat:
        return x.like(b.apply(layers.UpSampling1D, x.value, size=times[1]))
    if whole:
        return x.like(b.apply(layers.UpSampling2D, x.value, size=times, interpolation=mode))
    return x.like(b.apply(layers.Resizing, x.value, height=out[0], width=out[1], interpolation=mode))
