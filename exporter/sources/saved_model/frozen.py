"""A TensorFlow function as a graph of operators, through tf2onnx; big weights go around it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from exporter.array import Array

BIG = 1 << 24
"""Weights of so many bytes go around tf2onnx, whose steps keep many copies: VGG16 takes it more than 16 GB."""


def to_onnx(function: Any, opset: int, pictures: Sequence[str]) -> tuple[Any, dict[str, Array]]:
    """Translate a concrete function.

    Args:
        function: A concrete function; its inputs are tensors by position.
        opset: The operator set to write.
        pictures: Names of those inputs that become channels first, e.g. "x:0".

    Returns:
        The onnx.ModelProto, and the arrays of those initializers whose data it lacks, by name.
    """
    import tf2onnx
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False, aggressive_inlining=True)
    inputs, outputs = [t.name for t in frozen.inputs], [t.name for t in frozen.outputs]
    graph = frozen.graph.as_graph_def(add_shapes=True)
    del frozen
    weights = _take_out(graph)
    proto, _ = tf2onnx.convert.from_graph_def(
        graph, input_names=[*inputs, *weights], output_names=outputs, opset=opset, inputs_as_nchw=list(pictures) or None,
        tensors_to_rename={n: n.removesuffix(":0") for n in inputs},
    )  # fmt: skip
    _as_initializers(proto.graph, weights)
    return proto, weights


def _take_out(graph: Any) -> dict[str, Array]:
    """Turn every big constant of a GraphDef into a placeholder; their arrays by tensor name."""
    import tensorflow as tf

    taken = {}
    for node in graph.node:
        tensor = node.attr["value"].tensor if node.op == "Const" else None
        if tensor is None or len(tensor.tensor_content) < BIG or tensor.dtype != tf.float32.as_datatype_enum:
            continue
        shape = [d.size for d in tensor.tensor_shape.dim]
        taken[f"{node.name}:0"] = np.frombuffer(tensor.tensor_content, np.float32).reshape(shape)
        node.op = "Placeholder"
        del node.attr["value"]
        node.attr["shape"].shape.CopyFrom(tf.TensorShape(shape).as_proto())
    return taken


def _as_initializers(graph: Any, weights: Mapping[str, Array]) -> None:
    """Those inputs that stand for weights become initializers without data."""
    from onnx import TensorProto

    kept = [i for i in graph.input if i.name not in weights]
    del graph.input[:]
    graph.input.extend(kept)
    graph.initializer.extend(TensorProto(name=n, dims=a.shape, data_type=TensorProto.FLOAT) for n, a in weights.items())
