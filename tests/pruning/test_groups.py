"""Every way in which channels of different layers are tied, one by one: cut, and proved equal to the zeroed Graph."""

import numpy as np
import pytest

from exporter.channels.classes import channels_of
from tests.graphs import graph_from_text
from tests.pruning.cut import prune, weights

X = "float[N,3,8,8] x"


def test_chain_with_batch_norm():
    found = prune(
        f"""g ({X}) => (float[N,5,8,8] y) {{
            a = Conv <pads = [1, 1, 1, 1]> (x, wa, ba)
            n = BatchNormalization (a, scale, shift, mean, var)
            r = Relu (n)
            y = Conv (r, wb)
        }}""",
        weights(wa=(8, 3, 3, 3), ba=(8,), scale=(8,), shift=(8,), mean=(8,), var=(8,), wb=(5, 8, 1, 1)),
    )
    assert found.widths() == {"a": 4, "y": 5}
    assert found.constant("n", 3).shape == (4,)
    assert found.constant("y", 1).shape == (5, 4, 1, 1)


def test_residual_ties_both_branches():
    found = prune(
        f"""g ({X}) => (float[N,5,8,8] y) {{
            a = Conv (x, wa)
            b = Conv <pads = [1, 1, 1, 1]> (a, wb)
            s = Add (a, b)
            r = Relu (s)
            y = Conv (r, wy)
        }}""",
        weights(wa=(8, 3, 1, 1), wb=(8, 8, 3, 3), wy=(5, 8, 1, 1)),
    )
    np.testing.assert_array_equal(found.plan.removed["a"], found.plan.removed["b"])
    assert found.constant("b", 1).shape == (4, 4, 3, 3)


def test_sum_with_the_input_is_locked():
    graph = graph_from_text(
        f"g ({X}) => (float[N,5,8,8] y) {{ a = Conv (x, wa) s = Add (a, x) y = Conv (s, wy) }}", weights(wa=(3, 3, 1, 1), wy=(5, 3, 1, 1))
    )
    assert channels_of(graph).locked.all()


def test_concat():
    found = prune(
        f"""g ({X}) => (float[N,5,8,8] y) {{
            a = Conv (x, wa)
            b = Conv (x, wb)
            c = Concat <axis = 1> (a, x, b)
            n = BatchNormalization (c, scale, shift, mean, var)
            y = Conv (n, wy)
        }}""",
        weights(wa=(8, 3, 1, 1), wb=(4, 3, 1, 1), scale=(15,), shift=(15,), mean=(15,), var=(15,), wy=(5, 15, 1, 1)),
    )
    assert found.widths() == {"a": 4, "b": 2, "y": 5}
    assert found.constant("y", 1).shape[1] == 4 + 3 + 2  # the input's own channels stay
    assert found.constant("n", 4).shape == (9,)


def test_split_and_slice():
    found = prune(
        f"""g ({X}) => (float[N,5,8,8] y, float[N,5,8,8] z) {{
            a = Conv (x, wa)
            p, q = Split <axis = 1> (a, sizes)
            s = Slice (a, start, end, axis)
            b = Conv (p, wp)
            y = Conv (q, wq)
            t = Conv (s, ws)
            z = Add (b, t)
        }}""",
        {
            **weights(wa=(12, 3, 1, 1), wp=(5, 4, 1, 1), wq=(5, 8, 1, 1), ws=(5, 6, 1, 1)),
            "sizes": np.array([4, 8]), "start": np.array([2]), "end": np.array([8]), "axis": np.array([1]),
        },
    )  # fmt: skip
    kept = found.plan.kept["a"]
    assert found.constant("p", 1).tolist() == [(kept < 4).sum(), (kept >= 4).sum()]
    assert found.constant("s", 1).tolist() == [(kept < 2).sum()]
    assert found.constant("s", 2).tolist() == [(kept < 8).sum()]


def test_gather_of_channels():
    found = prune(
        f"g ({X}) => (float[N,5,8,8] y) {{ a = Conv (x, wa) p = Gather <axis = 1> (a, order) y = Conv (p, wy) }}",
        {**weights(wa=(8, 3, 1, 1), wy=(5, 8, 1, 1)), "order": np.array([3, 1, 7, 5, 0, 6, 2, 4])},
    )
    kept = found.plan.kept["a"].tolist()
    assert found.constant("p", 1).tolist() == [kept.index(i) for i in (3, 1, 7, 5, 0, 6, 2, 4) if i in kept]


