"""Rounding while training: the bridge gives what the Graph with its pairs gives, and gradients pass."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from exporter.array import Array
from exporter.errors import ParityError
from exporter.formats.points import Scheme
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.graph.qdq import Affine, Edge, Quantization, affine, insert
from exporter.quantization.choose import by_calibrator
from exporter.quantization.draft import Draft, begin
from exporter.train.bridge import Bridge
from exporter.train.parity import require_rounded_parity
from exporter.train.rounding import Grid
from tests.graphs import graph_from_text
from tests.quantization.nets import Plain, conv_net, pictures, statistics_of


def drafted(graph: Graph, samples: dict[str, Array], scheme: Scheme | None = None) -> Draft:
    draft = begin(graph, statistics_of(graph, samples), Plain(scheme), frozenset())
    return draft.with_ranges(by_calibrator("minmax", draft).ranges)


LAYERS = {
    "conv": ("y = Conv <pads = [1,1,1,1], strides = [2,2]> (x, w, b)", (8, 4, 3, 3)),
    "depthwise": ("y = Conv <pads = [1,1,1,1], group = 4> (x, w, b)", (8, 1, 3, 3)),
    "grouped": ("y = Conv <group = 2> (x, w, b)", (8, 2, 1, 1)),
    "dense": ("f = Flatten (x) y = Gemm <transB = 1> (f, w, b)", (8, 144)),
}


@pytest.mark.parametrize("scheme", [Scheme(), Scheme("uint8"), Scheme(symmetric=True)])
@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_is_rounded_as_in_the_graph_with_its_pairs(kind: str, scheme: Scheme) -> None:
    rng, (text, shape) = np.random.default_rng(0), LAYERS[kind]
    size = {"conv": "8,3,3", "depthwise": "8,6,6", "grouped": "8,6,6", "dense": "8"}[kind]
    inits = {"w": rng.standard_normal(shape).astype(np.float32), "b": rng.standard_normal(8).astype(np.float32)}
    graph = graph_from_text(f"g (float[N,4,6,6] x) => (float[N,{size}] y) {{ {text} }}", inits)
    x = {"x": rng.standard_normal((16, 4, 6, 6)).astype(np.float32)}
    how = drafted(graph, x, scheme).quantization
    assert how.constants["w"].scale.shape == (8,)
    steps = (Bridge(graph, rounding=how)(x)["y"].numpy() - evaluate(insert(graph, how), x)["y"]) / how.values["y"].scale
    assert np.abs(steps).max() < 1.01  # where sums differ in their last digit, an integer may flip
    assert (np.abs(steps) > 0.01).mean() < 0.01


def test_a_net_is_rounded_as_the_graph_with_its_pairs() -> None:
    graph, x = conv_net(), pictures()
    how = drafted(graph, x).quantization
    bridge, values = Bridge(graph, rounding=how), ["a1", "a2", "c3", "a4", "s", "l"]
    wanted, got = evaluate(insert(graph, how), x, values), bridge.values({"x": tf.constant(x["x"])}, values)
    for name in values:
        steps = np.abs(got[name].plain().value.numpy() - wanted[name]) / how.values[name].scale
        assert steps.mean() < 0.2  # one flip moves all that is computed of it


def test_what_some_readers_see_is_rounded_for_them_only() -> None:
    rng = np.random.default_rng(0)
    text = "g (float[N,4] x) => (float[N,4] y, float[N,4] z) { y = Gemm (x, w) z = Relu (x) }"
    graph = graph_from_text(text, {"w": rng.standard_normal((4, 4)).astype(np.float32)})
    how = Quantization(
        {}, {Edge("x", frozenset({"y"})): affine(0.5, 3)}, {"w": Affine(np.float32([0.1, 0.2, 0.3, 0.4]), np.zeros(4, np.int8), 1)}
    )
    x = rng.standard_normal((8, 4)).astype(np.float32)
    got, wanted = Bridge(graph, rounding=how)({"x": x}), evaluate(insert(graph, how), {"x": x})
    for name in ("y", "z"):
        assert np.abs(got[name].numpy() - wanted[name]).max() < 1e-5  # sums in another order


def test_halves_go_to_the_even_number_and_gradients_stop_at_the_ends() -> None:
    grid = Grid(np.float32(2), -3.0, 4.0)
    x = tf.Variable([-9.0, -6.9, -5.0, -3.0, 1.0, 3.0, 8.9, 9.1])
    with tf.GradientTape() as tape:
        y = grid(x)
    assert y.numpy().tolist() == [-6, -6, -4, -4, 0, 4, 8, 8]
    assert tape.gradient(y, x).numpy().tolist() == [0, 1, 1, 1, 1, 1, 1, 0]  # beyond the last number nothing is learnt


def test_every_weight_has_a_gradient() -> None:
    graph, x = conv_net(), pictures()
    bridge = Bridge(graph, rounding=drafted(graph, x).quantization)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(bridge.values({"x": tf.constant(x["x"])}, ["l"], training=True)["l"].value ** 2)
    slopes = tape.gradient(loss, list(bridge.trainable.values()))
    assert len(slopes) == 10
    assert all(np.abs(slope.numpy()).max() > 0 for slope in slopes)


def test_batch_norms_keep_their_statistics_when_rounded() -> None:
    rng = np.random.default_rng(0)
    text = "g (float[N,3,4,4] x) => (float[N,3,4,4] y) { y = BatchNormalization (x, a, b, m, v) }"
    inits = {"a": np.ones(3), "b": np.zeros(3), "m": np.zeros(3), "v": np.ones(3)}
    graph = graph_from_text(text, {k: v.astype(np.float32) for k, v in inits.items()})
    bridge = Bridge(graph, rounding=Quantization({"x": affine(0.1, 0)}))
    bridge({"x": 5 + rng.standard_normal((8, 3, 4, 4)).astype(np.float32)}, training=True)
    assert bridge.variables["m"].numpy().tolist() == [0, 0, 0]


def test_wrong_rounding_is_found() -> None:
    graph, x = conv_net(), pictures()
    how = drafted(graph, x).quantization
    bridge, source = Bridge(graph, rounding=how), {"x": x["x"]}
    assert require_rounded_parity(bridge, insert(graph, how), source) < 1e-3
    a1 = how.values["a1"]
    wrong = replace(how, values={**how.values, "a1": replace(a1, scale=a1.scale * 4)})
    with pytest.raises(ParityError, match="as noise"):
        require_rounded_parity(
            Bridge(graph, rounding=wrong), insert(graph, replace(how, values={**how.values, "a1": replace(a1, scale=a1.scale / 8)})), source
        )
