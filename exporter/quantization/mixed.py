"""Mixed precision: layers go back to float, the worst first, until what is asked holds, or for as long as it is worth it.

With limits (`min_sqnr_db`, `top1_drop`): layers in the order of noise made alone per effort saved, until the limits hold.

Without: int8 as far as it is worth it. A layer stays in float

- where integers save nothing: its products cost less than quantizing and dequantizing around it would;
- where it buys at least `WORTH_DB` of quality for each percent of the net's effort in float, while the net has less than `ENOUGH_DB`.

The search ends when `PATIENCE` layers in a row bought too little. Effort is that of `effort.effort`; quality that of `measure.Loss`.
"""

from dataclasses import dataclass, field

import numpy as np

from exporter.formats import Rounder
from exporter.graph.qdq import insert
from exporter.quantization.draft import Draft, regroup
from exporter.quantization.effort import effort, idle
from exporter.quantization.gauge import Gauge
from exporter.quantization.measure import Loss
from exporter.quantization.outcome import LayerLoss
from exporter.quantization.settings import QuantizeSettings

WORTH_DB = 0.5
"""For each percent of the effort of the whole net in float."""

ENOUGH_DB = 40.0
"""Better outputs than these are not bought: a hundredth of their size in error."""

HELPS_DB = 0.1
"""Of SQNR: what a layer in float must give to be one of the first."""

PATIENCE = 4
"""Layers in a row that buy too little before the search ends."""

SHARE = 0.5
"""Of the work allowed in all."""

SAVES_NOTHING = "integers save nothing here: converting costs more than its products"


def mix(
    draft: Draft, writer: Rounder, gauge: Gauge, settings: QuantizeSettings, losses: tuple[LayerLoss, ...]
) -> tuple[Draft, dict[str, str]]:
    """Choose the layers that stay in float.

    Args:
        draft: Everything in integers, ranges chosen and losses repaired.
        writer: Says what else changes when a layer stays in float.
        gauge: What measures.
        settings: Limits, or none.
        losses: Every layer's loss alone, as `sensitivity` gives them.

    Returns:
        The new draft; why each layer that it leaves in float is.
    """
    search = _Search(draft, writer, gauge)
    if settings.min_sqnr_db is None and settings.top1_drop is None:
        search.drop_idle()
        search.while_worth_it(losses)
    else:
        search.until(settings, losses)
    return search.draft, search.why


@dataclass
class _Search:
    """The draft so far, and why layers are left out of it."""

    draft: Draft
    writer: Rounder
    gauge: Gauge
    why: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.loss = self._measure(self.draft)
        self.whole = max(effort(self.draft.graph, regroup(self.draft, self.writer, self._all()).points), 1.0)

    def until(self, settings: QuantizeSettings, losses: tuple[LayerLoss, ...]) -> None:
        """Layers in the order of what they are worth, until the limits hold: first those that help by themselves, then any."""
        ranked = sorted(losses, key=lambda o: -o.loss.noise / max(o.macs, 1))
        for least in (HELPS_DB, -np.inf):
            for one in ranked:
                if _holds(settings, self.loss):
                    return
                if one.layer in self.draft.points.layers:
                    self._help(one.layer, least)

    def _help(self, layer: str, least: float) -> None:
        other = self._without(layer)
        before, after = self.loss, self._measure(other)
        if after.sqnr_db >= before.sqnr_db + least:
            self._take(other, after, layer)
            self.why[layer] = f"to hold the limit: SQNR {before.sqnr_db:.1f} dB before, {after.sqnr_db:.1f} dB after"

    def while_worth_it(self, losses: tuple[LayerLoss, ...]) -> None:
        """Layers that buy enough quality, until the next ones do not."""
        failed = 0
        for one in sorted(losses, key=lambda o: -o.loss.noise / max(o.macs, 1))[: self.gauge.affordable(SHARE, 8, 60)]:
            if failed >= PATIENCE or self.loss.quality_db >= ENOUGH_DB:
                return
            if one.layer in self.draft.points.layers:
                failed = 0 if self._buys(one.layer) else failed + 1

    def drop_idle(self) -> None:
        """Layers that integers make no quicker; only those are looked at that save less than converting around them may cost."""
        for layer in idle(self.draft.graph, self.draft.points):
            if layer not in self.draft.points.layers:
                continue
            other = self._without(layer)
            if effort(other.graph, other.points) < effort(self.draft.graph, self.draft.points):
                self._take(other, self.loss, layer)
                self.why[layer] = SAVES_NOTHING
        self.loss = self._measure(self.draft)

    def _buys(self, layer: str) -> bool:
        other = self._without(layer)
        loss = self._measure(other)
        percent = 100 * (effort(other.graph, other.points) - effort(self.draft.graph, self.draft.points)) / self.whole
        gain = min(loss.quality_db, ENOUGH_DB) - self.loss.quality_db
        if gain <= WORTH_DB * max(percent, 0.1):
            return False
        self._take(other, loss, layer)
        self.why[layer] = f"worth it: {gain:.1f} dB for {max(percent, 0.0):.1f} % of the net's work"
        return True

    def _take(self, draft: Draft, loss: Loss, layer: str) -> None:
        gone = set(self.draft.points.layers) - set(draft.points.layers) - {layer}
        self.why.update(dict.fromkeys(sorted(gone), f"with {layer}: the format has no integers for it alone"))
        self.draft, self.loss = draft, loss

    def _without(self, layer: str) -> Draft:
        return regroup(self.draft, self.writer, self.draft.keep | {layer})

    def _measure(self, draft: Draft) -> Loss:
        return self.gauge.choose_graph(insert(draft.graph, draft.quantization))

    def _all(self) -> frozenset[str]:
        return self.draft.keep | set(self.draft.points.layers)


def _holds(settings: QuantizeSettings, loss: Loss) -> bool:
    enough = settings.min_sqnr_db is None or loss.sqnr_db >= settings.min_sqnr_db
    return enough and (settings.top1_drop is None or loss.agreement is None or 1 - loss.agreement <= settings.top1_drop)
