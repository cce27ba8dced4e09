"""Scores of channels by name, those that need data too.

A score that needs data closes over the data, not over what it found in them: each round of pruning asks it about the Graph of that round.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from exporter.array import Array
from exporter.channels.classes import Channels
from exporter.data import Dataset, InputSpec
from exporter.data.arrays import Arrays
from exporter.data.rows import MemoryRows
from exporter.errors import UsageError, unknown_name
from exporter.graph import Graph
from exporter.pruning import reconstruction
from exporter.pruning.responses import responses
from exporter.pruning.scores import SCORES, Entropy, Scorer, by, class_scores, discriminating, random, taylor, with_next, with_previous


@dataclass(frozen=True)
class Evidence:
    """What scores may look at.

    Attributes:
        samples: Inputs by Graph input name, in Graph layout; None where there are none.
        data: Samples with labels; None where there are none.
        teacher: Mostly the Graph before it was compressed: its answers stand in for labels.
        seed: Of what is drawn: places of maps, batches, answers.
    """

    samples: Mapping[str, Array] | None = None
    data: Dataset | None = None
    teacher: Graph | None = None
    seed: int = 0


def scorer(name: str, graph: Graph, evidence: Evidence) -> Scorer:
    """A score by name.

    Args:
        name: One of `SCORERS`.
        graph: What is pruned first; all later ones come from it.
        evidence: What it may look at.

    Raises:
        UsageError: If there is no score of that name, or it lacks what it needs.
    """
    if name not in SCORERS:
        raise unknown_name("score", name, SCORERS)
    return SCORERS[name](name, graph, evidence)


def _plain(name: str, graph: Graph, evidence: Evidence) -> Scorer:
    return by(random(evidence.seed) if name == "random" else SCORES[name])


def _entropy(name: str, graph: Graph, evidence: Evidence) -> Scorer:
    samples = _samples(name, evidence)

    def score(channels: Channels) -> Array:
        found = Entropy(responses(channels.graph, samples))
        ways = {"entropy-previous": with_previous, "entropy-next": with_next}
        return class_scores(channels, ways[name](channels, found) if name in ways else found.own)

    return score


def _reconstruction(name: str, graph: Graph, evidence: Evidence) -> Scorer:
    make = {"thinet": reconstruction.greedy, "lasso": reconstruction.lasso}[name]
    return make(_samples(name, evidence), evidence.seed)


def _taylor(name: str, graph: Graph, evidence: Evidence) -> Scorer:
    data = _data(name, graph, evidence)

    def score(channels: Channels) -> Array:
        total: dict[str, Array] = dict.fromkeys(channels.layers, np.zeros(()))
        for found in _each(channels.graph, data, evidence.teacher, evidence.seed):
            one = taylor(found)
            total = {n: before + one(channels.layers[n]) for n, before in total.items()}
        return class_scores(channels, lambda layer: total[layer.name])

    return score


def _discriminating(name: str, graph: Graph, evidence: Evidence) -> Scorer:
    from exporter.train.gradients import gradients

    data, teacher = _data(name, graph, evidence), evidence.teacher or graph

    def score(channels: Channels) -> Array:
        return discriminating(gradients(channels.graph, data, teacher=teacher, reconstruction=True, seed=evidence.seed))(channels)

    return score


SCORERS: Mapping[str, Callable[[str, Graph, Evidence], Scorer]] = {
    **dict.fromkeys(("l2", "l1", "gamma", "fpgm", "random"), _plain),
    "taylor": _taylor,
    "discriminating": _discriminating,
    **dict.fromkeys(("entropy", "entropy-previous", "entropy-next"), _entropy),
    **dict.fromkeys(("thinet", "lasso"), _reconstruction),
}
"""By name: how it comes from its name, the Graph and the evidence. The first is the default."""


def _each(graph: Graph, data: Dataset, teacher: Graph | None, seed: int) -> Iterator[dict[str, Array]]:
    from exporter.train.gradients import each

    return each(graph, data, teacher=teacher, seed=seed)


def _samples(name: str, evidence: Evidence) -> Mapping[str, Array]:
    if evidence.samples is None:
        raise UsageError(f"score {name} needs samples of the input", hint="give --train DATA or --samples DATA, or take --score l2")
    return evidence.samples


def _data(name: str, graph: Graph, evidence: Evidence) -> Dataset:
    """Labelled data; else any, which a teacher answers."""
    labelled = evidence.data is not None and evidence.data.labels is not None
    if not labelled and evidence.teacher is None:
        raise UsageError(f"score {name} needs data with labels, or a teacher", hint="give --train DATA with labels, or take --score l2")
    return _as_data(graph, _samples(name, evidence)) if evidence.data is None else evidence.data


def _as_data(graph: Graph, samples: Mapping[str, Array]) -> Dataset:
    """Samples as unlabelled data."""
    arrays = {p.source_name: p.to_source(samples[p.name]) for p in graph.inputs}
    specs = [InputSpec(p.source_name, arrays[p.source_name].shape[1:], "plain") for p in graph.inputs]
    rows = {name: MemoryRows(x) for name, x in arrays.items()}
    return Dataset(Arrays("samples", rows, specs, {}, lambda digest: None))
