"""Weights in 8 or 4 bits of a graph that computes in float, and products that quantize their input as they run.

    int8-weights:  w = s * q, one scale an output channel. Products read it through DequantizeLinear, which onnxruntime takes into the
                   kernel (MatMulNBits, which rounds the input to int8 by blocks unless told otherwise); other layers through Cast and
                   Mul, computed once, at load: a DequantizeLinear of constants would run at every inference.
    int4-weights:  products only, one scale for 32 numbers of an input's run (blocks; opset 21).
    int8-dynamic:  products in integers, the input's scale from its own range each time; a ConvInteger is 3 times slower than a float Conv
                   on x86, so other layers have int8 weights.

Source: https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html, onnxruntime's docs/ContribOperators.md
"""

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.errors import UnsupportedOpError
from exporter.formats.onnx.dense import biased, constant, dense_layers
from exporter.formats.points import Weights
from exporter.graph import Graph, attr, const, insert_node

WEIGHT_PRECISIONS = ("int8-weights", "int4-weights", "int8-dynamic")

OPSET_INT4 = 21
"""The first with numbers of 4 bits and scales by blocks."""

BLOCK = 32
"""Numbers that share a scale in 4 bits."""

FEWEST = 256
"""Weights of fewer numbers stay float: their scales would cost what is saved."""

_OTHERS = {"Conv": 0, "ConvTranspose": 1}
"""Layers that are no products, and the axis of their weights that has a scale each."""


def store_weights(graph: Graph, precision: str) -> None:
    """Store a float graph's weights in integers, in place.

    Raises:
        UnsupportedOpError: If the graph has no layer for it.
    """
    layers = [(node, weight) for node, weight in dense_layers(graph) if weight.size >= FEWEST]
    if precision == "int4-weights":
        layers = [(node, weight) for node, weight in layers if weight.shape[0] >= BLOCK]
    if not layers and precision != "int8-weights":
        what = f"no dense layer of {FEWEST} weights or more" + (f" and {BLOCK} inputs" if precision == "int4-weights" else "")
        raise UnsupportedOpError(f"{precision}: {graph.name} has {what}", hint="take int8 or int8-weights")
    for node, weight in layers:
        {"int8-weights": _byte_product, "int4-weights": _nibble_product, "int8-dynamic": _dynamic_product}[precision](graph, node, weight)
    if precision != "int4-weights":
        for value in list(graph.model.graph.initializers.values()):
            _store_other(graph, value)
    _drop_unread(graph)


def channel_scale(weight: Array, axis: int) -> Array:
    """max|w| / 127 along an axis, float32 of shape (channels,); 1 where all are 0."""
    largest = np.abs(weight.astype(np.float64)).max(axis=tuple(i for i in range(weight.ndim) if i != axis), initial=0.0)
    return np.where(largest > 0, np.maximum(largest / 127, np.finfo(np.float32).tiny), 1.0).astype(np.float32)


def rounded(weight: Array, scale: Array) -> Array:
    """To the nearest int8 from -127; the scale is broadcast."""
    result: Array = np.clip(np.rint(weight / scale.astype(np.float64)), -127, 127).astype(np.int8)
    return result


def _byte_product(graph: Graph, node: ir.Node, weight: Array) -> None:
    """DequantizeLinear with one scale an output, then MatMul."""
    name, scale = str(node.inputs[1].name if node.inputs[1] else ""), channel_scale(weight, 1)
    parts = [constant(graph, f"{name}_int8", rounded(weight, scale)), constant(graph, f"{name}_scale", scale)]
    real = insert_node(graph, node, "DequantizeLinear", parts, f"{name}_real", axis=1)
    real.shape = ir.Shape(weight.shape)
    biased(graph, node, insert_node(graph, node, "MatMul", [node.inputs[0], real], f"{node.outputs[0].name}_product"), apart=True)


def _nibble_product(graph: Graph, node: ir.Node, weight: Array) -> None:
    """DequantizeLinear by blocks of the inputs, then MatMul."""
    import ml_dtypes

    name = str(node.inputs[1].name if node.inputs[1] else "")
    stored, scale = by_blocks(weight)
    parts = [constant(graph, f"{name}_int4", stored.astype(ml_dtypes.int4)), constant(graph, f"{name}_scale", scale)]
    real = insert_node(graph, node, "DequantizeLinear", parts, f"{name}_real", axis=0, block_size=BLOCK)
    real.shape = ir.Shape(weight.shape)
    biased(graph, node, insert_node(graph, node, "MatMul", [node.inputs[0], real], f"{node.outputs[0].name}_product"), apart=True)


