"""Activations, element-wise ops, norms."""

import numpy as np

from tests.formats.tflite.cases.case import Case, f, one, s

_POINTWISE = {
    "Relu": "Relu (x)", "Clip 0 6": "Clip (x, zero, six)", "Clip -1 1": "Clip (x, minus, one)", "Clip 0 1": "Clip (x, zero, one)",
    "Clip odd": "Clip (x, minus, six)", "Clip low": "Clip (x, minus, inf)", "LeakyRelu": "LeakyRelu <alpha=0.1> (x)",
    "LeakyRelu steep": "LeakyRelu <alpha=1.7> (x)", "Elu": "Elu (x)", "Elu alpha": "Elu <alpha=1.5> (x)", "Selu": "Selu (x)",
    "Celu": "Celu <alpha=0.7> (x)", "Gelu": "Gelu (x)", 'Gelu tanh': 'Gelu <approximate="tanh"> (x)', "HardSwish": "HardSwish (x)",
    "HardSigmoid": "HardSigmoid (x)", "HardSigmoid sixth": "HardSigmoid <alpha=0.16666667> (x)", "Mish": "Mish (x)",
    "Sigmoid": "Sigmoid (x)", "Tanh": "Tanh (x)", "Softplus": "Softplus (x)", "Softsign": "Softsign (x)", "Exp": "Exp (x)",
    "Abs": "Abs (x)", "Neg": "Neg (x)", "Erf": "Erf (x)", "Floor": "Floor (x)", "Ceil": "Ceil (x)",
    "Round": "Round (x)", "Sign": "Sign (x)", "Tan": "Tan (x)", "Sin": "Sin (x)", "Cos": "Cos (x)",
    "Log": "Log (p)", "Sqrt": "Sqrt (p)", "Reciprocal": "Reciprocal (p)", "PRelu": "PRelu (x, slope)", "PRelu one": "PRelu (x, slope1)",
    "Softmax": "Softmax <axis=1> (x)", "Softmax h": "Softmax <axis=2> (x)", "Softmax w": "Softmax <axis=3> (x)",
    "LogSoftmax": "LogSoftmax <axis=1> (x)", "Pow 2": "Pow (x, two)", "Pow 3": "Pow (p, three)", "Pow half": "Pow (p, half)",
    "Add hw": "Add (x, hw)", "Add scalar": "Add (x, two)", "Add channel": "Add (x, channel)", "Add rank 1": "Add (x, row)",
    "Sub from": "Sub (channel, x)", "Div from": "Div (channel, p)", "Div by": "Div (x, p)", "Max": "Max (x, p)", "Min": "Min (x, two)",
    "Mul by vector": "Mul (x, channel)", "BatchNormalization": "BatchNormalization (x, g, g, g, v)",
    "InstanceNormalization": "InstanceNormalization (x, g, g)", "LayerNormalization": "LayerNormalization <axis=-1> (x, row, row)",
    "LayerNormalization chw": "LayerNormalization <axis=1> (x, full, full)", "LayerNormalization no bias": "LayerNormalization (x, row)",
}  # fmt: skip
_CONSTANTS = {
    "zero": s(0), "six": s(6), "minus": s(-1), "one": s(1), "inf": s(np.inf), "two": s(2), "three": s(3), "half": s(0.5),
    "slope": f(6, 1, 1), "slope1": f(1),
    "hw": f(4, 5), "channel": f(1, 6, 1, 1), "row": f(5), "g": f(6), "v": f(6) ** 2 + s(0.5), "full": f(6, 4, 5),
}  # fmt: skip


def _pointwise() -> dict[str, Case]:
    found = {}
    for name, call in _POINTWISE.items():
        words = call.replace("(", " ").replace(")", " ").replace(",", " ").split()
        inits = {key: value for key, value in _CONSTANTS.items() if key in words}
        before = "e = Exp (x) p = Add (e, one)" if "p" in words else ""
        if before:
            inits["one"] = s(1)
        found[name] = one(f"{before} y = {call}", **inits)
    return found


POINTWISE = _pointwise()
