"""The Relu that a quantized file leaves to its integers.

Where a range begins at 0, QuantizeLinear cuts off what is negative, and quantizers drop the Relu or Clip before it: the numbers are the
same. Without the pair they are not, so the activation is put back before pairs are taken out.

Source: onnxruntime, python/tools/quantization/operators/activation.py (QDQRemovableActivation).
"""

import numpy as np
import onnx_ir as ir

from exporter.graph import const
from exporter.graph.strip import affine_of

SIGNED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Sub", "BatchNormalization"})
"""Operators that an activation may have stood behind: their numbers have either sign."""

RELU6 = 6.0
"""A range from 0 to it, to one step, is a Relu6's; other ends are only the largest number that was seen."""


def restore_clamps(graph: ir.Graph) -> None:
    """Put a Relu, or a Clip from 0 to 6, before each QuantizeLinear that does its work; what the graph computes stays the same."""
    for node in list(graph):
        value = node.inputs[0] if node.op_type == "QuantizeLinear" else None
        maker = value.producer() if value is not None else None
        if value is None or maker is None or maker.op_type not in SIGNED or any(const(v) is None for v in node.inputs[1:] if v is not None):
            continue
        how = affine_of(node)
        low, high = how.limits
        if how.axis is None and int(how.zero_point) == low:
            _clamp(graph, node, value, abs((high - low) * float(how.scale) - RELU6) <= float(how.scale))


def _clamp(graph: ir.Graph, quantize: ir.Node, value: ir.Value, six: bool) -> None:
    name = f"{value.name}__clamped"
    ends = [_constant(graph, f"{name}_{i}", end) for i, end in enumerate((0.0, RELU6))] if six else []
    clamp = ir.node("Clip" if six else "Relu", [value, *ends], name=name)
    out = clamp.outputs[0]
    out.name, out.shape, out.type = name, value.shape, ir.TensorType(ir.DataType.FLOAT)
    graph.insert_before(quantize, clamp)
    quantize.replace_input_with(0, out)


def _constant(graph: ir.Graph, name: str, number: float) -> ir.Value:
    tensor = ir.Tensor(np.array(number, np.float32), name=name)
    value = ir.Value(name=name, shape=ir.Shape(()), type=ir.TensorType(ir.DataType.FLOAT), const_value=tensor)
    graph.register_initializer(value)
    return value
