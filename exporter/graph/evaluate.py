"""Run a Graph in onnxruntime: is it still the same model?"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.errors import EngineError
from exporter.graph.model import Graph

LENT_BYTES = 4096
"""Weights of so many bytes are lent to onnxruntime, not copied into a proto."""

COPIED_BYTES = 1 << 27
"""Outputs of more bytes are not worth a copy."""

_WRONG = ["Pad_Fusion", "WeightBiasQuantization"]
"""Optimisations of onnxruntime that change the model: the first pads a MaxPool with minus infinity where the model pads with zeros, the
second rounds the float bias of a layer whose input and weights are quantized."""


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
    found = Evaluator(graph, values).run(inputs)
    if sum(x.nbytes for x in found.values()) > COPIED_BYTES:
        return found
    return {name: x.copy() for name, x in found.items()}  # an array of onnxruntime's keeps all the memory that its session took


class Evaluator:
    """A Graph opened once, to be run many times.

    Args:
        graph: The graph.
        values: Names of the values wanted; None for the graph's outputs.
        threads: Of one inference; 0 for a thread a core.

    Raises:
        EngineError: If onnxruntime refuses the graph.
    """

    def __init__(self, graph: Graph, values: Sequence[str] | None = None, threads: int = 0) -> None:
        import onnxruntime as ort

        self.name = graph.name
        self.wanted = list(values) if values is not None else [p.name for p in graph.outputs]
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads
        options.enable_mem_pattern = False  # from the second run on it holds all inner values beside the arena, and is no quicker
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # between runs the cores are ours
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        proto, weights = serialise(graph, self.wanted)
        self._lent = {name: ort.OrtValue.ortvalue_from_numpy(array) for name, array in weights.items()}
        try:
            options.add_external_initializers(list(self._lent), list(self._lent.values()))
            self.session = ort.InferenceSession(proto, options, providers=["CPUExecutionProvider"], disabled_optimizers=_WRONG)
        except Exception as problem:
            raise self._failed(problem) from problem

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The wanted values of one batch; see `evaluate`.

        Raises:
            EngineError: If onnxruntime fails.
        """
        feeds = {k: np.ascontiguousarray(v, np.float32) for k, v in inputs.items()}
        try:
            return dict(zip(self.wanted, self.session.run(self.wanted, feeds), strict=True))
        except Exception as problem:
            raise self._failed(problem) from problem

    def _failed(self, problem: Exception) -> EngineError:
        first = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        return EngineError(f"onnxruntime on the graph of {self.name}: {first}")


def serialise(graph: Graph, wanted: Sequence[str]) -> tuple[bytes, dict[str, Array]]:
    """The graph as a proto without its big weights, `wanted` among its outputs; and these weights: onnxruntime reads them where they are.

    Raises:
        KeyError: If no value has a wanted name.
    """
    model, weights = graph.model.clone(), {}
    for name, value in list(model.graph.initializers.items()):
        tensor = value.const_value
        if not value.uses() and not value.is_graph_output():
            del model.graph.initializers[name]  # onnxruntime drops it by itself and then misses what is lent
        elif tensor is not None and tensor.nbytes >= LENT_BYTES:
            weights[name] = np.ascontiguousarray(tensor.numpy())
            shape = ir.Shape(list(weights[name].shape))
            value.const_value = ir.ExternalTensor("lent", 0, tensor.nbytes, tensor.dtype, shape=shape, name=name)
        elif isinstance(tensor, ir.ExternalTensor):
            value.const_value = ir.Tensor(tensor.numpy(), name=name)
    proto = ir.to_proto(model)
    have = {o.name for o in proto.graph.output}
    inner = {o for n in proto.graph.node for o in n.output}
    missing = [name for name in wanted if name not in have]
    for name in missing:
        if name not in inner:
            raise KeyError(f"no value named {name}")
        proto.graph.output.add().name = name
    return bytes(proto.SerializeToString()), weights
