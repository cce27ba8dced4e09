"""Ranges: by one calibrator, or for every group of values by the one that loses least at the outputs.

`auto` first tries each calibrator for the whole net on all samples at hand; then, from the best of them and on one half of the samples,
each group's own candidates one group after another, those first whose candidates differ most. That must hold on the other half.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from exporter.errors import unknown_name
from exporter.formats.points import Group, Range
from exporter.graph.qdq import Affine
from exporter.quantization.assign import group_affine
from exporter.quantization.calibrators import CALIBRATORS
from exporter.quantization.draft import Draft, quantized_values
from exporter.quantization.gauge import Gauge
from exporter.quantization.measure import Loss
from exporter.quantization.outcome import Repair
from exporter.quantization.switchboard import Feeds, Switchboard

ALIKE = 0.02
"""Candidates whose scale differs by less, and whose zero point is the same, are one."""

GAIN_DB = 0.05
"""A group changes its calibrator only for so much, and only if both parts of the samples gain: rounding elsewhere falls out otherwise with
each candidate, and the best of many is then often luck."""

SHARE = 0.4
"""Of the work allowed in all."""

MOST = 400
"""Candidates tried, however small the net."""

Ranges = dict[str, Range]


@dataclass(frozen=True, slots=True)
class Choice:
    """Ranges, and the calibrator of each value.

    Attributes:
        ranges: By value name.
        names: Calibrators, by value name.
    """

    ranges: Mapping[str, Range]
    names: Mapping[str, str]


def by_calibrator(name: str, draft: Draft) -> Choice:
    """The ranges that one calibrator gives.

    Raises:
        UsageError: If there is none of that name.
    """
    if name not in CALIBRATORS:
        raise unknown_name("calibrator", name, ("auto", *CALIBRATORS))
    values = [v for v in quantized_values(draft.points) if v in draft.statistics.values]
    chosen = {v: CALIBRATORS[name](draft.statistics.values[v], draft.points.scheme) for v in values}
    return Choice({**draft.ranges, **chosen}, dict.fromkeys(values, name))


class Search:
    """The candidates of every group of values, and the switchboard they are tried on.

    Args:
        draft: What is quantized.
        gauge: What measures.
    """

    def __init__(self, draft: Draft, gauge: Gauge) -> None:
        scales = {w.weight: draft.quantization.constants[w.weight].scale for w in draft.points.weights}
        self.draft, self.gauge = draft, gauge
        self._quick = replace(draft, scales={**scales, **draft.scales})
        self.choices = {name: by_calibrator(name, draft) for name in CALIBRATORS}
        self.board = Switchboard(draft.graph, draft.quantization, values=gauge.values)
        self.feeds = self.board.feeds(draft.quantization)

    @cached_property
    def whole(self) -> str:
        """The calibrator that is best for the whole net, by all samples: few candidates do not overfit. The first of equals."""
        return max(self.choices, key=lambda name: self._quality(self.choices[name]))

    def confirm(self, choice: Choice) -> Loss:
        """On samples that no choice saw."""
        return self.gauge.confirm(self.board, self._numbers(choice.ranges))

    def best(self) -> tuple[Choice, Repair]:
        """The ranges that lose least; and what choosing group by group gave over the best calibrator for all."""
        start, own = self.choices[self.whole], self._refined()
        before, after = self.confirm(start), self.confirm(own)
        kept = after.quality_db > before.quality_db
        changed = tuple(v for v, name in own.names.items() if name != self.whole)
        return own if kept else start, Repair("calibrators", kept, before, after, changed)

    def _quality(self, choice: Choice) -> float:
        return self.gauge.choose(self.board, self._numbers(choice.ranges)).quality_db + self.confirm(choice).quality_db

    def _refined(self) -> Choice:
        """Each group's own candidates, one group after another, from one calibrator for all."""
        start = self.choices[self.whole]
        ranges, names = dict(start.ranges), dict(start.names)
        best = self.gauge.gains(self.board, self._numbers(start.ranges))
        tries = [(group, name) for group in self._by_spread() for name in self._candidates(group)]
        for group, name in tries[: self.gauge.affordable(SHARE, len(self.choices), MOST)]:
            tried = {**ranges, **{v: self.choices[name].ranges[v] for v in group.values if v in names}}
            gains = self.gauge.gains(self.board, self._numbers(tried), best)
            if min(gains) > 0 and sum(gains) / 2 > GAIN_DB:
                best, ranges = (best[0] + gains[0], best[1] + gains[1]), tried
                names.update({v: name for v in group.values if v in names})
        return Choice(ranges, names)

    def _numbers(self, ranges: Mapping[str, Range]) -> Feeds:
        return self.board.renumber(self.feeds, self._quick.with_ranges(ranges).quantization)

    def _by_spread(self) -> list[Group]:
        """Groups with a scale of their own, those first whose candidates differ most."""
        groups = [g for g in self.draft.points.groups if g.fixed is None]
        return sorted(groups, key=lambda g: -self._spread(g))

    def _spread(self, group: Group) -> float:
        scales = [float(self._affine(group, name).scale) for name in self.choices]
        return max(scales) / min(scales)

    def _candidates(self, group: Group) -> list[str]:
        """Calibrators that give the group other numbers than those before them."""
        found = [self._affine(group, self.whole)]
        names = []
        for name in self.choices:
            how = self._affine(group, name)
            if not any(_alike(how, other) for other in found):
                found.append(how)
                names.append(name)
        return names

    def _affine(self, group: Group, name: str) -> Affine:
        return group_affine(self.draft.graph, self.draft.points.scheme, group, self.choices[name].ranges)


def _alike(a: Affine, b: Affine) -> bool:
    return bool(np.abs(np.log(a.scale / b.scale)) < ALIKE) and int(a.zero_point) == int(b.zero_point)
