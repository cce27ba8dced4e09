"""Samples in any order and any batches give the histogram that is made at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.array import Array
from exporter.quantization.growing import BINS, Growing, bin_width
from exporter.quantization.histogram import Histogram


def grown(batches: list[Array]) -> Histogram:
    growing = Growing()
    for x in batches:
        growing.add(x, x.min(1), x.max(1))
    return growing.histogram()


def at_once(x: Array) -> Array:
    """Counts by numpy, in bins 2^k wide that begin at multiples of their width."""
    width = 2.0 ** bin_width(float(x.min()), float(x.max()))
    bins = np.floor(x.astype(np.float64) / width).astype(np.int64).ravel()
    return np.bincount(bins - bins.min())


numbers = st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False).map(lambda x: x if abs(x) > 1e-6 else 0.0)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.lists(numbers, min_size=1, max_size=6), min_size=1, max_size=8))
def test_streaming_is_one_shot(rows: list[list[float]]) -> None:
    h = grown([np.array([row], np.float32) for row in rows])
    x = np.array([e for row in rows for e in row], np.float32)
    assert h.seen == (float(x.min()), float(x.max()))
    assert h.counts.tolist() == at_once(x).tolist()
    assert h.edges[0] <= h.seen[0] <= h.seen[1] < h.edges[1] or len(set(x.tolist())) == 1
    lows, highs = [min(np.float32(row)) for row in rows], [max(np.float32(row)) for row in rows]
    rounding = 2.0**-52 * float(np.abs(x).max())  # of sums in another order: what cancels leaves that of the largest
    assert h.mean == pytest.approx((np.mean(lows, dtype=np.float64), np.mean(highs, dtype=np.float64)), rel=1e-9, abs=rounding)


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1.0, 1e36])
def test_range_grows_over_many_doublings(scale: float) -> None:
    rng = np.random.default_rng(0)
    batches = [(rng.standard_normal((2, 500)) * scale * 1.5**i).astype(np.float32) for i in range(6)]
    x = np.concatenate(batches)
    for order in (batches, batches[::-1]):
        h = grown(order)
        assert h.counts.tolist() == at_once(x).tolist()
        assert h.counts.sum() == x.size
        assert h.seen == (float(x.min()), float(x.max()))
        assert BINS / 2 <= len(h.counts) <= BINS + 1


def test_counts_are_numpys_own() -> None:
    x = np.random.default_rng(0).standard_normal((3, 1000)).astype(np.float32)
    h = grown([x[:1], x[1:]])
    assert h.counts.tolist() == np.histogram(x.astype(np.float64), len(h.counts), h.edges)[0].tolist()


def test_one_number_and_then_another() -> None:
    zeros, ones = np.zeros((1, 5), np.float32), np.ones((1, 3), np.float32)
    h = grown([zeros])
    assert (h.counts.tolist(), h.seen) == ([5], (0.0, 0.0))
    h = grown([zeros, ones])
    assert (h.counts[0], h.counts[-1], h.counts.sum()) == (5, 3, 8)


def test_range_that_only_widens_in_steps() -> None:
    """One element a time, each a little further out: no bin is lost at either end."""
    values = [(-1) ** i * (1 + i / 7) for i in range(400)]
    h = grown([np.array([[v]], np.float32) for v in values])
    assert h.counts.tolist() == at_once(np.array(values, np.float32)).tolist()


@given(numbers, numbers, numbers)
def test_width_never_shrinks_while_the_range_grows(a: float, b: float, c: float) -> None:
    low, high = min(a, b), max(a, b)
    assert bin_width(low, high) <= bin_width(min(low, c), max(high, c))


def test_a_histogram_stays_as_it_is_when_more_is_added() -> None:
    growing = Growing()
    x = np.array([[1.0, 2.0]], np.float32)
    growing.add(x, x.min(1), x.max(1))
    before = growing.histogram()
    counts = before.counts.copy()
    growing.add(x, x.min(1), x.max(1))
    assert before.counts.tolist() == counts.tolist()
