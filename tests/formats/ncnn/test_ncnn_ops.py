"""Every operator of the normal form, and what ncnn's own semantics make hard, against onnxruntime: outputs and every inner value."""

from pathlib import Path

import numpy as np
import pytest

from exporter.array import Array
from exporter.formats import ncnn
from tests.formats.ncnn.running import kinds, rels, written
from tests.formats.tflite.cases import CASES as SHARED
from tests.graphs import graph_from_text

R = np.random.default_rng(1)
Case = tuple[str, dict[str, Array]]
ROUNDING = 2e-5
"""Float32 rounding in sums of a few hundred products, in another order than onnxruntime's."""


def f(*shape: int) -> Array:
    return (R.normal(size=shape) * 0.5).astype(np.float32)


def i(*values: int) -> Array:
    return np.array(values, np.int64)


def g(body: str, shape: str = "N,6,5,7", out: str = "N,a,b,c", **inits: Array) -> Case:
    return f"g (float[{shape}] x) => (float[{out}] y) {{ {body} }}", inits


OWN: dict[str, Case] = {
    # One dimension
    "conv 1-d": g("y = Conv <pads=[2,1], strides=[2], dilations=[2]> (x, w, b)", "N,6,15", "N,a,b", w=f(8, 6, 3), b=f(8)),
    "conv 1-d depthwise": g("y = Conv <pads=[1,1], group=6> (x, w)", "N,6,15", "N,a,b", w=f(6, 1, 3)),
    "conv 1-d grouped": g("y = Conv <group=2> (x, w)", "N,6,15", "N,a,b", w=f(8, 3, 3)),
    "transposed 1-d": g("y = ConvTranspose <strides=[3], pads=[1,0], output_padding=[1]> (x, w)", "N,6,9", "N,a,b", w=f(6, 4, 4)),
    "transposed 1-d depthwise": g("y = ConvTranspose <strides=[2], group=6> (x, w)", "N,6,9", "N,a,b", w=f(6, 1, 3)),
    "max pool 1-d": g("y = MaxPool <kernel_shape=[3], strides=[2], pads=[1,1]> (x)", "N,6,9", "N,a,b"),
    "max pool 1-d ceil": g("y = MaxPool <kernel_shape=[3], strides=[2], ceil_mode=1> (x)", "N,6,10", "N,a,b"),
    "average pool 1-d": g("y = AveragePool <kernel_shape=[3], strides=[2], pads=[1,1]> (x)", "N,6,9", "N,a,b"),
    "average pool 1-d counted": g("y = AveragePool <kernel_shape=[3], pads=[2,1], count_include_pad=1> (x)", "N,6,9", "N,a,b"),
    "global pools 1-d": g("a = GlobalAveragePool (x) b = GlobalMaxPool (x) y = Add (a, b)", "N,6,9", "N,a,b"),
    "batch norm 1-d": g("y = BatchNormalization (x, s, b, m, v)", "N,6,9", "N,a,b", s=f(6), b=f(6), m=f(6), v=np.abs(f(6)) + 0.1),
    "prelu 1-d": g("y = PRelu (x, s)", "N,6,9", "N,a,b", s=np.abs(f(6, 1))),
    "resize 1-d": g("y = Resize <mode=\"linear\"> (x, , scales)", "N,6,9", "N,a,b", scales=np.array([1, 1, 2.0], np.float32)),
    "instance norm 1-d": g("y = InstanceNormalization (x, s, b)", "N,6,9", "N,a,b", s=f(6), b=f(6)),
    "shuffle 1-d": g("y = mexport.ChannelShuffle <group=3> (x)", "N,6,9", "N,a,b"),
    # Pools that round up, and count pads
    "average ceil counted": g(
        "y = AveragePool <kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1], count_include_pad=1, ceil_mode=1> (x)", "N,6,8,8"
    ),
    "average ceil": g("y = AveragePool <kernel_shape=[3,2], strides=[2,2], ceil_mode=1> (x)", "N,6,8,9"),
    "average uneven pads": g("y = AveragePool <kernel_shape=[3,3], strides=[2,2], pads=[0,0,1,1]> (x)", "N,6,8,8"),
    "average wide": g("y = AveragePool <kernel_shape=[1,7]> (x)"),
    "max pool of 16 channels": g("y = MaxPool <kernel_shape=[3,3], strides=[2,2], pads=[0,1,1,0]> (x)", "N,16,9,9"),
    # Vectors that stand for (C, 1, 1)
    "squeeze excite": g(
        "p = GlobalAveragePool (x) a = Conv (p, w1, b1) r = Relu (a) c = Conv (r, w2) s = Sigmoid (c) y = Mul (x, s)",
        "N,16,5,16", w1=f(4, 16, 1, 1), b1=f(4), w2=f(16, 4, 1, 1),
    ),
    "squeeze excite, gate first": g("p = GlobalMaxPool (x) s = HardSigmoid (p) y = Mul (s, x)", "N,5,7,5"),
    "gate of a square map": g("p = GlobalAveragePool (x) y = Add (p, x)", "N,4,4,4"),
    "global pool as output": g("y = GlobalAveragePool (x)"),
    "global pool then map": g("p = GlobalAveragePool (x) y = Conv <pads=[1,1,1,1]> (p, w)", w=f(3, 6, 3, 3)),
    "two vectors": g("a = GlobalAveragePool (x) b = GlobalMaxPool (x) y = Concat <axis=1> (a, b)"),
    "vector batch norm": g(
        "p = GlobalAveragePool (x) y = BatchNormalization (p, s, b, m, v)", s=f(6), b=f(6), m=f(6), v=np.abs(f(6)) + 0.1
    ),
    "vector prelu": g("p = GlobalAveragePool (x) y = PRelu (p, s)", s=np.abs(f(6, 1, 1))),
    "vector softmax": g("p = GlobalAveragePool (x) y = Softmax <axis=1> (p)"),
    "grouped conv on a vector": g("p = GlobalAveragePool (x) y = Conv <group=2> (p, w)", w=f(4, 3, 1, 1)),
    "conv over a whole map": g("y = Conv (x, w, b)", w=f(8, 6, 5, 7), b=f(8)),
    "one pixel": g("y = Conv <pads=[1,1,1,1]> (x, w, b)", "N,6,1,1", w=f(8, 6, 3, 3), b=f(8)),
    # Dense
    "flatten to dense": g("v = Reshape (x, s) y = Gemm <transB=1> (v, w, b)", out="N,a", s=i(0, 210), w=f(9, 210), b=f(9)),
    "flatten rows to dense": g("v = Reshape (x, s) y = Gemm <transB=1> (v, w)", "N,5,8", "N,a", s=i(0, 40), w=f(9, 40)),
    "one row to dense": g("v = Reshape (x, s) y = Gemm <transB=1> (v, w)", "N,1,8", "N,a", s=i(0, 8), w=f(9, 8)),
    "gemm not in normal form": g("y = Gemm <alpha=0.5, beta=2.0> (x, w, b)", "N,8", "N,a", w=f(8, 5), b=f(1, 5)),
    "dense of rank 3": g("m = MatMul (x, w) a = Add (m, b) y = Relu (a)", "N,7,8", "N,a,b", w=f(8, 5), b=f(5)),
    "dense of rank 4": g("m = MatMul (x, w) y = Add (b, m)", "N,2,7,8", w=f(8, 5), b=f(5)),
    "dense of rank 3, one row": g("y = MatMul (x, w)", "N,1,8", "N,a,b", w=f(8, 5)),
    "dense of rank 2": g("y = MatMul (x, w)", "N,8", "N,a", w=f(8, 5)),
    "attention": g("t = Transpose <perm=[0,2,1]> (x) m = MatMul (x, t) s = Softmax <axis=2> (m) y = MatMul (s, x)", "N,6,8", "N,a,b"),
    "attention with heads": g("t = Transpose <perm=[0,1,3,2]> (x) m = MatMul (x, t) s = Softmax <axis=3> (m) y = MatMul (s, x)"),
    "constant on the left": g("y = MatMul (w, x)", "N,7,8", "N,a,b", w=f(1, 5, 7)),
    "constant per head": g("y = MatMul (x, w)", w=f(6, 7, 4)),
    # Broadcasting
    "two ways": g("a = ReduceMean <keepdims=1> (x, h) b = ReduceMax <keepdims=1> (x, w) y = Sub (a, b)", h=i(2), w=i(3)),
    "rows": g("a = ReduceMean <keepdims=1> (x, h) y = Mul (x, a)", h=i(2)),
    "columns": g("a = ReduceMean <keepdims=1> (x, w) y = Div (x, a)", w=i(3)),
    "spatial map": g("a = ReduceMean <keepdims=1> (x, c) y = Mul (a, x)", "N,16,5,7", c=i(1)),
    "constant map": g("y = Add (x, c)", c=f(1, 1, 5, 7)),
    "constant row": g("y = Mul (x, c)", c=f(7)),
    "constant of the whole shape": g("y = Add (x, c)", c=f(6, 5, 7)),
    "constant bigger than the value": g("y = Add (x, c)", "N,1,1,7", c=f(6, 5, 1)),
    "vector plus constant": g("y = Add (x, c)", "N,8", "N,a", c=f(8)),
    "matrix plus column": g("y = Add (x, c)", "N,6,8", "N,a,b", c=f(6, 1)),
    "matrix plus square row": g("y = Add (x, c)", "N,8,8", "N,a,b", c=f(8)),
    "matrix and its mean": g("m = ReduceMean <keepdims=1> (x, w) y = Sub (x, m)", "N,8,8", "N,a,b", w=i(2)),
    "five axes": g("r = Reshape (x, s) y = Mul (r, c)", "N,4,6,3,5", "N,a,b,c,d", s=i(0, 2, 2, 6, 15), c=f(2, 1, 1, 1)),
    "rsub, rdiv": g("a = Sub (c, x) b = Abs (a) d = Add (b, c) y = Div (c, d)", c=np.array(2, np.float32)),
    "rsub a channel": g("y = Sub (c, x)", c=f(6, 1, 1)),
    "max, min": g("a = Max (x, c) y = Min (a, d)", c=np.array(-0.5, np.float32), d=f(1, 6, 1, 1)),
    # Activations
    "swish": g("s = Sigmoid (x) y = Mul (x, s)"),
    "swish reversed": g("s = Sigmoid (x) y = Mul (s, x)"),
    "not swish": g("s = Sigmoid (x) t = Tanh (x) y = Mul (t, s)"),
    "sigmoid used twice": g("s = Sigmoid (x) a = Mul (x, s) y = Add (a, s)"),
    "large softplus": g("a = Mul (x, c) y = Softplus (a)", c=np.array(70, np.float32)),
    "prelu of the whole shape": g("y = PRelu (x, s)", s=np.abs(f(6, 5, 7))),
    "prelu a row": g("y = PRelu (x, s)", s=np.abs(f(7))),
    "log softmax": g("a = Mul (x, c) y = LogSoftmax <axis=1> (a)", c=np.array(60, np.float32)),
    "square": g("y = Pow (x, c)", c=np.array(2, np.float32)),
    "round, sign": g("a = Round (x) b = Sign (x) y = Add (a, b)"),
    "open clip": g("a = Clip (x, lo, hi) y = Relu (a)", lo=np.array(-np.inf, np.float32), hi=np.array(0.5, np.float32)),
    # Comparisons
    "thresholded relu": g("m = Greater (x, c) y = Where (m, x, z)", c=np.array(0.3, np.float32), z=np.array(0, np.float32)),
    "comparisons": g(
        "a = Less (x, c) b = GreaterOrEqual (x, d) m = Or (a, b) n = Not (m) k = And (n, b) l = LessOrEqual (x, c) o = Xor (k, l) "
        "p = Where (n, x, d) q = Where (o, p, c) f = Cast <to=1> (m) y = Add (q, f)", c=np.array(-0.3, np.float32), d=f(6, 1, 1),
    ),
    "equal": g("a = Clip (x, c, c2) m = Equal (a, c) y = Where (m, c, x)", c=np.array(0, np.float32), c2=np.array(9, np.float32)),
    "masked with infinity": g("m = Greater (x, c) y = Where (m, x, z) ", c=np.array(0, np.float32), z=np.array(-1e30, np.float32)),
    "broadcast choice": g(
        "r = ReduceMean <keepdims=1> (x, a) m = Greater (r, c) y = Where (m, x, d)", a=i(3), c=np.array(0, np.float32), d=f(1, 1, 7)
    ),
    # Normalisations
    "length 1": g("y = LpNormalization <axis=1> (x)"),
    "layer norm": g("y = LayerNormalization <axis=-1> (x, s, b)", s=f(7), b=f(7)),
    "layer norm of rank 3": g("y = LayerNormalization <axis=-1> (x, s)", "N,6,8", "N,a,b", s=f(8)),
    "layer norm of a vector": g("y = LayerNormalization <axis=-1> (x, s, b)", "N,8", "N,a", s=f(8), b=f(8)),
    "layer norm of the map": g("y = LayerNormalization <axis=1> (x, s, b)", s=f(6, 5, 7), b=f(6, 5, 7)),
    "layer norm of two axes": g("y = LayerNormalization <axis=2> (x, s, b)", s=f(5, 7), b=f(5, 7)),
    "instance norm": g("y = InstanceNormalization (x, s, b)", s=f(6), b=f(6)),
    "group norm": g("y = GroupNormalization <num_groups=3> (x, s, b)", out="N,6,5,7", s=f(3), b=f(3)),
    "lrn": g("y = LRN <size=5, alpha=0.3, beta=0.6, bias=2.0> (x)"),
    # Reductions
    "reduce all": g("y = ReduceMean <keepdims=0> (x, a)", out="N", a=i(1, 2, 3)),
    "reduce channels": g("y = ReduceMax <keepdims=0> (x, a)", out="N,a,b", a=i(1)),
    "reduce the middle": g("y = ReduceSum <keepdims=0> (x, a)", "N,16,5,16", "N,a,b", a=i(2)),
    "reduce l2": g("y = ReduceL2 <keepdims=1> (x, a)", a=i(-1)),
    "reduce a vector": g("y = ReduceMin <keepdims=1> (x, a)", "N,8", "N,a", a=i(1)),
    # Slices
    "slice with steps": g("y = Slice (x, s, e, a, t)", "N,6,8,9", s=i(1, 0), e=i(8, 9), a=i(2, 3), t=i(2, 3)),
    "slice channels with steps": g("y = Slice (x, s, e, a, t)", s=i(1), e=i(6), a=i(1), t=i(2)),
    "slice backwards": g("y = Slice (x, s, e, a, t)", s=i(-1), e=i(-(2**40)), a=i(3), t=i(-1)),
    "slice in halves": g(
        "a = Slice (x, s0, e0, ax) b = Slice (x, s1, e1, ax) c = Relu (x) d = Concat <axis=1> (b, a) y = Add (c, d)",
        s0=i(0), e0=i(2), s1=i(2), e1=i(2**40), ax=i(1),
    ),
    "slice in parts that overlap": g(
        "a = Slice (x, s0, e0, ax) b = Slice (x, s1, e1, ax) y = Concat <axis=1> (b, a)", s0=i(0), e0=i(4), s1=i(2), e1=i(6), ax=i(1)
    ),
    "slice from the end": g("y = Slice (x, s, e, a)", s=i(-3, -4), e=i(-1, 2**40), a=i(1, 2)),
    "focus": g(
        "a = Slice (x, s0, e, ax, t) b = Slice (x, s1, e, ax, t) y = Concat <axis=1> (a, b)",
        "N,3,8,8", s0=i(0, 0), s1=i(1, 1), e=i(8, 8), ax=i(2, 3), t=i(2, 2),
    ),
    "gather one": g("y = Gather <axis=2> (x, c)", out="N,a,b", c=np.array(3, np.int64)),
    "gather permuted": g("y = Gather <axis=1> (x, c)", c=i(5, 0, 1, 3, 3)),
    "gather every other": g("y = Gather <axis=1> (x, c)", c=i(0, 2, 4)),
    "gather rows and columns": g("y = Gather <axis=3> (x, c)", out="N,a,b,c,d", c=np.array([[0, 1], [4, 6]], np.int64)),
    "split unread": g("a, b, c = Split <axis=1> (x, s) y = Relu (b)", s=i(1, 2, 3)),
    "split rows": g("a, b = Split <axis=2> (x, s) y = Concat <axis=2> (b, a)", s=i(2, 3)),
    # Pads
    "pad channels": g("y = Pad (x, p)", p=i(0, 2, 1, 0, 0, 1, 0, 3)),
    "pad with a value": g("y = Pad (x, p, v)", p=i(0, 0, 1, 2, 0, 0, 3, 0), v=np.array(-1.5, np.float32)),
    "pad before conv": g("a = Pad (x, p) y = Conv (a, w)", p=i(0, 0, 1, 2, 0, 0, 0, 1), w=f(4, 6, 3, 3)),
    "pad a value before conv": g(
        "a = Pad (x, p, v) y = Conv (a, w)", p=i(0, 0, 1, 1, 0, 0, 1, 1), v=np.array(1, np.float32), w=f(4, 6, 3, 3)
    ),
    "pad mirrored": g("y = Pad <mode=\"reflect\"> (x, p)", "N,16,5,7", p=i(0, 0, 1, 2, 0, 0, 3, 1)),
    "pad edge": g("y = Pad <mode=\"edge\"> (x, p)", "N,16,5,7", p=i(0, 0, 1, 2, 0, 0, 3, 1)),
    "pad negative": g("y = Pad (x, p)", p=i(0, 0, -1, 2, 0, 0, 1, -2)),
    "pad a sequence": g("y = Pad (x, p)", "N,6,8", "N,a,b", p=i(0, 0, 2, 0, 0, 1)),
    "pad a vector": g("y = Pad (x, p)", "N,8", "N,a", p=i(0, 2, 0, 1)),
    # Shapes
    "transposes": g("a = Transpose <perm=[0,2,3,1]> (x) b = Relu (a) y = Transpose <perm=[0,3,1,2]> (b)"),
    "five axes permuted": g(
        "r = Reshape (x, s) t = Transpose <perm=[0,1,4,2,5,3]> (r) y = Reshape (t, u)",
        "N,8,3,5", s=i(0, 2, 2, 2, 3, 5), u=i(0, 2, 6, 10),
    ),
    "detection heads": g("t = Transpose <perm=[0,2,3,1]> (x) r = Reshape (t, s) y = Softmax <axis=2> (r)", out="N,a,b", s=i(0, 70, 3)),
    "expand": g("y = Expand (x, s)", "N,6,1,7", s=i(1, 1, 5, 1)),
    "tile": g("y = Tile (x, s)", s=i(1, 2, 1, 3)),
    "space to depth": g("y = SpaceToDepth <blocksize=2> (x)", "N,3,6,8"),
    # Resize
    "asymmetric linear": g(
        "y = Resize <mode=\"linear\", coordinate_transformation_mode=\"asymmetric\"> (x, , s)", s=np.array([1, 1, 2, 3], np.float32)
    ),
    "nearest half pixel": g("y = Resize <mode=\"nearest\", axes=[2,3]> (x, , , s)", s=i(8, 10)),
    "linear of one pixel": g("y = Resize <mode=\"linear\", axes=[-2,-1]> (x, , , s)", "N,6,1,1", s=i(4, 4)),
    "linear smaller": g("y = Resize <mode=\"linear\", axes=[3,2]> (x, , s)", s=np.array([0.7, 0.6], np.float32)),
}  # fmt: skip


