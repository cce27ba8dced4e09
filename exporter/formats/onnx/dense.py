"""Dense layers as MatMul and Add: the form in which onnxruntime has kernels for stored integers."""

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import Graph, add_constant, attr, const, const_input, insert_node, replace_value


def dense_layers(graph: Graph) -> Iterator[tuple[ir.Node, Array]]:
    """Every product with constant weights, and these as (in, out); a Gemm with factors, or of a transposed input, is none."""
    for node in graph.nodes:
        weight = const_input(node, 1)
        if weight is None or weight.ndim != 2 or const(node.inputs[0]) is not None:
            continue
        if node.op_type == "MatMul":
            yield node, weight
        elif node.op_type == "Gemm" and attr(node, "alpha", 1.0) == 1 and attr(node, "beta", 1.0) == 1 and not attr(node, "transA", 0):
            yield node, weight.T if attr(node, "transB", 0) else weight


def biased(graph: Graph, node: ir.Node, product: ir.Value, *, apart: bool = False) -> None:
    """Let a product, and the bias of a Gemm, take a dense layer's place.

    Args:
        graph: The graph.
        node: The dense layer.
        product: Made before it.
        apart: Subtract the negative bias: onnxruntime would join an Add to a Gemm, and a Relu to that, which has no kernel for integers.
    """
    old = node.outputs[0]
    product.shape, product.type = old.shape, old.type
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        bias: ir.Value | None = node.inputs[2]
        array = const(bias)
        if apart and array is not None:
            bias = constant(graph, f"{old.name}_minus", -array)
        op = "Sub" if bias is not node.inputs[2] else "Add"
        whole = insert_node(graph, node, op, [product, bias], f"{old.name}_bias")
        whole.shape, whole.type = old.shape, old.type
        product = whole
    replace_value(old, product)
    name = str(old.name)
    graph.model.graph.remove(node, safe=True)
    if not product.is_graph_output():
        old.name, product.name = f"{name}__gone", name


def constant(graph: Graph, name: str, array: Array) -> ir.Value:
    """A new initializer, row-major."""
    return add_constant(graph, name, np.ascontiguousarray(array))
