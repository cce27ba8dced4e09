"""Softmax, normalisations and reductions."""

import math

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats.ncnn.elementwise import BINARY
from exporter.formats.ncnn.emitter import MAX_AXES, Emitter, UnsupportedError, axis_of, constants, dims, integers
from exporter.formats.ncnn.layer import Blob, Param, raw
from exporter.graph import attr, const_input

REDUCE = {
    "ReduceSum": 0, "ReduceSumSquare": 2, "ReduceMean": 3, "ReduceMax": 4, "ReduceMin": 5, "ReduceProd": 6, "ReduceL1": 7,
    "ReduceL2": 8, "ReduceLogSum": 9, "ReduceLogSumExp": 10,
}  # fmt: skip
"""Reduction's numbers."""


def emit_softmax(e: Emitter, node: ir.Node) -> None:
    """Softmax along one axis."""
    x, axis = _along(e, node)
    e.put(node.outputs[0], e.emit("Softmax", [x], x.shape, {0: axis, 1: 1}))


def emit_log_softmax(e: Emitter, node: ir.Node) -> None:
    """d - log(sum(exp(d))) with d = x - max(x): the logarithm of ncnn's Softmax would lose what is near 0."""
    x, axis = _along(e, node)
    e.note("ncnn has no LogSoftmax: four layers")
    largest = reduce(e, x, REDUCE["ReduceMax"], (axis,), name=f"{x.name}_largest")
    below = e.emit("BinaryOp", [x, largest], x.shape, {0: BINARY["Sub"]}, name=f"{x.name}_below")
    total = reduce(e, below, REDUCE["ReduceLogSumExp"], (axis,), name=f"{x.name}_total")
    e.put(node.outputs[0], e.emit("BinaryOp", [below, total], x.shape, {0: BINARY["Sub"]}))


def _along(e: Emitter, node: ir.Node) -> tuple[Blob, int]:
    """The input in a shape of at most four axes, and the node's axis in it."""
    value = node.inputs[0]
    assert value is not None
    shape = dims(value)
    axis = axis_of(int(attr(node, "axis", -1)), len(shape) + 1)
    if len(shape) <= MAX_AXES:
        return e.shaped(value), axis
    return e.reshaped(e.blob(value), (math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))), 1


def reduce(e: Emitter, x: Blob, operation: int, axes: tuple[int, ...], *, name: str | None = None) -> Blob:
    """Reduction that keeps the reduced axes as 1."""
    shape = [1 if i in axes else n for i, n in enumerate(x.shape)]
    return e.emit("Reduction", [x], shape, {0: operation, 1: 0, 2: 1.0, 3: axes, 4: 1, 5: 1}, name=name)


def emit_reduce(e: Emitter, node: ir.Node) -> None:
    """ReduceMean, ReduceSum, ReduceMax, ...; dropping the axes is a matter of shape alone."""
    value = node.inputs[0]
    assert value is not None
    rank = len(dims(value)) + 1
    given = attr(node, "axes", ())
    axes = integers(node, 1, "axes") if const_input(node, 1) is not None else [int(a) for a in given]
    if not axes:
        if attr(node, "noop_with_empty_axes", 0):
            e.put(node.outputs[0], e.blob(value))
            return
        raise UnsupportedError("reduces over the batch axis")
    own = tuple(sorted(axis_of(a, rank) for a in axes))
    x = e.shaped(value)
    e.put(node.outputs[0], reduce(e, x, REDUCE[node.op_type], own))


def emit_layer_norm(e: Emitter, node: ir.Node) -> None:
    """LayerNorm over the last axes, as rows of a matrix."""
    value = node.inputs[0]
    assert value is not None
    shape = dims(value)
    axis = axis_of(int(attr(node, "axis", -1)), len(shape) + 1)
    inner, outer = math.prod(shape[axis:]), math.prod(shape[:axis])
    gamma = np.broadcast_to(constants(node, 1, "scale"), shape[axis:]).reshape(-1)
    beta = const_input(node, 2)
    beta = np.zeros(inner) if beta is None else np.broadcast_to(beta, shape[axis:]).reshape(-1)
    x = e.blob(value)
    if not (len(x.shape) == 1 and outer == 1) and not (x.shape[-1] == inner and len(x.shape) > 1):
        x = e.reshaped(x, (outer, inner))
    params: dict[int, Param] = {0: inner, 1: float(attr(node, "epsilon", 1e-5)), 2: 1}
    e.put(node.outputs[0], e.emit("LayerNorm", [x], x.shape, params, [raw(gamma), raw(beta)]))


def emit_instance_norm(e: Emitter, node: ir.Node) -> None:
    """InstanceNorm on a map of three axes."""
    value = node.inputs[0]
    assert value is not None
    shape = dims(value)
    x = e.shaped(value) if len(shape) == 3 else e.reshaped(e.blob(value), (shape[0], 1, math.prod(shape[1:])))
    gamma, beta = constants(node, 1, "scale"), constants(node, 2, "bias")
    params: dict[int, Param] = {0: shape[0], 1: float(attr(node, "epsilon", 1e-5)), 2: 1}
    e.put(node.outputs[0], e.emit("InstanceNorm", [x], x.shape, params, [raw(gamma), raw(beta)]))


def emit_group_norm(e: Emitter, node: ir.Node) -> None:
    """GroupNorm; opset 20 has one scale a group, 21 one a channel."""
    value = node.inputs[0]
    assert value is not None
    shape = dims(value)
    groups = int(attr(node, "num_groups"))
    x = e.shaped(value) if len(shape) == 3 else e.reshaped(e.blob(value), (shape[0], 1, math.prod(shape[1:])))
    gamma, beta = (_a_channel(constants(node, i, "scale and bias"), shape[0]) for i in (1, 2))
    params: dict[int, Param] = {0: groups, 1: shape[0], 2: float(attr(node, "epsilon", 1e-5)), 3: 1}
    e.put(node.outputs[0], e.emit("GroupNorm", [x], x.shape, params, [raw(gamma), raw(beta)]))


def _a_channel(array: Array, channels: int) -> Array:
    return np.repeat(array, channels // array.size)


def emit_lrn(e: Emitter, node: ir.Node) -> None:
    """Local response normalisation across channels."""
    size = int(attr(node, "size"))
    if size % 2 == 0:
        raise UnsupportedError(f"has an even size {size}; ncnn's window is symmetric")
    x = e.shaped(node.inputs[0])
    params: dict[int, Param] = {
        0: 0, 1: size, 2: float(attr(node, "alpha", 1e-4)), 3: float(attr(node, "beta", 0.75)), 4: float(attr(node, "bias", 1.0)),
    }  # fmt: skip
    e.put(node.outputs[0], e.emit("LRN", [x], x.shape, params))


def emit_lp_normalisation(e: Emitter, node: ir.Node) -> None:
    """X divided by its length along an axis."""
    x, axis = _along(e, node)
    length = reduce(e, x, REDUCE["ReduceL2" if int(attr(node, "p", 2)) == 2 else "ReduceL1"], (axis,), name=f"{x.name}_length")
    e.put(node.outputs[0], e.emit("BinaryOp", [x, length], x.shape, {0: BINARY["Div"]}))
