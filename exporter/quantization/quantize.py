"""A calibrated Graph to a quantized one: ranges chosen, losses repaired, layers left in float where that is worth it."""

from collections.abc import Callable

from exporter.formats import Writer
from exporter.graph.qdq import insert
from exporter.quantization.calibration import Calibration
from exporter.quantization.choose import Choice, auto, by_calibrator
from exporter.quantization.draft import Draft, begin
from exporter.quantization.gauge import Gauge
from exporter.quantization.outcome import Quantized, Repair, Report
from exporter.quantization.settings import AUTO, QuantizeSettings

Tick = Callable[[str], None]
"""Told the name of each step as it begins."""

ASKED = "asked for"
"""Why a layer stays in float."""


def quantize(calibration: Calibration, writer: Writer, settings: QuantizeSettings, tick: Tick | None = None) -> Quantized:
    """Quantize a Graph for a format.

    Args:
        calibration: The float Graph, which stays as it is, its statistics and a few samples.
        writer: The format: what it stores in integers.
        settings: What is asked.
        tick: Told the name of each step.

    Raises:
        UsageError: If a name in the settings is unknown.
    """
    flow = _Flow(calibration, writer, settings, tick or (lambda step: None))
    return flow.run()


class _Flow:
    """The steps, and what they tell each other."""

    def __init__(self, calibration: Calibration, writer: Writer, settings: QuantizeSettings, tick: Tick) -> None:
        self.calibration, self.writer, self.settings, self.tick = calibration, writer, settings, tick
        self.repairs: list[Repair] = []
        self.kept = dict.fromkeys(sorted(settings.keep_float), ASKED)

    def run(self) -> Quantized:
        draft = begin(self.calibration.graph, self.calibration.statistics, self.writer, self.settings.keep_float)
        gauge = self._gauge()
        choice = self._ranges(draft, gauge)
        draft = draft.with_ranges(choice.ranges)
        return self._finish(draft, choice, gauge)

    def _gauge(self) -> Gauge | None:
        """None where nothing is measured, which is quicker."""
        asked = self.settings
        if asked.calibrator != AUTO and asked.repair == "none" and asked.precision == "int8":
            return None
        return Gauge(self.calibration.graph, self.calibration.samples)

    def _ranges(self, draft: Draft, gauge: Gauge | None) -> Choice:
        self.tick("ranges")
        if self.settings.calibrator != AUTO or gauge is None:
            return by_calibrator(self.settings.calibrator, draft)
        choice, repair = auto(draft, gauge)
        self.repairs.append(repair)
        return choice

    def _finish(self, draft: Draft, choice: Choice, gauge: Gauge | None) -> Quantized:
        how = draft.quantization
        report = Report(
            choice.names, None, tuple(self.repairs), self.kept, (), len(how.values) + len(how.edges), len(draft.points.layers),
            gauge.runs if gauge else 0,
        )  # fmt: skip
        return Quantized(insert(draft.graph, how), draft, report)
