"""Streaming statistics of a value: memory does not grow with the number of samples."""

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.array import Array
from exporter.formats.points import Range


@dataclass(frozen=True, slots=True)
class Histogram:
    """What was seen of one value.

    Attributes:
        counts: Elements in each bin, int64, shape (bins,); of big values evenly spread elements only.
        edges: Lower end of the first and upper end of the last bin; bins are of equal width.
        seen: Smallest and largest element.
        mean: Means over the samples of each sample's smallest and largest element.
        infinite: Elements that were infinite (a mask's); they are in none of the others.
    """

    counts: Array
    edges: Range
    seen: Range
    mean: Range
    infinite: int = 0


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of a whole Graph.

    Attributes:
        values: By value name: every float value that is computed, and the inputs.
        samples: How many samples were run.
    """

    values: Mapping[str, Histogram]
    samples: int

    def seen(self) -> dict[str, Range]:
        """Smallest and largest number of each value."""
        return {name: h.seen for name, h in self.values.items()}
