"""How much each output channel of a layer matters: one function a score, and their sum over tied channels.

A score is given one layer and says how important each of its output channels is, float64 (rows,), from 0 up; only the order and the
proportions within a layer count: every layer's scores are divided by their mean before those of tied channels are added up.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.channels.classes import Channels
from exporter.channels.layers import Layer, following_norm
from exporter.graph import attr, const

Score = Callable[[Layer], Array]
"""Of one layer's output channels."""

Scorer = Callable[[Channels], Array]
"""Of every class of a Graph's channels, float64 (classes,)."""


def by(score: Score) -> Scorer:
    """What scores classes by a score of layers; see `class_scores`."""
    return lambda channels: class_scores(channels, score)


def class_scores(channels: Channels, score: Score) -> Array:
    """A score of every class of channels: the mean over the layers' channels in it, each layer's divided by their mean.

    Args:
        channels: Of the Graph.
        score: Of one layer's output channels. Depthwise layers count too: their channels are tied to those they read.

    Returns:
        float64 (classes,); 0 for classes that no layer makes.
    """
    total, count = np.zeros(len(channels.locked)), np.zeros(len(channels.locked))
    for layer in channels.layers.values():
        made = channels.made(layer)
        if made is not None:
            values = score(layer)
            np.add.at(total, made, values / (values.mean() or 1.0))
            np.add.at(count, made, 1)
    return np.asarray(total / np.maximum(count, 1))


def l1(layer: Layer) -> Array:
    """Sum of |w|. Source: Li et al. 2016, https://arxiv.org/abs/1608.08710."""
    return np.asarray(np.abs(_rows(layer)).sum(1, dtype=np.float64))


def l2(layer: Layer) -> Array:
    """Root of the sum of w², with the batch norm that follows folded in: what the channel really adds up to."""
    rows = _rows(layer)
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64)) * _gain(layer))


def gamma(layer: Layer) -> Array:
    """|gamma| of the batch norm that follows; 1 where none does. Source: Liu et al. 2017, https://arxiv.org/abs/1708.06519."""
    norm = following_norm(layer)
    found = const(norm.inputs[1]) if norm is not None else None
    return np.ones(layer.rows) if found is None else np.abs(found.astype(np.float64))


def fpgm(layer: Layer) -> Array:
    """Distance to all other filters: near the geometric median, one is replaced by the others.

    Source: He et al. 2018, https://arxiv.org/abs/1811.00250.
    """
    rows = _rows(layer).astype(np.float64)
    squares = np.square(rows).sum(1)
    return np.asarray(np.sqrt(np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0)).sum(1))


def random(seed: int = 0) -> Score:
    """The control: seeded by the layer's name too, so that no layer follows another's order."""

    def score(layer: Layer) -> Array:
        return np.random.default_rng([seed, *layer.name.encode()]).uniform(0.5, 1.5, layer.rows)

    return score


def taylor(gradients: Mapping[str, Array]) -> Score:
    """|sum of w * dL/dw| over a filter and its bias: what the loss would change by without the channel, to first order.

    Where a batch norm follows, its scale and shift are the w: the channel goes with both, and the sum is that of all it hands on.

    Args:
        gradients: dL/dw by constant's name, of its own shape; those left out count as 0.

    Source: Molchanov et al. 2019, https://arxiv.org/abs/1906.10771, "Taylor-FO" and, behind a batch norm, "Taylor-FO-BN".
    """

    def score(layer: Layer) -> Array:
        norm = following_norm(layer)
        if norm is not None:
            return np.asarray(np.abs(_moved(norm.inputs[1], gradients) + _moved(norm.inputs[2], gradients)))
        of_weight = layer.table(_moved(layer.node.inputs[1], gradients)).sum((2, 3)).reshape(-1)
        return np.asarray(np.abs(of_weight if layer.bias is None else of_weight + _moved(layer.bias, gradients).reshape(-1)))

    return score


def _moved(value: ir.Value | None, gradients: Mapping[str, Array]) -> Array:
    """w * dL/dw of a constant, float64."""
    w = None if value is None else const(value)
    assert value is not None
    assert w is not None
    return np.asarray(w.astype(np.float64) * gradients[str(value.name)] if value.name in gradients else np.zeros(w.shape))


