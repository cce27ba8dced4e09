import numpy as np
import pytest

from exporter.errors import ParityError
from exporter.formats import load_writer
from exporter.formats.artifact import WriteOptions
from exporter.parity import Limits
from exporter.proving.layers import compare_layers, first_divergence
from exporter.proving.proof import endings, fidelity, require, value_shapes
from exporter.runtimes.run import open_engine
from tests.graphs import graph_from_text, random_inputs

NET = """g (float[N,4] x) => (float[N,3] y) {
    a = Gemm <transB = 1> (x, w)
    r = Relu (a)
    b = Gemm <transB = 1> (r, v)
    y = Softmax <axis = 1> (b)
}"""


def weights(seed=0):
    rng = np.random.default_rng(seed)
    return {"w": rng.standard_normal((5, 4)).astype(np.float32), "v": rng.standard_normal((3, 5)).astype(np.float32)}


def test_outputs_that_end_in_an_activation():
    ending = endings(graph_from_text(NET, weights()))["y"]
    assert (ending.op, ending.value) == ("Softmax", "b")
    text = "g (float[N,4] x) => (float[N,2,2] y, float[N,4] z) { s = Sigmoid (x) y = Reshape (s, k) z = Relu (x) }"
    found = endings(graph_from_text(text, {"k": np.array([0, 2, 2])}))
    assert {name: e.op for name, e in found.items()} == {"y": "Sigmoid"}


def test_a_merged_batch_counts_for_one_sample():
    text = "g (float[N,6,4] x) => (float[N,6,4] y) { a = Reshape (x, k) b = Relu (a) y = Reshape (b, l) }"
    shapes = value_shapes(graph_from_text(text, {"k": np.array([-1, 4]), "l": np.array([-1, 6, 4])}))
    assert shapes["a"] == (6, 4)


@pytest.mark.parametrize("name", ["onnx", "tflite", "ncnn"])
def test_the_first_layer_that_differs_is_named(tmp_path, name):
    """The file is written from one graph and held against another, whose second product has other weights."""
    runtime = {"onnx": "onnxruntime", "tflite": "litert", "ncnn": "ncnn"}[name]
    graph, other = graph_from_text(NET, weights()), graph_from_text(NET, {**weights(), "v": weights(1)["v"]})
    artifact = load_writer(name).write(other, tmp_path, WriteOptions())
    options = dict.fromkeys(("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"), False) if name == "ncnn" else {}
    with open_engine(runtime, artifact.path, options=options) as engine:
        layers = compare_layers(graph, artifact, engine, random_inputs(graph, samples=2))
    first = first_divergence(layers, Limits(max_rel=1e-4))
    assert first is not None
    assert first.value == "b"
    right = [layer.value for layer in layers if layer.comparison.rel <= 1e-4]  # float32 rounding stays below
    assert right in (["a", "r"], ["r"])  # engines that fuse the activation have no value before it


def test_require_says_which_output_and_by_how_much():
    graph = graph_from_text(NET, weights())
    good = np.array([[0.2, 0.3, 0.5]], np.float32)
    require(fidelity(graph, {"y": good}, {"y": good}), Limits(max_rel=0), what="file", against="source")
    bad = np.array([[0.2, 0.3 + 1e-7, 0.5]], np.float32)
    hidden = np.array([[1e-20, 0.5, 0.5]], np.float32), np.array([[1e-12, 0.5, 0.5]], np.float32)
    assert fidelity(graph, {"y": good}, {"y": bad})["y"].breach(Limits(max_rel=1e-4)) is None
    with pytest.raises(ParityError, match=r"file differs from source: output y: before its final activation, rel .* first layer .*: b"):
        require(fidelity(graph, {"y": hidden[0]}, {"y": hidden[1]}), Limits(max_rel=1e-4), what="file", against="source", where="b")
