"""CLEAN: Transposes meet and vanish, or become an order of weights or of a port's axes."""

# ruff: noqa: E501 - graphs as text

import numpy as np
import pytest

from exporter.graph import shape_of
from exporter.passes.permute import moves_units, permuted_shape
from tests.passes.pass_check import apply, changes, ops

RNG = np.random.default_rng(2)
ALL = "normalise_reduce normalise_reshape adopt_layout merge_transposes push_transposes merge_transposes absorb_transposes normalise_reshape eliminate_noops remove_dead"
TO, BACK = "Transpose <perm = [0, 2, 3, 1]>", "Transpose <perm = [0, 3, 1, 2]>"


def between(body: str, out: str, inits: dict | None = None):
    """Channels-last arithmetic between two channels-first layers, which keep the ports as they are."""
    text = f"g (float[N,6,4,4] v, float[N,6,4,4] u) => (float{out} w) {{ f = Relu (v) h = Abs (u) x = {TO} (f) z = {TO} (h) {body} w = Neg (y) }}"
    return apply(ALL, text, inits, tolerance=1e-6)


@pytest.mark.parametrize(
    ("body", "out", "inits"),
    [
        (f"a = Sigmoid (x) y = {BACK} (a)", "[N,6,4,4]", {}),
        (f"a = Add (x, c) y = {BACK} (a)", "[N,6,4,4]", {"c": RNG.random(6)}),
        (f"a = Add (x, z) y = {BACK} (a)", "[N,6,4,4]", {}),
        (f"a = Concat <axis = 3> (x, z) y = {BACK} (a)", "[N,12,4,4]", {}),
        (f"a = Concat <axis = -3> (x, z) y = {BACK} (a)", "[N,6,8,4]", {}),
        (f"a = Softmax <axis = -1> (x) y = {BACK} (a)", "[N,6,4,4]", {}),
        (f"a = Pad (x, p) y = {BACK} (a)", "[N,6,7,5]", {"p": np.array([0, 1, 0, 0, 0, 2, 1, 0])}),
        (f"a = Slice (x, one, four, axis) y = {BACK} (a)", "[N,6,4,4]", {"one": np.array([1]), "four": np.array([4]), "axis": np.array([3])}),
        (f"a, b = Split <axis = 3> (x, s) c = {BACK} (a) d = {BACK} (b) y = Concat <axis = 1> (d, c)", "[N,6,4,4]", {"s": np.array([2, 4])}),
        (f'a = Resize <mode = "nearest"> (x, , s) y = {BACK} (a)', "[N,6,8,8]", {"s": np.array([1, 2, 2, 1], np.float32)}),
        ("a = ReduceMean <keepdims = 0> (x, s) y = Relu (a)", "[N,6]", {"s": np.array([1, 2])}),
        (f"a = ReduceMean (x, s) b = Mul (x, a) y = {BACK} (b)", "[N,6,4,4]", {"s": np.array([1, 2])}),
        (f"a = PRelu (x, c) y = {BACK} (a)", "[N,6,4,4]", {"c": RNG.random((1, 1, 6))}),
        (f"a = Max (x, z) b = Min (a, c) y = {BACK} (b)", "[N,6,4,4]", {"c": RNG.random((4, 1, 6))}),
    ],
)  # fmt: skip
def test_transposes_are_pushed_through_and_cancel(body, out, inits):
    graph = between(body, out, inits)
    assert "Transpose" not in ops(graph)


def test_a_squeezed_gate_is_reshaped_to_meet_its_map():
    body = f"m = GlobalAveragePool (f) r = Reshape (m, s) a = Mul (x, r) y = {BACK} (a)"
    graph = between(body, "[N,6,4,4]", {"s": np.array([0, 1, 1, 6])})
    assert "Transpose" not in ops(graph)


