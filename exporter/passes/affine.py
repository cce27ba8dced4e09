"""A scale and a shift a channel, y = s * x + t, worked into the weights of the layer before or after.

Weights are computed in float64 and rounded once, in blocks (a dense layer may have 400 MB), element by element: no matrix product, whose
bytes would depend on threads.
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import Graph, attr, const, const_input, sole_consumer
from exporter.passes.rewrite import flushed, rank_of, set_weight

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Affine:
    """y = scale * x + shift; both of shape (channels,), float64."""

    scale: Array
    shift: Array


def batch_norm_affine(node: ir.Node) -> Affine | None:
    """A BatchNormalization as scale and shift; None when its statistics are computed."""
    found = [const_input(node, i) for i in range(1, 5)]
    if any(a is None for a in found):
        return None
    gamma, beta, mean, variance = (np.asarray(a, np.float64) for a in found)
    scale = gamma / np.sqrt(variance + attr(node, "epsilon", 1e-5))
    return Affine(scale, beta - mean * scale)


def binary_affine(node: ir.Node) -> Affine | None:
    """A Mul or Add with one number, or one a channel, as scale and shift; None for others."""
    y, constant = node.outputs[0], const_input(node, 1)
    if constant is None or constant.dtype != np.float32 or y.shape is None or len(y.shape) < 2:
        return None
    if node.inputs[0] is None or node.inputs[0].shape != y.shape:
        return None
    width = y.shape[1]
    vector = _per_channel(constant, len(y.shape), width) if isinstance(width, int) else None
    if vector is None:
        return None
    return Affine(vector, np.zeros_like(vector)) if node.op_type == "Mul" else Affine(np.ones_like(vector), vector)


def _per_channel(constant: Array, rank: int, width: int) -> Array | None:
    if constant.ndim > rank:
        return None
    dims = (1,) * (rank - constant.ndim) + constant.shape
    if constant.size not in (1, width) or (constant.size == width != 1 and dims[1] != width):
        return None
    return np.ascontiguousarray(np.broadcast_to(constant.reshape(-1), (width,)), np.float64)


def into_producer(graph: Graph, node: ir.Node, affine: Affine) -> bool:
    """Scale what a Conv, ConvTranspose or Gemm puts out; False when its weights or bias are computed."""
    weights, bias = const_input(node, 1), _bias(node)
    if weights is None or bias is None:
        return False
    scale = affine.scale
    factor = _grouped(node, weights, scale) if node.op_type == "ConvTranspose" else _column(scale, weights.ndim)
    if (scale != 1).any():
        set_weight(graph, node, 1, scaled(weights, factor))
    _set_bias(graph, node, bias * scale + affine.shift)
    return True


def into_consumer(graph: Graph, node: ir.Node, affine: Affine) -> bool:
    """Scale what a Conv, ConvTranspose or Gemm takes in; False when it cannot be: computed weights, or a shift beside zero padding."""
    weights, bias = const_input(node, 1), _bias(node)
    shifts = bool(affine.shift.any())
    if weights is None or bias is None or (shifts and (node.op_type == "ConvTranspose" or any(attr(node, "pads", ())))):
        return False
    if node.op_type == "Gemm":
        repeat = weights.shape[1] // affine.scale.size
        scale, shift = (np.repeat(v, repeat)[None, :] for v in (affine.scale, affine.shift))
    elif node.op_type == "ConvTranspose":
        scale, shift = (_column(v, weights.ndim) for v in (affine.scale, affine.shift))
    else:
        scale, shift = (_grouped(node, weights, v) for v in (affine.scale, affine.shift))
    if shifts:
        _set_bias(graph, node, bias + _summed(weights, shift))
    set_weight(graph, node, 1, scaled(weights, scale))
    return True


def layer_before(value: ir.Value | None) -> ir.Node | None:
    """The Conv, ConvTranspose or Gemm whose result nobody else reads, or None."""
    node = value.producer() if value is not None else None
    if node is None or value is None or node.op_type not in ("Conv", "ConvTranspose", "Gemm") or node.domain:
        return None
    return node if sole_consumer(value) is not None else None


def layer_after(value: ir.Value) -> ir.Node | None:
    """The Conv, ConvTranspose or Gemm that alone reads a value, directly or (Gemm) flattened, or None."""
    node = sole_consumer(value)
    if node is not None and node.op_type == "Reshape" and rank_of(node.outputs[0]) == 2 and rank_of(value) > 2:
        node = sole_consumer(node.outputs[0])
        if node is None or node.op_type != "Gemm":
            return None
    if node is None or node.op_type not in ("Conv", "ConvTranspose", "Gemm") or node.domain:
        return None
    return None if any(v is value for v in node.inputs[1:]) else node


def scaled(weights: Array, factor: Array) -> Array:
    """float32(weights * factor), subnormals flushed; factor broadcasts to the weights and has 1 or all rows."""
    result = np.empty(weights.shape, np.float32)
    rows = max(1, _BLOCK // max(1, weights[0].size))
    for i in range(0, len(weights), rows):
        part = factor if len(factor) == 1 else factor[i : i + rows]
        result[i : i + rows] = flushed(weights[i : i + rows] * part)
    return result


def _summed(weights: Array, shift: Array) -> Array:
    """Per output channel, the sum of weights * shift over all else; the shift as in `scaled`."""
    rows = range(len(weights))
    return np.array([(weights[i] * (shift[0] if len(shift) == 1 else shift[i])).sum(dtype=np.float64) for i in rows])


def _column(vector: Array, rank: int) -> Array:
    return vector.reshape(-1, *(1,) * (rank - 1))


def _grouped(node: ir.Node, weights: Array, vector: Array) -> Array:
    """One number for every (row, column) of grouped weights: rows of group q get the q-th part of the vector."""
    group = attr(node, "group", 1)
    table = np.repeat(vector.reshape(group, -1), weights.shape[0] // group if group > 1 else 1, axis=0)
    return table.reshape(*table.shape, *(1,) * (weights.ndim - 2))


def _bias(node: ir.Node) -> Array | None:
    """The bias in float64, zeros where there is none; None when it is computed."""
    value = node.inputs[2] if len(node.inputs) > 2 else None
    if value is not None:
        array = const(value)
        return None if array is None else array.astype(np.float64)
    weights = const_input(node, 1)
    if weights is None:
        return None
    width = weights.shape[1] * attr(node, "group", 1) if node.op_type == "ConvTranspose" else weights.shape[0]
    return np.zeros(width)


def _set_bias(graph: Graph, node: ir.Node, bias: Array) -> None:
    if len(node.inputs) > 2 or bias.any():
        set_weight(graph, node, 2, flushed(bias), f"{node.outputs[0].name}_bias")
