"""How operators take their inputs in another order of axes: the rules for moving a Transpose from before a node to after it.

A permutation p reads: axis i of the logical value is axis p[i] of the stored one, so logical = Transpose(stored, perm=p).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import BATCH, Graph, add_constant, attr, const, const_input, insert_node, unique_name
from exporter.passes.normalise_reduce import REDUCTIONS, axes_of
from exporter.passes.rewrite import rank_of, set_attrs

Perm = tuple[int, ...]

UNARY = frozenset({
    "Relu", "Clip", "LeakyRelu", "Elu", "Selu", "Celu", "Gelu", "HardSwish", "HardSigmoid", "Mish", "Sigmoid", "Tanh", "Softplus",
    "Softsign", "Exp", "Log", "Sqrt", "Abs", "Neg", "Erf", "Floor", "Ceil", "Round", "Reciprocal", "Sign", "Cos", "Sin", "Identity",
    "Dropout", "Cast", "ThresholdedRelu", "Shrink",
})  # fmt: skip
"""Operators whose result does not depend on the order of axes at all."""

_BINARY = frozenset({"Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "PRelu", "Sum", "Mean"})
_AXIS = frozenset({"Concat", "Softmax", "LogSoftmax", "Split"})

FLEXIBLE = UNARY | _BINARY | _AXIS | REDUCTIONS | {"Pad", "Slice", "Resize", "Squeeze", "Gather"}
"""Operators that a Transpose can be moved through."""


def pull_through(graph: Graph, node: ir.Node, perm: Perm) -> bool:
    """Let a node read stored instead of logical values, and put Transposes after it; False when it must stay as it is.

    Args:
        graph: The node's graph.
        node: A node of `FLEXIBLE`; those of its inputs that a Transpose with this perm makes are read before that Transpose.
        perm: The permutation.
    """
    stored = _stored_inputs(graph, node, perm)
    changes = _changes(graph, node, perm) if stored is not None else None
    if stored is None or changes is None:
        return False
    for i, value in stored.items():
        node.replace_input_with(i, value() if callable(value) else value)
    attrs, constants, out_perm = changes
    set_attrs(node, **attrs)
    for i, array in constants.items():
        node.replace_input_with(i, add_constant(graph, f"{node.outputs[0].name}_{i}", array))
    for out in node.outputs:
        _transpose_after(graph, node, out, out_perm)
    return True


def stored_by(value: ir.Value | None, perm: Perm) -> ir.Value | None:
    """What a Transpose with this perm reads to make the value, or None."""
    node = value.producer() if value is not None else None
    return node.inputs[0] if node is not None and node.op_type == "Transpose" and attr(node, "perm") == perm else None


def moves_units(shape: Sequence[Any], perm: Perm) -> bool:
    """Whether a permutation of a shape only moves axes of length 1, so that a Reshape does the same."""
    kept = [p for p in perm if shape[p] != 1]
    return kept == sorted(kept)


def inverse(perm: Perm) -> Perm:
    """The permutation that undoes one."""
    return tuple(int(i) for i in np.argsort(perm))


def permuted_shape(shape: Iterable[Any], perm: Perm) -> ir.Shape:
    """The shape of Transpose(x, perm) for an x of this shape."""
    dims = list(shape)
    return ir.Shape([dims[p] for p in perm])


def _stored_inputs(graph: Graph, node: ir.Node, perm: Perm) -> dict[int, Any] | None:
    """Each data input as it is to be read, or how to make it; None when one cannot be had cheaply."""
    count = len(node.inputs) if node.op_type in _BINARY | {"Concat"} else 1
    result: dict[int, Any] = {}
    for i, value in enumerate(node.inputs[:count]):
        if value is None:
            continue
        stored = stored_by(value, perm) or _constant(graph, value, perm) or _units_moved(graph, node, value, perm)
        if stored is None:
            return None
        result[i] = stored
    return result


def _constant(graph: Graph, value: ir.Value, perm: Perm) -> Any:
    array = const(value)
    if array is None or array.ndim > len(perm):
        return None
    if array.ndim == 0:
        return value
    full = array.reshape((1,) * (len(perm) - array.ndim) + array.shape)
    return lambda: add_constant(graph, value.name or "constant", np.ascontiguousarray(full.transpose(inverse(perm))))


def _units_moved(graph: Graph, node: ir.Node, value: ir.Value, perm: Perm) -> Any:
    """A value such as (N, 1, 1, C), to be read as (N, C, 1, 1)."""
    shape = list(value.shape or ())
    if len(shape) != len(perm) or perm[0] != 0 or str(shape[0]) != BATCH or not all(isinstance(d, int) for d in shape[1:]):
        return None
    back = inverse(perm)
    if not moves_units(shape, back):
        return None
    dims = permuted_shape(shape, back)

    def make() -> ir.Value:
        target = add_constant(graph, f"{value.name}_shape", np.array([0, *list(dims)[1:]], np.int64))
        made = insert_node(graph, node, "Reshape", [value, target], f"{value.name}_reshaped")
        made.shape = dims
        return made

    return make


def _changes(graph: Graph, node: ir.Node, perm: Perm) -> tuple[dict[str, Any], dict[int, Array], Perm] | None:
    """Attributes and constant inputs for stored axes, and the permutation of the result; None when the node must stay."""
    op, rank = node.op_type, len(perm)
    if op in UNARY:
        return {}, {}, perm
    if op in _BINARY:
        return ({}, {}, perm) if rank_of(node.outputs[0]) == rank else None
    if op in _AXIS:
        default = 0 if op == "Split" else -1
        return {"axis": perm[attr(node, "axis", default) % rank]}, {}, perm
    if op in REDUCTIONS:
        return _reduction(node, perm)
    return {"Pad": _pad, "Slice": _slice, "Resize": _resize, "Squeeze": _squeeze, "Gather": _gather}[op](node, perm)


def _reduction(node: ir.Node, perm: Perm) -> tuple[dict[str, Any], dict[int, Array], Perm] | None:
    axes = axes_of(node)
    if axes is None or len(node.inputs) < 2 or node.inputs[1] is None:
        return None
    constants: dict[int, Array] = {1: np.array(sorted(perm[a] for a in axes), np.int64)}
    if attr(node, "keepdims", 1):
        return {}, constants, perm
    return {}, constants, _without(perm, axes)


def _without(perm: Perm, axes: Iterable[int]) -> Perm:
    """The permutation of what is left when logical axes are dropped."""
    dropped = set(axes)
    left = [p for i, p in enumerate(perm) if i not in dropped]
    return tuple(sorted(left).index(p) for p in left)


def _pad(node: ir.Node, perm: Perm) -> tuple[dict[str, Any], dict[int, Array], Perm] | None:
    pads = const_input(node, 1)
    if pads is None or (len(node.inputs) > 3 and node.inputs[3] is not None):
        return None
    return {}, {1: np.ascontiguousarray(pads.reshape(2, -1)[:, inverse(perm)]).reshape(-1)}, perm


def _slice(node: ir.Node, perm: Perm) -> tuple[dict[str, Any], dict[int, Array], Perm] | None:
    axes, starts = const_input(node, 3), const_input(node, 1)
    if starts is None or (axes is None and len(node.inputs) > 3 and node.inputs[3] is not None):
        return None
    if len(node.inputs) < 4 or axes is None:
        return None
    return {}, {3: np.array([perm[int(a) % len(perm)] for a in axes], np.int64)}, perm


def _squeeze(node: ir.Node, perm: Perm) -> tuple[dict[str, Any], dict[int, Array], Perm] | None:
    given = const_input(node, 1)
    if given is None:
        return None
    axes = [int(a) % len(perm) for a in given]
    return {}, {1: np.array(sorted(perm[a] for a in axes), np.int64)}, _without(perm, axes)


def _gather(node: ir.Node, perm: Perm) -> tuple[dict[str, Any], dict[int, Array], Perm] | None:
    """One index drops its axis, a row of indices keeps it."""
    indices, axis = const_input(node, 1), int(attr(node, "axis", 0)) % len(perm)
    if indices is None or indices.ndim > 1:
        return None
    return {"axis": perm[axis]}, {}, perm if indices.ndim else _without(perm, [axis])


def _resize(node: ir.Node, perm: Perm) -> tuple[dict[str, Any], dict[int, Array], Perm] | None:
    if "axes" in node.attributes or attr(node, "coordinate_transformation_mode") == "tf_crop_and_resize":
        return None
    constants: dict[int, Array] = {}
    for i in (2, 3):
        array = const_input(node, i)
        if array is not None and array.size:
            constants[i] = array[list(inverse(perm))]
    return ({}, constants, perm) if constants else None


def _transpose_after(graph: Graph, node: ir.Node, out: ir.Value, perm: Perm) -> None:
    """The output holds stored axes from now on; its readers get a Transpose of it, which keeps the name only as the graph's output."""
    after = ir.node("Transpose", [None], {"perm": list(perm)})
    if node.graph is None:
        raise ValueError(f"{node.name} is in no graph")
    node.graph.insert_after(node, after)
    logical, name = after.outputs[0], out.name
    logical.shape, logical.type = out.shape, out.type
    after.name = fresh = unique_name(graph, f"{name}_transposed")
    if out.is_graph_output():
        out.name, logical.name = fresh, name
    else:
        logical.name = fresh
    out.replace_all_uses_with(logical, replace_graph_outputs=True)
    after.replace_input_with(0, out)
    out.shape = None if logical.shape is None else permuted_shape(logical.shape, inverse(perm))
