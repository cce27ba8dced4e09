"""CLEAN: what exporters spell out is recognised."""

# ruff: noqa: E501 - graphs as text

import numpy as np
import pytest

from exporter.graph import attr, const_input
from tests.passes.pass_check import apply, changes, ops

RNG = np.random.default_rng(1)
NUMBERS = {
    "three": np.float32(3), "zero": np.float32(0), "six": np.float32(6), "one": np.float32(1), "half": np.float32(0.5), "sixth": np.float32(1 / 6),
    "root": np.float32(1.4142135), "uproot": np.float32(0.70710677), "cube": np.float32(0.044715), "pi": np.float32(0.7978846),
    "fifth": np.float32(0.2), "n3": np.float32(3), "n2": np.float32(2),
}  # fmt: skip
CLEAN = "normalise_binary normalise_clip recognise_activation remove_dead"


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("a = Add (x, three) b = Clip (a, zero, six) c = Mul (x, b) y = Div (c, six)", {"HardSwish": 1}),
        ("a = Add (x, three) b = Clip (a, zero, six) c = Div (b, six) y = Mul (x, c)", {"HardSwish": 1}),
        ("a = Add (three, x) r = Relu (a) b = Min (r, six) c = Mul (b, sixth) y = Mul (c, x)", {"HardSwish": 1}),
        ("a = HardSigmoid <alpha = 0.16666667, beta = 0.5> (x) y = Mul (x, a)", {"HardSwish": 1}),
        ("a = Add (x, three) b = Clip (a, zero, six) y = Mul (b, sixth)", {"HardSigmoid": 1}),
        ("a = Mul (x, fifth) b = Add (a, half) y = Clip (b, zero, one)", {"HardSigmoid": 1}),
        ("a = Div (x, root) e = Erf (a) g = Add (e, one) m = Mul (x, g) y = Mul (m, half)", {"Gelu": 1}),
        ("a = Mul (x, uproot) e = Erf (a) g = Add (one, e) h = Mul (half, x) y = Mul (h, g)", {"Gelu": 1}),
        ("p = Pow (x, n3) q = Mul (p, cube) s = Add (x, q) t = Mul (s, pi) e = Tanh (t) g = Add (e, one) m = Mul (x, g) y = Mul (m, half)", {"Gelu": 1}),
        ("d = Mul (x, x) p = Mul (x, d) q = Mul (cube, p) s = Add (x, q) t = Mul (pi, s) e = Tanh (t) g = Add (one, e) h = Mul (half, x) y = Mul (h, g)", {"Gelu": 1}),
        ("a = Softplus (x) b = Tanh (a) y = Mul (x, b)", {"Mish": 1}),
        ("e = Exp (x) a = Add (e, one) y = Log (a)", {"Softplus": 1}),
        ("n = Neg (x) e = Exp (n) a = Add (one, e) y = Div (one, a)", {"Sigmoid": 1}),
        ("a = Mul (x, fifth) y = Max (a, x)", {"LeakyRelu": 1}),
        ("a = Sigmoid (x) y = Mul (x, a)", {"Sigmoid": 1, "Mul": 1}),
    ],
)  # fmt: skip
def test_activations(body, left):
    # 2e-5: the constants are written in few digits by the exporters, and erf is an approximation in onnxruntime
    graph = apply(CLEAN, f"g (float[N,64] x) => (float[N,64] y) {{ {body} }}", NUMBERS, tolerance=2e-5)
    assert ops(graph) == left
    if "Gelu" in left:
        assert attr(graph.nodes[0], "approximate", "none") == ("tanh" if "Tanh" in body else "none")


@pytest.mark.parametrize(
    "body",
    [
        "a = Add (x, three) b = Clip (a, zero, six) c = Mul (z, b) y = Mul (c, sixth)",
        "a = Add (x, half) b = Clip (a, zero, six) c = Mul (x, b) y = Mul (c, sixth)",
        "a = Softplus (x) b = Tanh (a) y = Mul (z, b)",
    ],
)
def test_what_only_looks_like_an_activation_is_left_alone(body):
    assert changes(
        "recognise_activation", f"g (float[N,8] x, float[N,8] z) => (float[N,8] y) {{ {body} }}", {**NUMBERS, "z": np.zeros(1)}
    ) in (0, 1)
    graph = apply(CLEAN, f"g (float[N,8] x, float[N,8] z) => (float[N,8] y) {{ {body} }}", NUMBERS, tolerance=1e-6)
    assert not {"HardSwish", "Mish"} & set(ops(graph))


NORM = "m = ReduceMean (x, axes) d = Sub (x, m) {square} v = ReduceMean (q, axes) e = Add (v, eps) s = Sqrt (e)"


@pytest.mark.parametrize("square", ["q = Mul (d, d)", "q = Pow (d, n2)"])
@pytest.mark.parametrize("rest", ["n = Div (d, s)", "r = Reciprocal (s) n = Mul (d, r)"])
@pytest.mark.parametrize(
    ("shape", "axes", "gain", "op"),
    [
        ("5,8", [-1], (8,), "LayerNormalization"),
        ("5,8", [1, 2], (5, 8), "LayerNormalization"),
        ("3,6,6", [2, 3], (3, 1, 1), "InstanceNormalization"),
    ],
)
def test_norms(square, rest, shape, axes, gain, op):
    inits = {"axes": np.array(axes), "eps": np.float32(1e-5), "g": RNG.random(gain) + 0.5, "b": RNG.random(gain), **NUMBERS}
    body = f"{NORM.format(square=square)} {rest} z = Mul (n, g) y = Add (z, b)"
    passes = "normalise_reduce recognise_layer_norm remove_dead"
    # 1e-5: the operators sum in another order
    graph = apply(passes, f"g (float[N,{shape}] x) => (float[N,{shape}] y) {{ {body} }}", inits, tolerance=1e-5)
    assert ops(graph) == {op: 1}


