"""What calibration hands on: statistics of every value, and a few samples to measure with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from exporter.array import Array
from exporter.graph import Graph
from exporter.quantization.histogram import Statistics


@dataclass(frozen=True, slots=True)
class Calibration:
    """A calibrated Graph.

    Attributes:
        graph: The finished float Graph that was run.
        statistics: Of its values, over all calibration samples.
        samples: Some of the calibration samples, spread over all of them, by Graph input name in Graph layout: what repairs and
            choices are measured on. At most `MEASURED`.
        collect: Collects the statistics of a changed Graph on the same samples again.
    """

    graph: Graph
    statistics: Statistics
    samples: Mapping[str, Array]
    collect: Callable[[Graph], Statistics]


MEASURED = 128
"""Samples kept at hand for measuring; their inner values must fit in memory."""
