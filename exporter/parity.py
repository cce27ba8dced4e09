"""How near two sets of outputs are, and whether that is near enough."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.errors import ParityError
from exporter.graph.sizes import size_of

PROBABILITY_FLOOR = 1e-30
"""Probabilities below it are compared as if they were it: their logarithm is float32 noise."""

SIGMOID_TAIL = 1e-3
"""Sigmoid outputs nearer to 0 or 1 than this are compared as if they were at it: engines compute them to about 1e-7 absolute, which
is nothing in the output and much in its logarithm."""

HALF_FLOOR, HALF_TAIL = 2.0**-14, 2.0**-7
"""Likewise of outputs computed in half precision: its smallest normal number, and where steps near 1 are a sixteenth of what is left."""


JSON_INFINITY = {"max_abs": 1e38, "rel": 1e38, "sqnr_db": 999.0}
"""What stands for infinity in JSON, by field of a Comparison."""


def decibels(value: float) -> str:
    """A figure of JSON in words."""
    return "∞ dB" if value >= JSON_INFINITY["sqnr_db"] else f"{value:.1f} dB"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One output against what it must be, over all samples.

    Attributes:
        max_abs: Largest absolute difference.
        rel: max_abs over the largest absolute reference value, or the least size given (over 1 where the reference is all zero).
        sqnr_db: Signal over noise, in decibels; infinity when equal.
        cosine: Cosine of the two arrays seen as vectors.
        top1_agreement: Share of samples with the same argmax; None for outputs that are not one row of scores a sample.
        n: Number of samples.
    """

    max_abs: float
    rel: float
    sqnr_db: float
    cosine: float
    top1_agreement: float | None
    n: int

    def as_dict(self) -> dict[str, Any]:
        """For the manifest; infinities become large numbers, as JSON has none."""
        facts = asdict(self)
        for name in ("max_abs", "rel", "sqnr_db"):
            facts[name] = float(np.clip(facts[name], -JSON_INFINITY[name], JSON_INFINITY[name]))
        return facts


@dataclass(frozen=True, slots=True)
class Limits:
    """What a comparison must hold; None where nothing is asked."""

    max_rel: float | None = None
    min_sqnr_db: float | None = None

    def breach(self, c: Comparison) -> str | None:
        """What is wrong in words, e.g. "rel 3.1e-03 is above 1.0e-04", or None when all is well."""
        if self.max_rel is not None and not c.rel <= self.max_rel:
            return f"rel {c.rel:.1e} is above the limit {self.max_rel:.1e}"
        if self.min_sqnr_db is not None and not c.sqnr_db >= self.min_sqnr_db:
            return f"SQNR {c.sqnr_db:.1f} dB is below the limit {self.min_sqnr_db:g} dB"
        return None


def in_double(x: Array) -> Array:
    """In double precision. Memory that an engine never wrote may hold signalling NaNs, which numpy warns of."""
    with np.errstate(invalid="ignore"):
        return x.astype(np.float64)


def sqnr_db(reference: Array, got: Array, least: float = 0.0) -> float:
    """Signal over quantization noise: 10 log10(sum(ref²) / sum((ref - got)²)).

    Args:
        reference: Float output that is right; any shape, e.g. (n, classes).
        got: What is judged; same shape.
        least: The signal is no weaker than one number of this size.

    Returns:
        Decibels, higher is better; 6 dB is about one bit. Infinity when equal, minus infinity where a zero signal is missed or a
        difference is not finite.

    Raises:
        ParityError: If the shapes differ; names both.
    """
    _same_shape(reference, got)
    ref = in_double(reference)
    return power_db(max(float(np.sum(ref**2)), least**2), float(np.sum((ref - in_double(got)) ** 2)))


def power_db(signal: float, noise: float) -> float:
    """Signal over noise, both sums of squares: infinity without noise, minus infinity for noise alone or without end."""
    if noise == 0:
        return float("inf")
    return 10 * float(np.log10(signal / noise)) if signal > 0 and np.isfinite(noise) else float("-inf")


def compare(reference: Array, got: Array, least: float = 0.0) -> Comparison:
    """Compare one output; axis 0 counts samples.

    Where the reference is not finite, `got` must be the same infinity or NaN too; the rest is compared as numbers.

    Args:
        reference: What it must be.
        got: What it is.
        least: What errors are relative to where all numbers are smaller; see `exporter.graph.sizes`.

    Raises:
        ParityError: If the shapes differ; names both.
    """
    _same_shape(reference, got)
    ref, other = in_double(reference), in_double(got)
    odd = ~(np.isfinite(ref) & np.isfinite(other))
    if odd.any():
        if not np.array_equal(ref[odd], other[odd], equal_nan=True):
            return Comparison(float("inf"), float("inf"), float("-inf"), 0.0, _agreement(ref, other), len(ref))
        ref, other = np.where(odd, 0, ref), np.where(odd, 0, other)
    max_abs = float(np.max(np.abs(ref - other), initial=0.0))
    norms = float(np.linalg.norm(ref) * np.linalg.norm(other))
    cosine = float(np.vdot(ref, other)) / norms if norms > 0 else float(max_abs == 0)
    rel = max_abs / size_of(ref, least)
    return Comparison(max_abs, rel, sqnr_db(ref, other, least), cosine, _agreement(ref, other), len(ref))


def told_apart(scores: Array) -> Array:
    """Scores as far as half precision tells their Softmax apart: log-probabilities less the logarithm of `HALF_FLOOR`, at least 0.

    Used where scores may be rounded to what a Softmax needs of them: how far a class is behind does not matter where it has no chance.

    Args:
        scores: What goes into a Softmax, (n, classes), or of other shapes that hold as much.

    Returns:
        (n, classes).
    """
    wide = in_double(scores.reshape(len(scores), -1))
    log_p = wide - np.logaddexp.reduce(wide, axis=-1, keepdims=True)
    return np.asarray(np.maximum(log_p - np.log(HALF_FLOOR), 0.0))


def before_activation(op: str, y: Array, *, half: bool = False) -> Array:
    """What went into a final Softmax or Sigmoid, up to a constant, from what came out of it.

    Used where only outputs are at hand (the source's own framework): probabilities hide errors, their logarithms do not.

    Args:
        op: "Softmax" or "Sigmoid".
        y: Probabilities.
        half: Whether they are held against some that were computed in half precision, which holds no small ones.
    """
    if op == "Softmax":
        return np.asarray(np.log(np.clip(in_double(y), HALF_FLOOR if half else PROBABILITY_FLOOR, None)))
    tail = HALF_TAIL if half else SIGMOID_TAIL
    p = np.clip(in_double(y), tail, 1 - tail)
    return np.asarray(np.log(p / (1 - p)))


def _same_shape(reference: Array, got: Array) -> None:
    if reference.shape != got.shape:
        raise ParityError(f"the shapes differ: got {got.shape}, needed {reference.shape}")


def _agreement(ref: Array, got: Array) -> float | None:
    if ref.ndim != 2 or ref.shape[1] < 2 or not len(ref):
        return None
    return float(np.mean(np.argmax(ref, 1) == np.argmax(got, 1)))
