"""What a written file says of itself: which tensor goes into its last softmax, which operators compute in float."""

from pathlib import Path
from typing import Any

MOVES = {
    "onnx": {"QuantizeLinear", "DequantizeLinear", "Reshape", "Identity", "Cast", "Squeeze", "Flatten"},
    "tflite": {"QUANTIZE", "DEQUANTIZE", "RESHAPE", "CAST", "SQUEEZE"},
}
"""Operators between a softmax and the output that only say it otherwise."""

FLOAT32 = 0
"""TFLite's TensorType.FLOAT32."""

Tap = tuple[str, float, int]
"""Tensor name, scale and zero point; scale 0 where it holds floats."""


def softmax_input(path: Path) -> Tap | None:
    """The scores that the file's last softmax reads; None where its first output comes from none.

    Args:
        path: A `.tflite`, `.onnx` or `.param` file.
    """
    return {".tflite": _tflite, ".onnx": _onnx, ".param": _ncnn}[path.suffix](path)


def float_ops(path: Path) -> list[str]:
    """The operators of a TFLite file that give floats, but for conversions."""
    model, names = _read_tflite(path)
    found = []
    for graph in model.subgraphs:
        for op in graph.operators:
            kind = names[model.operatorCodes[op.opcodeIndex]]
            if kind not in ("QUANTIZE", "DEQUANTIZE") and any(graph.tensors[t].type == FLOAT32 for t in op.outputs):
                found.append(kind)
    return found


def _read_tflite(path: Path) -> tuple[Any, dict[Any, str]]:
    from ai_edge_litert import schema_py_generated as schema

    words = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    return model, {code: words[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes}


def _tflite(path: Path) -> Tap | None:
    model, names = _read_tflite(path)
    graph = model.subgraphs[0]
    maker = {int(t): op for op in graph.operators for t in op.outputs}
    op = maker.get(int(graph.outputs[0]))
    while op is not None and names[model.operatorCodes[op.opcodeIndex]] in MOVES["tflite"]:
        op = maker.get(int(op.inputs[0]))
    if op is None or names[model.operatorCodes[op.opcodeIndex]] != "SOFTMAX":
        return None
    tensor = graph.tensors[op.inputs[0]]
    scale = tensor.quantization.scale if tensor.quantization else None
    if scale is None or not len(scale):
        return tensor.name.decode(), 0.0, 0
    return tensor.name.decode(), float(scale[0]), int(tensor.quantization.zeroPoint[0])


def _onnx(path: Path) -> Tap | None:
    import onnx

    graph = onnx.load(path).graph
    maker = {o: node for node in graph.node for o in node.output}
    node = maker.get(graph.output[0].name)
    while node is not None and node.op_type in MOVES["onnx"]:
        node = maker.get(node.input[0])
    return (str(node.input[0]), 0.0, 0) if node is not None and node.op_type == "Softmax" else None


def _ncnn(path: Path) -> Tap | None:
    from exporter.runtimes.ncnn_param import read_param

    last = read_param(path)[-1]
    return (last.inputs[0], 0.0, 0) if last.kind == "Softmax" else None
