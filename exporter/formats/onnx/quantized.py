"""A quantized Graph as onnxruntime reads it best: every pair next to the layer that takes it in, nothing left that a pair says already."""

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats.onnx.integer import is_clamp, is_move
from exporter.formats.onnx.normalise import normalise_by_conv
from exporter.graph import Graph, add_constant, const, insert_node, shape_of, sole_consumer
from exporter.graph.qdq import Affine, same
from exporter.graph.strip import affine_of

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"


Gone = dict[ir.Value, tuple[ir.Value, Affine]]
"""Rounded values that are gone: the integers that hold them, and how."""


def arrange(graph: Graph) -> Gone:
    """Prepare a quantized graph for its file, in place; what it computes stays the same, up to ties of the rounding."""
    gone: Gone = {}
    for node in graph.nodes:
        if node.op_type == QUANTIZE and _is_told_twice(node):
            _skip(graph, node)
    normalise_by_conv(graph)
    for node in graph.nodes:
        if node.op_type == "Pad" and is_move(node):
            _pad_integers(graph, node, gone)
    for node in graph.nodes:
        if node.op_type in _ROUNDED_UNASKED and _looks_unfinished(node):
            _leave_float(graph, node, gone)
    return gone


_ROUNDED_UNASKED = ("Conv", "ConvTranspose", "Gemm")
"""Layers whose float weights onnxruntime rounds, one scale for all, where their input comes out of a pair and their output goes into one
(WeightBiasQuantization): a layer that was kept float would lose more than it does in int8."""


def _looks_unfinished(node: ir.Node) -> bool:
    """Whether a layer has float weights, or a float bias, and a rounded input."""
    x = node.inputs[0]
    maker = x.producer() if x is not None else None
    rounded = maker is not None and maker.op_type == DEQUANTIZE and affine_of(maker).axis is None
    return rounded and any(const(v) is not None and v is not None and v.dtype == ir.DataType.FLOAT for v in node.inputs[1:])


def _leave_float(graph: Graph, node: ir.Node, gone: Gone) -> None:
    """Give a layer a DequantizeLinear of its own with the same scale for each channel: what has many scales is left alone."""
    x = node.inputs[0]
    maker = x.producer() if x is not None else None
    assert x is not None
    assert maker is not None
    shape = shape_of(x)
    axis = next((i for i, d in enumerate(shape) if i and d > 1), None)
    if axis is None:
        return
    how, name = affine_of(maker), f"{x.name}__float"
    parts = [add_constant(graph, f"{name}_{k}", np.full(shape[axis], a)) for k, a in (("scale", how.scale), ("zero", how.zero_point))]
    own = insert_node(graph, node, DEQUANTIZE, [maker.inputs[0], *parts], name, axis=axis)
    own.shape = x.shape
    node.replace_input_with(0, own)
    _remove_unread_pair(graph, maker, gone)


def _skip(graph: Graph, quantize: ir.Node) -> None:
    """Let a QuantizeLinear read what the Relu or Clip before it reads."""
    value = quantize.inputs[0]
    clamp = value.producer() if value is not None else None
    assert clamp is not None
    quantize.replace_input_with(0, clamp.inputs[0])
    _remove_unread(graph, clamp)


def _pad_integers(graph: Graph, pad: ir.Node, gone: Gone) -> None:
    """Pad with the zero point: onnxruntime would go through float, as its rules for pairs leave Pad out."""
    before, after = pad.inputs[0].producer() if pad.inputs[0] is not None else None, sole_consumer(pad.outputs[0])
    if before is None or after is None or before.op_type != DEQUANTIZE or after.op_type != QUANTIZE:
        return
    if not same(affine_of(before), affine_of(after)) or len(before.inputs) < 3:
        return
    pad.resize_inputs(max(3, len(pad.inputs)))
    pad.replace_input_with(0, before.inputs[0])
    pad.replace_input_with(2, before.inputs[2])
    stored, out = after.outputs[0], pad.outputs[0]
    name, out.type = stored.name, stored.type
    stored.replace_all_uses_with(out)
    graph.model.graph.remove(after, safe=True)
    out.name = name
    _remove_unread_pair(graph, before, gone)


def _remove_unread_pair(graph: Graph, dequantize: ir.Node, gone: Gone) -> None:
    real, integers = dequantize.outputs[0], dequantize.inputs[0]
    if not real.uses() and not real.is_graph_output() and integers is not None:
        gone[real] = integers, affine_of(dequantize)
    _remove_unread(graph, dequantize)


def _remove_unread(graph: Graph, node: ir.Node) -> None:
    if not node.outputs[0].uses() and not node.outputs[0].is_graph_output():
        graph.model.graph.remove(node, safe=True)


def _is_told_twice(quantize: ir.Node) -> bool:
    """Whether the numbers that a QuantizeLinear has end where the Relu or Clip before it ends: rounding is monotonous, so it cuts alike."""
    x = quantize.inputs[0]
    clamp = x.producer() if x is not None else None
    if clamp is None or not is_clamp(clamp):
        return False
    how = affine_of(quantize)
    if how.axis is not None:
        return False
    low, high = how.limits
    least, most = _ends(clamp)
    return bool(how.quantize(least) == low and how.quantize(most) == high)


def _ends(clamp: ir.Node) -> tuple[Array, Array]:
    if clamp.op_type == "Relu":
        return np.array(0.0), np.array(np.inf)
    least, most = (const(clamp.inputs[i]) if i < len(clamp.inputs) else None for i in (1, 2))
    return np.array(-np.inf if least is None else least.item()), np.array(np.inf if most is None else most.item())
