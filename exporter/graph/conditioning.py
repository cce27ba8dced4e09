"""How much a model amplifies float rounding on given samples: below that no two right implementations agree.

A computation in float32 gives the exact outputs of a model whose numbers are off by a rounding step (backward error: Higham 2002,
Accuracy and Stability of Numerical Algorithms, section 1.5). So the inputs are moved up by two such steps, and the weights by one
up or down at random, and the outputs are looked at.
"""

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph.evaluate import evaluate
from exporter.graph.model import Graph
from exporter.graph.sizes import least_sizes, relative

STEP = 2.0**-23
"""One unit in the last place of a float32, relative."""

AMPLIFIED = 5
"""Right implementations differ by up to so many times the rounding floor: 3 to 5 seen on nets with seeded weights, floors 2e-5 to 1e-4."""


def rounding_floor(graph: Graph, inputs: Mapping[str, Array], seed: int = 0) -> dict[str, float]:
    """By Graph output name: its largest change, relative to its largest value, when inputs and weights move by a rounding step.

    Args:
        graph: The graph to judge; stays as it is.
        inputs: By Graph input name, in Graph layout.
        seed: Of the directions.
    """
    rng = np.random.default_rng(seed)
    moved = graph.clone()
    for value in moved.model.graph.initializers.values():
        if value.const_value is not None and value.const_value.dtype == ir.DataType.FLOAT and value.const_value.size > 1:
            if any(node.op_type == "Resize" for node, _ in value.uses()):  # scales: a size hangs on each
                continue
            value.const_value = ir.Tensor(_moved(value.const_value.numpy(), rng), name=value.name)
    still, other = evaluate(graph, inputs), evaluate(moved, {name: x * np.float32(1 + 2 * STEP) for name, x in inputs.items()})
    least = least_sizes(graph)
    return {p.name: relative(still[p.name], other[p.name], least.get(p.name, 0.0)) for p in graph.outputs}


def _moved(x: Array, rng: np.random.Generator) -> Array:
    up = rng.integers(0, 2, x.shape, dtype=np.int8)
    return np.asarray(x * np.where(up, np.float32(1 + STEP), np.float32(1 - STEP)), np.float32)
