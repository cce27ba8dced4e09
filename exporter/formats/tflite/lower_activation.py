"""Activations and other element-wise functions of one input."""

import math

import onnx_ir as ir

from exporter.formats.tflite.emitter import Emitter, Refused, origin_of
from exporter.formats.tflite.fuse import KNOWN, absorb_affine, emit_activation, unary_axes
from exporter.formats.tflite.ops import TfTensor
from exporter.graph import attr, const_input

UNARY = {
    "Sigmoid": "LOGISTIC", "Tanh": "TANH", "Exp": "EXP", "Log": "LOG", "Sqrt": "SQRT", "Abs": "ABS", "Neg": "NEG", "Floor": "FLOOR",
    "Ceil": "CEIL", "Round": "ROUND", "Sin": "SIN", "Cos": "COS", "Sign": "SIGN", "HardSwish": "HARD_SWISH",
}  # fmt: skip
"""ONNX op to the TFLite op of the same meaning and no settings."""

_CLIPS = {(0.0, 6.0): "RELU6", (-1.0, 1.0): "RELU_N1_TO_1"}
# RELU_0_TO_1 exists, but XNNPACK does not take it
_HUGE = 3e38


def emit_unary(e: Emitter, node: ir.Node) -> None:
    """Ops of the table UNARY."""
    tensor, axes = unary_axes(e, node)
    if e.int8 and node.op_type in {"HardSwish", "Neg"}:
        other = e.scalar(-1.0) if node.op_type == "Neg" else _gate(e, tensor)
        e.bind(node.outputs[0], e.emit("MUL", [tensor, other], tensor.shape), axes)
        return
    e.bind(node.outputs[0], e.emit(UNARY[node.op_type], [tensor], tensor.shape), axes)


def _gate(e: Emitter, x: TfTensor) -> TfTensor:
    """relu6(x + 3) / 6, a hard-swish's gate: XNNPACK has no HARD_SWISH (nor NEG) in int8."""
    lifted = e.emit("ADD", [x, e.scalar(3.0)], x.shape, fusedActivationFunction="RELU6")
    lifted.known = KNOWN["RELU6"]
    gate = e.emit("MUL", [lifted, e.scalar(1 / 6)], x.shape)
    gate.known = (0.0, 1.0)
    return gate


def emit_relu(e: Emitter, node: ir.Node) -> None:
    """RELU, fused where it can be."""
    emit_activation(e, node, "RELU")


def emit_clip(e: Emitter, node: ir.Node) -> None:
    """RELU6 and its like where the limits fit, else MAXIMUM and MINIMUM."""
    low, high = _limit(node, 1, -math.inf), _limit(node, 2, math.inf)
    kind = _CLIPS.get((low, high)) or ("RELU" if low == 0 and high > _HUGE else None)
    if kind is not None:
        emit_activation(e, node, kind)
        return
    tensor, axes = unary_axes(e, node)
    start = tensor
    if low > -_HUGE:
        tensor = e.emit("MAXIMUM", [tensor, e.scalar(low)], tensor.shape)
    if high < _HUGE:
        both = e.emit("MINIMUM", [tensor, e.scalar(high)], tensor.shape)
        if tensor is not start:
            tensor.like = both  # as fine as the result, not as coarse as what is cut
        tensor = both
    e.bind(node.outputs[0], e.reshape(tensor, start.shape), axes)


def _limit(node: ir.Node, index: int, default: float) -> float:
    if index >= len(node.inputs) or node.inputs[index] is None:
        return default
    found = const_input(node, index)
    if found is None:
        raise Refused("its limits are computed, constants are needed")
    return float(found.reshape(()))


def emit_leaky_relu(e: Emitter, node: ir.Node) -> None:
    """LEAKY_RELU."""
    tensor, axes = unary_axes(e, node)
    e.bind(node.outputs[0], e.emit("LEAKY_RELU", [tensor], tensor.shape, alpha=float(attr(node, "alpha", 0.01))), axes)


