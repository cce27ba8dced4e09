"""Dense layers and matrix products."""

import numpy as np
import onnx_ir as ir

from exporter.formats.tflite.emitter import Emitter, Refused, origin_of
from exporter.formats.tflite.layout import physical, plain, wide
from exporter.formats.tflite.lower_conv import bias_of
from exporter.formats.tflite.ops import Axes, TfTensor
from exporter.graph import attr, const_input, shape_of


def emit_gemm(e: Emitter, node: ir.Node) -> None:
    """FULLY_CONNECTED; the columns of the weights are permuted where the input was flattened from channels last."""
    x, y, weights = node.inputs[0], node.outputs[0], const_input(node, 1)
    assert x is not None
    if weights is None or attr(node, "transA", 0) or attr(node, "alpha", 1.0) != 1 or attr(node, "beta", 1.0) != 1:
        raise Refused("constant weights, transA 0, alpha 1 and beta 1 are needed")
    weights = weights if attr(node, "transB", 0) else weights.T
    flat = e.flat.get(x)
    columns = weights if flat is None else flat.columns(weights)
    tensor = e.get(x, plain(2)) if flat is None else e.held[x][0]
    dense = e.constant(columns, f"{y.name}_weights", weights.shape)
    dense.origin = origin_of(node.inputs[1], 0 if attr(node, "transB", 0) else 1, np.arange(len(weights)))
    e.bind(y, e.emit("FULLY_CONNECTED", [tensor, dense, bias_of(e, node, len(weights))], shape_of(y)), plain(2))


def emit_matmul(e: Emitter, node: ir.Node) -> None:
    """FULLY_CONNECTED over the last axis where the right side is a constant matrix, else BATCH_MATMUL."""
    x, right = node.inputs[0], const_input(node, 1)
    assert x is not None
    if min(len(shape_of(v)) for v in node.inputs if v is not None) < 2:
        raise Refused("one side has rank 1, matrices are needed")
    if right is not None and right.ndim == 2 and const_input(node, 0) is None:
        _dense(e, node, x, right)
    else:
        _batch_matmul(e, node)


def _dense(e: Emitter, node: ir.Node, x: ir.Value, weights: np.ndarray) -> None:
    y, (_, axes) = node.outputs[0], e.where(x)
    rank, shape = len(shape_of(x)), shape_of(x)
    last = rank - 1
    order = (*(a for a in axes if a not in {last, -1}), last)
    order = plain(rank) if wide(shape, order) == wide(shape, plain(rank)) else order
    bias = e.constant(np.zeros(weights.shape[1], np.float32), f"{y.name}_bias")
    dense = e.constant(weights.T, f"{y.name}_weights")
    dense.origin = origin_of(node.inputs[1], 1, np.arange(weights.shape[1]))
    inputs = [e.get(x, order), dense, bias]
    options = {"keepNumDims": True} if rank > 2 else {}
    e.bind(y, e.emit("FULLY_CONNECTED", inputs, physical(shape_of(y), order), **options), order)


def _batch_matmul(e: Emitter, node: ir.Node) -> None:
    left, right, y = node.inputs[0], node.inputs[1], node.outputs[0]
    assert left is not None
    assert right is not None
    a, adj_x = _matrix(e, left)
    b, adj_y = _matrix(e, right)
    e.bind(y, e.emit("BATCH_MATMUL", [a, b], shape_of(y), adjX=adj_x, adjY=adj_y), plain(len(shape_of(y))))


def _matrix(e: Emitter, value: ir.Value) -> tuple[TfTensor, bool]:
    """The operand, and whether it lies transposed: saves a TRANSPOSE."""
    rank = len(shape_of(value))
    swapped: Axes = (*range(rank - 2), rank - 1, rank - 2)
    if value in e.held and value not in e.flat:
        _, axes = e.held[value]
        shape = shape_of(value)
        if wide(shape, axes) == wide(shape, swapped) != wide(shape, plain(rank)):
            return e.get(value, swapped), True
    return e.get(value, plain(rank)), False
