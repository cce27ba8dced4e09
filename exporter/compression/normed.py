"""Batch norms for the time of a training, where a net has none: exporters fold them away, and without them training gets less far.

    Given:   y = Conv(x, W, b)
    Result:  c = Conv(x, W);  y = BatchNormalization(c, gamma, beta, mean, var)

Each begins as one that changes nothing: its mean and variance are what the convolution gives on samples, its scale and shift undo them.
Afterwards they are folded again, so that a net keeps its layers. Source: Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.data import Dataset
from exporter.graph import Graph, add_constant, const, shape_of
from exporter.graph.ports import to_graph
from exporter.passes.fold_batch_norm import FoldBatchNorm
from exporter.passes.remove_dead import RemoveDead
from exporter.passes.rewrite import flushed, follow
from exporter.pruning.streaming import streamed

EPSILON, MOMENTUM = 1e-5, 0.9

SAMPLES = 256
"""Batch norms begin with the statistics of so many; a net that is trained on fewer gets none."""

NORMS = frozenset({"BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization", "LpNormalization"})


def prepared(graph: Graph, data: Dataset) -> Graph:
    """The Graph as `normed` makes it, by samples of what it is trained on; itself where these are too few."""
    if len(data) < SAMPLES:
        return graph
    some, _ = data.pick(SAMPLES)
    return normed(graph, to_graph(graph.inputs, some))


def normed(graph: Graph, samples: Mapping[str, Array]) -> Graph:
    """A Graph of the same function with a batch norm behind every convolution; itself where it has norms of any kind.

    Args:
        graph: Cleaned; stays as it is.
        samples: Inputs by Graph input name, in Graph layout; some hundred.
    """
    result = graph.clone()
    layers = {str(n.outputs[0].name): n for n in result.nodes if _takes(n)}
    if not layers or any(n.op_type in NORMS for n in graph.nodes):
        return graph
    for name, (mean, variance) in _statistics(graph, list(layers), samples).items():
        _norm(result, layers[name], mean, variance)
    return result


def folded(graph: Graph) -> Graph:
    """A Graph whose batch norms are in their convolutions again; the given one stays as it is."""
    result = graph.clone()
    FoldBatchNorm()(result)
    RemoveDead()(result)
    return result


def _takes(node: ir.Node) -> bool:
    """Whether it is a 2-D convolution with weights of its own: shared ones would be several after folding."""
    if node.op_type != "Conv" or len(shape_of(node.outputs[0])) != 4:
        return False
    return all(const(v) is not None and len(v.uses()) == 1 for v in node.inputs[1:] if v is not None)


def _statistics(graph: Graph, values: Sequence[str], samples: Mapping[str, Array]) -> dict[str, tuple[Array, Array]]:
    """Mean and variance of each value's channels over the samples, float64."""
    count, sums = 0, dict.fromkeys(values, np.zeros(()))
    for _, found in streamed(graph, values, samples):
        x = {name: found[name].astype(np.float64) for name in values}
        count += len(x[values[0]])
        sums = {name: sums[name] + len(v) * np.stack([_mean(v), _mean(np.square(v))]) for name, v in x.items()}
    moments = {name: total / count for name, total in sums.items()}
    return {name: (mean, np.maximum(square - mean**2, 0.0)) for name, (mean, square) in moments.items()}


def _mean(x: Array) -> Array:
    return np.asarray(x.mean((0, *range(2, x.ndim))))


def _norm(graph: Graph, node: ir.Node, mean: Array, variance: Array) -> None:
    """A batch norm behind a convolution, in which its bias goes."""
    bias = const(node.inputs[2]) if len(node.inputs) > 2 else None
    told = {"scale": np.sqrt(variance + EPSILON), "shift": mean, "mean": mean if bias is None else mean - bias, "variance": variance}
    constants = [add_constant(graph, f"{node.outputs[0].name}_{what}", flushed(array)) for what, array in told.items()]
    node.resize_inputs(2)
    follow(graph, node, "BatchNormalization", constants, epsilon=EPSILON, momentum=MOMENTUM)
