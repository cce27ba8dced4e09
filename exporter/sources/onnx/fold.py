"""Nodes on constants, computed by numpy: the arithmetic that exporters write to find shapes, and whatever else is constant."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import attr

Inputs = Sequence[Array | None]
_Rule = Callable[[ir.Node, Inputs], Array]

NEVER = {
    "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli",
    "If", "Loop", "Scan", "Dropout",
}  # fmt: skip
"""Operators whose result is not a function of their inputs alone, or that hold graphs."""


def fold(node: ir.Node, inputs: Inputs, opset: int) -> list[Array] | None:
    """The node's outputs, from the arrays of all its inputs (None: left out); None where it cannot be known.

    Views are returned where numpy gives them: nobody may write into the result.
    """
    if node.domain or node.op_type in NEVER:
        return None
    rule = RULES.get(node.op_type)
    if rule is not None:
        return [np.asarray(rule(node, inputs))]
    if node.op_type == "Split":
        return _split(node, inputs)
    return _reference(node, inputs, opset)


def _reference(node: ir.Node, inputs: Inputs, opset: int) -> list[Array] | None:
    """Any other operator, by onnx's own reference implementation."""
    from onnx import helper, numpy_helper
    from onnx.reference import ReferenceEvaluator

    known = [(v.name, a) for v, a in zip(node.inputs, inputs, strict=True) if v is not None and a is not None]
    outs = [helper.make_empty_tensor_value_info(v.name) for v in node.outputs if v.name]
    body = helper.make_graph([ir.to_proto(node)], "f", [], outs, [numpy_helper.from_array(np.asarray(a), n) for n, a in known])
    try:
        model = helper.make_model(body, opset_imports=[helper.make_opsetid("", opset)])
        return [np.asarray(r) for r in ReferenceEvaluator(model).run(None, {})]
    except (NotImplementedError, RuntimeError, TypeError, ValueError, IndexError, KeyError, AttributeError):
        return None  # stays a node: what cannot be computed here is judged by the writer


def _axes(node: ir.Node, inputs: Inputs) -> tuple[int, ...] | None:
    given = inputs[1] if len(inputs) > 1 else None
    return None if given is None else tuple(int(a) for a in given.ravel())


def _unsqueeze(node: ir.Node, inputs: Inputs) -> Array:
    return np.expand_dims(_need(inputs[0]), _axes(node, inputs) or ())


def _squeeze(node: ir.Node, inputs: Inputs) -> Array:
    return np.squeeze(_need(inputs[0]), _axes(node, inputs))


def _need(x: Array | None) -> Array:
    assert x is not None
    return x


def _slice(node: ir.Node, inputs: Inputs) -> Array:
    x, starts, ends = (_need(a) for a in inputs[:3])
    axes = _need(inputs[3]) if len(inputs) > 3 and inputs[3] is not None else np.arange(len(starts))
    steps = _need(inputs[4]) if len(inputs) > 4 and inputs[4] is not None else np.ones(len(starts), np.int64)
    index = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts.tolist(), ends.tolist(), axes.tolist(), steps.tolist(), strict=True):
        stop = None if step < 0 and end < -x.shape[axis] else end
        index[axis] = slice(start, stop, step)
    return x[tuple(index)]


def reshape_dims(shape: Sequence[int], target: Sequence[int], *, allowzero: bool = False) -> tuple[int, ...]:
    """The shape that a Reshape to `target` gives.

    Raises:
        ValueError: If it does not fit.
    """
    dims = [shape[i] if d == 0 and not allowzero else int(d) for i, d in enumerate(target)]
    total = int(np.prod(shape, dtype=np.int64))
    if -1 in dims:
        rest = int(np.prod([d for d in dims if d != -1], dtype=np.int64))
        dims[dims.index(-1)] = total // rest if rest else 0
    if int(np.prod(dims, dtype=np.int64)) != total:
        raise ValueError(f"{list(shape)} cannot be reshaped to {list(target)}")
    return tuple(dims)


