"""What each output of a model is to training, and the value that its loss looks at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from exporter.errors import UsageError, unknown_name
from exporter.graph import Graph, attr, shape_of

KINDS = ("binary", "classes", "numbers")


@dataclass(frozen=True, slots=True)
class Head:
    """One output.

    Attributes:
        source_name: Its name in the source.
        value: The Graph's value that is compared: what goes into a final softmax or sigmoid, else the output.
        kind: "classes" (n, classes), "binary" (n, 1) or "numbers" of any shape.
    """

    source_name: str
    value: str
    kind: str


def heads_of(graph: Graph, told: Mapping[str, str]) -> tuple[Head, ...]:
    """One entry an output.

    Args:
        graph: The model.
        told: Kinds by source name, for outputs whose layers do not say: logits of classes look like any numbers.

    Raises:
        UsageError: If a name or kind in `told` is unknown, or does not fit the output's shape.
    """
    names = [p.source_name for p in graph.outputs]
    for name, kind in told.items():
        if name not in names:
            raise unknown_name("output", name, names)
        if kind not in KINDS:
            raise unknown_name("kind of output", kind, KINDS)
    values = {str(v.name): v for v in graph.model.graph.outputs}
    return tuple(_head(p.source_name, values[p.name], told.get(p.source_name)) for p in graph.outputs)


def _head(name: str, value: ir.Value, told: str | None) -> Head:
    producer, shape = value.producer(), shape_of(value)
    op = producer.op_type if producer is not None else ""
    fits = {"classes": len(shape) == 2 and shape[1] > 1, "binary": len(shape) == 2 and shape[1] == 1, "numbers": True}
    if told is not None and not fits[told]:
        raise UsageError(f"output {name} of shape {shape} cannot be {told}", hint="classes are (n, classes), binary is (n, 1)")
    softmax = op in ("Softmax", "LogSoftmax") and producer is not None and int(attr(producer, "axis", -1)) % len(shape) == len(shape) - 1
    guess = "classes" if softmax and fits["classes"] else "binary" if op == "Sigmoid" and fits["binary"] else "numbers"
    kind = told or guess
    before = producer.inputs[0] if producer is not None and producer.inputs else None
    inner = (softmax and kind == "classes") or (op == "Sigmoid" and kind == "binary")
    looked_at = before if inner and before is not None and before.const_value is None else value
    return Head(name, str(looked_at.name), kind)


def labelled(heads: Sequence[Head], graph: Graph) -> tuple[Head, ...]:
    """The heads with the one that labels belong to known as classes.

    Raises:
        UsageError: If no output, or more than one, can take labels.
    """
    scored = [h for h in heads if h.kind != "numbers"]
    if not scored:
        shapes = {p.source_name: shape_of(v) for p, v in zip(graph.outputs, graph.model.graph.outputs, strict=True)}
        scored = [
            Head(h.source_name, h.value, "classes") for h in heads if len(shapes[h.source_name]) == 2 and shapes[h.source_name][1] > 1
        ]
    if len(scored) != 1:
        names = ", ".join(h.source_name for h in heads)
        raise UsageError(
            f"labels could belong to {len(scored)} of the outputs {names}", hint="say which one holds classes: heads={NAME: 'classes'}"
        )
    return tuple(scored[0] if h.source_name == scored[0].source_name else h for h in heads)
