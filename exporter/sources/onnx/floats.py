"""One element type: half and double become float32, and integer inputs that are only cast to float are float32 at once."""

import numpy as np
import onnx_ir as ir

from exporter.errors import SourceError
from exporter.graph import attr
from exporter.sources.onnx.walk import named

OTHER_FLOATS = (ir.DataType.FLOAT16, ir.DataType.DOUBLE, ir.DataType.BFLOAT16)

MOVERS = {"Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Slice", "Split", "Concat", "Pad", "Expand"}
"""Operators that keep every number as it is, whatever its type."""


def to_float32(model: ir.Model) -> None:
    """Make the graph float32 in place.

    Raises:
        SourceError: If an integer input is used as a number of its own kind (an index, integer arithmetic); names the node.
    """
    graph = model.graph
    for value in graph.inputs:
        if value.dtype is not None and not value.dtype.is_floating_point():
            _as_float(value, value.name or "")
    for value in [*graph.inputs, *graph.initializers.values(), *(v for node in graph for v in node.outputs)]:
        if value.dtype in OTHER_FLOATS:
            value.type = ir.TensorType(ir.DataType.FLOAT)
        tensor = value.const_value
        if tensor is not None and tensor.dtype in OTHER_FLOATS:
            value.const_value = ir.Tensor(tensor.numpy().astype(np.float32), name=value.name)
    for node in graph:
        if node.op_type == "Cast" and attr(node, "to") in OTHER_FLOATS:
            node.attributes["to"] = ir.AttrInt64("to", int(ir.DataType.FLOAT))


def _as_float(value: ir.Value, source: str) -> None:
    """Let an integer input, or what is moved from it, be float32 down to its casts."""
    value.type = ir.TensorType(ir.DataType.FLOAT)
    for node in value.consumers():
        if node.op_type == "Cast" and ir.DataType(attr(node, "to")).is_floating_point():
            continue
        if node.op_type not in MOVERS or node.domain:
            raise SourceError(
                f"input {source} holds integers that {named(node)} works on as such: "
                "of integer inputs only those that are cast to float are exported",
                hint="export the model with a float32 input, or start behind that node with --inputs",
            )
        for output in node.outputs:
            _as_float(output, source)
