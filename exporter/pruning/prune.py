"""Prune a Graph: widths chosen, channels removed, the rest repaired; at once or little by little."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from exporter.array import Array
from exporter.graph import Graph
from exporter.pruning.plan import Plan
from exporter.pruning.repair import PLACES, RIDGE, Tick, repair
from exporter.pruning.schedule import Schedule
from exporter.pruning.scores import Scorer
from exporter.pruning.widths import DEFAULT, Budget, Scope, plan_of, ways


@dataclass(frozen=True, slots=True)
class Settings:
    """How to prune.

    Attributes:
        budget: What the result may cost, of 1.
        scorer: Of every class of channels.
        scope: See `Scope`.
        channel_step: Widths are multiples of it where that can be.
        skip: Names of layers that keep their width.
        rounds: 1: at once; else little by little, to the same widths: every round scores, cuts and repairs what the last one left.
        ridge: Of the repair.
        places: Of each sample's map, for the repair.
        seed: Of the places.
    """

    budget: Budget
    scorer: Scorer = DEFAULT
    scope: Scope = Scope.INNER
    channel_step: int = 8
    skip: Collection[str] = ()
    rounds: int = 1
    ridge: float = RIDGE
    places: int = PLACES
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Pruned:
    """What is left of a Graph.

    Attributes:
        whole: The Graph before.
        graph: The Graph after.
        kept: Output channels of the whole Graph that each layer has kept, int64, by layer name.
        plans: Of each round.
    """

    whole: Graph
    graph: Graph
    kept: Mapping[str, Array]
    plans: tuple[Plan, ...]


def prune(
    graph: Graph,
    settings: Settings,
    samples: Mapping[str, Array] | None = None,
    *,
    final: Plan | None = None,
    tick: Tick = lambda done: None,
) -> Pruned:
    """Prune a cleaned Graph, batch norm live or folded; it stays as it is.

    Args:
        graph: The Graph.
        settings: How.
        samples: Inputs by Graph input name, in Graph layout, that the rest is repaired with; None: it is not.
        final: Widths to end at, where they were chosen otherwise than by the budget.
        tick: Told the number of layers repaired in this round.

    Raises:
        LimitError: If even the narrowest widths cost more than the budget.
        UsageError: If no layer has a name that is to be skipped.
    """
    how = settings
    final = final or plan_of(graph, how.budget, scorer=how.scorer, scope=how.scope, channel_step=how.channel_step, skip=how.skip)
    now, kept, plans = graph, dict[str, Array](), list[Plan]()
    for i in range(1, how.rounds + 1):
        plan = final if how.rounds == 1 else _part(now, final, i / how.rounds, how)
        now, kept = plan.apply(), composed(kept, plan.kept)
        plans.append(plan)
        if samples is not None:
            now = repair(graph, now, kept, samples, ridge=how.ridge, places=how.places, seed=how.seed, tick=tick)
    return Pruned(graph, now, kept, tuple(plans))


def _part(now: Graph, final: Plan, part: float, how: Settings) -> Plan:
    """A plan that takes what is left of the Graph a part of the way to the final widths, by scores taken anew."""
    channels, schedules = ways(now, how.scorer, how.channel_step, how.skip)
    wanted = {}
    for one, steps in zip(final.schedules, final.steps, strict=True):
        first, last = one.widths[0].sum(), one.widths[steps].sum()
        wanted[one.block.layers] = first - part * (first - last)
    return Plan(channels, schedules, tuple(_down_to(s, wanted.get(s.block.layers, np.inf)) for s in schedules))


def _down_to(one: Schedule, width: float) -> int:
    """The fewest steps that leave at most so many channels, all layers of the width together; all steps where none does."""
    within = np.flatnonzero(one.widths.sum(1) <= width + 1e-9)
    return int(within[0]) if len(within) else len(one.steps)


def composed(before: Mapping[str, Array], then: Mapping[str, Array]) -> dict[str, Array]:
    """Channels of the whole Graph that are left after one more round; an empty `before` is the whole."""
    return {name: np.asarray(before[name][rows] if before else rows) for name, rows in then.items()}
