"""Layers with weights, all seen in one way: groups of output rows times input columns."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import Graph, attr, const, shape_of

OPS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


@dataclass(frozen=True, slots=True)
class Layer:
    """A Conv, ConvTranspose, Gemm or MatMul whose weights are constant.

    Attributes:
        node: The node.
        groups: Of a convolution; 1 otherwise.
        rows: Output channels.
        columns: Input channels.
    """

    node: ir.Node
    groups: int
    rows: int
    columns: int

    @property
    def name(self) -> str:
        """The name of its output, which is unique."""
        return str(self.node.outputs[0].name)

    @property
    def weight(self) -> Array:
        """As stored."""
        return _weight(self.node)

    @property
    def weight_name(self) -> str:
        """Of the constant."""
        value = self.node.inputs[1]
        assert value is not None
        return str(value.name)

    @property
    def bias(self) -> ir.Value | None:
        """The constant that it adds, if any."""
        return self.node.inputs[2] if len(self.node.inputs) > 2 else None

    @property
    def depthwise(self) -> bool:
        """Whether each group reads one channel."""
        return self.groups == self.columns > 1

    @property
    def channel_axis(self) -> int:
        """Axis of its input and output that holds channels."""
        return -1 if self.node.op_type == "MatMul" else 1

    def table(self, weight: Array) -> Array:
        """A weight as (groups, rows of a group, columns of a group, places of the kernel)."""
        op = self.node.op_type
        if op == "Conv":
            return weight.reshape(self.groups, self.rows // self.groups, weight.shape[1], -1)
        if op == "ConvTranspose":
            return weight.reshape(self.groups, weight.shape[0] // self.groups, weight.shape[1], -1).swapaxes(1, 2)
        return (weight if op == "Gemm" and attr(self.node, "transB", 0) else weight.T)[None, :, :, None]

    def untable(self, table: Array, kernel: tuple[int, ...]) -> Array:
        """The inverse of `table`, of any number of rows and columns; `kernel` is () for products."""
        op, (groups, rows, columns, _) = self.node.op_type, table.shape
        if op == "Conv":
            return table.reshape(groups * rows, columns, *kernel)
        if op == "ConvTranspose":
            return np.ascontiguousarray(table.swapaxes(1, 2)).reshape(groups * columns, rows, *kernel)
        flat = table[0, :, :, 0]
        return flat if op == "Gemm" and attr(self.node, "transB", 0) else np.ascontiguousarray(flat.T)

    @property
    def kernel(self) -> tuple[int, ...]:
        """Spatial extents of the kernel; () for products."""
        return tuple(self.weight.shape[2:]) if self.node.op_type in ("Conv", "ConvTranspose") else ()


def layer_at(node: ir.Node) -> Layer | None:
    """The layer that a node is; None for another operator, computed weights, or a product in an unusual form."""
    if node.op_type not in OPS or node.domain not in ("", "ai.onnx") or node.inputs[0] is None or const(node.inputs[0]) is not None:
        return None
    weight = const(node.inputs[1])
    others = [v for v in node.inputs[1:] if v is not None]
    if weight is None or any(v.const_value is None for v in others) or len(shape_of(node.inputs[0])) < 2:
        return None
    groups = attr(node, "group", 1)
    if node.op_type == "Conv":
        return Layer(node, groups, weight.shape[0], weight.shape[1] * groups)
    if node.op_type == "ConvTranspose":
        return Layer(node, groups, weight.shape[1] * groups, weight.shape[0])
    if weight.ndim != 2 or (node.op_type == "Gemm" and attr(node, "transA", 0)):
        return None
    turned = node.op_type == "Gemm" and attr(node, "transB", 0)
    return Layer(node, 1, weight.shape[0 if turned else 1], weight.shape[1 if turned else 0])


def layers_of(graph: Graph) -> dict[str, Layer]:
    """Every layer by its name, in topological order."""
    found = (layer_at(node) for node in graph.nodes)
    return {layer.name: layer for layer in found if layer is not None}


def following_norm(layer: Layer) -> ir.Node | None:
    """The BatchNormalization that alone reads the layer's output, or None."""
    out = layer.node.outputs[0]
    users = out.consumers()
    alone = len(out.uses()) == 1 and not out.is_graph_output() and users[0].op_type == "BatchNormalization"
    return users[0] if alone and users[0].inputs[0] is out else None


def _weight(node: ir.Node) -> Array:
    found = const(node.inputs[1])
    assert found is not None
    return found
