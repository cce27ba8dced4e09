"""A quantized Graph as onnxruntime reads it best: every pair next to the layer that takes it in, nothing left that a pair says already."""

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats.onnx.integer import is_clamp
from exporter.graph import Graph, const
from exporter.graph.qdq import affine_of

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"


def arrange(graph: Graph) -> None:
    """Prepare a quantized graph for its file, in place; what it computes stays the same number for number."""
    for node in graph.nodes:
        if node.op_type == QUANTIZE and _is_told_twice(node):
            clamp = node.inputs[0].producer() if node.inputs[0] is not None else None
            assert clamp is not None
            assert clamp.inputs[0] is not None
            node.replace_input_with(0, clamp.inputs[0])
            if not clamp.outputs[0].uses() and not clamp.outputs[0].is_graph_output():
                graph.model.graph.remove(clamp, safe=True)


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
