"""Choosing widths: how far each goes down so that the whole Graph costs what it may."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from exporter.channels.classes import Channels, channels_of
from exporter.cost.count import Totals, totals
from exporter.errors import LimitError, UsageError
from exporter.graph import Graph
from exporter.pruning.plan import Plan, schedules_of
from exporter.pruning.schedule import Schedule
from exporter.pruning.scores import Scorer, by, l2

LOWEST = 0.94
"""A plan uses at least this share of its budget, where widths on the step allow it."""

AIM = 0.985
"""Widths are given back until so much of the budget is used."""

LEVELS = 1024
"""Shares that are tried locally: multiples of one in so many."""

SUMMED_MORE = 0.6
"""How much larger the share of a residual stream is with `Scope.INNER`. ResNet8 at a quarter of its MACs, 16 epochs, held-out training
pictures: 81.3 and 81.7 % where it is larger by 0.45 and 0.58, 80.5 with equal shares, 78.1 where streams stay whole."""

DEFAULT: Scorer = by(l2)
"""Group L2, each layer's scores divided by their mean."""


class Scope(StrEnum):
    """How widths are chosen."""

    INNER = "inner"
    """Every layer keeps the same share of its channels, what sums join, as residual streams are, one larger by `SUMMED_MORE`."""

    LOCAL = "local"
    """Every layer keeps the same share of its channels."""

    GLOBAL = "global"
    """One threshold on the scores for all layers."""


class Measure(StrEnum):
    """What a budget is counted in."""

    MACS = "macs"
    PARAMS = "params"
    SIZE = "size"

    def of(self, cost: Totals) -> int:
        """Multiply-accumulates, parameters, or bytes."""
        return {Measure.MACS: cost.macs, Measure.PARAMS: cost.params, Measure.SIZE: cost.bytes}[self]


@dataclass(frozen=True, slots=True)
class Budget:
    """At most this share of what the whole Graph costs.

    Attributes:
        measure: In what.
        share: Of 1, e.g. 0.5.
    """

    measure: Measure
    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise UsageError(f"{self.measure} {self.share:g}: a share above 0 and up to 1 is needed", hint="0.5 keeps half")


def plan_of(
    graph: Graph,
    budget: Budget,
    *,
    scorer: Scorer = DEFAULT,
    scope: Scope = Scope.INNER,
    channel_step: int = 8,
    skip: Collection[str] = (),
) -> Plan:
    """Which channels of a cleaned Graph to remove.

    Args:
        graph: The Graph, batch norm live or folded.
        budget: What the result may cost.
        scorer: Of every class of channels.
        scope: See `Scope`.
        channel_step: Widths are multiples of it where that can be.
        skip: Names of layers (of their outputs) that keep their width.

    Raises:
        LimitError: If even the narrowest widths cost more.
        UsageError: If no layer has a name that is to be skipped.
    """
    channels, schedules = ways(graph, scorer, channel_step, skip)
    whole = budget.measure.of(totals(graph))
    try:
        return choose(channels, schedules, lambda plan: budget.measure.of(plan.cost), budget.share * whole, scope)
    except TooMuchError as problem:
        least = problem.least / whole
        raise LimitError(
            f"{budget.measure} {budget.share:g}: the narrowest widths leave {least:.3f}",
            hint=f"ask for {least + 0.005:.2f} or more, or for a smaller channel step than {channel_step}",
        ) from problem


def ways(graph: Graph, scorer: Scorer, channel_step: int, skip: Collection[str]) -> tuple[Channels, tuple[Schedule, ...]]:
    """Channels of a Graph, and how every width that may change goes down; arguments as in `plan_of`.

    Raises:
        UsageError: If no layer has a name that is to be skipped.
    """
    channels = channels_of(graph)
    unknown = sorted(set(skip) - set(channels.layers))
    if unknown:
        raise UsageError(f"no layer named {unknown[0]}", hint="a layer goes by the name of its output; `mexport inspect` lists them")
    schedules = tuple(s for s in schedules_of(channels, scorer(channels), channel_step) if not set(s.block.layers) & set(skip))
    return channels, schedules


