"""The float net's outputs on a few samples, and what candidates lose against them."""

from collections.abc import Mapping
from functools import cached_property
from math import prod

import numpy as np

from exporter.array import Array
from exporter.cost.count import totals
from exporter.graph import Graph, shape_of
from exporter.graph.evaluate import Evaluator
from exporter.graph.scores import softmax_scores
from exporter.quantization.measure import Loss, Tail, halves, loss, tails
from exporter.quantization.switchboard import CHUNK, Feeds, Switchboard

ELEMENT_COST = 40
"""Multiply-accumulates that take as long as rounding one element of an activation, roughly."""

WORK = 2e11
"""Multiply-accumulates that all candidates together may take: a minute on two cores, roughly. Counted, so that a choice never depends on
how busy the machine is."""


RUNS = 40
"""Runs over all samples that must be affordable: of a big net fewer samples are looked at."""

LEAST = 16
"""Samples, however big the net."""


class Gauge:
    """Measures candidates: by some samples they are chosen, by others the choice is confirmed.

    Args:
        graph: The float Graph, before anything was changed: what all losses are against.
        samples: By Graph input name, in Graph layout.
    """

    def __init__(self, graph: Graph, samples: Mapping[str, Array]) -> None:
        self.graph = graph
        self.tails: tuple[Tail, ...] = tails(graph)
        self._scores = frozenset(softmax_scores(graph))
        self.values = tuple(dict.fromkeys(end.value for end in self.tails))
        self._cost = totals(graph).macs + ELEMENT_COST * _elements(graph)
        few = int(max(WORK / RUNS / self._cost, LEAST))
        chosen, self._unseen = halves(samples)
        self.choosing, self.confirming = spread(chosen, few - few // 2), spread(self._unseen, few // 2)
        self.samples = {name: np.concatenate([x, self.confirming[name]]) for name, x in self.choosing.items()}
        self.runs = 0
        self._references = {id(part): _outputs(graph, part, self.values) for part in (self.choosing, self.confirming)}

    def choose(self, board: Switchboard, feeds: Feeds) -> Loss:
        """Loss on the samples that choices are made by."""
        return self._loss(board, feeds, self.choosing)

    def gains(self, board: Switchboard, feeds: Feeds, than: tuple[float, float] | None = None) -> tuple[float, float]:
        """Quality in dB on two parts of the samples to choose by, less that of another candidate: what helps, helps on both."""
        self.runs += 1
        got = board.run(feeds, self.choosing, self.values)
        reference = self._references[id(self.choosing)]
        parts = [slice(0, None, 2), slice(1, None, 2)] if len(next(iter(self.choosing.values()))) > 1 else [slice(None)] * 2
        first, second = (loss(self.tails, *({v: x[v][part] for v in self.values} for x in (reference, got))).quality_db for part in parts)
        return (first - than[0], second - than[1]) if than else (first, second)

    def confirm(self, board: Switchboard, feeds: Feeds) -> Loss:
        """Loss on the samples that no choice saw."""
        return self._loss(board, feeds, self.confirming)

    def choose_graph(self, graph: Graph) -> Loss:
        """As `choose`, of a Graph with its pairs: for those that no switchboard stands for."""
        return self._loss_of(graph, self.choosing, frozenset())

    def confirm_graph(self, graph: Graph) -> Loss:
        """As `confirm`, of a Graph with its pairs, and as files are judged: of what only a final Softmax reads, what it tells apart.
        Ranges and weights before the last are not chosen by that: of confident answers nothing is left to choose by."""
        return self._loss_of(graph, self.confirming, self._scores)

    def judge_graph(self, graph: Graph) -> Loss:
        """As `confirm_graph`, on all samples at hand that no choice saw: for the few decisions that come last."""
        self.runs += 1
        return self.judged(self._real, _outputs(graph, self._unseen, self.values))

    def everything(self, graph: Graph) -> dict[str, Array]:
        """Measured values of a Graph on all samples, in their order."""
        self.runs += 1
        return _outputs(graph, self.samples, self.values)

    def judged(self, real: Mapping[str, Array], got: Mapping[str, Array]) -> Loss:
        """Measured values held against the float net's, as files are judged: see `confirm_graph`."""
        return loss(self.tails, real, got, self._scores)

    @cached_property
    def _real(self) -> dict[str, Array]:
        return _outputs(self.graph, self._unseen, self.values)

    def affordable(self, share: float, least: int, most: int) -> int:
        """How many candidates a step may run.

        Args:
            share: Of the work allowed in all.
            least: Never fewer.
            most: Never more.
        """
        return int(min(max(share / self.work(1), least), most))

    def work(self, runs: int) -> float:
        """Of so many runs over the samples to choose by, as a share of what is allowed in all."""
        return runs * self._cost * len(next(iter(self.choosing.values()))) / WORK

    def _loss_of(self, graph: Graph, samples: Mapping[str, Array], scores: frozenset[str]) -> Loss:
        self.runs += 1
        return loss(self.tails, self._references[id(samples)], _outputs(graph, samples, self.values), scores)

    def _loss(self, board: Switchboard, feeds: Feeds, samples: Mapping[str, Array]) -> Loss:
        self.runs += 1
        return loss(self.tails, self._references[id(samples)], board.run(feeds, samples, self.values))


def _outputs(graph: Graph, samples: Mapping[str, Array], values: tuple[str, ...]) -> dict[str, Array]:
    count = len(next(iter(samples.values())))
    evaluator = Evaluator(graph, values)
    parts = [evaluator.run({k: v[i : i + CHUNK] for k, v in samples.items()}) for i in range(0, count, CHUNK)]
    return {name: np.concatenate([part[name] for part in parts]) for name in values}


def spread(samples: Mapping[str, Array], most: int) -> dict[str, Array]:
    """At most so many of the samples, evenly spread."""
    count = len(next(iter(samples.values())))
    chosen = np.unique(np.linspace(0, count - 1, min(most, count)).astype(int))
    return {name: x[chosen] for name, x in samples.items()}


def _elements(graph: Graph) -> int:
    """Of all computed values of one sample."""
    return sum(prod(shape_of(value)) for node in graph.nodes for value in node.outputs)
