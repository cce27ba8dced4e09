"""onnxruntime as an engine, in its child process."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from exporter.errors import EngineError, UsageError
from exporter.formats import load_writer
from exporter.formats.artifact import WriteOptions
from exporter.runtimes.onnxruntime import Session
from exporter.runtimes.run import open_engine
from tests.graphs import graph_from_text


@pytest.fixture
def path(tmp_path: Path) -> Path:
    graph = graph_from_text("g (float[N,3] x) => (float[N,2] y) { a = Gemm <transB = 1> (x, w) y = Relu (a) }", {"w": np.eye(2, 3)})
    return load_writer("onnx").write(graph, tmp_path, WriteOptions()).path


def test_in_a_child(path: Path):
    x = np.array([[-1, 2, 3]], np.float32)
    with open_engine("onnxruntime", path) as engine:
        assert engine.facts["engine"] == "onnxruntime"
        assert engine.facts["inputs"] == [{"name": "x", "shape": [1, 3], "dtype": "float32"}]
        assert engine.facts["outputs"] == [{"name": "y", "shape": [1, 2], "dtype": "float32"}]
        _, got = engine.call("run", {"x": x})
        np.testing.assert_array_equal(got["y"], [[0, 2]])
        _, got = engine.call("run", {"x": x}, tensors=["a"])
        np.testing.assert_array_equal(got["a"], [[-1, 2]])
        _, many = engine.call("run_many", {"x": np.stack([x, 2 * x])})
        np.testing.assert_array_equal(many["y"], [[[0, 2]], [[0, 4]]])
        facts, _ = engine.call("time", runs=3, warmup=1)
        assert len(facts["ms"]) == 3
        assert facts["first_ms"] > 0


def test_errors_name_what_is_needed(path: Path):
    session = Session(str(path))
    with pytest.raises(EngineError, match="nothing to time"):
        session.time(1)
    with pytest.raises(EngineError, match=r"has inputs \['x'\], got \['z'\]"):
        session.run({"z": np.zeros((1, 3))})
    with pytest.raises(EngineError, match="has no value nowhere"):
        session.run({"x": np.zeros((1, 3))}, ["nowhere"])
    with pytest.raises(EngineError, match="onnxruntime fails"):
        session.run({"x": np.zeros((1, 4))})


def test_a_file_that_is_none(tmp_path: Path):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"not a model")
    with pytest.raises(EngineError, match=r"onnxruntime refuses bad.onnx"):
        Session(str(bad))


def test_open_axes_of_others_files_must_be_given(tmp_path: Path):
    value = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["b", "t"]) for n in ("x", "y")]
    body = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", value[:1], value[1:])
    model = onnx.helper.make_model(body, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "open.onnx")
    with pytest.raises(UsageError, match="its open axes are needed"):
        Session(str(tmp_path / "open.onnx"))
    session = Session(str(tmp_path / "open.onnx"), options={"input_shapes": {"x": [1, 5]}})
    assert session.facts["inputs"][0]["shape"] == [1, 5]
