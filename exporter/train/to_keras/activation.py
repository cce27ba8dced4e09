"""Activations."""

import numpy as np
from keras import layers

from exporter.graph import const
from exporter.train.call import Call, Refused
from exporter.train.to_keras.arithmetic import below, rescaled
from exporter.train.to_keras.builder import Builder, Held, constant_beside

ACTIVATIONS = {"Sigmoid": "sigmoid", "Tanh": "tanh", "Exp": "exponential", "Softplus": "softplus", "Softsign": "softsign", "Mish": "mish",
               "HardSwish": "hard_silu"}  # fmt: skip
"""ONNX operator to the name of Keras's activation."""

_LARGE = 3e38
_SELU = (1.67326319217681884765625, 1.05070102214813232421875)


def named(b: Builder, call: Call) -> Held:
    """Those of the table ACTIVATIONS."""
    x = b.get(call.node.inputs[0])
    return x.like(b.apply(layers.Activation, x.value, activation=ACTIVATIONS[call.node.op_type]))


def relu(b: Builder, call: Call) -> Held:
    """ReLU."""
    x = b.get(call.node.inputs[0])
    return x.like(b.apply(layers.ReLU, x.value))


def leaky_relu(b: Builder, call: Call) -> Held:
    """LeakyReLU."""
    x = b.get(call.node.inputs[0])
    return x.like(b.apply(layers.LeakyReLU, x.value, negative_slope=float(call.attr("alpha", 0.01))))


def clip(b: Builder, call: Call) -> Held:
    """ReLU with a greatest value, moved where the least one is not 0."""
    x = b.get(call.node.inputs[0])
    low, high = _limit(call, 1), _limit(call, 2)
    if low is None:
        return x if high is None else x.like(below(b, x.value, np.array(high)))
    if low == 0:
        return x.like(b.apply(layers.ReLU, x.value, max_value=high))
    moved = rescaled(b, x.value, offset=np.array(-low), suffix="_from")
    cut = b.apply(layers.ReLU, moved, "_relu", max_value=None if high is None else high - low)
    return x.like(rescaled(b, cut, offset=np.array(low)))


def _limit(call: Call, index: int) -> float | None:
    value = call.node.inputs[index] if index < len(call.node.inputs) else None
    found = const(value)
    if value is not None and found is None:
        raise Refused("its limits are computed, constants are needed")
    return None if found is None or abs(float(found.reshape(()))) > _LARGE else float(found.reshape(()))


def elu(b: Builder, call: Call) -> Held:
    """ELU."""
    x = b.get(call.node.inputs[0])
    return x.like(b.apply(layers.ELU, x.value, alpha=float(call.attr("alpha", 1.0))))


def celu(b: Builder, call: Call) -> Held:
    """alpha ELU(x / alpha)."""
    x, alpha = b.get(call.node.inputs[0]), np.array(float(call.attr("alpha", 1.0)))
    return x.like(rescaled(b, b.apply(layers.ELU, rescaled(b, x.value, scale=1 / alpha, suffix="_in"), "_elu"), scale=alpha))


def selu(b: Builder, call: Call) -> Held:
    """Activation "selu", which has no settings."""
    x = b.get(call.node.inputs[0])
    if not np.allclose((call.attr("alpha", _SELU[0]), call.attr("gamma", _SELU[1])), _SELU, rtol=1e-6):
        raise Refused("its alpha or gamma is not Keras's")
    return x.like(b.apply(layers.Activation, x.value, activation="selu"))


def gelu(b: Builder, call: Call) -> Held:
    """Activation "gelu"; the one by tanh as x sigmoid(1.5958 (x + 0.0447 x³)), which is the same."""
    x = b.get(call.node.inputs[0])
    if call.attr("approximate", "none") != "tanh":
        return x.like(b.apply(layers.Activation, x.value, activation="gelu"))
    cube = rescaled(b, b.apply(layers.Multiply, [x.value] * 3, "_cube"), scale=np.array(0.044715), suffix="_part")
    inner = rescaled(b, b.apply(layers.Add, [x.value, cube], "_sum"), scale=np.array(2 * np.sqrt(2 / np.pi)), suffix="_in")
    gate = b.apply(layers.Activation, inner, "_gate", activation="sigmoid")
    return x.like(b.apply(layers.Multiply, [x.value, gate]))


def hard_sigmoid(b: Builder, call: Call) -> Held:
    """Rescaling, then ReLU up to 1."""
    x = b.get(call.node.inputs[0])
    alpha, beta = np.array(float(call.attr("alpha", 0.2))), np.array(float(call.attr("beta", 0.5)))
    return x.like(b.apply(layers.ReLU, rescaled(b, x.value, scale=alpha, offset=beta, suffix="_in"), max_value=1.0))


def prelu(b: Builder, call: Call) -> Held:
    """PReLU; axes along which the slope is one are shared."""
    x = b.get(call.node.inputs[0])
    arrays, names = b.weights(call.node, [1])
    slope = constant_beside(arrays[0], x.axes)[0]
    shared = [i + 1 for i, (d, s) in enumerate(zip(slope.shape, x.sizes, strict=True)) if d == 1]
    return x.like(b.apply(layers.PReLU, x.value, "", [slope], key=(names, x.axes), shared_axes=shared))


def negative(b: Builder, call: Call) -> Held:
    """Neg: Rescaling by -1."""
    x = b.get(call.node.inputs[0])
    return x.like(rescaled(b, x.value, scale=np.array(-1.0)))


def absolute(b: Builder, call: Call) -> Held:
    """Abs: the larger of x and -x."""
    x = b.get(call.node.inputs[0])
    return x.like(b.apply(layers.Maximum, [x.value, rescaled(b, x.value, scale=np.array(-1.0), suffix="_neg")]))


def softmax(b: Builder, call: Call) -> Held:
    """Softmax along any axis; the logarithm of one along the last."""
    x = b.get(call.node.inputs[0])
    axis = int(call.attr("axis", -1)) % x.rank
    if call.node.op_type == "Softmax":
        return x.like(b.apply(layers.Softmax, x.value, axis=x.place(axis)))
    x = b.to(x, (*(a for a in x.axes if a != axis), axis))
    return x.like(b.apply(layers.Activation, x.value, activation="log_softmax"))


def nothing(b: Builder, call: Call) -> Held:
    """Identity and Dropout: no layer."""
    return b.get(call.node.inputs[0])
