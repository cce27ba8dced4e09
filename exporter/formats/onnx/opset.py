"""The same model in another opset.

The normal form's operators are old, most of them in opset 13 already but for element types; the few that are not are written another way.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.errors import UsageError
from exporter.graph import OPSET

OPSETS = range(13, 24)
"""Opsets that may be asked for."""

_SMALL = 1024
_REDUCE_AXES_SINCE = 18


def convert(proto: Any, weights: dict[str, Array], opset: int) -> dict[str, Array]:
    """Rewrite a ModelProto without initializers for another opset, in place; returns its weights.

    Raises:
        UsageError: If the opset is out of range, or the model uses what that opset does not have.
    """
    if opset not in OPSETS:
        raise UsageError(f"opset {opset} cannot be written, {OPSETS[0]} to {OPSETS[-1]} can", hint=f"leave it out for opset {OPSET}")
    nodes: list[Any] = []
    weights = dict(weights)
    for node in proto.graph.node:
        since, rewrite = _REWRITES.get(node.op_type, (0, None))
        nodes.extend(rewrite(node, weights) if rewrite is not None and opset < since else [node])
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    proto.opset_import[0].version = opset
    read = {name for node in nodes for name in node.input}
    weights = {name: array for name, array in weights.items() if name in read}
    _check(proto, weights, opset)
    return weights


def _check(proto: Any, weights: dict[str, Array], opset: int) -> None:
    """onnx's own checker, weights as inputs: it needs their shapes only."""
    import onnx
    from onnx import checker, helper, numpy_helper

    whole = onnx.ModelProto()
    whole.CopyFrom(proto)
    for name, array in weights.items():
        if array.nbytes <= _SMALL:
            whole.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        else:
            whole.graph.input.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape))
    try:
        checker.check_model(whole, full_check=True)
    except (checker.ValidationError, onnx.shape_inference.InferenceError) as problem:
        first = str(problem).strip().splitlines()[0]
        raise UsageError(f"the model cannot be written in opset {opset}: {first}", hint=f"leave the opset out for {OPSET}") from problem


def _node(op: str, inputs: list[str], output: str, like: Any, **attrs: Any) -> Any:
    from onnx import helper

    return helper.make_node(op, inputs, [output], name=f"{like.name}_{op.lower()}" if output != like.output[0] else like.name, **attrs)


def _reduce(node: Any, weights: dict[str, Array]) -> list[Any]:
    """Axes were an attribute once."""
    from onnx import helper

    if len(node.input) > 1 and node.input[1]:
        node.attribute.append(helper.make_attribute("axes", [int(a) for a in weights[node.input[1]]]))
        del node.input[1:]
    return [node]


def _hard_swish(node: Any, weights: dict[str, Array]) -> list[Any]:
    (x,), (y,) = node.input, node.output
    return [_node("HardSigmoid", [x], f"{y}_gate", node, alpha=1 / 6, beta=0.5), _node("Mul", [x, f"{y}_gate"], y, node)]


def _mish(node: Any, weights: dict[str, Array]) -> list[Any]:
    (x,), (y,) = node.input, node.output
    soft, gate = _node("Softplus", [x], f"{y}_soft", node), _node("Tanh", [f"{y}_soft"], f"{y}_gate", node)
    return [soft, gate, _node("Mul", [x, f"{y}_gate"], y, node)]


def _gelu(node: Any, weights: dict[str, Array]) -> list[Any]:
    """x / 2 * (1 + erf(x / sqrt 2)); the other form has x (1 + 0.044715 x^2) sqrt(2 / pi) and tanh."""
    (x,), (y,) = node.input, node.output
    tanh = any(a.name == "approximate" and a.s == b"tanh" for a in node.attribute)
    kind = next((a.dtype for a in weights.values() if a.dtype in (np.float16, np.float32)), np.dtype(np.float32))
    numbers = {"half": 0.5, "one": 1.0, "root": np.sqrt(0.5), "cube": 0.044715, "pi": np.sqrt(2 / np.pi)}
    names = {k: f"{y}_{k}" for k in numbers}
    weights.update({names[k]: np.array(v, kind) for k, v in numbers.items()})
    if tanh:
        inner = [
            _node("Mul", [x, x], f"{y}_square", node), _node("Mul", [f"{y}_square", names["cube"]], f"{y}_bent", node),
            _node("Add", [f"{y}_bent", names["one"]], f"{y}_shape", node), _node("Mul", [f"{y}_shape", x], f"{y}_scaled", node),
            _node("Mul", [f"{y}_scaled", names["pi"]], f"{y}_inner", node), _node("Tanh", [f"{y}_inner"], f"{y}_wave", node),
        ]  # fmt: skip
    else:
        inner = [_node("Mul", [x, names["root"]], f"{y}_inner", node), _node("Erf", [f"{y}_inner"], f"{y}_wave", node)]
    gate = [_node("Add", [f"{y}_wave", names["one"]], f"{y}_gate", node), _node("Mul", [x, names["half"]], f"{y}_part", node)]
    return [*inner, *gate, _node("Mul", [f"{y}_part", f"{y}_gate"], y, node)]


_Rewrite = Callable[[Any, dict[str, Array]], list[Any]]

_REDUCTIONS = (
    "ReduceMean",
    "ReduceMax",
    "ReduceMin",
    "ReduceProd",
    "ReduceL1",
    "ReduceL2",
    "ReduceSumSquare",
    "ReduceLogSum",
    "ReduceLogSumExp",
)

_REWRITES: dict[str, tuple[int, _Rewrite]] = {
    "HardSwish": (14, _hard_swish),
    "Mish": (18, _mish),
    "Gelu": (20, _gelu),
    **dict.fromkeys(_REDUCTIONS, (_REDUCE_AXES_SINCE, _reduce)),
}
"""Operator: the first opset that has it as we write it, and how to write it before."""
