"""On tables made from known constants: they come back, and held-out nets are predicted."""

import numpy as np
import pytest

from exporter.array import Array
from exporter.cost.prediction.fit import fit, held_out

SHAPE = np.array([0.5, 3.0, 8.0])
"""Of an instruction, a line from the second level, a line from memory."""


@pytest.fixture(scope="module")
def costs() -> dict[str, Array]:
    rng = np.random.default_rng(0)
    return {f"net{i}": rng.uniform([10, 0.2, 0.05], [1000, 40, 15]) for i in range(16)}


def table(costs: dict[str, Array], constants: Array, noise: float = 0.0, seed: int = 0) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    return {net: float(cost @ constants * np.exp(rng.normal(0, noise))) for net, cost in costs.items()}


def test_one_shape_and_a_scale_each(costs: dict[str, Array]) -> None:
    fitted = fit(costs, {"a": table(costs, SHAPE), "b": table(costs, 2.5 * SHAPE)}, 1.0)
    assert fitted.scales["b"] / fitted.scales["a"] == pytest.approx(2.5, rel=1e-6)
    assert fitted.constants["a"] == pytest.approx(SHAPE, rel=1e-4)  # rounds of two steps converge, they do not end


def test_a_device_may_leave_the_shape(costs: dict[str, Array]) -> None:
    """Slower memory than its sisters: found when the draw is weak, not when it is strong."""
    slow = SHAPE * [1, 1, 3]
    tables = {"a": table(costs, SHAPE), "b": table(costs, SHAPE), "c": table(costs, slow)}
    assert fit(costs, tables, 1e-6).constants["c"] == pytest.approx(slow, rel=0.02)
    held = fit(costs, tables, 1e6)
    assert held.constants["c"] == pytest.approx(held.scales["c"] * held.shape, rel=1e-3)


def test_held_out_nets_are_not_seen(costs: dict[str, Array]) -> None:
    """A wild row spoils the prediction of others, never its own: its own is what the others say."""
    tables = {"a": table(costs, SHAPE), "b": table(costs, 2 * SHAPE)}
    tables["a"]["net3"] *= 40
    got = held_out(costs, tables, 1.0, list(costs))
    assert got["a"]["net3"] == pytest.approx(float(costs["net3"] @ SHAPE), rel=1e-6)
    assert got["b"]["net3"] == pytest.approx(2 * float(costs["net3"] @ SHAPE), rel=1e-6)


def test_held_out_error_is_about_the_noise(costs: dict[str, Array]) -> None:
    tables = {d: table(costs, s * SHAPE, 0.05, seed) for seed, (d, s) in enumerate({"a": 1.0, "b": 2.0, "c": 0.4}.items())}
    got = held_out(costs, tables, 10.0, list(costs))
    errors = [abs(got[d][n] / tables[d][n] - 1) for d in tables for n in costs]
    assert 0.02 < np.mean(errors) < 0.06  # a normal of 5 % has a mean of 4 % either way


def test_nets_without_counts_and_devices_without_a_net_are_left_out(costs: dict[str, Array]) -> None:
    tables = {"a": {**table(costs, SHAPE), "uncounted": 3.0}, "b": {k: v for k, v in table(costs, SHAPE).items() if k != "net1"}}
    got = held_out(costs, tables, 1.0, ["net1", "uncounted"])
    assert set(got["a"]) == {"net1"}
    assert got["b"] == {}


def test_a_new_device_with_one_time_gets_the_shape_of_its_core(costs: dict[str, Array]) -> None:
    """And can hold nothing out."""
    tables = {"a": table(costs, SHAPE), "new": {"net5": 7 * float(costs["net5"] @ SHAPE)}}
    fitted = fit(costs, tables, 1.0)
    assert fitted.ms("new", costs["net9"]) == pytest.approx(7 * float(costs["net9"] @ SHAPE), rel=1e-4)
    assert held_out(costs, tables, 1.0, ["net5"])["new"] == {}
