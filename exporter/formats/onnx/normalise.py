"""BatchNormalization between integers as a convolution of one weight a channel, for which there is an integer kernel.

    Given:   y = Q(BatchNormalization(DQ(x), gamma, beta, mean, var))
    Result:  y = Q(Conv(DQ(x), DQ(w), DQ(b), group = channels)),   a = gamma / sqrt(var + eps),  w = +-q * (|a| / q),
             b = beta - mean * a, in steps of s_x * |a| / q,   q of 64 to 127

The weights are exact whatever q; each channel takes the q at which its bias is nearest to a whole number of steps.
"""

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import Graph, add_constant, attr, const_input, sole_consumer
from exporter.graph.qdq import Affine
from exporter.graph.strip import affine_of

_LARGEST = 2.0**30
"""Of stored biases."""

_STORED = np.arange(64, 128)
"""Weights to choose from: 64 of them bring a bias 64 times nearer to its step than one does."""


def normalise_by_conv(graph: Graph) -> None:
    """Rewrite every BatchNormalization of a map between integers, in place."""
    for node in graph.nodes:
        if node.op_type == "BatchNormalization" and len(node.outputs) == 1:
            how, factors = _input(node), _factors(node)
            after = sole_consumer(node.outputs[0])
            if how is not None and factors is not None and after is not None and after.op_type == "QuantizeLinear":
                _rewrite(graph, node, how, *factors)


def _input(node: ir.Node) -> Affine | None:
    """How the input is stored, where it is a map that comes out of a pair of one scale."""
    x = node.inputs[0]
    maker = x.producer() if x is not None else None
    if x is None or maker is None or maker.op_type != "DequantizeLinear" or len(x.shape or ()) != 4:
        return None
    how = affine_of(maker)
    return how if how.axis is None else None


def _factors(node: ir.Node) -> tuple[Array, Array] | None:
    """a and b of a x + b, float64, (channels,)."""
    parts = [const_input(node, i) for i in range(1, 5)]
    if any(p is None for p in parts):
        return None
    gamma, beta, mean, var = (p.astype(np.float64) for p in parts if p is not None)
    a = gamma / np.sqrt(var + attr(node, "epsilon", 1e-5))
    return a, beta - mean * a


def _rewrite(graph: Graph, node: ir.Node, how: Affine, a: Array, b: Array) -> None:
    size = np.where(np.abs(a) > 0, np.abs(a), np.abs(a).max(initial=0.0) or 1.0)
    steps = b * _STORED[:, None] / (float(how.scale) * size)
    if (np.abs(steps) > _LARGEST).any():
        return
    best = np.argmin(np.abs(steps - np.rint(steps)) / _STORED[:, None], axis=0)
    scale, steps = size / _STORED[best], steps[best, np.arange(len(a))]
    name = str(node.outputs[0].name)
    weight = _stored(graph, node, f"{name}_weight", np.rint(a / scale).astype(np.int8).reshape(-1, 1, 1, 1), scale)
    bias = _stored(graph, node, f"{name}_shift", np.rint(steps).astype(np.int32), scale * float(how.scale))
    node.op_type = "Conv"
    node.attributes.clear()
    node.attributes["group"] = ir.AttrInt64("group", len(a))
    node.attributes["kernel_shape"] = ir.AttrInt64s("kernel_shape", [1, 1])
    node.resize_inputs(3)
    node.replace_input_with(1, weight)
    node.replace_input_with(2, bias)


def _stored(graph: Graph, before: ir.Node, name: str, array: Array, scale: Array) -> ir.Value:
    """A constant in integers and its DequantizeLinear."""
    parts = [(f"{name}__q", array), (f"{name}__scale", scale.astype(np.float32)), (f"{name}__zero", np.zeros(len(scale), array.dtype))]
    node = ir.node("DequantizeLinear", [add_constant(graph, n, a) for n, a in parts], {"axis": 0}, name=f"{name}__dequantize")
    out = node.outputs[0]
    out.name, out.shape, out.type = name, ir.Shape(array.shape), ir.TensorType(ir.DataType.FLOAT)
    graph.model.graph.insert_before(before, node)
    return out
