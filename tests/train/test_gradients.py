"""Gradients of a net as it stands: against finite differences of the Graph itself, in each constant's own layout."""

import numpy as np
import pytest

from exporter.array import Array
from exporter.data import Dataset, InputSpec
from exporter.data.arrays import Arrays
from exporter.data.rows import MemoryRows
from exporter.errors import DataError, UsageError
from exporter.graph import Graph, Port
from exporter.graph.evaluate import evaluate
from exporter.train import drawn
from exporter.train.bridge import Bridge
from exporter.train.gradients import BATCH, each, gradients
from exporter.train.heads import Head
from exporter.train.reconstruction import Reconstruction
from tests.graphs import graph_from_text
from tests.pruning.cut import weights

SHAPES = {
    "w": (6, 3, 3, 3), "bias": (6,), "scale": (6,), "shift": (6,), "mean": (6,), "var": (6,), "depth": (12, 1, 3, 3),
    "grouped": (8, 6, 1, 1), "up": (8, 5, 2, 2), "dense": (4, 5), "last": (4, 4),
}  # fmt: skip
NET = """g (float[N,3,6,6] x) => (float[N,4] y) {
    a = Conv <pads = [1, 1, 1, 1]> (x, w, bias) n = BatchNormalization (a, scale, shift, mean, var) r = Relu (n)
    d = Conv <pads = [1, 1, 1, 1], group = 6> (r, depth) s = Sigmoid (d) e = Conv <group = 2> (s, grouped)
    u = ConvTranspose <strides = [2, 2]> (e, up) v = Tanh (u) p = GlobalAveragePool (v) f = Flatten (p)
    q = Gemm <transB = 1> (f, dense) l = MatMul (q, last) y = Softmax (l) }"""
TRAINED = sorted(set(SHAPES) - {"mean", "var"})
COUNT = 40


def net() -> Graph:
    """Every form that a weight can have; channels last outside."""
    graph = graph_from_text(NET, weights(3, **SHAPES))
    graph.inputs = (Port("picture", "x", (0, 3, 1, 2)),)
    return graph


def pixels(count: int = COUNT) -> Array:
    return np.random.default_rng(1).standard_normal((count, 6, 6, 3)).astype(np.float32)


def data(*, labels: bool = True, count: int = COUNT) -> Dataset:
    x = pixels(count)
    arrays = Arrays("x", {"picture": MemoryRows(x)}, [InputSpec("picture", (6, 6, 3), "nhwc")], {}, lambda digest: None)
    return Dataset(arrays, np.arange(count) % 4 if labels else None)


def loss(graph: Graph) -> float:
    """Cross entropy of all samples, by onnxruntime and numpy."""
    y = evaluate(graph, {"x": np.ascontiguousarray(pixels().transpose(0, 3, 1, 2))})["y"].astype(np.float64)
    return float(-np.log(y[np.arange(COUNT), np.arange(COUNT) % 4]).mean())


def moved(name: str, by: Array) -> Graph:
    """The net with one constant changed."""
    values = weights(3, **SHAPES)
    graph = graph_from_text(NET, {**values, name: values[name] + by})
    graph.inputs = net().inputs
    return graph


@pytest.mark.parametrize("name", TRAINED)
def test_gradients_are_the_slope_of_the_loss(name: str) -> None:
    found = gradients(net(), data(), batch=COUNT, batches=1)[name]
    assert found.shape == SHAPES[name]
    way = np.random.default_rng(5).standard_normal(SHAPES[name]) + np.sign(found)  # downhill and sideways: no slope of almost 0
    step = 0.003 / np.abs(found).sum()
    slope = (loss(moved(name, step * way)) - loss(moved(name, -step * way))) / (2 * step)
    assert float((found * way).sum()) == pytest.approx(slope, rel=0.02)  # 0.003 of a loss told to 1e-7, and its curvature


def test_batch_norms_are_frozen() -> None:
    assert set(gradients(net(), data())) == set(TRAINED)


