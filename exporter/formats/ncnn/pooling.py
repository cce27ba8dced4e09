"""Pooling over windows and over whole maps."""

import math

import onnx_ir as ir

from exporter.formats.ncnn.emitter import Emitter, UnsupportedError, dims
from exporter.formats.ncnn.layer import Blob, Param
from exporter.graph import attr

MAX, AVERAGE = 0, 1
VALID = 1
"""ncnn's pad mode that takes the pads as they are written and rounds down."""


def emit_global(e: Emitter, node: ir.Node) -> None:
    """One number a channel; the unit axes behind it are left to whoever needs them."""
    shape = dims(node.outputs[0])
    x = e.shaped(node.inputs[0])
    method = AVERAGE if node.op_type == "GlobalAveragePool" else MAX
    if len(x.shape) > 3:
        x = e.reshaped(x, (x.shape[0], math.prod(x.shape[1:-1]), x.shape[-1]))
    kind = "Pooling1D" if len(x.shape) == 2 else "Pooling"
    e.put(node.outputs[0], e.emit(kind, [x], shape[:1], {0: method, 4: 1}))


def emit_pool(e: Emitter, node: ir.Node) -> None:
    """MaxPool and AveragePool of one or two axes."""
    kernel: tuple[int, ...] = attr(node, "kernel_shape")
    n = len(kernel)
    if n > 2:
        raise UnsupportedError(f"pools {n} axes, this writer knows one and two")
    if any(d != 1 for d in attr(node, "dilations", (1,) * n)):
        raise UnsupportedError("is dilated, which ncnn's pooling is not")
    if len([v for v in node.outputs if v.name]) > 1 and node.outputs[1].uses():
        raise UnsupportedError("its indices are used, ncnn's pooling gives none")
    if attr(node, "auto_pad", "NOTSET") not in ("NOTSET", "VALID", b"NOTSET", b"VALID"):
        raise UnsupportedError("auto_pad is not resolved to pads")
    strides = attr(node, "strides", (1,) * n)
    x, out = e.shaped(node.inputs[0]), dims(node.outputs[0])
    begins, ends = _pads(node, x, out, kernel, strides)
    average = node.op_type == "AveragePool"
    if average and attr(node, "count_include_pad", 0) and ends != attr(node, "pads", (0,) * (2 * n))[n:]:
        x, begins, ends = _padded(e, x, attr(node, "pads", (0,) * (2 * n)), ends)
        include = 0
    else:
        include = int(attr(node, "count_include_pad", 0))
    params: dict[int, Param] = {0: int(average), 1: kernel[-1], 2: strides[-1], 3: begins[-1], 14: ends[-1], 5: VALID, 6: include}
    if n == 2:
        params |= {11: kernel[0], 12: strides[0], 13: begins[0], 15: ends[0]}
    e.put(node.outputs[0], e.emit("Pooling" if n == 2 else "Pooling1D", [x], out, params))


def _pads(
    node: ir.Node, x: Blob, out: tuple[int, ...], kernel: tuple[int, ...], strides: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Begin and end pads that give the output's size without rounding up: what ceil_mode adds is written as a pad."""
    n = len(kernel)
    pads: tuple[int, ...] = attr(node, "pads", (0,) * (2 * n))
    ends = []
    for i in range(n):
        needed = (out[1 + i] - 1) * strides[i] + kernel[i] - x.shape[1 + i] - pads[i]
        ends.append(max(needed, pads[n + i]) if needed > pads[n + i] else pads[n + i])
    return pads[:n], tuple(ends)


def _padded(e: Emitter, x: Blob, pads: tuple[int, ...], ends: tuple[int, ...]) -> tuple[Blob, tuple[int, ...], tuple[int, ...]]:
    """The counted pads as a layer of their own, so that the pooling leaves out only what rounding up added."""
    n = len(ends)
    begins, counted = pads[:n], pads[n:]
    shape = (x.shape[0], *(x.shape[1 + i] + begins[i] + counted[i] for i in range(n)))
    params: dict[int, Param] = {2: begins[-1], 3: counted[-1], 4: 0, 5: 0.0}
    if n == 2:
        params |= {0: begins[0], 1: counted[0]}
    padded = e.emit("Padding", [x], shape, params, name=f"{x.name}_padded")
    return padded, (0,) * n, tuple(end - own for end, own in zip(ends, counted, strict=True))


def pick_every(e: Emitter, x: Blob, steps: dict[int, int]) -> Blob:
    """Every `steps[axis]`-th slice along each axis, from the first on: max pooling of one element."""
    shape = tuple(-(-n // steps.get(axis, 1)) for axis, n in enumerate(x.shape))
    if len(x.shape) == 3 and 0 not in steps:
        return _picked(e, x, shape, steps.get(1, 1), steps.get(2, 1))
    for axis, step in steps.items():
        outer, inner = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
        rows = e.reshaped(x, (outer, x.shape[axis], inner))
        picked = _picked(e, rows, (outer, shape[axis], inner), step, 1)
        x = e.reshaped(picked, (*x.shape[:axis], shape[axis], *x.shape[axis + 1 :]))
    return x


def _picked(e: Emitter, x: Blob, shape: tuple[int, ...], down: int, across: int) -> Blob:
    params: dict[int, Param] = {0: MAX, 1: 1, 11: 1, 2: across, 12: down, 5: VALID}
    return e.emit("Pooling", [x], shape, params, name=f"{x.name}_picked")
