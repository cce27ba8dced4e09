"""Faults of onnxruntime's own optimisations that a file has to go around, so that it is right under default options too.

onnxruntime (1.31 and before) merges a Pad with zeros into the MaxPool behind it, whose own padding is minus infinity: wrong where all of a
window is negative. It does not where the value is not exactly 0.
"""

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import Graph, add_constant, attr, const, sole_consumer

_ALMOST_ZERO = {ir.DataType.FLOAT: np.finfo(np.float32).tiny, ir.DataType.FLOAT16: np.finfo(np.float16).smallest_subnormal}
"""The least number that stays apart from 0: what it adds is below the rounding of any result."""


def go_around(graph: Graph) -> None:
    """Change what onnxruntime would get wrong, in place."""
    for node in graph.nodes:
        if node.op_type == "Pad" and attr(node, "mode", "constant") == "constant" and _pads_zero(node):
            reader = sole_consumer(node.outputs[0])
            kind = node.outputs[0].dtype
            if reader is not None and reader.op_type == "MaxPool" and kind in _ALMOST_ZERO:
                _pad_with(graph, node, np.array(_ALMOST_ZERO[kind]))


def _pads_zero(node: ir.Node) -> bool:
    value = node.inputs[2] if len(node.inputs) > 2 else None
    number = const(value)
    return value is None or (number is not None and not number.any())


def _pad_with(graph: Graph, node: ir.Node, number: Array) -> None:
    node.resize_inputs(max(3, len(node.inputs)))
    node.replace_input_with(2, add_constant(graph, f"{node.outputs[0].name}_value", number))
