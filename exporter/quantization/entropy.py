"""The range whose quantized distribution tells least from the real one: Kullback-Leibler divergence.

For a threshold, P is the histogram up to it with everything beyond in its last bin; Q the same bins without what is beyond, averaged over
the bins of each integer that hold anything. The threshold with the least KL(P || Q) wins.
Source: Migacz, 8-bit inference with TensorRT, GTC 2017, slides 26 to 38.
"""

import numpy as np

from exporter.array import Array
from exporter.formats.points import Range, Scheme
from exporter.quantization.bins import folded, levels, with_zero
from exporter.quantization.histogram import Histogram

TRIED = 64
"""Thresholds, evenly spaced from the narrowest useful one to all that was seen."""

LOOKED_AT = 2048
"""Bins at most: neighbours are merged before the search."""

NOTHING = 1e-9
"""Stands for the probability 0 in Q: what Q cannot express costs much, but not without bound."""


def kl(h: Histogram, scheme: Scheme) -> Range:
    """The range of least divergence; the two ends of an asymmetric one shrink together."""
    whole = with_zero(h.seen, scheme)
    if scheme.symmetric or 0.0 in whole:
        low, high = _search(folded(h).counts, 0, levels(scheme) // (2 if scheme.symmetric else 1))
        return whole[0] * high, whole[1] * high
    low, high = _search(h.counts, _zero_bin(h), levels(scheme))
    return whole[0] * low, whole[1] * high


def _search(counts: Array, zero: int, numbers: int) -> Range:
    """The best threshold, as shares of what was seen below and above the bin `zero`."""
    counts = _without_zeros(counts.astype(np.float64), zero)
    if len(counts) > LOOKED_AT:
        odd = zero % 2  # an empty bin in front lets two bins meet at zero
        padded = np.pad(counts, (odd, (len(counts) + odd) % 2))
        counts, zero = padded[::2] + padded[1::2], (zero + odd) // 2
    bins = len(counts)
    spans = [(first, last) for first, last in _spans(bins, zero) if last - first >= numbers] or [(0, bins)]
    first, last = spans[int(np.argmin([divergence(counts, *span, numbers) for span in spans]))]
    return (zero - first) / zero if zero else 1.0, (last - zero) / (bins - zero)


def divergence(counts: Array, first: int, last: int, numbers: int) -> float:
    """KL(P || Q) of clipping to bins first to last - 1, told by `numbers` integers."""
    inside = counts[first:last]
    p = inside.copy()
    p[0] += counts[:first].sum()
    p[-1] += counts[last:].sum()
    starts = np.arange(min(numbers, len(inside))) * len(inside) // min(numbers, len(inside))
    sizes = np.diff(starts, append=len(inside))
    held = inside > 0
    mass, filled = np.add.reduceat(inside, starts), np.add.reduceat(held, starts, dtype=np.float64)
    q = np.repeat(mass / np.maximum(filled, 1), sizes) * held
    seen = p > 0
    share = p[seen] / max(p.sum(), 1.0)
    return float(share @ np.log(share / np.maximum(q[seen] / max(q.sum(), 1.0), NOTHING)))


def _zero_bin(h: Histogram) -> int:
    """Index of the bin that begins at 0."""
    return -round(h.edges[0] * len(h.counts) / (h.edges[1] - h.edges[0]))


def _without_zeros(counts: Array, zero: int) -> Array:
    """The bin of exact zeros, which a relu fills and any range holds, counts like its neighbour."""
    if zero + 1 < len(counts):
        counts[zero] = min(counts[zero], counts[zero + 1])
    return counts


def _spans(bins: int, zero: int) -> list[tuple[int, int]]:
    """First and last bin (excluded) of each threshold."""
    shares = np.linspace(1.0, 1.0 / TRIED, TRIED)
    return [(zero - round(zero * s), zero + max(round((bins - zero) * s), 1)) for s in shares]
