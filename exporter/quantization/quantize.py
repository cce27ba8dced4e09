"""A calibrated Graph to a quantized one: ranges chosen, losses repaired, layers left in float where that is worth it."""

from collections.abc import Callable
from functools import partial

from exporter.formats import Rounder
from exporter.graph.qdq import insert
from exporter.quantization.adaround import adaround, candidates
from exporter.quantization.calibration import Calibration
from exporter.quantization.choose import Choice, Search, by_calibrator
from exporter.quantization.correct import correct
from exporter.quantization.draft import Draft, begin, quantized_values
from exporter.quantization.equalise import equalised, spans
from exporter.quantization.gauge import Gauge
from exporter.quantization.measure import Loss
from exporter.quantization.mixed import mix
from exporter.quantization.outcome import LayerLoss, Quantized, Repair, Report
from exporter.quantization.settings import AUTO, QuantizeSettings
from exporter.quantization.switchboard import Switchboard

Tick = Callable[[str], None]
"""Told the name of each step as it begins."""

ASKED = "asked for"
"""Why a layer stays in float."""

EQUALISED_DB = 0.3
"""Equalisation stays only for so much: it is a change of the net itself."""


def quantize(calibration: Calibration, writer: Rounder, settings: QuantizeSettings, tick: Tick | None = None) -> Quantized:
    """Quantize a Graph for a format.

    Everything is measured on the calibration's samples: half of them make the choices, the other half confirm them. What does not help
    there is taken back, and said.

    Args:
        calibration: The float Graph, which stays as it is, its statistics and a few samples.
        writer: The format: what it stores in integers.
        settings: What is asked.
        tick: Told the name of each step.

    Raises:
        UsageError: If a name in the settings is unknown.
    """
    return _Flow(calibration, writer, settings, tick or (lambda step: None)).run()


class _Flow:
    """The steps, and what they tell each other."""

    def __init__(self, calibration: Calibration, writer: Rounder, settings: QuantizeSettings, tick: Tick) -> None:
        self.calibration, self.writer, self.settings, self.tick = calibration, writer, settings, tick
        self.repairs: list[Repair] = []
        self.kept = dict.fromkeys(sorted(settings.keep_float), ASKED)
        self.sensitivity: tuple[LayerLoss, ...] = ()

    def run(self) -> Quantized:
        draft = begin(self.calibration.graph, self.calibration.statistics, self.writer, self.settings.keep_float)
        if not draft.points.layers or not self._measured():
            choice = by_calibrator(self._plain(), draft)
            return self._finish(draft.with_ranges(choice.ranges), choice, None, 0)
        gauge = Gauge(self.calibration.graph, self.calibration.samples)
        draft, choice = self._ranges(draft, gauge)
        if self.settings.repair != "none":
            draft = self._step("correcting biases", correct, draft, gauge)
            draft = self._rounded(draft, gauge)
        if self.settings.precision == "mixed":
            self.tick("choosing layers that stay float")
            draft, why, self.sensitivity = mix(draft, self.writer, gauge, self.settings)
            self.kept.update(why)
            if why and self.settings.repair != "none" and draft.points.layers:
                draft = self._step("correcting biases again", correct, draft, gauge)
        loss = gauge.confirm_graph(insert(draft.graph, draft.quantization))
        return self._finish(draft, choice, loss, gauge.runs)

    def _measured(self) -> bool:
        """Whether anything is chosen by measuring; it is quicker not to."""
        asked = self.settings
        return asked.calibrator == AUTO or asked.repair != "none" or asked.precision == "mixed"

    def _plain(self) -> str:
        return "minmax" if self.settings.calibrator == AUTO else self.settings.calibrator

    def _step(self, name: str, repair: Callable[[Draft, Gauge], tuple[Draft, Repair]], draft: Draft, gauge: Gauge) -> Draft:
        self.tick(name)
        draft, outcome = repair(draft, gauge)
        self.repairs.append(outcome)
        return draft

    def _rounded(self, draft: Draft, gauge: Gauge) -> Draft:
        """Weights rounded anew, where that is asked for or quick."""
        layers = candidates(draft, gauge, self.settings.repair == "thorough")
        if not layers:
            return draft
        return self._step("rounding weights anew", partial(adaround, layers=layers, seed=self.settings.seed), draft, gauge)

    def _ranges(self, draft: Draft, gauge: Gauge) -> tuple[Draft, Choice]:
        """Ranges, and the Graph they are for: equalised where that helps."""
        self.tick("choosing ranges")
        if self.settings.repair != "none":
            draft = self._equalise(draft, gauge)
        if self.settings.calibrator != AUTO:
            choice = by_calibrator(self.settings.calibrator, draft)
        else:
            choice, repair = Search(draft, gauge).best()
            self.repairs.append(repair)
        return draft.with_ranges(choice.ranges), choice

    def _equalise(self, draft: Draft, gauge: Gauge) -> Draft:
        """Compared with the same calibrator on statistics of the equalised net's own."""
        graph, values = equalised(draft.graph, gauge.choosing)
        if not values:
            return draft
        if not self._promising(draft, begin(graph, draft.statistics, self.writer, draft.keep), gauge, values):
            return draft
        name = "mse" if self.settings.calibrator == AUTO else self.settings.calibrator
        other = begin(graph, self.calibration.collect(graph), self.writer, draft.keep)
        before, after = (self._confirmed(d.with_ranges(by_calibrator(name, d).ranges), gauge) for d in (draft, other))
        kept = after.quality_db > before.quality_db + EQUALISED_DB
        self.repairs.append(Repair("equalise", kept, before, after, values))
        return other if kept else draft

    def _promising(self, draft: Draft, other: Draft, gauge: Gauge, values: tuple[str, ...]) -> bool:
        """Whether equalisation helps with ranges of a few samples: only then is the whole calibration run again."""
        names = [v for v in quantized_values(draft.points) if v in draft.statistics.values]
        ranged = (d.with_ranges({**d.ranges, **spans(d.graph, names, gauge.samples)}) for d in (draft, other))
        before, after = (self._confirmed(d, gauge) for d in ranged)
        if after.quality_db > before.quality_db:
            return True
        self.repairs.append(Repair("equalise", False, before, after, values))
        return False

    def _confirmed(self, draft: Draft, gauge: Gauge) -> Loss:
        board = Switchboard(draft.graph, draft.quantization, values=gauge.values)
        return gauge.confirm(board, board.feeds(draft.quantization))

    def _finish(self, draft: Draft, choice: Choice, loss: Loss | None, runs: int) -> Quantized:
        how = draft.quantization
        rounded = {*how.values, *(edge.value for edge in how.edges), *how.constants}
        report = Report(
            {v: name for v, name in choice.names.items() if v in rounded}, loss, tuple(self.repairs), self.kept, self.sensitivity,
            len(how.values) + len(how.edges), len(draft.points.layers), runs,
        )  # fmt: skip
        return Quantized(insert(draft.graph, how), draft, report)
