"""A calibrated Graph to a quantized one: ranges chosen, losses repaired, layers left in float where that is worth it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from exporter.formats import Rounder
from exporter.graph.qdq import insert
from exporter.quantization.adaround import adaround, candidates
from exporter.quantization.calibration import Calibration
from exporter.quantization.choose import Choice, Search, by_calibrator
from exporter.quantization.correct import correct
from exporter.quantization.draft import Draft, begin, quantized_values
from exporter.quantization.equalise import Equalised, spans
from exporter.quantization.gauge import Gauge
from exporter.quantization.measure import Loss
from exporter.quantization.mixed import mix
from exporter.quantization.narrow import SOFTMAX, narrow, scores
from exporter.quantization.outcome import LayerLoss, Quantized, Repair, Report
from exporter.quantization.sensitivity import sensitivity
from exporter.quantization.settings import AUTO, QuantizeSettings
from exporter.quantization.switchboard import Switchboard

EXACT_DB = 30.0
"""More than a limit, or 0 without one: noise a thousandth of what a mixed precision may have."""

Tick = Callable[[str], None]
"""Told the name of each step as it begins."""

ASKED = "asked for"
"""Why a layer stays in float."""

EQUALISED_DB = 0.3
"""Equalisation stays only for so much in the end, where it is a change of the net itself, for numbers beyond a Clip."""

LATER_DB = 2.0
"""What an equalised net may lose at first, and win back by its own ranges, biases and weights; where it is the same for all inputs."""


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
    return Quantizer(calibration, writer, settings, tick).quantized()


@dataclass(frozen=True)
class _Try:
    """A way to round, as far as it has come.

    Attributes:
        draft: With its ranges.
        choice: Their calibrators.
        repairs: What was tried on the way.
    """

    draft: Draft
    choice: Choice
    repairs: tuple[Repair, ...] = ()

    def after(self, outcome: tuple[Draft, Repair]) -> "_Try":
        """With one repair more."""
        return replace(self, draft=outcome[0], repairs=(*self.repairs, outcome[1]))

    def behind(self, repair: Repair) -> "_Try":
        """With a repair that came before its own."""
        return replace(self, repairs=(repair, *self.repairs))


class Quantizer:
    """The steps of `quantize`, and what they tell each other.

    Args:
        calibration: As there.
        writer: As there.
        settings: As there.
        tick: As there.
    """

    def __init__(self, calibration: Calibration, writer: Rounder, settings: QuantizeSettings, tick: Tick | None = None) -> None:
        self.calibration, self.writer, self.settings, self.tick = calibration, writer, settings, tick or (lambda step: None)
        self.kept: dict[str, str] = {}
        self.spared: tuple[str, ...] = ()

    def quantized(self, min_sqnr_db: float | None = None) -> Quantized:
        """Quantize.

        Args:
            min_sqnr_db: What a mixed precision must hold in place of what the settings say: of a second try, only what follows is new.
        """
        self.kept, self.spared = dict.fromkeys(sorted(self.settings.keep_float), ASKED), ()
        if not self._begun.points.layers or not self._measured():
            choice = by_calibrator(self._plain(), self._begun)
            return self._finish(_Try(self._begun.with_ranges(choice.ranges), choice), None, ())
        found = self._best
        losses: tuple[LayerLoss, ...] = ()
        if self.settings.precision == "mixed":
            losses = self._losses
            found = self._ended(self._mixed(found, losses, min_sqnr_db))
        return self._finish(found, self._confirmed(found), losses)

    @cached_property
    def _begun(self) -> Draft:
        return begin(self.calibration.graph, self.calibration.statistics, self.writer, self.settings.keep_float)

    @cached_property
    def _gauge(self) -> Gauge:
        return Gauge(self.calibration.graph, self.calibration.samples)

    @cached_property
    def _losses(self) -> tuple[LayerLoss, ...]:
        self.tick("measuring each layer alone")
        return sensitivity(self._best.draft, self._gauge)

    @cached_property
    def _best(self) -> _Try:
        """All that is done before layers are left in float; for a net in integers throughout, all. With equalised channels where they are
        the same net and lose no more at first than they win back; of another net, for numbers beyond a Clip, where that ends better."""
        if not self._repairing or not self.calibration.equalised[1].values:
            return self._tried(self._begun)
        even, net = self.calibration.equalised
        first = self._first(net)
        if not first.kept:
            return self._tried(self._begun).behind(first)
        self.tick("equalising channels")
        other = self._tried(begin(even.graph, even.statistics, self.writer, self._begun.keep))
        if net.exact:
            return other.behind(first)
        plain = self._tried(self._begun)
        before, after = (self._gauge.judge_graph(insert(t.draft.graph, t.draft.quantization)) for t in (plain, other))
        kept = after.quality_db > before.quality_db + EQUALISED_DB
        return (other if kept else plain).behind(Repair("equalise", kept, before, after, net.values))

    @property
    def _repairing(self) -> bool:
        return self.settings.repair != "none"

    def _measured(self) -> bool:
        """Whether anything is chosen by measuring; it is quicker not to."""
        asked = self.settings
        return asked.calibrator == AUTO or asked.repair != "none" or asked.precision == "mixed"

    def _plain(self) -> str:
        return "minmax" if self.settings.calibrator == AUTO else self.settings.calibrator

    def _tried(self, draft: Draft) -> _Try:
        """Ranges and biases of a net; and what ends it, unless layers are left in float first."""
        self.tick("choosing ranges")
        if self.settings.calibrator != AUTO:
            choice = by_calibrator(self.settings.calibrator, draft)
            found = _Try(draft.with_ranges(choice.ranges), choice)
        else:
            choice, repair = Search(draft, self._gauge).best()
            found = _Try(draft.with_ranges(choice.ranges), choice, (repair,))
        if self._repairing:
            self.tick("correcting biases")
            found = found.after(correct(found.draft, self._gauge))
        return found if self.settings.precision == "mixed" else self._ended(found)

    def _mixed(self, found: _Try, losses: tuple[LayerLoss, ...], min_sqnr_db: float | None) -> _Try:
        """With layers in float."""
        self.tick("choosing layers that stay float")
        asked = self.settings if min_sqnr_db is None else replace(self.settings, min_sqnr_db=min_sqnr_db)
        draft, why = mix(found.draft, self.writer, self._gauge, asked, losses)
        self.kept.update(why)
        found = replace(found, draft=draft)
        if why and self._repairing and draft.points.layers:
            self.tick("correcting biases again")
            found = found.after(correct(draft, self._gauge))
        return found

    def _ended(self, found: _Try) -> _Try:
        """With weights rounded for the layers before and behind as they will be, where that is asked for or quick; with narrow scores."""
        if not self._repairing:
            return found
        layers = candidates(found.draft, self._gauge, thorough=self.settings.repair == "thorough")
        if layers:
            self.tick("rounding weights anew")
            found = found.after(adaround(found.draft, self._gauge, layers, self.settings.seed))
        elif candidates(found.draft, self._gauge, thorough=True):
            self.spared = ("adaround",)
        if scores(found.draft, self._gauge):
            self.tick("narrowing scores")
            found = found.after(narrow(found.draft, self._gauge))
        return found

    def _first(self, net: Equalised) -> Repair:
        """Whether an equalised net is tried: not where Clips make it another one, or it loses far more with ranges of a few samples."""
        gauge, keep = self._gauge, self._begun.keep
        if self.settings.precision == "mixed":
            before, after = (gauge.confirm_graph(g) for g in (gauge.graph, net.graph))
            if after.sqnr_db < EXACT_DB + (self.settings.min_sqnr_db or 0.0):  # layers in float could not win that back
                return Repair("equalise", False, before, after, net.values)
        statistics = self._begun.statistics
        drafts = self._begun, begin(net.graph, statistics, self.writer, keep)
        names = [v for v in quantized_values(self._begun.points) if v in statistics.values]
        ranged = (d.with_ranges({**d.ranges, **spans(d.graph, names, gauge.samples)}) for d in drafts)
        before, after = (self._quick(d) for d in ranged)
        slack = LATER_DB if net.exact else 0.0
        return Repair("equalise", after.quality_db > before.quality_db - slack, before, after, net.values)

    def _quick(self, draft: Draft) -> Loss:
        board = Switchboard(draft.graph, draft.quantization, values=self._gauge.values)
        return self._gauge.confirm(board, board.feeds(draft.quantization))

    def _confirmed(self, found: _Try) -> Loss:
        return self._gauge.confirm_graph(insert(found.draft.graph, found.draft.quantization))

    def _finish(self, found: _Try, loss: Loss | None, losses: tuple[LayerLoss, ...]) -> Quantized:
        draft, how = found.draft, found.draft.quantization
        narrowed = {v: SOFTMAX for r in found.repairs if r.name == "narrow" and r.kept for v in r.layers}
        rounded = {*how.values, *(edge.value for edge in how.edges), *how.constants}
        names = {v: narrowed.get(v, name) for v, name in found.choice.names.items() if v in rounded}
        report = Report(
            names, loss, found.repairs, self.kept, losses,
            len(how.values) + len(how.edges), len(draft.points.layers), 0 if loss is None else self._gauge.runs, self.spared,
        )  # fmt: skip
        return Quantized(insert(draft.graph, how), draft, report)
