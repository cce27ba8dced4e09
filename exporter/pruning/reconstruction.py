"""Channels by what the layers that read them would miss: ThiNet's greedy choice, and LASSO.

A channel's contribution to a layer's output, at a few places and rows, is one column of a matrix C; the whole output is the sum of all
columns. Tied channels' columns are added up, every reading layer's scaled to size 1; G = C' C is all that is needed.
Sources: Luo et al. 2017, https://arxiv.org/abs/1707.06342 (greedy); He et al. 2017, https://arxiv.org/abs/1707.06168 (LASSO).
"""

from collections.abc import Callable, Mapping

import numpy as np

from exporter.array import Array
from exporter.channels.classes import Channels
from exporter.channels.layers import Layer
from exporter.pruning.scores import Scorer
from exporter.pruning.streaming import streamed
from exporter.pruning.structure import Block, blocks_of
from exporter.pruning.windows import Places

PLACES, ROWS = 10, 4
"""Of each sample's map, and of the layer's outputs at each place."""

LEVELS = 60
SWEEPS = 30
"""Of the LASSO: penalties tried from the largest down, and rounds of coordinate descent at each."""


def greedy(samples: Mapping[str, Array], seed: int = 0) -> Scorer:
    """Ranks by ThiNet: always the channel next whose loss, with those gone already, changes the readers' outputs least."""
    return lambda channels: _scored(channels, samples, seed, removal_order)


def lasso(samples: Mapping[str, Array], seed: int = 0) -> Scorer:
    """Scores by LASSO: the penalty at which a channel's factor becomes 0."""
    return lambda channels: _scored(channels, samples, seed, vanishing_penalty)


def removal_order(gram: Array) -> Array:
    """Place of each channel in the greedy order of removal, from 1 on, divided by the mean place; G is (n, n)."""
    n = len(gram)
    rank, missing, left = np.zeros(n), np.zeros(n), np.ones(n, bool)
    for place in range(1, n + 1):
        growth = np.where(left, np.diag(gram) + 2 * missing, np.inf)
        worst = int(growth.argmin())
        left[worst], rank[worst] = False, place
        missing += gram[:, worst]
    return np.asarray(rank / rank.mean())


def vanishing_penalty(gram: Array) -> Array:
    """Of min over b of 1/2 |C b - C 1|² + penalty |b|: the largest penalty tried at which b[j] is not 0."""
    wanted, diagonal = gram.sum(1), np.maximum(np.diag(gram), np.finfo(np.float64).tiny)
    top = float(np.abs(wanted).max()) or 1.0
    found, factors = np.zeros(len(gram)), np.zeros(len(gram))
    for penalty in np.geomspace(top, top * 1e-4, LEVELS):
        factors = _descended(gram, wanted, diagonal, penalty, factors)
        found = np.where((found == 0) & (factors != 0), penalty, found)
    return np.asarray(found + top * 1e-9 * np.diag(gram) / diagonal.max())  # those that never came in, by their size


def _descended(gram: Array, wanted: Array, diagonal: Array, penalty: float, factors: Array) -> Array:
    """Coordinate descent from given factors."""
    factors = factors.copy()
    product = gram @ factors
    for _ in range(SWEEPS):
        moved = 0.0
        for j in range(len(factors)):
            pull = wanted[j] - product[j] + diagonal[j] * factors[j]
            new = np.sign(pull) * max(abs(pull) - penalty, 0.0) / diagonal[j]
            if new != factors[j]:
                product += gram[:, j] * (new - factors[j])
                moved = max(moved, abs(new - factors[j]))
                factors[j] = new
        if moved < 1e-4:
            break
    return factors


def _scored(channels: Channels, samples: Mapping[str, Array], seed: int, judge: Callable[[Array], Array]) -> Array:
    """Judge every width by itself; classes that may not go score 0."""
    scores = np.zeros(len(channels.locked))
    known = contributions(channels, samples, seed)
    for block in blocks_of(channels):
        gram = _gram(channels, block, known)
        scores[block.classes] = judge(gram)
    return scores


def _gram(channels: Channels, block: Block, known: Mapping[str, Array]) -> Array:
    """G of the classes of one width, over all layers that read them."""
    place = np.full(len(channels.locked), -1, np.int64)
    place[block.classes] = np.arange(len(block.classes))
    gram = np.zeros((len(block.classes), len(block.classes)))
    for name, columns in known.items():
        read = channels.read(channels.layers[name])
        if read is None or not (inside := place[read] >= 0).any():
            continue
        table = np.zeros((len(columns), len(block.classes)))
        np.add.at(table.T, place[read[inside]], columns[:, inside].T)
        gram += table.T @ table / (np.square(columns.sum(1)).sum() or 1.0)
    return gram


def contributions(channels: Channels, samples: Mapping[str, Array], seed: int = 0) -> dict[str, Array]:
    """Of each input channel to some outputs of each layer, (outputs looked at, columns); depthwise and transposed layers left out."""
    layers = {
        name: layer
        for name, layer in channels.layers.items()
        if not layer.depthwise and layer.node.op_type != "ConvTranspose" and channels.read(layer) is not None
    }
    reads = {name: str(layer.node.inputs[0].name) for name, layer in layers.items() if layer.node.inputs[0] is not None}
    found: dict[str, list[Array]] = {name: [] for name in layers}
    for first, have in streamed(channels.graph, list(reads.values()), samples):
        for name, layer in layers.items():
            windows = Places(layer, PLACES, seed).read(have[reads[name]], first)
            found[name].append(_contributed(layer, windows, np.random.default_rng([seed, first])))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _contributed(layer: Layer, windows: Array, random: np.random.Generator) -> Array:
    """Each column's part of ROWS outputs at each place, drawn anew: (places * ROWS, columns); 0 from other groups."""
    table = layer.table(layer.weight).astype(np.float64)
    groups, rows, columns, _ = table.shape
    chosen = random.integers(0, groups * rows, (len(windows), ROWS))
    result = np.zeros((len(windows), ROWS, groups, columns))
    grouped = windows.astype(np.float64).reshape(len(windows), groups, columns, -1)
    for i in range(ROWS):
        group, row = chosen[:, i] // rows, chosen[:, i] % rows
        place = np.arange(len(windows))
        result[place, i, group] = np.einsum("pck,pck->pc", table[group, row], grouped[place, group])
    return np.asarray(result.reshape(-1, groups * columns))
