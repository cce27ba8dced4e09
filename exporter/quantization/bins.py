"""What calibrators share: ranges that hold 0, magnitudes, numbers that stand for bins."""

import numpy as np

from exporter.array import Array
from exporter.formats.points import Range, Scheme
from exporter.quantization.histogram import Histogram


def with_zero(ends: Range, scheme: Scheme) -> Range:
    """The range widened to hold 0; for a symmetric scheme to (-m, m)."""
    low, high = min(ends[0], 0.0), max(ends[1], 0.0)
    if not scheme.symmetric:
        return low, high
    m = max(-low, high)
    return -m, m


def folded(h: Histogram) -> Histogram:
    """The histogram of magnitudes: bins begin at multiples of their width, so that no bin is split."""
    width = (h.edges[1] - h.edges[0]) / len(h.counts)
    index = round(h.edges[0] / width) + np.arange(len(h.counts))
    bins = np.where(index < 0, -index - 1, index)
    counts = np.bincount(bins, weights=h.counts).astype(np.int64)  # exact: below 2^53
    low, high = h.seen
    m = max(abs(low), abs(high))
    seen = (0.0 if low <= 0 <= high else min(abs(low), abs(high)), m)
    return Histogram(counts, (0.0, len(counts) * width), seen, seen)


def centres(h: Histogram) -> Array:
    """A number for each bin: its middle, but 0 for the bin that begins there, which holds a relu's zeros."""
    width = (h.edges[1] - h.edges[0]) / len(h.counts)
    index = round(h.edges[0] / width) + np.arange(len(h.counts))
    return np.where(index == 0, 0.0, (index + 0.5) * width)


def levels(scheme: Scheme) -> int:
    """Steps between the smallest and the largest number: 255, or 254 where zero is in the middle."""
    return 254 if scheme.symmetric else 255
