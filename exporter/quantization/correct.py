"""Bias correction: what rounding shifts on average is taken out of each bias, layer after layer.

    b' = b - (E[y_rounded] - E[y_float])     per output channel

The means are those of the whole rounded net, in which the layers before are corrected already. Source: Nagel et al. 2019,
https://arxiv.org/abs/1906.04721, section 4.2.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from exporter.array import Array
from exporter.formats.points import Weights
from exporter.graph import Graph, shape_of
from exporter.graph.qdq import layer_of
from exporter.quantization.draft import Draft
from exporter.quantization.gauge import Gauge, spread
from exporter.quantization.outcome import Repair
from exporter.quantization.switchboard import Feeds, Switchboard
from exporter.quantization.unshare import reader_of

CHANNELS_SECOND = frozenset({"Conv", "ConvTranspose"})
"""Layers whose output has its channels on axis 1; on the last axis of others."""

GAIN_DB = 0.1
"""A correction stays only for so much on samples that it was not made from."""

LEAST = 4
"""Samples that means are taken over, where time is short."""

MOST = 64
"""Samples that means are taken over: the two nets see the same, so their difference needs few."""

SHARE = 0.15
"""Of the work allowed in all."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """A bias, and the value that it is added to."""

    bias: str
    output: str
    axis: int
    places: int
    """Elements of a channel in one sample: where there is but one, a mean takes all samples."""


def correct(draft: Draft, gauge: Gauge) -> tuple[Draft, Repair]:
    """Correct the bias of every layer that has one; the outcome stays only if it helps."""
    layers = _layers(draft.graph, draft.points.weights)
    outputs = [layer.output for layer in layers]
    raws = _Raw(draft, gauge, outputs)
    samples = _few(gauge, len(layers))
    seen = [gauge.choosing if layer.places == 1 else samples for layer in layers]
    wanted = raws.means(raws.real, samples, layers) | raws.means(raws.real, gauge.choosing, [x for x in layers if x.places == 1])
    before = gauge.confirm(raws.board, raws.feeds)
    feeds = raws.feeds
    moved: dict[str, Array] = {}
    for layer, part in zip(layers, seen, strict=True):
        shift = raws.means(feeds, part, [layer])[layer.output] - wanted[layer.output]
        bias = feeds[layer.bias]
        if shift.size == bias.size:
            moved[layer.bias] = bias - shift.reshape(bias.shape).astype(np.float32)
            feeds = {**feeds, layer.bias: moved[layer.bias]}
    corrected = draft.with_constants(moved)
    after = gauge.confirm(raws.board, raws.board.feeds(corrected.quantization, graph=corrected.graph))
    kept = after.quality_db > before.quality_db + GAIN_DB
    return (corrected if kept else draft), Repair("correct", kept, before, after, tuple(moved))


class _Raw:
    """A switchboard that tells what layers compute before it is rounded."""

    def __init__(self, draft: Draft, gauge: Gauge, outputs: list[str]) -> None:
        how = draft.quantization
        self.board = Switchboard(draft.graph, how, draft.biases, values=gauge.values, raw=outputs, base=draft.base)
        self.feeds = self.board.feeds(how)
        self.real = self.board.feeds(how, self.board.sites, self.board.constants)

    def means(self, feeds: Feeds, samples: Mapping[str, Array], layers: list[_Layer]) -> dict[str, Array]:
        """Of each channel of the layers' outputs, over samples and places; float64."""
        names = {layer.output: self.board.raw_of(layer.output) for layer in layers}
        sums: dict[str, Array] = {}
        elements: dict[str, int] = {}
        for part in self.board.chunks(feeds, samples, list(names.values())):
            for layer in layers:
                x = np.moveaxis(part[names[layer.output]], layer.axis, 0)
                sums[layer.output] = sums.get(layer.output, 0) + x.reshape(len(x), -1).sum(1, dtype=np.float64)
                elements[layer.output] = elements.get(layer.output, 0) + x[0].size
        return {name: total / elements[name] for name, total in sums.items()}


def _layers(graph: Graph, weights: tuple[Weights, ...]) -> list[_Layer]:
    """Layers with a bias, in the Graph's order; those that share one are left alone."""
    names = [w.bias for w in weights]
    nodes = {layer_of(n): n for n in graph.nodes}
    found = {}
    for w in weights:
        if w.bias is not None and names.count(w.bias) == 1:
            node = reader_of(nodes[w.layer], graph.model.graph.initializers[w.bias])
            shape, axis = shape_of(node.outputs[0]), 1 if node.op_type in CHANNELS_SECOND else -1
            found[layer_of(node)] = _Layer(w.bias, layer_of(node), axis, prod(shape) // shape[axis])
    return [found[name] for name in nodes if name in found]


def _few(gauge: Gauge, runs: int) -> dict[str, Array]:
    """As many of the samples to choose by as there is time for, spread over all: they may be sorted by class. A run goes half through
    the net, on average."""
    count = len(next(iter(gauge.choosing.values())))
    affordable = 2 * gauge.affordable(SHARE, 1, 10**6) / max(runs, 1)
    return spread(gauge.choosing, max(LEAST, min(MOST, int(count * affordable))))
