"""CLEAN: one way to write each thing."""

# ruff: noqa: E501 - graphs as text

import numpy as np
import pytest

from exporter.graph import attr, const, const_input
from tests.passes.pass_check import apply, changes, ops

RNG = np.random.default_rng(0)


def rand(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def one(graph, op):
    return next(n for n in graph.nodes if n.op_type == op)


@pytest.mark.parametrize(
    ("body", "inits"),
    [
        ("y = Gemm <alpha = 2.0, beta = 0.5> (x, w, b)", {"w": rand(4, 3), "b": rand(3)}),
        ("y = Gemm <transB = 1> (x, w, b)", {"w": rand(3, 4), "b": rand(1, 3)}),
        ("y = Gemm (x, w, b)", {"w": rand(4, 3), "b": np.float32(0.5)}),
        ("t = Transpose <perm = [1, 0]> (x) y = Gemm <transA = 1> (t, w)", {"w": rand(4, 3)}),
        ("y = MatMul (x, w)", {"w": rand(4, 3)}),
        ("m = MatMul (x, w) y = Add (m, b)", {"w": rand(4, 3), "b": rand(3)}),
        ("m = MatMul (x, w) y = Add (b, m)", {"w": rand(4, 3), "b": rand(1, 3)}),
    ],
)
def test_dense_layers_become_one_gemm(body, inits):
    # 1e-6: alpha is multiplied into the weights, each rounded once more
    graph = apply("normalise_gemm merge_transposes remove_dead", f"g (float[N,4] x) => (float[N,3] y) {{ {body} }}", inits)
    assert ops(graph) == {"Gemm": 1}
    gemm = graph.nodes[0]
    assert {k: attr(gemm, k) for k in gemm.attributes} == {"transB": 1}
    assert const_input(gemm, 1).shape == (3, 4)
    assert len(gemm.inputs) == 2 or const_input(gemm, 2).shape == (3,)


def test_gemm_with_computed_operands_becomes_matmul_and_add():
    text = "g (float[N,4] x, float[N,3] c) => (float[N,3] y) { s = Abs (w) y = Gemm <alpha = 2.0, beta = 3.0> (x, s, c) }"
    # s hangs on a constant only, but is not folded here: the weights are computed as far as this pass can see
    graph = apply("normalise_gemm", text, {"w": rand(4, 3)})
    assert ops(graph) == {"Abs": 1, "MatMul": 1, "Mul": 2, "Add": 1}


def test_shared_weights_stay_right_for_the_other_reader():
    graph = apply(
        "normalise_gemm",
        "g (float[N,3] x) => (float[N,3] y) { a = Gemm <alpha = 2.0> (x, w) y = Gemm <transB = 1> (a, w) }",
        {"w": rand(3, 3)},
    )
    assert len(graph.model.graph.initializers) == 2


@pytest.mark.parametrize("bias", ["", ", b"])
@pytest.mark.parametrize(
    ("shape", "found"), [((5, 6), {"Transpose": 2, "Conv": 1}), ((7,), {"MatMul": 1})], ids=["maps", "sequences"]
)  # fmt: skip
def test_rows_of_a_tensordot_stay_apart(shape, found, bias):
    axes = ",".join(map(str, shape))
    text = f"""g (float[N,{axes},4] x) => (float[N,{axes},3] y) {{
        r = Reshape (x, s) m = Gemm <transB = 1> (r, w{bias}) y = Reshape (m, t) }}"""
    inits = {"s": np.array([-1, 4]), "t": np.array([-1, *shape, 3]), "w": rand(3, 4)} | ({"b": rand(3)} if bias else {})
    graph = apply("unmerge_rows remove_dead", text, inits)
    assert ops(graph) == found | ({"Add": 1} if bias and len(shape) == 1 else {})


def test_rows_that_become_other_axes_are_left_alone():
    text = "g (float[N,5,6,4] x) => (float[N,6,5,3] y) { r = Reshape (x, s) m = Gemm <transB = 1> (r, w) y = Reshape (m, t) }"
    assert changes("unmerge_rows", text, {"s": np.array([-1, 4]), "t": np.array([-1, 6, 5, 3]), "w": rand(3, 4)}) == 0


def test_matmul_of_rank_3_is_left_alone():
    assert changes("normalise_gemm", "g (float[N,5,4] x) => (float[N,5,3] y) { y = MatMul (x, w) }", {"w": rand(4, 3)}) == 0


@pytest.mark.parametrize(
    ("body", "shape", "inits"),
    [
        ("y = Flatten (x)", "[N,24]", {}),
        ("y = Reshape (x, s)", "[N,24]", {"s": np.array([-1, 24])}),
        ("y = Reshape (x, s)", "[N,12,2]", {"s": np.array([0, -1, 2])}),
        ("a = Reshape (x, s) y = Reshape (a, t)", "[N,6,4]", {"s": np.array([0, 24]), "t": np.array([0, 6, 4])}),
        ("a = Unsqueeze (x, s) b = Squeeze (a, s) y = Flatten (b)", "[N,24]", {"s": np.array([2])}),
    ],
)
def test_changes_of_shape_become_one_reshape(body, shape, inits):
    graph = apply("normalise_reshape eliminate_noops remove_dead", f"g (float[N,2,3,4] x) => (float{shape} y) {{ {body} }}", inits)
    assert ops(graph) == {"Reshape": 1}
    dims = const_input(graph.nodes[0], 1)
    assert dims[0] == 0
    assert (dims[1:] > 0).all()


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("op", ["Conv", "MaxPool", "AveragePool", "ConvTranspose"])
def test_auto_pad_is_written_out(op, mode, size):
    window = "kernel_shape = [3, 3], " if "Pool" in op else ""
    args = "x" if "Pool" in op else "x, w"
    text = f'g (float[N,2,{size},{size}] x) => (float[N,2,H,W] y) {{ y = {op} <auto_pad = "{mode}", {window}strides = [2, 2]> ({args}) }}'
    graph = apply("resolve_auto_pad", text, {} if "Pool" in op else {"w": rand(2, 2, 3, 3)}, tolerance=0)
    node = graph.nodes[0]
    assert "auto_pad" not in node.attributes
    assert {len(attr(node, k)) for k in ("kernel_shape", "strides")} == {2}
    assert len(attr(node, "pads")) == 4


def test_a_transposed_convolution_gets_the_output_shape_asked():
    text = "g (float[N,2,5,5] x) => (float[N,2,H,W] y) { y = ConvTranspose <strides = [2, 2], output_shape = [10, 11]> (x, w) }"
    graph = apply("resolve_auto_pad", text, {"w": rand(2, 2, 2, 2)}, tolerance=0)
    assert attr(graph.nodes[0], "output_padding") == (0, 1)


@pytest.mark.parametrize(("size", "kept"), [(8, 0), (9, 1)])
def test_ceil_mode_stays_where_it_matters(size, kept):
    text = f"g (float[N,1,{size},{size}] x) => (float[N,1,H,W] y) {{ y = MaxPool <kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1> (x) }}"
    assert attr(apply("resolve_auto_pad", text, tolerance=0).nodes[0], "ceil_mode", 0) == kept


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("y = Sub (x, c)", {"Add": 1}),
        ("y = Div (x, c)", {"Mul": 1}),
        ("y = Add (c, x)", {"Add": 1}),
        ("y = Sub (c, x)", {"Sub": 1}),
        ("y = Div (c, x)", {"Div": 1}),
        ("a = Abs (x) y = Sum (x, a, c)", {"Abs": 1, "Add": 2}),
        ("a = Abs (x) y = Mean (x, a, c)", {"Abs": 1, "Add": 2, "Mul": 1}),
        ("a = Abs (x) b = Neg (x) y = Max (x, a, b)", {"Abs": 1, "Neg": 1, "Max": 2}),
    ],
)
def test_arithmetic_has_its_constant_last(body, left):
    graph = apply("normalise_binary", f"g (float[N,3] x) => (float[N,3] y) {{ {body} }}", {"c": rand(3)})
    assert ops(graph) == left
    assert all(const(n.inputs[0]) is None for n in graph.nodes if n.op_type in ("Add", "Mul"))


