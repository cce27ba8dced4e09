"""The middle form and the verbs on it."""

from exporter.array import Array
from exporter.graph.edit import (
    add_constant,
    attr,
    const,
    const_input,
    insert_node,
    replace_value,
    shape_of,
    sole_consumer,
    unique_name,
)
from exporter.graph.model import BATCH, CHANNELS_FIRST, CHANNELS_LAST, DOMAIN, OPSET, Graph, Port

__all__ = [
    "BATCH", "CHANNELS_FIRST", "CHANNELS_LAST", "DOMAIN", "OPSET", "Array", "Graph", "Port", "add_constant", "attr", "const",
    "const_input", "insert_node", "replace_value", "shape_of", "sole_consumer", "unique_name",
]  # fmt: skip
