"""Quantized ONNX files as sources: pairs and operators on integers, as onnxruntime's own quantizer writes them."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from exporter.array import Array
from exporter.errors import SourceError
from exporter.formats import load_writer
from exporter.formats.artifact import WriteOptions
from exporter.graph import Graph
from exporter.graph.carry import changed
from exporter.graph.evaluate import evaluate
from exporter.graph.strip import is_quantized, strip
from exporter.passes.run import clean, fold
from exporter.runtimes.onnxruntime import Session
from exporter.sources.open import open_source
from tests.graphs import graph_from_text, random_inputs

RNG = np.random.default_rng(8)
NET = """g (float[N,4,8,8] x) => (float[N,5] y) {
    c = Conv <pads = [1, 1, 1, 1]> (x, w, b) r = Relu (c) d = Conv <group = 8, pads = [1, 1, 1, 1]> (r, dw) s = Add (r, d)
    m = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (s) t = Concat <axis = 1> (m, m) l = Sigmoid (t) k = Mul (t, l)
    p = GlobalAveragePool (k) f = Reshape (p, shape) y = Gemm <transB = 1> (f, g, h) }"""
INITS = {
    "w": RNG.standard_normal((8, 4, 3, 3)) / 6, "b": RNG.random(8), "dw": RNG.standard_normal((8, 1, 3, 3)) / 3,
    "g": RNG.standard_normal((5, 16)), "h": RNG.random(5), "shape": np.array([0, -1]),
}  # fmt: skip


class _Reader(CalibrationDataReader):
    def __init__(self, name: str, x: Array) -> None:
        self.samples: Iterator[dict[str, Array]] = iter([{name: one[None]} for one in x])

    def get_next(self) -> dict[str, Array]:
        return next(self.samples, {})


def quantized(tmp_path: Path, form: str, **how: Any) -> tuple[Path, Array]:
    """The net as onnxruntime quantizes it, and the samples that it was calibrated on."""
    graph = graph_from_text(NET, INITS)
    x = random_inputs(graph, samples=6)["x"]
    return quantized_as(graph, tmp_path, x, quant_format=QuantFormat[form], **how), x


def quantized_as(graph: Graph, folder: Path, x: Array, **how: Any) -> Path:
    """A Graph with one input `x` as onnxruntime quantizes it."""
    logging.getLogger().setLevel(logging.ERROR)
    plain = load_writer("onnx").write(graph, folder, WriteOptions()).path
    path = folder / "quantized.onnx"
    quantize_static(str(plain), str(path), _Reader("x", x), **how)
    return path


def finished(graph: Graph) -> Graph:
    def finish(plain: Graph) -> None:
        clean(plain)
        fold(plain)

    return changed(graph, finish)


def sqnr_db(reference: Array, got: Array) -> float:
    noise = float(((reference - got) ** 2).sum())
    return float("inf") if noise == 0 else 10 * float(np.log10((reference**2).sum() / noise))


def test_activations_left_to_the_integers_are_there_without_them(tmp_path: Path) -> None:
    """onnxruntime's quantizer drops a Relu or Clip before a range that begins at 0."""
    graph = graph_from_text(
        """g (float[N,4,8,8] x) => (float[N,8,8,8] y) {
        c = Conv <pads = [1, 1, 1, 1]> (x, w, b) r = Relu (c) d = Conv <pads = [1, 1, 1, 1]> (r, v) s = Clip (d, zero, six)
        y = Conv <pads = [1, 1, 1, 1]> (s, v) }""",
        {"w": INITS["w"], "b": INITS["b"], "v": RNG.standard_normal((8, 8, 3, 3)), "zero": np.array(0.0), "six": np.array(6.0)},
    )  # fmt: skip
    x = random_inputs(graph, samples=6)["x"]
    path = quantized_as(graph, tmp_path, x, activation_type=QuantType.QUInt8, per_channel=True)
    left = [n.op_type for n in onnx.load(path).graph.node]
    assert "Relu" not in left
    assert "Clip" not in left
    with open_source(path) as source:
        real = strip(source.load())[0]
    assert [n.op_type for n in real.nodes if n.op_type in ("Relu", "Clip")] == ["Relu", "Clip"]
    assert sqnr_db(evaluate(graph, {"x": x})["y"], evaluate(real, {"x": x})["y"]) > 30  # weights of 8 bits have some 40 dB


FORMS: list[dict[str, Any]] = [
    {},
    {"per_channel": True, "activation_type": QuantType.QUInt8},
    {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QUInt8, "extra_options": {"WeightSymmetric": False}},
]


