"""Whether a Graph that was read is its SavedModel: compared with the serving signature, as far as float32 can tell."""

import numpy as np

from exporter.array import Array
from exporter.errors import SourceError
from exporter.graph import Graph, Port, shape_of
from exporter.graph.conditioning import AMPLIFIED, rounding_floor
from exporter.graph.evaluate import evaluate
from exporter.graph.sizes import FAINT, least_sizes, size_of
from exporter.sources.saved_model.serving import Serving

TOLERANCE = 1e-3
"""Of an output's largest value: float32 sums in another order; a wrong graph differs by far more."""

LARGEST = (1.0, 255.0)
"""Inputs are compared up to each of these by itself: numbers as normalised pictures have, and raw pixels."""


def check(graph: Graph, serving: Serving, name: str) -> None:
    """Compare the outputs on two samples of each size of inputs.

    A net that expects small inputs may amplify float rounding without bound on large ones, so that TensorFlow differs from itself
    between batch sizes. An output that fails is therefore asked how far rounding moves it: where that is beyond the tolerance, this
    size of inputs proves nothing. One size at least must prove the output.

    Raises:
        SourceError: If an output differs, or none of the sizes can tell; names it.
    """
    rng = np.random.default_rng(0)
    proven: set[str] = set()
    least = least_sizes(graph)
    for largest in LARGEST:
        inputs = {p.name: _numbers(graph, p, largest, rng) for p in graph.inputs}
        want = serving.reference({p.source_name: p.to_source(inputs[p.name]) for p in graph.inputs})
        got = evaluate(graph, inputs)
        wrong = [p for p in graph.outputs if not _agree(want[p.source_name], p.to_source(got[p.name]), least.get(p.name, 0.0))]
        noise = rounding_floor(graph, inputs) if wrong else {}
        for port in wrong:
            if want[port.source_name].shape != port.to_source(got[port.name]).shape or noise[port.name] * AMPLIFIED <= TOLERANCE:
                raise SourceError(f"{name}: output {port.source_name} of the graph read differs from the serving signature's")
        proven |= {p.name for p in graph.outputs if p not in wrong}
    unproven = [p.source_name for p in graph.outputs if p.name not in proven]
    if unproven:
        raise SourceError(f"{name}: it amplifies float rounding so much that output {', '.join(unproven)} cannot be compared")


def _numbers(graph: Graph, port: Port, largest: float, rng: np.random.Generator) -> Array:
    """Two samples from 0 to `largest`, in Graph layout; whole numbers for integers: 0 to 100 for the small size."""
    value = next(v for v in graph.model.graph.inputs if v.name == port.name)
    x = rng.random((2, *shape_of(value)[1:]), np.float32)
    if "int" not in port.dtype:
        return x * np.float32(largest)
    return np.asarray(np.rint(x * max(largest, 100)).clip(0, 127 if port.dtype == "int8" else 255))


def _agree(want: Array, got: Array, least: float) -> bool:
    limit = TOLERANCE * size_of(want, max(least, FAINT))
    return want.shape == got.shape and np.allclose(want, got, rtol=0, atol=limit, equal_nan=True)
