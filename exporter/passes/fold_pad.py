"""Fold a Pad into the layer after it.

    Given:   p = Pad(x, pads) with zeros on spatial axes;  y = Conv(p, pads=q)
    Result:  y = Conv(x, pads=pads + q)

AveragePool: where it pads nothing itself or counts its pads (count_include_pad=1 in the result).
MaxPool: zeros where x cannot be negative, or -inf.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import Graph, attr, const_input, sole_consumer
from exporter.passes.normalise_clip import limits_of
from exporter.passes.rewrite import NodePass, Phase, bypass, rank_of, scalar, set_attrs

_NOT_NEGATIVE = frozenset({"Sigmoid", "HardSigmoid", "Softmax", "Softplus", "Exp", "Abs", "Sqrt"})


@dataclass(frozen=True, slots=True)
class FoldPad(NodePass):
    """Exact. Left alone: a Pad read elsewhere, other modes and values, negative pads, pools whose window would fit into the padding."""

    phase: ClassVar[Phase] = Phase.FOLD
    ops: ClassVar[frozenset[str]] = frozenset({"Pad"})

    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """See `NodePass`."""
        x, reader, pads = node.inputs[0], sole_consumer(node.outputs[0]), _spatial_pads(node)
        if x is None or reader is None or pads is None or reader.inputs[0] is not node.outputs[0] or reader.domain:
            return 0
        own = np.array(attr(reader, "pads", (0,) * len(pads)))
        if not _joins(node, x, reader, own, pads):
            return 0
        set_attrs(reader, pads=[int(p) for p in own + pads])
        if reader.op_type == "AveragePool":
            set_attrs(reader, count_include_pad=1)
        return bypass(node, x)


def _spatial_pads(node: ir.Node) -> Array | None:
    """Begins and ends of the spatial axes; None when other axes are padded, or something negative or computed."""
    pads, axes, rank = const_input(node, 1), const_input(node, 3), rank_of(node.inputs[0])
    if (
        attr(node, "mode", "constant") != "constant"
        or pads is None
        or rank < 3
        or (len(node.inputs) > 3 and axes is None and node.inputs[3])
    ):
        return None
    full = np.zeros((2, rank), np.int64)
    full[:, [int(a) % rank for a in axes] if axes is not None else slice(None)] = pads.reshape(2, -1)
    return None if full[:, :2].any() or (full < 0).any() else full[:, 2:].reshape(-1)


def _joins(node: ir.Node, x: ir.Value, reader: ir.Node, own: Array, pads: Array) -> bool:
    value = 0.0 if len(node.inputs) < 3 or node.inputs[2] is None else scalar(const_input(node, 2))
    if attr(reader, "auto_pad", "NOTSET") != "NOTSET" or value is None:
        return False
    if reader.op_type == "Conv":
        return value == 0
    kernel = attr(reader, "kernel_shape", ())
    if reader.op_type not in ("MaxPool", "AveragePool") or attr(reader, "ceil_mode", 0) or any(own + pads >= np.tile(kernel, 2)):
        return False
    if set(attr(reader, "dilations", ())) > {1}:
        return False
    if reader.op_type == "AveragePool":
        return value == 0 and (not own.any() or attr(reader, "count_include_pad", 0) == 1)
    return value <= float(np.finfo(np.float32).min) or (value == 0 and _not_negative(x))


def _not_negative(value: ir.Value) -> bool:
    node = value.producer()
    limits = limits_of(node) if node is not None else None
    return node is not None and (node.op_type in _NOT_NEGATIVE or (limits is not None and limits[0] >= 0))
