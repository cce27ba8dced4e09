"""Prune a Graph: widths chosen, channels removed, the rest repaired; at once or little by little."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from exporter.array import Array
from exporter.cost.count import totals
from exporter.graph import Graph
from exporter.pruning.plan import Plan
from exporter.pruning.repair import PLACES, RIDGE, Tick, repair
from exporter.pruning.scores import Scorer
from exporter.pruning.widths import DEFAULT, Budget, Scope, plan_of


@dataclass(frozen=True, slots=True)
class Settings:
    """How to prune.

    Attributes:
        budget: What the result may cost, of 1.
        scorer: Of every class of channels.
        scope: One share for all layers, or one threshold.
        channel_step: Widths are multiples of it where that can be.
        skip: Names of layers that keep their width.
        rounds: 1: at once; else little by little, every round cutting the same share and repairing.
        ridge: Of the repair.
        places: Of each sample's map, for the repair.
        seed: Of the places.
    """

    budget: Budget
    scorer: Scorer = DEFAULT
    scope: Scope = Scope.LOCAL
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


def prune(graph: Graph, settings: Settings, samples: Mapping[str, Array] | None = None, *, tick: Tick = lambda done: None) -> Pruned:
    """Prune a cleaned Graph, batch norm live or folded; it stays as it is.

    Args:
        graph: The Graph.
        settings: How.
        samples: Inputs by Graph input name, in Graph layout, that the rest is repaired with; None: it is not.
        tick: Told the number of layers repaired in this round.

    Raises:
        LimitError: If even the narrowest widths cost more than the budget.
        UsageError: If no layer has a name that is to be skipped.
    """
    whole, now = settings.budget.measure.of(totals(graph)), graph
    kept: Mapping[str, Array] = {}
    plans: list[Plan] = []
    for i in range(1, settings.rounds + 1):
        limit = settings.budget.share ** (i / settings.rounds) * whole
        budget = replace(settings.budget, share=min(limit / settings.budget.measure.of(totals(now)), 1.0))
        plan = plan_of(now, budget, scorer=settings.scorer, scope=settings.scope, channel_step=settings.channel_step, skip=settings.skip)
        now, kept = plan.apply(), composed(kept, plan.kept)
        plans.append(plan)
        if samples is not None:
            now = repair(graph, now, kept, samples, ridge=settings.ridge, places=settings.places, seed=settings.seed, tick=tick)
    return Pruned(graph, now, kept, tuple(plans))


def composed(before: Mapping[str, Array], then: Mapping[str, Array]) -> dict[str, Array]:
    """Channels of the whole Graph that are left after one more round; an empty `before` is the whole."""
    return {name: np.asarray(before[name][rows] if before else rows) for name, rows in then.items()}