def test_the_sum_is_over_batches_drawn_by_the_seed() -> None:
    parts = list(each(net(), data(), batch=8, batches=3, seed=1))
    assert len(parts) == 3
    total = gradients(net(), data(), batch=8, batches=3, seed=1)
    np.testing.assert_allclose(total["dense"], sum(p["dense"] for p in parts), rtol=1e-4, atol=1e-6)  # threads add in any order
    other = gradients(net(), data(), batch=8, batches=3, seed=2)
    assert np.abs(total["dense"] - other["dense"]).max() > 1e-3
    assert len(list(each(net(), data(count=10)))) == 1
    assert BATCH > 10


def test_answers_are_drawn_from_a_teacher() -> None:
    own = gradients(net(), data(labels=False), teacher=net(), batch=COUNT, batches=1)
    assert set(own) == set(TRAINED)
    assert np.abs(own["dense"]).max() > 1e-3  # a teacher's own answers cost nothing, drawn ones do


def test_drawn_answers_follow_the_scores() -> None:
    rng = np.random.default_rng(0)
    p = np.array([0.1, 0.6, 0.3])
    said = np.log(p) + np.zeros((4000, 1))
    counts = np.bincount(drawn.draw(Head("y", "l", "classes"), said, rng)) / 4000
    np.testing.assert_allclose(counts, p, atol=0.04)  # five standard deviations
    binary = drawn.draw(Head("y", "l", "binary"), np.full((4000, 1), np.log(0.2 / 0.8)), rng)
    assert binary.mean() == pytest.approx(0.2, abs=0.04)
    numbers = drawn.draw(Head("y", "y", "numbers"), np.arange(4000.0)[:, None], rng)
    assert (numbers - np.arange(4000.0)[:, None]).std() == pytest.approx(np.arange(4000.0).std(), rel=0.05)


def test_a_constant_in_two_roles_has_the_sum_over_both() -> None:
    text = "g (float[N,4] x) => (float[N,4] y) {{ a = MatMul (x, w) b = Tanh (a) c = Gemm (b, {}, v) d = Add (c, v) y = Softmax (d) }}"
    values = weights(0, w=(4, 4), v=(4,))
    shared, apart = graph_from_text(text.format("w"), values), graph_from_text(text.format("w2"), {**values, "w2": values["w"]})
    x = {"x": MemoryRows(pixels(30).reshape(30, -1)[:, :4])}
    samples = Dataset(Arrays("x", x, [InputSpec("x", (4,), "plain")], {}, lambda digest: None), np.arange(30) % 4)
    one, two = (gradients(g, samples, batch=30, batches=1) for g in (shared, apart))
    np.testing.assert_allclose(one["w"], two["w"] + two["w2"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(one["v"], two["v"], rtol=1e-4, atol=1e-6)


def test_reconstruction_finds_maps_again_in_other_channels() -> None:
    teacher, batch = Bridge(net()), {"picture": pixels()}
    same = Reconstruction.of(Bridge(net()), teacher, [(batch, batch)])
    assert float(same.loss(batch, batch)) < 1e-3  # of the variance: what the ridge takes
    noisy = Bridge(moved("w", np.random.default_rng(0).standard_normal(SHAPES["w"])))
    assert float(Reconstruction.of(noisy, teacher, [(batch, batch)]).loss(batch, batch)) > 0.01


def test_reconstruction_adds_to_the_gradient() -> None:
    noisy = moved("w", np.random.default_rng(0).standard_normal(SHAPES["w"]))
    plain, more = (gradients(noisy, data(), teacher=net(), reconstruction=r) for r in (False, True))
    assert np.abs(plain["w"] - more["w"]).max() > 1e-3
    np.testing.assert_allclose(plain["last"], more["last"], rtol=1e-4, atol=1e-6)  # behind all maps


def test_what_is_missing_is_said() -> None:
    with pytest.raises(UsageError, match="no labels, and there is no teacher"):
        gradients(net(), data(labels=False))
    with pytest.raises(DataError, match="a label is 9"):
        gradients(net(), Dataset(data().samples, np.full(COUNT, 9)))
