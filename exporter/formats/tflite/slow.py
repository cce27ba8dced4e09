"""Ops that leave XNNPACK, LiteRT's fast path on CPUs: they run on plain kernels and split the delegated part."""

from exporter.formats.artifact import Problem
from exporter.formats.tflite.lower_axis import MAX_CONCAT
from exporter.formats.tflite.ops import TfModel, TfOp

DELEGATED = {
    "ABS", "ADD", "AVERAGE_POOL_2D", "BATCH_MATMUL", "CEIL", "CONCATENATION", "CONV_2D", "COS", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE",
    "DEQUANTIZE", "DIV", "ELU", "EXP", "FLOOR", "FULLY_CONNECTED", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOG", "LOGISTIC", "MAXIMUM",
    "MAX_POOL_2D", "MEAN", "MINIMUM", "MUL", "NEG", "PAD", "PRELU", "REDUCE_MAX", "REDUCE_MIN", "RELU", "RELU6", "RELU_N1_TO_1",
    "RESHAPE", "RESIZE_BILINEAR", "ROUND", "RSQRT", "SIN", "SLICE", "SOFTMAX", "SPACE_TO_DEPTH", "SPLIT", "SQRT", "SUB", "SUM", "TANH",
    "TRANSPOSE", "TRANSPOSE_CONV",
}  # fmt: skip
"""Float ops that XNNPACK takes in LiteRT 2.3; a test asks the engine for each."""


def slow_layers(model: TfModel) -> list[Problem]:
    """One problem, not fatal, for each op off the fast path."""
    found = []
    for op in model.ops:
        reason = _reason(op)
        if reason is not None:
            found.append(Problem(op.outputs[0].name, op.kind, reason, fatal=False))
    return found


def _reason(op: TfOp) -> str | None:
    if op.kind not in DELEGATED:
        return f"XNNPACK does not take {op.kind}: it runs on a plain kernel"
    if op.kind == "CONCATENATION" and len(op.inputs) > MAX_CONCAT:
        return f"XNNPACK concatenates at most {MAX_CONCAT} tensors, this has {len(op.inputs)}"
    if op.kind.endswith("_POOL_2D") and op.options["filterHeight"] * op.options["filterWidth"] == 1:
        return "XNNPACK takes no pool of one element"
    return None
