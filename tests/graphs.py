"""Small Graphs for tests, written as ONNX text."""

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import BATCH, DOMAIN, OPSET, Graph, Port
from exporter.graph.composites import define_composites
from exporter.graph.shapes import infer_shapes

HEADER = f'<ir_version: 10, opset_import: ["" : {OPSET}, "{DOMAIN}" : 1]>'


def graph_from_text(text: str, inits: Mapping[str, Array] | None = None, *, name: str = "test") -> Graph:
    """A Graph from ONNX text: `g (float[N,3,8,8] x) => (float[N,4,6,6] y) { y = Conv (x, w) }`.

    Args:
        text: The graph; our header goes before it. Composites are written `mexport.ChannelShuffle <group = 2> (x)`.
        inits: Arrays of the names that no node makes, e.g. {"w": weights}; float64 becomes float32.
        name: Name of the Graph.

    Returns:
        A Graph with identity ports and inferred shapes; the output shapes in the text need only the right rank.
    """
    import onnx.parser
    from onnx import numpy_helper

    proto = onnx.parser.parse_model(f"{HEADER} {text}")
    for key, value in (inits or {}).items():
        array = np.asarray(value)
        proto.graph.initializer.append(numpy_helper.from_array(array.astype(np.float32) if array.dtype == np.float64 else array, key))
    model = ir.from_proto(proto)
    define_composites(model)
    inputs, outputs = (
        tuple(Port(v.name or "", v.name or "", tuple(range(len(v.shape or ())))) for v in values)
        for values in (model.graph.inputs, model.graph.outputs)
    )
    graph = Graph(model, inputs, outputs, name)
    infer_shapes(graph)
    return graph


def random_inputs(graph: Graph, seed: int = 0, samples: int = 1) -> dict[str, Array]:
    """N(0, 1) arrays for every input of a Graph, in Graph layout."""
    rng = np.random.default_rng(seed)
    shapes = {v.name or "": [samples if str(d) == BATCH else int(str(d)) for d in v.shape or ()] for v in graph.model.graph.inputs}
    return {key: rng.standard_normal(shape).astype(np.float32) for key, shape in shapes.items()}
