"""Layers that move or copy elements: concatenations, pads, transposes, repeats."""

import math
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from exporter.formats.ncnn.emitter import MAX_AXES, Emitter, UnsupportedError, axis_of, dims, integers
from exporter.formats.ncnn.layer import FLOAT_MAX, Blob, Param
from exporter.formats.ncnn.slicing import cropped
from exporter.graph import attr, const_input, shape_of

PERMUTE = {
    2: ("wh", "hw"),
    3: ("whc", "hwc", "wch", "cwh", "hcw", "chw"),
    4: (
        "whdc", "hwdc", "wdhc", "dwhc", "hdwc", "dhwc", "whcd", "hwcd", "wchd", "cwhd", "hcwd", "chwd",
        "wdch", "dwch", "wcdh", "cwdh", "dcwh", "cdwh", "hdcw", "dhcw", "hcdw", "chdw", "dchw", "cdhw",
    ),
}  # fmt: skip
"""Permute's order types: the input axis that becomes w, then h, (d,) c of the output."""

AXES = {2: "hw", 3: "chw", 4: "cdhw"}
"""ncnn's letters for a shape's axes, slowest first."""


def emit_alias(e: Emitter, node: ir.Node) -> None:
    """Reshape, Flatten, Squeeze, Unsqueeze, Identity: the same elements, so nothing at all."""
    e.put(node.outputs[0], e.blob(node.inputs[0]))


def emit_transpose(e: Emitter, node: ir.Node) -> None:
    """Permute; where the blob has another shape anyway, over the fewest axes."""
    value = node.inputs[0]
    x = e.blob(value)
    assert value is not None
    shape = dims(value)
    perm: tuple[int, ...] = attr(node, "perm", tuple(range(len(shape_of(value))))[::-1])
    if perm[0] != 0:
        raise UnsupportedError(f"moves the batch axis (perm {list(perm)})")
    order = [a - 1 for a in perm[1:]]
    fewest, merged = _fewest_axes(shape, order)
    if merged == sorted(merged):
        e.put(node.outputs[0], x)
        return
    sizes, order = (shape, order) if x.shape == shape else (fewest, merged)
    if len(sizes) <= MAX_AXES:
        e.note("copies the whole tensor (Permute)")
        e.put(node.outputs[0], permuted(e, e.reshaped(x, sizes), order))
    else:
        e.put(node.outputs[0], _in_moves(e, x, sizes, order))


def _in_moves(e: Emitter, x: Blob, sizes: tuple[int, ...], order: list[int]) -> Blob:
    """A transposition of more than four axes as moves of one axis each: before, the axis, what it jumps over, behind."""
    now, count = list(range(len(sizes))), 0
    for i, axis in enumerate(order):
        at = now.index(axis)
        if at == i:
            continue
        parts = [now[:i], now[i:at], [axis], now[at + 1 :]]
        x = permuted(e, e.reshaped(x, [math.prod(sizes[a] for a in part) for part in parts]), (0, 2, 1, 3))
        now = [*now[:i], axis, *now[i:at], *now[at + 1 :]]
        count += 1
    e.note(f"copies the whole tensor {count} times: ncnn permutes four axes at a time")
    return x


def permuted(e: Emitter, x: Blob, order: Sequence[int], *, name: str | None = None) -> Blob:
    """Axis i of the result is axis order[i] of the blob."""
    letters = "".join(AXES[len(order)][a] for a in reversed(order))
    shape = [x.shape[a] for a in order]
    return e.emit("Permute", [x], shape, {0: PERMUTE[len(order)].index(letters)}, name=name)


def _fewest_axes(shape: tuple[int, ...], order: list[int]) -> tuple[tuple[int, ...], list[int]]:
    """Sizes and order of the same transposition without unit axes and with axes that stay neighbours merged."""
    order = [a for a in order if shape[a] != 1]
    runs: list[list[int]] = []
    for a in order:
        between = range(runs[-1][-1] + 1, a) if runs and a > runs[-1][-1] else None
        if between is not None and all(shape[b] == 1 for b in between):
            runs[-1].append(a)
        else:
            runs.append([a])
    starts = sorted(run[0] for run in runs)
    sizes = {run[0]: math.prod(shape[a] for a in run) for run in runs}
    return tuple(sizes[s] for s in starts) or (1,), [starts.index(run[0]) for run in runs]