@pytest.mark.parametrize(
    ("body", "op", "limits"),
    [
        ("y = Clip (x, z, s)", "Clip", (0, 6)),
        ("y = Clip (x, , s)", "Clip", (-np.inf, 6)),
        ("y = Clip (x, z)", "Relu", None),
        ("y = Max (x, z)", "Relu", None),
        ("a = Relu (x) y = Min (a, s)", "Clip", (0, 6)),
        ("a = Clip (x, n, s) y = Relu (a)", "Clip", (0, 6)),
        ("a = Relu (x) y = Clip (a, n, s)", "Clip", (0, 6)),
    ],
)
def test_limits_become_one_clip_or_relu(body, op, limits):
    inits = {"z": np.float32(0), "s": np.float32(6), "n": np.float32(-1)}
    graph = apply("normalise_clip remove_dead", f"g (float[N,3] x) => (float[N,3] y) {{ {body} }}", inits, tolerance=0)
    assert ops(graph) == {op: 1}
    if limits:
        assert tuple(float(const_input(graph.nodes[0], i)) for i in (1, 2)) == limits


def test_limits_a_channel_are_left_alone():
    assert changes("normalise_clip", "g (float[N,3] x) => (float[N,3] y) { y = Max (x, c) }", {"c": rand(3)}) == 0


