"""Element-wise ops of two inputs, with ONNX's broadcasting."""

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats.tflite.emitter import Emitter, origin_of
from exporter.formats.tflite.fuse import unary_axes
from exporter.formats.tflite.gates import gate_of
from exporter.formats.tflite.layout import NHWC, physical
from exporter.formats.tflite.ops import Axes, TfTensor
from exporter.graph import const, const_input, shape_of

BINARY = {"Add": "ADD", "Sub": "SUB", "Mul": "MUL", "Div": "DIV", "Max": "MAXIMUM", "Min": "MINIMUM", "Pow": "POW"}
"""ONNX op to TFLite op."""


def emit_binary(e: Emitter, node: ir.Node) -> None:
    """In the layout of the larger operand; the other is brought to it."""
    inputs, y = [v for v in node.inputs if v is not None], node.outputs[0]
    if len(inputs) == 1:
        e.bind(y, *e.where(inputs[0]))
        return
    gate = gate_of(node) if e.int8 else None
    if gate is not None:  # of its input's order, whatever that is
        tensor, axes = unary_axes(e, node)
        e.bind(y, e.emit("MUL", [tensor, e.held[gate][0]], tensor.shape), axes)
        return
    kind, rank = BINARY[node.op_type], len(shape_of(y))
    axes = common_axes(e, inputs, rank)
    operands = [operand(e, v, rank, axes) for v in inputs]
    shape = physical(shape_of(y), axes)
    if kind in {"ADD", "MUL", "MAXIMUM", "MINIMUM"} and operands[0].data is not None:
        operands.reverse()
    if kind == "ADD" and _scale_and_shift(e, y, operands, axes, shape):
        return
    if kind == "ADD" and _dense_bias(e, y, operands, axes, shape):
        return
    if e.int8 and kind == "DIV" and operands[1].data is not None:  # TFLite has no DIV in int8
        kind, operands[1] = "MUL", e.constant((1 / operands[1].data).astype(np.float32), operands[1].name)
    operands = [_as_scalar(e, t) if any(o.shape == shape for o in operands if o is not t) else t for t in operands]
    out = operands[0]
    for other in operands[1:]:
        out = e.emit(kind, [out, other], shape)
    e.bind(y, out, axes)


def common_axes(e: Emitter, inputs: list[ir.Value], rank: int) -> Axes:
    """The order of the largest computed operand's axes, with ONNX's missing axes in front."""
    computed = [v for v in inputs if const(v) is None]
    if not computed:
        return tuple(range(rank))
    largest = max(computed, key=lambda v: (len(shape_of(v)), int(np.prod(shape_of(v)))))
    _, axes = e.where(largest)
    more = rank - len(shape_of(largest))
    return tuple(range(more)) + tuple(a + more if a >= 0 else a for a in axes)


def operand(e: Emitter, value: ir.Value, rank: int, axes: Axes) -> TfTensor:
    """A value brought to a rank and an order of axes, as numpy broadcasting wants it."""
    data = const(value)
    if data is not None:
        made = e.constant(broadcast_constant(data.astype(np.float32, copy=False), rank, axes), str(value.name))
        made.origin = origin_of(value)
        return made
    tensor, own = e.where(value)
    shape = shape_of(value)
    more = rank - len(shape)
    lifted = tuple(range(more)) + tuple(a + more if a >= 0 else a for a in own)
    return e.permute(tensor, (1,) * more + shape, lifted, axes)


def broadcast_constant(data: Array, rank: int, axes: Axes) -> Array:
    """A constant in the order `axes`, leading axes of length 1 left out."""
    full = data.reshape((1,) * (rank - data.ndim) + data.shape)
    moved = full.transpose([a for a in axes if a >= 0]).reshape(physical(full.shape, axes))
    while moved.ndim > 1 and moved.shape[0] == 1:
        moved = moved[0]
    return moved.reshape(1) if moved.ndim == 0 else moved


