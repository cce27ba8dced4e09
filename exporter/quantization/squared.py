"""The range with the least squared error: rounding against clipping.

Half way, errors are taken from sums over the bins: elements within the range lose step^2 / 12 each on average, elements outside their
distance to it. The best few are then rounded for real, together with the whole range, so that values on a grid (pixels) keep it.
Source: Banner et al. 2019, https://arxiv.org/abs/1810.05723, section 2 (the same two terms, there for assumed distributions).
"""

import numpy as np

from exporter.array import Array
from exporter.formats.points import Range, Scheme
from exporter.quantization.bins import centres, levels, with_zero
from exporter.quantization.histogram import Histogram

TRIED = 48
"""Ends that are tried on each side, as shares of what was seen."""

LOWEST = 0.05
"""No end is nearer to 0 than this share of what was seen."""

REFINED = 6
"""Ranges that are rounded for real."""


def mse(h: Histogram, scheme: Scheme) -> Range:
    """The range whose numbers are nearest to what was seen, in the mean square."""
    whole = with_zero(h.seen, scheme)
    x, counts = centres(h), h.counts.astype(np.float64)
    lows, highs = _candidates(whole, scheme)
    expected = expected_error(x, counts, lows, highs, levels(scheme))
    best = np.argsort(expected, kind="stable")[:REFINED]
    lows, highs = np.append(lows[best], whole[0]), np.append(highs[best], whole[1])
    i = int(np.argmin([rounding_error(x, counts, low, high, levels(scheme)) for low, high in zip(lows, highs, strict=True)]))
    return float(lows[i]), float(highs[i])


def _candidates(whole: Range, scheme: Scheme) -> tuple[Array, Array]:
    """Lower and upper ends, paired."""
    shares = np.linspace(1.0, LOWEST, TRIED)
    if scheme.symmetric or 0.0 in whole:
        return whole[0] * shares, whole[1] * shares
    lows, highs = np.meshgrid(whole[0] * shares, whole[1] * shares)
    return lows.ravel(), highs.ravel()


def expected_error(x: Array, counts: Array, lows: Array, highs: Array, steps: int) -> Array:
    """Sum of squared errors of each range, to first order.

    Args:
        x: A number for each bin, ascending.
        counts: Elements in each bin.
        lows: Lower ends, (ranges,).
        highs: Upper ends.
        steps: Of a range.
    """
    sums = [np.concatenate([[0.0], np.cumsum(counts * x**power)]) for power in range(3)]
    first, last = np.searchsorted(x, lows), np.searchsorted(x, highs, side="right")
    below = [s[first] for s in sums]
    above = [s[-1] - s[last] for s in sums]
    clipped = (below[2] - 2 * lows * below[1] + lows**2 * below[0]) + (above[2] - 2 * highs * above[1] + highs**2 * above[0])
    zeros = counts[x == 0].sum()  # exact in any range
    inside = np.maximum(sums[0][last] - sums[0][first] - zeros, 0)
    return np.asarray(clipped + inside * ((highs - lows) / steps) ** 2 / 12)


def rounding_error(x: Array, counts: Array, low: float, high: float, steps: int) -> float:
    """Sum of squared errors of one range, every bin's number quantized and back.

    Args:
        x: A number for each bin.
        counts: Elements in each bin.
        low: Lower end.
        high: Upper end.
        steps: Of the range.
    """
    step = (high - low) / steps
    if step <= 0:
        return float(counts @ x**2)
    zero = np.rint(-low / step)
    back = (np.clip(np.rint(x / step) + zero, 0, steps) - zero) * step
    return float(counts @ (x - back) ** 2)
