"""int8 layers against integers in numpy, alone and in chains, and what a file of them offers."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from exporter.array import Array
from exporter.errors import UnsupportedOpError, UsageError
from exporter.formats import ncnn
from exporter.formats.artifact import WriteOptions
from exporter.graph.qdq import Affine, Edge, Quantization, affine, insert
from exporter.inspection.ncnn import inspect_ncnn
from exporter.runtimes.settings import runtime_options
from tests.formats.ncnn.integers import convolved, lines, near_half, quantized, rounded, run, scales, stored, worst_db, written
from tests.formats.ncnn.test_ncnn_files import net
from tests.graphs import graph_from_text, random_inputs

R = np.random.default_rng(1)
START = R.bit_generator.state
FLOAT = 3e-6
"""Float32 rounding of one product of scales, one sum with the bias and one activation."""

RECIPROCAL = 4e-4
"""ncnn's depthwise layers of packed channels divide on x86 by an approximate reciprocal of 12 bits."""

Window = dict[str, int]

CONVS: dict[str, tuple[int, int, int, Window]] = {  # inputs, outputs, kernel, window
    "3x3": (8, 16, 3, {"pad": 1}),
    "3x3 of many channels": (32, 64, 3, {"pad": 1}),
    "3x3 strided, picture": (3, 24, 3, {"pad": 1, "stride": 2}),
    "3x3 dilated": (16, 20, 3, {"pad": 2, "dilation": 2}),
    "1x1": (5, 7, 1, {}),
    "1x1 strided": (16, 32, 1, {"stride": 2}),
    "5x5": (4, 6, 5, {"pad": 2}),
    "depthwise": (16, 16, 3, {"pad": 1, "group": 16}),
    "depthwise strided": (16, 16, 3, {"pad": 1, "stride": 2, "group": 16}),
    "depthwise 5x5": (8, 8, 5, {"pad": 2, "group": 8}),
    "depthwise dilated": (24, 24, 3, {"pad": 2, "dilation": 2, "group": 24}),
    "depthwise of odd channels": (7, 7, 3, {"pad": 1, "group": 7}),
    "depthwise of odd channels, strided": (7, 7, 3, {"pad": 1, "stride": 2, "group": 7}),
    "depthwise that widens": (16, 32, 3, {"pad": 1, "group": 16}),
    "grouped": (8, 16, 3, {"pad": 1, "group": 4}),
    "grouped 1x1": (6, 12, 1, {"group": 3}),
    "grouped in twelves": (16, 24, 3, {"pad": 1, "stride": 2, "group": 2}),
}

