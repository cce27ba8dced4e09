"""A quantization through changes that are made for float Graphs."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet

import numpy as np

from exporter.array import Array
from exporter.graph.edit import const, sole_consumer
from exporter.graph.model import Graph
from exporter.graph.ops import MOVES
from exporter.graph.qdq import Affine, Edge, Quantization, insert, layer_of
from exporter.graph.strip import strip


def carry(quantization: Quantization, graph: Graph, before: Graph | None = None) -> Quantization:
    """What of a quantization still holds after the float Graph was changed.

    Values go by name, whatever their shape has become; one that is gone goes by the name of what it was moved from, if nothing else
    read that. Of constants those stay that are on their grid still: one that was scaled, folded into another or laid out otherwise is a
    new one.

    Args:
        quantization: Of the Graph before.
        graph: The Graph after.
        before: The float Graph that the quantization was made for; None where no value was moved.
    """
    values = {str(v.name) for v in (*graph.model.graph.inputs, *(o for n in graph.nodes for o in n.outputs))}
    layers = {layer_of(n) for n in graph.nodes}
    edges = {
        Edge(edge.value, edge.readers & layers): how
        for edge, how in quantization.edges.items()
        if edge.value in values and edge.readers & layers
    }
    arrays = {name: const(value) for name, value in graph.model.graph.initializers.items()}
    constants = {
        name: how for name, how in quantization.constants.items() if (array := arrays.get(name)) is not None and _is_on_grid(array, how)
    }
    kept = {name: how for name, how in quantization.values.items() if name in values}
    gone = {name: how for name, how in quantization.values.items() if name not in values}
    origins = {_origin(name, before, values): how for name, how in gone.items()} if before is not None and gone else {}
    return Quantization({**{name: how for name, how in origins.items() if name}, **kept}, edges, constants)


def _origin(name: str, before: Graph, values: AbstractSet[str]) -> str | None:
    """The value that this one was moved from, step by step, and that is there still."""
    made = {str(v.name): n for n in before.nodes for v in n.outputs}
    while name in made and made[name].op_type in MOVES and (source := made[name].inputs[0]) is not None:
        if sole_consumer(source) is None:
            return None
        name = str(source.name)
        if name in values:
            return name
    return None


def changed(graph: Graph, change: Callable[[Graph], object]) -> Graph:
    """A quantized Graph after a change that is made for float Graphs: pairs are taken out for it, and put back where they still hold.

    Args:
        graph: Left as it is.
        change: Works in place.
    """
    plain, quantization = strip(graph)
    change(plain)
    return insert(plain, carry(quantization, plain))


_OFF_GRID = 1e-3
"""Of a step: what float32 leaves of numbers that were rounded to a grid; int32 biases have few steps to spare, never so many."""


def _is_on_grid(array: Array, how: Affine) -> bool:
    if how.axis is not None and (how.axis >= array.ndim or array.shape[how.axis] != how.scale.size):
        return False
    scale, zero = how.along(array.ndim)
    steps = array.astype(np.float64) / scale
    stored = np.rint(steps) + zero
    low, high = how.limits
    tolerance = np.maximum(_OFF_GRID, np.abs(steps) * np.finfo(np.float32).eps)
    return bool((np.abs(steps - np.rint(steps)) <= tolerance).all() and (stored >= low).all() and (stored <= high).all())
