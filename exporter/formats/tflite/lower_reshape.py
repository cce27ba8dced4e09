"""Reshape, Transpose and channel shuffle: mostly no ops at all."""

import onnx_ir as ir

from exporter.formats.tflite.emitter import Emitter
from exporter.formats.tflite.gates import gate_of
from exporter.formats.tflite.layout import Flat, physical, plain, preferred, reshape_groups, wide
from exporter.formats.tflite.ops import Axes, TfTensor
from exporter.graph import attr, const, shape_of

_POINTWISE = {
    "Relu", "Clip", "Sigmoid", "Tanh", "LeakyRelu", "Elu", "Selu", "Celu", "Gelu", "HardSwish", "HardSigmoid", "Mish", "Softplus",
    "Softsign", "Exp", "Abs", "Neg", "Identity", "Dropout",
}  # fmt: skip


def emit_transpose(e: Emitter, node: ir.Node) -> None:
    """Renames axes, emits nothing."""
    x, y = node.inputs[0], node.outputs[0]
    assert x is not None
    tensor, axes = e.where(x)
    perm = list(attr(node, "perm", plain(len(shape_of(x)))[::-1]))
    e.bind(y, tensor, tuple(perm.index(a) if a >= 0 else -1 for a in axes))


def emit_reshape(e: Emitter, node: ir.Node) -> None:
    """RESHAPE where the bytes allow it; a flatten before dense layers leaves the reordering to their weights."""
    x, y = node.inputs[0], node.outputs[0]
    assert x is not None
    tensor, axes = e.where(x)
    a, b = shape_of(x), shape_of(y)
    groups = reshape_groups(a, b)
    of = {axis: i for i, (ga, _) in enumerate(groups) for axis in ga}
    have = wide(a, axes)
    order = list(dict.fromkeys(of[axis] for axis in have))
    want = tuple(axis for i in order for axis in groups[i][0])
    if want != have and _only_dense_reads(y) and len(b) == 2 and len(groups) == 1:
        e.flat[y] = Flat(((a[1:], tuple(axis - 1 for axis in axes if axis > 0)),))
    elif want != have:
        axes = tuple(axis for axis in range(len(a)) if a[axis] == 1) + want
        tensor = e.permute(tensor, a, e.where(x)[1], axes)
    target = _target(b, tuple(axis for i in order for axis in groups[i][1]))
    _bind(e, y, tensor, target, physical(b, target))


def _bind(e: Emitter, y: ir.Value, tensor: TfTensor, axes: Axes, shape: tuple[int, ...]) -> None:
    """The mean over height and width drops its axes by itself; else RESHAPE."""
    op = tensor.producer
    if tensor.shape != shape and op is not None and op.kind in {"MEAN", "REDUCE_MAX"} and op.options["keepDims"] and e.sole(tensor):
        data = op.inputs[1].data
        assert data is not None
        reduced = {int(a) for a in data}
        if shape == tuple(d for i, d in enumerate(tensor.shape) if i not in reduced):
            op.options["keepDims"], tensor.shape = False, shape
            e.take_over(y, tensor, axes)
            return
    e.bind(y, e.reshape(tensor, shape), axes)


def _target(shape: tuple[int, ...], order: Axes) -> Axes:
    """An order of all axes whose wide ones come as given: the usual one where it fits."""
    for axes in (preferred(len(shape)), plain(len(shape))):
        if wide(shape, axes) == order:
            return axes
    return tuple(a for a in range(len(shape)) if shape[a] == 1) + order


def _only_dense_reads(value: ir.Value) -> bool:
    """Is the value read by dense layers with constant weights alone, maybe through element-wise ops and Concats?"""
    if value.is_graph_output():
        return False
    for use in value.uses():
        node = use.node
        if node.op_type == "Gemm" and use.idx == 0 and len(node.inputs) > 1 and const(node.inputs[1]) is not None:
            continue
        joins = node.op_type == "Concat" and len(shape_of(node.outputs[0])) == 2 and int(attr(node, "axis")) in {1, -1}
        pointwise = (node.op_type in _POINTWISE and use.idx == 0) or gate_of(node) is not None
        if not (pointwise or joins) or not _only_dense_reads(node.outputs[0]):
            return False
    return True


def emit_channel_shuffle(e: Emitter, node: ir.Node) -> None:
    """RESHAPE, TRANSPOSE of three axes, RESHAPE."""
    x, y = node.inputs[0], node.outputs[0]
    assert x is not None
    groups, axes = int(attr(node, "group")), preferred(len(shape_of(x)))
    axes = axes if axes[-1] == 1 else (*(a for a in axes if a != 1), 1)
    tensor = e.get(x, axes)
    channels = tensor.shape[-1]
    rest = 1
    for d in tensor.shape[:-1]:
        rest *= d
    parted = e.reshape(tensor, (rest, groups, channels // groups))
    moved = e.emit("TRANSPOSE", [parted, e.ints([0, 2, 1])], (rest, channels // groups, groups))
    e.bind(y, e.reshape(moved, tensor.shape), axes)
