"""Batch norms estimated anew: a few forward batches, no gradients.

Every batch norm works with the mean and variance of the batch, as in training, and gets their average over the batches. It helps a pruned
Graph that is not repaired; after a least-squares repair it hurts. Source: Li et al. 2020, https://arxiv.org/abs/2007.02491.
"""

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import Graph, add_constant, attr, insert_node, replace_value, shape_of
from exporter.graph.evaluate import Evaluator
from exporter.passes.remove_dead import RemoveDead
from exporter.passes.rewrite import flushed
from exporter.pruning.streaming import batches


def reestimated(graph: Graph, samples: Mapping[str, Array], *, batch: int = 64) -> Graph:
    """A Graph with batch norms that fit what they read now; the given one stays as it is.

    Args:
        graph: The Graph, its batch norms not folded.
        samples: Inputs by Graph input name, in Graph layout.
        batch: Samples whose mean and variance are taken together.
    """
    result = graph.clone()
    norms = {str(n.outputs[0].name): n for n in result.nodes if n.op_type == "BatchNormalization"}
    if not norms:
        return result
    live, statistics = _live(graph)
    evaluator = Evaluator(live, [value for pair in statistics.values() for value in pair])
    sums: dict[str, Array] = {}
    count = 0
    for _, part in batches(samples, 1, batch):
        found = evaluator.run(part)
        sums = {name: sums.get(name, 0.0) + x.astype(np.float64).reshape(-1) for name, x in found.items()}
        count += 1
    for name, (mean, variance) in statistics.items():
        for index, value in ((3, mean), (4, variance)):
            norms[name].replace_input_with(index, add_constant(result, f"{name}_{index}", flushed(sums[value] / count)))
    RemoveDead()(result)
    return result


def _live(graph: Graph) -> tuple[Graph, dict[str, tuple[str, str]]]:
    """The Graph with batch norms as in training; and the names of each one's batch mean and variance."""
    live = graph.clone()
    found: dict[str, tuple[str, str]] = {}
    for node in live.nodes:
        if node.op_type != "BatchNormalization" or node.inputs[0] is None:
            continue
        x, out = node.inputs[0], node.outputs[0]
        name, rank = str(out.name), len(shape_of(x))
        axes = add_constant(live, f"{name}_axes", np.array([0, *range(2, rank)], np.int64))
        wide = add_constant(live, f"{name}_wide", np.array([1, -1, *(1,) * (rank - 2)], np.int64))
        mean = insert_node(live, node, "ReduceMean", [x, axes], f"{name}_mean")
        centred = insert_node(live, node, "Sub", [x, mean], f"{name}_centred")
        square = insert_node(live, node, "Mul", [centred, centred], f"{name}_square")
        variance = insert_node(live, node, "ReduceMean", [square, axes], f"{name}_variance")
        found[name] = str(mean.name), str(variance.name)
        _normalise(live, node, centred, variance, wide)
    return live, found


def _normalise(live: Graph, node: ir.Node, centred: ir.Value, variance: ir.Value, wide: ir.Value) -> None:
    """Read gamma * centred / sqrt(variance + epsilon) + beta instead of the batch norm."""
    name = str(node.outputs[0].name)
    epsilon = add_constant(live, f"{name}_epsilon", np.array(attr(node, "epsilon", 1e-5), np.float32))
    gamma, beta = (insert_node(live, node, "Reshape", [node.inputs[i], wide], f"{name}_{i}") for i in (1, 2))
    deviation = insert_node(live, node, "Sqrt", [insert_node(live, node, "Add", [variance, epsilon], f"{name}_above")], f"{name}_deviation")
    scaled = insert_node(live, node, "Mul", [insert_node(live, node, "Div", [centred, deviation], f"{name}_unit"), gamma], f"{name}_scaled")
    replace_value(node.outputs[0], insert_node(live, node, "Add", [scaled, beta], f"{name}_live"))
    live.model.graph.remove(node, safe=True)
