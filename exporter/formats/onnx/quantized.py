"""A quantized Graph as onnxruntime reads it best: every pair next to the layer that takes it in, nothing left that a pair says already."""

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats.onnx.integer import is_clamp, is_move
from exporter.graph import Graph, const, sole_consumer
from exporter.graph.qdq import affine_of, same

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"


def arrange(graph: Graph) -> None:
    """Prepare a quantized graph for its file, in place; what it computes stays the same number for number."""
    for node in graph.nodes:
        if node.op_type == QUANTIZE and _is_told_twice(node):
            _skip(graph, node)
    for node in graph.nodes:
        if node.op_type == "Pad" and is_move(node):
            _pad_integers(graph, node)


def _skip(graph: Graph, quantize: ir.Node) -> None:
    """Let a QuantizeLinear read what the Relu or Clip before it reads."""
    value = quantize.inputs[0]
    clamp = value.producer() if value is not None else None
    assert clamp is not None
    quantize.replace_input_with(0, clamp.inputs[0])
    _remove_unread(graph, clamp)


def _pad_integers(graph: Graph, pad: ir.Node) -> None:
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
    _remove_unread(graph, before)


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
