"""Resize, DepthToSpace and SpaceToDepth."""

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats.tflite.emitter import Emitter, Refused
from exporter.formats.tflite.fuse import release
from exporter.formats.tflite.layout import NHWC, physical, spatial
from exporter.formats.tflite.lower_axis import take
from exporter.formats.tflite.ops import TfTensor
from exporter.formats.tflite.padding import pair
from exporter.graph import attr, const_input, shape_of

_MODES = ((False, False), (False, True), (True, False))
"""TFLite's (alignCorners, halfPixelCenters)."""


def emit_resize(e: Emitter, node: ir.Node) -> None:
    """RESIZE_NEAREST_NEIGHBOR or RESIZE_BILINEAR where TFLite has that rounding, else nearest by GATHER; linear is refused then."""
    x, y = node.inputs[0], node.outputs[0]
    assert x is not None
    _refuse_unknown(node, shape_of(x), shape_of(y))
    axes = spatial(len(shape_of(x)))
    tensor, shape = e.get(x, axes), physical(shape_of(y), axes)
    sizes = list(zip(pair(shape_of(x)[2:], 1), pair(shape_of(y)[2:], 1), _scales(node), strict=True))
    wanted = [_onnx_coordinates(node, i, o, s) for i, o, s in sizes]
    nearest = attr(node, "mode", "nearest") == "nearest"
    if nearest:
        index = [_onnx_rounding(node, c, i) for c, (i, _, _) in zip(wanted, sizes, strict=True)]
        mode = next(
            (m for m in _MODES if all(np.array_equal(_tflite_nearest(i, o, *m), n) for (i, o, _), n in zip(sizes, index, strict=True))),
            None,
        )
        if mode is None:
            e.bind(y, take(e, take(e, tensor, 1, index[0]), 2, index[1]), axes)
            return
    else:
        mode = next(
            (m for m in _MODES if all(_agree(i, c, _tflite_linear(i, o, *m)) for (i, o, _), c in zip(sizes, wanted, strict=True))), None
        )
        if mode is None:
            raise Refused(f"linear {_transform(node)} from {[s[0] for s in sizes]} to {[s[1] for s in sizes]} is none of TFLite's")
    e.bind(y, _resize(e, tensor, shape, mode, nearest=nearest), axes)


def _resize(e: Emitter, x: TfTensor, shape: tuple[int, ...], mode: tuple[bool, bool], *, nearest: bool) -> TfTensor:
    kind = "RESIZE_NEAREST_NEIGHBOR" if nearest else "RESIZE_BILINEAR"
    return e.emit(kind, [x, e.ints(shape[1:3])], shape, alignCorners=mode[0], halfPixelCenters=mode[1])


def _refuse_unknown(node: ir.Node, before: tuple[int, ...], after: tuple[int, ...]) -> None:
    mode = attr(node, "mode", "nearest")
    if mode not in {"nearest", "linear"}:
        raise Refused(f"its mode is {mode}; nearest and linear are known")
    if attr(node, "antialias", 0):
        raise Refused("it asks for antialias")
    if len(before) not in {3, 4} or before[:2] != after[:2]:
        raise Refused(f"it resizes {before} to {after}; height and width, or a length, are known")
    if _transform(node) == "tf_crop_and_resize":
        raise Refused("it crops and resizes")


def _transform(node: ir.Node) -> str:
    return str(attr(node, "coordinate_transformation_mode", "half_pixel"))


def _scales(node: ir.Node) -> tuple[float, float]:
    """Output over input size as the node states it: what ONNX computes with, even where sizes were rounded."""
    x, y, given = node.inputs[0], node.outputs[0], const_input(node, 2)
    assert x is not None
    exact = [o / i for i, o in zip(shape_of(x)[2:], shape_of(y)[2:], strict=True)]
    if given is not None and given.size:
        spread = [float(s) for s in given]
        exact = spread[2:] if len(spread) == len(exact) + 2 else spread[-len(exact) :]
    return (exact[0], exact[1]) if len(exact) == 2 else (1.0, exact[0])


