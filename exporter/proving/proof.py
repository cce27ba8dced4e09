"""Run a written file in its engine and hold its outputs against the Graph and against the source's own framework."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.child import Child
from exporter.errors import ParityError
from exporter.formats import Artifact, Tensor
from exporter.graph import BATCH, Graph
from exporter.graph.ops import computed_by
from exporter.graph.scores import softmax_scores
from exporter.graph.sizes import least_sizes
from exporter.parity import Comparison, Limits, before_activation, compare, in_double, told_apart


@dataclass(frozen=True, slots=True)
class Ending:
    """The Softmax or Sigmoid that an output ends in.

    Attributes:
        op: "Softmax" or "Sigmoid".
        value: Name of the Graph value that goes into it.
    """

    op: str
    value: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One output: compared as it is, and before its final Softmax or Sigmoid where it has one that can be looked into."""

    output: Comparison
    before: Comparison | None = None

    def as_dict(self) -> dict[str, Any]:
        """For the manifest."""
        facts = self.output.as_dict()
        return {**facts, "before_activation": self.before.as_dict()} if self.before else facts

    def breach(self, limits: Limits) -> str | None:
        """What is wrong in words, or None."""
        inside = limits.breach(self.before) if self.before else None
        return limits.breach(self.output) or (inside and f"before its final activation, {inside}")


Findings = dict[str, Finding]


def endings(graph: Graph) -> dict[str, Ending]:
    """Graph output name to the Softmax or Sigmoid it ends in, for those that do."""
    found = {}
    for value in graph.model.graph.outputs:
        node = computed_by(value)
        if node is not None and node.op_type in ("Softmax", "Sigmoid") and node.inputs[0] is not None:
            found[str(value.name)] = Ending(node.op_type, str(node.inputs[0].name))
    return found


def run_artifact(engine: Child, artifact: Artifact, shapes: Mapping[str, tuple[int, ...]], inputs: Mapping[str, Array],
                 values: Sequence[str] | None = None) -> dict[str, Array]:  # fmt: skip
    """Outputs, or inner values, of a written file, in Graph layout.

    Args:
        engine: The engine with the file open.
        artifact: How the file's tensors stand to the Graph's values.
        shapes: Graph shapes, 1 on axis 0, of all values asked for.
        inputs: By Graph input name, in Graph layout, axis 0 counts samples.
        values: Graph value names, outputs or taps; None for the outputs. Taps that the engine did not keep are left out.
    """
    outputs = {t.graph_name: t for t in artifact.outputs}
    wanted = outputs if values is None else {v: outputs.get(v) or artifact.taps[v] for v in values}
    _, got = engine.call("run_many", engine_feeds(artifact.inputs, inputs), tensors=sorted({t.name for t in wanted.values()}))
    return {v: np.concatenate([t.to_graph(row, shapes[v]) for row in got[t.name]]) for v, t in wanted.items() if t.name in got}


def engine_feeds(tensors: Sequence[Tensor], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """What an engine's `run_many` takes: the file's layout behind an axis that counts samples."""
    return {t.name: np.stack([t.from_graph(row[None]) for row in inputs[t.graph_name]]) for t in tensors}


def value_shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Shape of every value of the graph that has one, for one sample: N is 1, and a batch merged with 24 others ("24N") is 24."""
    values: list[ir.Value] = [*graph.model.graph.inputs, *(v for n in graph.nodes for v in n.outputs)]
    shapes = {str(v.name): [_axis(d) for d in v.shape] for v in values if v.shape is not None}
    return {name: tuple(d for d in dims if d is not None) for name, dims in shapes.items() if None not in dims}


def _axis(size: object) -> int | None:
    """Length of an axis for one sample; None where it is not known."""
    text = str(size)
    if text.endswith(BATCH):
        text = text.removesuffix(BATCH) or "1"
    return int(text) if text.isdigit() else None


def parity(graph: Graph, wanted: Mapping[str, Array], got: Mapping[str, Array]) -> Findings:
    """A file's values against the Graph's, both by Graph value name; outputs that end in an activation also before it."""
    found, least = {}, least_sizes(graph)
    for port in graph.outputs:
        inner = endings(graph).get(port.name)
        seen = inner is not None and inner.value in got and inner.value in wanted
        before = compare(wanted[inner.value], got[inner.value]) if inner and seen else None
        found[port.source_name] = Finding(compare(wanted[port.name], got[port.name], least.get(port.name, 0.0)), before)
    return found


def rounding(graph: Graph, real: Mapping[str, Array], rounded: Mapping[str, Array]) -> Findings:
    """What rounding costs: as `parity`, but of what only a final Softmax reads, what it tells apart."""
    read = softmax_scores(graph)
    return parity(graph, *({name: told_apart(x) if name in read else x for name, x in values.items()} for values in (real, rounded)))


def fidelity(graph: Graph, reference: Mapping[str, Array], got: Mapping[str, Array], inner: Mapping[str, Array] | None = None) -> Findings:
    """Outputs against the source's own, both by source name and layout.

    Args:
        graph: What the file was made from.
        reference: The source's outputs.
        got: The file's.
        inner: Of a file with rounded outputs, whose logarithms say nothing: its values by Graph value name, among them what goes into
            final activations where that can be seen; of what goes into a Softmax counts what it tells apart.
    """
    found, least = {}, least_sizes(graph)
    for port in graph.outputs:
        ref, ours = reference[port.source_name], got[port.source_name]
        if ref.shape != ours.shape and ref.size == ours.size:
            ref = ref.reshape(ours.shape)
        end = endings(graph).get(port.name)
        before = _before(end, ref, ours, inner) if end else None
        found[port.source_name] = Finding(compare(ref, ours, least.get(port.name, 0.0)), before)
    return found


def _before(end: Ending, ref: Array, ours: Array, inner: Mapping[str, Array] | None) -> Comparison | None:
    if inner is None:
        return compare(before_activation(end.op, ref), before_activation(end.op, ours))
    seen = inner.get(end.value)
    if seen is None or seen.shape != ref.shape or ref.ndim != 2:
        return None
    if end.op == "Softmax":
        return compare(told_apart(before_activation(end.op, ref)), told_apart(seen))
    return compare(before_activation(end.op, ref), before_activation(end.op, 1 / (1 + np.exp(-in_double(seen)))))


def breached(findings: Findings, limits: Limits) -> bool:
    """Whether any output is beyond the limits."""
    return any(f.breach(limits) for f in findings.values())


def require(findings: Findings, limits: Limits, *, what: str, against: str, where: str | None = None) -> None:
    """Raise unless every output holds the limits.

    Args:
        findings: By output name.
        limits: To hold.
        what: What is judged, for the message, e.g. "model.tflite".
        against: What it is held against, e.g. "the graph it was written from".
        where: The first layer that differs, when known.

    Raises:
        ParityError: Says which output, by how much, and where it begins.
    """
    bad = {name: said for name, f in findings.items() if (said := f.breach(limits))}
    if bad:
        first = "; ".join(f"output {name}: {said}" for name, said in bad.items())
        begins = f"; first layer that differs: {where}" if where else ""
        raise ParityError(f"{what} differs from {against}: {first}{begins}", hint="give --samples like those in use; else report the model")
