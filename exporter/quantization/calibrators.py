"""From what was seen of a value to the range that its integers span; `CALIBRATORS` is the table of all.

Every range holds 0, so that zero is exact, and lies within what was seen and 0. A symmetric scheme's is (-m, m), with m the largest
magnitude seen or less. A value that was always 0 has the range (0, 0).
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from exporter.array import Array
from exporter.formats.points import Range, Scheme
from exporter.quantization.bins import folded, with_zero
from exporter.quantization.entropy import kl
from exporter.quantization.histogram import Histogram
from exporter.quantization.squared import mse

Calibrator = Callable[[Histogram, Scheme], Range]


def minmax(h: Histogram, scheme: Scheme) -> Range:
    """From the smallest to the largest element: nothing is clipped."""
    return with_zero(h.seen, scheme)


def mean(h: Histogram, scheme: Scheme) -> Range:
    """Means over the samples of their smallest and largest element: one odd sample counts little.

    Source: the moving average of https://arxiv.org/abs/1712.05877, section 3.1, with equal weights.
    """
    return with_zero(h.mean, scheme)


def percentile(share: float, h: Histogram, scheme: Scheme) -> Range:
    """Clip at most a share of 1 - `share` of the elements at each end; of magnitudes, for a symmetric scheme.

    Args:
        share: E.g. 0.9999.
        h: What was seen.
        scheme: Of the numbers.
    """
    if scheme.symmetric:
        h = folded(h)
    last = h.edges[1] - _tail(h.counts[::-1], 1 - share) * _width(h)
    first = h.edges[0] + _tail(h.counts, 1 - share) * _width(h)
    low, high = h.seen
    return with_zero((min(max(first, low), high), max(min(last, high), low)), scheme)


def _tail(counts: Array, share: float) -> float:
    """How many bins from the front hold that share of all elements, as a fraction of bins."""
    sums = np.concatenate([[0], np.cumsum(counts)])
    goal = share * sums[-1]
    i = int(np.searchsorted(sums, goal, side="right")) - 1
    return i + (goal - float(sums[i])) / float(counts[i]) if i < len(counts) else float(i)


def _width(h: Histogram) -> float:
    return (h.edges[1] - h.edges[0]) / len(h.counts)


CALIBRATORS: dict[str, Calibrator] = {
    "minmax": minmax,
    "mean": mean,
    **{f"percentile-{100 * share:g}": partial(percentile, share) for share in (0.999, 0.9999, 0.99999)},
    "mse": mse,
    "kl": kl,
}
"""Name to function."""