def _as_scalar(e: Emitter, t: TfTensor) -> TfTensor:
    """A constant of equal elements as one number: XNNPACK is slow where it repeats a short last axis."""
    if t.data is None or t.data.size == 0 or not (t.data == t.data.flat[0]).all():
        return t
    made = e.constant(t.data.reshape(-1)[:1].reshape(()), t.name)
    made.origin = t.origin
    return made


def _scale_and_shift(e: Emitter, y: ir.Value, operands: list[TfTensor], axes: Axes, shape: tuple[int, ...]) -> bool:
    """x * a + b with a and b one a channel: one depthwise 1x1 convolution (one pass over memory, and better for int8)."""
    x, shift = operands[0], operands[1].data
    op = x.producer
    if shift is None or op is None or op.kind != "MUL" or op.activation or not e.sole(x) or x.shape != shape or len(shape) != 4:
        return False
    scale, channels = op.inputs[1].data, shape[-1]
    if scale is None or max(scale.size, shift.size) == 1 or tuple(a for a in axes if a >= 0) not in {NHWC, (0, 2, 1)}:
        return False
    if any(c.size != 1 and c.shape[-1:] != (c.size,) for c in (scale, shift)):
        return False
    depthwise_affine(e, op.inputs[0], *(np.broadcast_to(c.reshape(-1), channels) for c in (scale, shift)), y=y, axes=axes)
    return True


def depthwise_affine(e: Emitter, x: TfTensor, scale: Array, shift: Array, *, y: ir.Value, axes: Axes) -> None:
    """y = x * scale + shift over the last axis of a rank-4 tensor."""
    options = {"padding": "VALID", "strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1, "depthMultiplier": 1}
    weights = e.constant(scale.astype(np.float32).reshape(1, 1, 1, -1), f"{y.name}_scale")
    inputs = [x, weights, e.constant(shift.astype(np.float32), f"{y.name}_shift")]
    e.bind(y, e.emit("DEPTHWISE_CONV_2D", inputs, x.shape, **options), axes)


def _dense_bias(e: Emitter, y: ir.Value, operands: list[TfTensor], axes: Axes, shape: tuple[int, ...]) -> bool:
    """The Add after a MatMul with weights is its bias."""
    x, shift = operands[0], operands[1].data
    op = x.producer
    if shift is None or op is None or op.kind != "FULLY_CONNECTED" or op.activation or not e.sole(x) or x.shape != shape:
        return False
    bias = op.inputs[2].data
    if bias is None or shift.size not in {1, shape[-1]} or shift.shape[-1] != shift.size:
        return False
    free = not bias.any() and shift.shape == bias.shape
    op.inputs[2] = e.constant((bias + shift.ravel()).astype(np.float32), op.inputs[2].name)
    op.inputs[2].origin = operands[1].origin if free else None
    e.take_over(y, x, axes)
    return True


def emit_pow(e: Emitter, node: ir.Node) -> None:
    """x² as MUL, square roots as SQRT and RSQRT, else POW."""
    exponent, x = const_input(node, 1), node.inputs[0]
    assert x is not None
    power = float(exponent.reshape(())) if exponent is not None and exponent.size == 1 else None
    if power not in {2.0, 0.5, -0.5} or shape_of(x) != shape_of(node.outputs[0]):
        emit_binary(e, node)
        return
    tensor, axes = e.where(x)
    inputs = [tensor, tensor] if power == 2 else [tensor]
    e.bind(node.outputs[0], e.emit({2.0: "MUL", 0.5: "SQRT", -0.5: "RSQRT"}[power], inputs, tensor.shape), axes)


def emit_expand(e: Emitter, node: ir.Node) -> None:
    """BROADCAST_TO."""
    x, y = node.inputs[0], node.outputs[0]
    assert x is not None
    _, own = e.where(x)
    rank = len(shape_of(y))
    more = rank - len(shape_of(x))
    axes = tuple(range(more)) + tuple(a + more if a >= 0 else a for a in own)
    shape = physical(shape_of(y), axes)
    tensor = operand(e, x, rank, axes)
    e.bind(y, tensor if tensor.shape == shape else e.emit("BROADCAST_TO", [tensor, e.ints(shape)], shape), axes)
