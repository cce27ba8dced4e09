"""Convolutions and transposed convolutions, 1-D and 2-D."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats.tflite.emitter import Emitter, Refused, origin_of
from exporter.formats.tflite.layout import physical, spatial
from exporter.formats.tflite.ops import Origin, TfTensor
from exporter.formats.tflite.padding import Window, apply_padding, pair, window
from exporter.graph import attr, const_input, shape_of


def weights_2d(node: ir.Node) -> Array:
    """The kernel as (a, b, height, width).

    Raises:
        Refused: If it is computed, or 3-D.
    """
    found = const_input(node, 1)
    if found is None:
        raise Refused("its weights are computed, constants are needed")
    if found.ndim not in {3, 4}:
        raise Refused(f"it is {found.ndim - 2}-D; 1-D and 2-D are known")
    return found if found.ndim == 4 else found[:, :, None, :]


def bias_of(e: Emitter, node: ir.Node, channels: int, index: int = 2) -> TfTensor:
    """The bias, zeros where the node has none."""
    found = const_input(node, index)
    if found is None and len(node.inputs) > index and node.inputs[index] is not None:
        raise Refused("its bias is computed, a constant is needed")
    data = np.zeros(channels, np.float32) if found is None else np.broadcast_to(found.reshape(-1), channels)
    bias = e.constant(data, f"{node.outputs[0].name}_bias")
    bias.origin = origin_of(node.inputs[index]) if found is not None and found.shape == (channels,) else None
    return bias


def emit_conv(e: Emitter, node: ir.Node) -> None:
    """CONV_2D, grouped too, or DEPTHWISE_CONV_2D."""
    x, y = node.inputs[0], node.outputs[0]
    assert x is not None
    weights, axes = weights_2d(node), spatial(len(shape_of(x)))
    w = window(node, weights.shape[2:] if len(shape_of(x)) == 4 else weights.shape[3:])
    tensor, mode = apply_padding(e, e.get(x, axes), w)
    origin = origin_of(node.inputs[1], 0, np.arange(len(weights)))
    kernel = Kernel(weights, bias_of(e, node, len(weights)), int(attr(node, "group", 1)), origin)
    e.bind(y, convolve(e, tensor, kernel, w, mode, physical(shape_of(y), axes)), axes)


@dataclass(frozen=True, slots=True)
class Kernel:
    """The constants of a convolution: weights (out, in / groups, height, width), or (in, out / groups, ...) of a transposed one."""

    weights: Array
    bias: TfTensor
    groups: int
    origin: Origin | None

    def constant(self, e: Emitter, order: tuple[int, ...]) -> TfTensor:
        """The weights as a tensor in another order of axes."""
        made = e.constant(self.weights.transpose(order), self.bias.name.removesuffix("_bias") + "_weights")
        made.origin = self.origin
        return made


def convolve(e: Emitter, x: TfTensor, k: Kernel, w: Window, mode: str, shape: tuple[int, ...]) -> TfTensor:  # noqa: PLR0917
    """The op for a kernel in the order (out, in / groups, height, width)."""
    options = {
        "padding": mode, "strideH": w.strides[0], "strideW": w.strides[1],
        "dilationHFactor": w.dilations[0], "dilationWFactor": w.dilations[1],
    }  # fmt: skip
    if k.groups > 1 and k.groups == x.shape[-1]:
        inputs = [x, k.constant(e, (1, 2, 3, 0)), k.bias]
        return e.emit("DEPTHWISE_CONV_2D", inputs, shape, **options, depthMultiplier=len(k.weights) // k.groups)
    return e.emit("CONV_2D", [x, k.constant(e, (0, 2, 3, 1)), k.bias], shape, **options)


def emit_conv_transpose(e: Emitter, node: ir.Node) -> None:
    """TRANSPOSE_CONV over the full extent, cropped; grouped: zeros put between the elements, then a grouped convolution."""
    x, y = node.inputs[0], node.outputs[0]
    assert x is not None
    axes, groups = spatial(len(shape_of(x))), int(attr(node, "group", 1))
    weights = _dilated(weights_2d(node), pair(attr(node, "dilations"), 1))
    strides, begin = pair(attr(node, "strides"), 1), _begin(node, weights.shape)
    out, size = pair(shape_of(y)[2:], 1), pair(shape_of(x)[2:], 1)
    # output_padding may ask for more than the kernel reaches: rows of zeros make it reach
    more = [max(o + b - ((i - 1) * s + k), 0) for o, b, i, s, k in zip(out, begin, size, strides, weights.shape[2:], strict=True)]
    weights = np.pad(weights, ((0, 0), (0, 0), (0, more[0]), (0, more[1]))) if any(more) else weights
    kernel = Kernel(weights, bias_of(e, node, weights.shape[1] * groups), groups, _transposed_origin(node, weights, groups))
    walk = Walk(strides, begin, physical(shape_of(y), axes))
    make = _transpose_conv if groups == 1 else _grouped_transpose
    e.bind(y, make(e, e.get(x, axes), kernel, walk), axes)


def _transposed_origin(node: ir.Node, weights: Array, groups: int) -> Origin | None:
    """Output channels are along the second axis, the same scales for all groups; one a group also along the first."""
    if groups > 1 and weights.shape[:2] == (groups, 1):
        return origin_of(node.inputs[1], 0, np.arange(groups))
    return origin_of(node.inputs[1], 1, np.tile(np.arange(weights.shape[1]), groups))


@dataclass(frozen=True, slots=True)
class Walk:
    """How a transposed convolution walks over its output: strides, rows and columns cut at the start, shape of what is left (NHWC)."""

    strides: tuple[int, int]
    begin: tuple[int, int]
    shape: tuple[int, ...]


def _begin(node: ir.Node, kernel: tuple[int, ...]) -> tuple[int, int]:
    """Pads before, where the node gives them or lets them follow from its output."""
    x, y = node.inputs[0], node.outputs[0]
    assert x is not None
    pads, auto = attr(node, "pads"), attr(node, "auto_pad", "NOTSET")
    if attr(node, "output_shape") is None and auto not in {"SAME_UPPER", "SAME_LOWER"}:
        return pair(pads[: len(pads) // 2] if pads else None, 0)
    strides, extra = pair(attr(node, "strides"), 1), pair(attr(node, "output_padding"), 0)
    found = []
    for i, o, s, k, p in zip(pair(shape_of(x)[2:], 1), pair(shape_of(y)[2:], 1), strides, kernel[2:], extra, strict=True):
        total = max((i - 1) * s + p + k - o, 0)
        found.append(total // 2 if auto == "SAME_UPPER" else -(-total // 2))
    return found[0], found[1]


def _dilated(kernel: Array, dilations: tuple[int, int]) -> Array:
    """The kernel with its dilation written out as zeros."""
    if dilations == (1, 1):
        return kernel
    size = [(k - 1) * d + 1 for k, d in zip(kernel.shape[2:], dilations, strict=True)]
    wide = np.zeros((*kernel.shape[:2], *size), kernel.dtype)
    wide[:, :, :: dilations[0], :: dilations[1]] = kernel
    return wide


def _transpose_conv(e: Emitter, x: TfTensor, k: Kernel, walk: Walk) -> TfTensor:
    places = list(zip(x.shape[1:3], walk.strides, k.weights.shape[2:], walk.shape[1:3], walk.begin, strict=True))
    full = [(i - 1) * s + size for i, s, size, _, _ in places]
    total = [max(f - o, 0) for f, o in zip(full, walk.shape[1:3], strict=True)]
    same = any(total) and all(t // 2 == b and i == -(-o // s) for t, (i, s, _, o, b) in zip(total, places, strict=True))
    made = walk.shape if same else (1, *full, walk.shape[3])
    options = {"padding": "SAME" if same else "VALID", "strideH": walk.strides[0], "strideW": walk.strides[1]}
    out = e.emit("TRANSPOSE_CONV", [e.ints(made), k.constant(e, (1, 2, 3, 0)), x, k.bias], made, **options)
    return out if made == walk.shape else e.emit("SLICE", [out, e.ints([0, *walk.begin, 0]), e.ints(walk.shape)], walk.shape)


def _grouped_transpose(e: Emitter, x: TfTensor, k: Kernel, walk: Walk) -> TfTensor:
    """A grouped convolution of the stretched input with the kernel turned around."""
    channels, height, width = k.weights.shape[1:]
    turned = k.weights.reshape(k.groups, -1, channels, height, width).transpose(0, 2, 1, 3, 4)[..., ::-1, ::-1]
    turned = turned.reshape(k.groups * channels, -1, height, width)
    stretched = _stretch(e, x, walk.strides)
    lead = (height - 1 - walk.begin[0], width - 1 - walk.begin[1])
    if min(lead) < 0:
        raise Refused(f"its pads {walk.begin} reach beyond its kernel ({height}, {width})")
    size, out = (stretched.shape[1], stretched.shape[2]), (walk.shape[1], walk.shape[2])
    end = (out[0] - 1 + height - size[0] - lead[0], out[1] - 1 + width - size[1] - lead[1])
    if min(end) < 0:
        size, end = (size[0] + min(end[0], 0), size[1] + min(end[1], 0)), (max(end[0], 0), max(end[1], 0))
        kept = (1, *size, x.shape[3])
        stretched = e.emit("SLICE", [stretched, e.ints([0, 0, 0, 0]), e.ints(kept)], kept)
    w = Window((height, width), (1, 1), (1, 1), lead, end, end, size, out)
    padded, mode = apply_padding(e, stretched, w)
    return convolve(e, padded, Kernel(turned, k.bias, k.groups, k.origin), w, mode, walk.shape)


def _stretch(e: Emitter, x: TfTensor, strides: tuple[int, int]) -> TfTensor:
    """Zeros after every row and column: (1, h, w, c) to (1, h * sh, w * sw, c)."""
    _, h, w, c = x.shape
    sh, sw = strides
    if sh > 1:
        rows = e.reshape(x, (h, 1, w * c))
        x = e.reshape(_pad_middle(e, rows, sh), (1, h * sh, w, c))
    if sw > 1:
        columns = e.reshape(x, (h * sh * w, 1, c))
        x = e.reshape(_pad_middle(e, columns, sw), (1, h * sh, w * sw, c))
    return x


def _pad_middle(e: Emitter, x: TfTensor, size: int) -> TfTensor:
    amounts = e.constant(np.array([[0, 0], [0, size - 1], [0, 0]], np.int32))
    return e.emit("PAD", [x, amounts], (x.shape[0], size, x.shape[2]))
