"""What a Graph costs, layer by layer: parameters, multiply-accumulates, memory access, bytes. For one sample, counted, not measured."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import onnx_ir as ir

from exporter.graph import Graph, attr, shape_of

FLOAT_BYTES = 4

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LayerCost:
    """One node of a Graph.

    Attributes:
        name: The node's name, or its output's.
        op: Its operator.
        shape_in: Of its first computed input, 1 on the batch axis; None for a node that has none.
        shape_out: Of its first output.
        params: Weights it reads.
        macs: Multiply-accumulates.
        mac_elements: Memory access cost in elements: what it reads, what it writes, and its weights.
        bytes: Of its weights as float32.
        tensor_work: Convolution or matrix product; all else is non-tensor work.
    """

    name: str
    op: str
    shape_in: Shape | None
    shape_out: Shape | None
    params: int
    macs: int
    mac_elements: int
    bytes: int
    tensor_work: bool


@dataclass(frozen=True, slots=True)
class Totals:
    """A whole Graph: weights shared by several layers count once in params and bytes."""

    params: int
    macs: int
    mac_elements: int
    bytes: int

    def as_dict(self) -> dict[str, int]:
        """As the manifest has it."""
        return {"params": self.params, "macs": self.macs, "memory_access": self.mac_elements, "bytes": self.bytes}


def layer_costs(graph: Graph) -> list[LayerCost]:
    """One entry a node, in topological order."""
    return [_cost(node) for node in graph.nodes]


def totals(graph: Graph) -> Totals:
    """Sums over all layers."""
    costs = layer_costs(graph)
    weights = {id(v): v for node in graph.nodes for v in node.inputs if v is not None and _is_weight(v)}
    params = sum(_elements(v) for v in weights.values())
    return Totals(params, sum(c.macs for c in costs), sum(c.mac_elements for c in costs), params * FLOAT_BYTES)


def _cost(node: ir.Node) -> LayerCost:
    fed = [v for v in node.inputs if v is not None and v.const_value is None]
    params = sum(_elements(v) for v in node.inputs if v is not None and _is_weight(v))
    access = sum(map(_elements, fed)) + sum(map(_elements, node.outputs)) + params
    macs = MACS[node.op_type](node) if node.op_type in MACS and node.domain in ("", "ai.onnx") else 0
    return LayerCost(
        node.name or str(node.outputs[0].name), node.op_type, _shape(fed[0]) if fed else None, _shape(node.outputs[0]),
        params, macs, access, params * FLOAT_BYTES, node.op_type in MACS,
    )  # fmt: skip


def _conv(node: ir.Node) -> int:
    weight = _shape(node.inputs[1])
    return _elements(node.outputs[0]) * prod(weight[1:]) if weight else 0


def _conv_transpose(node: ir.Node) -> int:
    weight = _shape(node.inputs[1])
    return _elements(node.inputs[0]) * prod(weight[1:]) if weight else 0


def _product(node: ir.Node) -> int:
    left = _shape(node.inputs[0])
    if not left:
        return 0
    depth = left[0] if node.op_type == "Gemm" and attr(node, "transA", 0) else left[-1]
    return _elements(node.outputs[0]) * depth


MACS: dict[str, Callable[[ir.Node], int]] = {"Conv": _conv, "ConvTranspose": _conv_transpose, "Gemm": _product, "MatMul": _product}
"""Operators that are tensor work, and how their multiply-accumulates are counted."""


def _is_weight(value: ir.Value) -> bool:
    """A floating constant; shapes and indices are no parameters."""
    return value.const_value is not None and value.const_value.dtype.is_floating_point()


def _shape(value: ir.Value | None) -> Shape | None:
    """None where it is not known."""
    if value is None:
        return None
    try:
        return tuple(int(str(d)) for d in value.const_value.shape) if value.const_value is not None else shape_of(value)
    except ValueError:
        return None


def _elements(value: ir.Value | None) -> int:
    shape = _shape(value)
    return 0 if shape is None else prod(shape)
