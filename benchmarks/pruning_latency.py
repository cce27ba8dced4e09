"""Classifiers at half their MACs in their engines, against their originals: one thread, interleaved, on this host.

python -m benchmarks.pruning_latency [NET ...] [--again] [--pairs=200] [--step=8] [--engine=onnxruntime|litert|ncnn]
    [--scope=local|global]   widths chosen another way than usual
    [--latency-budget=0.5]   ask for this share of the time instead, and measure anew how near it lands
"""

import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.pruning_nets import FLOWERS, classifiers, cleaned
from benchmarks.results import Results, Row, again, wanted
from benchmarks.sources import work_folder
from exporter.compression.ascent import of_processor
from exporter.compression.latency import plan_of_latency
from exporter.compression.timing import side
from exporter.cost.count import totals
from exporter.graph import Graph
from exporter.latency import Versus, versus
from exporter.pruning.widths import Budget, Measure, Scope, plan_of

FORMATS = {"onnxruntime": "onnx", "litert": "tflite", "ncnn": "ncnn"}
"""Engine to the format of the files that it runs."""

BUDGETED = ("mobilenet_v2", "resnet50", *FLOWERS)
"""Nets that a latency budget is tried on."""

NEAR = 0.05
"""A budget is met when the time is so near to what was asked, of it."""


def option(name: str, default: str) -> str:
    """A word given as --name=WORD."""
    return next((a.split("=")[1] for a in sys.argv[1:] if a.startswith(f"--{name}=")), default)


def timed(graph: Graph, pruned: Graph, format: str, pairs: int) -> Versus:
    """The pruned Graph's file against the whole's."""
    with tempfile.TemporaryDirectory() as temporary:
        return versus(side(graph, format, Path(temporary, "whole")), side(pruned, format, Path(temporary, "pruned")), pairs=pairs)


def row(graph: Graph, pruned: Graph, result: Versus, step: int) -> Row:
    """What both cost and take; `cpu_ratio` is the median of the pairs' ratios of processor time."""
    whole, left = totals(graph), totals(pruned)
    return {
        "macs": left.macs / whole.macs, "params": left.params / whole.params, "channel_step": step, "pairs": len(result.a_ms),
        "whole_ms": median(result.a_ms), "pruned_ms": median(result.b_ms),
        "ratio": result.ratio, "low": result.low, "high": result.high, "cpu_ratio": float(np.median(of_processor(result))),
    }  # fmt: skip


def measure(name: str, format: str, pairs: int, step: int, scope: Scope) -> Row:
    """One net at half its MACs: ratio of medians, pruned over whole."""
    graph = cleaned(name, work_folder())
    pruned = plan_of(graph, Budget(Measure.MACS, 0.5), channel_step=step, scope=scope).apply()
    return row(graph, pruned, timed(graph, pruned, format, pairs), step)


def budgeted(name: str, format: str, pairs: int, step: int, scope: Scope, *, share: float) -> Row:
    """One net at a share of its time: how long the search took, what it measured, and what a new measurement says."""
    graph = cleaned(name, work_folder())
    start = time.perf_counter()
    plan, found = plan_of_latency(graph, share, format, channel_step=step, scope=scope)
    seconds = time.perf_counter() - start
    result = row(graph, plan.apply(), timed(graph, plan.apply(), format, pairs), step)
    searched = {"ratio": found.ratio, "low": found.low, "high": found.high, "cpu_ratio": float(np.median(of_processor(found)))}
    near = abs(result["cpu_ratio"] / share - 1) <= NEAR
    return {**result, "asked": share, "seconds": seconds, "near": near, **{f"search_{k}": v for k, v in searched.items()}}


def main() -> None:
    """All nets, or those named; the geometric mean of those at half their MACs last."""
    engine, share, step = option("engine", "onnxruntime"), option("latency-budget", ""), int(option("step", "8"))
    format, pairs = FORMATS[engine], int(option("pairs", "200"))
    results, scope = Results("pruning_latency", again=again()), Scope(option("scope", Scope.INNER))
    mark = ("" if engine == "onnxruntime" else f" {engine}") + ("" if scope is Scope.INNER else f" {scope}")
    if share:
        for name in wanted(list(BUDGETED)):
            results.fill(f"{name}{mark} at {share} of the time", partial(budgeted, name, format, pairs, step, scope, share=float(share)))
        return
    for name in wanted(classifiers()):
        results.fill(f"{name}{mark}", partial(measure, name, format, pairs, step, scope))
    ratios = [found["ratio"] for name in classifiers() if "ratio" in (found := results.rows.get(f"{name}{mark}", {}))]
    print(f"{engine}: geometric mean of {len(ratios)}: {np.exp(np.log(ratios).mean()):.3f}, largest {max(ratios):.3f}")


if __name__ == "__main__":
    main()
