"""Values of a float Graph, in the terms of one whose layers were equalised.

Cross-layer equalisation gives each channel of a value another scale, y_c = x_c / s_c, and the layers around it undo that. To compare a
rounded value with the float one, the scales are measured: both Graphs are run, and s_c is fitted by least squares.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from exporter.array import Array
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.proving.layers import Real

SAME = 0.25
"""Scales that all lie so near 1 are none: corrected biases and rounded weights move a fit by less."""


def unrounded(graph: Graph, changed: Graph) -> Real:
    """Values of `graph`, scaled as those of `changed` are.

    Args:
        graph: The finished float Graph.
        changed: The same after repairs, before its values were rounded.
    """

    def values(inputs: Mapping[str, Array], names: Sequence[str]) -> dict[str, Array]:
        own = {str(v.name) for n in changed.nodes for v in n.outputs}
        known = [n for n in names if n in own]
        plain, scaled = evaluate(graph, inputs, known), evaluate(changed, inputs, known)
        return {name: rescaled(plain[name], scaled[name]) for name in known}

    return values


def rescaled(plain: Array, scaled: Array) -> Array:
    """The first array with the channels' scales (axis 1) of the second, where it has others at all."""
    if plain.ndim < 2 or plain.shape != scaled.shape:
        return plain
    axes = tuple(i for i in range(plain.ndim) if i != 1)
    power = np.sum(plain.astype(np.float64) ** 2, axis=axes, keepdims=True)
    product = np.sum(plain.astype(np.float64) * scaled, axis=axes, keepdims=True)
    factor = np.where(power > 0, product / np.where(power > 0, power, 1), 1.0)
    return plain if bool(np.all(np.abs(factor - 1) < SAME)) else (plain * factor).astype(np.float32)
