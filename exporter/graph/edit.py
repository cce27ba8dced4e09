"""Reading and changing a Graph: the few verbs that every pass and writer is made of."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph.model import BATCH, Graph


def shape_of(value: ir.Value, batch: int = 1) -> tuple[int, ...]:
    """The value's shape for a batch of 1 (or more), e.g. (1, 3, 224, 224); an axis "24N" is the batch merged with 24.

    Raises:
        ValueError: If the shape is unknown or an axis is open otherwise; names the value.
    """
    if value.shape is None:
        raise ValueError(f"value {value.name} has no shape: infer shapes first")
    dims = [_size(d, batch) for d in value.shape]
    if any(d < 0 for d in dims):
        raise ValueError(f"value {value.name} has shape {value.shape}: only the batch axis may be symbolic")
    return tuple(dims)


def _size(dimension: int | ir.SymbolicDim, batch: int) -> int:
    """An axis as a number, -1 where it is open."""
    if isinstance(dimension, int):
        return dimension
    factor = str(dimension).removesuffix(BATCH)
    if not str(dimension).endswith(BATCH) or not (factor.isdecimal() or not factor):
        return -1
    return int(factor or 1) * batch


def const(value: ir.Value | None) -> Array | None:
    """The value's array when it is a constant, else None."""
    return None if value is None or value.const_value is None else value.const_value.numpy()


def attr(node: ir.Node, name: str, default: Any = None) -> Any:
    """An attribute's plain value (int, float, str, tuple or array), or `default`."""
    found = node.attributes.get(name)
    if found is None:
        return default
    if found.type == ir.AttributeType.TENSOR:
        return found.as_tensor().numpy()
    return tuple(found.value) if isinstance(found.value, list | tuple) else found.value


def const_input(node: ir.Node, index: int) -> Array | None:
    """The array of the node's input `index` when it is there and constant, else None."""
    return const(node.inputs[index]) if index < len(node.inputs) else None


def sole_consumer(value: ir.Value) -> ir.Node | None:
    """The one node that reads the value, or None when several do, none does, or it is a graph output."""
    users = value.consumers()
    return users[0] if len(users) == 1 and len(value.uses()) == 1 and not value.is_graph_output() else None


def names_of(graph: Graph) -> set[str]:
    """Names of all values of a graph."""
    body = graph.model.graph
    return {str(v.name) for v in (*(o for n in body for o in n.outputs), *body.inputs)} | set(body.initializers)


def unique_name(graph: Graph, base: str, taken: set[str] | None = None) -> str:
    """`base`, or `base_2`, `base_3`, ...: the first that no value of the graph has.

    Args:
        graph: The graph.
        base: The name wished for.
        taken: `names_of(graph)`, where many names are needed; the new one is put into it.
    """
    known = names_of(graph) if taken is None else taken
    name, i = base, 2
    while name in known:
        name, i = f"{base}_{i}", i + 1
    known.add(name)
    return name


def add_constant(graph: Graph, name: str, array: Array, taken: set[str] | None = None) -> ir.Value:
    """A new initializer under a free name near `name`; the array is kept, not copied. For `taken` see `unique_name`."""
    array = np.asarray(array)
    name = unique_name(graph, name, taken)
    tensor = ir.tensor(array, name=name)
    value = ir.Value(name=name, shape=ir.Shape(array.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
    graph.model.graph.register_initializer(value)
    return value


def insert_node(
    graph: Graph, before: ir.Node, op: str, inputs: Sequence[ir.Value | None], name: str, *, domain: str = "", **attrs: Any
) -> ir.Value:
    """Insert `op` before a node; returns its one output, named after a free name near `name`, shape unset."""
    node = ir.node(op, inputs, attrs, domain=domain, name=name)
    node.name = node.outputs[0].name = unique_name(graph, name)
    node.outputs[0].type = ir.TensorType(ir.DataType.FLOAT)
    graph.model.graph.insert_before(before, node)
    return node.outputs[0]


def replace_value(old: ir.Value, new: ir.Value) -> None:
    """Readers of `old`, graph outputs too, read `new`, which takes over the old name where `old` was an output.

    The node that made `old` stays, to be removed by the caller or as dead code.
    """
    graph = old.graph
    if graph is not None and old.is_graph_output():
        name = old.name
        new.shape = new.shape or old.shape
        new.type = new.type or old.type
        for i, v in enumerate(graph.outputs):
            if v is old:
                graph.outputs[i] = new
        old.name, new.name = f"{name}__old", name
    old.replace_all_uses_with(new)