@pytest.mark.parametrize("how", FORMS, ids=["s8", "u8 per channel", "u8, asymmetric weights"])
@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
def test_what_was_quantized_stays_so(tmp_path: Path, form: str, how: dict[str, Any]) -> None:
    path, x = quantized(tmp_path, form, **how)
    with open_source(path) as source:
        raw, reference = source.load(), source.reference({"x": x})["y"]
    graph = finished(raw)
    assert is_quantized(raw)
    plain, quantization = strip(graph)
    assert not is_quantized(plain)
    assert {"w", "dw", "g"} == {n.removesuffix("_DequantizeLinear_Output").split("/")[-1].split("_")[0] for n in weights(plain)}
    assert len(quantization.constants) == len(weights(plain)) + 2  # the biases of w and g
    assert quantization.values["x"].dtype == ("int8" if not how else "uint8")
    # Pairs computed in float are the source's own definition: equal but for the order of sums and the ties that it decides, at most
    # one step of one value in a thousand. The integer kernels of the second form may saturate sums in 16 bits besides (25 dB).
    assert sqnr_db(reference, evaluate(raw, {"x": x})["y"]) > (60 if form == "QDQ" else 25)
    assert sqnr_db(evaluate(raw, {"x": x})["y"], evaluate(graph, {"x": x})["y"]) > 60
    artifact = load_writer("onnx").write(graph, tmp_path, WriteOptions("int8"))
    session = Session(str(artifact.path))
    got = np.concatenate([session.run({"x": one[None]})[1]["y"] for one in x])
    assert sqnr_db(evaluate(graph, {"x": x})["y"], got) > 40


def weights(graph: Graph) -> list[str]:
    """Constants that are read as weights."""
    return sorted({str(n.inputs[1].name) for n in graph.nodes if n.op_type in ("Conv", "Gemm", "MatMul") and n.inputs[1] is not None})


PARAMETERS = {"s": np.float32(0.1), "z": np.uint8(7), "s2": np.float32(0.2)}


def saved(tmp_path: Path, text: str, **inits: Array) -> Path:
    proto = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]> {text}')
    for name, array in {**PARAMETERS, **inits}.items():
        proto.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array), name))
    onnx.save(proto, tmp_path / "small.onnx")
    return tmp_path / "small.onnx"


def test_operators_on_integers_between_move_floats(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        """g (float[N,2,4,4] x) => (float[N,2,2,2] y) { q = QuantizeLinear (x, s, z) t = Transpose <perm = [0, 1, 3, 2]> (q)
        m = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (t) y = DequantizeLinear (m, s, z) }""",
    )
    x = RNG.uniform(-2, 10, (3, 2, 4, 4)).astype(np.float32)
    with open_source(path) as source:
        graph, reference = source.load(), source.reference({"x": x})["y"]
    plain, quantization = strip(graph)
    assert [n.op_type for n in plain.nodes] == ["Transpose", "MaxPool"]
    assert len(quantization.values) == 3
    assert np.array_equal(evaluate(graph, {"x": x})["y"], reference)  # the same float32 product of the same integer


def test_an_integer_input_is_dequantized_by_floats(tmp_path: Path) -> None:
    path = saved(tmp_path, "g (uint8[N,3] x) => (float[N,3] y) { d = DequantizeLinear (x, s, z) y = Relu (d) }")
    x = np.array([[0, 7, 255], [8, 100, 3]], np.float32)
    with open_source(path) as source:
        graph, reference = source.load(), source.reference({"x": x})["y"]
    assert graph.inputs[0].dtype == "uint8"
    # 1e-6: two float32 roundings of numbers up to 25
    assert np.abs(evaluate(graph, {"x": x})["y"] - reference).max() <= 25 * 1e-6


def test_one_scale_said_once_a_channel_is_one(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        """g (float[N,3] x) => (float[N,3] y, float[N,3] v) { e = Exp (x) q = QuantizeLinear (e, s, z) y = DequantizeLinear (q, s, z)
        d = DequantizeLinear <axis = 1> (q, ss, zz) v = Sqrt (d) }""",
        ss=np.full(3, 0.1, np.float32),
        zz=np.full(3, 7, np.uint8),
    )
    x = RNG.uniform(-2, 3, (4, 3)).astype(np.float32)
    with open_source(path) as source:
        graph, reference = source.load(), source.reference({"x": x})
    got = evaluate(graph, {"x": x})
    assert all(np.array_equal(reference[name], got[name]) for name in ("y", "v"))  # the same float32 product of the same integer


def test_weights_by_blocks_become_float(tmp_path: Path) -> None:
    stored = RNG.integers(-8, 8, (6, 5)).astype(np.int8)
    scales = RNG.uniform(0.1, 0.2, (3, 5)).astype(np.float32)
    path = saved(
        tmp_path,
        "g (float[N,6] x) => (float[N,5] y) { w = DequantizeLinear <axis = 0, block_size = 2> (wq, ws) y = MatMul (x, w) }",
        wq=stored,
        ws=scales,
    )
    x = RNG.standard_normal((2, 6)).astype(np.float32)
    with open_source(path) as source:
        graph, reference = source.load(), source.reference({"x": x})["y"]
    assert not is_quantized(graph)
    # 1e-5: a float32 sum of six products of about 1
    assert np.abs(evaluate(graph, {"x": x})["y"] - reference).max() < 1e-5


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("g (float[N,3] x) => (uint8[N,3] y) { r = Relu (x) y = QuantizeLinear (r, s, z) }", "output y"),
        ("g (float[N,3] x) => (float[N,3] y) { q = QuantizeLinear (x, s, z) y = DequantizeLinear (q, s2, z) }", r"y \(DequantizeLinear\)"),
        ("g (float[N,3] x) => (float[N,3] y) { q = QuantizeLinear (x, s, z) c = Cast <to = 1> (q) y = Relu (c) }", r"c \(Cast\)"),
    ],
    ids=["integer output", "other scale", "computed on"],
)
def test_integers_without_a_float_form_are_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    with open_source(saved(tmp_path, text)) as source, pytest.raises(SourceError, match=named):
        source.load()
