"""Integer weights in a float model: multiplied as they are with activations rounded on the fly, or made float32 when the file is loaded.

    int8-dynamic    int8 weights; the engine rounds each layer's input by its own largest number, at every inference
    int8-weights    int8 weights, a DEQUANTIZE behind them: a quarter of the size, computed in float32
    int4-weights    int4 weights, computed as in int8-dynamic

Source: LiteRT's kernels for float inputs and integer weights ("hybrid"), tensorflow/lite/kernels/conv.cc and fully_connected.cc.
"""

import numpy as np

from exporter.errors import UnsupportedOpError
from exporter.formats.tflite.int8_rules import WEIGHTED, Layer
from exporter.formats.tflite.int8_weights import channels_first, largest, stored_weights
from exporter.formats.tflite.ops import TfModel, TfOp, TfTensor, name_tensors

MIN_SIZE = 1024
"""Elements; smaller weights stay float32: they save next to nothing."""

_HYBRID = frozenset({"CONV_2D", "FULLY_CONNECTED"})
"""Ops that run float activations on integer weights: int8 by XNNPACK, int4 by XNNPACK (dense layers) and a plain kernel (convolutions).
DEPTHWISE_CONV_2D has a plain kernel for int8, slower than XNNPACK's in float; its weights are few and stay float32."""

_HIGHEST = {"int8-dynamic": 127, "int8-weights": 127, "int4-weights": 7}

_LEAST = 1e-10
"""Scale of a channel of zeros."""

STORED = tuple(_HIGHEST)
"""Precisions that this module writes."""


def shrink_weights(model: TfModel, precision: str) -> None:
    """Store the weights of a float list in integers, one scale a channel.

    Raises:
        UnsupportedOpError: For "int4-weights" of a model in which the engine multiplies no weights in int4.
    """
    ops: list[TfOp] = []
    stored = 0
    for op in model.ops:
        layer = WEIGHTED.get(op.kind)
        if layer is not None and _worth_it(op, layer, precision):
            stored += 1
            weights = _stored(op.inputs[layer.weights], layer, precision)
            op.inputs[layer.weights] = _dequantized(weights, ops) if precision == "int8-weights" else weights
        ops.append(op)
    if precision == "int4-weights" and not stored:
        what = f"convolution or dense layer of {MIN_SIZE} weights or more"
        raise UnsupportedOpError(f"TFLite has nothing to store in int4: the model has no {what}", hint="take int8 or fp16")
    model.ops = ops
    name_tensors(model)


def _worth_it(op: TfOp, layer: Layer, precision: str) -> bool:
    data = op.inputs[layer.weights].data
    known = precision == "int8-weights" or op.kind in _HYBRID
    return known and data is not None and data.dtype == np.float32 and data.size >= MIN_SIZE


def _stored(weights: TfTensor, layer: Layer, precision: str) -> TfTensor:
    """Symmetric, by the largest weight of each channel."""
    data, highest = channels_first(weights, layer), _HIGHEST[precision]
    scale = np.maximum(largest(data) / highest, _LEAST).astype(np.float32)
    made = stored_weights(weights, data, scale, layer, -highest, highest)
    made.bits = 4 if precision == "int4-weights" else 8
    return made


def _dequantized(weights: TfTensor, ops: list[TfOp]) -> TfTensor:
    out = TfTensor(weights.name, weights.shape)
    weights.name += "_int8"
    ops.append(TfOp("DEQUANTIZE", [weights], [out], {}))
    return out
