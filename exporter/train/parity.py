"""Is the bridge still the Graph?"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from exporter.array import Array
from exporter.errors import ParityError
from exporter.graph import Graph
from exporter.graph.conditioning import AMPLIFIED, rounding_floor
from exporter.graph.evaluate import evaluate
from exporter.graph.sizes import least_sizes, relative

TOLERANCE = 1e-4
"""Largest difference relative to the output's largest value: sums in another order give 1e-6 to 1e-5."""

NOISE = 0.1
"""Of a rounded net, squared errors over squares: sums in another order flip integers, and flips spread. Right ones of deep nets gave up to
0.01, a wrong scale or a layer left out gives 1."""

SAMPLES = 4


class Trainable(Protocol):
    """Another form of a Graph: a bridge, or a Keras model."""

    def __call__(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Outputs from inputs, both by source name and in the source's layout."""


def require_parity(bridge: Trainable, graph: Graph, inputs: Mapping[str, Array]) -> float:
    """The largest difference between a bridge at rest and a Graph, over all outputs; see `difference`.

    Raises:
        ParityError: If it is above TOLERANCE, and above what float rounding alone does to this model.
    """
    found = difference(bridge, graph, inputs)
    worst = max(found, key=lambda name: found[name])
    if found[worst] <= TOLERANCE:
        return found[worst]
    feeds = {p.name: p.to_graph(inputs[p.source_name]) for p in graph.inputs}
    floor = AMPLIFIED * max(rounding_floor(graph, feeds).values())
    if not found[worst] <= floor:
        problem = f"the trainer's {worst} of {graph.name} differs by {found[worst]:.2g} of its largest value"
        raise ParityError(f"{problem}, more than {max(TOLERANCE, floor):.2g}", hint="this is a fault of mexport: please report the model")
    return found[worst]


def require_rounded_parity(bridge: Trainable, graph: Graph, inputs: Mapping[str, Array]) -> float:
    """The largest noise of a bridge that rounds against a Graph with its pairs, over all outputs: squared errors over squares.

    Raises:
        ParityError: If it is above NOISE.
    """
    wanted = evaluate(graph, {p.name: p.to_graph(inputs[p.source_name]) for p in graph.inputs})
    got = bridge({name: np.asarray(x, np.float32) for name, x in inputs.items()})
    found = {}
    for port in graph.outputs:
        reference = wanted[port.name].astype(np.float64)
        error = port.to_graph(np.asarray(got[port.source_name])) - reference
        found[port.source_name] = float(np.nan_to_num(np.sum(error**2) / (float(np.sum(reference**2)) or 1.0), nan=np.inf))
    worst = max(found, key=lambda name: found[name])
    if found[worst] > NOISE:
        problem = f"the trainer's {worst} of {graph.name}, rounded, has {found[worst]:.2g} of its signal as noise, more than {NOISE:g}"
        raise ParityError(problem, hint="this is a fault of mexport: please report the model")
    return found[worst]


def difference(bridge: Trainable, graph: Graph, inputs: Mapping[str, Array]) -> dict[str, float]:
    """By source name of the output: max|got - ref| over the size of ref.

    Args:
        bridge: The trainer's form, run at rest.
        graph: What it must equal.
        inputs: By source name, in the source's layout.
    """
    wanted = evaluate(graph, {p.name: p.to_graph(inputs[p.source_name]) for p in graph.inputs})
    got = bridge({name: np.asarray(x, np.float32) for name, x in inputs.items()})
    found, least = {}, least_sizes(graph)
    for port in graph.outputs:
        answer = port.to_graph(np.asarray(got[port.source_name]))
        found[port.source_name] = relative(wanted[port.name], answer, least.get(port.name, 0.0))
    return found
