"""Batch norms' scales pulled towards 0 while a net is trained: channels that matter little are nearly gone before they are removed.

The loss gets sparsity * (sum of |scale|). Its step is the proximal one, after the optimiser's and apart from it, as AdamW's decay is:
scale = sign(scale) * max(|scale| - rate * sparsity, 0). A subgradient in Adam would be as large for every sparsity, and never reach 0.
Sources: Liu et al. 2017, https://arxiv.org/abs/1708.06519 (network slimming); Beck and Teboulle 2009, https://doi.org/10.1137/080716542.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf

from exporter.errors import UsageError
from exporter.graph import Graph


def scales_of(graph: Graph, variables: Mapping[str, Any]) -> list[Any]:
    """Scales of the batch norms between layers, before or after a convolution; one on an input of the model belongs to its pictures.

    Args:
        graph: The Graph that is trained.
        variables: What is trained, by name.

    Raises:
        UsageError: If there are none.
    """
    norms = [n for n in graph.nodes if n.op_type == "BatchNormalization" and n.inputs[0] is not None and n.inputs[0].producer() is not None]
    names = dict.fromkeys(str(n.inputs[1].name) for n in norms if n.inputs[1] is not None)
    found = [variables[name] for name in names if name in variables]
    if not found:
        raise UsageError(f"{graph.name} has no batch norm whose scale could be made sparse", hint="leave sparsity at 0")
    return found


def shrink(scales: Iterable[Any], by: Any) -> None:
    """Nearer to 0 by so much, and not beyond."""
    for scale in scales:
        scale.assign(tf.sign(scale) * tf.maximum(tf.abs(scale) - by, 0.0))
