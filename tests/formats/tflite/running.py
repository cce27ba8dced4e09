"""Write a Graph as TFLite, run it in LiteRT, compare with onnxruntime on the Graph."""

import collections
from pathlib import Path

import numpy as np

from exporter.formats import tflite
from exporter.formats.artifact import Artifact, WriteOptions
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.runtimes.litert import Session
from tests.graphs import random_inputs


def written(graph: Graph, folder: Path, precision: str = "fp32") -> tuple[Artifact, Session]:
    """The artifact, and the engine on it."""
    artifact = tflite.write(graph, folder, WriteOptions(precision=precision))
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


def kinds(session: Session) -> collections.Counter[str]:
    """The file's ops, counted."""
    return collections.Counter(op["op_name"] for op in session.interpreter._get_ops_details() if op["op_name"] != "DELEGATE")
