"""What the times of many widths say: the step of the stairs, the plateaus, and the widths worth pruning to."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from exporter.array import Array

STEPS = (1, 2, 4, 8, 16, 32)
"""Steps that are tried: engines work on powers of two."""

EVIDENCE = 6.0
"""A step is believed when its Bayesian information criterion is better by this than that of no step: odds of 20 to 1."""

SAME = 0.02
"""Of the whole width's time: times nearer than this, or than the noise, are the same."""

CURVED = 8
"""From so many widths on, a bend of the curve is fitted too."""


@dataclass(frozen=True, slots=True)
class Point:
    """The time of one width.

    Attributes:
        width: Output channels.
        relative: Of the whole width's time; median over rounds.
        low: Lower end of its 95 % interval.
        high: Its upper end.
        ms: Median by the clock, in milliseconds.
        cpu_ms: Median of processor time.
        rounds: Runs.
    """

    width: int
    relative: float
    low: float
    high: float
    ms: float
    cpu_ms: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Plateau:
    """Neighbouring widths that take the same time within noise.

    Attributes:
        first: The narrowest.
        last: The widest.
        relative: Mean of their times, of the whole width's.
    """

    first: int
    last: int
    relative: float


def tolerance(points: Sequence[Point]) -> float:
    """Times that differ by less are the same: the median half interval, at least SAME."""
    return max(SAME, float(np.median([(p.high - p.low) / 2 for p in points])))


def plateaus(points: Sequence[Point]) -> tuple[Plateau, ...]:
    """Widths in order, cut wherever a time leaves the range that noise allows."""
    found: list[list[Point]] = []
    allowed = tolerance(points)
    for point in sorted(points, key=lambda p: p.width):
        reach = [*(p.relative for p in found[-1]), point.relative] if found else []
        if found and max(reach) - min(reach) <= allowed:
            found[-1].append(point)
        else:
            found.append([point])
    return tuple(Plateau(run[0].width, run[-1].width, float(np.mean([p.relative for p in run]))) for run in found)


def worth(points: Sequence[Point]) -> tuple[Point, ...]:
    """Widths worth pruning to, widest first: every wider one that was timed takes longer, beyond noise."""
    allowed, found, best = tolerance(points), list[Point](), np.inf
    for point in sorted(points, key=lambda p: -p.width):
        if point.relative < best - allowed:
            found.append(point)
        best = min(best, point.relative)
    return tuple(found[1:])  # the first is the widest, which nothing is wider than


def wasted(points: Sequence[Point]) -> tuple[Point, ...]:
    """Widths that take longer than a wider one, beyond noise."""
    allowed, found, best = tolerance(points), list[Point](), np.inf
    for point in sorted(points, key=lambda p: -p.width):
        if point.relative > best + allowed:
            found.append(point)
        best = min(best, point.relative)
    return tuple(found)


def step_of(points: Sequence[Point]) -> int:
    """The step of one layer's stairs; 1 where there are none."""
    return best_step([points])


def best_step(layers: Sequence[Sequence[Point]]) -> int:
    """The step that explains all layers' times best; 1 where none does beyond noise.

    Args:
        layers: Points of each layer.
    """
    totals = {s: sum(evidence(points, s) for points in layers) for s in STEPS}
    best = min(totals, key=lambda s: totals[s])
    return best if totals[best] < totals[1] - EVIDENCE else 1


def evidence(points: Sequence[Point], step: int) -> float:
    """Bayesian information criterion of stairs of a step, smaller is better: n log(mean squared residual) + parameters log n.

    Time rises with the width rounded up to the step, along a line or, with points enough, a parabola; widths off the step take a little
    more, as engines finish them with slower code.
    """
    x = np.array([p.width for p in points])
    y = np.array([p.relative for p in points])
    residual, parameters = _residual(x, y, step)
    floor = max(float(np.mean([((p.high - p.low) / 4) ** 2 for p in points])), 1e-6)  # no fit is better than the noise
    return float(len(x) * np.log(residual / len(x) + floor) + parameters * np.log(len(x)))


def _residual(x: Array, y: Array, step: int) -> tuple[float, int]:
    """Sum of squared residuals, and the number of parameters fitted."""
    top = -(-x // step) * step / x.max()
    columns = [np.ones(len(x)), top, *([top**2] if len(x) >= CURVED else [])]
    off = (x % step != 0).astype(float)
    if off.any() and not off.all():
        with_more = np.stack([*columns, off], 1)
        found = np.linalg.lstsq(with_more, y)[0]
        if found[-1] > 0:
            return float(((with_more @ found - y) ** 2).sum()), len(columns) + 1
    matrix = np.stack(columns, 1)
    return float(((matrix @ np.linalg.lstsq(matrix, y)[0] - y) ** 2).sum()), len(columns)
