"""Write a Graph for ncnn, run it there, compare with onnxruntime on the Graph."""

from pathlib import Path

import numpy as np

from exporter.array import Array
from exporter.formats import ncnn
from exporter.formats.artifact import Artifact, WriteOptions
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.runtimes.ncnn import Session
from exporter.runtimes.settings import runtime_options
from tests.graphs import random_inputs


def written(graph: Graph, folder: Path, precision: str = "fp32") -> tuple[Artifact, Session]:
    """The artifact, and the engine on it as the manifest would set it."""
    artifact = ncnn.write(graph, folder, WriteOptions(precision=precision))
    return artifact, Session(str(artifact.path), 1, runtime_options("ncnn", precision))


def rels(graph: Graph, artifact: Artifact, session: Session, inputs: dict[str, Array] | None = None, seed: int = 0) -> dict[str, float]:
    """max|got - ref| / max|ref| of every tap and output, by value name; not-a-number stays so."""
    inputs = inputs or random_inputs(graph, seed)
    inner = {v.name for node in graph.nodes for v in node.outputs}
    taps = {name: tap for name, tap in artifact.taps.items() if name in inner}
    tensors = list(taps.values()) + [t for t in artifact.outputs if t.graph_name in inner]
    reference = evaluate(graph, inputs, list(dict.fromkeys(t.graph_name for t in tensors)))
    feeds = {t.name: t.from_graph(inputs[t.graph_name]) for t in artifact.inputs}
    got = session.run(feeds, list(dict.fromkeys(t.name for t in tensors)))[1]
    plain = session.run(feeds)[1]
    for tensor in artifact.outputs:
        assert plain[tensor.name].shape == tensor.shape
        if tensor.name in got:
            assert np.array_equal(plain[tensor.name], got[tensor.name], equal_nan=True)  # reading inner blobs changes nothing
    found: dict[str, float] = {}
    for tensor in tensors:
        ref = reference[tensor.graph_name]
        mine = tensor.to_graph(got[tensor.name], ref.shape)
        found[tensor.graph_name] = float(np.abs(mine - ref).max() / (np.abs(ref).max() + 1e-9))
    return found


def kinds(artifact: Artifact) -> list[str]:
    """The layer types of the file, in order."""
    return [line.split()[0] for line in artifact.path.read_text().splitlines()[2:]]
