"""Resize: TensorFlow's own where its rounding is the node's; else rows are picked, or mixed by a matrix."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from exporter.array import Array
from exporter.train.call import Call, Carried, Refused
from exporter.train.windows import Two, back, picture, two

_TF_MODES: tuple[dict[str, bool], ...] = ({}, {"half_pixel_centers": True}, {"align_corners": True})

_ROUNDINGS: dict[str, Callable[[Array], Array]] = {
    "floor": np.floor, "ceil": np.ceil, "round_prefer_floor": lambda c: np.ceil(c - 0.5), "round_prefer_ceil": lambda c: np.floor(c + 0.5),
}  # fmt: skip


def resize(call: Call) -> Carried:
    """Resize of height and width, or a length; nearest and linear."""
    x, (places, size) = call.tensor(), places_of(call)
    return back(x, _nearest(call, picture(x), places, size) if is_nearest(call) else _linear(picture(x), places, size))


def is_nearest(call: Call) -> bool:
    """Whether rows are picked; else they are mixed."""
    return str(call.attr("mode", "nearest")) == "nearest"


def places_of(call: Call) -> tuple[list[Array], Two]:
    """For height and width: where in the input each place of the output reads, and the input's size.

    Raises:
        Refused: For what is neither nearest nor linear, or resizes other axes.
    """
    _refuse_unknown(call, call.attr("mode", "nearest"))
    size, out = two(call.shape_in()[2:], 1), two(call.shape_out()[2:], 1)
    return [_places(call, i, o, s) for i, o, s in zip(size, out, _scales(call, size, out), strict=True)], size


def _refuse_unknown(call: Call, mode: str) -> None:
    before, after = call.shape_in(), call.shape_out()
    if mode not in ("nearest", "linear") or call.attr("antialias", 0):
        raise Refused(f"its mode is {mode}; nearest and linear are known, without antialias")
    if len(before) not in (3, 4) or before[1] != after[1] or _transform(call) == "tf_crop_and_resize":
        raise Refused("it resizes more than height and width")


def _transform(call: Call) -> str:
    return str(call.attr("coordinate_transformation_mode", "half_pixel"))


def _scales(call: Call, size: tuple[int, int], out: tuple[int, int]) -> tuple[float, float]:
    """As the node states them, which need not be the quotient of its sizes; by axis where it names axes."""
    given = call.const(2)
    exact = (out[0] / size[0], out[1] / size[1])
    if given is None or not given.size:
        return exact
    rank = len(call.shape_in())
    axes = [int(a) % rank for a in call.attr("axes") or range(rank)]
    stated = dict(zip(axes, map(float, given), strict=True))
    return (stated.get(2, 1.0), stated.get(3, 1.0)) if rank == 4 else (1.0, stated.get(2, 1.0))


def _places(call: Call, size: int, out: int, scale: float) -> Array:
    """Where in the input each place of the output reads (ONNX, operator Resize, coordinate_transformation_mode)."""
    i, mode = np.arange(out, dtype=np.float64), _transform(call)
    if mode == "asymmetric":
        return i / scale
    if mode == "align_corners":
        return i * (size - 1) / max(out - 1, 1)
    if mode == "pytorch_half_pixel" and out == 1:
        return np.zeros(1)
    shift = size / 2 * (1 - out / (scale * size)) if mode == "half_pixel_symmetric" else 0.0
    return shift + (i + 0.5) / scale - 0.5


def picked(call: Call, places: Sequence[Array], size: Two) -> list[Array]:
    """For height and width: the row that each row of the output is."""
    rule = _ROUNDINGS[call.attr("nearest_mode", "round_prefer_floor")]
    return [np.clip(rule(c), 0, s - 1).astype(np.int32) for c, s in zip(places, size, strict=True)]


def _nearest(call: Call, x: tf.Tensor, places: list[Array], size: Two) -> tf.Tensor:
    index = picked(call, places, size)
    out = [len(i) for i in index]
    if all(np.array_equal(i, np.arange(o) * s // o) for i, o, s in zip(index, out, size, strict=True)):
        return tf.raw_ops.ResizeNearestNeighbor(images=x, size=out)
    return tf.gather(tf.gather(x, index[0], axis=1), index[1], axis=2)


def _linear(x: tf.Tensor, places: list[Array], size: Two) -> tf.Tensor:
    for options in _TF_MODES:
        if all(_agree(c, _tf_places(s, len(c), **options), s) for c, s in zip(places, size, strict=True)):
            return tf.raw_ops.ResizeBilinear(images=x, size=[len(c) for c in places], **options)
    rows, columns = (_mixing(c, s) for c, s in zip(places, size, strict=True))
    return tf.einsum("ab,nbwc->nawc", rows, tf.einsum("ab,nhbc->nhac", columns, x))


def _tf_places(size: int, out: int, *, half_pixel_centers: bool = False, align_corners: bool = False) -> Array:
    scale = (size - 1) / (out - 1) if align_corners and out > 1 else size / out
    i = np.arange(out, dtype=np.float64)
    return (i + 0.5) * scale - 0.5 if half_pixel_centers else i * scale


def _agree(a: Array, b: Array, size: int) -> bool:
    return bool(np.abs(np.clip(a, 0, size - 1) - np.clip(b, 0, size - 1)).max() < 1e-5)


def _mixing(places: Array, size: int) -> Array:
    """(out, size): how much of each row goes into each row of the output."""
    at = np.clip(places, 0, size - 1)
    low = np.minimum(np.floor(at).astype(int), max(size - 2, 0))
    matrix = np.zeros((len(at), size), np.float32)
    rows = np.arange(len(at))
    matrix[rows, low] += (1 - (at - low)).astype(np.float32)
    matrix[rows, np.minimum(low + 1, size - 1)] += (at - low).astype(np.float32)
    return matrix
