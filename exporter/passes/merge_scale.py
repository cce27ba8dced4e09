"""A Mul and an Add a channel are one batch norm: one pass over the data instead of two.

    Given:   y = Add(Mul(x, s), t)        one number a channel, or one for all; x of rank 3 or more
    Result:  y = BatchNormalization(x, s, t, 0, 1, epsilon=0)

tf2onnx writes the batch norms of a DenseNet so.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from exporter.graph import Graph, add_constant, const, sole_consumer
from exporter.passes.affine import binary_affine
from exporter.passes.match import made_by
from exporter.passes.rewrite import NodePass, Phase, become, flushed, rank_of, set_weight


@dataclass(frozen=True, slots=True)
class MergeScale(NodePass):
    """Exact to float rounding. Left alone: a product that is read elsewhere."""

    phase: ClassVar[Phase] = Phase.FOLD
    ops: ClassVar[frozenset[str]] = frozenset({"Add"})

    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """See `NodePass`."""
        x, shift = node.inputs[0], binary_affine(node)
        mul = made_by(x, "Mul")
        scale = binary_affine(mul) if mul is not None else None
        if x is None or mul is None or scale is None or shift is None or rank_of(x) < 3 or sole_consumer(x) is None:
            return 0
        width = len(scale.scale)
        become(node, "BatchNormalization", [mul.inputs[0], mul.inputs[1], node.inputs[1], *_standard(graph, width)], epsilon=0.0)
        graph.model.graph.remove(mul, safe=True)
        for index, array in ((1, scale.scale), (2, shift.shift)):
            set_weight(graph, node, index, flushed(array))
        return 1


def _standard(graph: Graph, width: int) -> list[ir.Value]:
    """Mean 0 and variance 1, one pair for all of a width."""
    found = []
    for name, array in ((f"mean_0_{width}", np.zeros(width, np.float32)), (f"variance_1_{width}", np.ones(width, np.float32))):
        value = graph.model.graph.initializers.get(name)
        same = value is not None and np.array_equal(const(value), array)  # type: ignore[arg-type]
        found.append(value if value is not None and same else add_constant(graph, name, array))
    return found
