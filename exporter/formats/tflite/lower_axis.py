"""Ops along axes: Concat, Slice, Split, Gather, Pad, Softmax."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats.tflite.emitter import Emitter, Refused
from exporter.formats.tflite.layout import Flat, physical, preferred, wide
from exporter.formats.tflite.ops import Axes, TfOp, TfTensor
from exporter.formats.tflite.padding import pad
from exporter.graph import attr, const, const_input, shape_of

MAX_CONCAT = 5
"""XNNPACK takes a CONCATENATION of at most so many parts."""

MAX_SPLIT = 4
"""XNNPACK takes a SPLIT into at most so many parts."""


def axis_of(node: ir.Node, default: int, rank: int) -> int:
    """The node's axis, counted from the front."""
    return int(attr(node, "axis", default)) % rank


def emit_concat(e: Emitter, node: ir.Node) -> None:
    """CONCATENATION in the layout of the largest part."""
    inputs, y = [v for v in node.inputs if v is not None], node.outputs[0]
    if any(v in e.flat for v in inputs):
        _concat_flat(e, inputs, y)
        return
    computed = [v for v in inputs if const(v) is None]
    if not computed:
        raise Refused("all its inputs are constants")
    _, axes = e.where(max(computed, key=lambda v: int(np.prod(shape_of(v)))))
    if len(inputs) == 1:
        e.bind(y, *e.where(inputs[0]))
        return
    axis = axes.index(axis_of(node, 0, len(shape_of(y))))
    e.bind(y, join(e, [e.get(v, axes) for v in inputs], axis), axes)


def join(e: Emitter, parts: list[TfTensor], axis: int) -> TfTensor:
    """CONCATENATION; for int8 of concatenations, where XNNPACK does not take so many parts at once (in float32 it copies once only)."""
    begun: list[TfTensor] = []
    while e.int8 and len(parts) > MAX_CONCAT:
        begun.append(_joined(e, parts[:MAX_CONCAT], axis))
        parts = [begun[-1], *parts[MAX_CONCAT:]]
    whole = _joined(e, parts, axis)
    for some in begun:
        some.like = whole  # its first part may be far less wide
    return whole


def _joined(e: Emitter, parts: list[TfTensor], axis: int) -> TfTensor:
    shape = list(parts[0].shape)
    shape[axis] = sum(t.shape[axis] for t in parts)
    return e.emit("CONCATENATION", parts, shape, axis=axis)


def _concat_flat(e: Emitter, inputs: list[ir.Value], y: ir.Value) -> None:
    parts: list[tuple[tuple[int, ...], Axes]] = []
    tensors = []
    for v in inputs:
        flat = e.flat.get(v)
        parts += flat.parts if flat is not None else ((shape_of(v)[1:], (0,)),)
        tensors.append(e.held[v][0] if flat is not None else e.get(v, (0, 1)))
    e.flat[y] = Flat(tuple(parts))
    e.bind(y, join(e, tensors, 1), (0, 1))


def emit_softmax(e: Emitter, node: ir.Node) -> None:
    """SOFTMAX or LOG_SOFTMAX, its axis brought to the end."""
    x = node.inputs[0]
    assert x is not None
    _, axes = e.where(x)
    axis = axis_of(node, -1, len(shape_of(x)))
    if axes[-1] != axis:
        axes = (*(a for a in axes if a not in {axis, -1}), axis)
    tensor = e.get(x, axes)
    kind, options = ("SOFTMAX", {"beta": 1.0}) if node.op_type == "Softmax" else ("LOG_SOFTMAX", {})
    e.bind(node.outputs[0], e.emit(kind, [tensor], tensor.shape, **options), axes)


def take(e: Emitter, x: TfTensor, axis: int, index: Array) -> TfTensor:
    """Elements of one physical axis: nothing, SLICE, STRIDED_SLICE or GATHER, whichever does."""
    size = x.shape[axis]
    shape = tuple(len(index) if i == axis else d for i, d in enumerate(x.shape))
    steps = np.unique(np.diff(index)) if len(index) > 1 else np.array([1])
    if len(index) == size and len(steps) == 1 and steps[0] == 1:
        return x
    if len(steps) != 1 or steps[0] < 1:
        return e.emit("GATHER", [x, e.ints(index)], shape, axis=axis)
    begin = [int(index[0]) if i == axis else 0 for i in range(len(shape))]
    if steps[0] == 1:
        return e.emit("SLICE", [x, e.ints(begin), e.ints(shape)], shape)
    end = [int(index[-1]) + 1 if i == axis else d for i, d in enumerate(x.shape)]
    stride = [int(steps[0]) if i == axis else 1 for i in range(len(shape))]
    return e.emit("STRIDED_SLICE", [x, e.ints(begin), e.ints(end), e.ints(stride)], shape)


