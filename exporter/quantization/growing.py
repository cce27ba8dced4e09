"""A histogram whose range grows while samples come in, without keeping one or seeing one twice.

Bins are 2^k wide and begin at whole multiples of their width. So two neighbours merge into one bin of twice the width without
splitting a count, and the outcome depends on what was seen only, not on the order: it equals a histogram made at once.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from exporter.array import Array
from exporter.quantization.histogram import Histogram

BINS = 4096
"""At most; at least half as many span what was seen."""

DIGITS = 20
"""Bits between the largest number and a bin's width: float32 has 24, so that a number's bin is found exactly."""

SMALLEST = -120
"""Binary exponent of the narrowest bin. Narrower ones would leave float32, as numbers 2^-126 times a bin's width do: these count as 0."""


@dataclass(slots=True)
class Growing:
    """Statistics of one value so far.

    Attributes:
        low: Smallest element; infinite before the first.
        high: Largest.
        sums: Of each sample's smallest and largest element.
        samples: How many were added.
        infinite: Elements that are infinite; they are counted here only.
    """

    low: float = math.inf
    high: float = -math.inf
    sums: tuple[float, float] = (0.0, 0.0)
    samples: int = 0
    infinite: int = 0
    _width: int = SMALLEST
    _first: int = 0
    _counts: Array = field(default_factory=lambda: np.zeros(0, np.int64))

    def add(self, elements: Array, lows: Array, highs: Array) -> None:
        """Take in some samples.

        Args:
            elements: All their elements, or evenly chosen ones; float32, any shape, finite.
            lows: The smallest element of each sample, over all of them; (samples,).
            highs: The largest.
        """
        self.low, self.high = min(self.low, float(lows.min())), max(self.high, float(highs.max()))
        self.sums = self.sums[0] + float(lows.sum(dtype=np.float64)), self.sums[1] + float(highs.sum(dtype=np.float64))
        self.samples += len(lows)
        self._grow(bin_width(self.low, self.high))
        bins = np.floor(elements.ravel() * np.float32(2.0**-self._width)).astype(np.int64)  # exact: only the exponent changes
        bins -= self._first
        self._counts += np.bincount(bins, minlength=len(self._counts))

    def histogram(self) -> Histogram:
        """What was seen; 0 alone where nothing finite was."""
        if not self.samples:
            return Histogram(np.zeros(1, np.int64), (0.0, 1.0), (0.0, 0.0), (0.0, 0.0), self.infinite)
        width = math.ldexp(1.0, self._width)
        edges = self._first * width, (self._first + len(self._counts)) * width
        mean = self.sums[0] / self.samples, self.sums[1] / self.samples
        return Histogram(self._counts.copy(), edges, (self.low, self.high), mean, self.infinite)

    def _grow(self, width: int) -> None:
        """Bins from the lowest to the highest number, of the new width; what was counted moves into them."""
        low, high = (math.floor(math.ldexp(x, -width)) for x in (self.low, self.high))
        old, first = self._counts, self._first
        if width == self._width and low == first and high - low + 1 == len(old):
            return
        counts = np.zeros(high - low + 1, np.int64)
        np.add.at(counts, ((first + np.arange(len(old))) >> min(width - self._width, 62)) - low, old)
        self._counts, self._first, self._width = counts, low, width


def bin_width(low: float, high: float) -> int:
    """Binary exponent of the bins' width for a range: the narrowest with at most `BINS`; it never shrinks while the range grows."""
    width = max(math.frexp(max(abs(low), abs(high)))[1] - DIGITS, SMALLEST)
    if high > low:
        width = max(width, math.frexp((high - low) / BINS)[1] - 1)
    while math.floor(math.ldexp(high, -width)) - math.floor(math.ldexp(low, -width)) >= BINS:
        width += 1
    return width
