"""Transposes in a row are one, or none; those that move axes of length 1 are a Reshape.

Given:   y = Transpose(Transpose(x, p), q)
Result:  y = Transpose(x, p after q), or x
Given:   y = Transpose(x, p), p moves only axes of length 1
Result:  y = Reshape(x, [0, ...])
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from exporter.graph import Graph, add_constant, attr
from exporter.passes.normalise_reshape import batched
from exporter.passes.permute import moves_units
from exporter.passes.rewrite import NodePass, Phase, become, bypass


@dataclass(frozen=True, slots=True)
class MergeTransposes(NodePass):
    """Exact: data is moved only."""

    phase: ClassVar[Phase] = Phase.CLEAN
    ops: ClassVar[frozenset[str]] = frozenset({"Transpose"})

    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """See `NodePass`."""
        x = node.inputs[0]
        if x is None or x.shape is None:
            return 0
        perm = attr(node, "perm") or tuple(range(len(x.shape)))[::-1]
        before = x.producer()
        if before is not None and before.op_type == "Transpose" and attr(before, "perm"):
            first = attr(before, "perm")
            both = tuple(first[p] for p in perm)
            return self._joined(node, before.inputs[0], both)
        dims = batched(x)
        if dims is not None and perm[0] == 0 and moves_units([0, *dims], perm):
            target = np.array([0, *([0, *dims][p] for p in perm[1:])], np.int64)
            return become(node, "Reshape", [x, add_constant(graph, f"{node.outputs[0].name}_shape", target)])
        return 0

    def _joined(self, node: ir.Node, source: ir.Value | None, perm: tuple[int, ...]) -> int:
        if source is not None and perm == tuple(range(len(perm))) and bypass(node, source):
            return 1
        return become(node, "Transpose", [source], perm=list(perm))
