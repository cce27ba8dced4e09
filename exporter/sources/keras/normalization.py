"""Normalization layers, and the preprocessing layers that scale their input."""

from typing import Any

import numpy as np

from exporter.array import Array
from exporter.sources.keras.activations import scalar
from exporter.sources.keras.builder import Builder
from exporter.sources.keras.call import Call, Handler, array
from exporter.sources.keras.layout import arrange, channel_perm, constant_like, identity, order, unpack
from exporter.sources.keras.tensor import RefusedError, Tensor


def _axes(layer: Any, rank: int) -> list[int]:
    axis = layer.axis
    return sorted(int(a) % rank for a in (axis if isinstance(axis, list | tuple) else [axis]))


def affine(b: Builder, x: Tensor, scale: Array | None, shift: Array | None, owner: Any = None) -> Tensor:
    """x * scale + shift; both broadcast against x in Keras axes; what changes nothing is left out."""
    if scale is not None and not np.all(scale == 1):
        x = b.map("Mul", x, constant_like(b, x, scale, "scale", owner))
    if shift is not None and np.any(shift):
        x = b.map("Add", x, constant_like(b, x, shift, "shift", owner))
    return x


def _batch_norm(b: Builder, call: Call) -> Tensor:
    layer, x = call.layer, call.x
    axes = _axes(layer, x.rank)
    size = tuple(x.dims[a] for a in axes)
    mean, var = array(layer.moving_mean), array(layer.moving_variance)
    gamma = array(layer.gamma) if layer.scale else np.ones(mean.shape, np.float32)
    beta = array(layer.beta) if layer.center else np.zeros(mean.shape, np.float32)
    if len(axes) == 1 and x.axis(axes[0]) == 1:
        packing = order(x)
        names = ("gamma", "beta", "mean", "variance")
        per_channel = [v.ravel() if packing is None else v.ravel()[packing] for v in (gamma, beta, mean, var)]
        constants = [b.constant(n, v, layer) for n, v in zip(names, per_channel, strict=True)]
        return b.map("BatchNormalization", x, *constants, epsilon=float(layer.epsilon))
    scale = gamma.astype(np.float64) / np.sqrt(var.astype(np.float64) + layer.epsilon)
    spread = [d if a in axes else 1 for a, d in enumerate(x.dims)]
    shift = beta - mean * scale
    return affine(b, x, scale.reshape(size).reshape(spread), shift.reshape(size).reshape(spread), layer)


def _layer_norm(b: Builder, call: Call) -> Tensor:
    """Over the last Keras axes ONNX has one node; the tensor must lie as Keras has it. Packed rank 2 follows its packing."""
    layer, x = call.layer, call.x
    if getattr(layer, "rms_scaling", False):
        raise RefusedError("`rms_scaling`")
    axes = _axes(layer, x.rank)
    if axes != list(range(x.rank - len(axes), x.rank)):
        raise RefusedError(f"normalization over the axes {axes} of {x.rank}: only the last ones are supported")
    packing = order(x)
    x = x if packing is not None else arrange(b, x, identity(x.rank))
    size = x.dims[axes[0] :]
    gamma = array(layer.gamma) if layer.scale else np.ones(size, np.float32)
    beta = array(layer.beta) if layer.center else np.zeros(size, np.float32)
    gamma, beta = (v.reshape(size) if packing is None else v[packing] for v in (gamma, beta))
    constants = [b.constant("gamma", gamma, layer), b.constant("beta", beta, layer)]
    return b.map("LayerNormalization", x, *constants, axis=axes[0], epsilon=float(layer.epsilon))


def _group_norm(b: Builder, call: Call) -> Tensor:
    """Groups are instances of InstanceNormalization after a reshape to [N, groups, everything else]."""
    layer, x = call.layer, call.x
    axis = int(layer.axis) % x.rank
    x = arrange(b, x, channel_perm(x.rank, axis))
    groups = x.shape[1] if layer.groups == -1 else int(layer.groups)
    flat = b.one("Reshape", [x, b.ints("shape", [0, groups, int(np.prod(x.shape[1:])) // groups])], identity(3))
    ones, zeros = b.constant("ones", np.ones(groups)), b.constant("zeros", np.zeros(groups))
    flat = b.one("InstanceNormalization", [flat, ones, zeros], flat.perm, epsilon=float(layer.epsilon))
    y = b.one("Reshape", [flat, b.ints("shape", [0, *x.shape[1:]])], x.perm)
    spread = [d if a == axis else 1 for a, d in enumerate(x.dims)]
    gamma, beta = layer.gamma if layer.scale else None, layer.beta if layer.center else None
    scale, shift = (None if v is None else array(v).reshape(spread) for v in (gamma, beta))
    return affine(b, y, scale, shift, layer)


def _unit_norm(b: Builder, call: Call) -> Tensor:
    """x / max(norm, 1e-6), as Keras does with its epsilon of 1e-12 on the square."""
    x = unpack(b, call.x)
    axes = b.ints("axes", sorted(x.axis(a) for a in _axes(call.layer, x.rank)))
    norm = b.one("ReduceL2", [x, axes], x.perm, keepdims=1)
    norm = b.one("Max", [norm, scalar(b, "floor", 1e-6)], x.perm)
    return b.one("Div", [x, norm], x.perm)


def _rescaling(b: Builder, call: Call) -> Tensor:
    return affine(b, call.x, np.asarray(call.layer.scale, np.float32), np.asarray(call.layer.offset, np.float32))


def _normalization(b: Builder, call: Call) -> Tensor:
    layer, x = call.layer, call.x
    mean, std = array(layer.mean), np.maximum(np.sqrt(array(layer.variance)), 1e-7)
    if getattr(layer, "invert", False):
        return affine(b, x, std, mean, layer)
    return affine(b, affine(b, x, None, -mean, layer), 1 / std, None, layer)


LAYERS: dict[str, Handler] = {
    "BatchNormalization": _batch_norm,
    "BatchNormalizationV1": _batch_norm,
    "BatchNormalizationV2": _batch_norm,
    "SyncBatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
    "UnitNormalization": _unit_norm,
    "Rescaling": _rescaling,
    "Normalization": _normalization,
}
"""Layer class name to its handler."""
