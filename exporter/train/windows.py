"""The window of a convolution or pool over one or two axes, as TensorFlow needs it.

The end pad is taken from the output's shape: rounding up (ceil_mode) and rows that no window reads come out right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from exporter.train.call import Call, Carried, Refused
from exporter.train.layout import channels_last

Two = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Window:
    """Height and width of each; a sequence has height 1.

    Attributes:
        kernel: Taps.
        strides: Steps.
        dilations: Distance of taps.
        size: Of the input.
        out: Of the output.
        begin: Pad before.
        end: Pad after that is read; negative where the last rows are not.
        declared: Pad after as the node says.
    """

    kernel: Two
    strides: Two
    dilations: Two
    size: Two
    out: Two
    begin: Two
    end: Two
    declared: Two

    @property
    def pads(self) -> list[list[int]]:
        """For tf.pad of a picture, channels last."""
        return [[0, 0], *([b, max(e, 0)] for b, e in zip(self.begin, self.end, strict=True)), [0, 0]]

    @property
    def mode(self) -> str | None:
        """ "VALID" or "SAME" where these pads are TensorFlow's own, else None."""
        if max(*self.begin, *self.end) <= 0:
            return "VALID"
        return "SAME" if all(self._same(i) for i in range(2)) else None

    def _same(self, i: int) -> bool:
        reach = (self.kernel[i] - 1) * self.dilations[i] + 1
        total = max((self.out[i] - 1) * self.strides[i] + reach - self.size[i], 0)
        fits = self.out[i] == -(-self.size[i] // self.strides[i])
        return fits and self.begin[i] == total // 2 and max(self.end[i], 0) == total - total // 2

    def padded(self, x: Any, value: float = 0.0) -> tuple[Any, str]:
        """The tensor and the mode to walk over it."""
        if self.mode is not None:
            return x, self.mode
        return tf.pad(x, self.pads, constant_values=value), "VALID"


def window(call: Call, kernel: Sequence[int]) -> Window:
    """Of a Conv or pool node.

    Raises:
        Refused: More than two axes, or pads that are still to be resolved.
    """
    if len(kernel) not in (1, 2):
        raise Refused(f"it walks over {len(kernel)} axes; one and two are known")
    if call.attr("auto_pad", "NOTSET") not in ("NOTSET", "", "VALID"):
        raise Refused("its pads are not resolved: clean the graph first")
    n = len(kernel)
    pads = call.attr("pads") or (0,) * (2 * n)
    size, out = two(call.shape_in()[2:], 1), two(call.shape_out()[2:], 1)
    taps, strides, dilations = two(kernel, 1), two(call.attr("strides") or (1,) * n, 1), two(call.attr("dilations") or (1,) * n, 1)
    begin, declared = two(pads[:n], 0), two(pads[n:], 0)
    reach = [(o - 1) * s + (k - 1) * d + 1 for o, s, k, d in zip(out, strides, taps, dilations, strict=True)]
    end = (reach[0] - size[0] - begin[0], reach[1] - size[1] - begin[1])
    return Window(taps, strides, dilations, size, out, begin, end, declared)


def two(values: Sequence[int], missing: int) -> Two:
    """Height and width; a sequence has the height `missing`."""
    return (int(values[0]), int(values[1])) if len(values) == 2 else (missing, int(values[0]))


def picture(x: Carried) -> Any:
    """The tensor as (n, h, w, c); a sequence gets a height of 1."""
    last = x.last().value
    return tf.expand_dims(last, 1) if x.rank == 3 else last


def back(x: Carried, y: Any) -> Carried:
    """A picture in the rank that `x` has."""
    return Carried(tf.squeeze(y, 1) if x.rank == 3 else y, channels_last(x.rank))