def emit_slice(e: Emitter, node: ir.Node) -> None:
    """SLICE of all axes at once where every step is 1, else axis by axis."""
    x, y = node.inputs[0], node.outputs[0]
    assert x is not None
    starts, ends = const_input(node, 1), const_input(node, 2)
    if starts is None or ends is None:
        raise Refused("its starts or ends are computed, constants are needed")
    names, steps = const_input(node, 3), const_input(node, 4)
    tensor, axes = e.where(x)
    shape = shape_of(x)
    wanted = range(len(starts)) if names is None else [int(a) % len(shape) for a in names]
    taken = {a: _indices(shape[a], int(starts[i]), int(ends[i]), 1 if steps is None else int(steps[i])) for i, a in enumerate(wanted)}
    if any(len(index) == 0 for index in taken.values()):
        raise Refused("it takes nothing")
    if all((np.diff(index) == 1).all() for index in taken.values()):
        begin = [int(taken[a][0]) if a in taken else 0 for a in axes]
        out = physical(shape_of(y), axes)
        tensor = tensor if out == tensor.shape else e.emit("SLICE", [tensor, e.ints(begin), e.ints(out)], out)
    else:
        kept = {axes.index(a): index for a, index in taken.items()}
        if len(axes) == 4 and {1, 2} & set(kept):
            tensor = _stride(e, tensor, kept)
        for place, index in kept.items():
            apart = e.int8 and place == len(axes) - 1 and every_nth(e, tensor, index)
            tensor = apart or take(e, tensor, place, index)
    e.bind(y, tensor, axes)


