"""What an int8 file is like: which ops, types at its ends, float islands, taps, bytes."""

from pathlib import Path

import numpy as np
import pytest

from exporter.errors import UnsupportedOpError
from exporter.formats import tflite
from exporter.formats.artifact import WriteOptions
from exporter.graph import Graph, const
from exporter.graph.evaluate import evaluate
from exporter.graph.qdq import Affine, Quantization, affine, insert
from exporter.graph.strip import strip
from tests.formats.tflite.cases import CASES
from tests.formats.tflite.running import kinds, parity_db, quantized, seen, written
from tests.graphs import graph_from_text, random_inputs


def _weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(list(shape)).normal(size=shape) / np.sqrt(np.prod(shape[1:]))


def net() -> Graph:
    """Convolution, depthwise, hard-swish, residual, squeeze and excite, average pool, dense, softmax."""
    return graph_from_text(
        """g (float[N,3,12,12] x) => (float[N,k] y) {
        a = Conv <pads=[1,1,1,1]> (x, w1, b1)  h = HardSwish (a)
        d = Conv <pads=[1,1,1,1], group=8> (h, w2, b2)  r = Relu (d)
        p = Conv (r, w3, b3)  s = Add (p, h)
        g = GlobalAveragePool (s)  e = Conv (g, w4, b4)  f = HardSigmoid <alpha=0.16666667, beta=0.5> (e)  m = Mul (s, f)
        v = AveragePool <kernel_shape=[2,2], strides=[2,2]> (m)
        q = GlobalAveragePool (v)  t = Flatten (q)  z = Gemm <transB=1> (t, w5, b5)  y = Softmax (z) }""",
        {"w1": _weights(8, 3, 3, 3), "b1": _weights(8, 1)[:, 0], "w2": _weights(8, 1, 3, 3), "b2": _weights(8, 1)[:, 0],
         "w3": _weights(8, 8, 1, 1), "b3": _weights(8, 1)[:, 0], "w4": _weights(8, 8, 1, 1), "b4": _weights(8, 1)[:, 0],
         "w5": _weights(5, 8), "b5": _weights(5, 1)[:, 0]},
    )  # fmt: skip


def test_everything_runs_in_int8_and_all_but_softmax_in_xnnpack(tmp_path: Path) -> None:
    graph = quantized(net())
    artifact, session = written(graph, tmp_path, "int8")
    assert artifact.floats == ()
    assert kinds(session) == {"QUANTIZE": 1, "CONV_2D": 3, "ADD": 2, "MUL": 4, "DEPTHWISE_CONV_2D": 2, "MEAN": 2, "FULLY_CONNECTED": 1,
                              "SOFTMAX": 1, "DEQUANTIZE": 1}  # fmt: skip
    assert session.facts["delegated"] == 1 - 1 / 17
    assert parity_db(graph, artifact, session) >= 35  # a step of 256 in places: 45 dB, less for the hard-swish's own rounding


@pytest.mark.parametrize("io", ["int8", "uint8"])
def test_inputs_and_outputs_have_the_type_asked_for(io: str, tmp_path: Path) -> None:
    graph = quantized(net())
    (tmp_path / "float").mkdir()
    whole, engine = written(graph, tmp_path / "float", "int8")
    artifact, session = written(graph, tmp_path, "int8", io)
    for described, t in ((session.facts["inputs"][0], artifact.inputs[0]), (session.facts["outputs"][0], artifact.outputs[0])):
        assert (described["name"], described["dtype"], t.dtype) == (t.name, io, io)
        assert (described["scale"], described["zero_point"]) == (pytest.approx(t.scale), t.zero_point)
    x = random_inputs(graph)["x"]
    got = session.run({"x": artifact.inputs[0].from_graph(x)})[1]["y"]
    want = engine.run({"x": whole.inputs[0].from_graph(x)})[1]["y"]
    # the input may be rounded the other way at a half: a step of softmax
    assert np.abs(artifact.outputs[0].to_graph(got, (1, 5)) - want).max() <= 1.01 / 256


def test_no_quantize_stands_at_int8_ends(tmp_path: Path) -> None:
    _, session = written(quantized(net()), tmp_path, "int8", "int8")
    assert not {"QUANTIZE", "DEQUANTIZE"} & set(kinds(session))


