"""Classifiers at half their MACs in onnxruntime, against their originals: one thread, interleaved, on this host.

python -m benchmarks.pruning_latency [NET ...] [--again] [--pairs=200] [--step=8]
"""

import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.pruning_nets import classifiers, cleaned, feeds
from benchmarks.results import Results, Row, again, wanted
from benchmarks.sources import work_folder
from exporter.array import Array
from exporter.cost.count import totals
from exporter.formats import load_writer
from exporter.formats.artifact import WriteOptions
from exporter.graph import Graph
from exporter.latency import OpenEngine, versus
from exporter.passes.run import clean, fold
from exporter.pruning.widths import Budget, Measure, plan_of
from exporter.runtimes.run import open_engine


def option(name: str, default: int) -> int:
    """A number given as --name=N."""
    return next((int(a.split("=")[1]) for a in sys.argv[1:] if a.startswith(f"--{name}=")), default)


def side(graph: Graph, folder: Path) -> tuple[OpenEngine, dict[str, Array]]:
    """The finished Graph as an .onnx file, ready to be timed on one sample."""
    finished = graph.clone()
    clean(finished)
    fold(finished)
    folder.mkdir()
    written = load_writer("onnx").write(finished, folder, WriteOptions())
    sample = next(iter(feeds(finished, 1).values()))
    tensor = written.inputs[0]
    return partial(open_engine, "onnxruntime", written.path), {tensor.name: tensor.from_graph(sample)}


def measure(name: str, pairs: int, step: int) -> Row:
    """One net: ratio of medians, pruned over whole."""
    graph = cleaned(name, work_folder())
    plan = plan_of(graph, Budget(Measure.MACS, 0.5), channel_step=step)
    pruned = plan.apply()
    with tempfile.TemporaryDirectory() as temporary:
        result = versus(side(graph, Path(temporary) / "whole"), side(pruned, Path(temporary) / "pruned"), pairs=pairs)
    whole, left = totals(graph), totals(pruned)
    return {
        "macs": left.macs / whole.macs, "params": left.params / whole.params, "channel_step": step, "pairs": pairs,
        "whole_ms": float(np.median(result.a_ms)), "pruned_ms": float(np.median(result.b_ms)),
        "ratio": result.ratio, "low": result.low, "high": result.high,
    }  # fmt: skip


def main() -> None:
    """All classifiers, or those named; their geometric mean last."""
    results, names = Results("pruning_latency", again=again()), wanted(classifiers())
    for name in names:
        results.fill(name, partial(measure, name, option("pairs", 200), option("step", 8)))
    ratios = [row["ratio"] for name in classifiers() if "ratio" in (row := results.rows.get(name, {}))]
    print(f"geometric mean of {len(ratios)}: {np.exp(np.log(ratios).mean()):.3f}, largest {max(ratios):.3f}")


if __name__ == "__main__":
    main()
