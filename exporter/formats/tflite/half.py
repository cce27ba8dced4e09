"""fp16 weights: stored as float16, made float32 by a DEQUANTIZE that the engine runs once when it loads the file."""

import numpy as np

from exporter.formats.tflite.ops import TfModel, TfOp, TfTensor

MIN_SIZE = 1024
"""Elements; smaller weights, the first layer's above all, stay float32: 2 KiB saved each are not worth the loss (MobileNetV3-small
has 57 dB instead of 18)."""

_WEIGHTS = {"CONV_2D": (1,), "DEPTHWISE_CONV_2D": (1,), "FULLY_CONNECTED": (1,), "TRANSPOSE_CONV": (1,)}
"""Inputs that are weights; biases stay float32."""

_RANGE = (1e-3, 65504.0)
"""Where a tensor's largest value must be: beyond is infinity, below most of its values lose bits as subnormals."""


def halve_weights(model: TfModel) -> None:
    """Store weights as float16; a tensor that its range does not fit stays float32."""
    ops: list[TfOp] = []
    made: dict[TfTensor, TfTensor] = {}
    for op in model.ops:
        for i in _WEIGHTS.get(op.kind, ()):
            weight = op.inputs[i]
            if weight not in made and _fits(weight):
                made[weight] = _dequantized(weight, ops)
            op.inputs[i] = made.get(weight, weight)
        ops.append(op)
    model.ops = ops


def _fits(t: TfTensor) -> bool:
    if t.data is None or t.data.dtype != np.float32 or t.data.size < MIN_SIZE:
        return False
    return bool(_RANGE[0] <= max(t.data.max(), -t.data.min()) <= _RANGE[1])


def _dequantized(weight: TfTensor, ops: list[TfOp]) -> TfTensor:
    assert weight.data is not None
    stored = TfTensor(f"{weight.name}_fp16", weight.shape, weight.data.astype(np.float16))
    out = TfTensor(weight.name, weight.shape)
    ops.append(TfOp("DEQUANTIZE", [stored], [out], {}))
    out.producer = ops[-1]
    return out
