"""Int8 files of any format from a Graph, and their layers beside those of the quantized Graph."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exporter.array import Array
from exporter.formats import load_writer
from exporter.formats.artifact import WriteOptions
from exporter.formats.onnx import points as onnx_points
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.graph.qdq import insert
from exporter.proving.layers import Layer, compare_layers
from exporter.quantization.assign import assign
from exporter.quantization.unshare import unshare
from exporter.runtimes import litert, ncnn, onnxruntime
from exporter.runtimes.settings import runtime_options

FORMATS = ("onnx", "tflite", "ncnn")

_SESSIONS = {"onnx": onnxruntime.Session, "tflite": litert.Session, "ncnn": ncnn.Session}


class _Here:
    """An engine in this process, asked as one in a process of its own is."""

    def __init__(self, session: Any) -> None:
        self.session = session

    def call(self, verb: str, arrays: dict[str, Array], **args: Any) -> Any:
        return getattr(self.session, verb)(arrays, **args)


def quantized(graph: Graph, name: str, x: Mapping[str, Array]) -> Graph:
    """The Graph with pairs where a format wants them, by smallest and largest number on the samples."""
    values = [str(o.name) for n in graph.nodes for o in n.outputs]
    ranges = {v: (float(a.min()), float(a.max())) for v, a in {**evaluate(graph, x, values), **x}.items()}
    points = onnx_points(graph, ranges, frozenset()) if name == "onnx" else load_writer(name).points(graph, ranges, frozenset())
    copy = graph.clone()
    return insert(copy, assign(copy, unshare(copy, points), ranges))


def layers_of(graph: Graph, right: Graph, written: Graph, name: str, folder: Path, x: Mapping[str, Array]) -> list[Layer]:
    """Layers of a file written from one quantized Graph, held against another."""
    artifact = load_writer(name).write(written, folder, WriteOptions(precision="mixed"))
    runtime = {"onnx": "onnxruntime", "tflite": "litert"}.get(name, name)
    engine = _Here(_SESSIONS[name](str(artifact.path), 1, runtime_options(runtime, "int8")))
    return compare_layers(graph, artifact, engine, x, written=right)  # type: ignore[arg-type]
