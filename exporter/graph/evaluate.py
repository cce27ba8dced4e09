"""Run a Graph in onnxruntime: is it still the same model?"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.errors import EngineError
from exporter.graph.model import Graph


def evaluate(graph: Graph, inputs: Mapping[str, Array], values: Sequence[str] | None = None) -> dict[str, Array]:
    """Outputs, or any inner values, of a Graph.

    Args:
        graph: The graph to run.
        inputs: By Graph input name, in Graph layout, any batch size.
        values: Names of the values wanted; None for the graph's outputs.

    Returns:
        Arrays by value name, in Graph layout, in the order asked.

    Raises:
        EngineError: If onnxruntime refuses the graph or fails in it.
    """
    import onnxruntime as ort

    wanted = list(values) if values is not None else [p.name for p in graph.outputs]
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    try:
        session = ort.InferenceSession(_serialise(graph, wanted), options, providers=["CPUExecutionProvider"])
        feeds = {k: np.ascontiguousarray(v, np.float32) for k, v in inputs.items()}
        return dict(zip(wanted, session.run(wanted, feeds), strict=True))
    except Exception as problem:
        first = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise EngineError(f"onnxruntime on the graph of {graph.name}: {first}") from problem


def _serialise(graph: Graph, wanted: Sequence[str]) -> bytes:
    """The graph as bytes, weights that lie on disk included, with the wanted inner values as outputs too."""
    proto = ir.to_proto(ir.external_data.load_to_model(graph.model.clone()))
    have = {o.name for o in proto.graph.output}
    inner = {o for n in proto.graph.node for o in n.output}
    missing = [name for name in wanted if name not in have]
    for name in missing:
        if name not in inner:
            raise KeyError(f"no value named {name}")
        proto.graph.output.add().name = name
    return bytes(proto.SerializeToString())
