"""Write a Graph as `model.onnx`."""

from pathlib import Path
from typing import Any

import onnx_ir as ir

from exporter.array import Array
from exporter.errors import UnsupportedOpError, UsageError, unknown_name
from exporter.formats.artifact import Artifact, Problem, Tensor, WriteOptions
from exporter.formats.onnx.faults import go_around
from exporter.formats.onnx.half import halve
from exporter.formats.onnx.layout import dress
from exporter.formats.onnx.opset import convert
from exporter.formats.onnx.ports import in_integers, integer_ports
from exporter.formats.onnx.quantized import arrange
from exporter.formats.onnx.safe import safe
from exporter.formats.onnx.stream import write_model
from exporter.formats.onnx.weights import OPSET_INT4, WEIGHT_PRECISIONS, store_weights
from exporter.graph import OPSET, Graph, shape_of
from exporter.graph.composites import inline_composites
from exporter.graph.ops import is_composite, is_standard
from exporter.graph.qdq import Affine

PRECISIONS = ("fp32", "fp16", "int8", "mixed", *WEIGHT_PRECISIONS)
"""fp16: weights and arithmetic; inputs and outputs stay float32. int8 and mixed: of a Graph with QuantizeLinear pairs. The others: of a
float Graph, see `weights`."""

_IR_VERSION = 9
"""The first that knows opset 20: older readers take it too."""

_IR_VERSION_INT4 = 10
"""The first that knows opset 21."""


def check(graph: Graph) -> list[Problem]:
    """Operators that are not in the ONNX standard; nothing is written."""
    strange = [n for n in graph.nodes if not is_composite(n) and not is_standard(n)]
    reason = "not an operator of the ONNX standard"
    return [Problem(n.name or n.outputs[0].name or "", f"{n.domain}.{n.op_type}".lstrip("."), reason) for n in strange]


def write(graph: Graph, folder: Path, options: WriteOptions) -> Artifact:
    """Write `model.onnx` into an existing folder; same graph and options, same bytes.

    Args:
        graph: The graph; left as it is.
        folder: Where to.
        options: One of `PRECISIONS`; layout of rank-4 and rank-3 inputs and outputs; opset, 20 if None (21 for int4-weights); io of int8.

    Raises:
        UnsupportedOpError: Names every layer that is no standard operator.
        UsageError: If the precision, layout or opset cannot be had, or the file would pass 2 GiB.
    """
    if options.precision not in PRECISIONS:
        raise unknown_name("precision of onnx", options.precision, PRECISIONS)
    problems = check(graph)
    if problems:
        named = ", ".join(f"{p.layer} ({p.op})" for p in problems)
        raise UnsupportedOpError(f"ONNX has no such operators: {named}", hint="cut the graph before them with --outputs")
    quantized = options.precision in ("int8", "mixed")
    work = safe(graph).clone() if quantized else graph.clone()
    names = {id(v): v.name or "" for v in _values(work)}
    inline_composites(work)
    gone = arrange(work) if quantized else {}
    if options.precision in WEIGHT_PRECISIONS:
        store_weights(work, options.precision)
    ports = [] if options.io == "float32" else integer_ports(work, options.io)
    inputs, outputs = dress(work, options.layout)
    if ports:
        inputs, outputs = _integers(inputs, ports), _integers(outputs, ports[len(inputs) :])
    if options.precision == "fp16":
        halve(work)
    go_around(work)
    taps = {names[id(v)]: _tap(v, names[id(v)]) for v in _values(work) if id(v) in names and _tappable(v)}
    taps |= {names[id(v)]: in_integers(_tap(stored, names[id(v)]), how) for v, (stored, how) in gone.items() if stored.shape is not None}
    path = folder / "model.onnx"
    _save(work, path, _opset(options))
    return Artifact("onnx", path, (path,), options.precision, tuple(inputs), tuple(outputs), taps)


def _opset(options: WriteOptions) -> int:
    least = OPSET_INT4 if options.precision == "int4-weights" else OPSET
    if options.precision == "int4-weights" and options.opset is not None and options.opset < least:
        raise UsageError(f"opset {options.opset} has no 4-bit weights", hint=f"leave it out, or take {least} or newer")
    return options.opset or least


def _integers(tensors: list[Tensor], ports: list[Affine]) -> list[Tensor]:
    return [in_integers(t, how) for t, how in zip(tensors, ports, strict=False)]


def _values(graph: Graph) -> list[ir.Value]:
    return [*graph.model.graph.inputs, *(o for n in graph.model.graph for o in n.outputs)]


def _tappable(value: ir.Value) -> bool:
    """Whether a file's value can be told from outside: constants tell nothing, what is about to be rounded is gone."""
    maker = value.producer()
    known = (
        maker is not None
        and any(v is not None and v.const_value is None for v in maker.inputs)
        and value.shape is not None
        and bool(value.name)
    )
    raw = maker is not None and maker.op_type != "DequantizeLinear" and any(u.op_type == "QuantizeLinear" for u in value.consumers())
    return known and not raw and value.dtype in (ir.DataType.FLOAT, ir.DataType.FLOAT16)


def _tap(value: ir.Value, graph_name: str) -> Tensor:
    shape = shape_of(value)
    dtype = "float16" if value.dtype == ir.DataType.FLOAT16 else "float32"
    return Tensor(value.name or "", graph_name, shape, tuple(range(len(shape))), dtype)


def _save(graph: Graph, path: Path, opset: int) -> None:
    """Everything but the weights as a proto, then the weights as they are."""
    model = graph.model
    weights: dict[str, Array] = {k: v.const_value.numpy() for k, v in model.graph.initializers.items() if v.const_value is not None}
    proto = _skeleton(graph)
    if opset != OPSET:
        weights = convert(proto, weights, opset)
    proto.ir_version = _IR_VERSION if opset < OPSET_INT4 else _IR_VERSION_INT4
    _name_nodes(proto)
    write_model(proto, weights, path)


def _name_nodes(proto: Any) -> None:
    """Every node a name of its own, after its first output where it has none: readers refuse two of one name."""
    taken: set[str] = set()
    for node in proto.graph.node:
        base = node.name or node.output[0]
        name, count = base, 2
        while name in taken:
            name, count = f"{base}_{count}", count + 1
        taken.add(name)
        node.name = name


def _skeleton(graph: Graph) -> Any:
    import onnx
    from onnx import helper

    body = graph.model.graph
    proto = onnx.ModelProto(ir_version=_IR_VERSION, producer_name="mexport")
    proto.opset_import.append(helper.make_opsetid("", OPSET))
    proto.graph.name = graph.name
    proto.graph.node.extend(_plain(ir.to_proto(n)) for n in body)
    proto.graph.input.extend(ir.to_proto(v) for v in body.inputs)
    proto.graph.output.extend(ir.to_proto(v) for v in body.outputs)
    inner = [o for n in body for o in n.outputs if o.shape is not None and not o.is_graph_output()]
    proto.graph.value_info.extend(ir.to_proto(v) for v in inner)
    return proto


def _plain(node: Any) -> Any:
    """A node without what exporters note beside it (paths, stack traces)."""
    node.ClearField("doc_string")
    node.ClearField("metadata_props")
    return node
