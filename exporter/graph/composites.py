"""Our own operators: ONNX functions of standard operators, so that onnxruntime runs them and any writer may inline them."""

import numpy as np
import onnx_ir as ir

from exporter.graph.edit import add_constant, attr, insert_node, shape_of
from exporter.graph.model import BATCH, DOMAIN, OPSET, Graph

CHANNEL_SHUFFLE = f"""
<opset_import: ["" : {OPSET}], domain: "{DOMAIN}">
ChannelShuffle <group> (x) => (y) {{
    shape = Shape (x)
    channels = Shape <start = 1, end = 2> (x)
    group = Constant <value_int: int = @group> ()
    each = Div (channels, group)
    groups = Div (channels, each)
    batch = Constant <value_ints = [0]> ()
    rest = Constant <value_ints = [-1]> ()
    split = Concat <axis = 0> (batch, groups, each, rest)
    parts = Reshape (x, split)
    turned = Transpose <perm = [0, 2, 1, 3]> (parts)
    y = Reshape (turned, shape)
}}
"""
"""x (n, group * k, ...) -> y of the same shape with y[:, j * group + i] = x[:, i * k + j]."""

COMPOSITES = {"ChannelShuffle": CHANNEL_SHUFFLE}
"""Name of each composite to its function in ONNX text."""


def define_composites(model: ir.Model) -> None:
    """Give a model the function of every composite that its nodes call, and import our domain."""
    from onnx import parser

    defined = {name for domain, name, _ in model.functions if domain == DOMAIN}
    called = {node.op_type for node in model.graph if node.domain == DOMAIN}
    for name in sorted(called & COMPOSITES.keys() - defined):
        function = ir.serde.deserialize_function(parser.parse_function(COMPOSITES[name]))
        model.functions[function.identifier()] = function
    if called:
        model.graph.opset_imports[DOMAIN] = 1


def inline_composites(graph: Graph) -> None:
    """Replace every composite by standard operators with constant shapes, in place; for files that other programs read."""
    for node in graph.nodes:
        if node.domain == DOMAIN and node.op_type == "ChannelShuffle":
            _inline_shuffle(graph, node)
    graph.model.functions.clear()
    graph.model.graph.opset_imports.pop(DOMAIN, None)


def _inline_shuffle(graph: Graph, node: ir.Node) -> None:
    out = node.outputs[0]
    name, (_, channels, *space), group = out.name or node.name or "shuffle", shape_of(out), attr(node, "group")
    split, whole = [0, group, channels // group, *space], [0, channels, *space]
    targets = [add_constant(graph, f"{name}_{k}", np.array(d, np.int64)) for k, d in (("split", split), ("shape", whole))]
    parts = insert_node(graph, node, "Reshape", [node.inputs[0], targets[0]], f"{name}_parts")
    turned = insert_node(graph, node, "Transpose", [parts], f"{name}_turned", perm=[0, 2, 1, *range(3, len(split))])
    parts.shape, turned.shape = ir.Shape([BATCH, *split[1:]]), ir.Shape([BATCH, split[2], split[1], *space])
    node.op_type, node.domain = "Reshape", ""
    node.attributes.clear()
    node.resize_inputs(2)
    node.replace_input_with(0, turned)
    node.replace_input_with(1, targets[1])
