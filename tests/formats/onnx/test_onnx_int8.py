"""int8 ONNX files: what stands in them, and what onnxruntime makes of them."""

# ruff: noqa: E501 - graphs as text

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from exporter.array import Array
from exporter.errors import UsageError
from exporter.formats import load_writer
from exporter.formats.artifact import Artifact, WriteOptions
from exporter.formats.onnx import points
from exporter.formats.points import Points
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.graph.qdq import Quantization, affine, insert
from exporter.quantization.assign import assign
from exporter.quantization.unshare import unshare
from exporter.runtimes.onnxruntime import Session
from tests.graphs import graph_from_text, random_inputs

RNG = np.random.default_rng(3)


def W(*shape: int) -> Array:  # noqa: N802 - a weight
    array: Array = RNG.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
    return array


def ranges(graph: Graph, samples: dict[str, Array]) -> dict[str, tuple[float, float]]:
    inner = [str(o.name) for n in graph.nodes for o in n.outputs]
    seen = {**samples, **evaluate(graph, samples, inner)}
    return {name: (float(x.min()), float(x.max())) for name, x in seen.items()}


def quantize(graph: Graph, samples: dict[str, Array], keep: frozenset[str] = frozenset(), io: str = "float32") -> tuple[Graph, Points]:
    """The Graph with pairs, by smallest and largest number."""
    seen = ranges(graph, samples)
    copy = graph.clone()
    found = unshare(copy, points(graph, seen, keep, io))
    return insert(copy, assign(copy, found, seen)), found


def run(artifact: Artifact, samples: dict[str, Array], names: list[str] | None = None) -> dict[str, Array]:
    """Outputs, or taps, by Graph name in Graph layout."""
    session = Session(str(artifact.path))
    every = {t.graph_name: t for t in (*artifact.taps.values(), *artifact.outputs)}
    tensors = [t for name, t in every.items() if names is None or name in names]
    count = len(next(iter(samples.values())))
    parts: dict[str, list[Array]] = {t.graph_name: [] for t in tensors}
    for i in range(count):
        feeds = {t.name: t.from_graph(samples[t.graph_name][i : i + 1]) for t in artifact.inputs}
        got = session.run(feeds, [t.name for t in tensors])[1]
        for t in tensors:
            shape = [t.shape[t.perm.index(a)] for a in range(len(t.perm))]
            parts[t.graph_name].append(t.to_graph(got[t.name], (1, *shape[1:])))
    return {name: np.concatenate(p) for name, p in parts.items()}


