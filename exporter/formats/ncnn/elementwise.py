"""Element-wise layers: activations, arithmetic of two tensors, per-channel scale and bias."""

import math

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats.ncnn.emitter import MAX_AXES, Emitter, UnsupportedError, constants, dims
from exporter.formats.ncnn.layer import FLOAT_MAX, Blob, Param, raw
from exporter.graph import attr, const

Sized = tuple[Blob, tuple[int, ...]]
"""A blob and the shape of its value, without batch."""

BINARY = {"Add": 0, "Sub": 1, "Mul": 2, "Div": 3, "Max": 4, "Min": 5, "Pow": 6}
"""BinaryOp's numbers."""

REVERSED = {1: 7, 3: 8, 6: 9}
"""BinaryOp's number with the operands exchanged, where that is another operation."""

UNARY = {
    "Abs": 0, "Neg": 1, "Floor": 2, "Ceil": 3, "Sqrt": 5, "Exp": 7, "Log": 8, "Sin": 9, "Cos": 10, "Tan": 11, "Asin": 12,
    "Acos": 13, "Atan": 14, "Reciprocal": 15, "Round": 18, "Sign": 20,
}  # fmt: skip
"""UnaryOp's numbers."""

PLAIN = {"Sigmoid": "Sigmoid", "Tanh": "TanH", "Mish": "Mish", "Erf": "Erf", "Relu": "ReLU"}
"""Layers without parameters."""


def apply(e: Emitter, node: ir.Node, kind: str, params: dict[int, Param] | None = None) -> None:
    """A layer that works on each element, in whatever shape the blob has."""
    x = e.blob(node.inputs[0])
    e.put(node.outputs[0], e.emit(kind, [x], x.shape, params))


def emit_plain(e: Emitter, node: ir.Node) -> None:
    """An activation without parameters."""
    apply(e, node, PLAIN[node.op_type])


def emit_unary(e: Emitter, node: ir.Node) -> None:
    """Abs, Neg, Sqrt, ..."""
    apply(e, node, "UnaryOp", {0: UNARY[node.op_type]})


def emit_leaky_relu(e: Emitter, node: ir.Node) -> None:
    """ReLU with a slope."""
    apply(e, node, "ReLU", {0: float(attr(node, "alpha", 0.01))})


def emit_clip(e: Emitter, node: ir.Node) -> None:
    """Clip, one-sided ones too."""
    bounds = [-np.inf, np.inf]
    for i in (1, 2):
        if i < len(node.inputs) and node.inputs[i] is not None:
            bounds[i - 1] = float(constants(node, i, "bound").reshape(-1)[0])
    low, high = (float(np.clip(b, -FLOAT_MAX, FLOAT_MAX)) for b in bounds)
    apply(e, node, "Clip", {0: low, 1: high})


def emit_elu(e: Emitter, node: ir.Node) -> None:
    """ELU."""
    apply(e, node, "ELU", {0: float(attr(node, "alpha", 1.0))})


def emit_celu(e: Emitter, node: ir.Node) -> None:
    """CELU."""
    apply(e, node, "CELU", {0: float(attr(node, "alpha", 1.0))})


def emit_selu(e: Emitter, node: ir.Node) -> None:
    """SELU."""
    apply(e, node, "SELU", {0: float(attr(node, "alpha", 1.67326319)), 1: float(attr(node, "gamma", 1.05070102))})


def emit_gelu(e: Emitter, node: ir.Node) -> None:
    """GELU, exact or by tanh."""
    apply(e, node, "GELU", {0: int(attr(node, "approximate", "none") == "tanh")})


def emit_hard_sigmoid(e: Emitter, node: ir.Node) -> None:
    """max(0, min(1, alpha x + beta))."""
    apply(e, node, "HardSigmoid", {0: float(attr(node, "alpha", 0.2)), 1: float(attr(node, "beta", 0.5))})


def emit_hard_swish(e: Emitter, node: ir.Node) -> None:
    """X times hard sigmoid with alpha 1/6."""
    apply(e, node, "HardSwish", {0: 1 / 6, 1: 0.5})


def emit_softplus(e: Emitter, node: ir.Node) -> None:
    """Softplus(min(x, 50)) + max(x - 50, 0): ncnn's own layer is infinite from 89 on."""
    x = e.blob(node.inputs[0])
    low = e.emit("Clip", [x], x.shape, {0: -FLOAT_MAX, 1: 50.0}, name=f"{x.name}_low")
    curve = e.emit("Softplus", [low], x.shape, name=f"{x.name}_curve")
    above = scalar(e, x, BINARY["Sub"], 50.0, name=f"{x.name}_above")
    line = e.emit("ReLU", [above], x.shape, name=f"{x.name}_line")
    e.put(node.outputs[0], e.emit("BinaryOp", [curve, line], x.shape, {0: BINARY["Add"]}))


