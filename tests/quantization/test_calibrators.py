"""Properties of every calibrator, on histograms of any shape; and of each what it is for."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.array import Array
from exporter.formats.points import Range, Scheme
from exporter.quantization.bins import folded
from exporter.quantization.calibrators import CALIBRATORS
from exporter.quantization.entropy import divergence
from exporter.quantization.growing import Growing
from exporter.quantization.histogram import Histogram

SCHEMES = (Scheme(), Scheme("uint8"), Scheme(symmetric=True))
AFFINE = Scheme()
SYMMETRIC = Scheme(symmetric=True)


def histogram(*batches: Array) -> Histogram:
    """Of batches (samples, elements)."""
    growing = Growing()
    for x in batches:
        growing.add(x.astype(np.float32), x.min(1), x.max(1))
    return growing.histogram()


def quantized_error(x: Array, ends: Range, scheme: Scheme) -> float:
    """Mean squared error of the numbers themselves, quantized and back."""
    step = (ends[1] - ends[0]) / (254 if scheme.symmetric else 255)
    if step == 0:
        return float((x**2).mean())
    zero = np.rint(-ends[0] / step)
    back = (np.clip(np.rint(x / step) + zero, 0, 254 if scheme.symmetric else 255) - zero) * step
    return float(((x - back) ** 2).mean())


@st.composite
def values(draw: st.DrawFn) -> Array:
    """Samples of some distribution: normal, heavy-tailed, rectified, on a grid, shifted, constant; (samples, elements)."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(1, 5)), draw(st.integers(1, 600))
    kind = draw(st.sampled_from(["normal", "tails", "relu", "pixels", "constant", "negative"]))
    x = rng.standard_t(2, shape) if kind == "tails" else rng.standard_normal(shape)
    if kind == "relu":
        x = np.maximum(x, 0)
    elif kind == "pixels":
        x = rng.integers(0, 256, shape).astype(np.float64)
    elif kind == "constant":
        x = np.full(shape, draw(st.sampled_from([0.0, 1.0, -3.25])))
    elif kind == "negative":
        x = -np.abs(x) - 1
    scale = draw(st.sampled_from([1e-30, 1e-3, 1.0, 700.0, 1e30]))
    shift = draw(st.sampled_from([0.0, 0.5, -40.0]))
    return np.asarray((x + shift) * scale, np.float32)


@pytest.mark.parametrize("name", CALIBRATORS)
@pytest.mark.parametrize("scheme", SCHEMES, ids=["int8", "uint8", "symmetric"])
@settings(deadline=None, max_examples=60)
@given(x=values())
def test_ranges_hold_zero_and_lie_within_what_was_seen(name: str, scheme: Scheme, x: Array) -> None:
    low, high = CALIBRATORS[name](histogram(x), scheme)
    assert low <= 0 <= high
    if scheme.symmetric:
        assert low == -high
        assert high <= np.abs(x).max() * (1 + 1e-6)  # float64 against float32
    else:
        assert low >= min(float(x.min()), 0) * (1 + 1e-6)
        assert high <= max(float(x.max()), 0) * (1 + 1e-6)


@pytest.mark.parametrize("name", CALIBRATORS)
@settings(deadline=None, max_examples=30)
@given(x=values(), seed=st.integers(0, 99))
def test_order_of_samples_changes_nothing(name: str, x: Array, seed: int) -> None:
    turned = x[np.random.default_rng(seed).permutation(len(x))]
    straight, other = (CALIBRATORS[name](histogram(*(row[None] for row in rows)), AFFINE) for rows in (x, turned))
    assert np.allclose(straight, other, rtol=1e-12, atol=0)  # a mean sums in another order; all else is counts


@pytest.mark.parametrize("scheme", SCHEMES, ids=["int8", "uint8", "symmetric"])
@settings(deadline=None, max_examples=80)
@given(x=values())
def test_mse_is_no_worse_than_minmax(scheme: Scheme, x: Array) -> None:
    h = histogram(x)
    got, whole = (quantized_error(x.astype(np.float64), CALIBRATORS[name](h, scheme), scheme) for name in ("mse", "minmax"))
    bin_error = ((h.edges[1] - h.edges[0]) / len(h.counts)) ** 2  # what the histogram does not tell
    step = (max(float(np.abs(x).max()), 0) / 255) ** 2
    assert got <= 1.05 * whole + bin_error + 0.05 * step


def test_minmax_and_mean() -> None:
    h = histogram(np.array([[-1.0, 2.0], [-3.0, 8.0]]))
    assert CALIBRATORS["minmax"](h, AFFINE) == (-3, 8)
    assert CALIBRATORS["minmax"](h, SYMMETRIC) == (-8, 8)
    assert CALIBRATORS["mean"](h, AFFINE) == (-2, 5)
    assert CALIBRATORS["mean"](h, SYMMETRIC) == (-5, 5)