def _onnx_coordinates(node: ir.Node, size: int, out: int, scale: float) -> Array:
    """The place in the input that every output place reads."""
    mode, i = _transform(node), np.arange(out, dtype=np.float64)
    if mode == "asymmetric":
        return i / scale
    if mode == "align_corners":
        return i * ((size - 1) / (out - 1)) if out > 1 else np.zeros(out)
    if mode == "pytorch_half_pixel" and out <= 1:
        return np.zeros(out)
    if mode == "half_pixel_symmetric":
        adjusted = out / (scale * size)
        return size / 2 * (1 - adjusted) + (i + 0.5) / scale - 0.5
    return (i + 0.5) / scale - 0.5


def _onnx_rounding(node: ir.Node, c: Array, size: int) -> Array:
    mode = attr(node, "nearest_mode", "round_prefer_floor")
    rounded: Array = {
        "round_prefer_floor": np.ceil(c - 0.5), "round_prefer_ceil": np.floor(c + 0.5), "floor": np.floor(c), "ceil": np.ceil(c),
    }[mode]  # fmt: skip
    index: Array = np.clip(rounded, 0, size - 1).astype(np.int64)
    return index


def _tflite_nearest(size: int, out: int, align: bool, half: bool) -> Array:
    scale = np.float32(size - 1) / np.float32(out - 1) if align and out > 1 else np.float32(size) / np.float32(out)
    c = (np.arange(out, dtype=np.float32) + np.float32(0.5 if half else 0)) * scale
    index: Array = np.clip(np.floor(c + np.float32(0.5)) if align else np.floor(c), 0, size - 1).astype(np.int64)
    return index


def _tflite_linear(size: int, out: int, align: bool, half: bool) -> Array:
    scale = (size - 1) / (out - 1) if align and out > 1 else size / out
    i = np.arange(out, dtype=np.float64)
    return (i + 0.5) * scale - 0.5 if half else i * scale


def _agree(size: int, a: Array, b: Array) -> bool:
    top = max(size - 1, 0)
    return bool(np.abs(np.clip(a, 0, top) - np.clip(b, 0, top)).max() < 1e-4)


def emit_depth_to_space(e: Emitter, node: ir.Node) -> None:
    """DEPTH_TO_SPACE; the order CRD (PyTorch's) by permuting the channels, in the convolution before where that is possible."""
    x, y, block = node.inputs[0], node.outputs[0], int(attr(node, "blocksize"))
    assert x is not None
    tensor = e.get(x, NHWC)
    if attr(node, "mode", "DCR") == "CRD":
        channels = tensor.shape[-1]
        order = np.arange(channels).reshape(channels // block**2, block**2).T.ravel()
        tensor = tensor if _permute_outputs(e, tensor, order) else e.emit("GATHER", [tensor, e.ints(order)], tensor.shape, axis=3)
    e.bind(y, e.emit("DEPTH_TO_SPACE", [tensor], physical(shape_of(y), NHWC), blockSize=block), NHWC)


def _permute_outputs(e: Emitter, tensor: TfTensor, order: Array) -> bool:
    """Reorder the channels that a convolution makes, if nobody else reads them."""
    op = tensor.producer
    if op is None or op.kind != "CONV_2D" or not e.sole(tensor):
        return False
    weights, bias = op.inputs[1], op.inputs[2]
    if weights.data is None or bias.data is None or weights.shape[-1] != op.inputs[0].shape[-1]:
        return False
    before = weights.origin
    op.inputs[1:] = [e.constant(weights.data[order], weights.name), e.constant(bias.data[order], bias.name)]
    if before is not None and before.index is not None:
        op.inputs[1].origin = replace(before, index=before.index[order])
    op.layers.append(e.layer)
    release(e, tensor)
    tensor.name += "_reordered"
    return True


def emit_space_to_depth(e: Emitter, node: ir.Node) -> None:
    """SPACE_TO_DEPTH."""
    x, y = node.inputs[0], node.outputs[0]
    assert x is not None
    tensor = e.get(x, NHWC)
    e.bind(y, e.emit("SPACE_TO_DEPTH", [tensor], physical(shape_of(y), NHWC), blockSize=int(attr(node, "blocksize"))), NHWC)
