"""What calibration hands on: statistics of every value, and a few samples to measure with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

from exporter.array import Array
from exporter.graph import Graph, shape_of
from exporter.quantization.equalise import Equalised, equalised
from exporter.quantization.histogram import Statistics
from exporter.quantization.measure import halves


@dataclass(frozen=True)
class Calibration:
    """A calibrated Graph.

    Attributes:
        graph: The finished float Graph that is run.
        samples: Some of the calibration samples, spread over all of them, by Graph input name in Graph layout: what repairs and
            choices are measured on. As many as `measured` says.
        collect: Collects the statistics of a Graph on all samples.
    """

    graph: Graph
    samples: Mapping[str, Array]
    collect: Callable[[Graph], Statistics]

    @cached_property
    def statistics(self) -> Statistics:
        """Of the Graph's values, over all calibration samples."""
        return self.collect(self.graph)

    @cached_property
    def equalised(self) -> tuple["Calibration", Equalised]:
        """The same of the net with like channels, and what was done for it; once for all formats."""
        found = equalised(self.graph, halves(self.samples)[0])
        return replace(self, graph=found.graph), found


MEASURED = 128
"""Samples kept at hand for measuring; their inner values must fit in memory."""

KEPT = 1 << 26
"""Elements of all samples kept at hand, 256 MiB: of large inputs there are fewer, but `FEWEST`."""

FEWEST = 32


def measured(graph: Graph) -> int:
    """How many samples are kept at hand, at most."""
    size = sum(prod(shape_of(value)) for value in graph.model.graph.inputs)
    return min(MEASURED, max(FEWEST, KEPT // max(size, 1)))