class TooMuchError(Exception):
    """Even the narrowest widths cost more than they may.

    Attributes:
        least: What they cost.
    """

    def __init__(self, least: float) -> None:
        super().__init__(least)
        self.least = least


def choose(
    channels: Channels, schedules: tuple[Schedule, ...], measured: Callable[[Plan], float], limit: float, scope: Scope = Scope.INNER
) -> Plan:
    """The widest plan of its kind within a limit.

    Args:
        channels: Of the Graph.
        schedules: Of the widths that may change.
        measured: What a plan costs: counted, or measured; asked once for each plan.
        limit: The most that the result may cost.
        scope: See `Scope`.

    Raises:
        TooMuchError: If even the narrowest widths cost more.
    """
    costs: dict[tuple[int, ...], float] = {}

    def cost(steps: tuple[int, ...]) -> float:
        if steps not in costs:
            costs[steps] = measured(Plan(channels, schedules, steps))
        return costs[steps]

    narrowest = tuple(s.stops[-1] for s in schedules)
    if cost(narrowest) > limit:
        raise TooMuchError(cost(narrowest))
    steps = _bisected(ladder_of(schedules, scope), cost, limit)
    return Plan(channels, schedules, _refined(schedules, steps, cost, limit, scope))


Cost = Callable[[tuple[int, ...]], float]
Ladder = Sequence[tuple[int, ...]]
"""Plans from the widest to the narrowest."""


def ladder_of(schedules: tuple[Schedule, ...], scope: Scope) -> Ladder:
    """Plans of a kind, from the widest to the narrowest; neighbours may be equal, or differ in several widths.

    Args:
        schedules: Of the widths that may change.
        scope: See `Scope`.
    """
    return _global(schedules) if scope is Scope.GLOBAL else _local(schedules, SUMMED_MORE if scope is Scope.INNER else 0.0)


def _local(schedules: tuple[Schedule, ...], more: float) -> Ladder:
    """The stops that are nearest to one share for all, and to one larger by so much for what sums join."""
    shares = 1.0 - np.arange(np.ceil((1.0 + more) * LEVELS) + 1) / LEVELS
    wanted = [np.clip(shares + more * s.block.summed, 0.0, 1.0) for s in schedules]
    kept = [np.array([[s.fraction(i) for i in s.stops]]) for s in schedules]
    chosen = [np.array(s.stops)[np.abs(w[:, None] - k).argmin(1)].tolist() for s, w, k in zip(schedules, wanted, kept, strict=True)]
    return [tuple(c[k] for c in chosen) for k in range(len(shares))]


def _global(schedules: tuple[Schedule, ...]) -> Ladder:
    levels = np.unique(np.concatenate([[0.0], *(s.scores[list(s.stops)] for s in schedules)]))
    reached = [np.searchsorted(s.scores[list(s.stops)], levels, side="right") - 1 for s in schedules]
    return [tuple(s.stops[max(int(r[k]), 0)] for s, r in zip(schedules, reached, strict=True)) for k in range(len(levels))]


def _bisected(ladder: Ladder, cost: Cost, limit: float) -> tuple[int, ...]:
    """The first rung within the limit, the last one being within it."""
    low, high = 0, len(ladder) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if cost(ladder[middle]) <= limit else (middle + 1, high)
    return ladder[high]


def _refined(schedules: tuple[Schedule, ...], steps: tuple[int, ...], cost: Cost, limit: float, scope: Scope) -> tuple[int, ...]:
    """Give single widths a stop back, those that lost most first, while the budget lasts."""
    tried: set[int] = set()
    while cost(steps) < AIM * limit and len(tried) < len(schedules):
        left = [i for i, n in enumerate(steps) if n and i not in tried]
        if not left:
            break
        worst = min(left, key=lambda i: schedules[i].fraction(steps[i]) if scope is not Scope.GLOBAL else -schedules[i].scores[steps[i]])
        stops = schedules[worst].stops
        wider = tuple(stops[stops.index(n) - 1] if i == worst else n for i, n in enumerate(steps))
        if cost(wider) <= limit:
            steps = wider
        else:
            tried.add(worst)
    return steps
