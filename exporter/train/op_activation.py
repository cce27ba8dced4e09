"""Operators of one operand, element by element."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from exporter.train.call import Call, Carried, Weight
from exporter.train.op_elementwise import spread

_SELU_ALPHA, _SELU_GAMMA = 1.67326319217681884765625, 1.05070102214813232421875
_LARGE = 3e38
"""A limit beyond it is none."""

UNARY: dict[str, Callable[[Any], Any]] = {
    "Relu": tf.nn.relu, "Sigmoid": tf.sigmoid, "Tanh": tf.tanh, "Exp": tf.exp, "Log": tf.math.log, "Sqrt": tf.sqrt, "Abs": tf.abs,
    "Neg": tf.negative, "Erf": tf.math.erf, "Floor": tf.floor, "Ceil": tf.math.ceil, "Round": tf.round, "Sign": tf.sign, "Sin": tf.sin,
    "Cos": tf.cos, "Tan": tf.tan, "Asin": tf.asin, "Acos": tf.acos, "Atan": tf.atan, "Softplus": tf.nn.softplus,
    "Softsign": tf.nn.softsign, "Reciprocal": tf.math.reciprocal, "Not": tf.logical_not, "IsNaN": tf.math.is_nan,
    "Identity": tf.identity, "Dropout": tf.identity,
    "Mish": lambda x: x * tf.tanh(tf.nn.softplus(x)), "HardSwish": lambda x: x * tf.nn.relu6(x + 3.0) * (1 / 6),
}  # fmt: skip
"""ONNX operator to TensorFlow's function; a Dropout of a finished model drops nothing."""


def unary(call: Call) -> Carried:
    """Operators of the table UNARY."""
    x = call.tensor()
    return x.like(UNARY[call.node.op_type](x.value))


def clip(call: Call) -> Carried:
    """Clip; relu6 where that is it."""
    x = call.tensor()
    low, high = _limit(call, 1, "min"), _limit(call, 2, "max")
    if low == 0:
        return x.like(tf.nn.relu6(x.value) if high == 6 else _below(tf.nn.relu(x.value), high))
    return x.like(_below(x.value if low is None else tf.maximum(x.value, low), high))


def _below(x: Any, high: float | None) -> Any:
    return x if high is None else tf.minimum(x, high)


def _limit(call: Call, index: int, name: str) -> float | None:
    found = call.const(index)
    value = call.attr(name) if found is None else float(found.reshape(()))
    return None if value is None or abs(value) > _LARGE else value


def leaky_relu(call: Call) -> Carried:
    """LeakyRelu."""
    x = call.tensor()
    return x.like(tf.nn.leaky_relu(x.value, float(call.attr("alpha", 0.01))))


def prelu(call: Call) -> Carried:
    """PRelu; its slope may have fewer axes."""
    x, found = call.tensor(), call.operand(1)
    slope = spread(call.tensor(1), x) if isinstance(found, Weight | Carried) else call.weight(1)
    return x.like(tf.nn.relu(x.value) - slope * tf.nn.relu(-x.value))


def elu(call: Call) -> Carried:
    """Elu: x where positive, else alpha (exp(x) - 1)."""
    x, alpha = call.tensor(), float(call.attr("alpha", 1.0))
    return x.like(_elu(x.value, alpha))


def _elu(x: Any, alpha: float) -> Any:
    return tf.nn.elu(x) if alpha == 1 else tf.nn.relu(x) + alpha * tf.nn.elu(-tf.nn.relu(-x))


def selu(call: Call) -> Carried:
    """Selu: gamma Elu(x)."""
    x = call.tensor()
    return x.like(float(call.attr("gamma", _SELU_GAMMA)) * _elu(x.value, float(call.attr("alpha", _SELU_ALPHA))))


def celu(call: Call) -> Carried:
    """Celu: alpha Elu(x / alpha)."""
    x, alpha = call.tensor(), float(call.attr("alpha", 1.0))
    return x.like(tf.nn.relu(x.value) + alpha * tf.nn.elu(-tf.nn.relu(-x.value) / alpha))


def gelu(call: Call) -> Carried:
    """Gelu, exact or by tanh."""
    x = call.tensor()
    return x.like(tf.nn.gelu(x.value, approximate=call.attr("approximate", "none") == "tanh"))


def hard_sigmoid(call: Call) -> Carried:
    """HardSigmoid."""
    x = call.tensor()
    return x.like(tf.clip_by_value(x.value * float(call.attr("alpha", 0.2)) + float(call.attr("beta", 0.5)), 0.0, 1.0))


def thresholded_relu(call: Call) -> Carried:
    """ThresholdedRelu."""
    x = call.tensor()
    return x.like(tf.where(x.value > float(call.attr("alpha", 1.0)), x.value, 0.0))


def cast(call: Call) -> Carried:
    """Cast among numbers and truth values."""
    x = call.tensor()
    return x.like(tf.cast(x.value, np.dtype(ir.DataType(int(call.attr("to"))).numpy())))


def softmax(call: Call) -> Carried:
    """Softmax and LogSoftmax."""
    x = call.tensor()
    function = tf.nn.softmax if call.node.op_type == "Softmax" else tf.nn.log_softmax
    return x.like(function(x.value, axis=x.place(int(call.attr("axis", -1)))))
