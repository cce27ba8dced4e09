"""Normalisations, composed of reductions."""

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats.tflite.emitter import Emitter, Refused
from exporter.formats.tflite.layout import NHWC, physical, plain, spatial
from exporter.formats.tflite.lower_elementwise import broadcast_constant, depthwise_affine
from exporter.formats.tflite.lower_reduce import reduce
from exporter.graph import attr, const_input, shape_of


def emit_batch_norm(e: Emitter, node: ir.Node) -> None:
    """A batch norm that could not be folded: a depthwise 1x1 convolution, or MUL and ADD for vectors."""
    x, y = node.inputs[0], node.outputs[0]
    assert x is not None
    found = [const_input(node, i) for i in range(1, 5)]
    if any(c is None for c in found):
        raise Refused("its statistics are computed, constants are needed")
    gamma, beta, mean, variance = (np.asarray(c, np.float64) for c in found)
    scale = gamma / np.sqrt(variance + float(attr(node, "epsilon", 1e-5)))
    shift = (beta - mean * scale).astype(np.float32)
    rank = len(shape_of(x))
    if rank in {3, 4}:
        depthwise_affine(e, e.get(x, spatial(rank)), scale.astype(np.float32), shift, y=y, axes=spatial(rank))
        return
    tensor = e.get(x, plain(rank))
    wide = (-1,) + (1,) * (rank - 2)
    out = e.emit("MUL", [tensor, e.constant(scale.astype(np.float32).reshape(wide))], tensor.shape)
    e.bind(y, e.emit("ADD", [out, e.constant(shift.reshape(wide))], tensor.shape), plain(rank))


def emit_instance_norm(e: Emitter, node: ir.Node) -> None:
    """(x - mean) / sqrt(variance + epsilon) over the spatial axes, then scale and bias one a channel."""
    x = node.inputs[0]
    assert x is not None
    rank = len(shape_of(x))
    tall = (-1,) + (1,) * (rank - 2)
    scale, bias = (None if c is None else c.reshape(tall) for c in (const_input(node, 1), const_input(node, 2)))
    _normalise(e, node, x, set(range(2, rank)), scale=scale, bias=bias)


def emit_layer_norm(e: Emitter, node: ir.Node) -> None:
    """The same over the last axes, from `axis` on."""
    x = node.inputs[0]
    assert x is not None
    rank = len(shape_of(x))
    if any(v.uses() or v.is_graph_output() for v in node.outputs[1:]):
        raise Refused("its second or third output is used")
    _normalise(e, node, x, set(range(int(attr(node, "axis", -1)) % rank, rank)), scale=const_input(node, 1), bias=const_input(node, 2))


def _normalise(e: Emitter, node: ir.Node, x: ir.Value, over: set[int], *, scale: Array | None, bias: Array | None) -> None:
    if scale is None or (bias is None and len(node.inputs) > 2 and node.inputs[2] is not None):
        raise Refused("its scale or bias is computed, constants are needed")
    tensor, axes = e.where(x)
    rank = len(shape_of(x))
    mean, _ = reduce(e, tensor, axes, over, "MEAN", keep=True)
    centred = e.emit("SUB", [tensor, mean], tensor.shape)
    variance, _ = reduce(e, e.emit("MUL", [centred, centred], tensor.shape), axes, over, "MEAN", keep=True)
    steady = e.emit("ADD", [variance, e.scalar(float(attr(node, "epsilon", 1e-5)))], variance.shape)
    out = e.emit("MUL", [centred, e.emit("RSQRT", [steady], steady.shape)], tensor.shape)
    out = e.emit("MUL", [out, e.constant(broadcast_constant(scale, rank, axes))], tensor.shape)
    if bias is not None:
        out = e.emit("ADD", [out, e.constant(broadcast_constant(bias, rank, axes))], tensor.shape)
    assert out.shape == physical(shape_of(x), axes)
    e.bind(node.outputs[0], out, axes)


def emit_lp_norm(e: Emitter, node: ir.Node) -> None:
    """x divided by its length along an axis."""
    x = node.inputs[0]
    assert x is not None
    tensor, axes = e.where(x)
    over = {int(attr(node, "axis", -1)) % len(shape_of(x))}
    if int(attr(node, "p", 2)) == 2:
        squares, _ = reduce(e, e.emit("MUL", [tensor, tensor], tensor.shape), axes, over, "SUM", keep=True)
        length = e.emit("SQRT", [squares], squares.shape)
    else:
        length, _ = reduce(e, e.emit("ABS", [tensor], tensor.shape), axes, over, "SUM", keep=True)
    e.bind(node.outputs[0], e.emit("DIV", [tensor, length], tensor.shape), axes)


def emit_lrn(e: Emitter, node: ir.Node) -> None:
    """LOCAL_RESPONSE_NORMALIZATION over channels; TFLite's alpha is not divided by the window's size."""
    x, size = node.inputs[0], int(attr(node, "size"))
    assert x is not None
    if size % 2 == 0 or len(shape_of(x)) != 4:
        raise Refused(f"its size is {size} and its rank {len(shape_of(x))}; odd sizes of pictures are known")
    tensor = e.get(x, NHWC)
    alpha, beta, bias = (float(attr(node, name, default)) for name, default in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)))
    options = {"radius": size // 2, "bias": bias, "alpha": alpha / size, "beta": beta}
    e.bind(node.outputs[0], e.emit("LOCAL_RESPONSE_NORMALIZATION", [tensor], tensor.shape, **options), NHWC)
