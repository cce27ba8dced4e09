"""Activation layers and functions."""

from collections.abc import Callable
from typing import Any

import numpy as np

from exporter.sources.keras.builder import Builder
from exporter.sources.keras.call import Call, Handler, array, is_tf_keras
from exporter.sources.keras.layout import arrange, constant_like, unpack
from exporter.sources.keras.tensor import RefusedError, Tensor

SIMPLE = {
    "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "softplus": "Softplus", "softsign": "Softsign", "elu": "Elu",
    "selu": "Selu", "celu": "Celu", "exponential": "Exp", "exp": "Exp", "mish": "Mish", "hard_swish": "HardSwish",
    "hard_silu": "HardSwish", "h_swish": "HardSwish",
}  # fmt: skip
"""Functions that are one operator with its default attributes."""


def scalar(b: Builder, role: str, value: float) -> Any:
    """A constant without axes."""
    return b.constant(role, np.float32(value))


def clip(b: Builder, x: Tensor, low: float | None, high: float | None) -> Tensor:
    """max(low, min(high, x)); an end may be open."""
    return b.map("Clip", x, scalar(b, "min", -np.inf if low is None else low), scalar(b, "max", np.inf if high is None else high))


def swish(b: Builder, x: Tensor) -> Tensor:
    """x * sigmoid(x)."""
    gate = b.map("Sigmoid", x)
    return b.map("Mul", x, gate.value)


def softmax(b: Builder, x: Tensor, axis: Any = -1, op: str = "Softmax") -> Tensor:
    """Softmax or LogSoftmax over a Keras axis."""
    if isinstance(axis, list | tuple):
        if len(axis) != 1:
            raise RefusedError(f"softmax over the axes {list(axis)} at once")
        axis = axis[0]
    x = unpack(b, x) if x.rank > 2 else x
    return b.map(op, x, axis=x.axis(int(axis)))


def hard_sigmoid(b: Builder, x: Tensor, fn: Any) -> Tensor:
    """Keras 2: clip(0.2 x + 0.5); Keras 3: clip(x / 6 + 0.5)."""
    return b.map("HardSigmoid", x, alpha=0.2 if is_tf_keras(fn) else 1 / 6, beta=0.5)


def _squareplus(b: Builder, x: Tensor) -> Tensor:
    root = b.map("Sqrt", b.map("Add", b.map("Mul", x, x.value), scalar(b, "four", 4.0)))
    return b.map("Mul", b.map("Add", root, x.value), scalar(b, "half", 0.5))


def _log_sigmoid(b: Builder, x: Tensor) -> Tensor:
    return b.map("Neg", b.map("Softplus", b.map("Neg", x)))


def gelu(b: Builder, x: Tensor, approximate: bool = False) -> Tensor:
    """Exact, or the tanh approximation."""
    return b.map("Gelu", x, approximate="tanh" if approximate else "none")


COMPOSED: dict[str, Callable[[Builder, Tensor], Tensor]] = {
    "linear": lambda b, x: x,
    "relu6": lambda b, x: clip(b, x, 0, 6),
    "swish": swish,
    "silu": swish,
    "leaky_relu": lambda b, x: b.map("LeakyRelu", x, alpha=0.2),
    "softmax": softmax,
    "log_softmax": lambda b, x: softmax(b, x, op="LogSoftmax"),
    "hard_tanh": lambda b, x: clip(b, x, -1, 1),
    "squareplus": _squareplus,
    "log_sigmoid": _log_sigmoid,
}


def activation(b: Builder, fn: Any, x: Tensor) -> Tensor:
    """Apply a layer's `activation`: a function of Keras or TensorFlow, or a layer object.

    Raises:
        RefusedError: If it is none that we know.
    """
    if fn is None:
        return x
    if type(fn).__name__ in LAYERS:
        result: Tensor = LAYERS[type(fn).__name__](b, Call(fn, [x]))
        return result
    name = getattr(fn, "__name__", type(fn).__name__)
    module = getattr(fn, "__module__", "") or ""
    if not module.startswith(("keras.", "tf_keras.", "tensorflow.", "exporter.")):
        raise RefusedError(f"activation `{name}` of {module or 'unknown origin'}")
    if name == "hard_sigmoid":
        return hard_sigmoid(b, x, fn)
    if name == "gelu":
        return gelu(b, x, approximate=module.startswith("keras.src.ops"))  # keras.ops.gelu's default differs from the activation's
    if name in SIMPLE:
        return b.map(SIMPLE[name], x)
    if name in COMPOSED:
        return COMPOSED[name](b, x)
    raise RefusedError(f"activation `{name}`")


def relu(b: Builder, x: Tensor, slope: float, high: float | None, threshold: float) -> Tensor:
    """Keras's general ReLU: x above the threshold (at most `high`), slope * (x - threshold) below it."""
    if threshold == 0 and slope == 0:
        return b.map("Relu", x) if high is None else clip(b, x, 0, high)
    if threshold == 0 and high is None:
        return b.map("LeakyRelu", x, alpha=slope)
    if threshold == 0:
        return clip(b, b.map("LeakyRelu", x, alpha=slope), None, high)
    return _thresholded(b, x, slope, high, threshold)


def _thresholded(b: Builder, x: Tensor, slope: float, high: float | None, threshold: float) -> Tensor:
    """x * [x > threshold] + slope * min(x - threshold, 0), the step as Clip of a steep line would round: Where is exact."""
    over = b.one("Greater", [x, scalar(b, "threshold", threshold)], x.perm)
    below = scalar(b, "zero", 0.0)
    if slope:
        shifted = b.map("Add", x, scalar(b, "shift", -threshold))
        below = b.map("Mul", shifted, scalar(b, "slope", slope)).value
    y = b.one("Where", [over, x, below], x.perm)
    y = Tensor(y.value, y.perm, x.packed)
    return y if high is None else clip(b, y, None, high)


def _relu_layer(b: Builder, call: Call) -> Tensor:
    layer = call.layer
    high = None if layer.max_value is None else float(layer.max_value)
    return relu(b, call.x, float(layer.negative_slope or 0), high, float(layer.threshold or 0))


def _leaky_relu(b: Builder, call: Call) -> Tensor:
    slope = getattr(call.layer, "negative_slope", None)
    return b.map("LeakyRelu", call.x, alpha=float(call.layer.alpha if slope is None else slope))


def _prelu(b: Builder, call: Call) -> Tensor:
    slope = array(call.layer.alpha)
    return b.map("PRelu", call.x, constant_like(b, call.x, slope, "slope", call.layer))


def _activation_layer(b: Builder, call: Call) -> Tensor:
    return activation(b, call.layer.activation, call.x)


def _softmax_layer(b: Builder, call: Call) -> Tensor:
    if len(call.tensors) > 1:
        raise RefusedError("a softmax with a mask")
    return softmax(b, arrange(b, call.x, call.x.perm), call.layer.axis)


LAYERS: dict[str, Handler] = {
    "Activation": _activation_layer,
    "ReLU": _relu_layer,
    "ThresholdedReLU": lambda b, call: _thresholded(b, call.x, 0.0, None, float(call.layer.theta)),
    "LeakyReLU": _leaky_relu,
    "PReLU": _prelu,
    "ELU": lambda b, call: b.map("Elu", call.x, alpha=float(call.layer.alpha)),
    "Softmax": _softmax_layer,
}
"""Layer class name to its handler."""
