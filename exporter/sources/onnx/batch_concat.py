"""A constant repeated once a sample and joined to a computed value, as PyTorch writes class tokens and zero-padded shortcuts.

Given:   y = Concat(Expand(token, [N, 1, C]), x)
Result:  y = Pad(x) + row,   row holding the token where the pad is and 0 elsewhere; no Add where the constant is 0
"""

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import attr
from exporter.sources.onnx.facts import Facts
from exporter.sources.onnx.upgrade import constant, replace_node


def join_by_pad(node: ir.Node, one: Facts, two: Facts) -> list[ir.Node] | None:
    """Replace a Concat of one computed value with constants that grow with the batch; None where it is another kind of node.

    Returns:
        The new nodes, put behind the old one's place and known to neither of the facts yet.
    """
    if node.op_type != "Concat" or node.domain:
        return None
    rows = [_row(v, one, two) for v in node.inputs]
    computed = [i for i, row in enumerate(rows) if row is None]
    if len(computed) != 1 or len(rows) < 2:
        return None
    x = node.inputs[computed[0]]
    shape, double = one.shape(x), two.shape(x)
    if shape is None or double is None:
        return None
    axis = attr(node, "axis") % len(shape)
    alone = axis != 0 and shape[0] != double[0] and all(r is None or len(r) == 1 for r in rows)
    if not alone and not any(_grows(v, one, two) for v in node.inputs):
        return None
    row = np.concatenate([np.zeros((1, *shape[1:]), np.float32) if r is None else r for r in rows], axis)
    before = sum(r.shape[axis] for r in rows[: computed[0]] if r is not None)
    pads = np.zeros((2, len(shape)), np.int64)
    pads[0, axis], pads[1, axis] = before, row.shape[axis] - before - shape[axis]
    new = [ir.node("Pad", [x, constant(node, "pads", pads.ravel())])]
    if row.any():
        new.append(ir.node("Add", [new[0].outputs[0], constant(node, "row", row)]))
    replace_node(node, new)
    return new


def _row(value: ir.Value | None, one: Facts, two: Facts) -> Array | None:
    """One sample's part of a constant whose samples are all the same; None for a computed value."""
    fact = two.of(value)
    if fact is None or fact.value is None or fact.value.ndim == 0:
        return None
    same = np.array_equal(fact.value, np.broadcast_to(fact.value[:1], fact.value.shape))
    return np.asarray(fact.value[:1], np.float32) if same else None


def _grows(value: ir.Value | None, one: Facts, two: Facts) -> bool:
    a, b = one.of(value), two.of(value)
    return a is not None and b is not None and a.value is not None and b.value is not None and a.value.shape != b.value.shape
