"""Pads: TFLite has SAME and VALID only; all else is a PAD op before.

The end pad is recomputed from the output shape, so ceil_mode, auto_pad and rows that no window reads come out right.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from exporter.formats.tflite.emitter import Emitter
from exporter.formats.tflite.ops import TfTensor
from exporter.graph import attr, shape_of


@dataclass(frozen=True, slots=True)
class Window:
    """How a convolution or pool walks over its input; one entry for height, one for width (1-D ops: height 1).

    Attributes:
        kernel: Size of the window.
        strides: Steps.
        dilations: Distance between taps.
        begin: Pad before, as the ONNX node has it.
        end: Pad after, as the output shape implies; negative where input rows are never read.
        declared_end: Pad after, as the ONNX node has it.
    """

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    begin: tuple[int, int]
    end: tuple[int, int]
    declared_end: tuple[int, int]
    size: tuple[int, int]
    out: tuple[int, int]

    @property
    def padded(self) -> bool:
        """Is any pad needed?"""
        return max(self.begin + self.end) > 0

    @property
    def same(self) -> bool:
        """Are the pads those of TFLite's SAME?"""
        for i in range(2):
            extent = (self.kernel[i] - 1) * self.dilations[i] + 1
            total = max((self.out[i] - 1) * self.strides[i] + extent - self.size[i], 0)
            if self.out[i] != -(-self.size[i] // self.strides[i]) or self.begin[i] != total // 2:
                return False
            if max(self.end[i], 0) != total - total // 2:
                return False
        return True


def pair(values: Sequence[int] | None, default: int) -> tuple[int, int]:
    """Height and width of a 1-D or 2-D setting."""
    if values is None:
        return (default, default)
    return (int(values[0]), int(values[1])) if len(values) == 2 else (default, int(values[0]))


def window(node: ir.Node, kernel: Sequence[int]) -> Window:
    """The window of a Conv or pool node."""
    x, y = node.inputs[0], node.outputs[0]
    assert x is not None
    size, out = pair(shape_of(x)[2:], 1), pair(shape_of(y)[2:], 1)
    kernel2, strides, dilations = pair(kernel, 1), pair(attr(node, "strides"), 1), pair(attr(node, "dilations"), 1)
    pads, n = attr(node, "pads"), len(kernel)
    begin, declared = pair(pads[:n] if pads else None, 0), pair(pads[n:] if pads else None, 0)
    needed = [(o - 1) * s + (k - 1) * d + 1 - i for o, s, k, d, i in zip(out, strides, kernel2, dilations, size, strict=True)]
    auto = attr(node, "auto_pad", "NOTSET")
    if auto in {"SAME_UPPER", "SAME_LOWER"}:
        totals = [max(t, 0) for t in needed]
        halves = [t // 2 if auto == "SAME_UPPER" else -(-t // 2) for t in totals]
        begin, declared = (halves[0], halves[1]), (totals[0] - halves[0], totals[1] - halves[1])
    end = (needed[0] - begin[0], needed[1] - begin[1])
    return Window(kernel2, strides, dilations, begin, end, declared, size, out)


def apply_padding(e: Emitter, x: TfTensor, w: Window, value: float = 0.0, *, same: bool = True) -> tuple[TfTensor, str]:
    """The input, padded by an op where SAME (if allowed) and VALID don't do, and the padding mode left."""
    if not w.padded:
        return x, "VALID"
    if same and w.same:
        return x, "SAME"
    return pad(e, x, [(0, 0), *((b, max(t, 0)) for b, t in zip(w.begin, w.end, strict=True)), (0, 0)], value), "VALID"


def pad(e: Emitter, x: TfTensor, pads: Sequence[tuple[int, int]], value: float = 0.0) -> TfTensor:
    """PAD, or PADV2 for another value than 0."""
    shape = [d + a + b for d, (a, b) in zip(x.shape, pads, strict=True)]
    amounts = e.ints([p for both in pads for p in both])
    amounts.shape, amounts.data = (len(pads), 2), None if amounts.data is None else amounts.data.reshape(-1, 2)
    return e.emit("PAD", [x, amounts], shape) if value == 0 else e.emit("PADV2", [x, amounts, e.scalar(value)], shape)