def test_depthwise_follows_what_it_reads():
    found = prune(
        f"""g ({X}) => (float[N,5,8,8] y) {{
            a = Conv (x, wa)
            d = Conv <pads = [1, 1, 1, 1], group = 8> (a, wd, bd)
            r = Sigmoid (d)
            y = Conv (r, wy)
        }}""",
        weights(wa=(8, 3, 1, 1), wd=(16, 1, 3, 3), bd=(16,), wy=(5, 16, 1, 1)),
    )
    assert found.widths() == {"a": 4, "d": 8, "y": 5}
    node = next(n for n in found.graph.nodes if n.outputs[0].name == "d")
    assert node.attributes["group"].as_int() == 4


def test_grouped_keeps_equal_counts():
    found = prune(
        f"""g ({X}) => (float[N,5,8,8] y) {{
            a = Conv (x, wa)
            b = Conv <group = 2> (a, wb)
            y = Conv (b, wy)
        }}""",
        weights(wa=(16, 3, 1, 1), wb=(8, 8, 1, 1), wy=(5, 8, 1, 1)),
    )
    assert found.widths() == {"a": 8, "b": 4, "y": 5}
    kept = found.plan.kept["a"]
    assert (kept < 8).sum() == (kept >= 8).sum() == 4
    assert found.constant("b", 1).shape == (4, 4, 1, 1)