def _reshape(node: ir.Node, inputs: Inputs) -> Array:
    x, target = _need(inputs[0]), _need(inputs[1])
    return x.reshape(reshape_dims(x.shape, target.tolist(), allowzero=bool(attr(node, "allowzero", 0))))


def _expand(node: ir.Node, inputs: Inputs) -> Array:
    x = _need(inputs[0])
    return np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(_need(inputs[1]).tolist())))


def _constant_of_shape(node: ir.Node, inputs: Inputs) -> Array:
    value = attr(node, "value", np.zeros(1, np.float32))
    return np.broadcast_to(value.reshape(()), tuple(_need(inputs[0]).tolist()))


def _cast(node: ir.Node, inputs: Inputs) -> Array:
    return _need(inputs[0]).astype(ir.DataType(attr(node, "to")).numpy())


def _divide(node: ir.Node, inputs: Inputs) -> Array:
    a, b = _need(inputs[0]), _need(inputs[1])
    if not np.issubdtype(a.dtype, np.integer):
        return a / b
    quotient = np.abs(a) // np.abs(b)  # integers are cut towards zero
    return np.asarray(np.sign(a) * np.sign(b) * quotient, a.dtype)


def _modulo(node: ir.Node, inputs: Inputs) -> Array:
    modulo = np.fmod if attr(node, "fmod", 0) else np.mod
    return np.asarray(modulo(_need(inputs[0]), _need(inputs[1])))


def _split(node: ir.Node, inputs: Inputs) -> list[Array]:
    x, axis, count = _need(inputs[0]), attr(node, "axis", 0), len(node.outputs)
    given = inputs[1] if len(inputs) > 1 else None
    sizes = given.tolist() if given is not None else [-(-x.shape[axis] // count)] * count
    return [np.asarray(part) for part in np.split(x, np.cumsum(sizes)[:-1], axis)]


def _plain(function: Callable[..., Any]) -> _Rule:
    return lambda node, inputs: np.asarray(function(*inputs))


RULES: dict[str, _Rule] = {
    "Identity": lambda n, i: _need(i[0]),
    "Gather": lambda n, i: np.take(_need(i[0]), _need(i[1]), attr(n, "axis", 0)),
    "Concat": lambda n, i: np.concatenate([_need(a) for a in i], attr(n, "axis")),
    "Transpose": lambda n, i: _need(i[0]).transpose(attr(n, "perm")),
    "Range": lambda n, i: np.arange(*(_need(a).item() for a in i), dtype=_need(i[0]).dtype),
    "Shape": lambda n, i: np.array(_need(i[0]).shape[attr(n, "start", 0): attr(n, "end")], np.int64),
    "Size": lambda n, i: np.array(_need(i[0]).size, np.int64),
    "Unsqueeze": _unsqueeze, "Squeeze": _squeeze, "Slice": _slice, "Reshape": _reshape, "Expand": _expand,
    "ConstantOfShape": _constant_of_shape, "Cast": _cast, "Div": _divide, "Mod": _modulo,
    "Add": _plain(np.add), "Sub": _plain(np.subtract), "Mul": _plain(np.multiply), "Neg": _plain(np.negative),
    "Floor": _plain(np.floor), "Ceil": _plain(np.ceil), "Sqrt": _plain(np.sqrt), "Abs": _plain(np.abs), "Exp": _plain(np.exp),
    "Equal": _plain(np.equal), "Less": _plain(np.less), "Greater": _plain(np.greater), "LessOrEqual": _plain(np.less_equal),
    "GreaterOrEqual": _plain(np.greater_equal), "And": _plain(np.logical_and), "Or": _plain(np.logical_or), "Not": _plain(np.logical_not),
    "Where": _plain(np.where),
}  # fmt: skip
"""The usual operators; all others go through onnx's reference."""
