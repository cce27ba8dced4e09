"""Can the rows of a batch see each other? Not where every value has the batch, and nothing else of it, on axis 0, and every
operator computes each row of its output from the same row of its inputs.
"""

from collections.abc import Callable

import onnx_ir as ir

from exporter.graph import BATCH, Graph, attr, const_input

ALWAYS = {
    "Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool", "GlobalMaxPool", "GlobalAveragePool", "GlobalLpPool",
    "BatchNormalization", "InstanceNormalization", "LRN", "PRelu", "Resize", "DepthToSpace", "SpaceToDepth", "Pad", "Expand", "Tile",
    "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Cast", "Dropout", "MatMul", "GridSample",
    "Relu", "LeakyRelu", "Clip", "Elu", "Selu", "Celu", "Gelu", "HardSwish", "HardSigmoid", "Mish", "Sigmoid", "Tanh", "Softplus",
    "Softsign", "ThresholdedRelu", "Exp", "Log", "Sqrt",
    "Abs", "Neg", "Erf", "Floor", "Ceil", "Round", "Reciprocal", "Sin", "Cos", "Sign", "Not", "IsNaN",
    "Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean", "Where", "Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual",
    "And", "Or", "Mod", "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSumExp",
    "ReduceSumSquare", "ReduceLogSum",
}  # fmt: skip
"""Operators that keep rows apart whenever the batch stays axis 0 of what they take and give, in row-major order."""

_Rule = Callable[[ir.Node], bool]


def _by_axis(default: int) -> _Rule:
    """Along one axis, which must not be the batch."""

    def rule(node: ir.Node) -> bool:
        x = node.inputs[0]
        rank = len(x.shape) if x is not None and x.shape is not None else 0
        return rank > 0 and attr(node, "axis", default) % rank != 0

    return rule


def _slice(node: ir.Node) -> bool:
    """Not along the batch: reversed, it would have the same shape."""
    axes, x = const_input(node, 3), node.inputs[0]
    rank = len(x.shape) if x is not None and x.shape is not None else 0
    return axes is not None and rank > 0 and all(a % rank for a in axes.tolist())


SOMETIMES: dict[str, _Rule] = {
    "Concat": _by_axis(0), "Softmax": _by_axis(-1), "LogSoftmax": _by_axis(-1), "Hardmax": _by_axis(-1), "Split": _by_axis(0),
    "Gather": _by_axis(0), "ArgMax": _by_axis(0), "ArgMin": _by_axis(0), "LayerNormalization": _by_axis(-1), "Flatten": _by_axis(1),
    "LpNormalization": _by_axis(-1), "Gemm": lambda node: not attr(node, "transA", 0), "Slice": _slice,
}  # fmt: skip
"""Operators that keep rows apart with some settings."""


def is_row_wise(graph: Graph) -> bool:
    """Whether the operators alone show that each output row depends on the same row of the inputs."""
    return all(_keeps_rows(node) for node in graph.model.graph)


def _keeps_rows(node: ir.Node) -> bool:
    if node.domain:
        return False
    computed = [v for v in node.inputs if v is not None and v.const_value is None]
    if not all(_batch_first(v) for v in (*computed, *(v for v in node.outputs if v.name))):
        return False
    if node.op_type == "MatMul" and any(v.const_value is not None for v in node.inputs[:1] if v is not None):
        return all(v.shape is not None and len(v.shape) > 2 for v in computed)
    return node.op_type in ALWAYS or (node.op_type in SOMETIMES and SOMETIMES[node.op_type](node))


def _batch_first(value: ir.Value) -> bool:
    if not value.shape:
        return False
    return value.shape[0] == BATCH and all(isinstance(d, int) for d in value.shape[1:])
