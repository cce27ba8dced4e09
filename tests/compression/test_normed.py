"""Batch norms for the time of a training: the same function with them and without, and where there are none."""

import numpy as np
import pytest

from exporter.compression.distill import Distill
from exporter.compression.given import Given
from exporter.compression.normed import folded, normed
from exporter.graph import Graph, Port, const
from exporter.graph.evaluate import evaluate
from tests.graphs import graph_from_text, random_inputs
from tests.train.training_data import pictures

RNG = np.random.default_rng(0)
TEXT = """g (float[N,1,28,28] x) => (float[N,10] y) {
    a = Conv <pads = [1, 1, 1, 1]> (x, w, b)  r = Relu (a)  c = Conv <pads = [1, 1, 1, 1], group = 8> (r, v)  j = Add (c, a)
    s = Relu (j)  p = GlobalAveragePool (s)  f = Flatten (p)  l = Gemm <transB = 1> (f, u)  y = Softmax (l) }"""
WEIGHTS = {
    "w": 0.4 * RNG.normal(size=(8, 1, 3, 3)), "b": 0.1 * RNG.normal(size=8), "v": 0.4 * RNG.normal(size=(8, 1, 3, 3)),
    "u": 0.3 * RNG.normal(size=(10, 8)),
}  # fmt: skip


@pytest.fixture
def graph() -> Graph:
    graph = graph_from_text(TEXT, WEIGHTS)
    graph.inputs = (Port("pixels", "x", (0, 3, 1, 2)),)
    return graph


def norms(graph: Graph) -> list[str]:
    return [str(n.outputs[0].name) for n in graph.nodes if n.op_type == "BatchNormalization"]


def layers(graph: Graph) -> list[tuple[str, str]]:
    return [(n.op_type, str(n.outputs[0].name)) for n in graph.nodes]


def same(a: Graph, b: Graph) -> float:
    x = random_inputs(a, samples=4)
    wanted, got = evaluate(a, x)["y"], evaluate(b, x)["y"]
    return float(np.abs(wanted - got).max() / np.abs(wanted).max())


def test_norms_change_nothing_and_go_without_a_trace(graph: Graph) -> None:
    samples = random_inputs(graph, samples=100)
    found = normed(graph, samples)
    assert norms(found) == ["a", "c"]
    assert same(graph, found) <= 1e-6
    assert layers(folded(found)) == layers(graph)
    assert same(graph, folded(found)) <= 1e-6
    assert norms(graph) == []


def test_norms_begin_with_the_statistics_of_the_samples(graph: Graph) -> None:
    samples = random_inputs(graph, samples=100)
    for node in normed(graph, samples).nodes:
        if node.op_type == "BatchNormalization":
            seen = evaluate(graph, samples, [str(node.outputs[0].name)])[str(node.outputs[0].name)]
            scale, shift, _, variance = (const(v) for v in node.inputs[1:])
            np.testing.assert_allclose(shift, seen.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(variance, seen.var((0, 2, 3)), rtol=1e-4)
            np.testing.assert_allclose(scale, np.sqrt(seen.var((0, 2, 3)) + 1e-5), rtol=1e-4)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a = Relu (x) y = BatchNormalization (a, s, s, s, s)", "a norm"),
        ("a = Conv (x, w) b = Conv (x, w) y = Add (a, b)", "weights shared"),
        ("b = ReduceMax <keepdims = 0> (x) r = Reshape (b, one) e = Expand (r, eight) y = Conv (x, w, e)", "a computed bias"),
        ("y = Relu (x)", "no convolution"),
    ],
)
def test_what_gets_no_norms(text: str, why: str) -> None:
    constants = {"w": np.ones((8, 8, 1, 1)), "s": np.ones(8), "one": np.array([1], np.int64), "eight": np.array([8], np.int64)}
    given = graph_from_text(f"g (float[N,8,4,4] x) => (float[N,8,4,4] y) {{ {text} }}", {k: v for k, v in constants.items() if k in text})
    found = normed(given, random_inputs(given, samples=8))
    assert len(norms(found)) == (why == "a norm"), why


def test_a_net_keeps_its_layers_in_training(graph: Graph) -> None:
    made = Distill(epochs=6, rate=1e-2, batch=32, loss="none")(graph, Given(graph, data=pictures()))
    assert made.facts["norms_while_training"] is True
    assert layers(made.graph) == layers(graph)
    assert min(h["held_loss"] for h in made.history[1:]) < made.history[0]["held_loss"]
    plain = Distill(epochs=1, batch=32, norms=False)(graph, Given(graph, data=pictures()))
    few = Distill(epochs=1, batch=32)(graph, Given(graph, data=pictures().some(40)))
    assert [m.facts["norms_while_training"] for m in (plain, few)] == [False, False]
