"""Least squares with constants that are never negative: a machine does not give time back."""

import numpy as np

from exporter.array import Array

TINY = 1e-12


def non_negative(a: Array, y: Array) -> Array:
    """The x >= 0 with the least |a x - y|². Columns of all zeros get 0.

    Source: Lawson and Hanson, Solving Least Squares Problems (1974), chapter 23: constants enter one after the other, the one that
    promises most first; one that would turn negative leaves again.

    Args:
        a: (rows, columns).
        y: (rows,).
    """
    size = np.linalg.norm(a, axis=0)
    scaled = a / np.where(size > 0, size, 1.0)
    x, free = np.zeros(a.shape[1]), np.zeros(a.shape[1], dtype=bool)
    for _ in range(10 * a.shape[1]):
        gradient = np.where(free, -np.inf, scaled.T @ (y - scaled @ x))
        best = int(np.argmax(gradient))
        if gradient[best] <= TINY * max(float(np.linalg.norm(y)), TINY):
            break
        free[best] = True
        x = _feasible(scaled, y, x, free)
    return np.asarray(np.where(size > 0, x / np.where(size > 0, size, 1.0), 0.0))


def _feasible(a: Array, y: Array, x: Array, free: Array) -> Array:
    """The best x over the free columns, after those that would turn negative were fixed at 0 again; changes `free`."""
    while True:
        best = np.zeros_like(x)
        best[free] = np.linalg.lstsq(a[:, free], y, rcond=None)[0]
        if not free.any() or best[free].min() > 0:
            return best
        down = free & (best <= 0)
        step = float(np.min(x[down] / np.maximum(x[down] - best[down], TINY)))
        x = x + step * (best - x)
        free &= x > TINY
        x = np.where(free, x, 0.0)


def relative(a: Array, y: Array, prior: Array | None = None, strength: float = 0.0, weights: Array | None = None) -> Array:
    """Non-negative constants with the least squares of relative errors, drawn towards those that are expected.

    Args:
        a: (rows, columns) of what costs something.
        y: (rows,) of times, all above 0.
        prior: (columns,) of constants expected; no draw without them.
        strength: How much: a constant that is off by its own prior weighs as much as `strength` rows that are off by all of
            what that column costs on average.
        weights: (rows,) how much each row's error counts; all alike when None.

    Returns:
        (columns,): time for one of each.
    """
    goal = np.ones(len(y)) if weights is None else weights
    rows = a * (goal / y)[:, None]
    if prior is not None and strength > 0:
        share = np.sqrt(strength * np.mean(rows**2, axis=0))
        rows, goal = np.vstack([rows, np.diag(share)]), np.concatenate([goal, share * prior])
    return non_negative(rows, goal)


SMALL = 0.03
"""Relative errors below count as squares do: a fit that turns on the last percent follows noise."""


def absolute_weights(errors: Array) -> Array:
    """Weights with which least squares find the least absolute errors, when repeated: each error counts 1 / |error|.

    Source: iteratively reweighted least squares, Schlossmacher 1973, https://doi.org/10.2307/2284512.

    Args:
        errors: (rows,) of the last round.

    Returns:
        (rows,) factors on rows; their squares are 1 on average.
    """
    weights = 1 / np.sqrt(np.maximum(np.abs(errors), SMALL))
    return np.asarray(weights / np.sqrt(np.mean(weights**2)))
