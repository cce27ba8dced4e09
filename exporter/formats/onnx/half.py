"""float16 weights and arithmetic, float32 at the borders."""

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import Graph, unique_name

_FLOAT_INPUTS = {"Resize": (1, 2)}
"""Inputs that the standard keeps float32: Resize's region and scales."""

_BLOCK = 1 << 18
_LIMIT = float(np.finfo(np.float16).max)


def halve(graph: Graph) -> None:
    """Make a graph compute in float16, in place: weights rounded, a Cast behind each input and before each output."""
    body = graph.model.graph
    kept = {id(n.inputs[i]) for n in body for i in _FLOAT_INPUTS.get(n.op_type, ()) if i < len(n.inputs) and n.inputs[i] is not None}
    for value in body.initializers.values():
        tensor = value.const_value
        if tensor is not None and tensor.dtype == ir.DataType.FLOAT and id(value) not in kept:
            value.const_value = ir.tensor(_rounded(tensor.numpy()), name=value.name)
            value.type = ir.TensorType(ir.DataType.FLOAT16)
    for node in body:
        for out in node.outputs:
            if out.dtype == ir.DataType.FLOAT:
                out.type = ir.TensorType(ir.DataType.FLOAT16)
    for value in list(body.inputs):
        _cast_behind(graph, value)
    for index, value in enumerate(list(body.outputs)):
        _cast_before(graph, index, value)


def _rounded(array: Array) -> Array:
    """To the nearest float16, by blocks; finite values stay finite."""
    result = np.empty(array.size, np.float16)
    flat = array.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        part = flat[start : start + _BLOCK]
        if np.isfinite(part).all():
            part = np.clip(part, -_LIMIT, _LIMIT)
        else:
            part = np.where(np.isfinite(part), np.clip(part, -_LIMIT, _LIMIT), part)
        result[start : start + _BLOCK] = part
    return result.reshape(array.shape)


def _cast_behind(graph: Graph, value: ir.Value) -> None:
    if value.dtype != ir.DataType.FLOAT:
        return
    node = ir.node("Cast", [None], {"to": int(ir.DataType.FLOAT16)}, name=f"{value.name}_half")
    half = node.outputs[0]
    half.name, half.shape, half.type = unique_name(graph, f"{value.name}_half"), value.shape, ir.TensorType(ir.DataType.FLOAT16)
    value.replace_all_uses_with(half)
    node.replace_input_with(0, value)
    graph.model.graph.insert_before(graph.model.graph[0], node)


def _cast_before(graph: Graph, index: int, value: ir.Value) -> None:
    if value.dtype != ir.DataType.FLOAT16:
        return
    body, name = graph.model.graph, value.name
    node = ir.node("Cast", [value], {"to": int(ir.DataType.FLOAT)}, name=f"{name}_float")
    body.append(node)
    body.outputs[index] = node.outputs[0]
    value.name = unique_name(graph, f"{name}_half")
    node.outputs[0].name, node.outputs[0].shape, node.outputs[0].type = name, value.shape, ir.TensorType(ir.DataType.FLOAT)
