"""The file's names and layout: one Transpose at each input and output whose file layout is not the Graph's."""

import numpy as np
import onnx_ir as ir

from exporter.errors import UsageError, unknown_name
from exporter.formats.artifact import Tensor
from exporter.graph import CHANNELS_FIRST, Graph, Port, shape_of, unique_name

LAYOUTS = ("nchw", "nhwc")


def file_perm(port: Port, layout: str | None) -> tuple[int, ...]:
    """Graph axis i holds file axis file_perm[i].

    Raises:
        UsageError: If there is no such layout.
    """
    if layout is None:
        return port.perm
    if layout not in LAYOUTS:
        raise unknown_name("layout", layout, LAYOUTS)
    if len(port.perm) not in (3, 4):
        return port.perm
    return CHANNELS_FIRST[len(port.perm)] if layout == "nhwc" else tuple(range(len(port.perm)))


def dress(graph: Graph, layout: str | None) -> tuple[list[Tensor], list[Tensor]]:
    """Give inputs and outputs the file's names and layout, in place; returns their tensors in the file."""
    wanted = _free_names(graph)
    inputs = [_input(graph, i, port, file_perm(port, layout), wanted) for i, port in enumerate(graph.inputs)]
    outputs = [_output(graph, i, port, file_perm(port, layout), wanted) for i, port in enumerate(graph.outputs)]
    return inputs, outputs


def _free_names(graph: Graph) -> set[str]:
    """Rename inner values that have a name which an input or output of the file must have; returns these names."""
    body = graph.model.graph
    ports = dict(zip(map(id, (*body.inputs, *body.outputs)), (*graph.inputs, *graph.outputs), strict=True))
    wanted = {p.source_name for p in ports.values()}
    if len(wanted) != len(ports):
        raise UsageError(f"{graph.name} has an input and an output of the same name", hint="rename one of them in the source")
    for value in [*body.inputs, *(o for n in body for o in n.outputs), *list(body.initializers.values())]:
        port = ports.get(id(value))
        if value.name in wanted and (port is None or port.source_name != value.name):
            if value.const_value is not None:
                value.const_value = ir.tensor(value.const_value.numpy())  # renamed with its value: clones share the old one
            value.name = _inner_name(graph, f"{value.name}_inner", wanted)
    return wanted


def _inner_name(graph: Graph, base: str, wanted: set[str]) -> str:
    """A free name that no input or output of the file must have."""
    name = unique_name(graph, base)
    while name in wanted:
        base += "_"
        name = unique_name(graph, base)
    return name


def _input(graph: Graph, index: int, port: Port, perm: tuple[int, ...], wanted: set[str]) -> Tensor:
    value, back = graph.model.graph.inputs[index], tuple(int(i) for i in np.argsort(perm))
    if back != tuple(range(len(back))):
        node = ir.node("Transpose", [None], {"perm": list(perm)}, name=f"{port.source_name}_layout")
        inner = node.outputs[0]
        inner.shape, inner.type = value.shape, value.type
        value.replace_all_uses_with(inner)
        inner.name = _inner_name(graph, f"{port.source_name}_layout", wanted)
        node.replace_input_with(0, value)
        graph.model.graph.insert_before(graph.model.graph[0], node)
        value.shape = ir.Shape([list(inner.shape or ())[a] for a in back])
    value.name = port.source_name
    return _tensor(value, port, back)


def _output(graph: Graph, index: int, port: Port, perm: tuple[int, ...], wanted: set[str]) -> Tensor:
    body, back = graph.model.graph, tuple(int(i) for i in np.argsort(perm))
    value = body.outputs[index]
    if back != tuple(range(len(back))):
        node = ir.node("Transpose", [value], {"perm": list(back)}, name=f"{port.source_name}_layout")
        body.append(node)
        body.outputs[index] = node.outputs[0]
        node.outputs[0].shape = ir.Shape([list(value.shape or ())[a] for a in back])
        node.outputs[0].type = value.type
        if value.name == port.source_name:
            value.name = _inner_name(graph, f"{port.source_name}_layout", wanted)
        value = node.outputs[0]
    value.name = port.source_name
    return _tensor(value, port, back)


def _tensor(value: ir.Value, port: Port, perm: tuple[int, ...]) -> Tensor:
    return Tensor(port.source_name, port.name, shape_of(value), perm)
