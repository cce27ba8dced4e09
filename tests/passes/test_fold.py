"""FOLD: batch norm, scales and pads in the weights of their neighbours."""

import numpy as np
import pytest

from exporter.graph import attr, const_input
from tests.passes.pass_check import apply, changes, ops

RNG = np.random.default_rng(3)
EXACT = 2e-6
"""Each weight is rounded once more, and sums run over up to 54 products."""


def norm(channels: int) -> dict[str, np.ndarray]:
    r = RNG.uniform(0.5, 1.5, (4, channels))
    return {"gamma": r[0], "beta": r[1] - 1, "mean": r[2] - 1, "var": r[3]}


def rand(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


BN = "BatchNormalization <epsilon = 0.001> ({}, gamma, beta, mean, var)"


@pytest.mark.parametrize("bias", ["", ", b"])
@pytest.mark.parametrize(
    ("layer", "shape", "weights"),
    [
        ("Conv <pads = [1, 1, 1, 1]>", "[N,6,8,8]", (6, 6, 3, 3)),
        ("Conv <group = 6>", "[N,6,8,8]", (6, 1, 3, 3)),
        ("Conv <group = 2>", "[N,6,8,8]", (6, 3, 3, 3)),
        ("Conv", "[N,6,8]", (6, 6, 3)),
        ("ConvTranspose <strides = [2, 2]>", "[N,6,4,4]", (6, 6, 3, 3)),
        ("ConvTranspose <group = 3, pads = [1, 1, 1, 1]>", "[N,6,4,4]", (6, 2, 3, 3)),
        ("Gemm <transB = 1>", "[N,6]", (6, 6)),
    ],
)
def test_batch_norm_after_a_layer(layer, shape, weights, bias):
    out = "[N,6]" if "Gemm" in layer else "[N,6,L]" if shape.count(",") == 2 else "[N,6,H,W]"
    text = f"g (float{shape} x) => (float{out} y) {{ c = {layer} (x, w{bias}) y = {BN.format('c')} }}"
    graph = apply("fold_batch_norm remove_dead", text, {"w": rand(*weights), "b": rand(6), **norm(6)}, tolerance=EXACT)
    assert len(graph.nodes) == 1


@pytest.mark.parametrize(
    ("layer", "weights"),
    [("Conv", (4, 6, 3, 3)), ("Conv <group = 2>", (4, 3, 3, 3)), ("Conv <group = 6>", (12, 1, 3, 3))],
)
def test_batch_norm_before_a_layer(layer, weights):
    text = f"g (float[N,6,8,8] x) => (float[N,C,H,W] y) {{ n = {BN.format('x')} y = {layer} (n, w) }}"
    graph = apply("fold_batch_norm remove_dead", text, {"w": rand(*weights), **norm(6)}, tolerance=EXACT)
    assert ops(graph) == {"Conv": 1}


def test_batch_norm_before_padding_is_left_alone_unless_it_shifts_nothing():
    text = f"g (float[N,6,8,8] x) => (float[N,4,8,8] y) {{ n = {BN.format('x')} y = Conv <pads = [1, 1, 1, 1]> (n, w) }}"
    inits = {"w": rand(4, 6, 3, 3), **norm(6)}
    assert changes("fold_batch_norm", text, inits) == 0
    inits |= {"beta": np.zeros(6), "mean": np.zeros(6)}
    assert ops(apply("fold_batch_norm remove_dead", text, inits, tolerance=EXACT)) == {"Conv": 1}


def test_batch_norm_before_a_flattened_dense_layer():
    text = f"g (float[N,3,2,2] x) => (float[N,5] y) {{ n = {BN.format('x')} f = Reshape (n, s) y = Gemm <transB = 1> (f, w, b) }}"
    inits = {"w": rand(5, 12), "b": rand(5), "s": np.array([0, 12]), **norm(3)}
    assert ops(apply("fold_batch_norm remove_dead", text, inits, tolerance=EXACT)) == {"Reshape": 1, "Gemm": 1}


def test_a_layer_that_is_read_elsewhere_is_left_alone():
    text = f"g (float[N,6,8,8] x) => (float[N,6,6,6] y, float[N,6,6,6] c) {{ c = Conv (x, w) y = {BN.format('c')} }}"
    assert changes("fold_batch_norm", text, {"w": rand(6, 6, 3, 3), **norm(6)}) == 0


def test_weights_of_two_layers_are_folded_apart():
    text = f"g (float[N,6,8,8] x) => (float[N,6,4,4] y) {{ c = Conv (x, w) n = {BN.format('c')} y = Conv (n, w) }}"
    graph = apply("fold_batch_norm remove_dead", text, {"w": rand(6, 6, 3, 3), **norm(6)}, tolerance=EXACT)
    assert ops(graph) == {"Conv": 2}
    first, second = graph.nodes
    assert first.inputs[1] is not second.inputs[1]


def test_subnormal_weights_are_flushed():
    weights = rand(2, 2, 1, 1)
    weights[0, 0] = 1e-38
    text = "g (float[N,2,2,2] x) => (float[N,2,2,2] y) { c = Conv (x, w) y = Mul (c, s) }"
    graph = apply("fold_scale remove_dead", text, {"w": weights, "s": np.float32(0.1)}, tolerance=EXACT)
    assert const_input(graph.nodes[0], 1)[0, 0, 0, 0] == 0


@pytest.mark.parametrize("constant", [np.float32(0.3), rand(4, 1, 1), rand(1, 4, 1, 1)])
@pytest.mark.parametrize("op", ["Mul", "Add"])
def test_a_scale_after_a_layer(op, constant):
    text = f"g (float[N,3,6,6] x) => (float[N,4,6,6] y) {{ c = Conv <pads = [1, 1, 1, 1]> (x, w, b) y = {op} (c, s) }}"
    assert ops(apply("fold_scale remove_dead", text, {"w": rand(4, 3, 3, 3), "b": rand(4), "s": constant}, tolerance=EXACT)) == {"Conv": 1}


@pytest.mark.parametrize("constant", [rand(4, 6, 1), rand(6), rand(1, 1, 6, 6)])
def test_a_constant_along_space_is_left_alone(constant):
    text = "g (float[N,3,6,6] x) => (float[N,4,6,6] y) { c = Conv (x, w) y = Mul (c, s) }"
    assert changes("fold_scale", text, {"w": rand(4, 3, 1, 1), "s": constant}) == 0


def test_rescaling_before_a_layer():
    text = "g (float[N,3,6,6] x) => (float[N,4,4,4] y) {{ a = Mul (x, s) b = Add (a, t) y = Conv {} (b, w) }}"
    inits = {"w": rand(4, 3, 3, 3), "s": np.float32(1 / 127.5), "t": np.float32(-1)}
    assert ops(apply("fold_scale remove_dead", text.format(""), inits, tolerance=EXACT)) == {"Conv": 1}
    padded = text.format("<pads = [1, 1, 1, 1]>").replace("4,4,4", "4,6,6")
    assert ops(apply("fold_scale remove_dead", padded, inits, tolerance=EXACT)) == {"Add": 1, "Conv": 1}


def test_a_scale_and_shift_that_fold_nowhere_are_one_batch_norm():
    text = "g (float[N,3,6,6] x) => (float[N,3,6,6] y) { a = Mul (x, s) b = Add (a, t) y = Relu (b) }"
    assert ops(apply("fold_scale merge_scale remove_dead", text, {"s": rand(3, 1, 1), "t": rand(3, 1, 1)})) == {
        "BatchNormalization": 1,
        "Relu": 1,
    }


PADS = {"p": np.array([0, 0, 1, 2, 0, 0, 1, 0]), "low": np.float32(-np.inf), "w": rand(2, 2, 3, 3)}


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("a = Pad (x, p) y = Conv <pads = [1, 0, 1, 0]> (a, w)", {"Conv": 1}),
        ("r = Relu (x) a = Pad (r, p) y = MaxPool <kernel_shape = [3, 3]> (a)", {"Relu": 1, "MaxPool": 1}),
        ("a = Pad (x, p, low) y = MaxPool <kernel_shape = [3, 3]> (a)", {"MaxPool": 1}),
        ("a = Pad (x, p) y = AveragePool <kernel_shape = [3, 3]> (a)", {"AveragePool": 1}),
        ("a = Pad (x, p) y = MaxPool <kernel_shape = [3, 3]> (a)", {"Pad": 1, "MaxPool": 1}),
        ("a = Pad (x, p) y = AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (a)", {"Pad": 1, "AveragePool": 1}),
        ('a = Pad <mode = "reflect"> (x, p) y = Conv (a, w)', {"Pad": 1, "Conv": 1}),
    ],
)
def test_pads(body, left):
    graph = apply("fold_pad", f"g (float[N,2,6,6] x) => (float[N,2,H,W] y) {{ {body} }}", PADS, tolerance=EXACT)
    assert ops(graph) == left
    if left == {"Conv": 1}:
        assert attr(graph.nodes[0], "pads") == (2, 2, 2, 0)
