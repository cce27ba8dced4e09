"""The version that each operator needs: the lowest, so that old runtimes (2.14 on 32-bit ARM) take the file.

Source: tensorflow/lite/tools/versioning/op_version.cc.
"""

import numpy as np

from exporter.formats.tflite.ops import TfOp

_BROADCASTING = {"SUB": 3, "DIV": 2, "MAXIMUM": 3, "MINIMUM": 3}
"""Version from which an op broadcasts more than 4 axes."""

_MANY_AXES = {"SLICE": 5, "STRIDED_SLICE": 4, "PAD": 3, "PADV2": 3}
"""Version from which an op takes more than 4 axes."""


def version_of(op: TfOp) -> int:
    """The lowest version that covers how the op is used."""
    ranks = max((len(t.shape) for t in op.inputs), default=0)
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
