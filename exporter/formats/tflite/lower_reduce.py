"""Reductions, normalisations composed of them, and batch norm that stayed."""

import onnx_ir as ir

from exporter.formats.tflite.emitter import Emitter, Refused
from exporter.formats.tflite.ops import Axes, TfTensor
from exporter.graph import attr, const_input, shape_of

REDUCE = {
    "ReduceMean": "MEAN", "ReduceSum": "SUM", "ReduceMax": "REDUCE_MAX", "ReduceMin": "REDUCE_MIN", "ReduceProd": "REDUCE_PROD",
    "ReduceL1": "SUM", "ReduceL2": "SUM", "ReduceSumSquare": "SUM", "ReduceLogSum": "SUM", "ReduceLogSumExp": "SUM",
}  # fmt: skip


def emit_reduce(e: Emitter, node: ir.Node) -> None:
    """The reductions of the table REDUCE."""
    x, y = node.inputs[0], node.outputs[0]
    assert x is not None
    tensor, axes = e.where(x)
    rank, names = len(shape_of(x)), const_input(node, 1)
    if names is None and len(node.inputs) > 1 and node.inputs[1] is not None:
        raise Refused("its axes are computed, constants are needed")
    over = {int(a) % rank for a in (attr(node, "axes", ()) if names is None else names)} or set(range(rank))
    if node.op_type in {"ReduceL2", "ReduceSumSquare"}:
        tensor = e.emit("MUL", [tensor, tensor], tensor.shape)
    if node.op_type == "ReduceL1":
        tensor = e.emit("ABS", [tensor], tensor.shape)
    keep = bool(attr(node, "keepdims", 1))
    top = None
    if node.op_type == "ReduceLogSumExp":  # less the largest, so that nothing overflows
        top, _ = reduce(e, tensor, axes, over, "REDUCE_MAX", keep=True)
        tensor = e.emit("EXP", [e.emit("SUB", [tensor, top], tensor.shape)], tensor.shape)
    out, order = reduce(e, tensor, axes, over, REDUCE[node.op_type], keep=keep)
    after = {"ReduceL2": "SQRT", "ReduceLogSum": "LOG", "ReduceLogSumExp": "LOG"}.get(node.op_type)
    out = out if after is None else e.emit(after, [out], out.shape)
    out = out if top is None else e.emit("ADD", [out, e.reshape(top, out.shape)], out.shape)
    e.bind(y, out, order)


def emit_global_pool(e: Emitter, node: ir.Node) -> None:
    """MEAN or REDUCE_MAX over all spatial axes."""
    x = node.inputs[0]
    assert x is not None
    tensor, axes = e.where(x)
    kind = "MEAN" if node.op_type == "GlobalAveragePool" else "REDUCE_MAX"
    e.bind(node.outputs[0], *reduce(e, tensor, axes, set(range(2, len(shape_of(x)))), kind, keep=True))


def reduce(e: Emitter, x: TfTensor, axes: Axes, over: set[int], kind: str, *, keep: bool) -> tuple[TfTensor, Axes]:
    """Reduce over ONNX axes; axes that only the file has go along, so that dropping them costs no RESHAPE."""
    places = [i for i, a in enumerate(axes) if a in over or a < 0]
    shape = [1 if i in places else d for i, d in enumerate(x.shape)]
    if keep:
        return e.emit(kind, [x, e.ints(places)], shape, keepDims=True), axes
    left = sorted({a for a in axes if a >= 0} - over)
    order = tuple(left.index(a) for a in axes if a >= 0 and a not in over)
    shape = [d for i, d in enumerate(x.shape) if i not in places]
    return e.emit(kind, [x, e.ints(places)], shape, keepDims=False), order
