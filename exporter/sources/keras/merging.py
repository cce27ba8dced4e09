"""Layers that join tensors."""

from exporter.sources.keras.activations import scalar
from exporter.sources.keras.builder import Builder
from exporter.sources.keras.call import Call, Handler
from exporter.sources.keras.layout import arrange, identity, together, unpack
from exporter.sources.keras.tensor import RefusedError, Tensor


def chain(b: Builder, op: str, tensors: list[Tensor]) -> Tensor:
    """A binary operator from left to right over tensors that broadcast."""
    tensors = [_batch_kept(t) for t in tensors]
    left, *others = together(b, tensors)
    for right in others:
        packed = left.packed
        y = b.one(op, [left, right], left.perm)
        left = Tensor(y.value, y.perm, packed)
    return left


def _batch_kept(x: Tensor) -> Tensor:
    if x.rank < 1:
        raise RefusedError("a tensor without a batch axis")
    return x


def _merge(op: str) -> Handler:
    return lambda b, call: chain(b, op, call.tensors)


def _average(b: Builder, call: Call) -> Tensor:
    total = chain(b, "Add", call.tensors)
    return b.map("Mul", total, scalar(b, "share", 1 / len(call.tensors)))


def concatenate(b: Builder, tensors: list[Tensor], axis: int) -> Tensor:
    """Concat over a Keras axis."""
    if len(tensors) == 1:
        return tensors[0]
    first = unpack(b, tensors[0])
    if first.axis(axis) == 0:
        raise RefusedError("a concatenation over the batch axis")
    tensors = [first, *(arrange(b, t, first.perm) for t in tensors[1:])]
    return b.one("Concat", tensors, first.perm, axis=first.axis(axis))


def _dot(b: Builder, call: Call) -> Tensor:
    """Keras's Dot of two rank-3 (or rank-2) tensors over one axis each, as one MatMul."""
    left, right = (unpack(b, t) for t in call.tensors)
    axes = call.layer.axes
    first, second = (int(axes), int(axes)) if isinstance(axes, int) else (int(axes[0]), int(axes[1]))
    if getattr(call.layer, "normalize", False):
        raise RefusedError("`normalize`")
    if left.rank == right.rank == 2:
        product = b.one("Mul", [left, right], identity(2))
        return b.one("ReduceSum", [product, b.ints("axes", [1])], identity(2), keepdims=1)
    if left.rank != 3 or right.rank != 3:
        raise RefusedError(f"ranks {left.rank} and {right.rank}; 2 and 2 or 3 and 3 are supported")
    a, c = first % 3, second % 3
    left = arrange(b, left, (0, 3 - a, a))
    right = arrange(b, right, (0, c, 3 - c))
    return b.one("MatMul", [left, right], identity(3))


LAYERS: dict[str, Handler] = {
    "Add": _merge("Add"),
    "Subtract": _merge("Sub"),
    "Multiply": _merge("Mul"),
    "Maximum": _merge("Max"),
    "Minimum": _merge("Min"),
    "Average": _average,
    "Concatenate": lambda b, call: concatenate(b, call.tensors, int(call.layer.axis)),
    "Dot": _dot,
}
"""Layer class name to its handler."""