def by_blocks(weight: Array) -> tuple[Array, Array]:
    """Weights (in, out) in -8 to 7, int8, and a scale a block, (blocks, out): of a few scales the one with the least squared error."""
    rows = -(-weight.shape[0] // BLOCK)
    padded = np.zeros((rows * BLOCK, weight.shape[1]), np.float32)
    padded[: weight.shape[0]] = weight
    blocks = padded.reshape(rows, BLOCK, -1)
    largest = np.abs(blocks).max(axis=1)
    best, scale = np.full(largest.shape, np.inf), np.ones(largest.shape, np.float32)
    for share in np.linspace(0.7, 1.0, 7):
        tried = np.where(largest > 0, np.maximum(largest * share / 7, np.finfo(np.float32).tiny), 1).astype(np.float32)
        error = ((np.clip(np.rint(blocks / tried[:, None]), -8, 7) * tried[:, None] - blocks) ** 2).sum(axis=1)
        scale, best = np.where(error < best, tried, scale), np.minimum(error, best)
    stored = np.clip(np.rint(blocks / scale[:, None]), -8, 7).astype(np.int8)
    return stored.reshape(rows * BLOCK, -1)[: weight.shape[0]], scale


def _dynamic_product(graph: Graph, node: ir.Node, weight: Array) -> None:
    """y = MatMulInteger(q(x), w) * (s_x * s_w): onnxruntime runs the four as one kernel."""
    x, y = node.inputs[0], str(node.outputs[0].name)
    name = str(node.inputs[1].name if node.inputs[1] else "")
    scale = np.maximum(channel_scale(weight, 1), Weights(y, "", name, 1, pairs=(0,)).least_scale(weight))
    stored, factor = constant(graph, f"{name}_int8", rounded(weight, scale)), constant(graph, f"{name}_scale", scale)
    zero = constant(graph, f"{name}_zero", np.zeros(scale.shape, np.int8))
    quantize = ir.node("DynamicQuantizeLinear", [x], num_outputs=3, name=f"{y}_quantize")
    kinds = (ir.DataType.UINT8, ir.DataType.FLOAT, ir.DataType.UINT8)
    shapes = (x.shape if x is not None else None, ir.Shape([]), ir.Shape([]))
    for out, role, kind, shape in zip(quantize.outputs, ("q", "s", "z"), kinds, shapes, strict=True):
        out.name, out.type, out.shape = f"{y}_input_{role}", ir.TensorType(kind), shape
    graph.model.graph.insert_before(node, quantize)
    q, s, z = quantize.outputs
    sums = insert_node(graph, node, "MatMulInteger", [q, stored, z, zero], f"{y}_sums")
    sums.type = ir.TensorType(ir.DataType.INT32)
    whole = insert_node(graph, node, "Cast", [sums], f"{y}_numbers", to=int(ir.DataType.FLOAT))
    factors = insert_node(graph, node, "Mul", [s, factor], f"{y}_factors")
    sums.shape = whole.shape = node.outputs[0].shape
    factors.shape = ir.Shape(scale.shape)
    biased(graph, node, insert_node(graph, node, "Mul", [whole, factors], f"{y}_product"))


def _store_other(graph: Graph, value: ir.Value) -> None:
    """Weights of layers that are no products: Cast and Mul."""
    readers = {u.op_type for u, i in value.uses() if i == 1}
    array = const(value)
    if array is None or array.size < FEWEST or array.dtype != np.float32 or not value.uses():
        return
    if len(readers) != 1 or len(value.uses()) != sum(i == 1 for _, i in value.uses()) or not readers <= _OTHERS.keys():
        return
    first = value.consumers()[0]
    axis = _OTHERS[first.op_type] if attr(first, "group", 1) == 1 else 0
    scale = channel_scale(array, axis).reshape([-1 if i == axis else 1 for i in range(array.ndim)])
    stored = constant(graph, f"{value.name}_int8", rounded(array, scale))
    front = graph.nodes[0]
    cast = insert_node(graph, front, "Cast", [stored], f"{value.name}_numbers", to=int(ir.DataType.FLOAT))
    factor = constant(graph, f"{value.name}_scale", scale)
    real = insert_node(graph, front, "Mul", [cast, factor], f"{value.name}_real")
    cast.shape = real.shape = ir.Shape(array.shape)
    value.replace_all_uses_with(real)


def _drop_unread(graph: Graph) -> None:
    for name, value in list(graph.model.graph.initializers.items()):
        if not value.uses() and not value.is_graph_output():
            del graph.model.graph.initializers[name]
