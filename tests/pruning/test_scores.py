"""Scores on weights made by hand."""

import numpy as np
import pytest

from exporter.channels.classes import channels_of
from exporter.channels.layers import Layer, layers_of
from exporter.graph import Graph
from exporter.pruning.responses import responses
from exporter.pruning.scores import Entropy, class_scores, discriminating, fpgm, gamma, l1, l2, random, taylor, with_next, with_previous
from tests.graphs import graph_from_text

W = np.array([[3.0, -4.0], [1.0, 0.0], [0.0, 2.0], [-3.0, 4.0]])
NEXT = np.array([[1.0, 0.0, 2.0, 1.0], [0.0, 3.0, 0.0, 1.0]])
ROUNDING = 1e-6
"""float32 weights, float64 sums."""


def net(**more: np.ndarray) -> Graph:
    """x (2 channels) -> a (4) -> batch norm -> relu -> y (2)."""
    inits = {
        "wa": W[:, :, None, None], "wy": NEXT[:, :, None, None], "scale": np.array([1.0, -2.0, 0.0, 1.0]), "shift": np.zeros(4),
        "mean": np.zeros(4), "var": np.array([1.0, 1.0, 1.0, 4.0]) - 1e-5, **more,
    }  # fmt: skip
    return graph_from_text(
        """g (float[N,2,2,2] x) => (float[N,2,2,2] y) {
            a = Conv (x, wa) n = BatchNormalization (a, scale, shift, mean, var) r = Relu (n) y = Conv (r, wy)
        }""",
        inits,
    )


def layer() -> Layer:
    return layers_of(net())["a"]


def test_l1():
    np.testing.assert_allclose(l1(layer()), [7, 1, 2, 7], rtol=ROUNDING)


def test_l2_with_the_batch_norm_folded_in():
    np.testing.assert_allclose(l2(layer()), [5, 2, 0, 2.5], rtol=1e-5)  # the variance is rounded once more


def test_gamma():
    np.testing.assert_allclose(gamma(layer()), [1, 2, 0, 1], rtol=ROUNDING)
    np.testing.assert_array_equal(gamma(layers_of(net())["y"]), [1, 1])


def test_fpgm_is_least_in_the_middle():
    found = fpgm(layer())
    expected = [sum(np.linalg.norm(a - b) for b in W) for a in W]
    np.testing.assert_allclose(found, expected, rtol=ROUNDING)
    assert found.argmin() == 1


def test_taylor_takes_gradients_of_the_batch_norm_that_follows():
    found = taylor({"scale": np.array([1.0, 2.0, 9.0, -1.0]), "shift": np.full(4, 7.0)})(layer())
    np.testing.assert_allclose(found, [1, 4, 0, 1], rtol=ROUNDING)  # scales 1, -2, 0, 1 and shifts 0


def test_taylor_takes_gradients_of_filter_and_bias():
    slope = np.array([[1.0, 1.0], [5.0, 9.0], [1.0, 0.5], [0.0, 0.0]])
    graph = graph_from_text(
        "g (float[N,2,2,2] x) => (float[N,2,2,2] y) { a = Conv (x, wa, b) y = Conv (a, wy) }",
        {"wa": W[:, :, None, None], "b": np.array([1.0, 1.0, -1.0, 2.0]), "wy": NEXT[:, :, None, None]},
    )
    found = taylor({"wa": slope[:, :, None, None], "b": np.array([0.0, 1.0, 2.0, 3.0])})(layers_of(graph)["a"])
    np.testing.assert_allclose(found, [1, 6, 1, 6], rtol=ROUNDING)


def test_discriminating_takes_gradients_of_the_readers():
    channels = channels_of(net())
    slope = np.array([[3.0, 0.0, 1.0, 0.0], [4.0, 2.0, 0.0, 0.0]])
    scores = discriminating({"wy": slope[:, :, None, None]})(channels)
    np.testing.assert_allclose(scores[channels.made(channels.layers["a"])], np.array([5, 2, 1, 0]) / 2, rtol=ROUNDING)


def test_random_is_seeded_and_differs_between_layers():
    layers = layers_of(net())
    np.testing.assert_array_equal(random(1)(layers["a"]), random(1)(layers["a"]))
    assert not np.array_equal(random(1)(layers["a"]), random(2)(layers["a"]))
    assert not np.array_equal(random(1)(layers["a"])[:2], random(1)(layers["y"]))


def test_entropy_and_its_neighbours():
    answers = np.array([[0.0, 0, 1, 5], [0, 1, 1, 6], [0, 2, 0, 7], [0, 3, 0, 8]])
    graph = net()
    channels, entropy = channels_of(graph), Entropy({"a": answers, "y": answers[:, :2]}, bins=4)
    own = np.array([0, np.log(4), np.log(2), np.log(4)])
    made = channels.layers["a"]
    np.testing.assert_allclose(entropy.own(made), own, atol=1e-12)
    after = np.sqrt(np.square(NEXT).sum(0))
    np.testing.assert_allclose(with_next(channels, entropy)(made), own * after, rtol=ROUNDING)
    before = with_previous(channels, entropy)  # the input's two channels have no entropy: they count as 1
    np.testing.assert_allclose(before(made), own * np.abs(W).sum(1), rtol=ROUNDING)
    np.testing.assert_allclose(before(channels.layers["y"]), entropy.own(channels.layers["y"]) * (np.abs(NEXT) @ own), rtol=ROUNDING)


def test_responses_are_taken_behind_the_activation():
    graph = net()
    x = np.random.default_rng(0).normal(size=(5, 2, 2, 2)).astype(np.float32)
    found = responses(graph, {"x": x})
    a = np.einsum("oi,nihw->nohw", W, x)
    expected = np.maximum(a * (np.array([1.0, -2.0, 0.0, 1.0]) / np.array([1, 1, 1, 2]))[:, None, None], 0).mean((2, 3))
    np.testing.assert_allclose(found["a"], expected, rtol=1e-4, atol=1e-5)  # float32 in onnxruntime
    assert found["y"].shape == (5, 2)


def test_layers_are_brought_to_one_scale_before_ties_add_up():
    graph = graph_from_text(
        "g (float[N,2,2,2] x) => (float[N,2,2,2] y) { a = Conv (x, wa) b = Conv (a, wb) s = Add (a, b) y = Conv (s, wy) }",
        {"wa": 1000 * W[:, :, None, None], "wb": np.diag([1.0, 1.0, 1.0, 9.0])[:, :, None, None], "wy": NEXT[:, :, None, None]},
    )
    channels = channels_of(graph)
    scores = class_scores(channels, l1)[channels.classes["s"].ravel()]
    np.testing.assert_allclose(scores, (np.array([7, 1, 2, 7]) / 4.25 + np.array([1, 1, 1, 9]) / 3) / 2, rtol=ROUNDING)


@pytest.mark.parametrize("score", [l1, l2, fpgm, random()])
def test_every_score_is_one_number_a_row(score):
    for one in layers_of(net()).values():
        assert score(one).shape == (one.rows,)