def emit_prelu(e: Emitter, node: ir.Node) -> None:
    """PRELU; one slope for all channels is LEAKY_RELU."""
    x, slope = node.inputs[0], const_input(node, 1)
    assert x is not None
    if slope is None:
        raise Refused("its slope is computed, a constant is needed")
    tensor, axes = e.where(x)
    if slope.size == 1:
        out = e.emit("LEAKY_RELU", [tensor], tensor.shape, alpha=float(slope.reshape(())))
    else:
        rank = len(axes) - axes.count(-1)
        wide = slope.reshape((1,) * (rank - slope.ndim) + slope.shape)
        wide = wide.transpose([a for a in axes if a >= 0]).reshape([1 if a < 0 else wide.shape[a] for a in axes])
        slopes = e.constant(wide.reshape(wide.shape[1:]))
        slopes.origin = origin_of(node.inputs[1])
        out = e.emit("PRELU", [tensor, slopes], tensor.shape)
    e.bind(node.outputs[0], out, axes)


def elu(e: Emitter, x: TfTensor, alpha: float) -> TfTensor:
    """x where positive, else alpha (exp(x) - 1). TFLite's ELU has alpha 1; a LEAKY_RELU after it multiplies the negative side."""
    out = e.emit("ELU", [x], x.shape)
    return out if alpha == 1 else e.emit("LEAKY_RELU", [out], x.shape, alpha=alpha)


def emit_elu(e: Emitter, node: ir.Node) -> None:
    """ELU."""
    tensor, axes = unary_axes(e, node)
    e.bind(node.outputs[0], elu(e, tensor, float(attr(node, "alpha", 1.0))), axes)


def emit_selu(e: Emitter, node: ir.Node) -> None:
    """gamma ELU(x)."""
    tensor, axes = unary_axes(e, node)
    alpha, gamma = float(attr(node, "alpha", 1.67326319217681884765625)), float(attr(node, "gamma", 1.05070102214813232421875))
    e.bind(node.outputs[0], e.emit("MUL", [elu(e, tensor, alpha), e.scalar(gamma)], tensor.shape), axes)


def emit_celu(e: Emitter, node: ir.Node) -> None:
    """alpha ELU(x / alpha)."""
    tensor, axes = unary_axes(e, node)
    alpha = float(attr(node, "alpha", 1.0))
    scaled = tensor if alpha == 1 else e.emit("MUL", [tensor, e.scalar(1 / alpha)], tensor.shape)
    out = e.emit("ELU", [scaled], tensor.shape)
    e.bind(node.outputs[0], out if alpha == 1 else e.emit("MUL", [out, e.scalar(alpha)], tensor.shape), axes)


def emit_gelu(e: Emitter, node: ir.Node) -> None:
    """GELU, exact or by tanh."""
    tensor, axes = unary_axes(e, node)
    e.bind(node.outputs[0], e.emit("GELU", [tensor], tensor.shape, approximate=attr(node, "approximate", "none") == "tanh"), axes)


def emit_hard_sigmoid(e: Emitter, node: ir.Node) -> None:
    """relu6(6 alpha x + 6 beta) / 6: the form whose clip is fused, into the layer before where that is possible."""
    tensor, axes = unary_axes(e, node)
    alpha, beta = 6 * float(attr(node, "alpha", 0.2)), 6 * float(attr(node, "beta", 0.5))
    alpha = 1.0 if abs(alpha - 1) < 1e-6 else alpha
    if absorb_affine(e, tensor, alpha, beta, "RELU6"):
        lifted = tensor
    else:
        lifted = tensor if alpha == 1 else e.emit("MUL", [tensor, e.scalar(alpha)], tensor.shape)
        lifted = e.emit("ADD", [lifted, e.scalar(beta)], tensor.shape, fusedActivationFunction="RELU6")
        lifted.known = KNOWN["RELU6"]
    out = e.emit("MUL", [lifted, e.scalar(1 / 6)], tensor.shape)
    out.known, lifted.multiple = (0.0, 1.0), (out, 6.0)
    e.bind(node.outputs[0], out, axes)