@dataclass(frozen=True)
class Entropy:
    """Entropy of each channel's response over samples, pooled over the map: constant channels tell nothing.

    Source: Luo and Wu 2017, https://arxiv.org/abs/1706.05791; weighted by the neighbours, because entropy ignores scale.

    Attributes:
        responses: Each layer's output averaged over its map, (samples, rows), by layer name.
        bins: Of the histogram.
    """

    responses: Mapping[str, Array]
    bins: int = 32
    _known: dict[str, Array] = field(default_factory=dict, repr=False)

    def own(self, layer: Layer) -> Array:
        """H = - sum of p log p; nats."""
        if layer.name not in self._known:
            self._known[layer.name] = np.array([_entropy(column, self.bins) for column in self.responses[layer.name].T])
        return self._known[layer.name]

    def with_previous(self, layer: Layer, before: Array) -> Array:
        """H[j] * sum over i of |W[j, i]| * H[i].

        Args:
            layer: The layer.
            before: H of its input channels, (columns,).
        """
        norms = np.sqrt(np.square(layer.table(layer.weight).astype(np.float64)).sum(3))
        reads = before.reshape(layer.groups, 1, -1)
        return np.asarray(self.own(layer) * (norms * reads).sum(2).reshape(-1))

    def with_next(self, layer: Layer, after: Array) -> Array:
        """H[j] * |W_next[:, j]|.

        Args:
            layer: The layer.
            after: Norm of the weights that read each of its channels, (rows,).
        """
        return np.asarray(self.own(layer) * after)


def with_previous(channels: Channels, entropy: Entropy) -> Score:
    """Entropy times that of what the layer reads; 1 for a channel that no layer makes."""
    known = _by_class(channels, entropy.own)
    return lambda layer: entropy.with_previous(layer, _at(known, channels.read(layer), layer.columns))


def with_next(channels: Channels, entropy: Entropy) -> Score:
    """Entropy times the weight with which its channels are read."""
    total = np.zeros(len(channels.locked))
    for layer in channels.layers.values():
        read = channels.read(layer)
        if read is not None:
            table = np.square(layer.table(layer.weight).astype(np.float64)).sum((1, 3)).reshape(-1)
            np.add.at(total, read, table)
    return lambda layer: entropy.with_next(layer, np.sqrt(_at(total, channels.made(layer), layer.rows)))


def _by_class(channels: Channels, score: Score) -> Array:
    """The mean of a score over each class; 1 for classes that no layer makes."""
    total, count = np.zeros(len(channels.locked)), np.zeros(len(channels.locked))
    for layer in channels.layers.values():
        made = channels.made(layer)
        if made is not None:
            np.add.at(total, made, score(layer))
            np.add.at(count, made, 1)
    return np.where(count > 0, total / np.maximum(count, 1), 1.0)


def _at(values: Array, classes: Array | None, length: int) -> Array:
    return np.ones(length) if classes is None else values[classes]


def _entropy(values: Array, bins: int) -> float:
    counts, _ = np.histogram(values, bins)
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log(p)).sum())


def _rows(layer: Layer) -> Array:
    """Weights of each output channel, (rows, n)."""
    return layer.table(layer.weight).reshape(layer.rows, -1)


def _gain(layer: Layer) -> Array:
    """|gamma| / sqrt(variance + epsilon) of the batch norm that follows; 1 where none does."""
    norm = following_norm(layer)
    gammas, variance = (const(norm.inputs[i]) for i in (1, 4)) if norm is not None else (None, None)
    if norm is None or gammas is None or variance is None:
        return np.ones(layer.rows)
    return np.asarray(np.abs(gammas.astype(np.float64)) / np.sqrt(variance.astype(np.float64) + attr(norm, "epsilon", 1e-5)))


def discriminating(gradients: Mapping[str, Array]) -> Scorer:
    """Norm of the gradient of the weights that read a channel, of a loss that adds up the task's and reconstruction's.

    Args:
        gradients: dL/dw by constant's name, of its own shape.

    Source: Zhuang et al. 2018, https://arxiv.org/abs/1810.11809.
    """

    def score(channels: Channels) -> Array:
        total, count = np.zeros(len(channels.locked)), np.zeros(len(channels.locked))
        for layer in channels.layers.values():
            read, name = channels.read(layer), layer.weight_name
            if read is not None and name in gradients and not layer.depthwise:
                norms = np.sqrt(np.square(layer.table(gradients[name]).astype(np.float64)).sum((1, 3))).reshape(-1)
                np.add.at(total, read, norms / (norms.mean() or 1.0))
                np.add.at(count, read, 1)
        return np.asarray(total / np.maximum(count, 1))

    return score


SCORES: dict[str, Score] = {"l2": l2, "l1": l1, "gamma": gamma, "fpgm": fpgm, "random": random()}
"""Scores that need nothing but the weights, by name; the others take data: `taylor`, `discriminating`, `Entropy`, `reconstruction`."""
