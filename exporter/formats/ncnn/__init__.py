"""The ncnn writer: `model.ncnn.param` and `model.ncnn.bin`, blobs `in0`, `in1`, ... and `out0`, `out1`, ...

    Graph --emitter.py + table.py--> layers --fuse.py--> layers --int8.py--> layers --file.py--> .param and .bin

The layouts and parameter numbers are those of ncnn's own layers (src/layer/*.cpp, docs/developer-guide/operators.md).
"""

from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

import onnx_ir as ir

from exporter.errors import UnsupportedOpError, UsageError
from exporter.formats.artifact import Artifact, Problem, Tensor, WriteOptions
from exporter.formats.ncnn.emitter import Emitter
from exporter.formats.ncnn.file import keep_float32, keep_splits_float32, with_bridges, with_splits, write_bin, write_param
from exporter.formats.ncnn.fuse import fuse
from exporter.formats.ncnn.int8 import finish, unsaid
from exporter.formats.ncnn.int8 import points as int8_points
from exporter.formats.ncnn.layer import Blob, Layer
from exporter.formats.ncnn.table import OPS
from exporter.formats.points import Points, Ranges
from exporter.graph import Graph, shape_of
from exporter.graph.qdq import Quantization
from exporter.graph.strip import strip

PRECISIONS: tuple[str, ...] = ("fp32", "fp16", "int8", "mixed")


def check(graph: Graph) -> list[Problem]:
    """Every layer that ncnn cannot express, and notes on those that leave its fast path."""
    return _emitted(graph).problems


def spell_out(graph: Graph) -> None:
    """Nothing: only convolutions and dense layers compute in integers."""


def points(graph: Graph, ranges: Ranges, keep_float: AbstractSet[str] = frozenset()) -> Points:
    """What ncnn would run in integers: convolutions and dense layers round their input, all else stays float.

    Args:
        graph: A finished float Graph.
        ranges: Not needed: every scale is free.
        keep_float: Layers that stay float.
    """
    return int8_points(_emitted(graph), keep_float)


def write(graph: Graph, folder: Path, options: WriteOptions) -> Artifact:
    """Write the two files into an existing folder; the same graph and precision give the same bytes.

    Below fp32, weights of layers that compute in floats are stored in half precision where they fit.

    Raises:
        UnsupportedOpError: Names every layer that ncnn cannot express.
        UsageError: If the precision is not one of `PRECISIONS`.
    """
    if options.precision not in PRECISIONS:
        raise UsageError(f"ncnn files are not written at precision {options.precision}", hint=f"choose {' or '.join(PRECISIONS)}")
    graph, quantization = strip(graph) if options.precision in ("int8", "mixed") else (graph, None)
    emitter = _emitted(graph, quantization)
    _refuse(graph, [p for p in [*emitter.problems, *unsaid(emitter)] if p.fatal])
    names: dict[str, list[str]] = defaultdict(list)
    for i, port in enumerate(graph.outputs):
        names[emitter.where[port.name].name].append(f"out{i}")
    layers = fuse(emitter.layers, set(names))
    integers = finish(layers, set(names))
    half = options.precision != "fp32"
    wide = {emitter.where[value].name for value in options.float32 if value in emitter.where}
    if half:
        keep_float32(layers, wide)
    layers = with_splits(layers, names)
    keep_splits_float32(layers, wide)
    layers = with_bridges(layers)
    param, weights = folder / "model.ncnn.param", folder / "model.ncnn.bin"
    write_param(layers, param)
    write_bin(layers, weights, half=half)
    inputs, outputs, taps = _tensors(graph, emitter, layers, integers)
    return Artifact("ncnn", param, (param, weights), options.precision, inputs, outputs, taps)


def _emitted(graph: Graph, quantization: Quantization | None = None) -> Emitter:
    emitter = Emitter(graph, quantization)
    emitter.run(OPS)
    return emitter


def _refuse(graph: Graph, problems: list[Problem]) -> None:
    if problems:
        lines = [f"{p.op} `{p.layer}`: {p.reason}" for p in problems]
        raise UnsupportedOpError(
            f"ncnn cannot express {len(problems)} layer{'s' * (len(problems) > 1)} of {graph.name}:\n  " + "\n  ".join(lines),
            hint="cut the graph before them with --outputs, or choose another format",
        )


Tensors = tuple[Tensor, ...]


def _tensors(
    graph: Graph, emitter: Emitter, layers: list[Layer], integers: Mapping[str, float]
) -> tuple[Tensors, Tensors, dict[str, Tensor]]:
    """Inputs, outputs and taps; ncnn hands out a blob between int8 layers as integers in float32, which its scale makes real."""
    made = {blob for layer in layers for blob in layer.outputs}
    ranks = {v.name: len(shape_of(v)) for v in graph.model.graph.inputs}
    values = [v for node in graph.nodes for v in node.outputs if v.dtype == ir.DataType.FLOAT or v.is_graph_output()]
    ranks |= {v.name: len(v.shape) for v in values if v.shape is not None}
    renamed = {emitter.where[port.name].name: f"out{i}" for i, port in reversed(list(enumerate(graph.outputs)))}

    def tensor(graph_name: str, blob: Blob, name: str) -> Tensor:
        scale = integers.get(blob.name)
        dtype = "float32" if scale is None else "int8"
        return Tensor(name, graph_name, blob.shape, tuple(range(1, ranks[graph_name])), dtype, scale)

    taps: dict[str, Tensor] = {}
    for value, blob in emitter.where.items():
        name = blob.name if blob.name in made else renamed.get(blob.name)
        if name in made and value in ranks:
            taps[value] = tensor(value, blob, name or "")
    inputs = tuple(tensor(p.name, emitter.where[p.name], f"in{i}") for i, p in enumerate(graph.inputs))
    outputs = tuple(tensor(p.name, emitter.where[p.name], f"out{i}") for i, p in enumerate(graph.outputs))
    return inputs, outputs, taps