@pytest.mark.parametrize("share", [0.999, 0.9999, 0.99999])
def test_percentiles_leave_out_their_share(share: float) -> None:
    x = np.random.default_rng(0).standard_normal((1, 1_000_000)).astype(np.float32)
    h = histogram(x)
    width = (h.edges[1] - h.edges[0]) / len(h.counts)
    low, high = CALIBRATORS[f"percentile-{100 * share:g}"](h, AFFINE)
    both = CALIBRATORS[f"percentile-{100 * share:g}"](h, SYMMETRIC)[1]
    for values_, end in ((x, high), (-x, -low), (np.abs(x), both)):  # to within the bin that the end is in
        assert (values_ > end + width).sum() <= 1_000_000 * (1 - share) <= (values_ > end - width).sum()


def test_percentiles_widen_with_their_share() -> None:
    h = histogram(np.random.default_rng(0).standard_t(3, (4, 100_000)))
    highs = [CALIBRATORS[f"percentile-{p}"](h, AFFINE)[1] for p in ("99.9", "99.99", "99.999")]
    assert highs == sorted(highs)
    assert highs[0] < highs[2] < h.seen[1]


@pytest.mark.parametrize("name", ["mse", "kl", "percentile-99.99"])
@pytest.mark.parametrize("scheme", SCHEMES, ids=["int8", "uint8", "symmetric"])
@pytest.mark.parametrize("rectified", [False, True])
def test_one_outlier_is_clipped(name: str, scheme: Scheme, rectified: bool) -> None:
    x = np.random.default_rng(0).standard_normal((1, 200_000))
    x[0, 0] = 30.0
    low, high = CALIBRATORS[name](histogram(np.maximum(x, 0) if rectified else x), scheme)
    assert 3 < high < 27  # a rectified value has half as much to round: its squared error balances at 26.6
    assert rectified or low < -3
    assert low == 0 or not rectified or scheme.symmetric


@pytest.mark.parametrize("scheme", SCHEMES[:2], ids=["int8", "uint8"])
def test_pixels_keep_their_grid(scheme: Scheme) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 50_000)) / 255
    assert CALIBRATORS["mse"](histogram(pixels), scheme) == CALIBRATORS["minmax"](histogram(pixels), scheme)


def test_mse_is_the_best_of_all_clippings() -> None:
    x = np.random.default_rng(0).laplace(size=(1, 200_000))
    got = CALIBRATORS["mse"](histogram(x), SYMMETRIC)
    tried = [quantized_error(x, (-m, m), SYMMETRIC) for m in np.linspace(1, np.abs(x).max(), 200)]
    assert quantized_error(x, got, SYMMETRIC) < 1.02 * min(tried)  # 48 ends are tried, 2 % apart at the top


@pytest.mark.parametrize("span", [(0, 1500), (200, 1400), (600, 900)])
def test_divergence_is_the_definition(span: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    counts = np.floor(rng.exponential(20, 1500) * np.exp(-(((np.arange(1500) - 700) / 300) ** 2))).astype(np.float64)
    (got,) = divergence(counts, np.array(span[:1]), np.array(span[1:]), 255)
    assert got == pytest.approx(_divergence(counts, *span, 255), rel=1e-9)  # the same sums in another order


def _divergence(counts: Array, first: int, last: int, numbers: int) -> float:
    """As TensorRT's slides say it, bin by bin."""
    inside = counts[first:last]
    p, q = inside.copy(), np.zeros_like(inside)
    p[0] += counts[:first].sum()
    p[-1] += counts[last:].sum()
    ends = np.arange(numbers + 1) * len(inside) // numbers
    for a, b in itertools.pairwise(ends):
        held = inside[a:b] > 0
        if held.any():
            q[a:b][held] = inside[a:b].sum() / held.sum()
    p, q = p / p.sum(), q / q.sum()
    seen = p > 0
    return float((p[seen] * np.log(p[seen] / np.maximum(q[seen], 1e-9))).sum())


def test_folding_keeps_every_element() -> None:
    x = np.random.default_rng(0).standard_normal((2, 5000)).astype(np.float32)
    h, whole = folded(histogram(x)), histogram(x)
    width = h.edges[1] / len(h.counts)
    assert h.counts.tolist() == np.histogram(np.abs(x), len(h.counts), h.edges)[0].tolist()
    assert width == (whole.edges[1] - whole.edges[0]) / len(whole.counts)
    assert h.seen[1] == np.abs(x).max()
