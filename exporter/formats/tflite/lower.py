"""Graph to TFLite op list."""

import onnx_ir as ir

from exporter.formats.artifact import Problem
from exporter.formats.tflite.emitter import Emitter, Refused
from exporter.formats.tflite.gates import layer_name
from exporter.formats.tflite.layout import NHWC, physical, plain, preferred
from exporter.formats.tflite.ops import Axes, TfModel, TfTensor, name_tensors, prune
from exporter.formats.tflite.table import EMIT
from exporter.graph import DOMAIN, Graph, Port, shape_of
from exporter.graph.qdq import layer_of

_NHWC_TO_NCHW = (0, 3, 1, 2)
_SEQUENCE_OPS = {"Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "BatchNormalization"}


def lower(graph: Graph, *, int8: bool = False) -> tuple[TfModel, list[Problem]]:
    """Lower every node; one that cannot be is named and its outputs stand in, so that all problems are found at once.

    Args:
        graph: A float Graph.
        int8: The list is to be quantized: ops are chosen that run fast in int8.
    """
    e, problems, lost = Emitter(int8=int8), list[Problem](), set[ir.Value]()
    values = {str(v.name): v for v in graph.model.graph.inputs}
    inputs = [_input(e, port, values[port.name]) for port in graph.inputs]
    for node in graph.nodes:
        if any(v in lost for v in node.inputs):
            lost.update(node.outputs)
            continue
        e.layer = layer_name(node) if int8 else layer_of(node)
        reason = _emit(e, node)
        if reason is not None:
            problems.append(Problem(str(node.name or node.outputs[0].name), node.op_type, reason))
            lost.update(v for v in node.outputs if not _stand_in(e, v))
    e.layer = ""
    outputs = [] if problems else _outputs(e, graph, inputs)
    model = TfModel(inputs, outputs, e.ops, e.held, frozenset(e.flat))
    if not problems:
        prune(model)
        name_tensors(model)
    return model, problems


def _emit(e: Emitter, node: ir.Node) -> str | None:
    """Emit one node; the reason if that cannot be."""
    emit = EMIT.get(node.op_type) if node.domain in {"", "ai.onnx", DOMAIN} else None
    if emit is None:
        return "TFLite's writer does not know this op"
    unknown = [v for v in (*node.inputs, *node.outputs) if v is not None and (v.uses() or v.is_graph_output()) and not _shape_known(v)]
    if unknown:
        return f"{unknown[0].name} has the shape {unknown[0].shape}: known sizes are needed, and the batch first"
    try:
        emit(e, node)
    except Refused as problem:
        return str(problem)
    return None


def _shape_known(value: ir.Value) -> bool:
    """A file is made for one sample: where a sample is several windows, that many stand on the first axis."""
    try:
        shape_of(value)
    except ValueError:
        return False
    return value.shape is not None and all(isinstance(d, int) for d in value.shape[1:])


def _stand_in(e: Emitter, value: ir.Value) -> bool:
    """A tensor in the place of one that could not be made, so that what reads it is looked at too; False where its shape is unknown."""
    if value not in e.held and _shape_known(value):
        axes = preferred(len(shape_of(value)))
        e.bind(value, TfTensor(str(value.name), physical(shape_of(value), axes)), axes)
    return value in e.held


def _input(e: Emitter, port: Port, value: ir.Value) -> TfTensor:
    """Pictures NHWC, unless all that is done with them is Transpose to NCHW; sequences as the source has them, or channels last
    where a convolution reads them; all else in the source's order."""
    shape = shape_of(value)
    axes: Axes = source_order(port)
    users = value.consumers()
    if len(shape) == 4:
        kept = users and all(n.op_type == "Transpose" and tuple(n.attributes["perm"].as_ints()) == _NHWC_TO_NCHW for n in users)
        axes = plain(4) if kept else NHWC
    elif len(shape) == 3 and any(n.op_type in _SEQUENCE_OPS for n in users):
        axes = (0, 2, 1)
    tensor = TfTensor(port.source_name, physical(shape, axes))
    e.bind(value, tensor, axes)
    return tensor


def source_order(port: Port) -> Axes:
    """The Graph's axes in the order of the source's."""
    return tuple(sorted(range(len(port.perm)), key=lambda a: port.perm[a]))


def _outputs(e: Emitter, graph: Graph, inputs: list[TfTensor]) -> list[TfTensor]:
    """Pictures stay NHWC where they are; all else in the source's order. Every output is a tensor of its own."""
    found: list[TfTensor] = []
    for port, value in zip(graph.outputs, graph.model.graph.outputs, strict=True):
        rank = len(shape_of(value))
        wanted = source_order(port)
        if rank == 4 and value in e.held and e.held[value][1] == NHWC:
            wanted = NHWC
        tensor = e.get(value, wanted)
        if tensor in inputs or tensor in found or tensor.data is not None:
            tensor = e.emit("RESHAPE", [tensor, e.ints(tensor.shape)], tensor.shape, newShape=list(tensor.shape))
        tensor.name = port.source_name
        found.append(tensor)
        e.held[value] = (tensor, wanted)
    return found