ACTIVATIONS = {
    "none": ("Identity", lambda x: x),
    "relu": ("Relu", lambda x: np.maximum(x, 0)),
    "leaky": ("LeakyRelu <alpha=0.2>", lambda x: np.where(x < 0, 0.2 * x, x)),
    "clip": ("Clip", lambda x: np.clip(x, -0.25, 1.5)),
    "sigmoid": ("Sigmoid", lambda x: 1 / (1 + np.exp(-x))),
    "mish": ("Mish", lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    "hard swish": ("HardSwish", lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
}

PACKING = {"packed": None, "unpacked": {"use_packing_layout": False}, "the engine's defaults": {}}


@pytest.fixture(autouse=True)
def the_same_numbers_whatever_ran_before() -> None:
    """Whether an integer lies next to a half is a matter of the numbers drawn."""
    R.bit_generator.state = START


def f(*shape: int) -> Array:
    return (R.normal(size=shape) * 0.5).astype(np.float32)


def text(window: Window, act: str, tail: str, out: str) -> str:
    p, s, d = window.get("pad", 0), window.get("stride", 1), window.get("dilation", 1)
    attributes = f"group={window.get('group', 1)}, strides=[{s},{s}], dilations=[{d},{d}], pads=[{p},{p},{p},{p}]"
    bounds = ", low, high" if act == "Clip" else ""
    return f"{{ c = Conv <{attributes}> (x, w, b) {out} = {act} (c{bounds}) {tail} }}"


@pytest.mark.parametrize("options", PACKING)
@pytest.mark.parametrize("name", CONVS)
def test_a_convolution_is_exact_in_integers(name: str, options: str, tmp_path: Path) -> None:
    inputs, outputs, k, window = CONVS[name]
    group = window.get("group", 1)
    inits = {"w": f(outputs, inputs // group, k, k), "b": f(outputs)}
    body = text(window, "Relu", "", "y")
    graph = graph_from_text(f"g (float[N,{inputs},9,10] x) => (float[N,a,b,c] y) {body}", inits)
    x = random_inputs(graph, 3)
    qdq = quantized(graph, x)
    artifact, session = written(qdq, tmp_path, options=PACKING[options])
    assert lines(artifact) == [("ConvolutionDepthWise", 1) if group > 1 else ("Convolution", 2)]
    weights, s_w = stored(qdq, "w")
    s_x = scales(qdq)["x"]
    sums = convolved(rounded(x["x"][0], s_x), weights, **window)
    want = np.maximum(sums * (s_x * s_w)[:, None, None] + inits["b"][:, None, None], 0)
    got = run(artifact, session, x, list(artifact.outputs))["y"]
    depthwise = group == inputs == outputs
    assert np.abs(got - want).max() <= (RECIPROCAL if depthwise else FLOAT) * np.abs(want).max()


@pytest.mark.parametrize("act", ACTIVATIONS)
@pytest.mark.parametrize("name", ["3x3", "1x1", "3x3 dilated", "depthwise", "depthwise strided", "depthwise of odd channels", "grouped"])
def test_integers_pass_from_layer_to_layer(name: str, act: str, tmp_path: Path) -> None:
    """The first layer's integers are those of the formula; the second layer computes from them."""
    inputs, outputs, k, window = CONVS[name]
    group = window.get("group", 1)
    written_as, function = ACTIVATIONS[act]
    inits = {"w": f(outputs, inputs // group, k, k), "b": f(outputs), "v": f(6, outputs, 1, 1)}
    if act == "clip":
        inits |= {"low": np.array(-0.25, np.float32), "high": np.array(1.5, np.float32)}
    body = text(window, written_as, "y = Conv (h, v)", "h")
    graph = graph_from_text(f"g (float[N,{inputs},9,10] x) => (float[N,a,b,c] y) {body}", inits)
    x = random_inputs(graph, 3)
    qdq = quantized(graph, x)
    artifact, session = written(qdq, tmp_path)
    assert lines(artifact) == [("ConvolutionDepthWise", 101) if group > 1 else ("Convolution", 102), ("Convolution", 2)]
    tap = artifact.taps["h"]
    assert tap.scale is not None
    (weights, s_w), (after, s_after) = stored(qdq, "w"), stored(qdq, "v")
    s_x, s_h = scales(qdq)["x"], scales(qdq)["h"]
    assert tap.scale == s_h
    sums = convolved(rounded(x["x"][0], s_x), weights, **window)
    real = function(sums * (s_x * s_w)[:, None, None] + inits["b"][:, None, None])
    got = run(artifact, session, x, [tap, *artifact.outputs])
    differ = got["h"] != rounded(real, s_h)
    assert np.abs(got["h"] - rounded(real, s_h)).max() <= 1
    assert not (differ & ~near_half(real, s_h, RECIPROCAL if group == inputs == outputs else FLOAT)).any()
    last = convolved(got["h"].astype(np.int64), after) * (s_h * s_after)[:, None, None]
    assert np.abs(got["y"] - last).max() <= FLOAT * np.abs(last).max()


DENSE = {
    "vector": ("N,40", "N,a", "y = Gemm <transB=1> (x, w, b)", (9, 40)),
    "matrix not turned": ("N,40", "N,a", "y = Gemm (x, w, b)", (40, 16)),
    "rows": ("N,7,24", "N,a,b", "m = MatMul (x, w) y = Add (m, b)", (24, 10)),
    "many rows": ("N,3,8,24", "N,a,b,c", "m = MatMul (x, w) y = Add (b, m)", (24, 16)),
}


@pytest.mark.parametrize("name", DENSE)
def test_a_dense_layer_is_exact_in_integers(name: str, tmp_path: Path) -> None:
    shape, out, body, weight_shape = DENSE[name]
    outputs = weight_shape[0 if name == "vector" else 1]
    inits = {"w": f(*weight_shape), "b": f(outputs)}
    graph = graph_from_text(f"g (float[{shape}] x) => (float[{out}] y) {{ {body} }}", inits)
    x = random_inputs(graph, 3)
    qdq = quantized(graph, x)
    artifact, session = written(qdq, tmp_path)
    assert lines(artifact) == [("InnerProduct", 2)]
    (weights, s_w), s_x = stored(qdq, "w"), scales(qdq)["x"]
    want = rounded(x["x"], s_x) @ (weights.T if name == "vector" else weights) * (s_x * s_w) + inits["b"]
    got = run(artifact, session, x, list(artifact.outputs))["y"]
    assert np.abs(got - want[0]).max() <= FLOAT * np.abs(want).max()


@pytest.mark.parametrize("group", [1, 6])
def test_convolutions_of_one_axis_run_as_maps_of_one_row(group: int, tmp_path: Path) -> None:
    inits = {"w": f(6, 6 // group, 3), "v": f(4, 6, 3)}
    body = f"c = Conv <pads=[2,1], strides=[2], group={group}> (x, w) r = Relu (c) d = Conv (r, v) y = Sigmoid (d)"
    graph = graph_from_text(f"g (float[N,6,15] x) => (float[N,a,b] y) {{ {body} }}", inits)
    x = random_inputs(graph)
    qdq = quantized(graph, x)
    artifact, session = written(qdq, tmp_path)
    assert lines(artifact) == [("Convolution" if group == 1 else "ConvolutionDepthWise", 102 if group == 1 else 101), ("Convolution", 2)]
    assert artifact.outputs[0].shape == (4, 6)
    assert worst_db(qdq, artifact, session, x) >= 40  # an integer of a few dozen may round the other way: 1 in 127


def test_what_passes_on_integers_and_what_does_not(tmp_path: Path) -> None:
    """Into a dense layer too; not to a reader in floats, not to the outside, not to readers of two scales."""
    body = """a = Conv (x, w1) b = Conv (a, w2) r = Relu (b) v = Reshape (r, s) y = Gemm <transB=1> (v, fw)
        c = Conv (x, w3) d = Conv (c, w4) e = Sigmoid (c) z = Add (d, e)  p = Conv (x, w5) q = Conv (p, w6)"""
    inits = {f"w{i}": f(4, 4, 1, 1) for i in range(1, 7)} | {"s": np.array([0, 256]), "fw": f(5, 256)}
    outputs = "float[N,a] y, float[N,a,b,c] z, float[N,a,b,c] p, float[N,a,b,c] q"
    graph = graph_from_text(f"g (float[N,4,8,8] x) => ({outputs}) {{ {body} }}", inits)
    x = random_inputs(graph)
    qdq = quantized(graph, x)
    artifact, session = written(qdq, tmp_path)
    names = [line.split()[1] for line in artifact.path.read_text().splitlines()[2:] if line.split()[0] in ("Convolution", "InnerProduct")]
    terms = dict(zip(names, [term for _, term in lines(artifact)], strict=True))
    assert terms == {"a": 102, "b": 102, "y": 2, "c": 2, "d": 2, "p": 2, "q": 2}
    assert {name for name, tap in artifact.taps.items() if tap.scale is not None} == {"a", "r", "v"}
    assert worst_db(qdq, artifact, session, x) >= 40  # as above


def test_layers_kept_float_stay_float_and_in_half_precision(tmp_path: Path) -> None:
    graph = net()
    x = random_inputs(graph)
    qdq = quantized(graph, x, frozenset({"d"}))
    artifact, session = written(qdq, tmp_path, "mixed")
    assert artifact.precision == "mixed"
    assert lines(artifact) == [("Convolution", 2), ("ConvolutionDepthWise", 0), ("InnerProduct", 2)]
    assert worst_db(qdq, artifact, session, x) >= 40  # weights of 11 bits: 66 dB; an integer may round the other way behind them
    int8, half = 8 * 27 + 10 * 8 + 4 * (8 + 1 + 10 + 1), 2 * 8 * 9
    assert artifact.files[1].stat().st_size == int8 + half + 3 * 4 + 4 * (8 + 10)  # tags and biases


def test_a_graph_without_pairs_is_an_int8_file_without_integers(tmp_path: Path) -> None:
    artifact, _ = written(net(), tmp_path)
    assert {term for _, term in lines(artifact)} == {0}


def test_what_a_file_stores_is_told(tmp_path: Path) -> None:
    """By layer and by type; the first layer hands integers on here."""
    inits = {"w": f(6, 4, 3, 3), "b": f(6), "v": f(8, 6, 1, 1), "u": f(8, 2, 1, 1)}
    graph = graph_from_text(
        "g (float[N,4,5,5] x) => (float[N,a,b,c] y) { c = Conv (x, w, b) d = Conv (c, v) y = Conv <group=4> (d, u) }", inits
    )
    artifact, _ = written(quantized(graph, random_inputs(graph), frozenset({"y"})), tmp_path, "mixed")
    facts = inspect_ncnn(artifact.path)
    assert [(r["op"], r["params"], r["bytes"]) for r in facts["layers"][1:]] == [
        ("Convolution int8 to int8", 216 + 6, 4 + 216 + 4 * (6 + 6 + 1 + 1)),
        ("Convolution int8", 48, 4 + 48 + 4 * (8 + 1)),
        ("ConvolutionDepthWise", 16, 4 + 32),
    ]
    sizes = {"int8": 4 + 216 + 4 + 48, "float32": 4 * 6, "int8 scales": 4 * (6 + 1 + 1 + 8 + 1), "float16": 4 + 32}
    whole = artifact.files[1].stat().st_size
    assert facts["totals"] == {"layers": 4, "bytes": whole, "params": 216 + 6 + 48 + 16, "bytes_by_type": sizes, "int8_layers": 2}
    assert sum(sizes.values()) == whole


def test_the_same_graph_gives_the_same_bytes(tmp_path: Path) -> None:
    digests = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        artifact, _ = written(quantized(net(), random_inputs(net())), folder)
        digests.append([hashlib.sha256(p.read_bytes()).hexdigest() for p in artifact.files])
    assert digests[0] == digests[1]


def test_points_name_layers_inputs_and_weights() -> None:
    points = ncnn.points(net(), {}, frozenset({"y"}))
    assert points.scheme.symmetric
    assert points.layers == ("c", "d")
    assert [(g.values, g.readers) for g in points.groups] == [(("x",), {"c"}), (("p",), {"d"})]
    assert [(w.layer, w.input, w.weight, w.axis, w.bias, w.share) for w in points.weights] == [
        ("c", "x", "w", 0, "b", 1), ("d", "p", "dw", 0, None, 1),
    ]  # fmt: skip


def test_channels_of_a_group_share_a_scale() -> None:
    graph = graph_from_text("g (float[N,6,5,5] x) => (float[N,a,b,c] y) { y = Conv <group=3> (x, w) }", {"w": f(12, 2, 3, 3)})
    assert ncnn.points(graph, {}).weights[0].share == 4


def weights_of(graph_weight: Array, scale: Array) -> dict[str, Affine]:
    return {"w": Affine(scale, np.zeros(scale.shape, np.int8), 0, narrow=True)}


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (Quantization({"y": affine(0.1, 0)}), "y.*the outside"),
        (Quantization({}, {Edge("x", frozenset({"s"})): affine(0.1, 0)}), "x.*rounded for s"),
        (Quantization({}, {Edge("x", frozenset({"c"})): affine(0.1, 0)}), "its weights are not"),
        (Quantization({}, {Edge("x", frozenset({"c"})): affine(0.1, 3)}, weights_of(f(6), np.full(6, 0.01, np.float32))), "zero point"),
        (
            Quantization({}, {Edge("x", frozenset({"c"})): affine(0.1, 0)}, weights_of(f(6), np.linspace(0.01, 0.02, 6, dtype=np.float32))),
            "a scale a channel",
        ),
    ],
)
def test_pairs_that_ncnn_cannot_say_are_refused(how: Quantization, words: str, tmp_path: Path) -> None:
    body = "c = Conv <group=2> (x, w) s = Sigmoid (x) y = Add (c, s)"
    graph = graph_from_text(f"g (float[N,6,5,5] x) => (float[N,6,5,5] y) {{ {body} }}", {"w": f(6, 3, 1, 1)})
    with pytest.raises(UnsupportedOpError, match=words):
        ncnn.write(insert(graph, how), tmp_path, WriteOptions(precision="int8"))


@pytest.mark.parametrize("precision", ["int8-dynamic", "int8-weights", "int4-weights"])
def test_precisions_that_ncnn_lacks_are_refused_by_name(precision: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=precision):
        ncnn.write(net(), tmp_path, WriteOptions(precision=precision))


def test_what_ncnn_is_slow_at_or_lacks_in_int8_is_a_note() -> None:
    body = "m = MatMul (x, w) t = ConvTranspose (m, v) y = Relu (t)"
    graph = graph_from_text(f"g (float[N,6,5] x) => (float[N,a,b] y) {{ {body} }}", {"w": f(5, 8), "v": f(6, 4, 3)})
    notes = {p.layer: p for p in ncnn.check(graph) if "int8" in p.reason}
    assert set(notes) == {"m", "t"}
    assert not any(p.fatal for p in notes.values())
    assert ncnn.points(graph, {}).layers == ("m",)


@pytest.mark.parametrize("precision", ["int8", "mixed"])
def test_the_engine_runs_such_files_with_its_own_defaults(precision: str) -> None:
    """What the manifest tells phones to set is what ncnn has set anyway: a file is right without it."""
    import ncnn as engine

    defaults = engine.Option()
    assert {name: getattr(defaults, name) for name in runtime_options("ncnn", precision)} == runtime_options("ncnn", precision)
