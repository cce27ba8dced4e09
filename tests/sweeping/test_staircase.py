"""Steps, plateaus and widths worth having, on made-up times."""

import numpy as np
import pytest

from exporter.sweeping.staircase import NOISE, Point, best_step, plateaus, step_of, tolerance, wasted, worth
from exporter.sweeping.widths import COARSE, MOST, default_widths

NOISES = (0.0, 0.01, 0.02)


def points(channels: int, step: int, *, noise: float = 0.0, more: float = 0.0, floor: float = 0.2, most: int = MOST, seed: int = 0):
    """Stairs of a step on a floor; widths off the step take `more` of the whole's time."""
    rng = np.random.default_rng(seed)

    def time(width: int) -> float:
        return floor + (1 - floor) * -(-width // step) * step / channels + more * (width % step != 0)

    widths = default_widths(channels, most)
    whole = time(channels)
    found = [time(w) / whole + rng.normal(0, noise) for w in widths]
    return [Point(w, t, t - 2 * noise, t + 2 * noise, t, t, 50) for w, t in zip(widths, found, strict=True)]


VISIBLE = [(c, s, n) for c in (64, 144, 512) for s in (4, 8, 16) for n in NOISES if max(n, NOISE) <= 0.3 * s / c]
"""Stairs that are higher than the noise."""


@pytest.mark.parametrize(("channels", "step", "noise"), VISIBLE)
def test_the_step_is_found(channels: int, step: int, noise: float):
    assert step_of(points(channels, step, noise=noise)) == step


@pytest.mark.parametrize("step", [4, 8, 16])
def test_widths_off_the_step_may_cost_more_than_wider_ones(step: int):
    found = points(96, step, noise=0.01, more=0.3)
    assert step_of(found) == step
    assert {p.width for p in wasted(found)} == {p.width for p in found if p.width % step and p.width < 96}
    assert all(p.width % step == 0 for p in worth(found))


@pytest.mark.parametrize("noise", NOISES)
def test_without_stairs_there_is_no_step(noise: float):
    found = points(96, 1, noise=noise)
    assert step_of(found) == 1
    flat = points(96, 1, noise=noise, floor=1.0)
    assert step_of(flat) == 1
    if noise == 0:
        assert [(p.first, p.last) for p in plateaus(flat)] == [(24, 96)]
        assert worth(flat) == wasted(flat) == ()


def test_several_layers_tell_more_than_one():
    few = [points(64, 8, noise=0.012, most=COARSE, seed=s) for s in range(6)]
    assert best_step(few) == 8


def test_plateaus_are_the_stairs():
    found = points(64, 16)
    assert [(p.first, p.last) for p in plateaus(found)] == [(16, 16), (18, 32), (34, 48), (50, 64)]
    assert [p.width for p in worth(found)] == [48, 32, 16]
    assert plateaus(found)[2].relative == pytest.approx(0.8, abs=1e-9)  # 0.2 + 0.8 * 48 / 64


def test_noise_is_no_stair():
    found = points(64, 1, noise=0.05)
    assert tolerance(found) == pytest.approx(0.1)
    assert tolerance(points(64, 1)) == 0.02
    assert len(plateaus(found)) < 10


@pytest.mark.parametrize("channels", [1, 2, 7, 24, 48, 64, 100, 144, 320, 1000, 1280])
@pytest.mark.parametrize("most", [MOST, COARSE])
def test_widths_reach_from_a_quarter_to_all(channels: int, most: int):
    found = default_widths(channels, most)
    assert len(found) <= most
    assert list(found) == sorted(set(found))
    assert found[-1] == channels
    assert found[0] == -(-channels // 4)
    if channels >= 64:
        assert {0, 8, 12, 14, 15} <= {w % 16 for w in found}
        assert any(w % 2 for w in found)
