"""What one input of a model wants, and how one raw sample is brought into that form."""

from dataclasses import dataclass
from math import isqrt, prod

import numpy as np

from exporter.array import Array
from exporter.errors import DataError
from exporter.preprocessing import Preprocessing

CHANNEL_AXIS = {"nchw": 0, "ncl": 0, "nhwc": -1, "nlc": -1}
"""Layout to the axis of a sample (no batch axis) that counts channels."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input as the source has it.

    Attributes:
        name: In the source.
        shape: In the source's layout, without the batch axis, e.g. (224, 224, 3) or (784,).
        layout: "nchw", "nhwc", "ncl", "nlc" or "plain".
        dtype: numpy name of the source's element type.
    """

    name: str
    shape: tuple[int, ...]
    layout: str
    dtype: str = "float32"

    @property
    def picture(self) -> tuple[int, int, int] | None:
        """Height, width and channels of the picture that it takes; None where it cannot be one.

        Two axes are a grey picture; a flat input is a square one, grey or of three channels.
        """
        if len(self.shape) == 3:
            channels_first = self.layout == "nchw"
            return (*self.shape[1:], self.shape[0]) if channels_first else self.shape
        if len(self.shape) == 2:
            return (*self.shape, 1)
        return _square(self.shape[0]) if len(self.shape) == 1 else None

    @property
    def channels(self) -> int | None:
        """Channels of that picture."""
        return self.picture[2] if self.picture else None


def _square(size: int) -> tuple[int, int, int] | None:
    for channels in (1, 3):
        side = isqrt(size // channels)
        if side > 1 and side * side * channels == size:
            return side, side, channels
    return None


def fit(x: Array, spec: InputSpec, prep: Preprocessing, where: str) -> Array:
    """One raw sample as the model's input: normalized float32 of `spec.shape`.

    Args:
        x: Three axes: height, width, channels. Any other number: the model's own shape, or as many elements.
        spec: The input.
        prep: Its mean and std.
        where: The file and sample, for errors.

    Raises:
        DataError: If the elements cannot be the input's.
    """
    check_size(x.shape, spec, where)
    if x.ndim != 3:
        own = x.reshape(spec.shape)
        return np.ascontiguousarray(prep.normalize(own, _channel_axis(spec)))
    wanted = spec.picture if len(spec.shape) == 3 and spec.picture else x.shape
    if x.shape != wanted and not _same_but_for_ones(x.shape, wanted):
        swapped = x.shape == spec.shape
        raise _misfit(x.shape, spec, where, "4-D data is (n, height, width, channels)" + (": move its channels last" if swapped else ""))
    pixels = prep.normalize(x.reshape(wanted), -1)
    if len(spec.shape) == 3 and spec.layout == "nchw":
        pixels = pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(pixels.reshape(spec.shape))


def check_size(shape: tuple[int, ...], spec: InputSpec, where: str) -> None:
    """Whether a sample of that shape has as many elements as the input.

    Raises:
        DataError: If not; names both shapes.
    """
    if prod(shape) != prod(spec.shape):
        raise _misfit(shape, spec, where, "the numbers of elements differ")


def _channel_axis(spec: InputSpec) -> int | None:
    return CHANNEL_AXIS.get(spec.layout, -1) if len(spec.shape) > 1 else None


def _same_but_for_ones(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Equal without axes of length 1, or one of them flat: then a reshape cannot mix up rows, columns and channels."""
    plain_a, plain_b = ([d for d in shape if d != 1] for shape in (a, b))
    return plain_a == plain_b or len(plain_a) == 1 or len(plain_b) == 1


def _misfit(shape: tuple[int, ...], spec: InputSpec, where: str, why: str) -> DataError:
    return DataError(
        f"{where}: a sample has shape {shape}, input {spec.name} takes {spec.shape} ({spec.layout}); {why}",
        hint="resize the data to the model's input, or give pictures as files: those are resized",
    )
