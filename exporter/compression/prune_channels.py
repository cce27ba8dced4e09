"""The pass that removes channels: to a budget, by a score, and the rest repaired."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.channels.layers import layers_of
from exporter.compression.ascent import judge
from exporter.compression.given import Given, Made
from exporter.compression.latency import plan_of_latency
from exporter.compression.scoring import SCORERS, Evidence, scorer
from exporter.cost.count import totals
from exporter.errors import UsageError, unknown_name
from exporter.graph import Graph
from exporter.latency import ratio_interval
from exporter.pruning.norms import reestimated
from exporter.pruning.plan import Plan
from exporter.pruning.prune import Settings, prune
from exporter.pruning.scores import Scorer
from exporter.pruning.widths import Budget, Measure, Scope

BUDGETS = ("macs", "params", "size", "latency")
"""Settings of which exactly one says how much is left."""


@dataclass(frozen=True, slots=True)
class PruneChannels:
    """Remove channels until the model costs a share of what it cost as it came.

    Given: a cleaned Graph, batch norms live or folded. Result: smaller tensors, the same inputs and outputs.

    Attributes:
        macs: Share of multiply-accumulates that is left at most, above 0 and up to 1; likewise the next three, of which one is given.
        params: Share of parameters.
        size: Share of bytes.
        latency: Share of the time in the target's engine on this host; it is met within 5 %.
        score: How much a channel matters, a name of `SCORERS`; the usual one looks at samples.
        scope: "inner": one share for all layers, a larger one for residual streams; "local": one for all; "global": one threshold.
        rounds: 1: at once; else little by little.
        channel_step: Widths are multiples of it where that can be; 0 for the target's, 8 without one.
        repair: Whether the weights that are left are fitted by least squares to what the layers made before.
        skip: Layers (names of their outputs) that keep their width.

    Source: Fang et al. 2023, https://arxiv.org/abs/2301.12900 (groups); Luo et al. 2017, https://arxiv.org/abs/1707.06342 (repair).
    """

    macs: float | None = None
    params: float | None = None
    size: float | None = None
    latency: float | None = None
    score: str = "entropy-next"
    scope: str = "inner"
    rounds: int = 1
    channel_step: int = 0
    repair: bool = True
    skip: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "skip", tuple(self.skip))
        asked = [name for name in BUDGETS if getattr(self, name) is not None]
        if len(asked) != 1:
            said = f"{' and '.join(asked)} together" if asked else "no budget"
            raise UsageError(f"PruneChannels: {said}", hint=f"give one of {', '.join(BUDGETS)}: macs = 0.5 keeps half")
        share = getattr(self, asked[0])
        if not 0 < share <= 1:
            raise UsageError(f"{asked[0]} {share:g}: a share above 0 and up to 1 is needed", hint="0.5 keeps half")
        if self.score not in SCORERS:
            raise unknown_name("score", self.score, SCORERS)
        if self.scope not in [s.value for s in Scope]:
            raise unknown_name("scope", self.scope, [s.value for s in Scope])
        if self.rounds < 1 or self.channel_step < 0:
            raise UsageError("PruneChannels: rounds must be above 0, channel_step not below", hint="rounds = 1 prunes at once")

    @property
    def budget(self) -> tuple[str, float]:
        """What is limited, and the share of it that is left."""
        return next((name, getattr(self, name)) for name in BUDGETS if getattr(self, name) is not None)

    def needs(self, given: Given) -> None:
        """See `Compressor`."""
        if self.repair and given.samples is None:
            raise UsageError(
                "pruning repairs what is left, and there are no pictures to do it with",
                hint='give --train DATA or --samples DATA; `repair = false` and `score = "l1"` in a recipe go without',
            )

    def __call__(self, graph: Graph, given: Given) -> Made:
        """See `Compressor`.

        Raises:
            LimitError: If even the narrowest widths cost more than the budget.
            UsageError: If a layer is to be skipped that is not there, or the score needs data that are not there.
        """
        samples = given.samples if self.repair else None
        chosen = scorer(self.score, graph, Evidence(given.samples, given.data, given.teacher or given.start, given.seed))
        plan, facts = self._timed(graph, given, chosen)
        with given.console.stage(f"pruning to {self.budget[0]} {self.budget[1]:g}"):
            done = prune(graph, self._settings(graph, given, chosen), samples, final=plan)
        result = done.graph if samples is not None or given.samples is None else reestimated(done.graph, given.samples)
        return Made(result, {**facts, "widths": widths(done.kept, graph)})

    def _timed(self, graph: Graph, given: Given, chosen: Scorer) -> tuple[Plan | None, dict[str, Any]]:
        """The plan of a budget in time, and what was measured; None for what can be counted."""
        if self.latency is None:
            return None, {}
        with given.console.stage(f"measuring widths in the engine of {given.format}"):
            plan, measured = plan_of_latency(
                graph, self.latency, given.format, scorer=chosen, scope=Scope(self.scope), channel_step=self._step(given),
                skip=self.skip, threads=given.threads, whole=given.start,
            )  # fmt: skip
        a, b = np.asarray(measured.a_cpu_ms), np.asarray(measured.b_cpu_ms)
        low, high = ratio_interval(a, b, measured.process_pairs, given.seed)
        share = float(np.median(judge(given.threads)(measured)))
        if share > self.latency:
            given.console.warn(f"the widths found take {share:.3f} of the time, a little more than the {self.latency:g} asked for")
        return plan, {"processor_time": {"ratio": float(np.median(b / a)), "low": low, "high": high, "pairs": len(a)},
                      "clock": {"ratio": measured.ratio, "low": measured.low, "high": measured.high, "pairs": len(a)}}  # fmt: skip

    def _settings(self, graph: Graph, given: Given, chosen: Scorer) -> Settings:
        """Budgets count from the model as it came; those in time come as a plan."""
        name, share = self.budget
        budget = Budget(Measure.MACS, 1.0)
        if name != "latency":
            measure = Measure(name)
            budget = Budget(measure, min(share * measure.of(given.whole) / measure.of(totals(graph)), 1.0))
        return Settings(budget, chosen, Scope(self.scope), self._step(given), self.skip, self.rounds, seed=given.seed)

    def _step(self, given: Given) -> int:
        return self.channel_step or given.channel_step


def widths(kept: Mapping[str, Array], graph: Graph) -> dict[str, list[int]]:
    """Output channels of each layer that has lost some: before and after."""
    before = {name: layer.rows for name, layer in layers_of(graph).items()}
    return {name: [before[name], len(rows)] for name, rows in kept.items() if len(rows) < before[name]}
