"""Write a Graph as TFLite, run it in LiteRT, compare with onnxruntime on the Graph."""

import collections
from collections.abc import Set as AbstractSet
from pathlib import Path

import numpy as np

from exporter.array import Array
from exporter.formats import tflite
from exporter.formats.artifact import Artifact, WriteOptions
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.graph.qdq import insert
from exporter.quantization.assign import assign
from exporter.quantization.unshare import unshare
from exporter.runtimes.litert import Session
from tests.graphs import random_inputs


def written(graph: Graph, folder: Path, precision: str = "fp32", io: str = "float32") -> tuple[Artifact, Session]:
    """The artifact, and the engine on it."""
    artifact = tflite.write(graph, folder, WriteOptions(precision=precision, io=io))
    return artifact, Session(str(artifact.path), 1, {})


def worst_rel(graph: Graph, artifact: Artifact, session: Session, seed: int = 0) -> float:
    """max|got - ref| / max|ref|, the worst output over two samples."""
    worst = 0.0
    for sample in range(2):
        inputs = random_inputs(graph, seed + sample)
        reference = evaluate(graph, inputs)
        got = session.run({t.name: t.from_graph(inputs[t.graph_name]) for t in artifact.inputs})[1]
        for t in artifact.outputs:
            ref = reference[t.graph_name]
            assert got[t.name].shape == t.shape
            worst = max(worst, float(np.abs(t.to_graph(got[t.name], ref.shape) - ref).max() / (np.abs(ref).max() + 1e-9)))
    return worst


def seen(graph: Graph, samples: int = 4) -> dict[str, tuple[float, float]]:
    """Smallest and largest number of every float value, over a few samples."""
    names = [str(o.name) for n in graph.nodes for o in n.outputs if o.uses() or o.is_graph_output()]
    found: dict[str, tuple[float, float]] = {}
    for sample in range(samples):
        inputs = random_inputs(graph, sample)
        for name, value in {**inputs, **evaluate(graph, inputs, names)}.items():
            if value.dtype == np.float32:
                low, high = found.get(name, (np.inf, -np.inf))
                found[name] = (min(low, float(value.min())), max(high, float(value.max())))
    return found


def quantized(graph: Graph, keep_float: AbstractSet[str] = frozenset()) -> Graph:
    """The Graph with pairs where the writer wants them, scales from ranges seen."""
    ranges, copy = seen(graph), graph.clone()
    points = unshare(copy, tflite.points(graph, ranges, keep_float))
    return insert(copy, assign(copy, points, ranges))


def parity_db(graph: Graph, artifact: Artifact, session: Session) -> float:
    """Signal to noise of the file against its QDQ Graph, over four samples; the worst output."""
    worst = np.inf
    pairs: dict[str, list[tuple[Array, Array]]] = collections.defaultdict(list)
    for sample in range(4):
        inputs = random_inputs(graph, sample)
        reference = evaluate(graph, inputs)
        got = session.run({t.name: t.from_graph(inputs[t.graph_name]) for t in artifact.inputs})[1]
        for t in artifact.outputs:
            ref = reference[t.graph_name]
            pairs[t.name].append((ref, t.to_graph(got[t.name], ref.shape)))
    for found in pairs.values():
        signal = sum(float((a.astype(np.float64) ** 2).sum()) for a, _ in found)
        noise = sum(float((a.astype(np.float64) - b) @ (a.astype(np.float64) - b)) for a, b in ((a.ravel(), b.ravel()) for a, b in found))
        worst = min(worst, np.inf if noise == 0 else 10 * np.log10(signal / noise + 1e-30))
    return float(worst)


def kinds(session: Session) -> collections.Counter[str]:
    """The file's ops, counted."""
    return collections.Counter(op["op_name"] for op in session.interpreter._get_ops_details() if op["op_name"] != "DELEGATE")
