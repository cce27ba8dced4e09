"""Sums, products and their like: merging layers, and Rescaling, which is not trained, for constants."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import layers

from exporter.array import Array
from exporter.graph import const
from exporter.train.call import Call, Refused
from exporter.train.to_keras.builder import Builder, Held, constant_beside

MOST = 1 << 16
"""A constant of more numbers is too much for a layer's settings."""

_MERGING = {"Add": layers.Add, "Sub": layers.Subtract, "Mul": layers.Multiply, "Max": layers.Maximum, "Min": layers.Minimum}


def binary(b: Builder, call: Call) -> Held:
    """Add, Sub, Mul, Div, Max, Min, Pow."""
    node = call.node
    constants = [const(v) for v in node.inputs]
    if any(c is not None for c in constants):
        if len(constants) != 2:
            raise Refused("it joins a constant with several values")
        index = 0 if constants[0] is None else 1
        array = constants[1 - index]
        assert array is not None
        return _with_constant(b, call, b.get(node.inputs[index]), array, first=index == 0)
    if node.op_type not in _MERGING:
        raise Refused("there is no standard Keras layer for it")
    found = [b.get(v) for v in node.inputs]
    rank = max(x.rank for x in found)
    largest = max((x for x in found if x.rank == rank), key=lambda x: np.prod(x.sizes))
    return largest.like(b.apply(_MERGING[node.op_type], [b.beside(x, largest.axes) for x in found]))


def _with_constant(b: Builder, call: Call, x: Held, array: Array, *, first: bool) -> Held:
    way = _WAYS.get((call.node.op_type, first)) or (_WAYS.get((call.node.op_type, True)) if call.node.op_type in _SYMMETRIC else None)
    if way is None:
        raise Refused("there is no standard Keras layer for it")
    return x.like(way(b, x.value, _beside(array, x)))


def _beside(array: Array, x: Held) -> Array:
    """A constant beside the samples of a value, in its layout; one number stays without axes."""
    placed = constant_beside(array, x.axes) if array.ndim <= x.rank else array
    if placed.ndim != x.rank or placed.shape[0] != 1 or any(d not in (1, s) for d, s in zip(placed.shape[1:], x.sizes, strict=True)):
        raise Refused("it joins a constant that is larger than the value")
    if placed.size > MOST:
        raise Refused(f"its constant has {placed.size} numbers; a layer's settings hold up to {MOST}")
    return np.asarray(placed.reshape(()) if placed.size == 1 else placed[0], np.float64)


def rescaled(b: Builder, value: Any, *, scale: Array | None = None, offset: Array | None = None, suffix: str = "") -> Any:
    """value * scale + offset, by one layer; constants broadcast to the right."""
    config: dict[str, Any] = {"scale": 1.0 if scale is None else _setting(scale), "offset": 0.0 if offset is None else _setting(offset)}
    return b.apply(layers.Rescaling, value, suffix, **config)


def _setting(array: Array) -> Any:
    """A number or nested lists, as a layer's settings hold them; leading axes of size 1 are left out."""
    while array.ndim > 1 and array.shape[0] == 1:
        array = array[0]
    return float(array.reshape(())) if array.size == 1 else array.tolist()


def _above(b: Builder, value: Any, c: Array) -> Any:
    """max(x, c) = relu(x - c) + c."""
    raised = b.apply(layers.ReLU, rescaled(b, value, offset=-c, suffix="_from"), "_relu")
    return rescaled(b, raised, offset=c)


def below(b: Builder, value: Any, c: Array) -> Any:
    """min(x, c) = c - relu(c - x)."""
    left = b.apply(layers.ReLU, rescaled(b, value, scale=_MINUS, offset=c, suffix="_to"), "_relu")
    return rescaled(b, left, scale=_MINUS, offset=c)


def _power(b: Builder, value: Any, c: Array) -> Any:
    if c.size != 1 or float(c) not in (2.0, 3.0):
        raise Refused("Keras has no power but the square and the cube, as products")
    return b.apply(layers.Multiply, [value] * int(c))


_MINUS = np.array(-1.0)

_WAYS: dict[tuple[str, bool], Callable[[Builder, Any, Array], Any]] = {
    ("Add", True): lambda b, x, c: rescaled(b, x, offset=c),
    ("Mul", True): lambda b, x, c: rescaled(b, x, scale=c),
    ("Sub", True): lambda b, x, c: rescaled(b, x, offset=-c),
    ("Sub", False): lambda b, x, c: rescaled(b, x, scale=_MINUS, offset=c),
    ("Div", True): lambda b, x, c: rescaled(b, x, scale=1 / c),
    ("Max", True): _above,
    ("Min", True): below,
    ("Pow", True): _power,
}
"""Operator, and whether the computed value stands first, to the layers."""

_SYMMETRIC = ("Add", "Mul", "Max", "Min")
