"""Blocks as PyTorch and Paddle users export them, built in all three formats and proved against the file itself."""

from collections.abc import Mapping

import numpy as np
import onnx
import pytest

import exporter as mx
from exporter.array import Array
from exporter.passes.run import clean
from exporter.sources.open import LoadOptions, open_source
from tests.sources.torch_graphs import W, model

TARGETS = ["ncnn-arm64", "tflite-arm64", "onnx-arm64"]
CASES: dict[str, onnx.ModelProto] = {}

QKV = {
    "gather": "q = Gather<axis=0>(t, i0) k = Gather<axis=0>(t, i1) v = Gather<axis=0>(t, i2)",
    "split": "qs, ks, vs = Split<axis=0>(t, ones) q = Squeeze(qs, z) k = Squeeze(ks, z) v = Squeeze(vs, z)",
    "slice": """qs = Slice(t, z, o, z) q = Squeeze(qs, z) ks = Slice(t, o, w2, z) k = Squeeze(ks, z)
 vs = Slice(t, w2, w3, z) v = Squeeze(vs, z)""",
}
"""How exporters take queries, keys and values out of (3, N, heads, tokens, width)."""
NUMBERS: Mapping[str, Array] = {
    "i0": np.array(0), "i1": np.array(1), "i2": np.array(2), "ones": np.array([1, 1, 1]), "z": np.array([0]), "o": np.array([1]),
    "w2": np.array([2]), "w3": np.array([3]),
}  # fmt: skip

for name, taken in QKV.items():
    CASES[f"attention_{name}"] = model(
        f"""g (float[1,6,8] x) => (float[1,6,8] y) {{
 m = MatMul(x, wq) a = Add(bq, m) r = Reshape(a, s5) t = Transpose<perm=[2,0,3,1,4]>(r)
 {taken}
 kt = Transpose<perm=[0,1,3,2]>(k) qk = MatMul(q, kt) sc = Mul(qk, c) p = Softmax<axis=-1>(sc) at = MatMul(p, v)
 u = Transpose<perm=[0,2,1,3]>(at) f = Reshape(u, s3) pm = MatMul(f, wp) pa = Add(bp, pm) y = Add(x, pa) }}""",
        {
            "wq": W(8, 24),
            "bq": W(24),
            "s5": np.array([1, 6, 3, 2, 4]),
            "c": np.float32(0.5),
            "s3": np.array([1, 6, 8]),
            "wp": W(8, 8),
            "bp": W(8),
        }
        | {k: v for k, v in NUMBERS.items() if k in taken},
    )
