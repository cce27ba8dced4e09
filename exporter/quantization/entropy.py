"""The range whose quantized distribution tells least from the real one: Kullback-Leibler divergence.

For a threshold, P is the histogram up to it with everything beyond in its last bin; Q the same bins without what is beyond, averaged over
the bins of each integer that hold anything. The threshold with the least KL(P || Q) wins.
Source: Migacz, 8-bit inference with TensorRT, GTC 2017, slides 26 to 38; sums over the bins make all thresholds one array.
"""

import numpy as np

from exporter.array import Array
from exporter.formats.points import Range, Scheme
from exporter.quantization.bins import folded, levels, with_zero
from exporter.quantization.histogram import Histogram

TRIED = 128
"""Thresholds, evenly spaced from the narrowest useful one to all that was seen."""

NOTHING = 1e-9
"""Stands for the probability 0 in Q: what Q cannot express costs much, but not without bound."""


def kl(h: Histogram, scheme: Scheme) -> Range:
    """The range of least divergence: what was seen, clipped to magnitudes up to a threshold."""
    whole = with_zero(h.seen, scheme)
    if scheme.symmetric or 0.0 in whole:
        _, share = _search(folded(h).counts, 0, levels(scheme) // (2 if scheme.symmetric else 1))
        return whole[0] * share, whole[1] * share
    width = (h.edges[1] - h.edges[0]) / len(h.counts)
    below, above = _search(h.counts, -round(h.edges[0] / width), levels(scheme))
    return whole[0] * below, whole[1] * above


def _search(counts: Array, zero: int, numbers: int) -> Range:
    """The best threshold, as shares of what was seen below and above the bin `zero`."""
    counts = counts.astype(np.float64)
    if zero + 1 < len(counts):  # exact zeros, which a relu makes in masses and any range holds, count like their neighbours
        counts[zero] = min(counts[zero], counts[zero + 1])
    reach = max(zero, len(counts) - zero)
    thresholds = np.ceil(np.linspace(reach, reach / TRIED, TRIED)).astype(np.int64)
    firsts, lasts = np.maximum(zero - thresholds, 0), np.minimum(zero + thresholds, len(counts))
    useful = lasts - firsts >= numbers
    if not useful.any() or not counts.any():
        return 1.0, 1.0
    best = int(np.argmin(divergence(counts, firsts[useful], lasts[useful], numbers)))
    return (zero - int(firsts[best])) / zero if zero else 1.0, (int(lasts[best]) - zero) / (len(counts) - zero)


def divergence(counts: Array, firsts: Array, lasts: Array, numbers: int) -> Array:
    """KL(P || Q) of each clipping, from its first bin to before its last, told by `numbers` integers.

    With T elements in all, K within, m and f the elements and filled bins of an integer, so that Q is m / f in those bins,
    KL = (sum(P log P) - sum(P log Q)) / T + log(K / T), and sum(P log Q) = sum(m log(m / f)) but for the ends.

    Args:
        counts: Elements in each bin, float64.
        firsts: By clipping; at least `numbers` bins before the same of `lasts`.
        lasts: By clipping.
        numbers: Integers.
    """
    held, filled, entropy = (np.concatenate([[0.0], np.cumsum(x)]) for x in (counts, counts > 0, _xlogx(counts)))
    cuts = firsts[:, None] + np.arange(numbers + 1) * (lasts - firsts)[:, None] // numbers
    m, f = np.diff(held[cuts]), np.diff(filled[cuts])
    q = m / np.maximum(f, 1)
    total, within = held[-1], np.maximum(held[lasts] - held[firsts], 1.0)
    p_log_p = entropy[lasts] - entropy[firsts]
    p_log_q = (m * np.log(np.where(m > 0, q, 1))).sum(1)
    for end, group, beyond in ((firsts, 0, held[firsts]), (lasts - 1, -1, total - held[lasts])):
        own = counts[end]
        p_log_p += _xlogx(own + beyond) - _xlogx(own)
        p_log_q += beyond * np.log(np.where(own > 0, q[:, group], NOTHING * within))
    return np.asarray((p_log_p - p_log_q) / total + np.log(within / total))


def _xlogx(x: Array) -> Array:
    return np.asarray(x * np.log(np.where(x > 0, x, 1)))
