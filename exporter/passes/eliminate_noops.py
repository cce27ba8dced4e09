"""Remove what does nothing.

Given:   y = Identity(x), Dropout(x), Reshape(x) to its own shape, Mul(x, 1), Pad(x) by 0, Relu(Relu(x)), ...
Result:  y is x
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import Graph, attr, const_input
from exporter.passes.rewrite import NodePass, Phase, bypass, scalar


def _same_shape(node: ir.Node) -> bool:
    x, y = node.inputs[0], node.outputs[0]
    return x is not None and x.shape is not None and y.shape is not None and x.shape == y.shape and None not in list(x.shape)


def _always(node: ir.Node) -> bool:
    return not any(o.uses() or o.is_graph_output() for o in node.outputs[1:])


def _float_cast(node: ir.Node) -> bool:
    x = node.inputs[0]
    return x is not None and x.dtype is not None and int(x.dtype) == attr(node, "to")


def _in_order(node: ir.Node) -> bool:
    perm = attr(node, "perm")
    return perm is not None and perm == tuple(range(len(perm)))


def _alone(node: ir.Node) -> bool:
    return len(node.inputs) == 1


def _neutral(number: float) -> Callable[[ir.Node], bool]:
    def test(node: ir.Node) -> bool:
        return _same_shape(node) and scalar(const_input(node, 1)) == number

    return test


def _zero_pads(node: ir.Node) -> bool:
    pads = const_input(node, 1)
    return pads is not None and not pads.any()


def _whole(array: Array | None) -> bool:
    return array is None or bool((array == 1).all())


def _whole_slice(node: ir.Node) -> bool:
    return _same_shape(node) and all(const_input(node, i) is not None for i in (1, 2)) and _whole(const_input(node, 4))


def _unit_window(node: ir.Node) -> bool:
    ones = all(set(attr(node, k, ())) <= {1} for k in ("kernel_shape", "strides", "dilations"))
    return ones and not any(attr(node, "pads", ())) and len(node.outputs) == 1


def _unit_resize(node: ir.Node) -> bool:
    scales, sizes = const_input(node, 2), const_input(node, 3)
    if sizes is None and (scales is None or not scales.size):
        return False
    return _same_shape(node) and (sizes is not None or bool((np.asarray(scales) == 1).all()))


def _repeated(node: ir.Node) -> bool:
    x = node.inputs[0]
    before = x.producer() if x is not None else None
    return before is not None and before.op_type in ("Relu", "Sigmoid", "Softplus", "HardSigmoid", "Abs", "Exp", "Sqrt")


_TESTS: dict[str, Callable[[ir.Node], bool]] = {
    "Identity": _always, "Dropout": _always, "Cast": _float_cast, "Reshape": _same_shape, "Expand": _same_shape, "Tile": _same_shape,
    "Flatten": _same_shape, "Squeeze": _same_shape, "Unsqueeze": _same_shape, "Transpose": _in_order, "Concat": _alone,
    "Sum": _alone, "Max": _alone, "Min": _alone, "Mean": _alone, "Mul": _neutral(1), "Div": _neutral(1), "Pow": _neutral(1),
    "Add": _neutral(0), "Sub": _neutral(0), "Pad": _zero_pads, "Slice": _whole_slice, "MaxPool": _unit_window,
    "AveragePool": _unit_window, "Resize": _unit_resize, "Split": lambda node: len(node.outputs) == 1, "Relu": _repeated,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class EliminateNoops(NodePass):
    """Exact. Left alone: a no-op that makes a graph's input its output."""

    phase: ClassVar[Phase] = Phase.CLEAN
    ops: ClassVar[frozenset[str]] = frozenset(_TESTS)

    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """See `NodePass`."""
        x = node.inputs[0]
        return bypass(node, x) if x is not None and _TESTS[node.op_type](node) else 0
