"""What a target's file is written from: the finished Graph, or one whose numbers are rounded, guarded against collapse."""

import time
from collections.abc import Set as AbstractSet
from typing import Any

from exporter.array import Array
from exporter.building.basis import Basis
from exporter.building.clock import Clock
from exporter.building.common import Common
from exporter.building.inherited import inherited, rounded_values
from exporter.building.order import Order
from exporter.building.precision import GUARD_DB
from exporter.building.ranges import range_facts
from exporter.building.retrained import retrained, suggestion
from exporter.building.stages import Step
from exporter.cost.count import totals
from exporter.errors import ParityError, UsageError, unknown_name
from exporter.formats import load_writer
from exporter.formats.onnx import points as onnx_points
from exporter.formats.points import Points, Ranges
from exporter.graph import Graph
from exporter.graph.files import save_graph
from exporter.graph.ports import to_graph
from exporter.graph.qdq import layer_of
from exporter.proving.proof import Findings, rounding
from exporter.quantization.layers import layer_report
from exporter.quantization.outcome import Quantized
from exporter.quantization.quantize import Quantizer

ROUNDED, REAL = "rounded", "real"
"""Folders of a kept entry."""

TRIES = 3
"""Times that a mixed precision is asked for more."""

STEP_DB = 0.5
"""More than is lacking, as other samples differ by so much."""

WORST = 3
"""Layers that an error names."""


def basis_of(common: Common, order: Order, clock: Clock) -> Basis:
    """What a file is written from; made once for targets that ask for the same.

    Raises:
        ParityError: If a quantized Graph loses more than the target's guard allows; names the worst layers.
    """
    if common.own is not None and common.options.calibration is None:
        basis = inherited(common, order, clock)
        keep(common, order, basis)
        return basis
    if order.quantize is None:
        return Basis(common.graph, common.graph, lambda: common.values, exact=not order.quantized and common.compressed is None)
    key = f"{order.target.format} {order.quantize} {order.guard} {order.options.io}"
    if key not in common.bases:
        common.bases[key] = _quantized(common, order, clock)
    keep(common, order, common.bases[key])
    return common.bases[key]


def _quantized(common: Common, order: Order, clock: Clock) -> Basis:
    asked, writer = order.quantize, Rounding(order)
    assert asked is not None
    calibrated = common.calibrated
    started = time.perf_counter()
    with clock.stage("quantize"), common.console.stage(f"quantizing for {order.target.format}"):
        result, values = _within_guard(common, order, Quantizer(calibrated.calibration, writer, asked, common.console.detail))
    steps = [_step(result, order, time.perf_counter() - started)]
    result, trained, remarks = retrained(common, order, result)
    if trained:
        steps, values = [*steps, *trained], rounded_values(common, result.graph)
    with clock.stage("check"):
        layers = [layer.as_dict() for layer in layer_report(result, to_graph(common.graph.inputs, common.samples))]
        found = rounding(common.graph, common.values, values)
        _guard(common, order, found, layers)
    said = [*remarks, *_weak(found), *_without_effect(common, order, result)]
    for text in said:
        common.console.warn(f"{order.target.name}: {text}")
    facts = {**result.report.as_dict(), "values": range_facts(result), "layer_losses": layers}
    calibration = {**calibrated.facts, "calibrator": asked.calibrator, "repair": asked.repair}
    notes = (*_notes(order, calibrated.warnings), *said)
    return Basis(result.graph, result.draft.graph, lambda: values, False, tuple(steps), calibration, facts, notes)


class Rounding:
    """A format as `quantize` asks it: what it rounds when the file's inputs and outputs have the type that was ordered."""

    def __init__(self, order: Order) -> None:
        self.order = order

    def spell_out(self, graph: Graph) -> None:
        """See `exporter.formats.Rounder`."""
        load_writer(self.order.target.format).spell_out(graph)

    def points(self, graph: Graph, ranges: Ranges, keep_float: AbstractSet[str]) -> Points:
        """See `exporter.formats.Rounder`."""
        if self.order.target.format == "onnx":  # the others round their ends whatever the type outside
            return onnx_points(graph, ranges, keep_float, self.order.options.io)
        return load_writer(self.order.target.format).points(graph, ranges, keep_float)


def check_layers(graph: Graph, names: frozenset[str]) -> None:
    """Layers that are to stay float must be there.

    Raises:
        UsageError: For one that is not; suggests the nearest.
    """
    known = {layer_of(node) for node in graph.nodes}
    for name in sorted(names - known):
        problem = unknown_name("layer", name, known)
        raise UsageError(f"--keep-float {name}: no such layer in the cleaned graph", hint=problem.hint)


