import numpy as np
import pytest

from exporter.cost.prediction.least_squares import non_negative, relative


def test_exact_constants_are_found() -> None:
    rng = np.random.default_rng(0)
    a, x = rng.uniform(0, 10, (30, 4)), np.array([1.0, 0.0, 2.5, 0.125])
    assert non_negative(a, a @ x) == pytest.approx(x, abs=1e-9)  # exact but for rounding


@pytest.mark.parametrize("seed", range(8))
def test_conditions_of_the_optimum_hold(seed: int) -> None:
    """Karush, Kuhn, Tucker: no slope where a constant is above 0, none downwards where it is 0."""
    rng = np.random.default_rng(seed)
    a, y = rng.normal(size=(40, 8)), rng.normal(size=40)
    x = non_negative(a, y)
    slope = a.T @ (a @ x - y)
    assert x.min() >= 0
    assert np.abs(slope[x > 0]).max(initial=0) < 1e-8
    assert slope[x == 0].min(initial=0) > -1e-8


def test_a_column_of_zeros_costs_nothing() -> None:
    assert non_negative(np.array([[1.0, 0.0], [2.0, 0.0]]), np.array([2.0, 4.0])) == pytest.approx([2.0, 0.0])


def test_relative_errors_are_what_is_small() -> None:
    """One row a thousand times the other: in absolute terms the small one would not count."""
    a, y = np.array([[1.0], [1000.0]]), np.array([2.0, 1000.0])
    (x,) = relative(a, y)
    assert x == pytest.approx((0.5 + 1.0) / (0.25 + 1.0))  # sum(r) / sum(r²) with r = a / y


def test_a_strong_prior_is_kept_and_a_weak_one_gives_way() -> None:
    rng = np.random.default_rng(1)
    a = rng.uniform(1, 10, (20, 2))
    y, prior = a @ np.array([1.0, 3.0]), np.array([2.0, 2.0])
    assert relative(a, y, prior, 1e6) == pytest.approx(prior, rel=1e-3)
    assert relative(a, y, prior, 1e-9) == pytest.approx([1.0, 3.0], rel=1e-3)