@pytest.mark.parametrize(("channels", "groups"), [(12, 2), (24, 3), (60, 3)])
def test_shuffle_between_grouped_convolutions(channels: int, groups: int):
    found = prune(
        f"""g ({X}) => (float[N,6,8,8] y) {{
            a = Conv (x, wa)
            b = Conv <group = {groups}> (a, wb)
            s = mexport.ChannelShuffle <group = {groups}> (b)
            d = Conv <group = {channels}> (s, wd)
            y = Conv <group = {groups}> (d, wy)
        }}""",
        weights(wa=(channels, 3, 1, 1), wb=(channels, channels // groups, 1, 1), wd=(channels, 1, 1, 1), wy=(6, channels // groups, 1, 1)),
    )
    kept = found.plan.kept["d"]
    counts = np.bincount(kept // (channels // groups), minlength=groups)
    assert len(set(counts.tolist())) == 1
    assert 0 < counts[0] < channels // groups


def test_shuffle_v2_unit():
    found = prune(
        f"""g ({X}) => (float[N,5,8,8] y) {{
            a = Conv (x, wa)
            b = Conv (x, wb)
            c = Concat <axis = 1> (a, b)
            s = mexport.ChannelShuffle <group = 2> (c)
            p = Slice (s, zero, half, one)
            q = Slice (s, half, all, one)
            r = Conv (q, wr)
            c2 = Concat <axis = 1> (p, r)
            s2 = mexport.ChannelShuffle <group = 2> (c2)
            y = Conv (s2, wy)
        }}""",
        {
            **weights(wa=(16, 3, 1, 1), wb=(16, 3, 1, 1), wr=(16, 16, 1, 1), wy=(5, 32, 1, 1)),
            "zero": np.array([0]), "half": np.array([16]), "all": np.array([32]), "one": np.array([1]),
        },
    )  # fmt: skip
    assert found.widths() == {"a": 8, "b": 8, "r": 8, "y": 5}


def test_squeeze_and_excite():
    found = prune(
        f"""g ({X}) => (float[N,5,8,8] y) {{
            a = Conv (x, wa)
            m = GlobalAveragePool (a)
            u = Conv (m, wu, bu)
            r = Relu (u)
            v = Conv (r, wv, bv)
            h = HardSigmoid (v)
            s = Mul (a, h)
            y = Conv (s, wy)
        }}""",
        weights(wa=(8, 3, 1, 1), wu=(4, 8, 1, 1), bu=(4,), wv=(8, 4, 1, 1), bv=(8,), wy=(5, 8, 1, 1)),
    )
    assert found.widths() == {"a": 4, "u": 2, "v": 4, "y": 5}
    np.testing.assert_array_equal(found.plan.removed["a"], found.plan.removed["v"])


def test_squeeze_by_reduce_and_dense():
    found = prune(
        f"""g ({X}) => (float[N,5,8,8] y) {{
            a = Conv (x, wa)
            m = ReduceMean <keepdims = 0> (a, space)
            u = Gemm <transB = 1> (m, wu)
            h = Sigmoid (u)
            t = Reshape (h, back)
            s = Mul (t, a)
            y = Conv (s, wy)
        }}""",
        {**weights(wa=(8, 3, 1, 1), wu=(8, 8), wy=(5, 8, 1, 1)), "space": np.array([2, 3]), "back": np.array([0, 8, 1, 1])},
    )
    np.testing.assert_array_equal(found.plan.removed["a"], found.plan.removed["u"])
    assert found.constant("t", 1).tolist() == [0, 4, 1, 1]


def test_gate_of_one_channel_stays():
    found = prune(
        f"""g ({X}) => (float[N,5,8,8] y) {{
            a = Conv (x, wa) m = Conv (a, wm) h = Sigmoid (m) s = Mul (a, h) y = Conv (s, wy)
        }}""",
        weights(wa=(8, 3, 1, 1), wm=(1, 8, 1, 1), wy=(5, 8, 1, 1)),
    )
    assert found.widths() == {"a": 4, "m": 1, "y": 5}


@pytest.mark.parametrize("flatten", ["Flatten (a)", "Reshape (a, shape)"])
def test_flatten_before_dense(flatten: str):
    inits = weights(wa=(8, 3, 3, 3), wd=(7, 8 * 36), bd=(7,))
    inits |= {"shape": np.array([0, 8 * 36])} if "Reshape" in flatten else {}
    found = prune(f"g ({X}) => (float[N,7] y) {{ a = Conv (x, wa) f = {flatten} y = Gemm <transB = 1> (f, wd, bd) }}", inits)
    assert found.constant("y", 1).shape == (7, 4 * 36)


def test_matmul_on_the_last_axis():
    found = prune(
        "g (float[N,6,4] x) => (float[N,6,3] y) { a = MatMul (x, wa) b = Add (a, ba) r = Relu (b) y = MatMul (r, wy) }",
        weights(wa=(4, 8), ba=(8,), wy=(8, 3)),
    )
    assert found.constant("a", 1).shape == (4, 4)
    assert found.constant("b", 1).shape == (4,)


def test_transposed_convolution():
    found = prune(
        f"""g ({X}) => (float[N,5,16,16] y) {{
            a = Conv (x, wa) t = ConvTranspose <strides = [2, 2]> (a, wt, bt) p = PRelu (t, slope) y = Conv (p, wy)
        }}""",
        weights(wa=(8, 3, 1, 1), wt=(8, 6, 2, 2), bt=(6,), slope=(6, 1, 1), wy=(5, 6, 1, 1)),
    )
    assert found.constant("t", 1).shape == (4, 4, 2, 2) or found.constant("t", 1).shape == (4, 2, 2, 2)
    assert len(found.constant("p", 1)) == found.widths()["t"]


def test_several_outputs_are_locked():
    found = prune(
        f"""g ({X}) => (float[N,8,8,8] a, float[N,5,8,8] y, float[N,4,8,8] z) {{
            a = Conv (x, wa) b = Conv (a, wb) y = Conv (b, wy) z = Conv (b, wz)
        }}""",
        weights(wa=(8, 3, 1, 1), wb=(8, 8, 1, 1), wy=(5, 8, 1, 1), wz=(4, 8, 1, 1)),
    )
    assert found.widths() == {"a": 8, "b": 4, "y": 5, "z": 4}


def test_shared_weights_are_cut_alike_and_stay_shared():
    found = prune(
        f"""g ({X}) => (float[N,5,8,8] y) {{
            a = Conv (x, wa) b = Conv (a, ws) c = Add (a, b) d = Conv (c, ws) e = Add (c, d) y = Conv (e, wy)
        }}""",
        weights(wa=(8, 3, 1, 1), ws=(8, 8, 1, 1), wy=(5, 8, 1, 1)),
    )
    shared = [n.inputs[1] for n in found.graph.nodes if n.outputs[0].name in ("b", "d")]
    assert shared[0] is shared[1]


def test_what_cannot_be_followed_is_locked_and_named():
    graph = graph_from_text(
        f"g ({X}) => (float[N,5,8,8] y) {{ a = Conv (x, wa) s = Softmax <axis = 1> (a) y = Conv (s, wy) }}",
        weights(wa=(8, 3, 1, 1), wy=(5, 8, 1, 1)),
    )
    channels = channels_of(graph)
    assert channels.locked[channels.classes["a"]].all()
    assert any(lock.name == "a" and "Softmax" in lock.reason for lock in channels.locks)