CASES["convnext"] = model(
    """g (float[1,8,6,6] x) => (float[1,8,6,6] y) {
 d = Conv<kernel_shape=[7,7],pads=[3,3,3,3],group=8>(x, wd, bd) t = Transpose<perm=[0,2,3,1]>(d)
 n = LayerNormalization<axis=-1,epsilon=1e-6>(t, lg, lb) a = MatMul(n, w1) b = Add(b1, a)
 q = Div(b, k) e = Erf(q) e1 = Add(e, one) g0 = Mul(b, e1) h = Mul(g0, half)
 m = MatMul(h, w2) mb = Add(b2, m) l = Mul(gamma, mb) u = Transpose<perm=[0,3,1,2]>(l) y = Add(x, u) }""",
    {"wd": W(8, 1, 7, 7), "bd": W(8), "lg": W(8), "lb": W(8), "w1": W(8, 32), "b1": W(32), "k": np.float32(2**0.5)}
    | {"one": np.float32(1), "half": np.float32(0.5), "w2": W(32, 8), "b2": W(8), "gamma": W(8)},
    opset=17,
)
CASES["gated_split"] = model(
    """g (float[1,3,8,8] x) => (float[1,4,8,8] a, float[1,2,8,8] b) {
 c = Conv<kernel_shape=[1,1]>(x, w, bias) p, q = Split<axis=1>(c, sizes) a = Relu(p) b = HardSigmoid(q) }""",
    {"w": W(6, 3, 1, 1), "bias": W(6), "sizes": np.array([4, 2])},
)
CASES["int32_slice"] = model(
    "g (float[1,6,8] x) => (float[1,3,8] y) { r = Relu(x) y = Slice(r, s, e, a) }",
    {"s": np.array([0, 0], "i4"), "e": np.array([2**31 - 1, 3], "i4"), "a": np.array([0, 1], "i4")},
)
CASES["resized_to_seven"] = model(
    """g (float[1,4,6,6] x) => (float[1,4,7,7] y) {
 p = AveragePool<kernel_shape=[2,2],strides=[2,2]>(x) 
 y = Resize<mode="nearest",coordinate_transformation_mode="asymmetric",nearest_mode="floor">(p, , , s) }""",
    {"s": np.array([1, 4, 7, 7])},
)
"""7 / 3 in float32 is less than 7 / 3."""
CASES["one_head"] = model(
    """g (float[1,16,8] x) => (float[1,16,8] y) {
 r = Reshape(x, s) q = Reshape(x, t) a = Add(r, q) f = Reshape(a, u) p = Softmax<axis=-1>(f) y = Reshape(p, v) }""",
    {"s": np.array([1, -1, 4, 4, 8]), "t": np.array([0, 1, 4, 4, 8]), "u": np.array([1, -1, 16, 8]), "v": np.array([1, 16, 8])},
)
"""A batch of one beside one head."""
STRANGE = {
    "rank1": ("(float[N] x) => (float[N] y) { y = Add(x, c) }", {"c": W(1)}),
    "truth": ("(float[N,8] x) => (bool[N,8] y) { a = Greater(x, c) b = Less(x, d) y = Xor(a, b) }", {"c": W(8), "d": W(8)}),
    "alone": ("(float[N,8] x) => (float[N,8] y) { a = Max(x) b = Concat<axis=1>(a) y = Sum(b) }", {}),
    "nothing": ("(float[N,8] x) => (float[N,8] x) { }", {}),
}
"""Legal, and seldom seen: one number a sample, truth values out, n-ary operators of one input, no operator at all."""
CASES |= {name: model(f"g {text}", inits) for name, (text, inits) in STRANGE.items()}


@pytest.fixture
def cached(tmp_path, monkeypatch):
    monkeypatch.setenv("MEXPORT_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("cached")
@pytest.mark.parametrize("name", CASES)
def test_builds_in_every_format(name, tmp_path):
    path = tmp_path / f"{name}.onnx"
    onnx.save(CASES[name], path)
    for outcome in mx.build_all(path, TARGETS, precision="fp32", output=str(tmp_path / "out")):
        assert outcome.error is None, outcome.error  # parity and fidelity within 1e-4 are part of every build


@pytest.mark.parametrize("name", [f"attention_{n}" for n in QKV])
def test_attention_keeps_the_batch_in_front(name, tmp_path):
    path = tmp_path / f"{name}.onnx"
    onnx.save(CASES[name], path)
    with open_source(path, LoadOptions()) as source:
        graph = source.load()
    clean(graph)
    assert all(str(v.shape[0]) == "N" for n in graph.nodes for v in n.outputs)
    assert sum(n.op_type == "Transpose" for n in graph.nodes) == 4  # one each for queries, keys (transposed at once), values, and back


def test_windows_on_the_first_axis_go_into_tflite(tmp_path):
    """EfficientViT: windows of a picture go through a convolution as if they were pictures; ncnn has no first axis for them."""
    body = """g (float[1,3,8,8] x) => (float[1,4,8,8] y) {
 r = Reshape(x, s) t = Transpose<perm=[0,2,4,1,3,5]>(r) w = Reshape(t, u) c = Conv<kernel_shape=[3,3],pads=[1,1,1,1]>(w, k) a = Relu(c)
 q = Reshape(a, v) z = Transpose<perm=[0,3,1,4,2,5]>(q) y = Reshape(z, e) }"""
    shapes = {"s": [1, 3, 2, 4, 2, 4], "u": [-1, 3, 4, 4], "v": [1, 2, 2, 4, 4, 4], "e": [1, 4, 8, 8]}
    path = tmp_path / "windows.onnx"
    onnx.save(model(body, {name: np.array(dims) for name, dims in shapes.items()} | {"k": W(4, 3, 3, 3)}), path)
    outcomes = {o.target: o for o in mx.build_all(path, TARGETS, precision="fp32", output=str(tmp_path / "out"))}
    assert outcomes["tflite-arm64"].error is None
    assert outcomes["onnx-arm64"].error is None
    assert "is not the batch" in str(outcomes["ncnn-arm64"].error)
