"""A manifest's inputs and outputs, as the texts about use need them."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

LIMITS = {"int8": (-128, 127), "uint8": (0, 255)}
"""Smallest and largest number of the types that quantized ends have."""

PICTURES = {"nchw": (2, 3, 1), "nhwc": (1, 2, 3), "chw": (1, 2, 0), "hwc": (0, 1, 2)}
"""Layout to the axes that count rows, columns and channels."""


@dataclass(frozen=True, slots=True)
class End:
    """One input or output of the file.

    Attributes:
        name: In the file.
        source_name: In the source.
        shape: In the file.
        layout: Of the file, e.g. "nhwc".
        dtype: Of its elements.
        prep: Its preprocessing; None for outputs and inputs that have none.
        scale: Of a quantized one.
        zero_point: Of a quantized one.
    """

    name: str
    source_name: str
    shape: tuple[int, ...]
    layout: str
    dtype: str
    prep: Mapping[str, Any] | None
    scale: float | None
    zero_point: int | None

    @property
    def elements(self) -> int:
        """Product of the shape."""
        return prod(self.shape)

    @property
    def width(self) -> int:
        """Bytes of an element."""
        return np.dtype(self.dtype).itemsize

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest number of an integer type."""
        return LIMITS[self.dtype]

    @property
    def ctype(self) -> str:
        """Of an element in C."""
        return {"int8": "int8_t", "uint8": "uint8_t"}.get(self.dtype, "float")

    @property
    def picture(self) -> tuple[int, int, int] | None:
        """Height, width, channels where it takes a picture with as many channels as its preprocessing makes."""
        axes = PICTURES.get(self.layout)
        if self.prep is None or axes is None or len(axes) > len(self.shape):
            return None
        height, width, channels = (self.shape[a] for a in axes)
        return (height, width, channels) if channels == (1 if self.prep["color"] == "gray" else 3) else None

    @property
    def channels_first(self) -> bool:
        """Whether a picture's channels come before its rows."""
        return self.layout in ("nchw", "chw")

    def spread(self, key: str) -> list[float]:
        """mean or std, one number a channel."""
        assert self.prep is not None
        values = list(self.prep[key])
        return values * (self.picture[2] if self.picture and len(values) == 1 else 1)


def ends(manifest: Mapping[str, Any], which: str) -> list[End]:
    """The manifest's "inputs" or "outputs"."""
    prep = manifest["preprocessing"] if which == "inputs" else {}
    return [_end(p, prep.get(p["source_name"])) for p in manifest[which]]


def _end(port: Mapping[str, Any], prep: Mapping[str, Any] | None) -> End:
    shape = tuple(port["shape"])
    return End(port["name"], port["source_name"], shape, port["layout"], port["dtype"], prep, port["scale"], port["zero_point"])
