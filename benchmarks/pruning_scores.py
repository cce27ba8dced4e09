"""Which score of channels is the best? Nets of the kit at half their MACs, all by the same widths, repaired and then trained a little.

    python -m benchmarks.pruning_scores [NET ...] [--train] [--again]

Every fifth training picture measures, the others are pruned, repaired and trained with; the test pictures are not looked at. A seed draws
the batches and places that a score looks at, those of the repair, and all of the training. Repaired graphs are kept in the work folder.
"""

import sys
import time
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from benchmarks.compression_data import FLOWERS, RESNET8, opened
from benchmarks.markdown import table
from benchmarks.results import Results, Row, Rows, again, wanted
from benchmarks.sources import work_folder
from exporter.array import Array
from exporter.compression.scoring import SCORERS, Evidence, scorer
from exporter.cost.count import totals
from exporter.data import Dataset
from exporter.data.dataset import Some
from exporter.graph import Graph
from exporter.graph.evaluate import Evaluator
from exporter.graph.files import load_graph, save_graph
from exporter.pruning.repair import repair
from exporter.pruning.widths import Budget, Measure, Scope, plan_of

HALF = Budget(Measure.MACS, 0.5)
SAMPLES = 500
"""For the scores and the repair."""

MEASURED = 5
"""One in so many training pictures measures."""

WORKED = 4000
"""Pictures to train with, at most."""

UNLABELLED = "taylor-unlabelled"
"""Of the teacher's answers instead."""


@dataclass(frozen=True)
class Case:
    """A net.

    Attributes:
        model: Of the kit, below `models`.
        epochs: Of the training, the same for every score.
        seeds: How many runs.
    """

    model: str
    epochs: int
    seeds: int


CASES = {"resnet8": Case(RESNET8, 3, 2), "flowers": Case(FLOWERS, 3, 1)}
NAMES = [*SCORERS, UNLABELLED]

HEADS = ["net", "score", "seconds", "pruned", "repaired", "trained"]
INTRO = """## Scores of channels

Half the MACs, all scores with the same widths; per cent right of 5,000 (CIFAR-10) training pictures that nothing else looked at: pruned,
repaired by least squares on 500 pictures, and after three epochs over 4,000 (DIST and labels), where that was run; mean and standard
deviation over the seeds (how many). The seconds of scoring were taken on a busy host: they tell cheap scores from dear ones, no more.

"""


def split(data: Dataset) -> tuple[Dataset, Dataset]:
    """To work with, and to measure on; the pictures come class by class."""
    marks = np.arange(len(data)) % MEASURED == MEASURED - 1
    return _part(data, np.flatnonzero(~marks)).some(WORKED), _part(data, np.flatnonzero(marks))


def _part(data: Dataset, indices: Array) -> Dataset:
    assert data.labels is not None
    return Dataset(Some(data.samples, indices.tolist()), data.labels[indices], data.class_names)


def accuracy(graph: Graph, data: Dataset) -> float:
    """Per cent right."""
    evaluator, right = Evaluator(graph), 0
    for inputs, labels in data.batches(250):
        fed = {p.name: p.to_graph(inputs[p.source_name]) for p in graph.inputs}
        right += int((evaluator.run(fed)[graph.outputs[0].name].argmax(1) == labels).sum())
    return 100 * right / len(data)


@cache
def ready(case: Case) -> tuple[Graph, Dataset, Dataset, float]:
    """A net, what it is worked on with, what measures it, and what it gets there as it is."""
    net = opened(case.model)
    work, held = split(net.train)
    return net.graph, work, held, accuracy(net.graph, held)


def repaired(case: Case, name: str, seed: int, folder: Path) -> Row:
    """One score, one seed: pruned and repaired, and kept in a folder."""
    graph, work, held, whole = ready(case)
    inputs, _ = work.pick(SAMPLES)
    samples = {p.name: p.to_graph(inputs[p.source_name]) for p in graph.inputs}
    labelled = None if name == UNLABELLED else work
    start = time.perf_counter()
    how = scorer("taylor" if name == UNLABELLED else name, graph, Evidence(samples, labelled, graph, seed))
    plan = plan_of(graph, HALF, scorer=how, scope=Scope.LOCAL)
    scored = time.perf_counter() - start
    bare = plan.apply()
    result = repair(graph, bare, plan.kept, samples, seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    save_graph(result, folder)
    shares = {"macs": totals(bare).macs / totals(graph).macs, "score_s": scored}
    return {**shares, "whole": whole, "bare": accuracy(bare, held), "repaired": accuracy(result, held)}


def trained(case: Case, seed: int, folder: Path) -> Row:
    """The same after a training of so many epochs."""
    from exporter.train.fit import fit
    from exporter.train.settings import TrainSettings

    graph, work, held, _ = ready(case)
    found = fit(load_graph(folder), work, TrainSettings(epochs=case.epochs, seed=seed), teacher=graph)
    return {"trained": accuracy(found.graph, held), "train_s": found.seconds, "epochs": case.epochs}


def section(rows: Rows) -> str:
    """For docs/benchmarks.md."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for key, row in rows.items():
        net, name, *_ = key.split("/")
        groups.setdefault((net, name), []).append(row)
    return INTRO + table(HEADS, [[*names, *_line(found)] for names, found in groups.items()])


def _line(rows: list[Row]) -> list[str]:
    found = {key: [r[key] for r in rows if key in r] for key in ("score_s", "bare", "repaired", "trained")}
    seconds = f"{np.mean(found['score_s']):.0f}" if found["score_s"] else ""
    return [seconds, *(_spread(found[key]) for key in ("bare", "repaired", "trained"))]


def _spread(values: list[float]) -> str:
    return f"{np.mean(values):.1f} ± {np.std(values):.1f} ({len(values)})" if values else ""


def main() -> None:
    """All nets, or those named: first repaired, then trained, seed after seed, so that a stopped run has all scores."""
    results, folder = Results("pruning_scores", again=again()), work_folder() / "scores"
    nets = wanted(list(CASES))
    runs = [(net, seed, name) for net in nets for seed in range(CASES[net].seeds) for name in NAMES]
    for net, seed, name in runs:
        results.fill(f"{net}/{name}/{seed}", partial(repaired, CASES[net], name, seed, folder / f"{net}-{name}-{seed}"))
    for net, seed, name in runs if "--train" in sys.argv else ():
        results.fill(f"{net}/{name}/{seed}/trained", partial(trained, CASES[net], seed, folder / f"{net}-{name}-{seed}"))
    print(section(results.rows))


if __name__ == "__main__":
    main()
