"""A source that is itself quantized: its rounding is kept, carried over into another format's terms, or taken out."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from exporter.array import Array
from exporter.building.basis import Basis
from exporter.building.clock import Clock
from exporter.building.common import Common
from exporter.building.options import CALIBRATED
from exporter.errors import UsageError
from exporter.formats import Rounder, load_writer
from exporter.formats.points import Points, Range
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.graph.ports import to_graph
from exporter.graph.qdq import Affine, Quantization, insert, layer_of
from exporter.proving.proof import endings
from exporter.quantization.assign import assign
from exporter.quantization.collect import float_values
from exporter.quantization.layers import end_of, spanned
from exporter.quantization.unshare import unshare

if TYPE_CHECKING:
    from exporter.building.order import Order

SOURCE = "of the source"
"""In place of a calibrator's name."""

Carried = tuple[Graph, Quantization, Points]
"""A float Graph, what of it is rounded, and where the format rounds."""

SAME_SCALE = 1e-6
"""Relative: a scale that was computed again from the range it spans differs by float32 rounding."""


def inherited(common: Common, order: "Order", clock: Clock) -> Basis:
    """What a file of a quantized source is written from.

    Raises:
        UsageError: If int8 is asked of a format that cannot say the source's rounding.
    """
    own = common.own
    assert own is not None
    with clock.stage("quantize"):
        if order.precision not in CALIBRATED:
            note = f"the source is quantized: its integers are dequantized, the file computes at {order.precision}"
            values = rounded_values(common, common.graph)
            return Basis(common.graph, common.graph, lambda: values, False, notes=(note,))
        if order.target.format == "onnx":
            note = "the source is quantized: its scales and integers are kept"
            return Basis(common.written, common.graph, lambda: common.values, False, quantization=_facts(own), notes=(note,))
        return _carried(common, order, own)


def _carried(common: Common, order: "Order", own: Quantization) -> Basis:
    found = fitting(common, order.target.format)
    if found is None:
        raise UsageError(
            f"{order.target.name}: the source's own scales do not fit {order.target.format}",
            hint=f"--calibration DATA quantizes the dequantized model anew; --precision {order.target.precision} dequantizes it",
        )
    real, how, points = found
    graph = insert(real, how)
    floats = sorted({layer_of(n) for n in real.nodes} & _rounded_layers(own, real) - set(points.layers))
    note = f"the source is quantized: its scales and integers are carried over, {len(points.layers)} layers run in integers"
    more = f"; in float, as {order.target.format} cannot say them so: {', '.join(floats)}" if floats else ""
    values = rounded_values(common, graph)
    return Basis(graph, real, lambda: values, False, quantization=_facts(how), notes=(note + more,))


def rounded_values(common: Common, graph: Graph) -> dict[str, Array]:
    """A Graph's outputs and what goes into their final activations, where it still has them, by value name."""
    made = {str(o.name) for node in graph.nodes for o in node.outputs}
    wanted = [p.name for p in common.graph.outputs]
    wanted += [e.value for e in endings(common.graph).values() if e.value not in wanted and e.value in made]
    with common.clock.stage("evaluate"):
        return evaluate(graph, to_graph(common.graph.inputs, common.samples), wanted)


def fitting(common: Common, form: str) -> Carried | None:
    """The source's rounding in a format's terms, looked for once; None where nothing of it fits."""
    if form not in common.carried:
        assert common.own is not None
        inputs = to_graph(common.graph.inputs, common.samples)
        common.carried[form] = carried(common.graph, common.own, load_writer(form), inputs)
    return common.carried[form]


