"""Small Graphs for tests, written as ONNX text."""

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import BATCH, DOMAIN, OPSET, Graph, Port

HEADER = f'<ir_version: 10, opset_import: ["" : {OPSET}, "{DOMAIN}" : 1]>'

SHUFFLE = f"""<opset_import: ["" : {OPSET}], domain: "{DOMAIN}">
ChannelShuffle <group> (x) => (y) {{
    groups = Constant <value_int: int = @group> ()
    axis = Constant <value_ints = [0]> ()
    groups_1d = Unsqueeze (groups, axis)
    each = Constant <value_ints = [-1]> ()
    shape = Shape (x)
    batch = Shape <start = 0, end = 1> (x)
    space = Shape <start = 2> (x)
    split = Concat <axis = 0> (batch, groups_1d, each, space)
    parts = Reshape (x, split)
    turned = Transpose <perm = [0, 2, 1, 3, 4]> (parts)
    y = Reshape (turned, shape)
}}"""
"""The body that a ChannelShuffle node of a test graph gets (rank 4)."""


def graph_from_text(text: str, inits: Mapping[str, Array] | None = None, *, name: str = "test") -> Graph:
    """A Graph from ONNX text: `g (float[N,3,8,8] x) => (float[N,4,6,6] y) { y = Conv (x, w) }`.

    Args:
        text: The graph; our header goes before it. Composites are written `mexport.ChannelShuffle <group = 2> (x)`.
        inits: Arrays of the names that no node makes, e.g. {"w": weights}; float64 becomes float32.
        name: Name of the Graph.

    Returns:
        A Graph with identity ports and the shapes that ONNX's inference finds.
    """
    import onnx.parser
    from onnx import numpy_helper, shape_inference

    proto = onnx.parser.parse_model(f"{HEADER} {text}")
    for key, value in (inits or {}).items():
        array = np.asarray(value)
        proto.graph.initializer.append(numpy_helper.from_array(array.astype(np.float32) if array.dtype == np.float64 else array, key))
    if any(n.op_type == "ChannelShuffle" for n in proto.graph.node):
        proto.functions.append(onnx.parser.parse_function(SHUFFLE))
    model = ir.from_proto(shape_inference.infer_shapes(proto, data_prop=True))
    _shape_composites(model)
    inputs, outputs = (
        tuple(Port(v.name or "", v.name or "", tuple(range(len(v.shape or ())))) for v in values)
        for values in (model.graph.inputs, model.graph.outputs)
    )
    return Graph(model, inputs, outputs, name)


def _shape_composites(model: ir.Model) -> None:
    """Inference may leave a composite's output open: its shape is its input's."""
    for node in model.graph:
        if node.domain == DOMAIN and node.inputs[0] is not None:
            node.outputs[0].shape = node.inputs[0].shape
            node.outputs[0].type = ir.TensorType(ir.DataType.FLOAT)


def random_inputs(graph: Graph, seed: int = 0, samples: int = 1) -> dict[str, Array]:
    """N(0, 1) arrays for every input of a Graph, in Graph layout."""
    rng = np.random.default_rng(seed)
    shapes = {v.name or "": [samples if str(d) == BATCH else int(str(d)) for d in v.shape or ()] for v in graph.model.graph.inputs}
    return {key: rng.standard_normal(shape).astype(np.float32) for key, shape in shapes.items()}
