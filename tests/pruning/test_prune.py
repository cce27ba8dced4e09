"""At once or little by little."""

import numpy as np
import pytest

from exporter.cost.count import totals
from exporter.graph.evaluate import evaluate
from exporter.pruning.proof import require_exact
from exporter.pruning.prune import Settings, composed, prune
from exporter.pruning.scores import SCORES, by
from exporter.pruning.widths import Budget, Measure
from tests.graphs import random_inputs
from tests.pruning.cut import EXACT
from tests.pruning.test_repair import error, net

HALF = Budget(Measure.MACS, 0.5)


@pytest.mark.parametrize("rounds", [1, 3])
def test_rounds_end_within_the_budget_and_know_what_is_left(rounds: int):
    graph = net()
    found = prune(graph, Settings(HALF, channel_step=2, rounds=rounds))
    assert len(found.plans) == rounds
    assert 0.47 <= totals(found.graph).macs / totals(graph).macs <= 0.5
    once = prune(graph, Settings(HALF, channel_step=2))
    assert {name: len(rows) for name, rows in found.kept.items()} == {name: len(rows) for name, rows in once.kept.items()}
    removed = {name: np.setdiff1d(np.arange(found.plans[0].channels.layers[name].rows), rows) for name, rows in found.kept.items()}
    require_exact(graph, found.graph, removed, random_inputs(graph, samples=2), EXACT)


def test_samples_repair_every_round():
    graph = net()
    inputs, unseen = random_inputs(graph, seed=1, samples=200), random_inputs(graph, seed=2, samples=100)
    plain = prune(graph, Settings(HALF, channel_step=4))
    for rounds in (1, 2):
        fixed = prune(graph, Settings(HALF, channel_step=4, rounds=rounds), inputs)
        assert error(graph, fixed.graph, unseen) < 0.6 * error(graph, plain.graph, unseen)


@pytest.mark.parametrize("name", SCORES)
def test_every_score_gives_an_exact_graph(name: str):
    graph = net()
    found = prune(graph, Settings(HALF, scorer=by(SCORES[name]), channel_step=4))
    require_exact(graph, found.graph, found.plans[0].removed, random_inputs(graph, samples=2), EXACT)


def test_the_whole_graph_stays():
    graph, inputs = net(), random_inputs(net(), samples=2)
    before = evaluate(graph, inputs)["y"]
    prune(graph, Settings(HALF, channel_step=4), random_inputs(graph, samples=20))
    np.testing.assert_array_equal(evaluate(graph, inputs)["y"], before)


def test_rows_of_rows():
    first, second = {"a": np.array([1, 4, 6, 7])}, {"a": np.array([0, 3])}
    assert composed(first, second)["a"].tolist() == [1, 7]
    assert composed({}, second)["a"].tolist() == [0, 3]
