"""Comparisons, logic and choice: what masks and thresholds are made of."""

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats.tflite.emitter import Emitter, Refused
from exporter.formats.tflite.layout import physical
from exporter.formats.tflite.lower_elementwise import broadcast_constant, common_axes, operand
from exporter.formats.tflite.ops import TfTensor
from exporter.graph import attr, const, shape_of

COMPARE = {
    "Greater": "GREATER", "GreaterOrEqual": "GREATER_EQUAL", "Less": "LESS", "LessOrEqual": "LESS_EQUAL", "Equal": "EQUAL",
    "And": "LOGICAL_AND", "Or": "LOGICAL_OR", "Xor": "NOT_EQUAL",
}  # fmt: skip
"""ONNX op to the TFLite op that gives booleans."""


def _operands(e: Emitter, node: ir.Node) -> tuple[list[TfTensor], tuple[int, ...], tuple[int, ...]]:
    """All inputs in one layout, booleans as booleans; the output's shape in the file and its axes."""
    inputs, y = [v for v in node.inputs if v is not None], node.outputs[0]
    rank = len(shape_of(y))
    axes = common_axes(e, inputs, rank)
    found = []
    for v in inputs:
        data = const(v)
        is_bool = data is not None and data.dtype == np.bool_
        found.append(e.constant(broadcast_constant(_array(data), rank, axes)) if is_bool else operand(e, v, rank, axes))
    return found, physical(shape_of(y), axes), axes


def _array(data: Array | None) -> Array:
    assert data is not None
    return data


def _boolean(tensor: TfTensor) -> TfTensor:
    tensor.computed = "bool"
    return tensor


def emit_compare(e: Emitter, node: ir.Node) -> None:
    """Ops of the table COMPARE."""
    inputs, shape, axes = _operands(e, node)
    e.bind(node.outputs[0], _boolean(e.emit(COMPARE[node.op_type], inputs, shape)), axes)


def emit_is_nan(e: Emitter, node: ir.Node) -> None:
    """What is not equal to itself."""
    inputs, shape, axes = _operands(e, node)
    e.bind(node.outputs[0], _boolean(e.emit("NOT_EQUAL", inputs * 2, shape)), axes)


def emit_not(e: Emitter, node: ir.Node) -> None:
    """LOGICAL_NOT."""
    inputs, shape, axes = _operands(e, node)
    e.bind(node.outputs[0], _boolean(e.emit("LOGICAL_NOT", inputs, shape)), axes)


def emit_where(e: Emitter, node: ir.Node) -> None:
    """SELECT_V2."""
    inputs, shape, axes = _operands(e, node)
    e.bind(node.outputs[0], e.emit("SELECT_V2", inputs, shape), axes)


def emit_thresholded_relu(e: Emitter, node: ir.Node) -> None:
    """x where x > alpha, else 0."""
    x = node.inputs[0]
    assert x is not None
    tensor, axes = e.where(x)
    above = _boolean(e.emit("GREATER", [tensor, e.scalar(float(attr(node, "alpha", 1.0)))], tensor.shape))
    e.bind(node.outputs[0], e.emit("SELECT_V2", [above, tensor, e.scalar(0.0)], tensor.shape), axes)


def emit_cast(e: Emitter, node: ir.Node) -> None:
    """Booleans to float32 and back; float32 to itself is nothing."""
    x, to = node.inputs[0], ir.DataType(int(attr(node, "to")))
    assert x is not None
    tensor, axes = e.where(x)
    source = tensor.dtype.name
    if to == ir.DataType.FLOAT and source == "bool":
        options = {"inDataType": 6, "outDataType": 0}
        tensor = e.emit("CAST", [tensor], tensor.shape, **options)
    elif to == ir.DataType.BOOL and source == "float32":
        tensor = _boolean(e.emit("NOT_EQUAL", [tensor, e.scalar(0.0)], tensor.shape))
    elif to.name.lower() not in {"float", source}:
        raise Refused(f"it casts {source} to {to.name.lower()}; booleans and float32 are known")
    e.bind(node.outputs[0], tensor, axes)
