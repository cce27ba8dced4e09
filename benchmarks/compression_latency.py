"""How much faster a pruned net is: finished files of both, one thread, in turns on this host."""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from exporter.array import Array
from exporter.data import Dataset
from exporter.formats import load_writer
from exporter.formats.artifact import WriteOptions
from exporter.graph import Graph
from exporter.latency import OpenEngine, versus
from exporter.passes.run import clean, fold
from exporter.runtimes.run import open_engine

ENGINES = {"onnxruntime": "onnx", "litert": "tflite"}
"""Engine to the format that it runs."""

PAIRS = 200


def ratios(whole: Graph, smaller: Graph, data: Dataset, pairs: int = PAIRS) -> dict[str, list[float]]:
    """By engine: latency of the smaller net over that of the whole (median, and the interval's ends), on one picture."""
    x, _ = data.pick(1)
    found = {}
    for engine, file_format in ENGINES.items():
        with tempfile.TemporaryDirectory() as temporary:
            sides = [_side(g, Path(temporary) / n, engine, file_format, x) for n, g in (("whole", whole), ("smaller", smaller))]
            result = versus(*sides, pairs=pairs)
        ms = [float(np.median(times)) for times in (result.a_ms, result.b_ms)]
        found[engine] = [result.ratio, result.low, result.high, *ms]
    return found


def _side(graph: Graph, folder: Path, engine: str, file_format: str, x: dict[str, Array]) -> tuple[OpenEngine, dict[str, Array]]:
    finished, (port,) = graph.clone(), graph.inputs
    clean(finished)
    fold(finished)
    folder.mkdir()
    written = load_writer(file_format).write(finished, folder, WriteOptions())
    tensor = written.inputs[0]
    return partial(open_engine, engine, written.path), {tensor.name: tensor.from_graph(port.to_graph(x[port.source_name]))}
