"""fp16 weights: stored as float16, made float32 by a DEQUANTIZE that the engine runs once when it loads the file."""

import numpy as np

from exporter.formats.tflite.ops import TfModel, TfOp, TfTensor

MIN_SIZE = 64
"""Elements; smaller constants stay float32, a DEQUANTIZE costs more than they do."""

_WEIGHTS = {"CONV_2D": (1,), "DEPTHWISE_CONV_2D": (1,), "FULLY_CONNECTED": (1,), "TRANSPOSE_CONV": (1,)}
"""Inputs that are weights; biases stay float32."""

_HALF_MAX = 65504.0


def halve_weights(model: TfModel) -> None:
    """Store weights as float16; a tensor with values beyond its range stays float32."""
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
    return t.data is not None and t.data.dtype == np.float32 and t.data.size >= MIN_SIZE and bool(np.abs(t.data).max() <= _HALF_MAX)


def _dequantized(weight: TfTensor, ops: list[TfOp]) -> TfTensor:
    assert weight.data is not None
    stored = TfTensor(f"{weight.name}_fp16", weight.shape, weight.data.astype(np.float16))
    out = TfTensor(weight.name, weight.shape)
    ops.append(TfOp("DEQUANTIZE", [stored], [out], {}))
    out.producer = ops[-1]
    return out