def test_a_transpose_before_a_dense_layer_is_absorbed():
    text = (
        f"g (float[N,3,4,5] x) => (float[N,7] y) {{ a = Relu (x) t = {TO} (a) f = Flatten (t) r = Relu (f) y = Gemm <transB = 1> (r, w) }}"
    )
    graph = apply(ALL, text, {"w": RNG.standard_normal((7, 60))}, tolerance=1e-6)
    assert "Transpose" not in ops(graph)


def test_a_flattened_value_that_is_read_elsewhere_is_left_alone():
    text = f"g (float[N,3,4,5] x) => (float[N,7] y, float[N,60] f) {{ t = {TO} (x) f = Flatten (t) y = Gemm <transB = 1> (f, w) }}"
    assert "Transpose" in ops(apply(ALL, text, {"w": RNG.standard_normal((7, 60))}))


def test_a_detector_head_keeps_its_transpose():
    text = f"g (float[N,6,4,4] x) => (float[N,32,3] y) {{ t = {TO} (x) y = Reshape (t, s) }}"
    assert ops(apply(ALL, text, {"s": np.array([0, 32, 3])}, tolerance=0)) == {"Transpose": 1, "Reshape": 1}


def test_a_transpose_that_moves_unit_axes_is_a_reshape():
    graph = apply(ALL, f"g (float[N,6,1,1] x) => (float[N,1,1,6] y) {{ a = Relu (x) y = {TO} (a) }}", tolerance=0)
    assert ops(graph) == {"Relu": 1}  # the output is channels last: its port says so
    assert graph.outputs[0].perm == (0, 3, 1, 2)
    text = f"g (float[N,6,1,1] x) => (float[N,1,6] y) {{ a = {TO} (x) y = Reshape (a, s) }}"
    assert ops(apply(ALL, text, {"s": np.array([0, 1, 6])}, tolerance=0)) == {"Reshape": 1}


def test_a_channels_last_model_becomes_channels_first():
    text = f"""g (float[N,8,8,3] x) => (float[N,4,4,5] y) {{
        a = Mul (x, s) b = Add (a, t) c = {BACK} (b) d = Conv <strides = [2, 2], pads = [0, 0, 1, 1]> (c, w) e = Relu (d) y = {TO} (e) }}"""
    graph = apply(ALL, text, {"s": RNG.random(3), "t": RNG.random(3), "w": RNG.random((5, 3, 3, 3))}, tolerance=1e-6)
    assert ops(graph) == {"Mul": 1, "Add": 1, "Conv": 1, "Relu": 1}
    assert [p.perm for p in (*graph.inputs, *graph.outputs)] == [(0, 3, 1, 2)] * 2
    assert [p.layout for p in graph.inputs] == ["nhwc"]
    assert shape_of(graph.model.graph.inputs[0]) == (1, 3, 8, 8)
    assert shape_of(graph.model.graph.outputs[0]) == (1, 5, 4, 4)


def test_a_channels_last_sequence_becomes_channels_first():
    text = """g (float[N,9,2] x) => (float[N,7,4] y) { a = Transpose <perm = [0, 2, 1]> (x) b = Conv (a, w) y = Transpose <perm = [0, 2, 1]> (b) }"""
    graph = apply(ALL, text, {"w": RNG.random((4, 2, 3))})
    assert ops(graph) == {"Conv": 1}
    assert [p.layout for p in (*graph.inputs, *graph.outputs)] == ["nlc", "nlc"]


def test_an_input_that_is_read_channels_last_too_keeps_its_layout():
    text = f"g (float[N,4,4,3] x) => (float[N,5,4,4] y, float[N,48] z) {{ a = {BACK} (x) y = Conv (a, w) z = Flatten (x) }}"
    assert changes("adopt_layout", text, {"w": RNG.random((5, 3, 1, 1))}) == 0


def test_moves_units():
    assert moves_units((1, 6, 1, 1), (0, 2, 3, 1))
    assert not moves_units((1, 6, 2, 1), (0, 2, 3, 1))
    assert list(permuted_shape((1, 6, 2, 3), (0, 2, 3, 1))) == [1, 2, 3, 6]
