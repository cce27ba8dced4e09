"""Layer by layer: what rounding costs there, and how well ranges fit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats.points import Range
from exporter.graph import Graph
from exporter.graph.evaluate import Evaluator
from exporter.graph.qdq import Affine, layer_of
from exporter.graph.scores import softmax_scores
from exporter.parity import JSON_INFINITY, power_db, told_apart
from exporter.quantization.collect import batch_size
from exporter.quantization.outcome import Quantized


@dataclass(frozen=True, slots=True)
class LayerQuality:
    """One layer that runs in integers.

    Attributes:
        layer: Name of its first output.
        op: Its operator.
        value: Where its output is rounded: behind the activation that the engine computes with it. The layer itself where nothing is.
        sqnr_db: Of that value, float Graph against the one with its pairs: everything lost up to here; of what only a final Softmax reads,
            of that which it tells apart.
        saturated: Share of the value's elements outside the range that integers span; 0 where it is not rounded.
        used: That range; None where it is not rounded.
        seen: Range over the calibration samples; None where it was not calibrated.
        calibrator: What chose the range; None for a range fixed by the engine or none.
    """

    layer: str
    op: str
    value: str
    sqnr_db: float
    saturated: float
    used: Range | None
    seen: Range | None
    calibrator: str | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON; infinity becomes a large number."""
        return {
            "layer": self.layer, "op": self.op, "value": self.value, "saturated": self.saturated, "calibrator": self.calibrator,
            "sqnr_db": float(np.clip(self.sqnr_db, -JSON_INFINITY["sqnr_db"], JSON_INFINITY["sqnr_db"])),
            "used": self.used and list(self.used), "seen": self.seen and list(self.seen),
        }  # fmt: skip


def layer_report(quantized: Quantized, samples: Mapping[str, Array]) -> list[LayerQuality]:
    """Every layer that runs in integers, in the Graph's order.

    Args:
        quantized: The outcome of `quantize`.
        samples: By Graph input name, in Graph layout.
    """
    draft, how = quantized.draft, quantized.draft.quantization
    rounded = {**{edge.value: numbers for edge, numbers in how.edges.items()}, **how.values}
    nodes = {layer_of(n): n for n in draft.graph.nodes}
    ends = {name: end_of(nodes[name], rounded) for name in draft.points.layers}
    if not ends:
        return []
    sums = _sums(draft.graph, quantized.graph, samples, tuple(dict.fromkeys(ends.values())), rounded)
    seen = draft.statistics.values
    found = []
    for name, end in ends.items():
        signal, noise, outside = sums[end]
        found.append(
            LayerQuality(
                name, nodes[name].op_type, end, power_db(signal, noise), outside, spanned(rounded[end]) if end in rounded else None,
                seen[end].seen if end in seen else None, quantized.report.calibrators.get(end),
            )
        )  # fmt: skip
    return found


def end_of(node: ir.Node, rounded: Mapping[str, object]) -> str:
    """The value where a layer's output is rounded, behind nodes that alone read one another; the layer's own output where none is."""
    value = node.outputs[0]
    while str(value.name) not in rounded:
        readers = value.consumers()
        if len(readers) != 1 or value.is_graph_output():
            return layer_of(node)
        value = readers[0].outputs[0]
    return str(value.name)


def spanned(how: Affine) -> Range:
    """The reals of the smallest and of the largest stored number."""
    low, high = how.limits
    return (low - int(how.zero_point)) * float(how.scale), (high - int(how.zero_point)) * float(how.scale)


def _sums(
    graph: Graph, pairs: Graph, samples: Mapping[str, Array], values: tuple[str, ...], rounded: Mapping[str, Affine]
) -> dict[str, tuple[float, float, float]]:
    """By value: sum of squares, sum of squared errors, share of elements out of range."""
    real, other = Evaluator(graph, values), Evaluator(pairs, values)
    total, read = {v: np.zeros(4) for v in values}, softmax_scores(graph)
    count, at_once = len(next(iter(samples.values()))), batch_size(graph, list(values))
    for i in range(0, count, at_once):
        few = {k: v[i : i + at_once] for k, v in samples.items()}
        want, got = real.run(few), other.run(few)
        for v in values:
            a, b = want.pop(v).astype(np.float64), got.pop(v).astype(np.float64)
            outside, size = _outside(a, rounded.get(v)), a.size
            if v in read:
                a, b = told_apart(a), told_apart(b)
            total[v] += np.sum(a**2), np.sum((a - b) ** 2), outside, size
    return {v: (float(t[0]), float(t[1]), float(t[2] / max(t[3], 1))) for v, t in total.items()}


def _outside(x: Array, how: Affine | None) -> float:
    """Elements that round to no number of the range but its ends, being more than half a step beyond."""
    if how is None:
        return 0.0
    low, high = spanned(how)
    half = float(how.scale) / 2
    return float(np.count_nonzero((x < low - half) | (x > high + half)))
