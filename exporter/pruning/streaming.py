"""Samples batch after batch, and no more of a Graph than is asked for."""

from collections.abc import Iterator, Mapping, Sequence
from math import prod

import onnx_ir as ir

from exporter.array import Array
from exporter.graph import Graph, shape_of
from exporter.graph.evaluate import Evaluator
from exporter.passes.remove_dead import RemoveDead

HELD = 1 << 23
"""Elements that a batch may have: what decides its size."""

LARGEST_BATCH = 64


def batches(samples: Mapping[str, Array], elements: int, largest: int = LARGEST_BATCH) -> Iterator[tuple[int, dict[str, Array]]]:
    """Parts of the samples, each with the number of its first one.

    Args:
        samples: By input name, samples on axis 0.
        elements: That one sample takes.
        largest: Batch.
    """
    count = len(next(iter(samples.values())))
    size = min(max(HELD // max(elements, 1), 1), largest)
    for first in range(0, count, size):
        yield first, {name: x[first : first + size] for name, x in samples.items()}


def streamed(graph: Graph, values: Sequence[str], samples: Mapping[str, Array]) -> Iterator[tuple[int, dict[str, Array]]]:
    """Some values, batch after batch, each with the number of its first sample; inputs may be among them.

    Args:
        graph: The Graph.
        values: Names.
        samples: Inputs by Graph input name, in Graph layout.

    Raises:
        EngineError: If onnxruntime fails.
    """
    inner = [name for name in dict.fromkeys(values) if name not in samples]
    part_of = head(graph, inner)
    sizes = {str(v.name): prod(shape_of(v)) for node in part_of.nodes for v in node.outputs if v.shape is not None}
    elements = max(sum(sizes[name] for name in inner), max(sizes.values(), default=1))
    evaluator = Evaluator(part_of, inner) if inner else None
    for first, part in batches(samples, elements):
        yield first, {**part, **(evaluator.run(part) if evaluator is not None else {})}


def head(graph: Graph, values: Sequence[str]) -> Graph:
    """The part of a Graph that computes some values; its ports stay, for they name the inputs."""
    part = graph.clone()
    made: dict[str, ir.Value] = {str(v.name): v for node in part.nodes for v in node.outputs}
    part.model.graph.outputs[:] = [made[name] for name in values]
    part.outputs = ()
    RemoveDead()(part)
    return part
