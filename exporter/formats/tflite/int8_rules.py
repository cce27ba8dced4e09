"""What TFLite's kernels ask of int8 tensors: which ops there are, which keep a scale, which insist on one.

Source: the quantization specification of TensorFlow Lite, https://ai.google.dev/edge/litert/models/quantization_spec, and LiteRT's kernels,
which a test asks for every op of the table.
"""

from dataclasses import dataclass

import numpy as np

from exporter.formats.tflite.ops import TfModel, TfOp, TfTensor

SAME = frozenset({
    "MAX_POOL_2D", "AVERAGE_POOL_2D", "RESHAPE", "TRANSPOSE", "PAD", "PADV2", "MIRROR_PAD", "SLICE", "STRIDED_SLICE", "SPLIT", "GATHER",
    "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "DEPTH_TO_SPACE", "SPACE_TO_DEPTH", "REDUCE_MAX", "REDUCE_MIN", "TILE", "BROADCAST_TO",
})  # fmt: skip
"""One input, whose scale the outputs have."""

MOVES = SAME - {"AVERAGE_POOL_2D", "RESIZE_BILINEAR"}
"""Of these the ones that compute nothing new: int8 loses nothing in them."""

JOIN = frozenset({"CONCATENATION", "MAXIMUM", "MINIMUM"})
"""Several inputs, all of the output's scale."""

FIXED = {"LOGISTIC": (1 / 256, -128), "SOFTMAX": (1 / 256, -128), "TANH": (1 / 128, 0), "LOG_SOFTMAX": (16 / 256, 127)}
"""The one scale and zero point that the output has."""

FREE = frozenset({
    "ADD", "SUB", "MUL", "MEAN", "SUM", "RELU", "RELU6", "RELU_N1_TO_1", "LEAKY_RELU", "PRELU", "ELU", "GELU", "ABS", "EXP", "LOG",
    "BATCH_MATMUL",
})  # fmt: skip
"""Any scale on either side."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Places of the input, the weights and the bias among an op's inputs; the weights' axis of output channels in the file."""

    input: int
    weights: int
    bias: int
    axis: int


WEIGHTED = {
    "CONV_2D": Layer(0, 1, 2, 0), "DEPTHWISE_CONV_2D": Layer(0, 1, 2, 3), "FULLY_CONNECTED": Layer(0, 1, 2, 0),
    "TRANSPOSE_CONV": Layer(2, 1, 3, 0),
}  # fmt: skip
"""Ops with weights of one scale a channel and an int32 bias."""


def computed(tensors: list[TfTensor]) -> list[TfTensor]:
    """The computed float tensors among an op's."""
    return [t for t in tensors if t.data is None and t.dtype == np.float32]


def has_int8(op: TfOp) -> bool:
    """Is there an int8 kernel for the op as it is used?"""
    if any(t.data is None and t.dtype != np.float32 for t in (*op.inputs, *op.outputs)) or not computed(op.inputs):
        return False
    layer = WEIGHTED.get(op.kind)
    if layer is not None:
        return all(op.inputs[i].data is not None for i in (layer.weights, layer.bias))
    return op.kind in SAME or op.kind in JOIN or op.kind in FIXED or op.kind in FREE


def stranded(model: TfModel, integer: set[TfOp]) -> set[TfOp]:
    """Ops that only move numbers from float to float: not worth a QUANTIZE before and a DEQUANTIZE behind them."""
    wanted: set[TfTensor] = set()
    for op in reversed(model.ops):
        if op in integer and (op.kind not in MOVES or wanted.intersection(op.outputs)):
            wanted.update(op.inputs)
    lost: set[TfOp] = set()
    for op in model.ops:
        if op in integer and op.kind in MOVES and not wanted.intersection(op.outputs):
            producers = [t.producer for t in computed(op.inputs)]
            if all(p is not None and (p not in integer or p in lost) for p in producers):
                lost.add(op)
    return lost


def spread(ops: list[TfOp], integer: set[TfOp]) -> bool:
    """A layer whose ops do not all run in int8 runs in float altogether; tells whether that took any op out of the set."""
    floats = {name for op in ops if op not in integer for name in op.layers if name}
    gone = {op for op in integer if floats.intersection(op.layers)}
    integer -= gone
    return bool(gone)
