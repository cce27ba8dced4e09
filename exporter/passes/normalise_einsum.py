"""A sum of products of two tensors, as the matrix product that it is.

Given:   y = Einsum(a, b, "nhqd,nhkd->nhqk")
Result:  y = MatMul(a, Transpose(b, nhdk))
Given:   y = Einsum(a, b, "nyhwc,wkc->nyhwk")
Result:  y = Transpose(MatMul(Transpose(a, nywhc), Transpose(b, wck)), nyhwk)

Labels that both tensors have and the result too stand in front, of the others one is a row, one a column, one is summed over.
"""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from exporter.graph import Graph, attr, insert_node
from exporter.passes.rewrite import NodePass, Phase, become

Labels = tuple[str, str, str]
"""Of the two factors and of the result."""

Values = tuple[ir.Value | None, ir.Value | None]


@dataclass(frozen=True, slots=True)
class NormaliseEinsum(NodePass):
    """Exact. Left alone: one tensor or more than two, a label twice in one, an ellipsis, several columns or several sums."""

    phase: ClassVar[Phase] = Phase.CLEAN
    ops: ClassVar[frozenset[str]] = frozenset({"Einsum"})

    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """See `NodePass`."""
        terms, _, result = str(attr(node, "equation")).replace(" ", "").partition("->")
        left, _, right = terms.partition(",")
        labels = [left, right, result]
        if not all(t.isalpha() and len(set(t)) == len(t) for t in labels) or len(node.inputs) != 2:
            return 0
        a, b = node.inputs
        ways = ((left, right, (a, b)), (right, left, (b, a)))
        for first, second, factors in ways if result[-1] in right else ways[::-1]:
            orders = _orders(first, second, result)
            if orders is not None and None not in factors:
                return _product(graph, node, factors, (first, second, result), orders)
        return 0


def _orders(first: str, second: str, result: str) -> Labels | None:
    """The labels of both factors as MatMul wants them, and those of its product; None where it cannot say it."""
    summed = [c for c in first if c in second and c not in result]
    columns = [c for c in second if c not in first]
    rows = [c for c in first if c not in second]
    shared = "".join(c for c in result if c in first and c in second)
    if len(summed) != 1 or len(columns) != 1 or not rows or set(result) != {*shared, *rows, *columns}:
        return None
    # MatMul broadcasts: rows but for the last may stand before the shared labels, as they do in the result if they can
    lead = "".join(c for c in result if c in rows[:-1] or c in shared)
    lead = lead if lead.endswith(shared) else "".join(rows[:-1]) + shared
    return lead + rows[-1] + summed[0], shared + summed[0] + columns[0], lead + rows[-1] + columns[0]


def _product(graph: Graph, node: ir.Node, factors: Values, given: Labels, wanted: Labels) -> int:
    """Transposes that move nothing go with the other idle nodes."""
    arranged = [
        insert_node(graph, node, "Transpose", [x], f"{node.outputs[0].name}_{side}", perm=_perm(old, new))
        for x, side, old, new in zip(factors, ("rows", "columns"), given, wanted, strict=False)
    ]
    y = insert_node(graph, node, "MatMul", arranged, f"{node.outputs[0].name}_product")
    return become(node, "Transpose", [y], perm=_perm(wanted[2], given[2]))


def _perm(old: str, new: str) -> list[int]:
    return [old.index(c) for c in new]