def emit_softsign(e: Emitter, node: ir.Node) -> None:
    """X / (1 + |x|), of three layers."""
    x = e.blob(node.inputs[0])
    size = e.emit("UnaryOp", [x], x.shape, {0: UNARY["Abs"]}, name=f"{x.name}_abs")
    below = scalar(e, size, BINARY["Add"], 1.0, name=f"{x.name}_below")
    e.put(node.outputs[0], e.emit("BinaryOp", [x, below], x.shape, {0: BINARY["Div"]}))


def emit_prelu(e: Emitter, node: ir.Node) -> None:
    """PReLU with one slope a channel, or of three layers for a slope of any other shape."""
    slope = constants(node, 1, "slope")
    x = e.blob(node.inputs[0])
    shape = dims(node.inputs[0]) if node.inputs[0] is not None else ()
    vector = per_channel(slope, shape)
    if vector is not None and x.shape[0] == shape[0]:
        slopes = vector[:1] if slope.size == 1 else vector
        e.put(node.outputs[0], e.emit("PReLU", [x], x.shape, {0: slopes.size}, [raw(slopes)]))
        return
    e.note("a slope that is not one a channel takes four layers")
    x = e.reshaped(x, shape)
    positive = e.emit("ReLU", [x], shape, name=f"{x.name}_positive")
    negative = e.emit("Clip", [x], shape, {0: -FLOAT_MAX, 1: 0.0}, name=f"{x.name}_negative")
    slopes_blob = e.constant(aligned(slope, len(shape)))
    scaled = e.emit("BinaryOp", [negative, slopes_blob], shape, {0: BINARY["Mul"]}, name=f"{x.name}_scaled")
    e.put(node.outputs[0], e.emit("BinaryOp", [positive, scaled], shape, {0: BINARY["Add"]}))


def emit_batch_norm(e: Emitter, node: ir.Node) -> None:
    """y = s x + b with one s and b a channel; computed in double precision."""
    gamma, beta, mean, var = (constants(node, i, "statistics").astype(np.float64) for i in range(1, 5))
    scale = gamma / np.sqrt(var + float(attr(node, "epsilon", 1e-5)))
    x = channels_first(e, node.inputs[0])
    e.put(node.outputs[0], scale_and_bias(e, x, scale, beta - mean * scale))


def emit_binary(e: Emitter, node: ir.Node) -> None:
    """Two tensors, or one and a constant; n-ary Max, Min, Sum as a chain."""
    op = BINARY[node.op_type]
    if len(node.inputs) == 1:
        e.put(node.outputs[0], e.blob(node.inputs[0]))
        return
    if len(node.inputs) > 2:
        raise UnsupportedError(f"has {len(node.inputs)} inputs: split it into pairs")
    a, b = node.inputs
    if const(b) is not None:
        e.put(node.outputs[0], _with_constant(e, node, a, constants(node, 1, "operand"), op))
    elif const(a) is not None:
        e.put(node.outputs[0], _with_constant(e, node, b, constants(node, 0, "operand"), REVERSED.get(op, op)))
    else:
        assert a is not None
        assert b is not None
        e.put(node.outputs[0], broadcast(e, (e.blob(a), dims(a)), (e.blob(b), dims(b)), dims(node.outputs[0]), op))


def _with_constant(e: Emitter, node: ir.Node, value: ir.Value | None, array: Array, op: int) -> Blob:
    assert value is not None
    out = dims(node.outputs[0])
    if array.size == 1 and dims(value) == out:
        number = float(array.reshape(-1)[0])
        if op == BINARY["Pow"] and number == 2:
            x = e.blob(value)
            return e.emit("UnaryOp", [x], x.shape, {0: 4})
        return scalar(e, e.blob(value), op, number)
    vector = per_channel(array, out) if dims(value) == out else None
    if vector is not None and op in (BINARY["Add"], BINARY["Mul"]):
        x = channels_first(e, value)
        ones, zeros = np.ones_like(vector), np.zeros_like(vector)
        return scale_and_bias(e, x, ones, vector) if op == BINARY["Add"] else scale_and_bias(e, x, vector, zeros)
    x, y = _broadcastable(e, e.blob(value), dims(value), array, out)
    return e.emit("BinaryOp", [x, y], _merged(x.shape, y.shape), {0: op})


