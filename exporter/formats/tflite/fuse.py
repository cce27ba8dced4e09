"""Fusion while emitting: activations into the op before them, through a Concat into its branches."""

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from exporter.formats.tflite.emitter import Emitter
from exporter.formats.tflite.ops import Axes, TfTensor

FUSABLE = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "ADD", "SUB", "MUL", "DIV"}
"""Ops that apply an activation for free."""

FUSED = {"RELU", "RELU6", "RELU_N1_TO_1"}
"""Activations they know (TANH too, but XNNPACK does not take it)."""

KNOWN = {"RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}
"""Activation to the range that it leaves."""

_KEEP_SIGN = {
    "MAX_POOL_2D",
    "AVERAGE_POOL_2D",
    "MEAN",
    "REDUCE_MAX",
    "RESHAPE",
    "TRANSPOSE",
    "SLICE",
    "STRIDED_SLICE",
    "SPLIT",
    "CONCATENATION",
}


def emit_activation(e: Emitter, node: ir.Node, kind: str) -> None:
    """An activation: into the op before it, into all branches of the Concat before it, or as an op of its own."""
    x, y = node.inputs[0], node.outputs[0]
    assert x is not None
    tensor, axes = e.held[x] if x in e.held else e.where(x)
    if can_take(e, tensor, kind):
        assert tensor.producer is not None
        tensor.producer.options["fusedActivationFunction"] = kind
        e.take_over(y, tensor, axes)
    elif _can_push(e, tensor, kind):
        _push(e, tensor, kind)
        e.take_over(y, tensor, axes)
    elif e.int8 and kind in FUSED:  # XNNPACK takes RELU in int8 as part of another op only
        e.bind(y, e.emit("MUL", [tensor, e.scalar(1.0)], tensor.shape, fusedActivationFunction=kind), axes)
    else:
        e.bind(y, e.emit(kind, [tensor], tensor.shape), axes)
    if x in e.flat:
        e.flat[y] = e.flat[x]


def can_take(e: Emitter, tensor: TfTensor, kind: str) -> bool:
    """Can the op that makes the tensor apply the activation?"""
    op = tensor.producer
    return op is not None and kind in FUSED and op.kind in FUSABLE and op.activation is None and e.sole(tensor)


def absorb_affine(e: Emitter, tensor: TfTensor, scale: float, shift: float, kind: str) -> bool:
    """Make the convolution or dense layer that gives the tensor give kind(scale * tensor + shift) instead, if nobody else reads it."""
    op = tensor.producer
    if op is None or op.kind not in {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"} or not can_take(e, tensor, kind):
        return False
    weights, bias = op.inputs[1].data, op.inputs[2].data
    if weights is None or bias is None:
        return False
    factor, offset = np.float32(scale), np.float32(shift)
    before = op.inputs[1].origin
    if scale != 1:
        op.inputs[1] = e.constant(weights * factor, op.inputs[1].name, op.inputs[1].shape)
        op.inputs[1].origin = None if before is None else replace(before, factor=before.factor * scale)
    op.inputs[2] = e.constant(bias * factor + offset, op.inputs[2].name)
    op.options["fusedActivationFunction"] = kind
    op.layers.append(e.layer)
    release(e, tensor)
    tensor.known = KNOWN.get(kind)
    tensor.name += f"_{kind.lower()}"
    return True


def release(e: Emitter, tensor: TfTensor) -> None:
    """The tensor's op was changed: the values it held are nowhere any more."""
    for value in tensor.values:
        del e.held[value]
    tensor.values = []


def never_negative(tensor: TfTensor, kind: str = "RELU") -> bool:
    """Would the activation (RELU or RELU6) change nothing?"""
    op = tensor.producer
    if op is None:
        return tensor.data is not None and kind == "RELU" and bool((tensor.data >= 0).all())
    bounded = {"RELU6"} if kind == "RELU6" else {"RELU", "RELU6"}
    if op.activation in bounded or op.kind in bounded | {"LOGISTIC", "SOFTMAX"}:
        return True
    if op.kind not in _KEEP_SIGN:
        return False
    return all(never_negative(t, kind) for t in op.inputs if t.data is None)


def _can_push(e: Emitter, tensor: TfTensor, kind: str) -> bool:
    op = tensor.producer
    if kind not in {"RELU", "RELU6"} or op is None or op.kind != "CONCATENATION" or not e.sole(tensor):
        return False
    return all(never_negative(t, kind) or can_take(e, t, kind) for t in op.inputs) and len(set(op.inputs)) == len(op.inputs)


def _push(e: Emitter, tensor: TfTensor, kind: str) -> None:
    """The branches take the activation; the values they held are nowhere any more."""
    assert tensor.producer is not None
    for branch in tensor.producer.inputs:
        if not never_negative(branch, kind):
            assert branch.producer is not None
            branch.producer.options["fusedActivationFunction"] = kind
            release(e, branch)
            branch.name += "_activated"


def unary_axes(e: Emitter, node: ir.Node) -> tuple[TfTensor, Axes]:
    """Input tensor and axes of an element-wise op of one input, whatever the order of its elements."""
    x = node.inputs[0]
    assert x is not None
    if x in e.flat:
        e.flat[node.outputs[0]] = e.flat[x]
    return e.held[x] if x in e.held else e.where(x)
