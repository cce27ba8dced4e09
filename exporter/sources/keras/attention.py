"""Attention layers and the einsum layer that they are made of."""

from math import prod, sqrt
from typing import Any

from exporter.array import Array
from exporter.sources.keras.activations import activation, scalar, softmax
from exporter.sources.keras.builder import Builder
from exporter.sources.keras.call import Call, Handler, array
from exporter.sources.keras.dense import dense
from exporter.sources.keras.layout import arrange, constant_like, identity, reshape
from exporter.sources.keras.shaping import permute
from exporter.sources.keras.tensor import RefusedError, Tensor


def _project(b: Builder, x: Tensor, part: Any, role: str, contracted: int) -> Tensor:
    """x times the kernel of an EinsumDense whose first `contracted` axes meet the last ones of x, plus its bias; rank 3."""
    kernel = array(part.kernel)
    bias = None if getattr(part, "bias", None) is None else array(part.bias).ravel()
    rows = prod(kernel.shape[:contracted])
    return dense(b, x, kernel.reshape(rows, -1), bias, owner=part, role=role)


def _heads(b: Builder, x: Tensor, heads: int) -> Tensor:
    """(N, T, heads * size) as (N, heads, T, size)."""
    return permute(reshape(b, x, (x.dims[1], heads, x.dims[2] // heads)), (0, 2, 1, 3))


def _attend(b: Builder, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """softmax(scale * query keyᵀ) value over the last two axes."""
    rank = query.rank
    keys = arrange(b, permute(key, (*range(rank - 2), rank - 1, rank - 2)), identity(rank))
    scores = b.one("MatMul", [arrange(b, query, identity(rank)), keys], identity(rank))
    scores = scores if scale == 1 else b.map("Mul", scores, scalar(b, "scale", scale))
    return b.one("MatMul", [softmax(b, scores), arrange(b, value, identity(rank))], identity(rank))


def _three(call: Call, names: tuple[str, str, str]) -> tuple[Tensor, Tensor, Tensor]:
    query, value = (call.argument(i, n) for i, n in enumerate(names[:2]))
    key = call.args[2] if len(call.args) > 2 else call.kwargs.get(names[2])
    return query, value, value if key is None else key


def _multi_head(b: Builder, call: Call) -> Tensor:
    layer = call.layer
    if any(call.kwargs.get(k) is not None and call.kwargs.get(k) is not False for k in ("attention_mask", "query_mask", "use_causal_mask")):
        raise RefusedError("attention under a mask")
    query, value, key = _three(call, ("query", "value", "key"))
    if {query.rank, value.rank, key.rank} != {3}:
        raise RefusedError(f"attention on rank {query.rank}; 3 is supported")
    query, key, value = (arrange(b, t, identity(3)) for t in (query, key, value))
    parts = ((query, layer._query_dense, "query_"), (key, layer._key_dense, "key_"), (value, layer._value_dense, "value_"))
    q, k, v = (_heads(b, _project(b, x, part, role, 1), array(part.kernel).shape[1]) for x, part, role in parts)
    mixed = permute(_attend(b, q, k, v, 1 / sqrt(q.dims[-1])), (0, 2, 1, 3))
    joined = reshape(b, arrange(b, mixed, identity(4)), (mixed.dims[1], mixed.dims[2] * mixed.dims[3]))
    return _project(b, joined, layer._output_dense, "output_", 2)


def _attention(b: Builder, call: Call) -> Tensor:
    """Dot-product attention of [query, value] or [query, value, key]."""
    layer = call.layer
    tensors = call.args[0]
    if getattr(layer, "score_mode", "dot") != "dot" or len(call.tensors) != len(tensors):
        raise RefusedError("attention with a mask or a score other than `dot`")
    query, value, key = (*tensors, tensors[1])[:3]
    scale = float(array(layer.scale)) if getattr(layer, "scale", None) is not None else 1.0
    return _attend(b, query, key, value, scale)


def _letters(equation: str) -> tuple[str, str, str]:
    left, _, right = equation.replace(" ", "").replace("...", "").partition("->")
    first, _, kernel = left.partition(",")
    return first, kernel, right


def _einsum_dense(b: Builder, call: Call) -> Tensor:
    """Where the last axes of x meet the first ones of the kernel, it is a dense layer between two reshapes."""
    layer, x = call.layer, call.x
    first, kernel_axes, right = _letters(layer.equation)
    met = [c for c in kernel_axes if c not in right]
    new = [c for c in kernel_axes if c in right]
    kept = first[: len(first) - len(met)]
    if [*first[len(kept) :]] != met or right != kept + "".join(new) or kernel_axes != "".join(met + new) or set(new) & set(first):
        raise RefusedError(f"the equation {layer.equation}")
    kernel: Array = array(layer.kernel)
    rows = prod(kernel.shape[: len(met)])
    flat = reshape(b, x, (*x.dims[1 : x.rank - len(met)], rows))
    y = dense(b, flat, kernel.reshape(rows, -1), None, owner=layer)
    y = reshape(b, y, (*flat.dims[1:-1], *kernel.shape[len(met) :]))
    bias = getattr(layer, "bias", None)
    y = y if bias is None else b.map("Add", y, constant_like(b, y, array(bias), "bias", layer))
    return activation(b, layer.activation, y)


LAYERS: dict[str, Handler] = {"MultiHeadAttention": _multi_head, "Attention": _attention, "EinsumDense": _einsum_dense}
"""Layer class name to its handler."""
