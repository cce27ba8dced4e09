"""One session for all candidates computes what each candidate's own Graph computes."""

import numpy as np
import pytest

from exporter.graph.evaluate import evaluate
from exporter.graph.qdq import Edge, Quantization, affine, insert
from exporter.quantization import switchboard
from exporter.quantization.draft import begin
from exporter.quantization.switchboard import Switchboard
from tests.quantization.nets import Plain, conv_net, pictures, statistics_of

# Both run the same operators in onnxruntime; only the order of float sums may differ, which can move a number over a rounding edge
# and so by one step of the outputs, about 0.05 of logits near 10.
STEP = 0.06


@pytest.fixture(scope="module")
def draft():
    graph = conv_net()
    return begin(graph, statistics_of(graph, pictures()), Plain(), frozenset())


def test_all_on_is_the_inserted_graph(draft) -> None:
    board = Switchboard(draft.graph, draft.quantization, values=["l"])
    got = board.run(board.feeds(draft.quantization), pictures(20), ["l", "y"])
    wanted = evaluate(insert(draft.graph, draft.quantization), pictures(20), ["l", "y"])
    assert np.abs(got["l"] - wanted["l"]).max() < STEP
    assert np.median(np.abs(got["l"] - wanted["l"])) < 1e-5
    assert got["y"].shape == (20, 10)


def test_of_large_values_fewer_samples_run_at_once(draft, monkeypatch: pytest.MonkeyPatch) -> None:
    board = Switchboard(draft.graph, draft.quantization, values=["l"])
    feeds = board.feeds(draft.quantization)
    at_once = [len(part["l"]) for part in board.chunks(feeds, pictures(20), ["l"])]
    monkeypatch.setattr(switchboard, "HELD", 30)  # of 10 elements a sample
    few = [len(part["l"]) for part in board.chunks(feeds, pictures(20), ["l"])]
    assert (at_once, few) == ([16, 4], [3, 3, 3, 3, 3, 3, 2])


def test_all_off_is_the_float_graph(draft) -> None:
    board = Switchboard(draft.graph, draft.quantization, values=["l"])
    feeds = board.feeds(draft.quantization, off=board.sites, float_constants=board.constants)
    got, wanted = board.run(feeds, pictures(20), ["l"])["l"], evaluate(draft.graph, pictures(20), ["l"])["l"]
    assert np.abs(got - wanted).max() < 1e-4  # float sums of numbers up to 10


def test_other_numbers_without_another_session(draft) -> None:
    wide = {name: (4 * low, 4 * high) for name, (low, high) in draft.ranges.items()}
    other = draft.with_ranges(wide)
    board = Switchboard(draft.graph, draft.quantization, values=["l"])
    got = board.run(board.feeds(other.quantization), pictures(8), ["l"])["l"]
    wanted = evaluate(insert(draft.graph, other.quantization), pictures(8), ["l"])["l"]
    first = board.run(board.feeds(draft.quantization), pictures(8), ["l"])["l"]
    assert np.median(np.abs(got - wanted)) < 1e-5
    assert np.median(np.abs(got - first)) > 1e-3
    renumbered = board.run(board.renumber(board.feeds(draft.quantization), other.quantization), pictures(8), ["l"])["l"]
    assert np.median(np.abs(renumbered - wanted)) < 1e-3  # its biases keep the old step, far below the activations'


def test_edges_and_inputs_have_switches_too() -> None:
    graph = conv_net()
    edge = Edge("c3", frozenset({"c4"}))
    how = Quantization({"x": affine(0.05, 0), "y": affine(1 / 256, -128)}, {edge: affine(0.1, 3)})
    board = Switchboard(graph, how, values=["l"])
    x = pictures(8)
    assert np.array_equal(board.run(board.feeds(how), x, ["y"])["y"], evaluate(insert(graph, how), x)["y"])
    alone = Quantization({}, how.edges)
    got = board.run(board.feeds(how, off=["x", "y"]), x, ["l"])["l"]
    assert np.abs(got - evaluate(insert(graph, alone), x, ["l"])["l"]).max() < 1e-4


def test_biases_that_stay_float_can_be_steered(draft) -> None:
    board = Switchboard(draft.graph, Quantization({}, {}), constants=["b1"], values=["c1"])
    feeds = board.feeds(Quantization())
    moved = board.run({**feeds, "b1": feeds["b1"] + np.float32(0.5)}, pictures(4), ["c1"])["c1"]
    assert np.abs(moved - board.run(feeds, pictures(4), ["c1"])["c1"] - 0.5).max() < 1e-5