def test_layers_kept_float_are_islands(tmp_path: Path) -> None:
    plain = net()
    graph = quantized(plain, frozenset({"d", "z"}))
    artifact, session = written(graph, tmp_path, "mixed")
    assert {p.layer for p in artifact.floats} == {"d", "z"}
    assert all("kept float" in p.reason for p in artifact.floats)
    assert kinds(session)["DEQUANTIZE"] == 3  # before either island, and at the end
    assert parity_db(graph, artifact, session) >= 35  # as above


def test_numbers_are_not_rounded_to_be_moved_between_floats() -> None:
    graph = graph_from_text("g (float[N,4,2,2] x) => (float[N,k] y) { a = Conv (x, w) r = Reshape (a, z) y = Gemm (r, v) }",
                            {"w": _weights(4, 4, 1, 1), "z": np.array([0, 16]), "v": _weights(16, 5)})  # fmt: skip
    assert tflite.points(graph, seen(graph), frozenset({"a", "y"})).groups == ()


def test_a_layer_without_int8_kernel_is_named(tmp_path: Path) -> None:
    graph = quantized(graph_from_text("g (float[N,4,6,6] x) => (float[N,a,b,c] y) { a = Conv (x, w) s = Sin (a) y = Conv (s, v) }",
                                      {"w": _weights(4, 4, 1, 1), "v": _weights(4, 4, 1, 1)}))  # fmt: skip
    artifact, session = written(graph, tmp_path, "int8")
    assert [(p.layer, p.op, p.reason) for p in artifact.floats] == [("s", "SIN", "TFLite has no SIN in int8")]
    assert parity_db(graph, artifact, session) >= 45  # two roundings of 255 steps


def test_taps_are_the_rounded_values(tmp_path: Path) -> None:
    graph = quantized(net())
    artifact, session = written(graph, tmp_path, "int8")
    inputs = random_inputs(graph)
    assert {"h", "r", "p", "s", "f", "m", "v", "z"} <= set(artifact.taps)
    reference = evaluate(graph, inputs, list(artifact.taps))
    _, got = session.run({"x": artifact.inputs[0].from_graph(inputs["x"])}, [t.name for t in artifact.taps.values()])
    for name, t in artifact.taps.items():
        if t.dtype == "int8":
            assert got[t.name].dtype == np.int8
            off = np.abs(t.to_graph(got[t.name], reference[name].shape) - reference[name])
            assert off.max() <= 6.1 * t.scale, name  # a few steps, grown layer by layer
    assert sum(t.dtype == "int8" for t in artifact.taps.values()) >= 8


def test_weights_are_the_integers_of_the_graph(tmp_path: Path) -> None:
    """Also where lowering permutes channels, and where a factor is multiplied into them."""
    from ai_edge_litert.interpreter import Interpreter

    graph = quantized(graph_from_text(*CASES["conv, depth to space crd"]))
    artifact, _ = written(graph, tmp_path, "int8")
    engine = Interpreter(str(artifact.path))
    engine.allocate_tensors()
    stored = next(d for d in engine.get_tensor_details() if d["dtype"] == np.int8 and len(d["quantization_parameters"]["scales"]) > 1)
    _, quantization = strip(graph)
    (name, how), *_ = ((k, a) for k, a in quantization.constants.items() if a.dtype == "int8")
    numbers = const(graph.model.graph.initializers[f"{name}__q"])
    order = np.argsort([list(how.scale).index(s) for s in stored["quantization_parameters"]["scales"]])
    assert np.array_equal(engine.get_tensor(stored["index"])[order].transpose(0, 3, 1, 2), numbers)


def test_a_bias_that_int32_cannot_hold_raises_its_channels_scale(tmp_path: Path) -> None:
    graph = graph_from_text("g (float[N,2,4,4] x) => (float[N,a,b,c] y) { y = Conv (x, w, b) }",
                            {"w": np.array([[[[1.0]], [[1.0]]], [[[1e-9]], [[2e-9]]]]), "b": np.array([0.0, 3.0])})  # fmt: skip
    weights = Affine(np.array([1 / 127, 2e-9 / 127], np.float32), np.zeros(2, np.int8), 0, narrow=True)
    graph = insert(graph, Quantization({"x": affine(0.02, 0), "y": affine(0.03, 0)}, {}, {"w": weights}))
    artifact, session = written(graph, tmp_path, "int8")
    got = session.run({"x": artifact.inputs[0].from_graph(random_inputs(graph)["x"])})[1]["y"]
    assert np.abs(artifact.outputs[0].to_graph(got, (1, 2, 4, 4))[0, 1] - 3).max() <= 0.015 + 1e-6  # half a step


