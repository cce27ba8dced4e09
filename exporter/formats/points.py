"""What a format quantizes, and under which rules: each writer says it of a float Graph, `exporter.quantization` finds the numbers.

Layers go by the name of their first output, values by their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from exporter.array import Array

Range = tuple[float, float]
"""Smallest and largest real that a value takes."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """How an engine stores activations.

    Attributes:
        dtype: "int8" or "uint8".
        symmetric: Zero point 0, and -127 to 127 for int8.
    """

    dtype: str = "int8"
    symmetric: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Values that share one scale and zero point.

    Attributes:
        values: Names; all readers see them rounded, unless `readers` is given.
        readers: Where not None: the pair stands only on the way to these layers (ncnn rounds the input of a convolution, not what
            another layer reads).
        fixed: Scale and zero point that the engine insists on, e.g. (1 / 256, -128) for TFLite's softmax.
    """

    values: tuple[str, ...]
    readers: frozenset[str] | None = None
    fixed: tuple[float, int] | None = None


@dataclass(frozen=True, slots=True)
class Requantize:
    """A value rounded once more, to the numbers of `like`'s group, on the way to one layer."""

    value: str
    reader: str
    like: str


@dataclass(frozen=True, slots=True)
class Weights:
    """The constants of one layer with weights.

    Attributes:
        layer: The layer.
        input: The activation that the weights are multiplied with: the bias has scale s_input * s_weight.
        weight: Initializer.
        axis: Of the output channels, None for one scale the whole tensor.
        bias: Initializer, or None.
        narrow: Whether weights are -127 to 127.
        share: Channels in a row that share one scale (ncnn: output channels of a group); 1 for a scale each.
        bias_int32: Whether the bias is stored as int32; else it stays float (ncnn).
        dtype: "int8" or "uint8".
        pairs: Where the engine adds products two by two in 16 bits: the axes in which a channel's weights follow each other there.
    """

    layer: str
    input: str
    weight: str
    axis: int | None
    bias: str | None = None
    narrow: bool = True
    share: int = 1
    bias_int32: bool = True
    dtype: str = "int8"
    pairs: tuple[int, ...] | None = None

    def least_scale(self, weight: Array) -> Array:
        """The smallest scales at which no sum of two products overflows, whichever way weights are rounded; float32, () or (channels,).

        x86 without VNNI multiplies uint8 by int8 and adds neighbours in int16, saturating (vpmaddubsw): 255 * (w0 + w1) must stay
        within 32767, so w0 + w1 within 128; rounding adds less than 2 to a sum.

        Args:
            weight: The weights, float.
        """
        channels = 1 if self.axis is None else weight.shape[self.axis]
        if self.pairs is None:
            return np.zeros(() if self.axis is None else channels, np.float32)
        assert self.axis is not None
        rows = weight.transpose(self.axis, *self.pairs).reshape(channels, -1).astype(np.float64)
        rows = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2)))
        sums = np.abs(rows[:, ::2] + rows[:, 1::2]).max(axis=1, initial=0.0)
        return np.asarray(sums / PAIR_LIMIT, np.float32)


@dataclass(frozen=True, slots=True)
class Points:
    """Everything that a format quantizes in a Graph.

    Attributes:
        scheme: Of activations.
        layers: Layers that run in integers, in the Graph's order: those that a mixed precision may take back to float.
        groups: Activations; every quantized value is in exactly one group that has the same `readers`.
        requantize: Where an engine's rule meets another scale.
        weights: Layers with weights.
        constants: Other constants stored like activations (an Add's constant operand), by initializer name.
    """

    scheme: Scheme
    layers: tuple[str, ...]
    groups: tuple[Group, ...]
    weights: tuple[Weights, ...]
    requantize: tuple[Requantize, ...] = ()
    constants: tuple[str, ...] = ()


PAIR_LIMIT = 126
"""Of the sum of two neighbouring weights, before rounding."""

Ranges = Mapping[str, Range]
"""By value name."""
