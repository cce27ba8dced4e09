"""What can be told of one picture: is it constant, is it noise, are its colour planes where they belong."""

import numpy as np

from exporter.array import Array
from exporter.data import InputSpec
from exporter.preprocessing import Preprocessing

SMALLEST = 8
"""Pixels a side; nothing is told of neighbours in smaller pictures."""


def raw_values(x: Array, spec: InputSpec, prep: Preprocessing) -> Array:
    """A preprocessed sample as it was before: x * std + mean; a picture as (height, width, channels), else in its own shape."""
    channels_last = _channels_last(x, spec)
    mean, std = (np.array(numbers, np.float32) for numbers in (prep.mean, prep.std))
    return np.asarray(channels_last * std + mean)


def _channels_last(x: Array, spec: InputSpec) -> Array:
    if spec.layout == "nchw":
        return x.transpose(1, 2, 0)
    if spec.layout == "ncl":
        return x.transpose(1, 0)
    return x.reshape(spec.picture) if len(spec.shape) < 3 and spec.picture else x


def may_be_picture(spec: InputSpec) -> bool:
    """Whether an input's shape and type are a picture's: numbers of words and the like come in wide integers."""
    kind = np.dtype(spec.dtype)
    return spec.picture is not None and (kind.kind == "f" or (kind.kind in "iu" and kind.itemsize == 1))


def judged(spec: InputSpec, whole_pixels: bool) -> bool:
    """Whether an input must be a picture: three channels, or one and square sides; features of other kinds only where they are whole
    numbers in 0..255."""
    if spec.picture is None or not may_be_picture(spec) or spec.picture[2] not in (1, 3) or min(spec.picture[:2]) < SMALLEST:
        return False
    height, width, channels = spec.picture
    return whole_pixels or (len(spec.shape) == 3 and (channels == 3 or height == width))


def are_whole_pixels(x: Array) -> bool:
    """Whether all values are whole numbers in 0..255, some beyond 2; within what float32 keeps of them through mean and std."""
    return bool(x.min() > -0.01 and 2 < x.max() < 255.01 and np.abs(x - np.rint(x)).max() < 0.01)


def neighbour_correlation(x: Array) -> float:
    """Correlation of pixels with their right or lower neighbours, the larger of the two: near 0 for noise, 0.6 and more for pictures.

    Args:
        x: (height, width, channels); 0 for a constant picture.
    """
    x = x - x.mean((0, 1))
    power = float((x * x).mean())
    if power == 0:
        return 0.0
    right, down = float((x[:, 1:] * x[:, :-1]).mean()), float((x[1:] * x[:-1]).mean())
    return max(right, down) / power


def is_grey(x: Array) -> bool:
    """Whether red, green and blue are the same everywhere."""
    return x.shape[-1] == 3 and bool((np.abs(x - x[..., :1]) < 0.01).all())


def is_planar(x: Array) -> bool:
    """Whether an array (height, width, 3) holds three planes one after the other: channels-first data under a channels-last shape.

    The planes of a picture resemble each other, so the upper, middle and lower third do; and read as planes it is smoother.
    """
    height, width, channels = x.shape
    if channels != 3 or height < 3 * SMALLEST or is_grey(x):
        return False
    planes = x.reshape(3, height, width)
    alike = min(_correlation(planes[0], planes[1]), _correlation(planes[1], planes[2]))
    return alike > 0.5 and _roughness(planes.transpose(1, 2, 0)) < 0.8 * _roughness(x)


def _correlation(a: Array, b: Array) -> float:
    a, b = a - a.mean(), b - b.mean()
    power = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / power if power else 0.0


def _roughness(x: Array) -> float:
    """Mean difference of neighbours."""
    return float(np.abs(np.diff(x, axis=0)).mean() + np.abs(np.diff(x, axis=1)).mean())
