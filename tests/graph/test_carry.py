"""What of a quantization survives a change of the float Graph."""

import numpy as np

from exporter.array import Array
from exporter.graph import Graph, add_constant, const
from exporter.graph.carry import carry, changed
from exporter.graph.evaluate import evaluate
from exporter.graph.qdq import Affine, Edge, Quantization, affine, insert
from exporter.graph.strip import strip
from tests.graphs import graph_from_text, random_inputs

RNG = np.random.default_rng(4)
WEIGHT: Array = RNG.uniform(-1, 1, (5, 3)).astype(np.float32)


def quantized() -> Graph:
    graph = graph_from_text(
        "g (float[N,3] x) => (float[N,5] y) { a = Gemm <transB = 1> (x, w, b) y = Relu (a) }", {"w": WEIGHT, "b": np.ones(5)}
    )
    weight = Affine(np.full(5, 1 / 127, np.float32), np.zeros(5, np.int8), 0, narrow=True)
    bias = Affine(weight.scale * np.float32(0.1), np.zeros(5, np.int32), 0)
    values = {"x": affine(0.1, 128, "uint8"), "y": affine(0.2, 0, "uint8")}
    return insert(graph, Quantization(values, {Edge("x", frozenset({"a"})): affine(0.3, 128, "uint8")}, {"w": weight, "b": bias}))


def test_what_is_not_touched_stays() -> None:
    graph = quantized()
    again = changed(graph, lambda plain: None)
    samples = random_inputs(graph, samples=4)
    assert np.array_equal(evaluate(graph, samples)["y"], evaluate(again, samples)["y"])  # the same nodes on the same numbers


def test_what_is_gone_or_another_constant_now_is_dropped() -> None:
    plain, found = strip(quantized())
    body = plain.model.graph
    scaled = add_constant(plain, "w2", np.asarray(const(body.initializers["w"])) * 1.3)
    body.initializers["w"].replace_all_uses_with(scaled)
    body.initializers.pop("w")
    scaled.name = "w"
    body.node(0).outputs[0].name = "other"
    left = carry(found, plain)
    assert set(left.constants) == {"b"}
    assert set(left.values) == {"x", "y"}
    assert not left.edges  # its reader has another name


def test_a_constant_of_another_shape_is_another() -> None:
    plain, found = strip(quantized())
    plain.model.graph.initializers["w"].const_value = None
    assert set(carry(found, plain).constants) == {"b"}


def test_the_rounding_of_an_input_that_was_transposed_is_that_of_the_input() -> None:
    before = graph_from_text("g (float[N,4,4,3] x) => (float[N,2,4,4] y) { t = Transpose <perm = [0, 3, 1, 2]> (x) y = Conv (t, w) }",
                             {"w": np.ones((2, 3, 1, 1))})  # fmt: skip
    after = graph_from_text("g (float[N,3,4,4] x) => (float[N,2,4,4] y) { y = Conv (x, w) }", {"w": np.ones((2, 3, 1, 1))})
    how = Quantization({"t": affine(0.1, 3)})
    assert carry(how, after, before).values == {"x": how.values["t"]}
    assert not carry(how, after).values
