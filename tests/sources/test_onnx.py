"""ONNX files of many exporters become Graphs with a free batch that compute the same."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from exporter.array import Array
from exporter.graph import Graph, shape_of
from exporter.graph.evaluate import evaluate
from exporter.sources.onnx import load
from exporter.sources.onnx_reference import Session
from exporter.sources.options import LoadOptions
from tests.sources import operator_graphs, torch_graphs
from tests.sources.torch_graphs import W, model

SHAPE_ARITHMETIC = {"Shape", "Constant", "ConstantOfShape", "Range", "Size", "If"}
SAMPLES = 3


def samples(graph: Graph, seed: int = 1) -> tuple[dict[str, Array], dict[str, Array]]:
    """Uniform numbers (whole ones for integer inputs): in the Graph's layout and in the source's."""
    rng = np.random.default_rng(seed)
    values = {v.name: v for v in graph.model.graph.inputs}
    ours = {p.name: rng.random((SAMPLES, *shape_of(values[p.name])[1:]), np.float32) for p in graph.inputs}
    for port in graph.inputs:
        if "int" in port.dtype:
            ours[port.name] = np.floor(ours[port.name] * 255)
    return ours, {p.source_name: p.to_source(ours[p.name]) for p in graph.inputs}


def assert_same(path: Path, graph: Graph, options: LoadOptions | None = None, tolerance: float = 1e-5) -> None:
    """The Graph against onnxruntime on the file. Tolerance: float32 sums in another order; half precision has 11 bits."""
    ours, theirs = samples(graph)
    _, reference = Session(str(path), (options or LoadOptions()).to_json()).reference(theirs)
    got = evaluate(graph, ours)
    for port in graph.outputs:
        want = reference[port.source_name]
        assert got[port.name].shape == want.shape
        assert np.abs(got[port.name] - want).max() <= tolerance * max(np.abs(want).max(), 1e-3)


CASES = {**torch_graphs.CASES, **operator_graphs.CASES}


@pytest.mark.parametrize("name", CASES)
def test_foreign_graph(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.onnx"
    onnx.save(CASES[name], path)
    graph = load(path, LoadOptions(), name)
    assert_same(path, graph, tolerance=2e-3 if name == "fp16" else 1e-5)
    assert not {n.op_type for n in graph.nodes} & SHAPE_ARITHMETIC
    assert all(v.dtype in (ir.DataType.FLOAT, ir.DataType.INT64) for v in graph.model.graph.initializers.values())
    assert {n for v in CASES[name].graph.output for n in [v.name]} == {p.name for p in graph.outputs}
    assert all(v.shape is not None and v.shape[0] == "N" for v in (*graph.model.graph.inputs, *graph.model.graph.outputs))
    for node in graph.nodes:
        if node.op_type == "Reshape":
            target = node.inputs[1].const_value.numpy()
            assert target[0] in (0, -1) or -1 in target


def test_names_stay_and_missing_ones_are_made(tmp_path: Path) -> None:
    proto = model("g (float[1,3] in_put) => (float[1,3] out.1) { t = Relu(in_put)\n out.1 = Sigmoid(t) }".replace("out.1", "out_1"))
    onnx.save(proto, tmp_path / "m.onnx")
    graph = load(tmp_path / "m.onnx", LoadOptions(), "m")
    assert [n.name for n in graph.nodes] == ["t", "out_1"]
    assert [v.name for v in graph.model.graph.inputs] == ["in_put"]


def test_open_axes_are_filled_in(tmp_path: Path) -> None:
    proto = model("g (float[batch,3,h,w_] x) => (float[batch,4,h2,w2] y) { y = Conv<kernel_shape=[3,3]>(x,w) }", {"w": W(4, 3, 3, 3)})
    onnx.save(proto, tmp_path / "m.onnx")
    for key in ("x", None):
        graph = load(tmp_path / "m.onnx", LoadOptions(input_shapes={key: (1, 3, 10, 12)}), "m")
        assert shape_of(graph.model.graph.outputs[0]) == (1, 4, 8, 10)
    for dim in proto.graph.input[0].type.tensor_type.shape.dim:
        dim.Clear()
    onnx.save(proto, tmp_path / "m.onnx")
    assert shape_of(load(tmp_path / "m.onnx", LoadOptions(input_shapes={None: (1, 3, 9, 9)}), "m").model.graph.outputs[0]) == (1, 4, 7, 7)


def test_cuts(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    weights = {"w": W(4, 3, 3, 3), "fw": W(5, 4), "fb": W(5)}
    text = """g (float[N,3,8,8] x) => (float[N,5] y) { c = Conv<kernel_shape=[3,3]>(x,w)\n r = Relu(c)\n p = GlobalAveragePool(r)
              f = Flatten<axis=1>(p)\n l = Gemm<transB=1>(f,fw,fb)\n y = Softmax<axis=1>(l) }"""
    onnx.save(model(text, weights), path)
    for options in (LoadOptions(outputs=("l", "r")), LoadOptions(inputs=("r",), outputs=("l",)), LoadOptions(inputs=("f",))):
        graph = load(path, options, "m")
        assert tuple(p.name for p in graph.outputs) == (options.outputs or ("y",))
        assert tuple(p.name for p in graph.inputs) == (options.inputs or ("x",))
        assert_same(path, graph, options)


def test_weights_beside_the_file(tmp_path: Path) -> None:
    proto = model("g (float[N,300] x) => (float[N,40] y) { y = MatMul(x,w) }", {"w": W(300, 40)})
    onnx.save(proto, tmp_path / "m.onnx", save_as_external_data=True, location="m.bin")
    assert_same(tmp_path / "m.onnx", load(tmp_path / "m.onnx", LoadOptions(), "m"))


def test_big_weights_stay_in_the_file(tmp_path: Path) -> None:
    proto = model("g (float[N,300] x) => (float[N,40] y) { y = MatMul(x,w) }", {"w": W(300, 40)})
    onnx.save(proto, tmp_path / "m.onnx")
    array = load(tmp_path / "m.onnx", LoadOptions(), "m").model.graph.initializers["w"].const_value.numpy()
    assert not array.flags.owndata
    assert not array.flags.writeable


def test_kit_models(kit: Path) -> None:
    files = sorted((kit / "models/onnx").glob("**/*.onnx"))
    assert files
    for path in files:
        assert_same(path, load(path, LoadOptions(), path.stem), tolerance=1e-4)  # deep nets, sums of thousands of terms


def test_inputs_that_no_node_reads(tmp_path: Path) -> None:
    """As tf2onnx lists the constants of Normalization layers."""
    proto = model("g (float[N,3] x, float[1,1,1,3] mean) => (float[N,4] y) { y = MatMul(x,w) }", {"w": W(3, 4)})
    onnx.save(proto, tmp_path / "m.onnx")
    graph = load(tmp_path / "m.onnx", LoadOptions(), "m")
    assert [p.source_name for p in graph.inputs] == ["x"]
    assert_same(tmp_path / "m.onnx", graph)
