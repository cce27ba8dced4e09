"""ONNX files: names, layout, precision, opset, bytes."""

# ruff: noqa: E501 - graphs as text

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from exporter.errors import UnsupportedOpError, UsageError
from exporter.formats import load_writer
from exporter.formats.artifact import Artifact, WriteOptions
from exporter.formats.onnx import stream
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.runtimes.onnxruntime import Session
from tests.graphs import graph_from_text, random_inputs

RNG = np.random.default_rng(5)
NET = """g (float[N,4,8,8] x) => (float[N,8,8,8] y, float[N,8] z) {
    a = mexport.ChannelShuffle <group = 2> (x) b = Conv <pads = [1, 1, 1, 1]> (a, w, bias) c = HardSwish (b) y = Gelu (c)
    m = ReduceMean <keepdims = 0> (y, axes) n = Mish (m) z = Gemm <transB = 1> (n, dense) }"""
INITS = {"w": RNG.standard_normal((8, 4, 3, 3)) / 6, "bias": RNG.random(8), "axes": np.array([2, 3]), "dense": RNG.standard_normal((8, 8))}


def net(perm: tuple[int, ...] = (0, 3, 1, 2)) -> Graph:
    graph = graph_from_text(NET, INITS)
    graph.inputs = (replace(graph.inputs[0], perm=perm, source_name="pictures"),)
    graph.outputs = (replace(graph.outputs[0], perm=perm, source_name="maps"), replace(graph.outputs[1], source_name="x"))
    return graph


def error(graph: Graph, artifact: Artifact) -> float:
    """The largest difference of the file's outputs and taps from the Graph's values, relative to each one's largest value."""
    samples = random_inputs(graph)
    session = Session(str(artifact.path))
    feeds = {t.name: t.from_graph(samples[t.graph_name]) for t in artifact.inputs}
    tensors = [*artifact.outputs, *artifact.taps.values()]
    _, got = session.run(feeds, [t.name for t in tensors])
    wanted = evaluate(graph, samples, [t.graph_name for t in tensors])
    worst = 0.0
    for tensor in tensors:
        expected = wanted[tensor.graph_name]
        found = tensor.to_graph(got[tensor.name], expected.shape)
        worst = max(worst, float(np.abs(found.astype(np.float32) - expected).max() / np.abs(expected).max()))
    return worst


@pytest.mark.parametrize(("layout", "shape", "turns"), [(None, (1, 8, 8, 4), 2), ("nhwc", (1, 8, 8, 4), 2), ("nchw", (1, 4, 8, 8), 0)])
def test_names_and_layout(tmp_path: Path, layout, shape, turns):
    artifact = load_writer("onnx").write(net(), tmp_path, WriteOptions(layout=layout))
    model = onnx.load(artifact.path)
    onnx.checker.check_model(model, full_check=True)
    assert [i.name for i in model.graph.input] == ["pictures"]
    assert [o.name for o in model.graph.output] == ["maps", "x"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    assert artifact.inputs[0].shape == shape
    shuffles = 1
    assert sum(n.op_type == "Transpose" for n in model.graph.node) == turns + shuffles
    assert {d.domain for d in model.opset_import} == {""}
    assert not model.functions
    assert len({n.name for n in model.graph.node}) == len(model.graph.node)
    # 1e-6: the same operators in the same engine, fused differently
    assert error(net(), artifact) < 1e-6


@pytest.mark.parametrize("opset", [13, 15, 17, 19, 20, 21])
def test_opsets(tmp_path: Path, opset: int):
    artifact = load_writer("onnx").write(net(), tmp_path, WriteOptions(opset=opset))
    model = onnx.load(artifact.path)
    assert model.opset_import[0].version == opset
    onnx.checker.check_model(model, full_check=True)
    # 2e-6: Gelu and Mish are written in several operators, each rounded
    assert error(net(), artifact) < 2e-6


def test_opsets_that_cannot_be(tmp_path: Path):
    with pytest.raises(UsageError, match="opset 9 cannot be written, 13 to 23 can"):
        load_writer("onnx").write(net(), tmp_path, WriteOptions(opset=9))
    graph = graph_from_text("g (float[N,4] x) => (float[N,4] y) { y = LayerNormalization (x, s) }", {"s": np.ones(4)})
    with pytest.raises(UsageError, match="LayerNormalization"):
        load_writer("onnx").write(graph, tmp_path, WriteOptions(opset=13))


def test_half_precision(tmp_path: Path):
    artifact = load_writer("onnx").write(net(), tmp_path, WriteOptions(precision="fp16"))
    model = onnx.load(artifact.path)
    onnx.checker.check_model(model, full_check=True)
    kinds = {t.data_type for t in model.graph.initializer}
    assert onnx.TensorProto.FLOAT not in kinds
    assert {v.type.tensor_type.elem_type for v in (*model.graph.input, *model.graph.output)} == {onnx.TensorProto.FLOAT}
    # 1e-2: float16 has 11 bits, and errors add up over the layers
    assert error(net(), artifact) < 1e-2


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_zeros_before_a_max_pool_stay_zeros(tmp_path: Path, precision: str):
    text = "g (float[N,1,4,4] x) => (float[N,1,3,3] y) { n = Abs (x) m = Neg (n) p = Pad (m, pads) y = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (p) }"
    graph = graph_from_text(text, {"pads": np.array([0, 0, 2, 2, 0, 0, 0, 0])})
    artifact = load_writer("onnx").write(graph, tmp_path, WriteOptions(precision=precision))
    _, got = Session(str(artifact.path)).run({"x": random_inputs(graph)["x"]})
    # 1e-7: the pads are the least number above 0 that the precision has
    assert np.abs(got["y"][0, 0, 0]).max() < 1e-7
    assert (got["y"][0, 0, 1:, 1:] < 0).all()


def test_same_bytes_and_the_graph_left_alone(tmp_path: Path):
    graph, files = net(), []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        files.append(load_writer("onnx").write(graph, tmp_path / folder, WriteOptions()).path.read_bytes())
    assert files[0] == files[1]
    assert {p.name for p in graph.inputs} == {"x"}
    assert graph.nodes[0].op_type == "ChannelShuffle"


def test_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    writer = load_writer("onnx")
    with pytest.raises(UsageError, match="unknown precision of onnx: int4"):
        writer.write(net(), tmp_path, WriteOptions(precision="int4"))
    with pytest.raises(UsageError, match="unknown layout: chwn"):
        writer.write(net(), tmp_path, WriteOptions(layout="chwn"))
    monkeypatch.setattr(stream, "LIMIT", 1000)
    with pytest.raises(UsageError, match="at most 2 GiB"):
        writer.write(net(), tmp_path, WriteOptions())
    strange = graph_from_text("g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }")
    strange.nodes[0].domain, strange.nodes[0].name = "com.other", "odd"
    assert [(p.layer, p.op, p.fatal) for p in writer.check(strange)] == [("odd", "com.other.Relu", True)]
    with pytest.raises(UnsupportedOpError, match=r"odd \(com.other.Relu\)"):
        writer.write(strange, tmp_path, WriteOptions())
