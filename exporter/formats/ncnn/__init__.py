"""The ncnn writer: `model.ncnn.param` and `model.ncnn.bin`, blobs `in0`, `in1`, ... and `out0`, `out1`, ...

    Graph --emitter.py + table.py--> layers --fuse.py--> layers --file.py--> .param and .bin

The layouts and parameter numbers are those of ncnn's own layers (src/layer/*.cpp, docs/developer-guide/operators.md).
"""

from collections import defaultdict
from pathlib import Path

import onnx_ir as ir

from exporter.errors import UnsupportedOpError, UsageError
from exporter.formats.artifact import Artifact, Problem, Tensor, WriteOptions
from exporter.formats.ncnn.emitter import Emitter
from exporter.formats.ncnn.file import keep_float32, with_splits, write_bin, write_param
from exporter.formats.ncnn.fuse import fuse
from exporter.formats.ncnn.layer import Blob, Layer
from exporter.formats.ncnn.table import OPS
from exporter.graph import Graph, shape_of

PRECISIONS: tuple[str, ...] = ("fp32", "fp16")


def check(graph: Graph) -> list[Problem]:
    """Every layer that ncnn cannot express, and notes on those that leave its fast path."""
    return _emitted(graph).problems


def write(graph: Graph, folder: Path, options: WriteOptions) -> Artifact:
    """Write the two files into an existing folder; the same graph and precision give the same bytes.

    Raises:
        UnsupportedOpError: Names every layer that ncnn cannot express.
        UsageError: If the precision is not one of `PRECISIONS`.
    """
    if options.precision not in PRECISIONS:
        raise UsageError(f"ncnn files are not written at precision {options.precision}", hint=f"choose {' or '.join(PRECISIONS)}")
    emitter = _emitted(graph)
    _refuse(graph, [p for p in emitter.problems if p.fatal])
    names: dict[str, list[str]] = defaultdict(list)
    for i, port in enumerate(graph.outputs):
        names[emitter.where[port.name].name].append(f"out{i}")
    layers = fuse(emitter.layers, set(names))
    if options.precision == "fp16":
        keep_float32(layers)
    layers = with_splits(layers, names)
    param, weights = folder / "model.ncnn.param", folder / "model.ncnn.bin"
    write_param(layers, param)
    write_bin(layers, weights, half=options.precision == "fp16")
    return _artifact(graph, emitter, layers, (param, weights), options.precision)


def _emitted(graph: Graph) -> Emitter:
    emitter = Emitter(graph)
    emitter.run(OPS)
    return emitter


def _refuse(graph: Graph, problems: list[Problem]) -> None:
    if problems:
        lines = [f"{p.op} `{p.layer}`: {p.reason}" for p in problems]
        raise UnsupportedOpError(
            f"ncnn cannot express {len(problems)} layer{'s' * (len(problems) > 1)} of {graph.name}:\n  " + "\n  ".join(lines),
            hint="cut the graph before them with --outputs, or choose another format",
        )


def _artifact(graph: Graph, emitter: Emitter, layers: list[Layer], files: tuple[Path, Path], precision: str) -> Artifact:
    made = {blob for layer in layers for blob in layer.outputs}
    ranks = {v.name: len(shape_of(v)) for v in graph.model.graph.inputs}
    ranks |= {v.name: len(v.shape) for node in graph.nodes for v in node.outputs if v.shape is not None and v.dtype == ir.DataType.FLOAT}
    renamed = {emitter.where[port.name].name: f"out{i}" for i, port in reversed(list(enumerate(graph.outputs)))}

    def tensor(graph_name: str, blob: Blob, name: str) -> Tensor:
        return Tensor(name, graph_name, blob.shape, tuple(range(1, ranks[graph_name])))

    taps: dict[str, Tensor] = {}
    for value, blob in emitter.where.items():
        name = blob.name if blob.name in made else renamed.get(blob.name)
        if name in made and value in ranks:
            taps[value] = tensor(value, blob, name or "")
    inputs = tuple(tensor(p.name, emitter.where[p.name], f"in{i}") for i, p in enumerate(graph.inputs))
    outputs = tuple(tensor(p.name, emitter.where[p.name], f"out{i}") for i, p in enumerate(graph.outputs))
    return Artifact("ncnn", files[0], files, precision, inputs, outputs, taps)
