"""Convolutions, 1-D and 2-D: plain, grouped, depthwise, separable, transposed."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.sources.keras.activations import activation
from exporter.sources.keras.builder import Builder, Operand
from exporter.sources.keras.call import Call, Handler, array, optional_array, pair
from exporter.sources.keras.layout import arrange, layer_channels
from exporter.sources.keras.tensor import RefusedError, Tensor


def same_pads(size: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> list[int]:
    """TensorFlow's `same` padding, [begins..., ends...]: the odd one goes to the end."""
    total = [max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0) for n, k, s, d in zip(size, kernel, strides, dilations, strict=True)]
    return [t // 2 for t in total] + [t - t // 2 for t in total]


def pads_of(layer: Any, size: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> list[int]:
    """The explicit pads of a layer's `padding`: valid, same or causal."""
    if layer.padding == "same":
        return same_pads(size, kernel, strides, dilations)
    if layer.padding == "causal":
        return [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)] + [0] * len(kernel)
    if layer.padding != "valid":
        raise RefusedError(f"padding `{layer.padding}`")
    return [0] * 2 * len(kernel)


def conv(b: Builder, layer: Any, x: Tensor, weight: Array, bias: Array | None, *, group: int = 1, role: str = "kernel") -> Tensor:
    """One Conv with the layer's strides, dilation and padding.

    Args:
        b: Where the node goes.
        layer: The Keras layer.
        x: Its input, channels behind the batch.
        weight: [out, in / group, *kernel].
        bias: [out] or None.
        group: Number of groups.
        role: Name of the weight.
    """
    kernel = weight.shape[2:]
    n = len(kernel)
    strides, dilations = pair(layer.strides, n), pair(layer.dilation_rate, n)
    inputs: list[Operand] = [x, b.constant(role, weight, layer), *_bias_input(b, layer, bias)]
    return b.one(
        "Conv", inputs, x.perm, kernel_shape=list(kernel), strides=list(strides), dilations=list(dilations), group=group,
        pads=pads_of(layer, x.shape[2:], kernel, strides, dilations),
    )  # fmt: skip


def _bias_input(b: Builder, layer: Any, bias: Array | None) -> list[Operand]:
    return [] if bias is None else [b.constant("bias", bias, layer)]


def _input(b: Builder, call: Call, spatial: int) -> Tensor:
    if call.x.rank != spatial + 2:
        raise RefusedError(f"an input of rank {call.x.rank}; {spatial + 2} is supported")
    return arrange(b, call.x, layer_channels(call.layer, call.x.rank))


def _bias(layer: Any) -> Array | None:
    return optional_array(layer.bias) if layer.use_bias else None


def _conv_layer(b: Builder, call: Call) -> Tensor:
    layer, kernel = call.layer, array(call.layer.kernel)
    spatial = kernel.ndim - 2
    weight = kernel.transpose(spatial + 1, spatial, *range(spatial))
    x = _input(b, call, spatial)
    return activation(b, layer.activation, conv(b, layer, x, weight, _bias(layer), group=int(layer.groups)))


def depthwise_weight(kernel: Array) -> Array:
    """[*kernel, channels, multiplier] to [channels * multiplier, 1, *kernel]."""
    spatial = kernel.ndim - 2
    return kernel.transpose(spatial, spatial + 1, *range(spatial)).reshape(-1, 1, *kernel.shape[:spatial])


def _depthwise_kernel(layer: Any) -> Array:
    kernel = getattr(layer, "depthwise_kernel", None)
    return array(layer.kernel if kernel is None else kernel)


def _depthwise(b: Builder, call: Call) -> Tensor:
    layer, kernel = call.layer, _depthwise_kernel(call.layer)
    x = _input(b, call, kernel.ndim - 2)
    y = conv(b, layer, x, depthwise_weight(kernel), _bias(layer), group=kernel.shape[-2])
    return activation(b, layer.activation, y)


def _separable(b: Builder, call: Call) -> Tensor:
    layer, kernel = call.layer, _depthwise_kernel(call.layer)
    x = _input(b, call, kernel.ndim - 2)
    x = conv(b, layer, x, depthwise_weight(kernel), None, group=kernel.shape[-2], role="depthwise_kernel")
    point = array(layer.pointwise_kernel)
    spatial = point.ndim - 2
    weight = b.constant("pointwise_kernel", point.transpose(spatial + 1, spatial, *range(spatial)), layer)
    bias = _bias(layer)
    inputs: list[Operand] = [x, weight, *_bias_input(b, layer, bias)]
    y = b.one("Conv", inputs, x.perm, kernel_shape=[1] * spatial)
    return activation(b, layer.activation, y)


def _transposed_length(padding: str, n: int, reach: int, stride: int, extra: int | None) -> int:
    """Keras's output length of a transposed convolution whose dilated kernel spans `reach`."""
    if extra is None:
        return n * stride + (max(reach - stride, 0) if padding == "valid" else 0)
    pad = reach // 2 if padding == "same" else 0
    return (n - 1) * stride + reach - 2 * pad + extra


def _transposed(b: Builder, call: Call) -> Tensor:
    """TensorFlow's transposed convolution is the gradient of a forward one: its pads are those of the way out -> in."""
    layer, kernel = call.layer, array(call.layer.kernel)
    spatial = kernel.ndim - 2
    x = _input(b, call, spatial)
    strides, dilations = pair(layer.strides, spatial), pair(layer.dilation_rate, spatial)
    extra = (None,) * spatial if layer.output_padding is None else pair(layer.output_padding, spatial)
    begins, ends, beyond = [], [], []
    for n, k, s, d, e in zip(x.shape[2:], kernel.shape, strides, dilations, extra, strict=False):
        reach = (k - 1) * d + 1
        length = _transposed_length(layer.padding, n, reach, s, e)
        full = (n - 1) * s + reach
        begin = max(full - length, 0) // 2 if layer.padding == "same" else 0
        end = full - begin - length
        begins.append(begin)
        ends.append(max(end, 0))
        beyond.append(max(-end, 0))
    weight = np.ascontiguousarray(kernel.transpose(spatial + 1, spatial, *range(spatial)))
    bias = _bias(layer)
    inputs: list[Operand] = [x, b.constant("kernel", weight, layer), *_bias_input(b, layer, bias)]
    y = b.one(
        "ConvTranspose", inputs, x.perm, kernel_shape=list(kernel.shape[:spatial]), strides=list(strides), dilations=list(dilations),
        pads=begins + ends, output_padding=beyond,
    )  # fmt: skip
    return activation(b, layer.activation, y)


LAYERS: dict[str, Handler] = {
    "Conv1D": _conv_layer,
    "Conv2D": _conv_layer,
    "DepthwiseConv1D": _depthwise,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv1D": _separable,
    "SeparableConv2D": _separable,
    "Conv1DTranspose": _transposed,
    "Conv2DTranspose": _transposed,
}
"""Layer class name to its handler."""
