"""Samples where the user gave none: seeded, the same on every machine."""

from collections.abc import Mapping, Sequence

import numpy as np

from exporter.array import Array
from exporter.data.spec import InputSpec, fit
from exporter.preprocessing import Preprocessing

Ranges = Mapping[str, tuple[float, float]]


def synthetic(
    inputs: Sequence[InputSpec], prep: Mapping[str, Preprocessing], n: int, seed: int, ranges: Ranges | None = None
) -> dict[str, Array]:
    """Uniform pixels 0..255 through the preprocessing; where that is unknown, numbers about the middle of a range, or N(0, 1).

    Inputs of a whole-number type get numbers of that type: pixels 0..255 for uint8, -128..127 for int8, else 0 and 1, which every
    table of an embedding holds.

    Args:
        inputs: The model's inputs.
        prep: By input name.
        n: Samples.
        seed: Same seed, same arrays.
        ranges: Smallest and largest number that an input takes, by name, for those where the model itself tells.

    Returns:
        By input name: float32, source layout, axis 0 of length n.
    """
    rng = np.random.default_rng(seed)
    return {
        spec.name: np.stack([_sample(spec, prep.get(spec.name), (ranges or {}).get(spec.name), rng) for _ in range(n)]) for spec in inputs
    }


def input_range_known(inputs: Sequence[InputSpec], prep: Mapping[str, Preprocessing]) -> bool:
    """Whether `synthetic` draws what the model expects; if not, a report says `input range unknown`."""
    return all(spec.name in prep and not prep[spec.name].assumed for spec in inputs)


def _sample(spec: InputSpec, prep: Preprocessing | None, known: tuple[float, float] | None, rng: np.random.Generator) -> Array:
    if spec.dtype in ("uint8", "int8"):
        return (rng.integers(0, 256, spec.shape) - (128 if spec.dtype == "int8" else 0)).astype(np.float32)
    if np.issubdtype(np.dtype(spec.dtype), np.integer) or spec.dtype == "bool":
        return rng.integers(0, 2, spec.shape).astype(np.float32)
    if prep is None or prep.assumed:
        x = rng.standard_normal(spec.shape, np.float32)
        return x if known is None else _within(x, *known)
    pixels = rng.integers(0, 256, spec.shape)
    return fit(pixels if pixels.ndim != 3 else _channels_last(pixels, spec), spec, prep, "synthetic samples").reshape(spec.shape)


def _within(x: Array, low: float, high: float) -> Array:
    """N(0, 1) brought into a range whose ends are rare, as they are in what ranges are taken from."""
    moved: Array = np.clip((low + high) / 2 + x * (high - low) / 8, low, high)
    return moved.astype(np.float32)


def _channels_last(pixels: Array, spec: InputSpec) -> Array:
    return pixels.transpose(1, 2, 0) if spec.layout == "nchw" else pixels
