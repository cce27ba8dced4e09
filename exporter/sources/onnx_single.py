"""A double-precision ONNX model in single precision: onnxruntime has no double Conv, so the reference of such a file runs thus."""

from typing import Any

import numpy as np


def in_single_precision(model: Any) -> Any:
    """A copy of an onnx.ModelProto with float32 wherever it says float64."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    _graph(copy.graph)
    return copy


def _graph(graph: Any) -> None:
    from onnx import TensorProto

    for tensor in graph.initializer:
        _tensor(tensor)
    for info in (*graph.input, *graph.output, *graph.value_info):
        if info.type.tensor_type.elem_type == TensorProto.DOUBLE:
            info.type.tensor_type.elem_type = TensorProto.FLOAT
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name == "to" and attribute.i == TensorProto.DOUBLE:
                attribute.i = TensorProto.FLOAT
            if attribute.HasField("t"):
                _tensor(attribute.t)
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                _graph(inner)


def _tensor(tensor: Any) -> None:
    from onnx import TensorProto, numpy_helper

    if tensor.data_type == TensorProto.DOUBLE:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))