def emit_concat(e: Emitter, node: ir.Node) -> None:
    """Concat; an axis 0 of vectors (C, 1, 1) too."""
    out = dims(node.outputs[0])
    axis = axis_of(int(attr(node, "axis")), len(out) + 1)
    if len(out) > MAX_AXES:
        outer, inner = math.prod(out[:axis]), math.prod(out[axis + 1 :])
        blobs = [e.reshaped(e.blob(v), (outer, dims(v)[axis], inner)) for v in node.inputs if v is not None]
        e.put(node.outputs[0], e.emit("Concat", blobs, (outer, out[axis], inner), {0: 1}))
        return
    e.put(node.outputs[0], e.emit("Concat", [e.shaped(v) for v in node.inputs], out, {0: axis}))


def emit_pad(e: Emitter, node: ir.Node) -> None:
    """Padding with a constant, the edge or the mirror; negative pads crop."""
    mode = attr(node, "mode", "constant")
    if mode not in ("constant", "edge", "reflect"):
        raise UnsupportedError(f"pads by {mode}; ncnn knows constant, edge and reflect")
    x = e.shaped(node.inputs[0])
    rank = len(x.shape) + 1
    pads = integers(node, 1, "pads")
    axes = [a % rank for a in integers(node, 3, "axes")] if const_input(node, 3) is not None else list(range(rank))
    both = {a: (pads[i], pads[len(axes) + i]) for i, a in enumerate(axes) if (pads[i], pads[len(axes) + i]) != (0, 0)}
    if 0 in both:
        raise UnsupportedError("pads the batch axis")
    value = const_input(node, 2)
    number = 0.0 if value is None or value.size == 0 else float(value.reshape(-1)[0])
    lows = {a - 1: max(0, -b) for a, (b, _) in both.items()}
    highs = {a - 1: x.shape[a - 1] - max(0, -n) for a, (_, n) in both.items()}
    x = cropped(e, x, lows, highs)
    grow = {a - 1: (max(0, b), max(0, n)) for a, (b, n) in both.items()}
    e.put(node.outputs[0], _grown(e, x, {a: p for a, p in grow.items() if p != (0, 0)}, mode, number))


def _grown(e: Emitter, x: Blob, grow: dict[int, tuple[int, int]], mode: str, number: float) -> Blob:
    """Pad by ncnn's Padding: the last two axes, and the channels of three."""
    if not grow:
        return x
    shape = tuple(n + sum(grow.get(a, (0, 0))) for a, n in enumerate(x.shape))
    if any(a < len(x.shape) - 3 for a in grow):
        raise UnsupportedError("pads the channels of a tensor of four axes, ncnn pads the last three")
    if len(x.shape) == 4 and len(x.shape) - 3 in grow:
        e.note("pads three axes")
    last = [grow.get(len(x.shape) - i, (0, 0)) for i in (3, 2, 1)]
    (front, behind), (top, bottom), (left, right) = last
    kind = ("constant", "edge", "reflect").index(mode)
    filling = float(np.clip(number, -FLOAT_MAX, FLOAT_MAX))
    params: dict[int, Param] = {0: top, 1: bottom, 2: left, 3: right, 4: kind, 5: filling, 7: front, 8: behind}
    return e.emit("Padding", [x], shape, params)


def emit_expand(e: Emitter, node: ir.Node) -> None:
    """Expand and Tile: ncnn's Tile."""
    value = node.inputs[0]
    assert value is not None
    own, out = dims(value), dims(node.outputs[0])
    own = (1,) * (len(out) - len(own)) + own
    repeats = tuple(n // m for m, n in zip(own, out, strict=True))
    x = e.blob(value)
    if any(r != 1 for r in repeats):
        x = e.emit("Tile", [e.reshaped(x, own)], out, {2: repeats})
    e.put(node.outputs[0], x)


def emit_depth_to_space(e: Emitter, node: ir.Node) -> None:
    """PixelShuffle."""
    mode = attr(node, "mode", "DCR")
    params: dict[int, Param] = {0: int(attr(node, "blocksize")), 1: int(mode == "DCR")}
    e.put(node.outputs[0], e.emit("PixelShuffle", [e.shaped(node.inputs[0])], dims(node.outputs[0]), params))


def emit_space_to_depth(e: Emitter, node: ir.Node) -> None:
    """Reorg."""
    params: dict[int, Param] = {0: int(attr(node, "blocksize")), 1: 1}
    e.put(node.outputs[0], e.emit("Reorg", [e.shaped(node.inputs[0])], dims(node.outputs[0]), params))


def emit_channel_shuffle(e: Emitter, node: ir.Node) -> None:
    """ShuffleChannel; a (C, L) map is shuffled as (C, 1, L)."""
    x = e.shaped(node.inputs[0])
    if len(x.shape) != 3:
        x = e.reshaped(x, (x.shape[0], 1, math.prod(x.shape[1:])))
    e.put(node.outputs[0], e.emit("ShuffleChannel", [x], x.shape, {0: int(attr(node, "group")), 1: 0}))
