"""What every pass is made of: its protocol, the walk over nodes, and the changes that keep names, shapes and shared weights right."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Protocol

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import Graph, add_constant, attr, unique_name
from exporter.graph.context import Context

_CHUNK = 1 << 20


class Phase(StrEnum):
    """When a pass runs; CLEAN and FOLD are exact, the others are measured on data."""

    CLEAN = "clean"
    COMPRESS = "compress"
    FOLD = "fold"
    QUANTIZE = "quantize"


class Pass(Protocol):
    """A frozen dataclass whose fields are its settings."""

    phase: ClassVar[Phase]

    def __call__(self, graph: Graph, context: Context | None = None) -> int:
        """Change the graph in place; returns the number of changes, 0 when there is nothing (left) to do."""


@dataclass(frozen=True, slots=True)
class NodePass(ABC):
    """A pass that looks at one standard node after the other, in topological order."""

    phase: ClassVar[Phase]
    ops: ClassVar[frozenset[str]]

    def __call__(self, graph: Graph, context: Context | None = None) -> int:
        """See `Pass`."""
        nodes = [n for n in graph.model.graph if n.op_type in self.ops and n.domain in ("", "ai.onnx")]
        return sum(self.rewrite(graph, node) for node in nodes if node.graph is not None and node.op_type in self.ops)

    @abstractmethod
    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """Change what this node is part of, or return 0."""


def become(node: ir.Node, op: str, inputs: Sequence[ir.Value | None], *, domain: str = "", **attrs: Any) -> int:
    """Make a node another operator in place: its outputs keep their names, shapes and readers. Returns 1, a change."""
    node.op_type, node.domain = op, domain
    node.resize_inputs(len(inputs))
    for i, value in enumerate(inputs):
        node.replace_input_with(i, value)
    node.attributes.clear()
    for attribute in ir.convenience.convert_attributes(attrs):
        node.attributes[attribute.name] = attribute
    return 1


def set_attrs(node: ir.Node, **attrs: Any) -> bool:
    """Set attributes; None removes one. Returns whether anything is different now."""
    changed = False
    for name, value in attrs.items():
        wanted = tuple(value) if isinstance(value, list | tuple) else value
        if attr(node, name) == wanted:
            continue
        changed = True
        node.attributes.pop(name, None)
        if value is not None:
            node.attributes[name] = ir.convenience.convert_attribute(name, value)
    return changed


def bypass(node: ir.Node, value: ir.Value) -> int:
    """Let the readers of a node's one output read `value`, which is equal to it, and remove the node.

    Left alone (0): an output of the graph that would become one of its inputs, a constant or an output twice.
    """
    out = node.outputs[0]
    if out.is_graph_output():
        if value.is_graph_input() or value.is_graph_output() or value.is_initializer() or value.producer() is None:
            return 0
        _hand_over(out, value)
    out.replace_all_uses_with(value)
    _drop(node)
    return 1


def absorb(node: ir.Node, producer: ir.Node) -> int:
    """`producer` now computes what `node` made of its result: its output takes over the node's name and readers; the node goes."""
    out, result = node.outputs[0], producer.outputs[0]
    _hand_over(out, result)
    out.replace_all_uses_with(result)
    result.shape = out.shape
    _drop(node)
    return 1


def follow(graph: Graph, node: ir.Node, op: str, others: Sequence[ir.Value | None] = (), **attrs: Any) -> ir.Node:
    """Insert `op(result, *others)` right after a node: its output takes over the result's name, readers, shape and place as output.

    Returns:
        The new node; the result now has another name, derived from the old one.
    """
    out = node.outputs[0]
    after = ir.node(op, [None, *others], attrs)
    if node.graph is None:
        raise ValueError(f"{node.name} is in no graph")
    node.graph.insert_after(node, after)
    result, name = after.outputs[0], out.name
    result.shape, result.type = out.shape, out.type
    out.replace_all_uses_with(result, replace_graph_outputs=True)
    out.name = unique_name(graph, f"{name}_{node.op_type.lower()}")
    result.name, after.name = name, f"{out.name}_{op.lower()}"
    after.replace_input_with(0, out)
    return after


def _hand_over(old: ir.Value, new: ir.Value) -> None:
    """The new value gets the old one's name, and its place among the graph's outputs."""
    name, graph = old.name, old.graph
    old.name = f"{name}__old"
    new.name = name
    if graph is not None and old.is_graph_output():
        for i, value in enumerate(graph.outputs):
            if value is old:
                graph.outputs[i] = new
        new.type = new.type or old.type


def _drop(node: ir.Node) -> None:
    if node.graph is not None:
        node.graph.remove(node, safe=True)


def set_weight(graph: Graph, node: ir.Node, index: int, array: Array, name: str = "") -> None:
    """Give the node's input `index` another constant: in its own initializer's place, or a new one where others read that too.

    Args:
        graph: The node's graph.
        node: The node.
        index: Which input; inputs are added up to it.
        array: The new values, float32 or int64; kept, not copied.
        name: Name of a constant that is new; the output's with the index otherwise.
    """
    if len(node.inputs) <= index:
        node.resize_inputs(index + 1)
    value = node.inputs[index]
    if value is not None and value.is_initializer() and len(value.uses()) == 1 and not value.is_graph_output():
        value.const_value = ir.tensor(array, name=value.name)
        value.shape, value.type = ir.Shape(array.shape), ir.TensorType(value.const_value.dtype)
        return
    base = value.name if value is not None and value.name else name or f"{node.outputs[0].name}_{index}"
    node.replace_input_with(index, add_constant(graph, base, array))


def flushed(array: Array) -> Array:
    """As float32 of its own with subnormal values set to 0: they stand for nothing and are slow on every engine."""
    result = np.array(array, np.float32, order="C")
    flat = result.reshape(-1)
    for start in range(0, flat.size, _CHUNK):
        part = flat[start : start + _CHUNK]
        part[np.abs(part) < np.finfo(np.float32).tiny] = 0
    return result


def scalar(array: Array | None) -> float | None:
    """The one number that a constant is made of, whatever its shape; None when it holds several or is none."""
    if array is None or array.size == 0 or not np.issubdtype(array.dtype, np.number):
        return None
    first = array.reshape(-1)[0]
    return float(first) if array.size == 1 or bool((array == first).all()) else None


def number(graph: Graph, name: str, value: float) -> ir.Value:
    """A new 0-d float32 constant."""
    return add_constant(graph, name, np.array(value, np.float32))


def rank_of(value: ir.Value | None) -> int:
    """Number of axes, -1 when unknown."""
    return -1 if value is None or value.shape is None else len(value.shape)
