import numpy as np

from exporter.proving.equalised import rescaled, unrounded
from tests.graphs import graph_from_text

TEXT = "g (float[N,2,3,3] x) => (float[N,2,3,3] y) { h = Mul (x, first) r = Relu (h) y = Mul (r, second) }"
ONE = np.ones((1, 2, 1, 1), np.float32)
SCALE = np.float32([4, 0.5]).reshape(1, 2, 1, 1)


def test_values_are_told_in_the_terms_of_the_equalised_net():
    plain = graph_from_text(TEXT, {"first": ONE, "second": ONE})
    equal = graph_from_text(TEXT, {"first": SCALE, "second": 1 / SCALE})
    x = np.random.default_rng(0).standard_normal((2, 2, 3, 3)).astype(np.float32)
    found = unrounded(plain, equal)({"x": x}, ["r", "y", "gone"])
    assert sorted(found) == ["r", "y"]
    np.testing.assert_allclose(found["r"], np.maximum(x, 0) * SCALE, rtol=1e-6)  # powers of two: only the fit rounds
    np.testing.assert_array_equal(found["y"], np.maximum(x, 0))


def test_corrected_biases_are_no_scales():
    plain = np.random.default_rng(0).standard_normal((2, 2, 3, 3)).astype(np.float32)
    np.testing.assert_array_equal(rescaled(plain, plain + np.float32(0.01)), plain)
    np.testing.assert_array_equal(rescaled(plain, np.zeros((2, 3), np.float32)), plain)
