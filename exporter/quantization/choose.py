"""Ranges: by one calibrator, or for every group of values by the one that loses least at the outputs.

`auto` first tries each calibrator for the whole net, then, from the best of them, each group's own candidates one group after another,
those first whose candidates differ most. What it chose on one half of the samples must hold on the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

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

GAIN_DB = 0.02
"""A group changes its calibrator only for so much."""

SHARE = 0.5
"""Of the work allowed in all."""

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


def auto(draft: Draft, gauge: Gauge) -> tuple[Choice, Repair]:
    """The ranges that lose least; and what choosing group by group gave over the best single calibrator."""
    search = _Search(draft, gauge)
    whole = max(search.choices, key=search.quality)  # the first of equals: the order of CALIBRATORS
    own = search.refine(whole)
    before, after = (search.confirm(c) for c in (search.choices[whole], own))
    kept = after.quality_db > before.quality_db
    changed = tuple(v for v, name in own.names.items() if name != whole)
    return own if kept else search.choices[whole], Repair("calibrators", kept, before, after, changed)


class _Search:
    """The candidates of every group, and the switchboard they are tried on."""

    def __init__(self, draft: Draft, gauge: Gauge) -> None:
        scales = {w.weight: draft.quantization.constants[w.weight].scale for w in draft.points.weights}
        self.draft, self.gauge = replace(draft, scales=scales), gauge
        self.choices = {name: by_calibrator(name, draft) for name in CALIBRATORS}
        self.board = Switchboard(draft.graph, draft.quantization, values=gauge.values)
        self.feeds = self.board.feeds(draft.quantization)

    def quality(self, name: str) -> float:
        return self.gauge.choose(self.board, self._numbers(self.choices[name].ranges)).quality_db

    def confirm(self, choice: Choice) -> Loss:
        return self.gauge.confirm(self.board, self._numbers(choice.ranges))

    def refine(self, start: str) -> Choice:
        """Each group's own candidates, one group after another, from one calibrator for all."""
        ranges, names = dict(self.choices[start].ranges), dict(self.choices[start].names)
        best = self.quality(start)
        left = self.gauge.affordable(SHARE, len(self.choices), 600)
        for group in self._by_spread():
            for name in self._candidates(group, start):
                if not left:
                    return Choice(ranges, names)
                left -= 1
                tried = {**ranges, **{v: self.choices[name].ranges[v] for v in group.values}}
                found = self.gauge.choose(self.board, self._numbers(tried)).quality_db
                if found > best + GAIN_DB:
                    best, ranges = found, tried
                    names.update({v: name for v in group.values if v in names})
        return Choice(ranges, names)

    def _numbers(self, ranges: Mapping[str, Range]) -> Feeds:
        return self.board.renumber(self.feeds, self.draft.with_ranges(ranges).quantization)

    def _by_spread(self) -> list[Group]:
        """Groups with a scale of their own, those first whose candidates differ most."""
        groups = [g for g in self.draft.points.groups if g.fixed is None]
        return sorted(groups, key=lambda g: -self._spread(g))

    def _spread(self, group: Group) -> float:
        scales = [float(self._affine(group, name).scale) for name in self.choices]
        return max(scales) / min(scales)

    def _candidates(self, group: Group, start: str) -> list[str]:
        """Calibrators that give the group other numbers than those before them."""
        found = [self._affine(group, start)]
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