@pytest.mark.parametrize("name", OWN)
def test_agrees_with_onnxruntime(name: str, tmp_path: Path) -> None:
    graph = graph_from_text(*OWN[name])
    found = rels(graph, *written(graph, tmp_path))
    assert {value: rel for value, rel in found.items() if not rel <= ROUNDING} == {}


@pytest.mark.parametrize("name", SHARED)
def test_shared_case_agrees_with_onnxruntime(name: str, tmp_path: Path) -> None:
    graph = graph_from_text(*SHARED[name])
    found = rels(graph, *written(graph, tmp_path))
    assert {value: rel for value, rel in found.items() if not rel <= ROUNDING} == {}


FUSED: dict[str, tuple[str, list[str]]] = {
    "relu": ("Relu (c)", ["Convolution"]),
    "leaky": ("LeakyRelu <alpha=0.2> (c)", ["Convolution"]),
    "relu6": ("Clip (c, zero, six)", ["Convolution"]),
    "sigmoid": ("Sigmoid (c)", ["Convolution"]),
    "mish": ("Mish (c)", ["Convolution"]),
    "hard swish": ("HardSwish (c)", ["Convolution"]),
    "tanh": ("Tanh (c)", ["Convolution", "TanH"]),
}


@pytest.mark.parametrize("name", FUSED)
def test_activation_merges_into_the_convolution(name: str, tmp_path: Path) -> None:
    op, layers = FUSED[name]
    scalars = {"zero": np.array(0, np.float32), "six": np.array(6, np.float32)}
    used = {key: value for key, value in scalars.items() if key in op}
    graph = graph_from_text(*g(f"c = Conv <pads=[1,1,1,1]> (x, w, b) y = {op}", w=f(4, 6, 3, 3), b=f(4), **used))
    artifact, session = written(graph, tmp_path)
    assert kinds(artifact)[1:] == layers
    assert ("c" in artifact.taps) == (len(layers) == 2)  # a merged value has no blob, the value after it has
    assert max(rels(graph, artifact, session).values()) <= ROUNDING


