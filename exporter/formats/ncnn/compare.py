"""Comparisons and choices. ncnn knows no booleans: true is 1.0, false 0.0, made by its Threshold layer."""

import numpy as np
import onnx_ir as ir

from exporter.formats.ncnn.elementwise import BINARY, aligned, broadcast, scalar
from exporter.formats.ncnn.emitter import Emitter, UnsupportedError, dims
from exporter.formats.ncnn.layer import FLOAT_MAX, Blob
from exporter.graph import attr, const

Sized = tuple[Blob, tuple[int, ...]]


def emit_comparison(e: Emitter, node: ir.Node) -> None:
    """a > b as a - b > 0; the others turned round or negated. NaN compares as false or true, not always as ONNX has it."""
    out = dims(node.outputs[0])
    a, b = (_operand(e, value, out) for value in node.inputs)
    if node.op_type in ("Less", "GreaterOrEqual"):
        a, b = b, a
    over = broadcast(e, a, b, out, BINARY["Sub"], name=f"{a[0].name}_over")
    if node.op_type == "Equal":
        over = e.emit("UnaryOp", [over], over.shape, {0: 0}, name=f"{over.name}_size")
    found = e.emit("Threshold", [over], over.shape, {0: 0.0})
    negated = node.op_type in ("LessOrEqual", "GreaterOrEqual", "Equal")
    e.put(node.outputs[0], _not(e, found) if negated else found)


def emit_logic(e: Emitter, node: ir.Node) -> None:
    """And as a product, Or as the larger, Xor as the distance, Not as 1 - x."""
    out = dims(node.outputs[0])
    operands = [_operand(e, value, out) for value in node.inputs]
    if node.op_type == "Not":
        e.put(node.outputs[0], _not(e, operands[0][0]))
        return
    op = {"And": "Mul", "Or": "Max", "Xor": "Sub"}[node.op_type]
    made = broadcast(e, operands[0], operands[1], out, BINARY[op])
    e.put(node.outputs[0], e.emit("UnaryOp", [made], made.shape, {0: 0}) if op == "Sub" else made)


def emit_where(e: Emitter, node: ir.Node) -> None:
    """c a + (1 - c) b."""
    out = dims(node.outputs[0])
    chosen, a, b = (_operand(e, value, out) for value in node.inputs)
    e.note("both branches of Where are computed, and must be finite")
    first = broadcast(e, chosen, a, out, BINARY["Mul"], name=f"{a[0].name}_if")
    zero = const(node.inputs[2])
    if zero is not None and not zero.any() and first.shape == out:
        e.put(node.outputs[0], first)
        return
    other = (_not(e, chosen[0]), chosen[1])
    second = broadcast(e, other, b, out, BINARY["Mul"], name=f"{b[0].name}_else")
    shapes = [s if len(s) == len(out) else out for s in (first.shape, second.shape)]
    e.put(node.outputs[0], broadcast(e, (first, shapes[0]), (second, shapes[1]), out, BINARY["Add"]))


def emit_cast(e: Emitter, node: ir.Node) -> None:
    """From bool to float the numbers stay; a float is true where it is not 0."""
    value, target = node.inputs[0], node.outputs[0]
    kinds = {ir.DataType.FLOAT, ir.DataType.BOOL}
    if value is None or value.dtype not in kinds or target.dtype not in kinds:
        raise UnsupportedError(f"casts to {target.dtype}; ncnn computes in floats")
    if value.dtype == ir.DataType.FLOAT and target.dtype == ir.DataType.BOOL:
        size = e.emit("UnaryOp", [e.blob(value)], dims(value), {0: 0}, name=f"{value.name}_size")
        e.put(target, e.emit("Threshold", [size], size.shape, {0: 0.0}))
        return
    e.put(target, e.blob(value))


def emit_thresholded_relu(e: Emitter, node: ir.Node) -> None:
    """x where x > alpha, else 0."""
    x, shape = e.blob(node.inputs[0]), dims(node.outputs[0])
    above = e.emit("Threshold", [x], x.shape, {0: float(attr(node, "alpha", 1.0))})
    e.put(node.outputs[0], broadcast(e, (x, shape), (above, shape), shape, BINARY["Mul"]))


def _operand(e: Emitter, value: ir.Value | None, out: tuple[int, ...]) -> Sized:
    """A value, or a constant made finite, with its shape."""
    array = const(value)
    if value is None or array is None:
        return e.blob(value), dims(value) if value is not None else ()
    array = np.clip(aligned(array.astype(np.float32), len(out)), -FLOAT_MAX, FLOAT_MAX)
    return e.constant(array), array.shape


def _not(e: Emitter, x: Blob) -> Blob:
    return scalar(e, x, 7, 1.0, name=f"{x.name}_not")
