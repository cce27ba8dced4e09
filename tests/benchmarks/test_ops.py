from pathlib import Path

import onnx

from benchmarks.ops import count_ops


def test_ncnn_layers_are_counted_by_type(tmp_path: Path) -> None:
    path = tmp_path / "model.ncnn.param"
    path.write_text("7767517\n3 3\nInput in0 0 1 in0\nReLU a 1 1 in0 x\nReLU b 1 1 x out0\n")
    assert count_ops(path) == {"Input": 1, "ReLU": 2}


def test_onnx_nodes_are_counted_by_type(tmp_path: Path) -> None:
    text = '<ir_version: 9, opset_import: ["": 20]> net (float[1, 2] x) => (float[1, 2] y) { a = Relu(x) y = Relu(a) }'
    onnx.save(onnx.parser.parse_model(text), tmp_path / "model.onnx")
    assert count_ops(tmp_path / "model.onnx") == {"Relu": 2}
