"""Layers that move, pad, cut or enlarge without computing."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from exporter.sources.keras.builder import Builder
from exporter.sources.keras.call import Call, Handler, pair
from exporter.sources.keras.layout import arrange, identity, layer_channels, reshape, unpack
from exporter.sources.keras.tensor import RefusedError, Tensor


def pad(b: Builder, x: Tensor, widths: Sequence[Sequence[int]], mode: str = "constant", value: float = 0.0) -> Tensor:
    """Pad in Keras axes: one (before, after) an axis."""
    x = unpack(b, x)
    if not any(w for pair_ in widths for w in pair_):
        return x
    begins, ends = ([int(widths[a][side]) for a in x.perm] for side in (0, 1))
    fill = [] if mode != "constant" or value == 0 else [b.constant("value", np.float32(value))]
    return b.one("Pad", [x, b.ints("pads", [*begins, *ends]), *fill], x.perm, mode=mode)


def cut(b: Builder, x: Tensor, ranges: dict[int, tuple[int, int, int]]) -> Tensor:
    """Slice in Keras axes: axis to (start, stop, step); nothing where all of an axis is kept."""
    x = unpack(b, x)
    ranges = {a: r for a, r in ranges.items() if r != (0, x.dims[a], 1)}
    if not ranges:
        return x
    if 0 in ranges:
        raise RefusedError("a slice of the batch axis")
    axes = sorted(ranges, key=x.axis)
    starts, stops, steps = (b.ints(n, [ranges[a][i] for a in axes]) for i, n in enumerate(("starts", "ends", "steps")))
    return b.one("Slice", [x, starts, stops, b.ints("axes", [x.axis(a) for a in axes]), steps], x.perm)


def resize(b: Builder, x: Tensor, size: Sequence[int], interpolation: str, axes: Sequence[int]) -> Tensor:
    """Resize two Keras axes (or one) as TensorFlow 2 does: half-pixel centres, no antialiasing."""
    x = unpack(b, x)
    if tuple(x.dims[a] for a in axes) == tuple(size):
        return x
    wanted = {x.axis(a): int(s) for a, s in zip(axes, size, strict=True)}
    target = [wanted.get(g, d) for g, d in enumerate(x.shape)]
    scales = b.constant("scales", np.array([_scale(d, t) for d, t in zip(x.shape, target, strict=True)], np.float32))
    if interpolation not in ("nearest", "bilinear"):
        raise RefusedError(f"interpolation `{interpolation}`; nearest and bilinear are supported")
    how = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    if interpolation == "nearest":
        whole = all(t % d == 0 for d, t in zip(x.shape, target, strict=True))
        how = WHOLE_NEAREST if whole else NEAREST
    return b.one("Resize", [x, None, scales], x.perm, shape=target[1:], **how)


NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"}
"""TensorFlow's nearest with half-pixel centres: floor((i + 0.5) / scale)."""

WHOLE_NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
"""The same for whole factors, in the spelling that every engine has."""


def _scale(length: int, target: int) -> np.float32:
    """target / length, nudged up until floor(length * scale) is the target in float32."""
    scale = np.float32(target / length)
    while int(np.floor(np.float32(length) * scale)) < target:
        scale = np.nextafter(scale, np.float32(np.inf))
    return scale


def spatial_axes(layer: Any, rank: int) -> list[int]:
    """The Keras axes between batch and channels."""
    return list(range(2, rank)) if getattr(layer, "data_format", None) == "channels_first" else list(range(1, rank - 1))


def _borders(value: Any, axes: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Keras's padding or cropping argument as (before, after) by axis; a 1-D one is a single pair."""
    pairs = [value] if len(axes) == 1 else list(value)
    return {a: (int(p[0]), int(p[1])) for a, p in zip(axes, (pair(q) for q in pairs), strict=True)}


def _zero_padding(b: Builder, call: Call) -> Tensor:
    around = _borders(call.layer.padding, spatial_axes(call.layer, call.x.rank))
    return pad(b, call.x, [around.get(a, (0, 0)) for a in range(call.x.rank)])


def _cropping(b: Builder, call: Call) -> Tensor:
    around = _borders(call.layer.cropping, spatial_axes(call.layer, call.x.rank))
    return cut(b, call.x, {a: (p, call.x.dims[a] - q, 1) for a, (p, q) in around.items()})


def _up_sampling(b: Builder, call: Call) -> Tensor:
    layer = call.layer
    axes = spatial_axes(layer, call.x.rank)
    x = arrange(b, call.x, layer_channels(layer, call.x.rank))
    size = [x.dims[a] * f for a, f in zip(axes, pair(layer.size, len(axes)), strict=True)]
    return resize(b, x, size, getattr(layer, "interpolation", "nearest"), axes)


def target_dims(x: Tensor, wanted: Sequence[int]) -> tuple[int, ...]:
    """A reshape's target (without batch) with its -1 worked out."""
    total = int(np.prod(x.shape[1:]))
    known = int(np.prod([d for d in wanted if d != -1]))
    return tuple(total // known if d == -1 else int(d) for d in wanted)


def _reshape_layer(b: Builder, call: Call) -> Tensor:
    return reshape(b, call.x, target_dims(call.x, [-1 if d is None else int(d) for d in call.layer.target_shape]))


def flatten(b: Builder, call: Call) -> Tensor:
    """To rank 2; a channels-first Flatten of Keras 2 and 3 moves the channels last before it."""
    x = call.x
    if getattr(call.layer, "data_format", None) == "channels_first" and x.rank > 2:
        x = permute(x, (0, *range(2, x.rank), 1))
    return reshape(b, x, (int(np.prod(x.shape[1:])),))


def permute(x: Tensor, order: Sequence[int]) -> Tensor:
    """Keras axis i of the result is Keras axis order[i] of x: costs nothing until somebody needs another order.

    Raises:
        RefusedError: If the batch axis moves.
    """
    if order[0] != 0:
        raise RefusedError("a transpose that moves the batch axis")
    return Tensor(x.value, tuple(list(order).index(a) for a in x.perm), x.packed)


def _repeat_vector(b: Builder, call: Call) -> Tensor:
    x = unpack(b, call.x)
    y = b.one("Reshape", [x, b.ints("shape", [0, 1, x.shape[1]])], identity(3))
    ones = b.constant("ones", np.ones((1, int(call.layer.n), 1), np.float32))
    return b.one("Mul", [y, ones], y.perm)


LAYERS: dict[str, Handler] = {
    "ZeroPadding1D": _zero_padding,
    "ZeroPadding2D": _zero_padding,
    "Cropping1D": _cropping,
    "Cropping2D": _cropping,
    "UpSampling1D": _up_sampling,
    "UpSampling2D": _up_sampling,
    "Reshape": _reshape_layer,
    "Flatten": flatten,
    "Permute": lambda b, call: permute(call.x, (0, *(int(d) for d in call.layer.dims))),
    "RepeatVector": _repeat_vector,
}
"""Layer class name to its handler."""
