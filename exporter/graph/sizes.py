"""How large numbers are where a difference is told relative to them.

A value is as large as its largest number. But what a Sigmoid or Tanh gives is computed to some 1e-7, however small it is: where a detector
sees nothing, all its outputs are no larger than that, and no two engines would agree.
"""

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph.model import Graph
from exporter.graph.ops import computed_by

BOUNDED = ("Sigmoid", "Tanh")
"""What they give is at most 1, and computed as a part of that."""

BOUNDED_SIZE = 1e-2
"""What they give is never taken to be smaller: a ten-thousandth of it is several steps of float32 below 1."""

FAINT = 1e-6
"""Where a reading is checked, values whose numbers are all smaller are compared as if they were so large."""


def least_size(value: ir.Value) -> float:
    """`BOUNDED_SIZE` for what a Sigmoid or Tanh gives, and for products and rows of such; 0 for any other value."""
    node = computed_by(value)
    if node is None or node.op_type not in (*BOUNDED, "Mul", "Concat"):
        return 0.0
    known = node.op_type in BOUNDED or all(v is not None and least_size(v) for v in node.inputs)
    return BOUNDED_SIZE if known else 0.0


def least_sizes(graph: Graph) -> dict[str, float]:
    """By name, for every value that a Graph computes."""
    return {str(v.name): least_size(v) for node in graph.nodes for v in node.outputs}


def size_of(x: Array, least: float = 0.0) -> float:
    """The largest finite magnitude, `least` where all are smaller, 1 where that is 0."""
    return max(float(np.abs(x[np.isfinite(x)]).max(initial=0.0)), least) or 1.0


def relative(want: Array, got: Array, least: float = 0.0) -> float:
    """The largest difference, relative to the size of what is wanted; infinite where a number is not finite and the other not the same."""
    if np.array_equal(want, got, equal_nan=True):
        return 0.0
    return float(np.nan_to_num(np.abs(want - got).max(initial=0.0) / size_of(want, least), nan=np.inf, posinf=np.inf))
