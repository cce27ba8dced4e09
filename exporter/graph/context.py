"""What a pass may ask of the build that runs it."""

from collections.abc import Mapping
from typing import Protocol

from exporter.array import Array
from exporter.graph.model import Graph


class Context(Protocol):
    """Exact passes ask for nothing; the others for data, a teacher or a measurement.

    Attributes:
        seed: Seed of everything random.
        samples: Inputs by Graph input name, in Graph layout, n samples on axis 0; empty when the build has no data.
        teacher: The Graph before compression, or None.
    """

    seed: int
    samples: Mapping[str, Array]
    teacher: Graph | None

    def measure(self, graph: Graph) -> float:
        """Median latency of a Graph on the target, in milliseconds."""