@pytest.mark.parametrize(
    ("body", "shape", "left"),
    [
        ("y = ReduceMean (x, a)", "[N,3,1,1]", {"GlobalAveragePool": 1}),
        ("y = ReduceMean <keepdims = 0> (x, a)", "[N,3]", {"GlobalAveragePool": 1, "Reshape": 1}),
        ("y = ReduceMax (x, a)", "[N,3,1,1]", {"GlobalMaxPool": 1}),
        ("y = AveragePool <kernel_shape = [4, 4]> (x)", "[N,3,1,1]", {"GlobalAveragePool": 1}),
        ("y = MaxPool <kernel_shape = [4, 4]> (x)", "[N,3,1,1]", {"GlobalMaxPool": 1}),
        ("y = ReduceSum (x, a)", "[N,3,1,1]", {"ReduceSum": 1}),
    ],
)
def test_reductions_over_space_become_global_pooling(body, shape, left):
    # 1e-6: the two operators sum in another order
    graph = apply("normalise_reduce", f"g (float[N,3,4,4] x) => (float{shape} y) {{ {body} }}", {"a": np.array([-1, -2])})
    assert ops(graph) == left
    if "ReduceSum" in left:
        assert const_input(one(graph, "ReduceSum"), 1).tolist() == [2, 3]


@pytest.mark.parametrize(
    "body",
    [
        "a = Identity (x) y = Relu (a)", "a = Dropout (x) y = Relu (a)", "a = Cast <to = 1> (x) y = Relu (a)", "a = Mul (x, one) y = Relu (a)",
        "a = Add (x, zero) y = Relu (a)", "a = Pad (x, pads) y = Relu (a)", "a = Transpose <perm = [0, 1, 2]> (x) y = Relu (a)",
        "a = Concat <axis = 1> (x) y = Relu (a)", "a = Relu (x) y = Relu (a)", "a = Reshape (x, same) y = Relu (a)",
        "a = Slice (x, from, to, axes) y = Relu (a)", "a = Relu (x) y = Identity (a)",
    ],
)  # fmt: skip
def test_what_does_nothing_goes(body):
    inits = {
        "one": np.float32(1), "zero": np.zeros(3, np.float32), "pads": np.zeros(6, np.int64), "same": np.array([0, 2, 3]),
        "from": np.array([0]), "to": np.array([9]), "axes": np.array([1]),
    }  # fmt: skip
    graph = apply("eliminate_noops", f"g (float[N,2,3] x) => (float[N,2,3] y) {{ {body} }}", inits, tolerance=0)
    assert ops(graph) == {"Relu": 1}


def test_an_input_does_not_become_an_output():
    assert changes("eliminate_noops", "g (float[N,2] x) => (float[N,2] y) { y = Identity (x) }") == 0


def test_constants_are_folded_and_the_dead_removed():
    text = "g (float[N,2] x) => (float[N,2] y) { t = Transpose (w) s = Sqrt (t) u = Relu (x) y = MatMul (x, s) }"
    graph = apply("fold_constants remove_dead", text, {"w": np.abs(rand(2, 2)), "unused": rand(2)}, tolerance=0)
    assert ops(graph) == {"MatMul": 1}
    assert len(graph.model.graph.initializers) == 1


@pytest.mark.parametrize(
    ("equation", "a", "b", "y", "found"),
    [
        ("nhqd,nhkd->nhqk", "N,2,5,4", "N,2,6,4", "N,2,5,6", {"MatMul": 1, "Transpose": 1}),
        ("nhqk, nhkd -> nhqd", "N,2,5,6", "N,2,6,4", "N,2,5,4", {"MatMul": 1}),
        ("nhqk,nkhd->nqhd", "N,2,5,6", "N,6,2,4", "N,5,2,4", {"MatMul": 1, "Transpose": 2}),
        ("nkd,nqd->nqk", "N,6,4", "N,5,4", "N,5,6", {"MatMul": 1, "Transpose": 1}),
    ],
)
def test_an_einsum_becomes_the_product_that_it_is(equation, a, b, y, found):
    text = f'g (float[{a}] a, float[{b}] b) => (float[{y}] y) {{ y = Einsum <equation = "{equation}"> (a, b) }}'
    assert ops(apply("normalise_einsum eliminate_noops", text, {})) == found


