"""Inputs and outputs of a file that are integers: the pair next to a port loses its float half.

    Given:   x -> QuantizeLinear -> q          Result:  q is the input
    Given:   q -> DequantizeLinear -> y        Result:  q is the output

Where the port's type is not the pair's (int8 for a graph of uint8), numbers are shifted by 128 on the way, which is exact.
"""

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from exporter.errors import UsageError, unknown_name
from exporter.formats.artifact import Tensor
from exporter.graph import Graph, add_constant, unique_name
from exporter.graph.qdq import LIMITS, Affine
from exporter.graph.strip import affine_of

TYPES = ("float32", "int8", "uint8")


def integer_ports(graph: Graph, io: str) -> list[Affine]:
    """Make every input and output integers, in place; returns how each stands for reals, inputs first.

    Raises:
        UsageError: If there is no such type, or a port is not quantized; names it.
    """
    if io not in TYPES:
        raise unknown_name("type of inputs and outputs", io, TYPES)
    body = graph.model.graph
    bare = [p.source_name for v, p in zip(body.inputs, graph.inputs, strict=True) if _entry(v) is None]
    bare += [p.source_name for v, p in zip(body.outputs, graph.outputs, strict=True) if _exit(v) is None]
    if bare:
        raise UsageError(
            f"computed in float32, no {io}: {', '.join(bare)}", hint="leave --io out, or cut the model before it with --outputs"
        )
    return [_input(graph, v, io) for v in body.inputs] + [_output(graph, i, io) for i in range(len(body.outputs))]


def in_integers(tensor: Tensor, how: Affine) -> Tensor:
    """A port's tensor, as `integer_ports` made it."""
    return replace(tensor, dtype=how.dtype, scale=float(how.scale), zero_point=int(how.zero_point))


def _entry(value: ir.Value) -> ir.Node | None:
    """The only reader of an input, when it is a QuantizeLinear."""
    readers = value.consumers()
    return readers[0] if len(readers) == 1 and readers[0].op_type == "QuantizeLinear" else None


def _exit(value: ir.Value) -> ir.Node | None:
    maker = value.producer()
    return maker if maker is not None and maker.op_type == "DequantizeLinear" else None


def _as_type(how: Affine, dtype: str) -> Affine:
    """The same reals in another type of 8 bits."""
    shift = LIMITS[dtype][0] - LIMITS[how.dtype][0]
    return Affine(how.scale, np.array(int(how.zero_point) + shift, dtype))


def _input(graph: Graph, value: ir.Value, io: str) -> Affine:
    quantize = _entry(value)
    assert quantize is not None
    before = affine_of(quantize)
    how = _as_type(before, io)
    value.type = ir.TensorType(ir.DataType.from_numpy(how.zero_point.dtype))
    if before.dtype == io:
        quantize.outputs[0].replace_all_uses_with(value)
        graph.model.graph.remove(quantize, safe=True)
        return how
    real = _linear(graph, "DequantizeLinear", value, how, ir.DataType.FLOAT)
    quantize.replace_input_with(0, real.outputs[0])
    graph.model.graph.insert_before(quantize, real)
    return how


def _output(graph: Graph, index: int, io: str) -> Affine:
    body = graph.model.graph
    value = body.outputs[index]
    dequantize = _exit(value)
    assert dequantize is not None
    before = affine_of(dequantize)
    how = _as_type(before, io)
    stored = dequantize.inputs[0]
    assert stored is not None
    if before.dtype != io or stored.is_graph_output() or stored.is_graph_input():
        shifted = _linear(graph, "QuantizeLinear", value, how, ir.DataType.from_numpy(how.zero_point.dtype))
        body.append(shifted)
        stored = shifted.outputs[0]
    body.outputs[index] = stored
    if before.dtype == io and not value.uses():
        body.remove(dequantize, safe=True)
    return how


def _linear(graph: Graph, op: str, value: ir.Value, how: Affine, kind: ir.DataType) -> ir.Node:
    """A QuantizeLinear or DequantizeLinear of a port."""
    parameters = [add_constant(graph, f"{value.name}__{io}", a) for io, a in (("port_scale", how.scale), ("port_zero", how.zero_point))]
    node = ir.node(op, [value, *parameters])
    out = node.outputs[0]
    out.name = node.name = unique_name(graph, f"{value.name}__port")
    out.shape, out.type = value.shape, ir.TensorType(kind)
    return node