def emit_mish(e: Emitter, node: ir.Node) -> None:
    """x tanh(log(1 + exp(x))) = x n / (n + 2) with n = exp(x) (exp(x) + 2); x limited to 20, where the quotient is 1 in float32."""
    x, axes = unary_axes(e, node)
    grown = e.emit("EXP", [e.emit("MINIMUM", [x, e.scalar(20.0)], x.shape)], x.shape)
    n = e.emit("MUL", [grown, e.emit("ADD", [grown, e.scalar(2.0)], x.shape)], x.shape)
    share = e.emit("DIV", [n, e.emit("ADD", [n, e.scalar(2.0)], x.shape)], x.shape)
    e.bind(node.outputs[0], e.emit("MUL", [x, share], x.shape), axes)


def emit_softplus(e: Emitter, node: ir.Node) -> None:
    """max(x, 0) + log(1 + exp(-|x|)): no overflow."""
    x, axes = unary_axes(e, node)
    shrunk = e.emit("EXP", [e.emit("NEG", [e.emit("ABS", [x], x.shape)], x.shape)], x.shape)
    tail = e.emit("LOG", [e.emit("ADD", [shrunk, e.scalar(1.0)], x.shape)], x.shape)
    e.bind(node.outputs[0], e.emit("ADD", [e.emit("RELU", [x], x.shape), tail], x.shape), axes)


def emit_softsign(e: Emitter, node: ir.Node) -> None:
    """x / (1 + |x|)."""
    x, axes = unary_axes(e, node)
    low = e.emit("ADD", [e.emit("ABS", [x], x.shape), e.scalar(1.0)], x.shape)
    e.bind(node.outputs[0], e.emit("DIV", [x, low], x.shape), axes)


def emit_reciprocal(e: Emitter, node: ir.Node) -> None:
    """1 / x."""
    x, axes = unary_axes(e, node)
    e.bind(node.outputs[0], e.emit("DIV", [e.scalar(1.0), x], x.shape), axes)


_ERF_TOP = (-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05, -7.34990630326855e-04,
            -2.95459980854025e-03, -1.60960333262415e-02)  # fmt: skip
_ERF_LOW = (-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03, -1.42647390514189e-02)


def emit_erf(e: Emitter, node: ir.Node) -> None:
    """x P(x²) / Q(x²) with x limited to ±4: the rational approximation of Eigen and XLA, within 3e-7."""
    x, axes = unary_axes(e, node)
    x = e.emit("MINIMUM", [e.emit("MAXIMUM", [x, e.scalar(-4.0)], x.shape), e.scalar(4.0)], x.shape)
    square = e.emit("MUL", [x, x], x.shape)
    top, low = _polynomial(e, square, _ERF_TOP), _polynomial(e, square, _ERF_LOW)
    e.bind(node.outputs[0], e.emit("DIV", [e.emit("MUL", [x, top], x.shape), low], x.shape), axes)


def _polynomial(e: Emitter, x: TfTensor, terms: tuple[float, ...]) -> TfTensor:
    out = e.emit("ADD", [e.emit("MUL", [x, e.scalar(terms[0])], x.shape), e.scalar(terms[1])], x.shape)
    for term in terms[2:]:
        out = e.emit("ADD", [e.emit("MUL", [out, x], x.shape), e.scalar(term)], x.shape)
    return out


def emit_tan(e: Emitter, node: ir.Node) -> None:
    """sin(x) / cos(x)."""
    x, axes = unary_axes(e, node)
    e.bind(node.outputs[0], e.emit("DIV", [e.emit("SIN", [x], x.shape), e.emit("COS", [x], x.shape)], x.shape), axes)


def emit_identity(e: Emitter, node: ir.Node) -> None:
    """Nothing to do at inference: Identity, Dropout."""
    e.bind(node.outputs[0], *unary_axes(e, node))
