"""Prune a small Graph written as text, and prove that it is the zeroed one."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from exporter.array import Array
from exporter.channels.classes import channels_of
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.pruning.plan import Plan, schedules_of
from exporter.pruning.proof import require_exact
from exporter.pruning.scores import class_scores, l2
from tests.graphs import graph_from_text, random_inputs

EXACT = 1e-5
"""float32 sums of the same numbers in another order; a wrong channel anywhere is off by a tenth and more."""


@dataclass(frozen=True)
class Pruned:
    """A whole Graph, the plan, and what is left."""

    whole: Graph
    plan: Plan
    graph: Graph

    def widths(self) -> dict[str, int]:
        """Output channels of each layer."""
        return {name: len(self.plan.kept[name]) for name in self.plan.channels.layers}

    def constant(self, output: str, index: int) -> Array:
        """A constant input of the node that makes a value."""
        node = next(n for n in self.graph.nodes if n.outputs[0].name == output)
        value = node.inputs[index]
        assert value is not None
        assert value.const_value is not None
        return value.const_value.numpy()


def weights(seed: int = 0, **shapes: tuple[int, ...]) -> dict[str, Array]:
    """N(0, 1) arrays; names that begin with "var" are positive."""
    random = np.random.default_rng(seed)
    return {k: np.abs(random.normal(size=s)) + 0.5 if k.startswith("var") else random.normal(size=s) for k, s in shapes.items()}


def prune(graph: Graph | str, inits: Mapping[str, Array] | None = None, *, share: float = 0.5, channel_step: int = 2) -> Pruned:
    """Every width as near to a share as it goes; proved on a batch of 3, and that something was cut."""
    whole = graph_from_text(graph, inits) if isinstance(graph, str) else graph
    channels = channels_of(whole)
    schedules = schedules_of(channels, class_scores(channels, l2), channel_step)
    steps = tuple(min(s.stops, key=lambda i: abs(s.fraction(i) - share)) for s in schedules)
    plan = Plan(channels, schedules, steps)
    result = plan.apply()
    inputs = random_inputs(whole, samples=3)
    require_exact(whole, result, plan.removed, inputs, EXACT)
    before, after = evaluate(whole, inputs), evaluate(result, inputs)
    assert all(before[name].shape == after[name].shape for name in before)
    if plan.removed:
        assert any(np.abs(before[name] - after[name]).max() > 1e-3 for name in before), "nothing that counts was removed"
    return Pruned(whole, plan, result)
