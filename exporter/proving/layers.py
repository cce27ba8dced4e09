"""Layer by layer: which value of a written file is the first to leave the Graph's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.child import Child
from exporter.formats import Artifact
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.graph.ports import to_graph
from exporter.graph.scores import softmax_scores
from exporter.graph.sizes import least_sizes
from exporter.parity import Comparison, Limits, compare, told_apart
from exporter.proving.alone import alone, steps_of
from exporter.proving.begins import Inside
from exporter.proving.proof import run_artifact, value_shapes

SAMPLES = 2
"""Samples that are looked at layer by layer: the inner values of a big net on many would not fit in memory."""

STEPS = 2.0
"""What integers may be off by where a layer reads the same: engines round halves either way, and some round twice."""

Real = Callable[[Mapping[str, Array], Sequence[str]], Mapping[str, Array]]
"""Inputs by Graph input name, names of values wanted: the values."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One value of the Graph that the file holds too.

    Attributes:
        layer: Name of the node that makes it.
        op: Its operator.
        value: The Graph value.
        tensor: The file's tensor.
        comparison: File against Graph.
        alone: File against what the Graph's layer gives for the numbers that the file itself has before it.
        step: Of a value that is integers in the file, one step of them.
        real: Of a file with rounded numbers: against the Graph without rounding; of what only a final Softmax reads, what it tells apart.
    """

    layer: str
    op: str
    value: str
    tensor: str
    comparison: Comparison
    alone: Comparison
    step: float | None = None
    real: Comparison | None = None

    def wrong(self, limits: Limits) -> str | None:
        """What is wrong with the layer itself, in words, or None: whatever it reads counts as right."""
        breach = limits.breach(self.alone)
        if breach is None or self.step is None or not np.isfinite(self.alone.max_abs):
            return breach
        steps = self.alone.max_abs / self.step
        return f"off by {steps:.0f} steps" if steps > STEPS + 0.5 else None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        facts = {"layer": self.layer, "op": self.op, "value": self.value, "tensor": self.tensor, **self.comparison.as_dict()}
        facts["alone"] = {**self.alone.as_dict(), "step": self.step}
        return {**facts, "real": self.real.as_dict()} if self.real else facts


def compare_layers(
    graph: Graph, artifact: Artifact, engine: Child, inputs: Mapping[str, Array], *, written: Graph | None = None, real: Real | None = None
) -> list[Layer]:
    """Every value that survived in the file, in the Graph's order.

    Args:
        graph: The finished Graph.
        artifact: The file, with its taps.
        engine: The engine with the file open.
        inputs: By Graph input name, in Graph layout; the first two samples are used.
        written: What the file was written from: the same Graph with rounded numbers; None where nothing is rounded.
        real: Gives the values of the Graph without rounding, by name, to compare with too.
    """
    values, wanted, got = layer_values(graph, artifact, engine, inputs, written=written)
    nodes = {str(v.name): n for n in graph.nodes for v in n.outputs}
    tensors = {**artifact.taps, **{t.graph_name: t for t in artifact.outputs}}
    few = {k: v[:SAMPLES] for k, v in inputs.items()}
    unrounded = real(few, values) if real is not None else {}
    read, least = softmax_scores(graph), least_sizes(graph)
    own, steps = alone(written or graph, few, {v: got[v] for v in values}), steps_of(written) if written is not None else {}

    def rounded(v: str) -> Comparison | None:
        if v not in unrounded:
            return None
        ref, ours = (told_apart(x) if v in read else x for x in (unrounded[v], got[v]))
        return compare(ref, ours, least[v])

    def layer(v: str) -> Layer:
        spread, itself = compare(wanted[v], got[v], least[v]), compare(tensors[v].nearest(own[v]), got[v], least[v])
        step = tensors[v].scale or steps.get(v)
        return Layer(nodes[v].name or v, nodes[v].op_type, v, tensors[v].name, spread, itself, step, rounded(v))

    return [layer(v) for v in values]


def layer_values(
    graph: Graph, artifact: Artifact, engine: Child, inputs: Mapping[str, Array], *, written: Graph | None = None
) -> tuple[list[str], Mapping[str, Array], Mapping[str, Array]]:
    """Names of the values that survived in the file, in the Graph's order; what they must be, and what they are.

    Args:
        graph: The finished Graph.
        artifact: The file, with its taps.
        engine: The engine with the file open.
        inputs: By Graph input name, in Graph layout; the first two samples are used.
        written: What the file was written from, where numbers are rounded.
    """
    few = {k: v[:SAMPLES] for k, v in inputs.items()}
    shapes = value_shapes(graph)
    tensors = {**artifact.taps, **{t.graph_name: t for t in artifact.outputs}}
    made = [str(v.name) for n in graph.nodes for v in n.outputs]
    own = {str(v.name) for n in written.nodes for v in n.outputs} if written is not None else set(made)
    values = [v for v in made if v in tensors and v in shapes and v in own]
    got = run_artifact(engine, artifact, shapes, few, values)
    values = [v for v in values if v in got]
    return values, evaluate(written or graph, few, values), got


def inside(graph: Graph, artifact: Artifact, engine: Child, inputs: Mapping[str, Array], *, written: Graph) -> Inside:
    """A file's values in an engine, wherever that runs.

    Args:
        graph: The finished Graph.
        artifact: The file, with its taps.
        engine: The engine with the file open.
        inputs: By source name, in the source's layout.
        written: What the file was written from.
    """
    _, wanted, got = layer_values(graph, artifact, engine, to_graph(graph.inputs, inputs), written=written)
    tensors = {**artifact.taps, **{t.graph_name: t for t in artifact.outputs}}
    return Inside(graph, wanted, got, {v: t.scale for v, t in tensors.items() if t.scale is not None})


def first_divergence(layers: list[Layer], limits: Limits) -> Layer | None:
    """The first layer that is wrong whatever it reads, else the first beyond the limits, else the one with the largest error."""
    for faults in (Layer.wrong, lambda layer, limits: limits.breach(layer.comparison)):
        beyond = [layer for layer in layers if faults(layer, limits)]
        if beyond:
            return beyond[0]
    return max(layers, key=lambda layer: layer.comparison.rel, default=None)
