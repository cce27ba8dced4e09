"""Pools."""

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats.tflite.emitter import Emitter, Refused
from exporter.formats.tflite.fuse import never_negative
from exporter.formats.tflite.layout import physical, spatial
from exporter.formats.tflite.ops import TfTensor
from exporter.formats.tflite.padding import Window, apply_padding, window
from exporter.graph import attr, shape_of

_MAX_TAPS = 25
"""Of a mean that int8 writes as a depthwise convolution: XNNPACK takes no AVERAGE_POOL_2D, and has kernels for so many taps."""

_LOWEST = float(np.finfo(np.float32).min)


def emit_max_pool(e: Emitter, node: ir.Node) -> None:
    """MAX_POOL_2D; pads beyond SAME are the lowest number, or 0 where the input is never negative (PAD is faster than PADV2)."""
    w, x = _window(node), _input(e, node)
    if any(len(v.uses()) or v.is_graph_output() for v in node.outputs[1:]):
        raise Refused("its second output, the indices, is used")
    padded, mode = apply_padding(e, x, w, 0.0 if never_negative(x) else _LOWEST)
    _bind(e, node, _pool(e, node, padded, w, mode))


def emit_average_pool(e: Emitter, node: ir.Node) -> None:
    """AVERAGE_POOL_2D; where TFLite's divisor is another than ONNX's, a MUL by the map of quotients follows."""
    w, x = _window(node), _input(e, node)
    counts, area = _counts(w, bool(attr(node, "count_include_pad", 0))), w.kernel[0] * w.kernel[1]
    if e.int8 and 1 < area <= _MAX_TAPS:
        padded, mode = apply_padding(e, x, w)
        out, divided = _average(e, node, padded, w, mode), False
    else:
        same = w.padded and w.same and np.array_equal(counts, _counts(w, False))
        padded, mode = apply_padding(e, x, w, same=same)
        out, divided = _pool(e, node, padded, w, mode), mode == "SAME"
    if not divided and (counts != area).any():
        mean = out
        out = e.emit("MUL", [mean, e.constant((area / counts)[..., None].astype(np.float32))], out.shape)
        mean.like = out if e.int8 else None  # the quotients are 1 and more
    _bind(e, node, out)


def _average(e: Emitter, node: ir.Node, x: TfTensor, w: Window, mode: str) -> TfTensor:
    """The sum over a window, zeros beyond the edge, divided by its area: a depthwise convolution."""
    shape = physical(shape_of(node.outputs[0]), spatial(len(shape_of(node.outputs[0]))))
    channels = x.shape[-1]
    weights = e.constant(np.full((1, *w.kernel, channels), 1 / (w.kernel[0] * w.kernel[1]), np.float32))
    options = {"padding": mode, "strideH": w.strides[0], "strideW": w.strides[1], "dilationHFactor": 1, "dilationWFactor": 1}
    inputs = [x, weights, e.constant(np.zeros(channels, np.float32))]
    return e.emit("DEPTHWISE_CONV_2D", inputs, shape, **options, depthMultiplier=1)


def _window(node: ir.Node) -> Window:
    kernel = attr(node, "kernel_shape")
    if len(kernel) > 2:
        raise Refused(f"it pools {len(kernel)} axes; one and two are known")
    w = window(node, kernel)
    if w.dilations != (1, 1):
        raise Refused(f"its dilation is {w.dilations}; pools without dilation are known")
    return w


def _input(e: Emitter, node: ir.Node) -> TfTensor:
    x = node.inputs[0]
    assert x is not None
    return e.get(x, spatial(len(shape_of(x))))


def _pool(e: Emitter, node: ir.Node, x: TfTensor, w: Window, mode: str) -> TfTensor:
    kind = "MAX_POOL_2D" if node.op_type == "MaxPool" else "AVERAGE_POOL_2D"
    shape = physical(shape_of(node.outputs[0]), spatial(len(shape_of(node.outputs[0]))))
    return e.emit(
        kind, [x], shape, padding=mode, strideH=w.strides[0], strideW=w.strides[1], filterHeight=w.kernel[0], filterWidth=w.kernel[1]
    )


def _bind(e: Emitter, node: ir.Node, out: TfTensor) -> None:
    e.bind(node.outputs[0], out, spatial(len(shape_of(node.outputs[0]))))


def _counts(w: Window, include: bool) -> Array:
    """ONNX's divisor at every output place, (height, width): taps on the input, or on the input and its declared pads."""
    sides = []
    for i in range(2):
        start = np.arange(w.out[i]) * w.strides[i] - w.begin[i]
        low, high = (-w.begin[i], w.size[i] + w.declared_end[i]) if include else (0, w.size[i])
        sides.append(np.minimum(start + w.kernel[i], high) - np.maximum(start, low))
    return np.outer(*sides)
