"""A Mul and an Add a channel are one batch norm: one pass over the data instead of two.

    Given:   y = Add(Mul(x, s), t)        one number a channel, or one for all; x of rank 3 or more
    Result:  y = BatchNormalization(x, s, t, 0, 1, epsilon=0)

tf2onnx writes the batch norms of a DenseNet so.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from exporter.graph import Graph, add_constant, sole_consumer
from exporter.passes.affine import binary_affine
from exporter.passes.match import made_by
from exporter.passes.rewrite import NodePass, Phase, become, flushed, rank_of


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
        width, name = len(scale.scale), node.outputs[0].name
        arrays = {"scale": scale.scale, "bias": shift.shift, "mean": np.zeros(width), "var": np.ones(width)}
        constants = [add_constant(graph, f"{name}_{k}", flushed(a)) for k, a in arrays.items()]
        return become(node, "BatchNormalization", [mul.inputs[0], *constants], epsilon=0.0)