def carried(graph: Graph, own: Quantization, writer: Rounder, inputs: Mapping[str, Array]) -> Carried | None:
    """A source's rounding in a format's terms: layers whose scales do not fit stay float; None where no layer's do.

    Args:
        graph: The finished float Graph.
        own: What the source rounds of it.
        writer: The format.
        inputs: Samples by Graph input name; values that the source does not round have the range seen on them.
    """
    rounded = {**{edge.value: how for edge, how in own.edges.items()}, **own.values}
    seen = _seen(graph, inputs)
    symmetric = writer.points(graph, seen, frozenset()).scheme.symmetric
    ranges = {**seen, **{name: _range(how, symmetric) for name, how in rounded.items() if how.axis is None}}
    keep: set[str] = set()
    while True:
        work = graph.clone()
        points = unshare(work, writer.points(work, ranges, frozenset(keep)))
        if not points.layers:
            return None
        how = assign(work, points, ranges, _scales(points, own))
        wrong = _misfits(work, points, how, own, rounded)
        if not wrong:
            return work, how, points
        keep |= wrong


def _seen(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Range]:
    names = [str(v.name) for v in float_values(graph)]
    values = {**inputs, **evaluate(graph, inputs, names)}
    return {name: (float(x.min()), float(x.max())) for name, x in values.items() if np.isfinite(x).all()}


def _range(how: Affine, symmetric: bool) -> Range:
    """The range that gives this scale again; a symmetric scheme has its scale from 127 steps."""
    size = 127 * float(how.scale)
    return (-size, size) if symmetric else spanned(how)


def _scales(points: Points, own: Quantization) -> dict[str, Array]:
    """The source's weight scales, one a channel where the format has one a channel."""
    found = {}
    for w in points.weights:
        how = own.constants.get(w.weight)
        if how is not None and _shared(how.scale, w.share):
            found[w.weight] = how.scale
    return found


def _shared(scale: Array, share: int) -> bool:
    """Whether channels that have one scale in the format have one in the source; their layer does not fit otherwise."""
    return scale.size == 1 or all(len(set(row)) == 1 for row in scale.reshape(-1, share))


def _misfits(graph: Graph, points: Points, how: Quantization, own: Quantization, rounded: Mapping[str, Affine]) -> set[str]:
    """Layers of which a number would come out otherwise than in the source."""
    now = {**{edge.value: numbers for edge, numbers in how.edges.items()}, **how.values}
    bad = {name for name, numbers in now.items() if name not in rounded or not _alike(numbers, rounded[name])}
    fixed = {name for group in points.groups if group.fixed is not None for name in group.values}
    weights = {w.layer for w in points.weights if not _kept(how.constants[w.weight], own.constants.get(w.weight))}
    nodes = {layer_of(n): n for n in graph.nodes}
    touched = {
        name for name in points.layers
        if ({str(v.name) for v in nodes[name].inputs if v is not None} | {end_of(nodes[name], now)}) & (bad - fixed)
    }  # fmt: skip
    wrong = (weights | touched) & set(points.layers)
    return wrong or (set(points.layers) if bad - fixed else set())


def _alike(a: Affine, b: Affine) -> bool:
    """Whether two stand for the same reals; uint8 is int8 moved by 128."""
    moved = {"uint8": 128}.get(a.dtype, 0) - {"uint8": 128}.get(b.dtype, 0)
    close = a.scale.shape == b.scale.shape and np.allclose(a.scale, b.scale, rtol=SAME_SCALE, atol=0)
    return bool(close and np.array_equal(a.zero_point.astype(int) - moved, b.zero_point.astype(int)))


def _kept(new: Affine, old: Affine | None) -> bool:
    return old is not None and _alike(new, old) and new.axis == old.axis


def _rounded_layers(own: Quantization, graph: Graph) -> set[str]:
    """Layers whose weights the source stores in integers."""
    return {layer_of(n) for n in graph.nodes if any(v is not None and v.name in own.constants for v in n.inputs)}


def _facts(how: Quantization) -> dict[str, Any]:
    """For the manifest: the source's numbers; what its ranges came from is not known."""
    rounded = {**{edge.value: numbers for edge, numbers in how.edges.items()}, **how.values}
    values = [
        {"value": name, "calibrator": SOURCE, "dtype": a.dtype, "scale": float(a.scale), "zero_point": int(a.zero_point),
         "seen": None, "used": list(spanned(a)), "saturated": None}
        for name, a in rounded.items() if a.axis is None
    ]  # fmt: skip
    return {"values": values, "repairs": [], "kept_float": {}, "layers": len(how.constants)}
