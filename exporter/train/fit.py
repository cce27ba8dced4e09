"""Train a Graph on a data set, with labels, a teacher, or both."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from exporter.array import Array
from exporter.data import Dataset
from exporter.fingerprint import fingerprint
from exporter.graph import Graph
from exporter.graph.qdq import Quantization, insert
from exporter.train.bridge import Bridge
from exporter.train.checkpoint import Keeper
from exporter.train.feed import halves
from exporter.train.history import Progress, Tick, Trained
from exporter.train.loop import Loop
from exporter.train.objective import Objective
from exporter.train.parity import SAMPLES, require_parity, require_rounded_parity
from exporter.train.separate import separate
from exporter.train.settings import TrainSettings


def fit(
    graph: Graph,
    data: Dataset,
    settings: TrainSettings | None = None,
    *,
    teacher: Graph | None = None,
    keep: Path | None = None,
    tick: Tick | None = None,
    frozen: Collection[str] = (),
    rounding: Quantization | None = None,
) -> Trained:
    """Train, and give back the Graph with the weights that were best on held-out samples.

    Args:
        graph: Cleaned, batch norms live (or finished); stays as it is.
        data: Its samples are preprocessed for the graph's source; labels are optional with a teacher.
        settings: How; ten minutes with DIST by default.
        teacher: Mostly the graph before it was compressed: the same inputs and outputs.
        keep: Folder of this run's checkpoint: a run that was killed goes on from there. None: nothing is kept.
        tick: Told about every step.
        frozen: Names of weights to leave as they are.
        rounding: What of the graph is rounded in every step; weights come back as floats. None: nothing.

    Raises:
        UsageError: If there is nothing to learn from, or settings do not fit the model.
        DataError: If there are too few samples, or labels go beyond the classes.
        UnsupportedOpError: If the model has layers that cannot be trained; names them.
        ParityError: If the trainer's form of the model does not equal the Graph, before or after.
        MexportError: If the training diverges.
    """
    settings, student = settings or TrainSettings(), separate(graph)
    some, _ = data.pick(SAMPLES)
    bridge = Bridge(student, frozen=frozen)
    require_parity(bridge, student, some)
    if rounding is not None:
        bridge = Bridge(student, frozen=frozen, rounding=rounding)
        _parity(bridge, student, rounding, some)
    objective = Objective(bridge, None if teacher is None else separate(teacher), settings, data.labels)
    graphs = [student, *([] if teacher is None else [teacher]), *([] if rounding is None else [insert(student, rounding)])]
    keeper = Keeper(keep, "" if keep is None else _run(graphs, data, settings, frozen))
    loop = Loop(objective, halves(data, settings.held_out, settings.seed), settings, keeper, tick or _silent)
    stopped = loop.run()
    bridge.restore(loop.best_weights)
    trained = bridge.to_graph()
    parity = _parity(bridge, trained, rounding, some)
    return Trained(trained, tuple(loop.history), loop.best, loop.step, loop.schedule.spent_s, stopped, parity)


def _silent(progress: Progress) -> None:
    """Nobody listens."""


def _parity(bridge: Bridge, graph: Graph, rounding: Quantization | None, some: Mapping[str, Array]) -> float:
    if rounding is None:
        return require_parity(bridge, graph, some)
    return require_rounded_parity(bridge, insert(graph, rounding), some)


def _run(graphs: Sequence[Graph], data: Dataset, settings: TrainSettings, frozen: Collection[str]) -> str:
    return fingerprint(graphs=[weights_sha256(g) for g in graphs], data=data.sha256, settings=settings, frozen=sorted(frozen))


def weights_sha256(graph: Graph) -> str:
    """Over nodes, names and weights."""
    digest = hashlib.sha256()
    for node in graph.nodes:
        digest.update(f"{node.op_type} {[v and v.name for v in node.inputs]} {[v.name for v in node.outputs]}".encode())
    for name, value in graph.model.graph.initializers.items():
        if value.const_value is not None:
            digest.update(name.encode() + np.ascontiguousarray(value.const_value.numpy()).tobytes())
    return digest.hexdigest()
