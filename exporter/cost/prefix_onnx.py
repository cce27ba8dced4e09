"""A `.onnx` file cut after a node: the nodes before it, and as outputs what they make for the others.

All cuts share one file of weights.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.cost.segments import Operator, Segment, segments

WEIGHTS = "weights"
SMALL_BYTES = 1024
"""Constants up to this size stay in each file: shapes and axes that onnxruntime wants to see when it reads the graph."""


@dataclass(frozen=True, slots=True)
class OnnxPrefixes:
    """Files that were written.

    Attributes:
        segments: What lies between the cuts.
        paths: A file without work, then one that ends behind each segment.
    """

    segments: tuple[Segment, ...]
    paths: tuple[Path, ...]


def cut_onnx(path: Path, folder: Path, most: int) -> OnnxPrefixes:
    """Cuts of a file, written into an empty folder."""
    import onnx

    model = onnx.load(path)
    found = segments(list(_operators(model.graph)), most)
    onnx.save_model(model, folder / "whole.onnx", save_as_external_data=True, location=WEIGHTS, size_threshold=SMALL_BYTES)
    model = onnx.load(folder / "whole.onnx", load_external_data=False)
    paths = []
    for end in (0, *(s.end for s in found)):
        paths.append(folder / f"{end}.onnx")
        paths[-1].write_bytes(_prefix(model, end).SerializeToString())
    return OnnxPrefixes(tuple(found), tuple(paths))


def _operators(graph: Any) -> Iterator[Operator]:
    """Rounded layers (dequantize, compute, quantize) run as one only when they are together: no cut goes through them."""
    maker = {name: node.op_type for node in graph.node for name in node.output}
    rounded = {name for node in graph.node if node.op_type == "QuantizeLinear" for name in node.input}
    for i, node in enumerate(graph.node):
        through = [n for n in _open_values(graph, i + 1) if n in rounded or maker[n] == "DequantizeLinear"]
        yield Operator(node.name or node.output[0], node.op_type, not through)


def _open_values(graph: Any, end: int) -> list[str]:
    """Values that the first nodes make and others need; not those made of constants alone."""
    known = {w.name for w in graph.initializer} | {""}
    needed = {o.name for o in graph.output} | {name for node in list(graph.node)[end:] for name in node.input}
    made = []
    for node in list(graph.node)[:end]:
        if all(name in known for name in node.input):
            known |= set(node.output)
        else:
            made += [name for name in node.output if name in needed]
    return made


def _prefix(model: Any, end: int) -> Any:
    import onnx

    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    graph = cut.graph
    nodes, made = list(graph.node)[:end], _open_values(graph, end)
    if not nodes:
        nodes, made = [onnx.helper.make_node("Shape", [graph.input[0].name], ["nothing"])], ["nothing"]
    used = {name for node in nodes for name in node.input}
    kept = [w for w in graph.initializer if w.name in used]
    stated = {v.name: v for v in (*graph.value_info, *graph.output)}
    for field in (graph.node, graph.initializer, graph.output, graph.value_info):
        del field[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)
    graph.output.extend(stated.get(name) or onnx.ValueInfoProto(name=name) for name in made)
    return cut
