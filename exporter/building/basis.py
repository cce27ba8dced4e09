"""What one target's file is written from and held against: the finished Graph itself, or one with rounded numbers in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from exporter.array import Array
from exporter.building.stages import Step
from exporter.graph import Graph


@dataclass(frozen=True, slots=True)
class Basis:
    """What a file is written from.

    Attributes:
        graph: The Graph that the writer gets; QuantizeLinear pairs in it say what is rounded.
        real: The same Graph before anything was rounded: what its layers are compared with.
        evaluated: Gives `values`; for a plain Graph they are computed when first asked for, after the file was written.
        exact: Whether the file must give the source's own outputs; where numbers are rounded on purpose it cannot.
        steps: What was done beside cleaning and folding.
        calibration: The data that ranges come from; None without.
        quantization: What was chosen for every value, what was repaired, what stays float; None where nothing is rounded.
        notes: What a reader must know.
    """

    graph: Graph
    real: Graph
    evaluated: Callable[[], Mapping[str, Array]]
    exact: bool = True
    steps: tuple[Step, ...] = ()
    calibration: dict[str, Any] | None = None
    quantization: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()

    @property
    def values(self) -> Mapping[str, Array]:
        """The graph's outputs, and what goes into their final activations, on the samples, by value name in Graph layout."""
        return self.evaluated()
