"""Scores of classes: what goes into a Softmax that ends a net."""

from math import prod

import onnx_ir as ir

from exporter.graph.edit import attr, shape_of, sole_consumer
from exporter.graph.model import Graph
from exporter.graph.ops import MOVES, computed_by


def softmax_scores(graph: Graph) -> dict[str, str]:
    """Values whose numbers only a final Softmax reads, one row of classes a sample: its input, and what is carried there; all by their
    names, with the input's."""
    found: dict[str, str] = {}
    for output in graph.model.graph.outputs:
        softmax = computed_by(output)
        scores = softmax.inputs[0] if softmax is not None and _of_rows(softmax) else None
        value = scores
        while value is not None and scores is not None and sole_consumer(value) is not None:
            found[str(value.name)] = str(scores.name)
            producer = value.producer()
            value = producer.inputs[0] if producer is not None and producer.op_type in MOVES else None
    return found


def _of_rows(node: ir.Node) -> bool:
    scores = node.inputs[0]
    if node.op_type != "Softmax" or scores is None or scores.shape is None:
        return False
    shape = shape_of(scores)
    return shape[int(attr(node, "axis", -1))] == prod(shape) > 1 and _leaves(node.outputs[0])


def _leaves(value: ir.Value) -> bool:
    """Whether nothing computes with it: a logarithm would tell hopeless classes apart again."""
    return all(reader.op_type in MOVES and _leaves(reader.outputs[0]) for reader in value.consumers())