def test_scales_that_an_engine_fixes_are_said(tmp_path: Path) -> None:
    graph = graph_from_text(*CASES["sigmoid softmax concat"])
    points = tflite.points(graph, seen(graph), frozenset())
    fixed = {name: g.fixed for g in points.groups for name in g.values if g.fixed is not None}
    assert set(fixed.values()) <= {(1 / 256, -128), (1 / 128, 0), (16 / 256, 127)}
    assert fixed
    assert all(r.value in fixed for r in points.requantize)
    assert points.requantize


def test_parts_of_a_concat_share_a_scale_unless_their_ranges_are_far_apart() -> None:
    graph = graph_from_text("g (float[N,4,3,3] x) => (float[N,a,b,c] y) { a = Conv (x, w) b = Conv (x, v) y = Concat <axis=1> (a, b) }",
                            {"w": _weights(4, 4, 1, 1), "v": _weights(4, 4, 1, 1)})  # fmt: skip
    near = tflite.points(graph, {"x": (-1, 1), "a": (-1, 1), "b": (-3, 3), "y": (-3, 3)}, frozenset())
    far = tflite.points(graph, {"x": (-1, 1), "a": (-1, 1), "b": (-30, 30), "y": (-30, 30)}, frozenset())
    assert [set(g.values) for g in near.groups] == [{"x"}, {"a", "b", "y"}]
    assert [set(g.values) for g in far.groups] == [{"x"}, {"a"}, {"b", "y"}]
    assert [(r.value, r.reader, r.like) for r in far.requantize] == [("a", "y", "y")]


def test_weights_are_told_in_the_graphs_terms() -> None:
    graph = graph_from_text(
        """g (float[N,4,6,6] x) => (float[N,k] y) { a = Conv <group=4> (x, w, b)  r = Relu (a)  t = ConvTranspose (r, u)
        f = Reshape (t, z)  m = MatMul (f, v)  y = Add (m, c) }""",
        {"w": _weights(8, 1, 3, 3), "b": np.ones(8), "u": _weights(8, 2, 1, 1), "z": np.array([0, 32]), "v": _weights(32, 5),
         "c": np.ones(5)},
    )  # fmt: skip
    points = tflite.points(graph, seen(graph), frozenset())
    assert [(w.layer, w.input, w.weight, w.axis, w.bias) for w in points.weights] == [
        ("a", "x", "w", 0, "b"), ("t", "r", "u", 1, None), ("m", "f", "v", 1, "c"),
    ]  # fmt: skip
    assert points.layers == ("a", "t", "m")  # the Reshape only moves numbers
    kept = tflite.points(graph, seen(graph), frozenset({"r"}))
    assert [w.layer for w in kept.weights] == ["t", "m"]  # a fused activation keeps its convolution float


def test_many_parts_are_joined_in_steps_that_xnnpack_takes(tmp_path: Path) -> None:
    text = "g (float[N,4,3,3] x) => (float[N,a,b,c] y) { p = Conv (x, w) y = Concat <axis=1> (p, x, p, x, p, x, p) }"
    graph = quantized(graph_from_text(text, {"w": _weights(4, 4, 1, 1)}))
    artifact, session = written(graph, tmp_path, "int8")
    assert kinds(session)["CONCATENATION"] == 2
    assert session.facts["delegated"] == 1
    assert parity_db(graph, artifact, session) >= 45  # as above


@pytest.mark.parametrize("widest", range(7))
def test_many_parts_of_which_one_is_far_wider(widest: int, tmp_path: Path) -> None:
    parts = "".join(f" p{i} = Conv (x, w{i})" for i in range(7))
    text = f"g (float[N,4,3,3] x) => (float[N,a,b,c] y) {{ {parts} y = Concat <axis=1> ({', '.join(f'p{i}' for i in range(7))}) }}"
    weights = {f"w{i}": _weights(4, 4, 1, 1) * (1.0 if i == widest else 0.013) for i in range(7)}
    graph = quantized(graph_from_text(text, weights))
    artifact, session = written(graph, tmp_path, "int8")
    assert kinds(session)["QUANTIZE"] == 1 + 6  # the input, and all narrow ones
    assert parity_db(graph, artifact, session) >= 35  # XNNPACK has 8 bits of fraction for a factor of 0.013: a step here and there