def _within_guard(common: Common, order: Order, quantizer: Quantizer) -> tuple[Quantized, dict[str, Array]]:
    """Quantize; a mixed precision that does not hold the guard on the samples is asked for more, as it can give more."""
    least, limit = order.guard.min_sqnr_db, quantizer.settings.min_sqnr_db
    for _ in range(TRIES if quantizer.settings.precision == "mixed" and least is not None else 0):
        result = quantizer.quantized(limit)
        values = rounded_values(common, result.graph)
        found = rounding(common.graph, common.values, values)
        lacking = (least or 0.0) - min((f.before or f.output).sqnr_db for f in found.values())
        if lacking <= 0 or not result.report.layers:
            return result, values
        limit = STEP_DB + ((least or 0.0) if limit is None else limit + lacking)
    result = quantizer.quantized(limit)
    return result, rounded_values(common, result.graph)


def _guard(common: Common, order: Order, found: Findings, layers: list[dict[str, Any]]) -> None:
    """A net that has lost too much never leaves."""
    bad = _breaches(found, order)
    if not bad:
        return
    worst = sorted(layers, key=lambda layer: float(layer["sqnr_db"]))[:WORST]
    named = ", ".join(f"{layer['layer']} ({layer['op']}, {layer['sqnr_db']:.1f} dB)" for layer in worst)
    hint = f"--precision mixed keeps such layers float; else --repair thorough, other calibration data, or {suggestion(common.options)}"
    raise ParityError(f"{order.target.name}: {order.precision} loses too much: {'; '.join(bad)}; worst layers: {named}", hint=hint)


def _breaches(found: Findings, order: Order) -> list[str]:
    """Each output before its final activation where it has one: probabilities hide errors, or make much of small ones."""
    said = ((name, order.guard.breach(f.before or f.output)) for name, f in found.items())
    return [f"output {name} against the float graph: {what}" for name, what in said if what]


def _weak(found: Findings) -> list[str]:
    """Outputs that would not hold the usual guard behind their final activation: the few large of many small scores are lost."""
    return [
        f"output {name} has an SQNR of {f.output.sqnr_db:.1f} dB against the float graph behind its final activation: look at what it "
        "finds; --precision mixed with a higher --min-sqnr-db loses less"
        for name, f in found.items()
        if f.before is not None and f.output.sqnr_db < GUARD_DB
    ]


def _step(result: Quantized, order: Order, seconds: float) -> Step:
    before = totals(result.draft.graph).as_dict()
    stored = sum(v.const_value.nbytes for v in result.graph.model.graph.initializers.values() if v.const_value is not None)
    report = result.report
    settings = {"precision": order.precision, "layers in integers": report.layers, "pairs": report.pairs}
    repairs = {r.name: "kept" if r.kept else "of no use" for r in report.repairs}
    return {"pass": "quantize", "settings": {**settings, **repairs}, "before": before, "after": {**before, "bytes": stored},
            "seconds": seconds}  # fmt: skip


def _notes(order: Order, warnings: tuple[str, ...]) -> tuple[str, ...]:
    return (*(f"calibration: {text}" for text in warnings), *SLOWER.get(order.target.format, ()))


def _without_effect(common: Common, order: Order, result: Quantized) -> list[str]:
    """What was asked and changes nothing: int8 where no layer has it, layers kept float that are none of their own in the format."""
    asked, form, said = order.quantize, order.target.format, []
    assert asked is not None
    if result.report.layers == 0:
        said.append(f"no layer runs in integers: {form} has none for this model, or all were kept float")
    graph, seen, points = common.graph, common.calibrated.calibration.statistics.seen(), Rounding(order).points
    usual = points(graph, seen, frozenset()) if asked.keep_float else None
    idle = [name for name in sorted(asked.keep_float) if points(graph, seen, frozenset({name})) == usual]
    if idle:
        said.append(f"--keep-float {','.join(idle)} changes nothing: {form} has no integers for it, or only as a part of another layer")
    return said


SLOWER = {
    "ncnn": (
        "int8 may be slower than float: of 1,082 published pairs of times of ncnn on ARM processors, int8 was the slower in 422 (39 %); "
        "measure on the phone before you choose",
    )
}
"""What published numbers say of a format's int8 against its float."""


def graph_key(build_key: str, precision: str) -> dict[str, str]:
    """What the store knows a bundle's Graphs by; with --fastest several precisions have one build key."""
    return {"quantized": build_key, "precision": precision}


def keep(common: Common, order: Order, basis: Basis) -> None:
    """The rounded Graph and the real one beside it in the store, for `verify --layers`; nothing where none is rounded."""
    if basis.quantization is None:
        return
    key = common.store.key("graph", **graph_key(order.build_key, order.precision))
    if common.store.get("graph", key) is None:
        with common.store.put("graph", key) as folder:
            for name, graph in ((ROUNDED, basis.graph), (REAL, basis.real)):
                (folder / name).mkdir()
                save_graph(graph, folder / name)
