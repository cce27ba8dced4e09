"""Samples batch after batch, and no more of a Graph than is asked for."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from math import prod

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import Graph, shape_of
from exporter.graph.evaluate import Evaluator
from exporter.passes.remove_dead import RemoveDead

HELD = 1 << 23
"""Elements that a batch may have: what decides its size."""

LARGEST_BATCH = 64

KNOWN_BYTES = 1 << 30
"""Memory for inner values that are kept."""


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
    """Some values, batch after batch, each with the number of its first sample; given ones may be among them.

    Args:
        graph: The Graph.
        values: Names.
        samples: Inputs by Graph input name, in Graph layout; and inner values that are known already, from which it then goes on.

    Raises:
        EngineError: If onnxruntime fails.
    """
    inner = [name for name in dict.fromkeys(values) if name not in samples]
    if not inner:
        yield from batches(samples, max(prod(samples[name].shape[1:]) for name in values))
        return
    part_of = head(graph, inner, samples)
    needed = [str(v.name) for v in part_of.model.graph.inputs]
    sizes = {str(v.name): prod(shape_of(v)) for node in part_of.nodes for v in node.outputs if v.shape is not None}
    evaluator = Evaluator(part_of, inner)
    for first, part in batches(samples, max(sum(sizes[name] for name in inner), *sizes.values())):
        yield first, {**part, **evaluator.run({name: part[name] for name in needed})}


class Known:
    """Inner values of all samples that need not be computed again: those of layers that are finished.

    Args:
        samples: Inputs by Graph input name, in Graph layout.

    Attributes:
        values: The samples, and the values known.
    """

    def __init__(self, samples: Mapping[str, Array]) -> None:
        self.samples = samples
        self.values = dict(samples)

    def learn(self, graph: Graph, name: str) -> None:
        """Compute a value, unless it takes too much memory; the oldest go for it."""
        made = next((v for node in graph.nodes for v in node.outputs if v.name == name), None)
        if made is None or name in self.values or self._bytes(made) > KNOWN_BYTES // 2:
            return
        while sum(x.nbytes for k, x in self.values.items() if k not in self.samples) + self._bytes(made) > KNOWN_BYTES:
            del self.values[next(k for k in self.values if k not in self.samples)]
        self.values[name] = np.concatenate([found[name] for _, found in streamed(graph, [name], self.values)])

    def _bytes(self, value: ir.Value) -> int:
        return 4 * prod(shape_of(value)) * len(next(iter(self.samples.values())))


def head(graph: Graph, values: Sequence[str], given: Collection[str]) -> Graph:
    """The part of a Graph that computes some values from given ones, which are its inputs; it has no ports.

    Args:
        graph: The Graph.
        values: Names of inner values, none of them given.
        given: Names of inputs and of inner values; what is not needed is left out.
    """
    part = graph.clone()
    part.inputs = part.outputs = ()
    body = part.model.graph
    made: dict[str, ir.Value] = {str(v.name): v for node in part.nodes for v in node.outputs}
    body.outputs[:] = [made[name] for name in values]
    for name in (n for n in given if n in made):
        new = ir.Value(name=name, shape=made[name].shape, type=ir.TensorType(ir.DataType.FLOAT))
        made[name].replace_all_uses_with(new)
        made[name].name = f"{name}__made"
        body.inputs.append(new)
    RemoveDead()(part)
    body.inputs[:] = [v for v in body.inputs if v.uses()]
    return part
