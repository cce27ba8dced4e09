"""Weights and biases of layers in int8: one scale a channel, biases int32 in steps of input scale times weight scale."""

import numpy as np

from exporter.array import Array
from exporter.formats.tflite.int8_rules import Layer
from exporter.formats.tflite.ops import TfOp, TfTensor
from exporter.graph.qdq import Affine, Quantization

_BIAS_LIMIT = 2.0**30
"""Largest stored bias: room for the sum of products beside it in 32 bits."""

_FINEST = 2.0**-24
"""Smallest step of the sum against one of the output's: XNNPACK takes no layer of which one channel, a dead one, is finer still."""


def store_layer(op: TfOp, layer: Layer, x: Affine, out: Affine, quantization: Quantization) -> None:
    """Replace the weights and the bias of an op by integers.

    A channel's scale is raised where its bias would not fit into 32 bits, or where it is as good as zero.
    """
    weights, bias = op.inputs[layer.weights], op.inputs[layer.bias]
    data, real = channels_first(weights, layer), _float64(bias)
    wanted, lowest = channel_scales(weights, data, quantization)
    step = float(x.scale)
    least = np.maximum(np.abs(real) / (_BIAS_LIMIT * step), float(out.scale) * _FINEST / step)
    scale = np.maximum(wanted, least).astype(np.float32)
    op.inputs[layer.weights] = stored_weights(weights, data, scale, layer, lowest)
    total = (np.float32(step) * scale).astype(np.float32)
    stored = TfTensor(bias.name, bias.shape, np.rint(real / total).astype(np.int32))
    stored.quant = Affine(total, np.zeros(total.size, np.int32), 0)
    op.inputs[layer.bias] = stored


def channels_first(weights: TfTensor, layer: Layer) -> Array:
    """The weights with the output channels on axis 0."""
    assert weights.data is not None
    return weights.data if layer.axis == 0 else np.moveaxis(weights.data.reshape(weights.shape), layer.axis, 0)


def channel_scales(weights: TfTensor, data: Array, quantization: Quantization) -> tuple[Array, int]:
    """One scale a channel of the file, and the smallest number: the Quantization's for the initializer, else from the largest weight."""
    origin = weights.origin
    how = None if origin is None else quantization.constants.get(origin.name)
    if how is not None and origin is not None and _usable(how, origin.axis):
        scale = np.broadcast_to(how.scale, len(data)) if how.axis is None else how.scale[origin.index]
        return scale.astype(np.float64) * abs(origin.factor), how.limits[0]
    return largest(data) / 127, -127


def largest(data: Array) -> Array:
    """Largest magnitude of each channel (axis 0)."""
    flat = data.reshape(len(data), -1)
    found: Array = np.maximum(flat.max(axis=1), -flat.min(axis=1)).astype(np.float64)
    return found


def stored_weights(weights: TfTensor, data: Array, scale: Array, layer: Layer, lowest: int, highest: int = 127) -> TfTensor:  # noqa: PLR0917
    """The weights as integers; `data` has the channels on axis 0."""
    tall = scale.reshape(-1, *(1,) * (data.ndim - 1))
    numbers = np.clip(np.rint(data / tall), lowest, highest).astype(np.int8)
    made = TfTensor(weights.name, weights.shape, numbers if layer.axis == 0 else np.moveaxis(numbers, 0, layer.axis))
    made.quant = Affine(scale, np.zeros(scale.size, np.int8), layer.axis)
    return made


def _usable(how: Affine, axis: int | None) -> bool:
    return how.dtype == "int8" and not how.zero_point.any() and how.axis in {axis, None}


def _float64(bias: TfTensor) -> Array:
    assert bias.data is not None
    return bias.data.reshape(-1).astype(np.float64)
