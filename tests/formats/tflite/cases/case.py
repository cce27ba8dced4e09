"""Writing small Graphs down: ONNX text and arrays."""

import numpy as np

from exporter.array import Array

_RNG = np.random.default_rng(0)


def f(*shape: int) -> Array:
    """Random float32."""
    return (_RNG.normal(size=shape) * 0.4).astype(np.float32)


def i(*values: int) -> Array:
    """An int64 constant."""
    return np.array(values, np.int64)


def s(value: float) -> Array:
    """A float32 scalar."""
    return np.array(value, np.float32)


Case = tuple[str, dict[str, Array]]


def one(op: str, shape: str = "N,6,4,5", out: str = "N,a,b,c", **inits: Array) -> Case:
    """A graph of the ops given, from x to y."""
    return f"g (float[{shape}] x) => (float[{out}] y) {{ {op} }}", inits
