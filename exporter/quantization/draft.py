"""A quantization in the making: what is known of it between two steps."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats import Rounder
from exporter.formats.points import Points, Range
from exporter.graph import Graph
from exporter.graph.qdq import Quantization
from exporter.quantization.assign import assign
from exporter.quantization.histogram import Statistics
from exporter.quantization.unshare import unshare


@dataclass(frozen=True)
class Draft:
    """A float Graph and the numbers chosen for it so far; a step makes a new one.

    Attributes:
        graph: The float Graph that is rounded: biases corrected, weights on their grid.
        base: The same before that: what its layers should compute. Equalised, where the other is.
        statistics: Of its values.
        points: What is quantized of it.
        ranges: Chosen ranges, by value name.
        scales: Weight scales that are not the largest weight's, by initializer name.
        keep: Layers that stay float.
    """

    graph: Graph
    base: Graph
    statistics: Statistics
    points: Points
    ranges: Mapping[str, Range]
    scales: Mapping[str, Array] = field(default_factory=dict)
    keep: frozenset[str] = frozenset()

    @cached_property
    def quantization(self) -> Quantization:
        """Every scale and zero point."""
        return assign(self.graph, self.points, self.ranges, self.scales)

    def with_ranges(self, ranges: Mapping[str, Range]) -> "Draft":
        """The same with other ranges."""
        return replace(self, ranges=ranges)

    def with_constants(self, arrays: Mapping[str, Array], scales: Mapping[str, Array] | None = None) -> "Draft":
        """The same with other numbers in some initializers; and the scales of weights that lie on their grid."""
        graph = self.graph.clone()
        for name, array in arrays.items():
            graph.model.graph.initializers[name].const_value = ir.tensor(np.asarray(array, np.float32), name=name)
        return replace(self, graph=graph, scales={**self.scales, **(scales or {})})

    @property
    def biases(self) -> tuple[str, ...]:
        """Names of all biases, stored as integers or not."""
        return tuple(dict.fromkeys(w.bias for w in self.points.weights if w.bias is not None))


def begin(graph: Graph, statistics: Statistics, writer: Rounder, keep: frozenset[str]) -> Draft:
    """The first draft of a Graph, which stays as it is: ranges are what was seen."""
    own, seen = graph.clone(), statistics.seen()
    writer.spell_out(own)
    points = unshare(own, writer.points(own, seen, keep))
    return Draft(own, own, statistics, points, seen, {}, keep)


def regroup(draft: Draft, writer: Rounder, keep: frozenset[str]) -> Draft:
    """The same numbers with other layers left in float; these get back the constants that they had."""
    base = draft.base.clone()
    points = unshare(base, writer.points(base, draft.statistics.seen(), keep))
    graph, known = base.clone(), draft.graph.model.graph.initializers
    for name in {name for w in points.weights for name in (w.weight, w.bias) if name is not None and name in known}:
        graph.model.graph.initializers[name].const_value = known[name].const_value
    kept = {w.weight for w in points.weights}
    scales = {name: scale for name, scale in draft.scales.items() if name in kept}
    return Draft(graph, base, draft.statistics, points, draft.ranges, scales, keep)


def quantized_values(points: Points) -> tuple[str, ...]:
    """Values whose range matters: those of groups with a scale of their own, each once, in the points' order."""
    return tuple(dict.fromkeys(name for group in points.groups if group.fixed is None for name in group.values))
