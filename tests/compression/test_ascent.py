"""The search for the widest plan that is quick enough, on made-up times that are as noisy as real ones."""

from collections.abc import Callable

import numpy as np
import pytest

from exporter.compression.ascent import NEAR, SURE_PAIRS, SURE_PROCESS_PAIRS, TooSlowError, cost_at, of_clock, of_processor, widest_within
from exporter.latency import Versus

Law = Callable[[float], float]

COUNT = 400
LAWS: dict[str, Law] = {
    "as MACs": lambda cost: cost,
    "with a floor": lambda cost: 0.25 + 0.75 * cost,
    "a staircase": lambda cost: 0.1 + 0.9 * np.ceil(cost * 40) / 40,
    "bent": lambda cost: cost**0.6,
}


def cost(number: int) -> float:
    """A straight way down to a tenth."""
    return 1 - 0.9 * number / (COUNT - 1)


class Machine:
    """Times by a law, with noise of the processor and a great deal of it of the clock."""

    def __init__(self, law: Law, noise: float, seed: int) -> None:
        self.law, self.noise, self.random, self.pairs = law, noise, np.random.default_rng(seed), 0

    def __call__(self, number: int, pairs: int, process_pairs: int) -> Versus:
        self.pairs += pairs
        drift = self.random.normal(0, self.noise / 3)  # of these processes
        b = self.law(cost(number)) * (1 + drift) * self.random.normal(1, self.noise, pairs)
        a = self.random.normal(1, self.noise, pairs)
        delays = self.random.choice([1.0, 3.0], (2, pairs))
        wall_a, wall_b = tuple(a * delays[0]), tuple(b * delays[1])
        return Versus(wall_a, wall_b, float(np.median(wall_b) / np.median(wall_a)), 0.0, 9.0, process_pairs, tuple(a), tuple(b))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.7, 0.5])
@pytest.mark.parametrize("law", LAWS)
def test_what_is_asked_is_met_whatever_the_law(law: str, share: float, seed: int):
    machine = Machine(LAWS[law], 0.04, seed)
    number, found = widest_within(share, COUNT, cost, machine)
    assert len(found.a_ms) == SURE_PAIRS
    assert found.process_pairs == SURE_PROCESS_PAIRS
    real = LAWS[law](cost(number))
    assert (1 - NEAR) * share * 0.97 <= real <= share * 1.03  # 200 pairs with 4 % of noise, and 1.3 % of drift
    assert machine.pairs <= 14 * SURE_PAIRS


def test_several_threads_are_judged_by_the_clock():
    quiet = Machine(LAWS["as MACs"], 0.01, 0)
    found = quiet(100, 50, 2)
    assert of_clock(found).std() > 3 * of_processor(found).std()
    widest_within(0.5, COUNT, cost, quiet, of_clock)


def test_what_no_plan_reaches_is_refused():
    with pytest.raises(TooSlowError) as problem:
        widest_within(0.2, COUNT, cost, Machine(LAWS["with a floor"], 0.02, 0))
    assert problem.value.least == pytest.approx(0.325, rel=0.05)  # the floor and a tenth of the rest; noise as above


def test_what_the_narrowest_plan_nearly_reaches_is_accepted():
    number, found = widest_within(0.317, COUNT, cost, Machine(LAWS["with a floor"], 0.02, 0))
    assert number == COUNT - 1
    assert 0.317 < np.median(of_processor(found)) <= 0.317 * (1 + NEAR)


def test_of_few_plans_the_widest_within_is_taken():
    costs = [1.0, 0.8, 0.53, 0.4, 0.3]
    machine = Machine(lambda c: c, 0.01, 1)
    machine.law = lambda c: costs[round((1 - c) / 0.9 * (COUNT - 1))]
    number, found = widest_within(0.5, len(costs), lambda i: costs[i], machine)
    assert number == 3
    assert np.median(of_processor(found)) == pytest.approx(0.4, rel=0.03)  # noise as above


def test_times_rise_with_cost_and_are_joined_by_lines():
    assert cost_at(0.5, {0.4: (0.4, 40)}) == pytest.approx(0.5)  # between (0.4, 0.4) and the whole (1, 1)
    assert cost_at(0.3, {0.4: (0.4, 40)}) == pytest.approx(0.3)  # the line goes on
    noisy = {0.3: (0.52, 40), 0.4: (0.48, 40), 0.8: (0.8, 40)}  # falls where it should rise: both 0.50
    assert cost_at(0.65, noisy) == pytest.approx(0.6)