def test_a_layer_norm_as_tensorflow_writes_it():
    text = f"""g (float[N,5,8] x) => (float[N,5,8] y) {{ {NORM.format(square="q = Mul (d, d)")}
        r = Reciprocal (s) f = Mul (r, g) a = Mul (x, f) c = Mul (m, f) h = Sub (b, c) y = Add (a, h) }}"""
    inits = {"axes": np.array([2]), "eps": np.float32(1e-3), "g": RNG.random(8) + 0.5, "b": RNG.random(8)}
    assert ops(apply("normalise_reduce recognise_layer_norm remove_dead", text, inits, tolerance=1e-5)) == {"LayerNormalization": 1}


def test_a_norm_over_channels_alone_is_left_alone():
    text = f"g (float[N,3,4,4] x) => (float[N,3,4,4] y) {{ {NORM.format(square='q = Mul (d, d)')} y = Div (d, s) }}"
    assert "LayerNormalization" not in ops(apply("recognise_layer_norm", text, {"axes": np.array([1]), "eps": np.float32(1e-5)}))


MOVES = "normalise_reshape recognise_moves slice_shuffles eliminate_noops remove_dead"
SHAPES = {
    "five": np.array([0, 2, 3, 4, 4]), "four": np.array([0, 6, 4, 4]), "nhwc5": np.array([0, 4, 4, 2, 3]), "nhwc": np.array([0, 4, 4, 6]),
    "odd": np.array([1, 3, 5]), "merged": np.array([-1, 2, 16]), "split": np.array([2, -1, 3, 4, 4]), "first": np.array(0),
    "up": np.array([0, 2, 2, 4, 4, 4]), "upped": np.array([0, 1, 8, 8]),
}  # fmt: skip


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("a = Reshape (x, five) b = Transpose <perm = [0, 2, 1, 3, 4]> (a) y = Reshape (b, four)", {"ChannelShuffle": 1}),
        ("a = Transpose <perm = [0, 2, 3, 1]> (x) b = Reshape (a, nhwc5) c = Transpose <perm = [0, 1, 2, 4, 3]> (b) d = Reshape (c, nhwc) y = Transpose <perm = [0, 3, 1, 2]> (d)", {"ChannelShuffle": 1}),
        ("a = Transpose <perm = [0, 2, 3, 1]> (x) y = Transpose <perm = [0, 3, 1, 2]> (a)", {}),
        ("y = Gather <axis = 1> (x, odd)", {"ChannelShuffle": 1, "Slice": 1}),
        ("a = Reshape (x, merged) b = Transpose <perm = [1, 0, 2]> (a) c = Reshape (b, split) y = Gather <axis = 0> (c, first)", {"ChannelShuffle": 1, "Slice": 1}),
    ],
)  # fmt: skip
def test_chains_of_moves(body, left):
    channels = 3 if "Slice" in left else 6
    text = f"g (float[N,6,4,4] v) => (float[N,{channels},4,4] w) {{ x = Relu (v) {body} w = Abs (y) }}"
    graph = apply(MOVES, text, SHAPES, tolerance=0)
    assert ops(graph) == {"Relu": 1, "Abs": 1, **left}


def test_a_channel_split_shares_its_shuffle():
    text = "g (float[N,6,4,4] x) => (float[N,3,4,4] y, float[N,3,4,4] z) { y = Slice (x, i0, e, a, s) z = Slice (x, i1, e, a, s) }"
    inits = {"i0": np.array([0]), "i1": np.array([1]), "e": np.array([2**31]), "a": np.array([1]), "s": np.array([2])}
    graph = apply("slice_shuffles", text, inits, tolerance=0)
    assert ops(graph) == {"ChannelShuffle": 1, "Slice": 2}


def test_pixel_shuffle_is_depth_to_space():
    text = "g (float[N,4,4,4] x) => (float[N,1,8,8] y) { a = Reshape (x, up) b = Transpose <perm = [0, 1, 4, 2, 5, 3]> (a) y = Reshape (b, upped) }"
    graph = apply(MOVES, text, {"up": np.array([0, 1, 2, 2, 4, 4]), "upped": np.array([0, 1, 8, 8])}, tolerance=0)
    assert ops(graph) == {"DepthToSpace": 1}


def test_a_move_from_sample_to_sample_is_left_alone():
    text = "g (float[N,2,3] x) => (float[N,2,3] y) { a = Transpose <perm = [1, 0, 2]> (x) y = Reshape (a, s) }"
    assert changes("recognise_moves", text, {"s": np.array([-1, 2, 3])}) == 0


def test_a_gather_in_no_order_stays():
    graph = apply(
        MOVES, "g (float[N,4,2,2] x) => (float[N,4,2,2] y) { y = Gather <axis = 1> (x, i) }", {"i": np.array([3, 0, 2, 1])}, tolerance=0
    )
    assert const_input(graph.nodes[0], 1).tolist() == [3, 0, 2, 1]
