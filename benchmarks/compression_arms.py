"""One training of a compression figure: of a pruned and repaired net, or of the same architecture with fresh weights.

What it made lies in a folder of its own: the checkpoint while it trains, at the end the Graph and `row.json`.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from benchmarks.compression_data import Net, opened
from benchmarks.compression_latency import ratios
from benchmarks.results import Row
from benchmarks.sources import work_folder
from exporter.accuracy import score
from exporter.array import Array
from exporter.compression.normed import folded, prepared
from exporter.compression.prune_channels import PruneChannels
from exporter.compression.scoring import Evidence, scorer
from exporter.cost.count import totals
from exporter.data import Dataset
from exporter.graph import Graph, attr
from exporter.graph.evaluate import Evaluator
from exporter.graph.files import load_graph, save_graph
from exporter.pruning.prune import Settings, prune
from exporter.pruning.widths import Budget, Measure, Scope
from exporter.train.fit import fit
from exporter.train.history import Progress, Tick, Trained
from exporter.train.separate import separate
from exporter.train.settings import TrainSettings

ARMS = ("pruned", "scratch", "taught")
"""The pruned net, with its teacher; fresh weights with labels alone; fresh weights with the teacher as well."""

REPAIR_SAMPLES = 500


@dataclass(frozen=True)
class Case:
    """One figure.

    Attributes:
        model: Of the kit, below `models`.
        share: Of the MACs that may be left.
        least: Per cent of right answers to reach.
        minutes: Of training, by the clock; what processors need is written down as well.
        epochs: Of the pruned net and of the control instead, which give the same numbers on a busy machine: about the same processor time,
            as the control asks no teacher.
        seeds: How many runs.
        channel_step: Widths are multiples of it.
        over_scratch: Points that the pruned net must be above the same architecture trained from fresh weights; None: no control.
        pruning: Settings of `PruneChannels` that are not the usual ones.
        train: More of the settings of the training.
        timed: Whether latencies in onnxruntime and LiteRT are compared as well.
    """

    model: str
    share: float
    least: float
    minutes: float
    epochs: tuple[int, int] | None = None
    seeds: int = 1
    channel_step: int = 8
    over_scratch: float | None = None
    pruning: tuple[tuple[str, Any], ...] = ()
    train: tuple[tuple[str, Any], ...] = ()
    timed: bool = False

    @property
    def pass_(self) -> PruneChannels:
        """What prunes."""
        return PruneChannels(macs=self.share, **dict(self.pruning))


def folder_of(name: str, arm: str, seed: int) -> Path:
    """Where a run's files are."""
    return work_folder() / "compression" / f"{name}-{arm}-{seed}"


def smaller(case: Case, net: Net, seed: int) -> Graph:
    """The net, pruned and repaired."""
    x, _ = net.train.pick(REPAIR_SAMPLES)
    samples = {p.name: p.to_graph(x[p.source_name]) for p in net.graph.inputs}
    told = case.pass_
    chosen, budget = scorer(told.score, net.graph, Evidence(samples, net.train, net.graph, seed)), Budget(Measure.MACS, case.share)
    settings = Settings(budget, chosen, Scope(told.scope), channel_step=case.channel_step, seed=seed)
    return prune(net.graph, settings, samples).graph


def afresh(graph: Graph, seed: int) -> Graph:
    """The same architecture with He's normal weights, biases of zero and norms that do nothing."""
    result, rng = separate(graph), np.random.default_rng(seed)
    for node in result.nodes:
        for index, value in enumerate(node.inputs):
            if value is not None and value.const_value is not None:
                new = _fresh(node, index, value.const_value.numpy(), rng)
                if new is not None:
                    value.const_value = ir.tensor(new, name=value.name)
    return result


def _fresh(node: ir.Node, index: int, old: Array, rng: np.random.Generator) -> Array | None:
    """What an input of a layer starts with; None for what is no weight."""
    if node.op_type == "BatchNormalization":
        return np.full_like(old, 1.0 if index in (1, 4) else 0.0)
    if node.op_type not in ("Conv", "Gemm"):
        return None
    if index == 2:
        return np.zeros_like(old)
    reads = old.shape[1:] if node.op_type == "Conv" or attr(node, "transB", 0) else old.shape[:1]
    return np.asarray(rng.standard_normal(old.shape) * np.sqrt(2 / np.prod(reads)), np.float32)


def train(name: str, case: Case, arm: str, seed: int, minutes: float | None) -> None:
    """Prune, train, and write down what came out; goes on where a killed run was. Minutes go before the case's epochs."""
    folder, net = folder_of(name, arm, seed), opened(case.model)
    folder.mkdir(parents=True, exist_ok=True)
    start = smaller(case, net, seed)
    start = start if arm == "pruned" else afresh(start, seed)
    epochs = None if minutes or case.epochs is None else case.epochs[arm == "scratch"]
    settings = TrainSettings(minutes=minutes or case.minutes, epochs=epochs, seed=seed, **dict(case.train))
    teacher = None if arm == "scratch" else net.graph
    fresh = not (folder / "training").exists()
    given = prepared(start, net.train)
    done = fit(given, net.train, settings, teacher=teacher, keep=folder / "training", tick=_told(folder))
    graph = done.graph if given is start else folded(done.graph)
    (folder / "graph").mkdir(exist_ok=True)
    save_graph(graph, folder / "graph")
    (folder / "row.json").write_text(json.dumps(_row(net.graph, graph, done, fresh)))


def _told(folder: Path) -> Tick:
    """Every epoch is a line in a file."""
    seen: set[int] = set()

    def tick(progress: Progress) -> None:
        if progress.last.epoch not in seen:
            seen.add(progress.last.epoch)
            with (folder / "history.jsonl").open("a") as log:
                log.write(json.dumps(progress.last.as_dict()) + "\n")

    return tick


def _row(whole: Graph, graph: Graph, done: Trained, fresh: bool) -> Row:
    """What training says; the test pictures are not looked at here. Time of processors: of all cores, None for a run that was resumed."""
    cost, before = totals(graph), totals(whole)
    return {
        "macs": cost.macs / before.macs,
        "params": cost.params / before.params,
        "epochs": done.history[-1].epoch,
        "best_epoch": done.best.epoch,
        "steps": done.steps,
        "seconds": done.seconds,
        "cpu_seconds": time.process_time() if fresh else None,
        "stopped": done.stopped,
        "held_accuracy": [e.held_accuracy for e in done.history],
    }


def tested(name: str, case: Case, arm: str, seed: int) -> Row:
    """A finished run's row with its right answers on the test pictures."""
    folder, net = folder_of(name, arm, seed), opened(case.model)
    graph = load_graph(folder / "graph")
    latency = {"latency": ratios(net.graph, graph, net.train)} if case.timed else {}
    return {**json.loads((folder / "row.json").read_text()), "score": case.pass_.score, **right_answers(graph, net.test), **latency}


def right_answers(graph: Graph, data: Dataset) -> Row:
    """Counted as `mexport` counts them."""
    evaluator, (port,), (out,) = Evaluator(graph), graph.inputs, graph.outputs
    found = score(lambda x: evaluator.run({port.name: port.to_graph(x[port.source_name])})[out.name], data)
    return {"right": found.right, "n": found.n}
