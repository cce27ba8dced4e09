from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.int8_files import softmax_input
from benchmarks.int8_peers import Job, made
from benchmarks.int8_run import aligned, as_shaped, run
from exporter.array import Array

NET = """
<ir_version: 9, opset_import: ["": 17]>
net (float[1, 3, 4, 4] x) => (float[1, 3] y) <float[3, 48] w> {
    flat = Flatten<axis = 1>(x)
    scores = Gemm<transB = 1>(flat, w)
    y = Softmax<axis = 1>(scores)
}
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    model = onnx.parser.parse_model(NET)
    weights = np.random.default_rng(0).normal(size=(3, 48)).astype(np.float32)
    del model.graph.initializer[:]
    model.graph.initializer.append(onnx.numpy_helper.from_array(weights, "w"))
    onnx.save(model, tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


@pytest.fixture
def samples() -> Array:
    return np.random.default_rng(1).normal(size=(20, 3, 4, 4)).astype(np.float32)


def test_samples_take_the_files_layout() -> None:
    x = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    assert np.array_equal(as_shaped(x, (4, 5, 3)), x.transpose(0, 2, 3, 1))
    assert np.array_equal(as_shaped(x, (5, 3, 4)), x.transpose(0, 3, 1, 2))
    assert as_shaped(x, (3, 4, 5)) is x
    with pytest.raises(ValueError, match="the file wants"):
        as_shaped(x, (60,))


def test_outputs_are_matched_by_shape_whatever_their_order() -> None:
    scores, boxes, grid = np.ones((2, 9, 2)), np.ones((2, 9, 4)), np.arange(2 * 5 * 3 * 3).reshape(2, 5, 3, 3)
    found = aligned([scores, boxes, grid], [grid.transpose(0, 2, 3, 1), boxes, scores])
    assert [f.shape for f in found] == [scores.shape, boxes.shape, grid.shape]
    assert np.array_equal(found[2], grid)


def test_the_scores_before_a_softmax_are_read(net: Path, samples: Array) -> None:
    tap = softmax_input(net)
    assert tap == ("scores", 0.0, 0)
    scores, outputs = run(net, samples, tap=tap)[0], run(net, samples)[0]
    powers = np.exp(scores)
    assert np.allclose(powers / powers.sum(1, keepdims=True), outputs, atol=1e-6)  # float32 of probabilities


def test_onnxruntimes_int8_file_is_made_once_and_is_near_the_float_one(net: Path, samples: Array, tmp_path: Path) -> None:
    np.savez(tmp_path / "calibration.npz", x=samples)
    job = Job(net, tmp_path / "calibration.npz", tmp_path)
    path = made(job, "onnxruntime")
    stamp = path.stat().st_mtime_ns
    assert made(job, "onnxruntime").stat().st_mtime_ns == stamp
    assert "QuantizeLinear" in {node.op_type for node in onnx.load(path).graph.node}
    assert softmax_input(path) is not None
    got, ref = run(path, samples)[0], run(net, samples)[0]
    assert not np.array_equal(got, ref)
    assert np.abs(got - ref).max() < 0.1  # of probabilities: scores of size 7 in steps of about 0.1, a few of them off


def test_a_peer_without_a_file_says_why(tmp_path: Path) -> None:
    np.savez(tmp_path / "calibration.npz", x=np.zeros((1, 2), np.float32))
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(RuntimeError, match="onnxruntime made no file"):
        made(Job(tmp_path / "bad.onnx", tmp_path / "calibration.npz", tmp_path), "onnxruntime")