def test_no_reshape_between_pooling_and_dense(tmp_path: Path) -> None:
    graph = graph_from_text(*g("p = GlobalAveragePool (x) v = Reshape (p, s) y = Gemm <transB=1> (v, w)", out="N,a", s=i(0, 6), w=f(4, 6)))
    assert kinds(written(graph, tmp_path)[0]) == ["Input", "Pooling", "InnerProduct"]


def test_a_squeeze_excite_block_has_no_reshape(tmp_path: Path) -> None:
    graph = graph_from_text(*OWN["squeeze excite"])
    expected = ["Input", "Split", "Pooling", "InnerProduct", "InnerProduct", "BinaryOp"]
    assert kinds(written(graph, tmp_path)[0]) == expected


def test_slices_that_share_out_a_tensor_are_one_layer(tmp_path: Path) -> None:
    expected = ["Input", "Split", "Slice", "ReLU", "Concat", "BinaryOp"]
    assert kinds(written(graph_from_text(*OWN["slice in halves"]), tmp_path)[0]) == expected


def test_swish_is_one_layer(tmp_path: Path) -> None:
    assert kinds(written(graph_from_text(*OWN["swish"]), tmp_path)[0]) == ["Input", "Swish"]


def test_channel_shuffle_is_one_layer(tmp_path: Path) -> None:
    graph = graph_from_text(*g("y = mexport.ChannelShuffle <group=2> (x)"))
    assert kinds(written(graph, tmp_path)[0]) == ["Input", "ShuffleChannel"]


def test_check_is_quiet_on_known_ops() -> None:
    cases = [graph_from_text(*case) for case in (*OWN.values(), *SHARED.values())]
    assert [p for graph in cases for p in ncnn.check(graph) if p.fatal] == []