def test_a_clip_of_a_wide_value_is_as_fine_as_its_result(tmp_path: Path) -> None:
    text = "g (float[N,4,6,6] x) => (float[N,a,b,c] y) { p = Conv (x, w) y = Clip (p, low, high) }"
    weights = {"w": 20 * _weights(4, 4, 1, 1), "low": np.array(-3.3, np.float32), "high": np.array(3, np.float32)}
    graph = quantized(graph_from_text(text, weights))
    artifact, session = written(graph, tmp_path, "int8")
    assert kinds(session)["MAXIMUM"] == kinds(session)["MINIMUM"] == 1
    assert parity_db(graph, artifact, session) == np.inf  # -3.3 is none of the numbers of the convolution, whose steps are 0.61


def test_every_second_channel_needs_one_transpose(tmp_path: Path) -> None:
    graph = quantized(graph_from_text(
        """g (float[N,6,4,4] x) => (float[N,a,b,c] y, float[N,d,e,f] z) {
        y = Slice (x, zero, big, one, two)  z = Slice (x, one, big, one, two) }""",
        {"zero": np.array([0]), "one": np.array([1]), "two": np.array([2]), "big": np.array([6])},
    ))  # fmt: skip
    artifact, session = written(graph, tmp_path, "int8")
    assert kinds(session)["TRANSPOSE"] == 1
    assert session.facts["delegated"] == 1
    assert parity_db(graph, artifact, session) == np.inf  # numbers are moved, not computed


def test_scales_of_others_are_kept(tmp_path: Path) -> None:
    """uint8, scales that differ across a pool and a Concat, a sigmoid of another scale than TFLite's, weights with a zero point."""
    graph = graph_from_text(
        """g (float[N,4,6,6] x) => (float[N,a,b,c] y) { a = Conv (x, w)  m = MaxPool <kernel_shape=[2,2], strides=[2,2]> (a)
        s = Sigmoid (m)  y = Concat <axis=1> (m, s) }""",
        {"w": _weights(4, 4, 1, 1)},
    )  # fmt: skip
    values = {"x": affine(0.025, 120, "uint8"), "a": affine(0.03, 110, "uint8"), "m": affine(0.02, 90, "uint8"),
              "s": affine(0.004, 0, "uint8"), "y": affine(0.025, 100, "uint8")}  # fmt: skip
    graph = insert(graph, Quantization(values, {}, {"w": affine(0.012, 140, "uint8")}))
    artifact, session = written(graph, tmp_path, "int8", "uint8")
    assert (artifact.inputs[0].scale, artifact.inputs[0].zero_point) == (pytest.approx(0.025), 120)
    assert {p.layer for p in artifact.floats} == {"s"}
    assert parity_db(graph, artifact, session) >= 35  # the weights are rounded once more, to 255 symmetric steps: 45 dB


def test_a_graph_without_pairs_runs_in_float_and_says_so(tmp_path: Path) -> None:
    graph = net()
    artifact, session = written(graph, tmp_path, "int8")
    assert artifact.floats
    assert {t.dtype for t in (*artifact.inputs, *artifact.outputs)} == {"float32"}
    assert parity_db(graph, artifact, session) >= 100  # float32 rounding alone


@pytest.mark.parametrize(
    ("precision", "least_db", "most_bytes"), [("int8-dynamic", 35, 0.3), ("int8-weights", 38, 0.3), ("int4-weights", 12, 0.18)]
)
def test_integer_weights_alone(precision: str, least_db: float, most_bytes: float, tmp_path: Path) -> None:
    """Of two layers: 8 bits of weights give 42 dB, rounded inputs a little less; normal weights (largest 3.8 sigma) in 15 steps 13 dB."""
    graph = graph_from_text(
        """g (float[N,32,8,8] x) => (float[N,k] y) {
        a = Conv <pads=[1,1,1,1]> (x, w, b) r = Relu (a) f = Reshape (r, z) y = Gemm <transB=1> (f, u) }""",
        {"w": _weights(64, 32, 3, 3), "b": _weights(64, 1)[:, 0], "z": np.array([0, 4096]), "u": _weights(10, 4096)},
    )  # fmt: skip
    (tmp_path / "float").mkdir()
    whole, _ = written(graph, tmp_path / "float")
    artifact, session = written(graph, tmp_path, precision)
    assert artifact.path.stat().st_size <= most_bytes * whole.path.stat().st_size
    assert parity_db(graph, artifact, session) >= least_db
    assert (session.facts["delegated"] == 1) == (precision != "int4-weights")


def test_int4_of_a_model_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedOpError, match="nothing to store in int4"):
        tflite.write(graph_from_text(*CASES["Relu"]), tmp_path, WriteOptions("int4-weights"))
