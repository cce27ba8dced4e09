"""Our own operators: ONNX functions of standard operators, so that onnxruntime runs them and any writer may inline them."""

import onnx_ir as ir

from exporter.graph.model import DOMAIN, OPSET

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
