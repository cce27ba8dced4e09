import numpy as np

from exporter.graph.conditioning import rounding_floor
from tests.graphs import graph_from_text

TEXT = "g (float[N, 3, 4, 4] x) => (float[N, 3, 4, 4] y) {{ {body} }}"
SAMPLES = {"x": np.random.default_rng(0).normal(size=(4, 3, 4, 4)).astype(np.float32)}


def test_a_convolution_keeps_rounding_small():
    weights = np.random.default_rng(1).normal(size=(3, 3, 1, 1)).astype(np.float32)
    graph = graph_from_text(TEXT.format(body="y = Conv(x, w)"), {"w": weights})
    # a handful of float32 rounding steps of 1.2e-7
    assert 0 < rounding_floor(graph, SAMPLES)["y"] < 2e-6


def test_a_small_difference_of_large_numbers_amplifies_it():
    shift = np.full((3, 1, 1), 1e5, np.float32)
    graph = graph_from_text(TEXT.format(body="a = Add(x, b) y = Add(a, c)"), {"b": shift, "c": -shift})
    # 1e5 carries a rounding step of 0.008, the output is about 3
    assert rounding_floor(graph, SAMPLES)["y"] > 1e-3


def test_the_graph_stays_as_it_is():
    weights = np.ones((3, 3, 1, 1), np.float32)
    graph = graph_from_text(TEXT.format(body="y = Conv(x, w)"), {"w": weights})
    rounding_floor(graph, SAMPLES)
    assert np.array_equal(graph.model.graph.initializers["w"].const_value.numpy(), weights)


def test_what_a_size_hangs_on_stays():
    """4 times a scale a rounding step below 2 would be 7 rows, not 8."""
    text = "g (float[N, 3, 4, 4] x) => (float[N, 3, 8, 8] y) { r = Resize (x, none, s) y = Mul (r, w) }"
    scales = np.array([1, 1, 2, 2], np.float32)
    for seed in range(8):
        graph = graph_from_text(text, {"none": np.zeros(0, np.float32), "s": scales, "w": np.full((1, 3, 1, 1), 2, np.float32)})
        assert rounding_floor(graph, SAMPLES, seed)["y"] < 2e-6
