"""Fold a Mul or Add of one number, or one a channel, into the layer before it, or after it.

    Given:   c = Conv(x, W, b);  y = Mul(c, s) or Add(c, t)
    Result:  y = Conv(x, s * W, s * b) or Conv(x, W, b + t)
    Given:   m = Mul(x, s) or Add(x, t);  y = Conv(m, W, b)       Add only without padding
    Result:  y = Conv(x, W * s, b) or Conv(x, W, b + sum(W * t))
    Given:   a = Add(Mul(x, s), t);  y = Conv(a, W, b)            padded, no s is 0
    Result:  y = Conv(Add(x, t / s), W * s, b)

tf2onnx writes batch norm as Mul and Add; Keras's Rescaling and Normalization are these too.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from exporter.graph import Graph, add_constant, sole_consumer
from exporter.passes.affine import Affine, binary_affine, into_consumer, into_producer, layer_after, layer_before
from exporter.passes.rewrite import NodePass, Phase, absorb, bypass, flushed, rank_of


@dataclass(frozen=True, slots=True)
class FoldScale(NodePass):
    """Exact to float rounding. Left alone: a layer read elsewhere, with computed weights, or padded behind a shift."""

    phase: ClassVar[Phase] = Phase.FOLD
    ops: ClassVar[frozenset[str]] = frozenset({"Mul", "Add"})

    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """See `NodePass`."""
        x, affine = node.inputs[0], binary_affine(node)
        if x is None or affine is None:
            return 0
        before, after = layer_before(x), layer_after(node.outputs[0])
        if before is not None and into_producer(graph, before, affine):
            return absorb(node, before)
        if after is None:
            return 0
        if into_consumer(graph, after, affine):
            return bypass(node, x)
        return _swap(graph, node, after, affine) if node.op_type == "Add" else 0


def _swap(graph: Graph, add: ir.Node, after: ir.Node, affine: Affine) -> int:
    """Add(Mul(x, s), t) before a padded layer: s * (x + t / s), so that s can be folded."""
    x = add.inputs[0]
    mul = x.producer() if x is not None else None
    if mul is None or x is None or mul.op_type != "Mul" or sole_consumer(x) is None:
        return 0
    first = binary_affine(mul)
    if first is None or (np.abs(first.scale) < 1e-6).any():
        return 0
    if not into_consumer(graph, after, Affine(first.scale, np.zeros_like(first.scale))):
        return 0
    shift = flushed(affine.shift / first.scale).reshape(-1, *(1,) * (rank_of(x) - 2))
    add.replace_input_with(0, mul.inputs[0])
    add.replace_input_with(1, add_constant(graph, f"{add.outputs[0].name}_shift", shift))
    return 1