def _broadcastable(e: Emitter, x: Blob, shape: tuple[int, ...], array: Array, out: tuple[int, ...]) -> tuple[Blob, Blob]:
    """A tensor and a constant as blobs of as many axes, merged where there are more than ncnn has."""
    own, other = _ones_before(shape, len(out)), aligned(array, len(out)).shape
    own, other = _at_most_four(own, other)
    return e.reshaped(x, own), e.constant(array.reshape(other))


def scalar(e: Emitter, x: Blob, op: int, number: float, *, name: str | None = None) -> Blob:
    """BinaryOp with a number."""
    return e.emit("BinaryOp", [x], x.shape, {0: op, 1: 1, 2: float(np.clip(number, -FLOAT_MAX, FLOAT_MAX))}, name=name)


def broadcast(e: Emitter, a: Sized, b: Sized, out: tuple[int, ...], op: int, *, name: str | None = None) -> Blob:
    """BinaryOp of two blobs, each with the shape that its value has.

    ncnn's rules for operands of different ranks are its own, so both get as many axes, but for a gate.
    """
    (x, left), (y, right) = a, b
    if left == right:
        y = e.reshaped(y, x.shape) if len(x.shape) >= len(y.shape) else y
        x = e.reshaped(x, y.shape)
        return e.emit("BinaryOp", [x, y], x.shape, {0: op}, name=name)
    if not (_is_gate(x, left, y, right) or _is_gate(y, right, x, left)):
        own, other = _at_most_four(_ones_before(left, len(out)), _ones_before(right, len(out)))
        x, y = e.reshaped(x, own), e.reshaped(y, other)
    return e.emit("BinaryOp", [x, y], _merged(x.shape, y.shape), {0: op}, name=name)


def _is_gate(gate: Blob, gate_dims: tuple[int, ...], x: Blob, x_dims: tuple[int, ...]) -> bool:
    """(C, 1, 1) kept as a vector, against (C, H, W): ncnn matches a vector with the channels first."""
    return len(x_dims) == 3 and x.shape == x_dims and gate_dims == (x_dims[0], 1, 1) and gate.shape == (x_dims[0],)


def _merged(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of a broadcast; a vector against more axes is a gate."""
    if len(a) != len(b):
        return max(a, b, key=len)
    return tuple(max(m, n) for m, n in zip(a, b, strict=True))


def _ones_before(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    return (1,) * (rank - len(shape)) + shape


def aligned(array: Array, rank: int) -> Array:
    """A constant with exactly `rank` axes: unit axes added in front, or a unit batch axis dropped."""
    while array.ndim > rank and array.shape[0] == 1:
        array = array[0]
    if array.ndim > rank:
        raise UnsupportedError(f"a constant of shape {list(array.shape)} differs along the batch")
    return array.reshape(_ones_before(array.shape, rank))


def _at_most_four(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Both shapes with neighbouring axes merged that broadcast alike, until ncnn can hold them."""
    left, right = list(a), list(b)
    i = len(left) - 1
    while len(left) > MAX_AXES and i > 0:
        alike = (left[i] == right[i]) == (left[i - 1] == right[i - 1])
        same_side = (left[i] == 1) == (left[i - 1] == 1) and (right[i] == 1) == (right[i - 1] == 1)
        if alike and same_side:
            left[i - 1 : i + 1] = [left[i - 1] * left[i]]
            right[i - 1 : i + 1] = [right[i - 1] * right[i]]
        i -= 1
    return tuple(left), tuple(right)


def per_channel(array: Array, shape: tuple[int, ...]) -> Array | None:
    """The constant as one number a channel of a value of `shape` (without batch), or None when it is more than that."""
    if array.ndim > len(shape) + 1:
        return None
    full = array.reshape(_ones_before(array.shape, len(shape) + 1))
    if full.size != full.shape[1] or full.shape[1] not in (1, shape[0]):
        return None
    return np.broadcast_to(full.reshape(-1), (shape[0],))


def channels_first(e: Emitter, value: ir.Value | None) -> Blob:
    """The value as a blob whose first axis is its channels."""
    x = e.blob(value)
    assert value is not None
    shape = dims(value)
    if x.shape[0] == shape[0]:
        return x
    return e.reshaped(x, shape if len(shape) <= MAX_AXES else (shape[0], math.prod(shape[1:])))


def scale_and_bias(e: Emitter, x: Blob, scale: Array, bias: Array) -> Blob:
    """s x + b a channel. ncnn's BatchNorm, because its Scale has no half-precision code on ARM."""
    blocks = [raw(scale), raw(np.zeros(len(scale))), raw(np.ones(len(scale))), raw(bias)]
    return e.emit("BatchNorm", [x], x.shape, {0: len(scale), 1: 0.0}, blocks)
