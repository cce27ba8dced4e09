"""Move Transposes towards the outputs, where they meet their inverse or a dense layer.

Given:   a = Relu(Transpose(x, p));  b = Add(a, Transpose(y, p));  c = Concat(b, Transpose(z, p), axis=i)
Result:  c = Transpose(Concat(Add(Relu(x), y), z, axis=p[i]), p)
Given:   q, k, v = Gather(Transpose(qkv, (2, 0, 3, 1, 4)), 0 | 1 | 2, axis=0)       attention: the batch is not in front
Result:  q, k, v = Transpose(Gather(qkv, 0 | 1 | 2, axis=2), (0, 2, 1, 3))
"""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from exporter.graph import Graph, attr
from exporter.passes.permute import FLEXIBLE, pull_through
from exporter.passes.rewrite import NodePass, Phase

_DEPTH = 12


@dataclass(frozen=True, slots=True)
class PushTransposes(NodePass):
    """Exact: data is moved only. Left alone: a move that would make more Transposes, with none ahead to meet and the batch in front."""

    phase: ClassVar[Phase] = Phase.CLEAN
    ops: ClassVar[frozenset[str]] = FLEXIBLE

    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """See `NodePass`."""
        for value in node.inputs:
            before = value.producer() if value is not None else None
            if value is None or before is None or before.op_type != "Transpose" or not attr(before, "perm"):
                continue
            grows = len(node.outputs) > 1 or not all(u.op_type in FLEXIBLE | {"Transpose"} for u in value.consumers())
            perm = tuple(attr(before, "perm"))
            if value.is_graph_output() or (grows and perm[0] == 0 and not _meets_transpose(node, _DEPTH)):
                continue
            if pull_through(graph, node, perm):
                return 1
        return 0


def _meets_transpose(node: ir.Node, depth: int) -> bool:
    """Whether what a node makes comes to a Transpose, through operators that one can be moved through."""
    if depth == 0:
        return False
    readers = [u for out in node.outputs for u in out.consumers()]
    return any(u.op_type == "Transpose" or (u.op_type in FLEXIBLE and _meets_transpose(u, depth - 1)) for u in readers)
