"""Arithmetic on tensors and constants, for the operations of both frameworks."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from exporter.sources.keras.activations import clip, gelu, scalar, softmax, swish
from exporter.sources.keras.builder import Builder
from exporter.sources.keras.call import array
from exporter.sources.keras.dense import dense
from exporter.sources.keras.layout import arrange, constant_like, identity, unpack
from exporter.sources.keras.merging import chain
from exporter.sources.keras.shaping import permute
from exporter.sources.keras.tensor import RefusedError, Tensor

BINARY = {
    "add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "maximum": "Max", "minimum": "Min", "power": "Pow",
}  # fmt: skip
"""Two-operand operations to operators."""

UNARY = {
    "negative": "Neg", "absolute": "Abs", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "reciprocal": "Reciprocal", "floor": "Floor",
    "ceil": "Ceil", "sin": "Sin", "cos": "Cos", "erf": "Erf", "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh",
    "softplus": "Softplus", "softsign": "Softsign", "selu": "Selu", "mish": "Mish", "hard_silu": "HardSwish", "identity": "Identity",
}  # fmt: skip
"""One-operand operations to operators."""

REDUCTIONS = {"mean": "ReduceMean", "sum": "ReduceSum", "max": "ReduceMax", "min": "ReduceMin"}
"""Reductions to operators."""


def binary(b: Builder, op: str, left: Any, right: Any) -> Tensor:
    """An element-wise operator of two tensors, or of a tensor and a constant, as numpy broadcasts them."""
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        if left.rank != right.rank:
            raise RefusedError(f"{op} of tensors of rank {left.rank} and {right.rank}: their batch axes do not meet")
        return chain(b, op, [left, right])
    if isinstance(left, Tensor):
        return b.map(op, left, constant_like(b, left, array(right), "constant"))
    y = b.one(op, [constant_like(b, right, array(left), "constant"), right], right.perm)
    return Tensor(y.value, y.perm, right.packed)


def unary(b: Builder, op: str, x: Tensor) -> Tensor:
    """An element-wise operator of one tensor."""
    return x if op == "Identity" else b.map(op, x)


def square(b: Builder, x: Tensor) -> Tensor:
    """x * x."""
    return b.map("Mul", x, x.value)


def rsqrt(b: Builder, x: Tensor) -> Tensor:
    """1 / sqrt(x)."""
    return b.map("Reciprocal", b.map("Sqrt", x))


def reduce(b: Builder, op: str, x: Tensor, axis: Any, *, keepdims: bool) -> Tensor:
    """Reduce over Keras axes; the batch axis must stay."""
    x = unpack(b, x)
    if axis is None:
        raise RefusedError("a reduction over the batch")
    wanted = [int(a) for a in (axis if isinstance(axis, list | tuple) else np.ravel(np.asarray(axis)).tolist())]
    gone = {a % x.rank for a in wanted}
    if 0 in gone:
        raise RefusedError("a reduction over the batch")
    axes = b.ints("axes", sorted(x.axis(a) for a in gone))
    if keepdims:
        return b.one(op, [x, axes], x.perm, keepdims=1)
    stays = [a for a in range(x.rank) if a not in gone]
    return b.one(op, [x, axes], [stays.index(a) for a in x.perm if a in stays], keepdims=0)


def variance(b: Builder, x: Tensor, axis: Any, *, keepdims: bool) -> Tensor:
    """Mean of the squared distance to the mean."""
    mean = reduce(b, "ReduceMean", x, axis, keepdims=True)
    return reduce(b, "ReduceMean", square(b, binary(b, "Sub", x, mean)), axis, keepdims=keepdims)


def normalize(b: Builder, x: Tensor, axis: Any, epsilon: float) -> Tensor:
    """x / sqrt(max(sum(x²), epsilon))."""
    total = reduce(b, "ReduceSum", square(b, unpack(b, x)), axis, keepdims=True)
    floor = b.one("Max", [total, scalar(b, "floor", epsilon)], total.perm)
    return binary(b, "Mul", x, rsqrt(b, floor))


def matmul(b: Builder, left: Any, right: Any, *, swap_left: bool = False, swap_right: bool = False) -> Tensor:
    """numpy's matmul of two tensors of one rank, or of a tensor and a constant matrix."""
    if not isinstance(left, Tensor):
        raise RefusedError("a matrix product with the constant on the left")
    left = _swapped(left) if swap_left else left
    if isinstance(right, Tensor):
        right = _swapped(right) if swap_right else right
        if left.rank != right.rank or left.rank < 3:
            raise RefusedError(f"a matrix product of tensors of rank {left.rank} and {right.rank}")
        return b.one("MatMul", [arrange(b, left, identity(left.rank)), arrange(b, right, identity(right.rank))], identity(left.rank))
    kernel = array(right)
    if kernel.ndim != 2:
        raise RefusedError(f"a matrix product with a constant of rank {kernel.ndim}")
    return dense(b, left, kernel.T if swap_right else kernel, None, owner=None)


def _swapped(x: Tensor) -> Tensor:
    return permute(x, (*range(x.rank - 2), x.rank - 1, x.rank - 2))


def function(b: Builder, name: str, x: Tensor, options: dict[str, Any]) -> Tensor | None:
    """An activation by its lower-case name; None when it is none of ours.

    Args:
        b: Where the nodes go.
        name: E.g. "relu6".
        x: Its input.
        options: Its settings by Keras's names: axis, approximate, alpha, negative_slope.
    """
    if name in UNARY:
        return unary(b, UNARY[name], x)
    made = {
        "relu6": lambda: clip(b, x, 0, 6),
        "silu": lambda: swish(b, x),
        "swish": lambda: swish(b, x),
        "gelu": lambda: gelu(b, x, bool(options.get("approximate"))),
        "elu": lambda: b.map("Elu", x, alpha=float(options.get("alpha", 1.0))),
        "celu": lambda: b.map("Celu", x, alpha=float(options.get("alpha", 1.0))),
        "leaky_relu": lambda: b.map("LeakyRelu", x, alpha=float(options.get("negative_slope", 0.2))),
        "softmax": lambda: softmax(b, x, _axis(options)),
        "log_softmax": lambda: softmax(b, x, _axis(options), "LogSoftmax"),
        "hard_sigmoid": lambda: b.map("HardSigmoid", x, alpha=1 / 6, beta=0.5),
        "hard_tanh": lambda: clip(b, x, -1, 1),
        "square": lambda: square(b, x),
        "rsqrt": lambda: rsqrt(b, x),
    }.get(name)
    return made() if made else None


def _axis(options: dict[str, Any]) -> Any:
    axis = options.get("axis")
    return -1 if axis is None else axis


def numbers(value: Any) -> list[int]:
    """A shape, axes or paddings argument as plain ints.

    Raises:
        RefusedError: If a part of it is computed from tensors.
    """
    flat: Sequence[Any] = value if isinstance(value, list | tuple) else np.ravel(np.asarray(value)).tolist()
    if any(isinstance(v, Tensor) for v in flat):
        raise RefusedError("a shape computed from tensors")
    return [-1 if v is None else int(v) for v in flat]
