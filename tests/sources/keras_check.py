"""Compares the Graph of a Keras or tf_keras model with the framework itself."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.sources.keras.lower import lower_signature
from exporter.sources.keras.reference import reference
from exporter.sources.keras.signature import signature_of


def randomise(model: Any, seed: int = 0) -> None:
    """Weights that make mistakes visible: no zeros, no ones, positive variances."""
    random = np.random.default_rng(seed)
    for layer in model._flatten_layers():
        for weight in layer.weights:
            path = str(getattr(weight, "path", weight.name))
            drawn = random.normal(size=tuple(weight.shape)) * (0.5 if len(weight.shape) > 1 else 0.3)
            if "variance" in path or "gamma" in path:
                drawn = random.uniform(0.5, 1.5, tuple(weight.shape))
            if "float" in str(weight.dtype) and "count" not in path:
                weight.assign(drawn.astype(np.float32))


def graph_outputs(graph: Graph, arrays: Sequence[Array]) -> list[Array]:
    """The Graph's outputs in the source's layout."""
    found = evaluate(graph, {p.name: p.to_graph(a) for p, a in zip(graph.inputs, arrays, strict=True)})
    return [p.to_source(found[p.name]) for p in graph.outputs]


def check(model: Any, *, tolerance: float = 1e-5, scale: float = 1.0, shapes: dict[str, tuple[int, ...]] | None = None) -> Graph:
    """Lower the model and compare, batch 1 and 4; returns the Graph.

    Args:
        model: A built model.
        tolerance: Largest allowed max|got - ref| / max|ref|: float32 sums in another order.
        scale: Standard deviation of the inputs.
        shapes: Input shapes for open axes.
    """
    randomise(model)
    signature = signature_of(model)
    graph = lower_signature(signature, name="model", input_shapes=shapes or {})
    random = np.random.default_rng(1)
    dims = signature.input_dims(shapes or {})
    for n in (1, 4):
        arrays = [(random.normal(size=(n, *d)) * scale).astype(np.float32) for d in dims]
        wanted = reference(signature, dict(zip(signature.inputs, arrays, strict=True)))
        for (name, want), got in zip(wanted.items(), graph_outputs(graph, arrays), strict=True):
            assert got.shape == want.shape, f"{name}: {got.shape} where {want.shape} is wanted"
            off = np.abs(got - want).max() / max(float(np.abs(want).max()), 1e-6)
            assert off <= tolerance, f"{name}: rel {off:.2e}"
    return graph


def ops(graph: Graph) -> list[str]:
    """The Graph's operators, in order."""
    return [node.op_type for node in graph.nodes]
