"""Differences relative to how large numbers are, or count as."""

import numpy as np
import pytest

from exporter.graph.conditioning import rounding_floor
from exporter.graph.sizes import BOUNDED_SIZE, least_sizes, relative, size_of
from exporter.parity import compare
from exporter.passes import Phase
from exporter.passes.run import checked
from tests.graphs import graph_from_text

SHAPE = {"k": np.array([0, 3])}


@pytest.mark.parametrize(
    ("body", "least"),
    [
        ("y = Sigmoid (x)", BOUNDED_SIZE),
        ("y = Tanh (x)", BOUNDED_SIZE),
        ("s = Sigmoid (x) y = Reshape (s, k)", BOUNDED_SIZE),
        ("s = Sigmoid (x) t = Tanh (x) y = Mul (s, t)", BOUNDED_SIZE),
        ("s = Sigmoid (x) t = Sigmoid (x) y = Concat <axis = 1> (s, t)", BOUNDED_SIZE),
        ("s = Sigmoid (x) y = Mul (s, x)", 0),
        ("s = Sigmoid (x) y = Relu (s)", 0),
        ("s = Sigmoid (x) y = Softmax (s)", 0),
        ("y = Relu (x)", 0),
    ],
)
def test_what_only_bounded_functions_give_has_a_least_size(body: str, least: float) -> None:
    graph = graph_from_text(f"g (float[N,3] x) => (float[N,M] y) {{ {body} }}", SHAPE if "Reshape" in body else {})
    assert least_sizes(graph)["y"] == least


def test_sizes_by_hand() -> None:
    x = np.array([1.0, -4.0, np.inf])
    assert size_of(x) == 4
    assert size_of(np.zeros(3)) == 1
    assert size_of(np.zeros(3), 0.01) == 0.01
    assert relative(x, x) == 0
    assert relative(np.array([1.0, np.nan]), np.array([1.0, np.nan])) == 0
    assert relative(x, np.array([1.0, -4.0, 7.0])) == np.inf
    assert relative(np.array([2.0, 4.0]), np.array([2.0, 5.0])) == 0.25
    assert relative(np.array([1e-7]), np.array([2e-7]), 0.01) == pytest.approx(1e-5)


def test_the_least_size_changes_nothing_of_what_is_larger() -> None:
    ref, got = np.array([[0.5, 0.25]]), np.array([[0.5, 0.2]])
    assert compare(ref, got, 0.01) == compare(ref, got)
    faint = compare(ref * 1e-6, got * 1e-6, 0.01)
    assert faint.rel == pytest.approx(5e-6)
    assert faint.sqnr_db > compare(ref, got).sqnr_db + 80


def test_a_detector_that_sees_nothing_is_not_chaotic() -> None:
    """Scores of -20 are probabilities of 2e-9, less than a rounding step of the engine's Sigmoid."""
    rng = np.random.default_rng(0)
    text = "g (float[N,3,6,6] x) => (float[N,2,6,6] y) { c = Conv (x, w, b)  n = BatchNormalization (c, s, o, m, v)  y = Sigmoid (n) }"
    arrays = {
        "w": rng.normal(size=(2, 3, 1, 1)), "b": np.full(2, -20.0), "s": rng.uniform(0.5, 1, 2), "o": rng.normal(size=2),
        "m": rng.normal(size=2), "v": rng.uniform(0.5, 1, 2),
    }  # fmt: skip
    graph = graph_from_text(text, arrays)
    samples = {"x": rng.normal(size=(8, 3, 6, 6)).astype(np.float32)}
    assert rounding_floor(graph, samples)["y"] < 1e-4
    assert [n.op_type for n in checked(graph, Phase.FOLD, samples).nodes] == ["Conv", "Sigmoid"]
