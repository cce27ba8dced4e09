"""Fold BatchNormalization into the layer before it, or after it.

    Given:   c = Conv(x, W, b);  y = BatchNormalization(c, gamma, beta, mean, var)
    Result:  y = Conv(x, s * W, s * (b - mean) + beta),   s = gamma / sqrt(var + epsilon)
    Given:   n = BatchNormalization(x, ...);  y = Conv(n, W, b)   without padding, or with s * mean = beta
    Result:  y = Conv(x, W * s, b + sum(W * t)),   t = beta - s * mean

Likewise ConvTranspose and Gemm, a Gemm also behind a Reshape that flattens.
Source: Jacob et al. 2018, https://arxiv.org/abs/1712.05877, section 3.2.
"""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from exporter.graph import Graph
from exporter.passes.affine import batch_norm_affine, into_consumer, into_producer, layer_after, layer_before
from exporter.passes.rewrite import NodePass, Phase, absorb, bypass


@dataclass(frozen=True, slots=True)
class FoldBatchNorm(NodePass):
    """Exact to float rounding. Left alone: a layer read elsewhere, with computed weights, or padded behind a shift."""

    phase: ClassVar[Phase] = Phase.FOLD
    ops: ClassVar[frozenset[str]] = frozenset({"BatchNormalization"})

    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """See `NodePass`."""
        x, affine = node.inputs[0], batch_norm_affine(node)
        if x is None or affine is None or any(o.uses() for o in node.outputs[1:]):
            return 0
        before, after = layer_before(x), layer_after(node.outputs[0])
        if before is not None and into_producer(graph, before, affine):
            return absorb(node, before)
        return bypass(node, x) if after is not None and into_consumer(graph, after, affine) else 0