@pytest.mark.parametrize("equation", ["nyhwc,hkc->nyhwk", "nyhwc,wkc->nyhwk"])
def test_an_einsum_with_a_table_broadcasts_it(equation):
    """Relative positions of a picture's rows and columns."""
    text = f'g (float[N,2,3,5,4] x) => (float[N,2,3,5,6] y) {{ y = Einsum <equation = "{equation}"> (x, t) }}'
    graph = apply("normalise_einsum eliminate_noops", text, {"t": rand(3 if "hkc" in equation else 5, 6, 4)})
    assert ops(graph)["MatMul"] == 1
    assert "Einsum" not in ops(graph)


@pytest.mark.parametrize(("equation", "y"), [("nij,njk->n", "N"), ("nij,njk->nijk", "N,5,4,6"), ("nii,njk->nik", "N,5,6")])
def test_an_einsum_that_is_no_product_is_left_alone(equation, y):
    a = "N,5,5" if "ii" in equation else "N,5,4"
    b = "N,5,6" if "ii" in equation else "N,4,6"
    text = f'g (float[{a}] a, float[{b}] b) => (float[{y}] y) {{ y = Einsum <equation = "{equation}"> (a, b) }}'
    assert changes("normalise_einsum", text, {}) == 0


@pytest.mark.parametrize("merge", ["Reshape (m, s)", "Flatten <axis = 2> (m)"])
def test_a_norm_over_rows_goes_into_the_product_before_it(merge):
    """LeViT: BatchNorm1d behind a dense layer over the last axis."""
    text = f"""g (float[N,7,4] x) => (float[N,7,3] y) {{
        m = MatMul (x, w) r = {merge} n = BatchNormalization (r, scale, bias, mean, var) y = Reshape (n, t) }}"""
    inits = {"s": np.array([-1, 3]), "t": np.array([-1, 7, 3]), "w": rand(4, 3), "scale": rand(3), "bias": rand(3), "mean": rand(3)}
    graph = apply("unmerge_rows remove_dead", text, inits | {"var": rand(3) ** 2 + 1})
    assert ops(graph) == {"MatMul": 1, "Add": 1}


GUARDED = "s = {} p = Softmax <axis = -1> (s) c = IsNaN (p) z = Where (c, zero, p) y = MatMul (z, v)"
MASK = np.triu(np.full((5, 5), -np.inf, np.float32), 1)


@pytest.mark.parametrize("scores", ["MatMul (q, k)", "Add (t, mask)", "Add (mask, t)", "Div (t, eight)"])
def test_a_guard_against_rows_masked_whole_goes_where_there_is_none(scores):
    text = f"g (float[N,5,4] q) => (float[N,5,3] y) {{ t = MatMul (q, k) {GUARDED.format(scores)} }}"
    graph = apply(
        "normalise_binary drop_nan_guards eliminate_noops remove_dead",
        text,
        {"k": rand(4, 5), "mask": MASK, "eight": np.float32(8), "zero": np.zeros((), np.float32), "v": rand(5, 3)},
    )
    assert ops(graph) == {"MatMul": 2, "Softmax": 1, **({"Add": 1} if "Add" in scores else {}), **({"Mul": 1} if "Div" in scores else {})}


@pytest.mark.parametrize(
    ("inputs", "scores", "mask"),
    [
        ("float[N,5,4] q", "Add (t, mask)", np.where(np.arange(5)[:, None] == 2, -np.inf, MASK).astype(np.float32)),  # a row masked whole
        ("float[N,5,4] q", "Add (t, mask)", np.full((5, 5), np.inf, np.float32)),
        ("float[N,5,4] q, float[N,5,5] m", "Add (t, m)", MASK),  # from outside
        ("float[N,5,4] q", "Div (t, mask)", MASK),
    ],
)
def test_a_guard_that_may_be_needed_stays(inputs, scores, mask):
    text = f"g ({inputs}) => (float[N,5,3] y) {{ t = MatMul (q, k) {GUARDED.format(scores)} }}"
    assert changes("drop_nan_guards", text, {"k": rand(4, 5), "mask": mask, "zero": np.zeros((), np.float32), "v": rand(5, 3)}) == 0
