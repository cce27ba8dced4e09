"""Files whose weights alone are integers, and products that quantize their input as they run."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from exporter.errors import UnsupportedOpError, UsageError
from exporter.formats import load_writer
from exporter.formats.artifact import WriteOptions
from exporter.formats.onnx.weights import BLOCK, by_blocks, channel_scale, rounded
from exporter.graph import Graph, const
from exporter.graph.evaluate import evaluate
from tests.formats.onnx.test_onnx_int8 import W, kernels, run, sqnr_db
from tests.graphs import graph_from_text, random_inputs

NET = """g (float[N,4,6,6] x) => (float[N,70] y) { c = Conv <pads = [1, 1, 1, 1]> (x, w, b) r = Relu (c) t = ConvTranspose (r, v)
    p = GlobalAveragePool (t) f = Reshape (p, shape) g1 = Gemm <transB = 1> (f, g, h) k = Relu (g1) y = MatMul (k, m) }"""
INITS = {
    "w": W(16, 4, 3, 3), "b": W(16), "v": W(16, 80, 2, 2), "shape": np.array([0, -1]), "g": W(40, 80), "h": W(40), "m": W(70, 40).T.copy(),
}  # fmt: skip


def net() -> Graph:
    return graph_from_text(NET, INITS)


KERNELS = {"int8-weights": ("MatMulNBits", 2), "int4-weights": ("MatMulNBits", 2), "int8-dynamic": ("DynamicQuantizeMatMul", 2)}


@pytest.mark.parametrize("precision", KERNELS)
def test_weights_are_integers_and_kernels_take_them(tmp_path: Path, precision: str) -> None:
    graph = net()
    artifact = load_writer("onnx").write(graph, tmp_path, WriteOptions(precision))
    model = onnx.load(artifact.path)
    onnx.checker.check_model(model, full_check=True)
    kind = onnx.TensorProto.INT4 if precision == "int4-weights" else onnx.TensorProto.INT8
    sizes = sorted(int(np.prod(t.dims)) for t in model.graph.initializer if t.data_type == kind and len(t.dims) > 1)
    dense = [40 * 70, 40 * 80]
    assert sizes == sorted(dense if precision == "int4-weights" else [16 * 4 * 9, 16 * 80 * 4, *dense])
    op, count = KERNELS[precision]
    found = kernels(artifact.path)
    assert found[op] == count
    assert not {"DequantizeLinear", "Cast", "Gemm", "FusedGemm", "MatMul"} & found.keys()  # nothing is dequantized at every inference
    samples = random_inputs(graph, samples=3)
    # of 8 bits a rounding of 1/254 of the largest weight, some 3.5 deviations: 40 dB a layer; of 4 bits 24 dB less
    least = 18 if precision == "int4-weights" else 32
    assert sqnr_db(evaluate(graph, samples)["y"], run(artifact, samples, ["y"])["y"]) > least
    again = load_writer("onnx").write(graph, tmp_path, WriteOptions(precision))
    assert onnx.load(again.path) == model


def test_numbers_of_a_byte_are_the_nearest() -> None:
    weight = W(50, 7)
    scale = channel_scale(weight, 1)
    assert np.abs(rounded(weight, scale) * scale - weight).max() <= scale.max() * 0.5001  # half a step, and the rounding of its float32
    assert channel_scale(np.zeros((3, 2)), 1).tolist() == [1, 1]


@pytest.mark.parametrize("inputs", [BLOCK, 2 * BLOCK, 2 * BLOCK + 5])
def test_a_scale_a_block_is_the_best_of_those_tried(inputs: int) -> None:
    weight = W(9, inputs).T
    stored, scale = by_blocks(weight)
    assert stored.shape == weight.shape
    assert scale.shape == (-(-inputs // BLOCK), 9)
    assert stored.min() >= -8
    assert stored.max() <= 7
    plain = np.repeat([np.abs(weight[i : i + BLOCK]).max(axis=0) / 7 for i in range(0, inputs, BLOCK)], BLOCK, axis=0)[:inputs]
    error = ((stored * np.repeat(scale, BLOCK, axis=0)[:inputs] - weight) ** 2).sum()
    assert error <= ((np.rint(weight / plain) * plain - weight) ** 2).sum()


def test_blocks_that_do_not_come_out_even(tmp_path: Path) -> None:
    graph = graph_from_text("g (float[N,69] x) => (float[N,11] y) { y = MatMul (x, w) }", {"w": W(11, 69).T.copy()})
    artifact = load_writer("onnx").write(graph, tmp_path, WriteOptions("int4-weights"))
    stored, scale = by_blocks(np.asarray(const(graph.model.graph.initializers["w"])))
    samples = random_inputs(graph, samples=2)
    wanted = samples["x"] @ (stored * np.repeat(scale, BLOCK, axis=0)[:69])
    # 40 dB: the kernel rounds the input to int8 by blocks, 1/254 of the largest of each; a wrong block would leave none
    assert sqnr_db(wanted, run(artifact, samples, ["y"])["y"]) > 40


@pytest.mark.parametrize("precision", ["int4-weights", "int8-dynamic"])
def test_refused_without_a_dense_layer(tmp_path: Path, precision: str) -> None:
    graph = graph_from_text("g (float[N,4,6,6] x) => (float[N,16,4,4] y) { y = Conv (x, w) }", {"w": W(16, 4, 3, 3)})
    with pytest.raises(UnsupportedOpError, match=f"{precision}.*no dense layer"):
        load_writer("onnx").write(graph, tmp_path, WriteOptions(precision))


def test_4_bits_need_opset_21(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="opset 17 has no 4-bit weights"):
        load_writer("onnx").write(net(), tmp_path, WriteOptions("int4-weights", opset=17))
    artifact = load_writer("onnx").write(net(), tmp_path, WriteOptions("int4-weights", opset=23))
    assert onnx.load(artifact.path).opset_import[0].version == 23


@pytest.mark.parametrize("opset", [13, 17, 21])
def test_bytes_in_other_opsets(tmp_path: Path, opset: int) -> None:
    artifact = load_writer("onnx").write(net(), tmp_path, WriteOptions("int8-dynamic", opset=opset))
    onnx.checker.check_model(onnx.load(artifact.path), full_check=True)
    assert kernels(artifact.path)["DynamicQuantizeMatMul"] == 2


def test_dynamic_sums_do_not_overflow(tmp_path: Path) -> None:
    """Inputs and weights all alike: what saturates x86's uint8 by int8 kernel first."""
    graph = graph_from_text("g (float[N,64] x) => (float[N,8] y) { y = MatMul (x, w) }", {"w": np.ones((64, 8))})
    artifact = load_writer("onnx").write(graph, tmp_path, WriteOptions("int8-dynamic"))
    x = np.full((1, 64), 2.0, np.float32)
    # half a step of 64 in the weights, the input is the end of its range
    assert np.abs(run(artifact, {"x": x}, ["y"])["y"] - 128).max() <= 128 / 126
