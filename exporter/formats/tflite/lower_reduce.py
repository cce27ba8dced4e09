"""Reductions, normalisations composed of them, and batch norm that stayed."""

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats.tflite.emitter import Emitter, Refused
from exporter.formats.tflite.layout import physical, plain, spatial
from exporter.formats.tflite.lower_elementwise import broadcast_constant, depthwise_affine
from exporter.formats.tflite.ops import Axes, TfTensor
from exporter.graph import attr, const_input, shape_of

REDUCE = {
    "ReduceMean": "MEAN", "ReduceSum": "SUM", "ReduceMax": "REDUCE_MAX", "ReduceMin": "REDUCE_MIN", "ReduceProd": "REDUCE_PROD",
    "ReduceL1": "SUM", "ReduceL2": "SUM", "ReduceSumSquare": "SUM",
}  # fmt: skip


def emit_reduce(e: Emitter, node: ir.Node) -> None:
    """The reductions of the table REDUCE."""
    x, y = node.inputs[0], node.outputs[0]
    assert x is not None
    tensor, axes = e.where(x)
    rank, names = len(shape_of(x)), const_input(node, 1)
    if names is None and len(node.inputs) > 1 and node.inputs[1] is not None:
        raise Refused("its axes are computed, constants are needed")
    over = {int(a) % rank for a in (attr(node, "axes", ()) if names is None else names)} or set(range(rank))
    if node.op_type in {"ReduceL2", "ReduceSumSquare"}:
        tensor = e.emit("MUL", [tensor, tensor], tensor.shape)
    if node.op_type == "ReduceL1":
        tensor = e.emit("ABS", [tensor], tensor.shape)
    out, order = _reduce(e, tensor, axes, over, REDUCE[node.op_type], keep=bool(attr(node, "keepdims", 1)))
    if node.op_type == "ReduceL2":
        out = e.emit("SQRT", [out], out.shape)
    e.bind(y, out, order)


def emit_global_pool(e: Emitter, node: ir.Node) -> None:
    """MEAN or REDUCE_MAX over all spatial axes."""
    x = node.inputs[0]
    assert x is not None
    tensor, axes = e.where(x)
    kind = "MEAN" if node.op_type == "GlobalAveragePool" else "REDUCE_MAX"
    e.bind(node.outputs[0], *_reduce(e, tensor, axes, set(range(2, len(shape_of(x)))), kind, keep=True))


def _reduce(e: Emitter, x: TfTensor, axes: Axes, over: set[int], kind: str, *, keep: bool) -> tuple[TfTensor, Axes]:
    places = [i for i, a in enumerate(axes) if a in over or a < 0]
    shape = [1 if i in places else d for i, d in enumerate(x.shape)]
    if keep:
        return e.emit(kind, [x, e.ints(places)], shape, keepDims=True), axes
    left = sorted({a for a in axes if a >= 0} - over)
    order = tuple(left.index(a) for a in axes if a >= 0 and a not in over)
    shape = [d for i, d in enumerate(x.shape) if i not in places]
    return e.emit(kind, [x, e.ints(places)], shape, keepDims=False), order


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
    mean, _ = _reduce(e, tensor, axes, over, "MEAN", keep=True)
    centred = e.emit("SUB", [tensor, mean], tensor.shape)
    variance, _ = _reduce(e, e.emit("MUL", [centred, centred], tensor.shape), axes, over, "MEAN", keep=True)
    steady = e.emit("ADD", [variance, e.scalar(float(attr(node, "epsilon", 1e-5)))], variance.shape)
    out = e.emit("MUL", [centred, e.emit("RSQRT", [steady], steady.shape)], tensor.shape)
    out = e.emit("MUL", [out, e.constant(broadcast_constant(scale, rank, axes))], tensor.shape)
    if bias is not None:
        out = e.emit("ADD", [out, e.constant(broadcast_constant(bias, rank, axes))], tensor.shape)
    assert out.shape == physical(shape_of(x), axes)
    e.bind(node.outputs[0], out, axes)
