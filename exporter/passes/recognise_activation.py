"""Activations that exporters spell out, as the operators that they are.

    Given:   Clip(x + 3, 0, 6) / 6;  Clip(a x + b, 0, 1)         Result:  HardSigmoid(x)
    Given:   x * Clip(x + 3, 0, 6) / 6;  x * HardSigmoid(x)      Result:  HardSwish(x)
    Given:   x / 2 * (1 + erf(x / sqrt 2))                       Result:  Gelu(x)
    Given:   x / 2 * (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))   Result:  Gelu(x, approximate="tanh")
    Given:   x * tanh(softplus(x))                               Result:  Mish(x)
    Given:   log(1 + e^x);  1 / (1 + e^-x);  max(x, a x)         Result:  Softplus(x);  Sigmoid(x);  LeakyRelu(x)

Swish stays Mul(x, Sigmoid(x)). As torch, tf2onnx and Keras write them, in any order of factors.
Source: Howard et al. 2019, https://arxiv.org/abs/1905.02244 (hard swish); Hendrycks 2016, https://arxiv.org/abs/1606.08415; Misra 2019,
https://arxiv.org/abs/1908.08681.
"""

from dataclasses import dataclass
from math import pi, sqrt
from typing import ClassVar

import onnx_ir as ir

from exporter.graph import Graph, attr, const_input
from exporter.passes.match import close, made_by, operand, power_of, product
from exporter.passes.normalise_clip import limits_of
from exporter.passes.rewrite import NodePass, Phase, become, scalar


@dataclass(frozen=True, slots=True)
class RecogniseActivation(NodePass):
    """Exact to the digits in which the exporter wrote its constants. Left alone: sub-expressions that are read elsewhere."""

    phase: ClassVar[Phase] = Phase.CLEAN
    ops: ClassVar[frozenset[str]] = frozenset({"Mul", "Clip", "Log", "Reciprocal", "Div", "Max"})

    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """See `NodePass`."""
        match node.op_type:
            case "Mul":
                return _product(node)
            case "Clip":
                return _hard_sigmoid(node)
            case "Log":
                inner = made_by(node.inputs[0], "Add")
                power = made_by(operand(inner, 1), "Exp") if inner is not None else None
                return become(node, "Softplus", [power.inputs[0]]) if power is not None else 0
            case "Max":
                return _leaky(node)
        return _sigmoid(node)


def _product(node: ir.Node) -> int:
    """The activations that are products, one of whose factors is x itself."""
    factors = product(node.outputs[0])
    if len(factors.values) == 1:
        x = _relu6_of_shifted(factors.values[0])
        return become(node, "HardSigmoid", [x], alpha=1 / 6, beta=0.5) if x is not None and close(factors.number, 1 / 6) else 0
    if len(factors.values) != 2:
        return 0
    first, second = factors.values
    return _gated(node, factors.number, first, second) or _gated(node, factors.number, second, first)


def _gated(node: ir.Node, number: float, x: ir.Value, gate: ir.Value) -> int:
    if close(number, 1 / 6) and _relu6_of_shifted(gate) is x:
        return become(node, "HardSwish", [x])
    if close(number, 0.5) and (inner := made_by(gate, "Add")) is not None:
        wave = operand(inner, 1)
        if _is_erf(wave, x):
            return become(node, "Gelu", [x])
        return become(node, "Gelu", [x], approximate="tanh") if _is_gelu_tanh(wave, x) else 0
    if number != 1:
        return 0
    hard = made_by(gate, "HardSigmoid")
    if hard is not None and hard.inputs[0] is x and close(attr(hard, "alpha", 0.2), 1 / 6) and close(attr(hard, "beta", 0.5), 0.5):
        return become(node, "HardSwish", [x])
    tanh = made_by(gate, "Tanh")
    soft = made_by(tanh.inputs[0], "Softplus") if tanh is not None else None
    return become(node, "Mish", [x]) if soft is not None and soft.inputs[0] is x else 0


def _relu6_of_shifted(value: ir.Value) -> ir.Value | None:
    """x where value is Clip(x + 3, 0, 6)."""
    clip = made_by(value, "Clip")
    shift = made_by(clip.inputs[0], "Add") if clip is not None and limits_of(clip) == (0, 6) else None
    return operand(shift, 3) if shift is not None else None


def _is_erf(value: ir.Value | None, x: ir.Value) -> bool:
    erf = made_by(value, "Erf")
    inner = product(erf.inputs[0]) if erf is not None and erf.inputs[0] is not None else None
    return inner is not None and inner.values == (x,) and close(inner.number, 1 / sqrt(2))


def _is_gelu_tanh(value: ir.Value | None, x: ir.Value) -> bool:
    """tanh(sqrt(2/pi) * (x + 0.044715 x^3)), also with x taken out: x * (1 + 0.044715 x^2)."""
    tanh = made_by(value, "Tanh")
    if tanh is None or tanh.inputs[0] is None:
        return False
    inner = product(tanh.inputs[0])
    if not close(inner.number, sqrt(2 / pi)):
        return False
    if len(inner.values) == 2 and x in inner.values:
        rest = made_by(inner.values[1 - inner.values.index(x)], "Add")
        return rest is not None and _is_cube(operand(rest, 1), x, 2)
    total = made_by(inner.values[0], "Add") if len(inner.values) == 1 else None
    if total is None or x not in total.inputs:
        return False
    return _is_cube(total.inputs[1 - list(total.inputs).index(x)], x, 3)


def _is_cube(value: ir.Value | None, x: ir.Value, power: int) -> bool:
    """0.044715 * x^power."""
    if value is None:
        return False
    terms = product(value)
    powers = [power_of(v, x) for v in terms.values]
    return close(terms.number, 0.044715) and all(powers) and sum(powers) == power


def _hard_sigmoid(node: ir.Node) -> int:
    if limits_of(node) != (0, 1) or node.inputs[0] is None:
        return 0
    shift = made_by(node.inputs[0], "Add")
    beta = scalar(const_input(shift, 1)) if shift is not None else None
    if shift is None or beta is None or shift.inputs[0] is None or len(node.inputs[0].uses()) != 1:
        return 0
    terms = product(shift.inputs[0])
    if len(terms.values) != 1 or not 0 < terms.number <= 1:
        return 0
    return become(node, "HardSigmoid", [terms.values[0]], alpha=float(terms.number), beta=float(beta))


def _sigmoid(node: ir.Node) -> int:
    """1 / (1 + e^-x), by Reciprocal or Div."""
    bottom = node.inputs[0]
    if node.op_type == "Div":
        top = const_input(node, 0)
        if top is None or top.ndim or top != 1:
            return 0
        bottom = node.inputs[1]
    total = made_by(bottom, "Add")
    power = made_by(operand(total, 1), "Exp") if total is not None else None
    negative = made_by(power.inputs[0], "Neg") if power is not None else None
    return become(node, "Sigmoid", [negative.inputs[0]]) if negative is not None else 0


def _leaky(node: ir.Node) -> int:
    """max(x, a x) with 0 < a < 1."""
    if len(node.inputs) != 2:
        return 0
    for x, other in (tuple(node.inputs), tuple(node.inputs)[::-1]):
        terms = product(other) if other is not None and made_by(other, "Mul") is not None else None
        if x is not None and terms is not None and terms.values == (x,) and 0 < terms.number < 1:
            return become(node, "LeakyRelu", [x], alpha=float(terms.number))
    return 0
