"""Slices of tensors: Split, Slice, Gather by constant indices."""

import itertools

import onnx_ir as ir

from exporter.formats.ncnn.emitter import Emitter, UnsupportedError, axis_of, constants, dims, integers
from exporter.formats.ncnn.layer import Blob, Param
from exporter.formats.ncnn.pooling import pick_every
from exporter.graph import attr, const_input, shape_of

MAX_PIECES = 64
"""A Gather of more runs of neighbouring indices than this is refused."""


def emit_split(e: Emitter, node: ir.Node) -> None:
    """ncnn's Slice."""
    x = e.shaped(node.inputs[0])
    axis = axis_of(int(attr(node, "axis", 0)), len(x.shape) + 1)
    sizes = [dims(v)[axis] for v in node.outputs]
    shapes = [(*x.shape[:axis], n, *x.shape[axis + 1 :]) for n in sizes]
    for value, blob in zip(node.outputs, e.emit_many("Slice", [x], shapes, {0: tuple(sizes), 1: axis}), strict=True):
        e.put(value, blob)


def emit_slice(e: Emitter, node: ir.Node) -> None:
    """Crop, and for steps max pooling of one element or Flip; slices that share out a tensor become one Slice layer."""
    value = node.inputs[0]
    assert value is not None
    ranges = _ranges(node)
    parts = _sharing_out(value, *next(iter(ranges.items()))) if len(ranges) == 1 else []
    if not parts:
        e.put(node.outputs[0], _sliced(e, e.shaped(value), ranges))
        return
    (axis,) = ranges
    x = e.shaped(value)
    sizes = [dims(part.outputs[0])[axis] for part in parts]
    blobs = e.emit_many("Slice", [x], [dims(part.outputs[0]) for part in parts], {0: tuple(sizes), 1: axis})
    for part, blob in zip(parts, blobs, strict=True):
        e.put(part.outputs[0], blob)
        e.absorbed.add(part)


def _sharing_out(value: ir.Value, axis: int, own: range) -> list[ir.Node]:
    """The Slice nodes that together read all of a value along an axis, each element once, in order; none when they don't."""
    if own.step != 1:
        return []
    found: list[tuple[range, ir.Node]] = []
    for reader in value.consumers():
        if reader.op_type == "Slice" and reader.inputs[0] is value:
            try:
                ranges = _ranges(reader)
            except UnsupportedError:
                continue  # told when that node is emitted itself
            if list(ranges) == [axis] and ranges[axis].step == 1:
                found.append((ranges[axis], reader))
    found.sort(key=lambda part: part[0].start)
    edges = [0, *(r.stop for r, _ in found)]
    whole = edges[-1] == dims(value)[axis] and all(r.start == edge for (r, _), edge in zip(found, edges, strict=False))
    return [reader for _, reader in found] if whole and len(found) > 1 else []


def _ranges(node: ir.Node) -> dict[int, range]:
    """What a Slice takes along each axis (the batch not counted) that it does not take whole."""
    starts, ends = integers(node, 1, "starts"), integers(node, 2, "ends")
    axes = integers(node, 3, "axes") if const_input(node, 3) is not None else list(range(len(starts)))
    steps = integers(node, 4, "steps") if const_input(node, 4) is not None else [1] * len(starts)
    assert node.inputs[0] is not None
    full = shape_of(node.inputs[0])
    ranges: dict[int, range] = {}
    for start, end, counted, step in zip(starts, ends, axes, steps, strict=True):
        axis = counted % len(full)
        picked = range(full[axis])[slice(*_bounds(start, end, step))]
        if axis == 0 and len(picked) != 1:
            raise UnsupportedError("slices the batch axis")
        if axis > 0 and len(picked) == 0:
            raise UnsupportedError("leaves nothing")
        if axis > 0 and picked != range(full[axis]):
            ranges[axis - 1] = picked
    return ranges


def _bounds(start: int, end: int, step: int) -> tuple[int, int | None, int]:
    """ONNX's bounds as Python's: an end far below zero means through the first element."""
    return start, None if step < 0 and end < -(2**30) else end, step


def _sliced(e: Emitter, x: Blob, ranges: dict[int, range]) -> Blob:
    """Crop to what is touched, turn round the axes that run backwards, then pick every step-th element."""
    steps = {axis: abs(r.step) for axis, r in ranges.items() if abs(r.step) > 1 and len(r) > 1}
    lows = {axis: min(r[0], r[-1]) for axis, r in ranges.items()}
    highs = {axis: max(r[0], r[-1]) + 1 for axis, r in ranges.items()}
    for axis, step in steps.items():
        if ranges[axis].step > 0 and highs[axis] + step > x.shape[axis]:
            highs[axis] = x.shape[axis]  # what is left there is less than a step: picking stops by itself
    x = cropped(e, x, lows, highs)
    backwards = tuple(axis for axis, r in ranges.items() if r.step < 0 and len(r) > 1)
    if backwards:
        e.note("a backwards slice needs ncnn's Flip, in ncnn since 2025")
        x = e.emit("Flip", [x], x.shape, {0: backwards}, name=f"{x.name}_flip")
    if steps:
        e.note("ncnn has no strided slice: a pooling layer picks the elements")
        x = pick_every(e, x, steps)
    return x


def cropped(e: Emitter, x: Blob, lows: dict[int, int], highs: dict[int, int]) -> Blob:
    """A contiguous part of a blob."""
    axes = [a for a in sorted(lows) if (lows[a], highs[a]) != (0, x.shape[a])]
    if not axes:
        return x
    shape = [highs[a] - lows[a] if a in axes else n for a, n in enumerate(x.shape)]
    params: dict[int, Param] = {9: tuple(lows[a] for a in axes), 10: tuple(highs[a] for a in axes), 11: tuple(axes)}
    return e.emit("Crop", [x], shape, params)


def emit_gather(e: Emitter, node: ir.Node) -> None:
    """Constant indices along an axis: one Crop a run of neighbours, concatenated."""
    value = node.inputs[0]
    assert value is not None
    axis = axis_of(int(attr(node, "axis", 0)), len(shape_of(value)))
    x = e.shaped(value)
    indices = constants(node, 1, "indices")
    size = x.shape[axis]
    flat = [int(i) % size for i in indices.reshape(-1)]
    runs = _runs(flat)
    if len(runs) == 1:
        e.put(node.outputs[0], _sliced(e, x, {axis: runs[0]} if runs[0] != range(size) else {}))
        return
    if len(runs) > MAX_PIECES:
        raise UnsupportedError(f"gathers {len(runs)} separate pieces, at most {MAX_PIECES} are written")
    e.note(f"{len(runs)} pieces are cut and concatenated")
    pieces = [_sliced(e, x, {axis: run}) for run in runs]
    shape = (*x.shape[:axis], len(flat), *x.shape[axis + 1 :])
    e.put(node.outputs[0], e.emit("Concat", pieces, shape, {0: axis}))


def _runs(indices: list[int]) -> list[range]:
    """Indices as ranges: one when they advance evenly, else maximal runs of step 1."""
    steps = {b - a for a, b in itertools.pairwise(indices)}
    if len(steps) == 1 and 0 not in steps:
        step = steps.pop()
        return [range(indices[0], indices[-1] + (1 if step > 0 else -1), step)]
    runs: list[range] = []
    for i in indices:
        if runs and i == runs[-1].stop:
            runs[-1] = range(runs[-1].start, i + 1)
        else:
            runs.append(range(i, i + 1))
    return runs
