"""The model before and after each step: what it costs, what it gets right, how long it takes in each engine; against the start."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from exporter.accuracy import score
from exporter.array import Array
from exporter.child import Child
from exporter.compression.given import Given
from exporter.compression.run import Step
from exporter.compression.timing import Side, side
from exporter.cost.count import totals
from exporter.data import Dataset
from exporter.disk import Scratch
from exporter.errors import UnsupportedOpError
from exporter.graph import Graph
from exporter.graph.evaluate import Evaluator
from exporter.graph.ports import to_graph, to_source
from exporter.latency import ratio_interval, versus
from exporter.target import ENGINES

START = "as it came"
"""Name of the first row."""

SHORT_S = 3.0
"""Seconds that one engine's comparison of two models is meant to take."""

PAIRS = (10, 100)
"""Fewest and most interleaved pairs of it."""

PROCESS_PAIRS = 2

Row = dict[str, Any]


def table(given: Given, steps: Sequence[Step], labelled: Dataset | None) -> list[Row]:
    """One row for the start and one for each step.

    Args:
        given: What the steps were told.
        steps: In order.
        labelled: Data to count right answers on; None where none have labels.

    Returns:
        step; params, macs, memory_access, bytes and their ratios to the start; top1 with n; latency by engine: medians of this model and
        of the start, taken turn by turn, and the ratio of their processor times, which other work on this host hardly disturbs, with its
        95 % interval; or why its format refuses the model. Native, one thread, float32.
    """
    graphs = [given.start, *(step.made.graph for step in steps)]
    rows = [{"step": name, **_counted(given.start, graph)} for name, graph in zip([START, *(s.name for s in steps)], graphs, strict=True)]
    with given.console.progress("measuring each step", len(graphs)) as tick:
        for i, (row, graph) in enumerate(zip(rows, graphs, strict=True)):
            row["top1"] = None if labelled is None else _right(graph, labelled)
            row["latency"] = {} if i == 0 else _times(given, graph)
            tick(i + 1)
    return rows


def _counted(start: Graph, graph: Graph) -> Row:
    own, whole = totals(graph).as_dict(), totals(start).as_dict()
    return {**own, "ratio": {name: own[name] / whole[name] if whole[name] else 1.0 for name in own}}


def _right(graph: Graph, data: Dataset) -> Row | None:
    """Share of right answers, of a Graph that gives one score a class."""
    if len(graph.outputs) != 1:
        return None
    run = Evaluator(graph)

    def scores(x: Mapping[str, Array]) -> Array:
        return to_source(graph.outputs, run.run(to_graph(graph.inputs, x)))[graph.outputs[0].source_name]

    counted = score(scores, data)
    return {"value": counted.top1, "right": counted.right, "n": counted.n}


def _times(given: Given, graph: Graph) -> dict[str, Row]:
    """By engine; for one whose format cannot express the model, why."""
    found = {}
    for format, engine in ENGINES.items():
        with Scratch() as folder:
            try:
                sides = [side(g, format, Path(folder) / str(i)) for i, g in enumerate((given.start, graph))]
            except UnsupportedOpError as problem:
                found[engine] = {"refused": problem.message}
                continue
            found[engine] = _versus(sides[0], sides[1], given.seed)
    return found


def _versus(start: Side, now: Side, seed: int) -> Row:
    with start[0]() as engine:
        pairs = int(np.clip(SHORT_S / (4e-3 * _one_ms(engine, start[1])), *PAIRS))
    found = versus(start, now, pairs=pairs, process_pairs=PROCESS_PAIRS, seed=seed)
    a, b = np.asarray(found.a_cpu_ms), np.asarray(found.b_cpu_ms)
    low, high = ratio_interval(a, b, found.process_pairs, seed)
    return {
        "start_ms": float(np.median(found.a_ms)), "ms": float(np.median(found.b_ms)), "p10_ms": float(np.percentile(found.b_ms, 10)),
        "ratio": float(np.median(b) / np.median(a)), "low": low, "high": high, "n": len(b), "kind": "native",
    }  # fmt: skip


def _one_ms(engine: Child, feeds: dict[str, Array]) -> float:
    engine.call("run", feeds, tensors=None)
    return max(float(np.median(engine.call("time", runs=3, warmup=1)[0]["ms"])), 1e-3)
