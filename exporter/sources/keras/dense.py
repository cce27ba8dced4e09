"""Dense layers on any rank."""

from typing import Any

from exporter.array import Array
from exporter.sources.keras.activations import activation
from exporter.sources.keras.builder import Builder
from exporter.sources.keras.call import Call, Handler, array
from exporter.sources.keras.layout import arrange, channel_perm, follow, identity
from exporter.sources.keras.tensor import RefusedError, Tensor


def dense(b: Builder, x: Tensor, kernel: Array, bias: Array | None, *, owner: Any, role: str = "") -> Tensor:
    """x @ kernel + bias over the last Keras axis: Gemm on rank 2, 1x1 Conv on maps, MatMul on sequences whose channels lie last.

    Args:
        b: Where the nodes go.
        x: The input, rank 2 to 5.
        kernel: [in, out].
        bias: [out] or None.
        owner: The layer whose weights these are.
        role: Prefix of the weights' names.
    """
    if x.rank == 2:
        rows = b.constant(f"{role}kernel", follow(x, kernel).T, owner)
        return b.one("Gemm", [x, rows, *_bias(b, bias, owner, role)], identity(2), transB=1)
    if x.rank == 4 or (x.rank == 3 and x.perm[-1] != 2):
        x = arrange(b, x, channel_perm(x.rank, -1))
        n = x.rank - 2
        weight = kernel.T.reshape(*kernel.T.shape, *(1,) * n)
        return b.one("Conv", [x, b.constant(f"{role}kernel", weight, owner), *_bias(b, bias, owner, role)], x.perm, kernel_shape=[1] * n)
    x = arrange(b, x, identity(x.rank))
    y = b.one("MatMul", [x, b.constant(f"{role}kernel", kernel, owner)], x.perm)
    return y if bias is None else b.one("Add", [y, *_bias(b, bias, owner, role)], y.perm)


def _bias(b: Builder, bias: Array | None, owner: Any, role: str) -> list[Any]:
    return [] if bias is None else [b.constant(f"{role}bias", bias, owner)]


def _dense_layer(b: Builder, call: Call) -> Tensor:
    layer = call.layer
    kernel = array(layer.kernel)
    if kernel.ndim != 2:
        raise RefusedError(f"a kernel of rank {kernel.ndim}")
    y = dense(b, call.x, kernel, array(layer.bias) if layer.use_bias else None, owner=layer)
    return activation(b, layer.activation, y)


LAYERS: dict[str, Handler] = {"Dense": _dense_layer}
"""Layer class name to its handler."""
