"""What the times of many widths say: the step of the stairs, the plateaus, and the widths worth pruning to."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

STEPS = (2, 4, 8, 16, 32)
"""Steps that are tried: engines work on powers of two."""

EVIDENCE = 3.0
"""A step is believed from this logarithm of odds on: 20 to 1."""

MOST_EVIDENCE = 20.0
"""Of one layer for or against one step: its intervals may be too narrow, and one layer shall not outvote all others."""

NOISE = 0.005
"""Added to what the intervals say: alignment of memory, and what else differs between files of any width."""

SAME = 0.02
"""Of the whole width's time: times nearer than this, or than the noise, are the same."""


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

    Stairs of 8 are stairs of 4 and of 2 too: each step is believed on top of the smaller ones.

    Args:
        layers: Points of each layer.
    """
    sums = np.cumsum([sum(evidence(points, s) for points in layers) for s in STEPS])
    best = int(np.argmax(sums))
    return STEPS[best] if sums[best] > EVIDENCE else 1


def evidence(points: Sequence[Point], step: int) -> float:
    """Logarithm of the odds that widths are no quicker half a step below a multiple of the step, against that they save their share.

    Between equal times and a straight line through the widths, with normal noise: E (E - 2 D) / (2 variance), where D is what was saved
    and E what the line saves, over all pairs that were timed. Slower ones speak for the step all the more.
    """
    times = {p.width: p for p in points}
    pairs = [(times[w], times[w - step // 2]) for w in times if w % step == 0 and w - step // 2 in times]
    if not pairs:
        return 0.0
    expected = _slope(points) * (step // 2) * len(pairs)
    saved = sum(whole.relative - half.relative for whole, half in pairs)
    variance = sum(((p.high - p.low) / 4) ** 2 + NOISE**2 for pair in pairs for p in pair)
    return float(np.clip(expected * (expected - 2 * saved) / (2 * variance), -MOST_EVIDENCE, MOST_EVIDENCE))


def _slope(points: Sequence[Point]) -> float:
    """Time a channel, by least squares; never below nothing. By the roundest widths, as others may take extra time."""
    for unit in (16, 8, 4, 1):
        some = [p for p in points if p.width % unit == 0]
        if len(some) > 2:
            return max(float(np.polyfit([p.width for p in some], [p.relative for p in some], 1)[0]), 0.0)
    return 0.0
