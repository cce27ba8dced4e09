"""The version that each operator needs: the lowest, so that old runtimes (2.14 on 32-bit ARM) take the file.

Source: tensorflow/lite/tools/versioning/op_version.cc.
"""

import numpy as np

from exporter.formats.tflite.ops import TfOp

_BROADCASTING = {"SUB": 3, "DIV": 2, "MAXIMUM": 3, "MINIMUM": 3}
"""Version from which an op broadcasts more than 4 axes."""

_MANY_AXES = {"SLICE": 5, "STRIDED_SLICE": 4, "PAD": 3, "PADV2": 3}
"""Version from which an op takes more than 4 axes."""

_INT8 = {
    "ADD": 2, "SUB": 2, "MUL": 2, "CONCATENATION": 2, "MAX_POOL_2D": 2, "AVERAGE_POOL_2D": 2, "PAD": 2, "PADV2": 2, "SOFTMAX": 2,
    "LOGISTIC": 2, "TANH": 2, "LOG_SOFTMAX": 2, "MEAN": 2, "SUM": 2, "REDUCE_MAX": 2, "REDUCE_MIN": 2, "STRIDED_SLICE": 2, "SLICE": 2,
    "SPLIT": 2, "TRANSPOSE": 2, "RESIZE_BILINEAR": 2, "RESIZE_NEAREST_NEIGHBOR": 2, "LEAKY_RELU": 2, "GATHER": 2, "RELU": 2, "RELU6": 2,
    "MAXIMUM": 2, "MINIMUM": 2, "DEQUANTIZE": 2, "SPACE_TO_DEPTH": 2, "DEPTH_TO_SPACE": 1, "MIRROR_PAD": 2, "BATCH_MATMUL": 2,
    "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4, "TRANSPOSE_CONV": 2, "ABS": 2, "RSQRT": 2, "EXP": 2, "GELU": 2,
    "BROADCAST_TO": 3, "TILE": 3, "SELECT_V2": 1, "NEG": 1, "LOG": 2, "SQRT": 1, "ELU": 1, "PRELU": 1, "HARD_SWISH": 1,
}  # fmt: skip
"""Version from which an op takes int8."""

_HYBRID = {"CONV_2D": 5, "DEPTHWISE_CONV_2D": 6, "FULLY_CONNECTED": 3}
"""Version from which an op multiplies float activations with int8 weights, one scale a channel where it is a convolution."""

_INT4 = {"CONV_2D": 7, "FULLY_CONNECTED": 10, "DEPTHWISE_CONV_2D": 7}


def version_of(op: TfOp) -> int:
    """The lowest version that covers how the op is used."""
    ranks = max((len(t.shape) for t in op.inputs), default=0)
    return max(_float_version(op, ranks), _integer_version(op))


def _integer_version(op: TfOp) -> int:
    """What the types of its tensors ask for."""
    if op.kind == "QUANTIZE":
        return 2 if op.inputs[0].dtype != np.float32 else 1
    stored = [t for t in op.inputs if t.dtype == np.int8]
    if not stored:
        return 1
    if any(t.bits == 4 for t in stored) and op.kind in _INT4:
        return _INT4[op.kind]
    if op.kind in _HYBRID and op.inputs[0].dtype == np.float32:
        return _HYBRID[op.kind]
    if op.kind == "DEQUANTIZE" and stored[0].data is not None:
        return 5 if stored[0].quant is not None and stored[0].quant.axis is not None else 3
    return 3 if op.kind == "MUL" and _grows(op) else _INT8.get(op.kind, 1)


def _grows(op: TfOp) -> bool:
    """Is the multiplier of an int8 MUL 1 or more?"""
    scales = [None if t.quant is None else float(t.quant.scale) for t in (*op.inputs, *op.outputs)]
    a, b, out = scales
    return a is not None and b is not None and out is not None and a * b >= out


def _float_version(op: TfOp, ranks: int) -> int:
    special = _special(op, ranks)
    if special is not None:
        return special
    if ranks > 4 and op.kind in _BROADCASTING and op.inputs[0].shape != op.inputs[1].shape:
        return _BROADCASTING[op.kind]
    if ranks > 4 and op.kind in _MANY_AXES:
        return _MANY_AXES[op.kind]
    return 1


def _special(op: TfOp, ranks: int) -> int | None:  # noqa: PLR0911 - one line an op reads best
    match op.kind:
        case "CONV_2D":
            return 6 if op.inputs[1].shape[-1] != op.inputs[0].shape[-1] else 1
        case "DEPTHWISE_CONV_2D":
            return 2 if max(op.options["dilationHFactor"], op.options["dilationWFactor"]) > 1 else 1
        case "FULLY_CONNECTED":
            return 5 if op.options.get("keepNumDims") else 1
        case "TRANSPOSE_CONV":
            return 4 if op.activation else 3
        case "TRANSPOSE":
            return 1 if ranks <= 4 else 4 if ranks == 5 else 6
        case "RESIZE_BILINEAR" | "RESIZE_NEAREST_NEIGHBOR":
            return 3 if op.options["halfPixelCenters"] else 1
        case "DEQUANTIZE":
            return 3 if op.inputs[0].dtype == np.float16 else 1
        case "BROADCAST_TO":
            return 2
    return None
