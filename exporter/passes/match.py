"""Reading an expression backwards from its last value."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from exporter.graph import const_input
from exporter.passes.rewrite import scalar


@dataclass(frozen=True, slots=True)
class Product:
    """number * values[0] * values[1] * ..."""

    number: float
    values: tuple[ir.Value, ...]


def made_by(value: ir.Value | None, *ops: str) -> ir.Node | None:
    """The standard node that makes a value, when it is one of these operators."""
    node = value.producer() if value is not None else None
    return node if node is not None and node.op_type in ops and not node.domain else None


def operand(node: ir.Node, number: float) -> ir.Value | None:
    """What a node of two inputs combines with this number (to 4 digits), or None."""
    constant = scalar(const_input(node, 1))
    return node.inputs[0] if constant is not None and close(constant, number) else None


def close(a: float, b: float) -> bool:
    """Equal to about 4 digits: exporters round pi, 1/6 and the square roots each in its own way."""
    return bool(np.isclose(a, b, rtol=2e-4, atol=0))


def product(value: ir.Value, depth: int = 4) -> Product:
    """The factors of a value: through Mul, Neg, and Div by a number, as far as they have one reader each."""
    minus = made_by(value, "Neg")
    if minus is not None and minus.inputs[0] is not None and depth > 0:
        inner = product(minus.inputs[0], depth - 1) if len(minus.inputs[0].uses()) == 1 else Product(1.0, (minus.inputs[0],))
        return Product(-inner.number, inner.values)
    node = made_by(value, "Mul")
    if node is None or depth == 0:
        return Product(1.0, (value,))
    number = 1.0
    values: list[ir.Value] = []
    for i, factor in enumerate(node.inputs):
        constant = scalar(const_input(node, i))
        if constant is not None:
            number *= constant
        elif factor is not None:
            inner = product(factor, depth - 1) if len(factor.uses()) == 1 else Product(1.0, (factor,))
            number, values = number * inner.number, [*values, *inner.values]
    return Product(number, tuple(values))


def power_of(value: ir.Value, base: ir.Value) -> int:
    """n where value is base to the n-th (1 to 3), by Pow or Mul; 0 otherwise."""
    if value is base:
        return 1
    power = made_by(value, "Pow")
    if power is not None and power.inputs[0] is base:
        exponent = scalar(const_input(power, 1))
        return int(exponent) if exponent in (1.0, 2.0, 3.0) else 0
    times = made_by(value, "Mul")
    if times is None or times.inputs[0] is None or times.inputs[1] is None:
        return 0
    powers = [power_of(v, base) for v in times.inputs if v is not None]
    return sum(powers) if all(powers) and sum(powers) <= 3 else 0
