"""Finding the widest of many plans that is quick enough, when each can only be timed, and times are noisy.

Plans stand in a row from the widest to the narrowest, each with a counted cost. Time mostly follows cost, so the next plan to try is read
off the times taken so far, made to rise with the cost (isotonic regression, pool adjacent violators) and joined by lines.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from exporter.array import Array
from exporter.latency import Versus

PAIRS = 40
"""Interleaved pairs of a try, in `PROCESS_PAIRS`: their ratio of processor times varies by some 1 to 2 % even on a crowded machine."""

PROCESS_PAIRS = 2

SURE_PAIRS = 200
"""Interleaved pairs that a plan is accepted by, in `SURE_PROCESS_PAIRS`."""

SURE_PROCESS_PAIRS = 5

ROUNDS = 14
"""Plans timed at most, some of them several times."""

NEAR = 0.05
"""A plan that is accepted is at most so far below what was asked, of what was asked; so far above it only where none is within."""

AIM = 0.98
"""What is aimed at, of what was asked: times are as likely above it as below."""

Timed = Callable[[int, int, int], Versus]
"""Times a plan: its number, pairs, process pairs."""

Ratios = Callable[[Versus], Array]
"""Each pair's ratio, by which a plan is judged."""


def of_processor(found: Versus) -> Array:
    """Ratio of processor times of each pair: that of time on an idle machine, for one thread, and hardly disturbed by other work."""
    ratios: Array = np.asarray(found.b_cpu_ms) / np.asarray(found.a_cpu_ms)
    return ratios


def of_clock(found: Versus) -> Array:
    """Ratio of times of each pair."""
    ratios: Array = np.asarray(found.b_ms) / np.asarray(found.a_ms)
    return ratios


def judge(threads: int) -> Ratios:
    """By what plans are judged: processor time sees no waiting of one thread for another."""
    return of_processor if threads == 1 else of_clock


class TooSlowError(Exception):
    """Even the narrowest plan takes longer.

    Attributes:
        least: The share of the time that it takes.
    """

    def __init__(self, least: float) -> None:
        super().__init__(least)
        self.least = least


def widest_within(
    share: float, count: int, cost: Callable[[int], float], timed: Timed, ratios: Ratios = of_processor
) -> tuple[int, Versus]:
    """The number of the widest plan whose time is at most a share of the whole's, and its time, taken anew with many pairs.

    Where none is within, one that takes up to `NEAR` more.

    Args:
        share: Of the whole's time.
        count: Number of plans, from the widest, number 0, to the narrowest.
        cost: What a plan costs by counting, of 1; never rises from one plan to the next.
        timed: Times one, with as many pairs as said.
        ratios: What of the times counts: the median of these.

    Raises:
        TooSlowError: If no plan is nearly quick enough.
    """
    taken: dict[int, list[Versus]] = {}
    sure: dict[int, Versus] = {}
    now, low = _first_within(AIM * share, count, cost), (1 - NEAR) * share
    for _ in range(ROUNDS):
        thorough = now in taken
        got = timed(now, *((SURE_PAIRS, SURE_PROCESS_PAIRS) if thorough else (PAIRS, PROCESS_PAIRS)))
        taken.setdefault(now, []).append(got)
        if thorough:
            sure[now] = got
            if low <= np.median(ratios(got)) <= share:
                return now, got
        times = {cost(i): _pooled([ratios(v) for v in runs]) for i, runs in taken.items()}
        now = _first_within(cost_at(AIM * share, times), count, cost)
        if now in sure:  # needlessly narrow, or too slow: its neighbour may do
            now = max(now - 1, 0) if np.median(ratios(sure[now])) < low else min(now + 1, count - 1)
        if now in sure:
            break
    return _best(share, sure, lambda: (now, timed(now, SURE_PAIRS, SURE_PROCESS_PAIRS)), ratios)


def _best(share: float, sure: Mapping[int, Versus], last: Callable[[], tuple[int, Versus]], ratios: Ratios) -> tuple[int, Versus]:
    """Of the plans timed with many pairs the widest within the share; else the last, if it is near."""
    within = {i: v for i, v in sure.items() if np.median(ratios(v)) <= share}
    if not within:
        number, found = last()
        least = float(np.median(ratios(found)))
        if least > (1 + NEAR) * share:
            raise TooSlowError(least)
        return number, found
    number = max(within, key=lambda i: float(np.median(ratios(within[i]))))
    return number, within[number]


def _first_within(limit: float, count: int, cost: Callable[[int], float]) -> int:
    """The first plan whose cost is within the limit; the last where none is."""
    low, high = 0, count - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if cost(middle) <= limit else (middle + 1, high)
    return high


def _pooled(ratios: Sequence[Array]) -> tuple[float, int]:
    """Median of all pairs' ratios, and their number."""
    found = np.concatenate(ratios)
    return float(np.median(found)), len(found)


def cost_at(time: float, times: Mapping[float, tuple[float, int]]) -> float:
    """The cost at which a time may be expected; of the whole, both are 1.

    Args:
        time: Wanted, of the whole's.
        times: Those taken by cost: the time, and the number of pairs that tell it.
    """
    costs = sorted(times)
    risen = [*_rising([min(times[c][0], 1.0) for c in costs], [times[c][1] for c in costs]), 1.0]
    costs.append(1.0)
    if time < risen[0]:
        slope = (1.0 - risen[0]) / max(1.0 - costs[0], 1e-9)
        return costs[0] - (risen[0] - time) / max(slope, 0.1)
    return float(np.interp(time, risen, costs))


def _rising(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The nearest values that never fall, by weighted least squares."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        blocks.append((value, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, v, m), (b, w, n) = blocks[-2:]
            blocks[-2:] = [((a * v + b * w) / (v + w), v + w, m + n)]
    return [value for value, _, n in blocks for _ in range(n)]
