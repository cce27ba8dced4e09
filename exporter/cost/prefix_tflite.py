"""A `.tflite` file cut after an operator, in place: its list of operators made shorter, its outputs another list.

Nothing else of the file changes, so that weights stay where and as they are. The new lists of outputs stand behind the file's end.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.cost.segments import Operator, Segment, segments

OUTPUTS, OPERATORS = 8, 10
"""Places of two fields in a SubGraph's table (schema.fbs: the third and the fourth)."""

Patch = tuple[int, bytes]
"""Where in the file, and which bytes."""


@dataclass(frozen=True, slots=True)
class TflitePrefixes:
    """A file and how to cut it.

    Attributes:
        segments: What lies between the cuts.
        tail: Bytes to append to the file once.
        patches: For no operator at all, then for each segment: what to write to end the file behind it.
    """

    segments: tuple[Segment, ...]
    tail: bytes
    patches: tuple[tuple[Patch, ...], ...]


def cut_tflite(path: Path, most: int) -> TflitePrefixes:
    """Cuts of a file's first subgraph."""
    from ai_edge_litert import schema_py_generated as schema

    content = path.read_bytes()
    model = schema.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    found = segments(_operators(schema, model, graph), most)
    tail = bytearray(-len(content) % 4)
    patches = []
    for end in (0, *(s.end for s in found)):
        at = len(content) + len(tail)
        outputs = _open_tensors(graph, end)
        tail += struct.pack(f"<I{len(outputs)}i", len(outputs), *outputs)
        patches.append(_patches(graph, end, at))
    return TflitePrefixes(tuple(found), bytes(tail), tuple(patches))


def _operators(schema: Any, model: Any, graph: Any) -> list[Operator]:
    kinds = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    found = []
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        code = model.OperatorCodes(operator.OpcodeIndex())
        name = graph.Tensors(operator.Outputs(0)).Name() if operator.OutputsLength() else b""
        found.append(Operator(name.decode(errors="replace"), kinds[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]))
    return found


def _open_tensors(graph: Any, end: int) -> list[int]:
    """Tensors that the first operators make and others need; of no operator an input."""
    if end == 0:
        return [graph.Inputs(0)]
    made, read = [], {graph.Outputs(i) for i in range(graph.OutputsLength())}
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        if i < end:
            made += [operator.Outputs(j) for j in range(operator.OutputsLength())]
        else:
            read |= {operator.Inputs(j) for j in range(operator.InputsLength())}
    return [t for t in made if t in read]


def _patches(graph: Any, end: int, outputs_at: int) -> tuple[Patch, ...]:
    table = graph._tab
    outputs = table.Pos + table.Offset(OUTPUTS)
    count = table.Vector(table.Offset(OPERATORS)) - 4
    return (outputs, struct.pack("<I", outputs_at - outputs)), (count, struct.pack("<I", end))