def every_nth(e: Emitter, x: TfTensor, index: Array) -> TfTensor | None:
    """Every n-th channel, all of that remainder: one TRANSPOSE for all remainders, then a SLICE of channels side by side.

    XNNPACK takes no STRIDED_SLICE, and one over the last axis is slow anyway. None where the index is another one.
    """
    channels, step = x.shape[-1], int(index[1] - index[0]) if len(index) > 1 else 1
    if step < 2 or channels % step or not np.array_equal(index, np.arange(index[0] % step, channels, step)):
        return None
    rest = int(np.prod(x.shape[:-1]))
    key = (x, (step,), ())
    if key not in e.moved:
        parted = e.reshape(x, (rest, channels // step, step))
        turned = e.emit("TRANSPOSE", [parted, e.ints([0, 2, 1])], (rest, step, channels // step))
        e.moved[key] = e.reshape(turned, x.shape)
    return take(e, e.moved[key], len(x.shape) - 1, np.arange(len(index)) + int(index[0]) * len(index))


def _stride(e: Emitter, x: TfTensor, kept: dict[int, Array]) -> TfTensor:
    """Every n-th row and column of a picture by a depthwise convolution of one tap: XNNPACK takes no STRIDED_SLICE."""
    steps = [1, 1]
    for i in (1, 2):
        found = np.unique(np.diff(kept.get(i, np.arange(1))))
        if len(found) == 1 and found[0] > 1:
            step, first, count = int(found[0]), int(kept[i][0]), len(kept[i])
            end = x.shape[i] if -(-(x.shape[i] - first) // step) == count else int(kept[i][-1]) + 1
            x = take(e, x, i, np.arange(first, end))
            steps[i - 1] = step
            del kept[i]
    if steps == [1, 1]:
        return x
    shape = (x.shape[0], -(-x.shape[1] // steps[0]), -(-x.shape[2] // steps[1]), x.shape[3])
    ones, zeros = (e.constant(f(x.shape[3], np.float32)) for f in (np.ones, np.zeros))
    ones.shape = (1, 1, 1, x.shape[3])
    options = {"padding": "VALID", "strideH": steps[0], "strideW": steps[1], "dilationHFactor": 1, "dilationWFactor": 1}
    return e.emit("DEPTHWISE_CONV_2D", [x, ones, zeros], shape, **options, depthMultiplier=1)


def _indices(size: int, start: int, end: int, step: int) -> Array:
    """The indices that an ONNX Slice takes along an axis."""
    low, high = (0, size) if step > 0 else (-1, size - 1)
    start = start + size if start < 0 else start
    end = end + size if end < 0 else end
    return np.arange(min(max(start, 0), high), min(max(end, low), size), step)


def emit_split(e: Emitter, node: ir.Node) -> None:
    """SPLIT into a few equal parts, else a SLICE for each part (XNNPACK takes no SPLIT_V)."""
    x = node.inputs[0]
    assert x is not None
    tensor, axes = e.where(x)
    axis = axis_of(node, 0, len(shape_of(x)))
    place, sizes = axes.index(axis), [shape_of(o)[axis] for o in node.outputs]
    shapes = [physical(shape_of(o), axes) for o in node.outputs]
    if len(set(sizes)) == 1 and 1 < len(sizes) <= MAX_SPLIT:
        outs = [TfTensor(str(o.name), shape) for o, shape in zip(node.outputs, shapes, strict=True)]
        e.push(TfOp("SPLIT", [e.ints(place), tensor], outs, {"numSplits": len(outs)}))
    else:
        starts = np.concatenate([[0], np.cumsum(sizes)])
        outs = [take(e, tensor, place, np.arange(starts[i], starts[i + 1])) for i in range(len(sizes))]
    for value, out in zip(node.outputs, outs, strict=True):
        e.bind(value, out, axes)


def emit_tile(e: Emitter, node: ir.Node) -> None:
    """TILE."""
    x, y, repeats = node.inputs[0], node.outputs[0], const_input(node, 1)
    assert x is not None
    if repeats is None:
        raise Refused("its repeats are computed, constants are needed")
    tensor, axes = e.where(x)
    times = [1 if a < 0 else int(repeats[a]) for a in axes]
    e.bind(y, e.emit("TILE", [tensor, e.ints(times)], physical(shape_of(y), axes)), axes)


def emit_gather(e: Emitter, node: ir.Node) -> None:
    """Constant indices: a slice where they are a range, else GATHER; a single index drops its axis by RESHAPE."""
    x, y, index = node.inputs[0], node.outputs[0], const_input(node, 1)
    assert x is not None
    if index is None or const(x) is not None:
        raise Refused("computed indices (an embedding) are not known, constants are needed")
    tensor, axes = e.where(x)
    shape = shape_of(x)
    axis = axis_of(node, 0, len(shape))
    taken = take(e, tensor, axes.index(axis), index.ravel() % shape[axis])
    if index.ndim == 1:
        e.bind(y, taken, axes)
        return
    more = index.ndim - 1
    names = {a: (a if a < axis else a + more,) for a in range(len(shape))} | {axis: tuple(range(axis, axis + index.ndim))}
    order = tuple(b for a in axes if a >= 0 for b in names[a])
    out = shape_of(y)
    better = preferred(len(out))
    order = better if wide(out, better) == wide(out, order) else order
    e.bind(y, e.reshape(taken, physical(out, order)), order)


def emit_pad(e: Emitter, node: ir.Node) -> None:
    """PAD and PADV2, MIRROR_PAD for reflect, GATHER for edge and wrap; negative pads cut."""
    x, y, amounts = node.inputs[0], node.outputs[0], const_input(node, 1)
    assert x is not None
    value = const_input(node, 2)
    if amounts is None or (len(node.inputs) > 2 and node.inputs[2] is not None and value is None):
        raise Refused("its pads or value are computed, constants are needed")
    tensor, axes = e.where(x)
    rank = len(shape_of(x))
    names = const_input(node, 3)
    touched = list(range(rank)) if names is None else [int(a) % rank for a in names]
    both = {a: (int(amounts[i]), int(amounts[i + len(touched)])) for i, a in enumerate(touched)}
    pads = [both.get(a, (0, 0)) for a in axes]
    mode = attr(node, "mode", "constant")
    if mode == "constant":
        tensor = _constant_pad(e, tensor, pads, 0.0 if value is None or value.size == 0 else float(value.reshape(-1)[0]))
    elif mode == "reflect" and all(0 <= p < d for d, ps in zip(tensor.shape, pads, strict=True) for p in ps):
        tensor = _mirror(e, tensor, pads)
    else:
        for i, ends in enumerate(pads):
            if any(ends):
                tensor = take(e, tensor, i, np.pad(np.arange(tensor.shape[i]), ends, _NUMPY_MODES[mode]))  # type: ignore[call-overload]
    e.bind(y, tensor, axes)


_NUMPY_MODES = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}


def _constant_pad(e: Emitter, x: TfTensor, pads: Sequence[tuple[int, int]], value: float) -> TfTensor:
    for i, (a, b) in enumerate(pads):
        if min(a, b) < 0:
            x = take(e, x, i, np.arange(max(-a, 0), x.shape[i] - max(-b, 0)))
    grown = [(max(a, 0), max(b, 0)) for a, b in pads]
    return pad(e, x, grown, value) if any(a or b for a, b in grown) else x


def _mirror(e: Emitter, x: TfTensor, pads: Sequence[tuple[int, int]]) -> TfTensor:
    shape = [d + a + b for d, (a, b) in zip(x.shape, pads, strict=True)]
    return e.emit("MIRROR_PAD", [x, e.constant(np.array(pads, np.int32))], shape, mode="REFLECT")
