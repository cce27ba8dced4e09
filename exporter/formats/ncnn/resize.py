"""Resize: ncnn's Interp where it picks the same elements, else a product with constant matrices.

Every ONNX mode is a matrix along each axis (outputs x inputs). Both matrices, ONNX's and Interp's, are computed here and compared,
so no table of mode names decides what is the same.
"""

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats.ncnn.emitter import Emitter, UnsupportedError, dims
from exporter.formats.ncnn.layer import Blob, Param, Weight
from exporter.graph import attr, const_input

NEAREST, BILINEAR = 1, 2


def emit_resize(e: Emitter, node: ir.Node) -> None:
    """Nearest and linear, along the last one or two axes."""
    mode = attr(node, "mode", "nearest")
    if mode not in ("nearest", "linear"):
        raise UnsupportedError(f"resizes by {mode}; ncnn and this writer know nearest and linear")
    if attr(node, "antialias", 0):
        raise UnsupportedError("resizes with antialiasing, which ncnn has not")
    if attr(node, "keep_aspect_ratio_policy", "stretch") != "stretch":
        raise UnsupportedError("resizes by an aspect ratio policy; give both scales")
    x = e.shaped(node.inputs[0])
    out = dims(node.outputs[0])
    if len(x.shape) not in (2, 3) or x.shape[0] != out[0]:
        raise UnsupportedError(f"resizes {list(x.shape)} to {list(out)}; ncnn resizes maps of one or two axes, not channels")
    matrices = [_matrix(node, i + 2, x.shape[i + 1], out[i + 1]) for i in range(len(out) - 1)]
    kind = _interp(mode, x.shape[1:], out[1:], matrices)
    if kind is None:
        e.note("ncnn's Interp has no such mode: a matrix product along each axis instead")
        e.put(node.outputs[0], _products(e, x, matrices))
        return
    params: dict[int, Param] = {0: NEAREST if mode == "nearest" else BILINEAR, 3: out[-2] if len(out) == 3 else 1, 4: out[-1], 6: kind}
    e.put(node.outputs[0], e.emit("Interp", [x], out, params))


def _interp(mode: str, sizes: tuple[int, ...], outs: tuple[int, ...], wanted: list[Array]) -> int | None:
    """Interp's align_corner with which it does what ONNX asks for, or None."""
    if mode == "linear" and min(sizes) < 2:
        return None  # older versions read before the row
    for align_corner in (0, 1) if mode == "linear" else (0,):
        own = [_interp_matrix(mode, n, m, align_corner) for n, m in zip(sizes, outs, strict=True)]
        if all(np.allclose(a, b, atol=1e-5) for a, b in zip(own, wanted, strict=True)):
            return align_corner
    return None


def _interp_matrix(mode: str, size: int, out: int, align_corner: int) -> Array:
    """What Interp does along an axis, as a matrix."""
    i = np.arange(out)
    if mode == "nearest":
        step = np.float32(size) / np.float32(out)
        return _pick(np.minimum((i.astype(np.float32) * step).astype(int), size - 1), size)
    ends = (size - 1) / (out - 1) if out > 1 else 0.0
    at = i * ends if align_corner else (i + 0.5) * (size / out) - 0.5
    return _blend(at, size)


def _pick(index: Array, size: int) -> Array:
    return np.asarray(np.eye(size)[index], np.float32)


def _blend(at: Array, size: int) -> Array:
    """Linear interpolation at positions, the edge repeated."""
    at = np.clip(at, 0, size - 1)
    low = np.minimum(np.floor(at).astype(int), max(size - 2, 0))
    part = (at - low)[:, None]
    high = np.minimum(low + 1, size - 1)
    eye = np.eye(size)
    return np.asarray((1 - part) * eye[low] + part * eye[high], np.float32)


def _matrix(node: ir.Node, axis: int, size: int, out: int) -> Array:
    """What ONNX asks for along an axis, as a matrix (out, size)."""
    scale = _scale(node, axis, size, out)
    at = _positions(attr(node, "coordinate_transformation_mode", "half_pixel"), size, out, scale)
    if attr(node, "mode", "nearest") == "linear":
        return _blend(at, size)
    rounding = attr(node, "nearest_mode", "round_prefer_floor")
    index = {
        "round_prefer_floor": lambda: np.ceil(at - 0.5),
        "round_prefer_ceil": lambda: np.floor(at + 0.5),
        "floor": lambda: np.floor(at),
        "ceil": lambda: np.ceil(at),
    }[rounding]()
    return _pick(np.clip(index, 0, size - 1).astype(int), size)


def _scale(node: ir.Node, axis: int, size: int, out: int) -> float:
    """The scale that ONNX computes with: the given one, or the ratio of the sizes."""
    scales = const_input(node, 2)
    if scales is None or scales.size == 0:
        return out / size
    given: tuple[int, ...] = attr(node, "axes", tuple(range(scales.size)))
    rank = len(dims(node.outputs[0])) + 1
    axes = [a % rank for a in given]
    return float(scales[axes.index(axis)]) if axis in axes else 1.0


def _positions(name: str, size: int, out: int, scale: float) -> Array:
    """The input position of each output element. ONNX computes in float32; so do we, or halves round elsewhere."""
    i = np.arange(out, dtype=np.float32)
    s = np.float32(scale)
    if name == "half_pixel" or (name == "pytorch_half_pixel" and out > 1):
        return (i + np.float32(0.5)) / s - np.float32(0.5)
    if name == "pytorch_half_pixel":
        return np.zeros(out, np.float32)
    if name == "asymmetric":
        return i / s
    if name == "align_corners":
        return i * np.float32(size - 1) / np.float32(out - 1) if out > 1 else np.zeros(out, np.float32)
    if name == "tf_half_pixel_for_nn":
        return (i + np.float32(0.5)) / s
    if name == "half_pixel_symmetric":
        adjustment = np.float32(out) / (s * np.float32(size))
        return np.float32(size) / 2 * (1 - adjustment) + (i + np.float32(0.5)) / s - np.float32(0.5)
    raise UnsupportedError(f"has the coordinate mode {name}")


def _products(e: Emitter, x: Blob, matrices: list[Array]) -> Blob:
    """Along the width a dense layer on every row, along the height a matrix product."""
    *height, width = matrices
    channels, rows = x.shape[0], int(np.prod(x.shape[:-1]))
    flat = e.reshaped(x, (rows, x.shape[-1]))
    params: dict[int, Param] = {0: width.shape[0], 1: 0, 2: width.size}
    wide = e.emit("InnerProduct", [flat], (rows, width.shape[0]), params, [Weight(lambda: width, tagged=True)], name=f"{x.name}_wide")
    if not height:
        return wide
    tall = e.reshaped(wide, (channels, height[0].shape[1], width.shape[0]))
    left = e.constant(height[0][None])
    return e.emit("MatMul", [left, tall], (channels, height[0].shape[0], width.shape[0]))