def kernels(path: Path) -> Counter[str]:
    """What onnxruntime runs under default options."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    optimised = path.with_name("optimised.onnx")
    options.optimized_model_filepath = str(optimised)
    ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return Counter(n.op_type for n in onnx.load(optimised).graph.node)


def sqnr_db(reference: Array, got: Array) -> float:
    noise = float(((reference.astype(np.float64) - got) ** 2).sum())
    return float("inf") if noise == 0 else 10 * float(np.log10((reference.astype(np.float64) ** 2).sum() / noise))


RESIDUAL = """g (float[N,4,8,8] x) => (float[N,5] y) {
    c = Conv <pads = [1, 1, 1, 1]> (x, w, b) r = Relu (c) d = Conv <group = 8, pads = [1, 1, 1, 1]> (r, dw) e = Clip (d, low, high)
    s = Add (r, e) m = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (s) q = Pad (m, pads) t = Concat <axis = 1> (q, q)
    a = mexport.ChannelShuffle <group = 2> (t) l = Sigmoid (a) k = Mul (a, l) v = Conv (k, u) p = GlobalAveragePool (v)
    f = Reshape (p, shape) z = Gemm <transB = 1> (f, g, h) y = Softmax (z) }"""
CONSTANTS: dict[str, Array] = {
    "w": W(8, 4, 3, 3), "b": RNG.random(8), "dw": W(8, 1, 3, 3), "low": np.array(0.0), "high": np.array(6.0), "u": W(6, 16, 1, 1),
    "pads": np.array([0, 0, 1, 1, 0, 0, 0, 0]), "shape": np.array([0, -1]), "g": W(5, 6), "h": RNG.random(5),
}  # fmt: skip


def residual() -> tuple[Graph, dict[str, Array]]:
    graph = graph_from_text(RESIDUAL, CONSTANTS)
    return graph, random_inputs(graph, samples=4)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_nothing_but_integer_kernels_between_input_and_last_product(tmp_path: Path, layout: str) -> None:
    graph, samples = residual()
    quantized, _ = quantize(graph, samples)
    artifact = load_writer("onnx").write(quantized, tmp_path, WriteOptions("int8", layout=layout))
    found = kernels(artifact.path)
    assert found["QLinearConv"] == 3
    assert found["QGemm"] == 1
    assert not {"Conv", "Gemm", "MatMul", "Add", "Mul", "Sigmoid", "Relu", "Clip"} & found.keys()
    assert found["QuantizeLinear"] == 1
    assert found["DequantizeLinear"] == 0  # the last product gives float numbers itself
    # Rounding of ties: a float sum decides a few otherwise than an integer sum, 1 step of 256 each
    assert sqnr_db(evaluate(quantized, samples)["y"], run(artifact, samples, ["y"])["y"]) > 40


def test_a_pair_behind_a_relu_replaces_it(tmp_path: Path) -> None:
    graph, samples = residual()
    quantized, found = quantize(graph, samples)
    rounded = {v for g in found.groups for v in g.values}
    assert {"c", "d"} & rounded == set()
    assert {"r", "e"} <= rounded
    artifact = load_writer("onnx").write(quantized, tmp_path, WriteOptions("int8"))
    assert not {"Relu", "Clip"} & {n.op_type for n in onnx.load(artifact.path).graph.node}


def test_a_range_that_leaves_a_relu_some_work_keeps_it(tmp_path: Path) -> None:
    graph = graph_from_text("g (float[N,3] x) => (float[N,3] y) { y = Relu (x) }")
    quantized = insert(graph, Quantization({"y": affine(0.1, 100, "uint8")}))
    artifact = load_writer("onnx").write(quantized, tmp_path, WriteOptions("int8"))
    samples = {"x": np.array([[-3, -0.04, 2]], np.float32)}
    assert np.array_equal(run(artifact, samples, ["y"])["y"], evaluate(quantized, samples)["y"])
    assert "Relu" in kernels(artifact.path)


def test_what_shares_a_scale() -> None:
    _, found = quantize(*residual())
    groups = {v: set(g.values) for g in found.groups for v in g.values}
    assert groups["s"] == {"s", "m", "q", "t", "a"}  # MaxPool, Pad, Concat and the shuffle move integers
    assert groups["p"] == {"p", "f"}
    assert "y" not in groups
    assert "z" not in groups


def test_light_layers_have_uint8_weights() -> None:
    _, found = quantize(*residual())
    kinds = {w.layer: (w.dtype, w.pairs) for w in found.weights}
    assert kinds["z"] == ("uint8", None)  # 30 of some 25,000 products
    assert kinds["c"] == ("int8", (2, 3, 1))
    assert kinds["d"] == ("int8", None)  # a kernel for single channels, exact whatever the weights


def test_a_concat_does_not_undo_a_relu() -> None:
    text = """g (float[N,3,4,4] x) => (float[N,2,4,4] y) { a = Conv (x, w) r = Relu (a) b = Conv (x, v) t = Concat <axis = 1> (r, b) y = Conv (t, u) }"""
    graph = graph_from_text(text, {"w": W(4, 3, 1, 1), "v": W(4, 3, 1, 1), "u": W(2, 8, 1, 1)})
    _, found = quantize(graph, random_inputs(graph, samples=2))
    groups = {v: set(g.values) for g in found.groups for v in g.values}
    assert groups["t"] == {"t"}
    assert groups["r"] == {"r"}


def test_layers_kept_float_are_islands(tmp_path: Path) -> None:
    graph, samples = residual()
    quantized, found = quantize(graph, samples, frozenset({"d", "z"}))
    assert not {"d", "z"} & set(found.layers)
    artifact = load_writer("onnx").write(quantized, tmp_path, WriteOptions("mixed"))
    counted = kernels(artifact.path)
    assert counted["Gemm"] + counted["FusedGemm"] == 1
    assert counted["QLinearConv"] == 2
    # as above
    assert sqnr_db(evaluate(quantized, samples)["y"], run(artifact, samples, ["y"])["y"]) > 40


@pytest.mark.parametrize("opset", [13, 17, 19, 21, 23])
def test_opsets(tmp_path: Path, opset: int) -> None:
    graph, samples = residual()
    quantized, _ = quantize(graph, samples)
    artifact = load_writer("onnx").write(quantized, tmp_path, WriteOptions("int8", opset=opset))
    onnx.checker.check_model(onnx.load(artifact.path), full_check=True)
    assert not {"Conv", "Gemm"} & kernels(artifact.path).keys()
    # as above
    assert sqnr_db(evaluate(quantized, samples)["y"], run(artifact, samples, ["y"])["y"]) > 40


def test_same_bytes_twice(tmp_path: Path) -> None:
    graph, samples = residual()
    quantized, _ = quantize(graph, samples)
    files = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        files.append(load_writer("onnx").write(quantized, tmp_path / name, WriteOptions("int8")).path.read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("io", ["int8", "uint8"])
def test_integer_inputs_and_outputs(tmp_path: Path, io: str, layout: str) -> None:
    graph, samples = residual()
    quantized, _ = quantize(graph, samples, io=io)
    artifact = load_writer("onnx").write(quantized, tmp_path, WriteOptions("int8", io=io, layout=layout))
    model = onnx.load(artifact.path)
    wanted = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(io))
    assert {v.type.tensor_type.elem_type for v in (*model.graph.input, *model.graph.output)} == {wanted}
    assert all(t.dtype == io and t.scale for t in (*artifact.inputs, *artifact.outputs))
    assert not {"Conv", "Gemm"} & kernels(artifact.path).keys()
    # the outputs are rounded in both, to 256 steps
    assert sqnr_db(evaluate(quantized, samples)["y"], run(artifact, samples, ["y"])["y"]) > 40


def test_float_outputs_cannot_be_integers(tmp_path: Path) -> None:
    quantized, _ = quantize(*residual())
    with pytest.raises(UsageError, match="y"):
        load_writer("onnx").write(quantized, tmp_path, WriteOptions("int8", io="int8"))
    with pytest.raises(UsageError, match="int9"):
        load_writer("onnx").write(quantized, tmp_path, WriteOptions("int8", io="int9"))


def test_taps_are_rounded_values_by_their_names(tmp_path: Path) -> None:
    graph, samples = residual()
    quantized, found = quantize(graph, samples)
    artifact = load_writer("onnx").write(quantized, tmp_path, WriteOptions("int8"))
    names = {v for g in found.groups for v in g.values} - {"x"}
    assert names <= artifact.taps.keys()
    assert not any(name.endswith("__raw") for name in artifact.taps)
    got, wanted = run(artifact, samples, sorted(names)), evaluate(quantized, samples, sorted(names))
    for name in names:
        # ties, as above; each layer hands on those of the layers before it
        assert sqnr_db(wanted[name], got[name]) > 35, name
