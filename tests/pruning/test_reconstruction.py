"""ThiNet and LASSO: what the readers would miss."""

from itertools import permutations

import numpy as np
import pytest

from exporter.channels.classes import channels_of
from exporter.graph.evaluate import evaluate
from exporter.pruning.reconstruction import contributions, greedy, lasso, removal_order, vanishing_penalty
from exporter.pruning.widths import Budget, Measure, plan_of
from tests.graphs import graph_from_text, random_inputs
from tests.pruning.cut import weights

COLUMNS = np.array([[1.0, 0.0, 0.2, -1.0], [0.0, 2.0, 0.1, 0.1], [1.0, 1.0, 0.0, -1.0]])
GRAM = COLUMNS.T @ COLUMNS


def missing(gone: tuple[int, ...]) -> float:
    return float(np.square(COLUMNS[:, list(gone)].sum(1)).sum())


def test_greedy_takes_the_least_missed_each_time():
    order = np.argsort(removal_order(GRAM)).tolist()
    assert order[0] == 2
    for n in range(1, 4):
        assert missing(tuple(order[:n])) == pytest.approx(min(missing((*order[: n - 1], j)) for j in order[n - 1 :]))
    assert order[:3] == [2, 3, 0]  # the first and the last cancel each other out: together they are missed least
    assert missing((2, 3, 0)) == pytest.approx(min(missing(p) for p in permutations(range(4), 3)))


def test_lasso_of_independent_channels_is_their_size():
    found = vanishing_penalty(np.diag([4.0, 1.0, 9.0]))  # b[j] is max(d[j] - penalty, 0) / d[j]
    np.testing.assert_allclose(found, [4, 1, 9], rtol=0.2)  # penalties are tried at 60 levels over four decades: a factor of 1.17
    assert (found <= [4, 1, 9.01]).all()


def test_lasso_drops_one_of_two_that_cancel_out():
    columns = np.array([[3.0, -2.9, 1.0], [0.0, 0.1, 2.0]])
    assert vanishing_penalty(columns.T @ columns).argmax() == 2


def test_contributions_add_up_to_the_output():
    graph = graph_from_text(
        "g (float[N,4,6,6] x) => (float[N,6,6,6] y) { y = Conv <pads = [1, 1, 1, 1], group = 2> (x, wy) }", weights(wy=(6, 2, 3, 3))
    )
    inputs = random_inputs(graph, samples=4)
    found = contributions(channels_of(graph), inputs)["y"]
    assert found.shape == (4 * 10 * 4, 4)
    values = evaluate(graph, inputs)["y"].ravel()
    nearest = np.abs(found.sum(1)[:, None] - values).min(1)
    assert nearest.max() < 1e-5  # every sum is one of the output's numbers; float32 in onnxruntime


@pytest.mark.parametrize("make", [greedy, lasso])
def test_a_channel_that_nobody_misses_goes_first(make):
    inits = weights(wa=(8, 3, 1, 1), wb=(8, 8, 1, 1), wy=(5, 8, 1, 1))
    inits["wb"][:, 3], inits["wy"][:, 3] = 0.01, 0.01  # read by both readers, but hardly; by L2 of its own filter it is the largest
    inits["wa"][3] *= 5
    graph = graph_from_text(
        "g (float[N,3,6,6] x) => (float[N,5,6,6] y, float[N,8,6,6] z) { a = Conv (x, wa) r = Relu (a) z = Conv (r, wb) y = Conv (r, wy) }",
        inits,
    )
    plan = plan_of(graph, Budget(Measure.MACS, 0.9), scorer=make(random_inputs(graph, samples=30)), channel_step=1)
    assert plan.removed["a"].tolist() == [3]
